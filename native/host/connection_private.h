/*
 * What the parts of a connection share: connection.c (its life, and what its opener calls),
 * connection_open.c (name, address, handshake) and connection_exchange.c (bytes both ways).
 */
#ifndef OCELLUS_HOST_CONNECTION_PRIVATE_H
#define OCELLUS_HOST_CONNECTION_PRIVATE_H

#include "connection.h"

#include "loop.h"
#include "outbox.h"
#include "resolve.h"
#include "timers.h"
#include "tls_session.h"

enum connection_state { RESOLVING, CONNECTING, SHAKING, OPEN, LEAVING, ENDED };

struct connection {
  struct connection *next; /* of all that have not ended */
  uint32_t references;
  enum connection_state state;
  const struct connection_events *events; /* NULL once closed by its opener */
  void *owner;

  char host[TLS_HOST_BYTES + 1];
  uint16_t port;
  struct tls_authority *authority; /* until the handshake takes it over */
  uint8_t authority_hash[TLS_HASH_BYTES];

  struct resolve resolve;
  struct resolve_result found;
  uint32_t address; /* index of the one being tried */
  int last_errno;   /* of the last that failed */
  struct timer deadline;
  struct timer next_address;

  struct loop_watch watch; /* the socket, while CONNECTING to LEAVING */
  struct tls tls;          /* likewise */
  bool with_aes;
  bool offered_session;
  int socket_errno; /* of a transfer that failed; 0: none */

  struct outbox outbox;
  size_t record; /* length of a record that the socket has not taken whole; 0: none */
  bool draining; /* `drain` is owed */
  bool paused;
  bool closing; /* flush, then leave */
  uint64_t wire_in;
  uint64_t wire_out;
};

/* ---- connection.c ---- */

/* Ends for good and tells the opener, if it is still there. Without `tell` it did so itself. The struct
 * may be gone afterwards, but for who holds a reference. */
void connection_end(struct connection *connection, bool tell, const char *code, const char *text);

/* Likewise, for what a system call or mbedTLS said. */
void connection_end_by_errno(struct connection *connection, int number);
void connection_end_by_tls(struct connection *connection, int result);

/* Closes the socket and its TLS, if there are any. */
void connection_close_socket(struct connection *connection);

void connection_release(struct connection *connection);

struct tls_peer connection_peer(const struct connection *connection);

/* Remembers the session, for the next connection to the same server. */
void connection_keep_ticket(const struct connection *connection);

/* ---- connection_open.c ---- */

/* From the loop: starts looking up the name, or connecting. */
void connection_begin(void *connection);

/* ---- connection_exchange.c ---- */

/* mbedTLS's callbacks for the socket. */
int connection_socket_send(void *connection, const unsigned char *data, size_t bytes);
int connection_socket_receive(void *connection, unsigned char *data, size_t bytes);

/* Says what poll() is to wait for in OPEN and LEAVING. */
void connection_set_interest(struct connection *connection);

/* Moves bytes in OPEN and LEAVING, as `revents` says. The caller holds a reference. */
void connection_exchange(struct connection *connection, short revents);

#endif
