#define _GNU_SOURCE
#include "connection.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop.h"
#include "outbox.h"
#include "resolve.h"
#include "timers.h"
#include "tls_session.h"

#define LEAVE_US 1000000u
#define ADDRESS_US 2500000u /* before the next address is tried */
#define ALIVE_MAX 16        /* open and leaving ones together */
#define TURN_RECORDS 4      /* sent or received before others get their turn */

enum state { RESOLVING, CONNECTING, SHAKING, OPEN, LEAVING, ENDED };

struct connection {
  struct connection *next; /* of all that have not ended */
  uint32_t references;
  enum state state;
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

static struct connection *connections;

static void begin_address(struct connection *connection);

/* ---- ending ---- */

static void release(struct connection *connection) {
  if (--connection->references == 0)
    free(connection);
}

static void close_socket(struct connection *connection) {
  if (connection->state < CONNECTING || connection->state > LEAVING)
    return;
  loop_remove(&connection->watch);
  tls_close(&connection->tls);
  if (connection->watch.fd >= 0)
    close(connection->watch.fd);
  connection->watch.fd = -1;
}

/* Ends for good and tells the opener, if it is still there. Without `tell` it did so itself. */
static void end(struct connection *connection, bool tell, const char *code, const char *text) {
  if (connection->state == ENDED)
    return;
  struct connection **at = &connections;
  while (*at != connection)
    at = &(*at)->next;
  *at = connection->next;
  resolve_cancel(&connection->resolve);
  close_socket(connection);
  tls_authority_release(connection->authority);
  connection->authority = NULL;
  timer_disarm(&connection->deadline);
  timer_disarm(&connection->next_address);
  outbox_clear(&connection->outbox);
  connection->state = ENDED;
  if (tell && connection->events != NULL)
    connection->events->closed(connection->owner, code, text);
  release(connection);
}

static void end_by_errno(struct connection *connection, int number) {
  const char *code = "io";
  if (number == ECONNREFUSED)
    code = "refused";
  else if (number == ENETUNREACH || number == EHOSTUNREACH || number == EADDRNOTAVAIL)
    code = "unreachable";
  else if (number == ETIMEDOUT)
    code = "timeout";
  else if (number == ECONNRESET || number == EPIPE)
    code = "reset";
  end(connection, true, code, strerror(number));
}

static void on_deadline(void *owner) {
  struct connection *connection = owner;
  static const char *const doing[] = {"the name was not resolved", "no address answered",
                                      "the handshake did not end"};
  if (connection->state > SHAKING) {
    end(connection, true, NULL, NULL);
    return;
  }
  char text[80];
  snprintf(text, sizeof text, "%s in time", doing[connection->state]);
  end(connection, true, "timeout", text);
}

static struct tls_peer peer(const struct connection *connection) {
  return (struct tls_peer){connection->host, connection->port, connection->authority_hash};
}

/* ---- the socket, for mbedTLS ---- */

static int socket_send(void *context, const unsigned char *data, size_t bytes) {
  struct connection *connection = context;
  ssize_t sent = send(connection->watch.fd, data, bytes, MSG_NOSIGNAL);
  if (sent >= 0) {
    connection->wire_out += (uint64_t)sent;
    return (int)sent;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    return MBEDTLS_ERR_SSL_WANT_WRITE;
  connection->socket_errno = errno;
  return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int socket_receive(void *context, unsigned char *data, size_t bytes) {
  struct connection *connection = context;
  ssize_t got = recv(connection->watch.fd, data, bytes, 0);
  if (got >= 0) {
    connection->wire_in += (uint64_t)got;
    return (int)got; /* 0: mbedTLS makes it MBEDTLS_ERR_SSL_CONN_EOF */
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    return MBEDTLS_ERR_SSL_WANT_READ;
  connection->socket_errno = errno;
  return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static void end_by_tls(struct connection *connection, int result) {
  char text[120];
  if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
    end(connection, true, NULL, NULL);
  } else if (connection->socket_errno != 0) {
    end_by_errno(connection, connection->socket_errno);
  } else {
    const char *code = tls_error(&connection->tls, result, text, sizeof text);
    end(connection, true, code, text);
  }
}

static bool must_wait(int result) {
  return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* Servers send tickets of TLS 1.3 whenever they like; any transfer may come upon one. */
static void keep_ticket(const struct connection *connection) {
  struct tls_peer of = peer(connection);
  tls_session_keep(&of, &connection->tls.ssl,
                   connection->tls.verified ? connection->tls.chain_until_s : 0);
}

/* ---- sending ---- */

/* Says what poll() is to wait for in OPEN and LEAVING. */
static void set_interest(struct connection *connection) {
  bool sends = connection->state == OPEN && (outbox_waiting(&connection->outbox) > 0 ||
                                             connection->draining || connection->closing);
  connection->watch.events = (short)((connection->paused ? 0 : POLLIN) | (sends ? POLLOUT : 0));
}

/* Sends what waits, as far as the socket takes it. False when the connection has ended. */
static bool send_some(struct connection *connection) {
  size_t most = (size_t)mbedtls_ssl_get_max_out_record_payload(&connection->tls.ssl);
  for (int records = 0; records < TURN_RECORDS; records++) {
    const uint8_t *data;
    size_t bytes = outbox_next(&connection->outbox, &data);
    if (bytes == 0)
      break;
    /* A record once begun is of the length it was begun with. */
    if (connection->record == 0)
      connection->record = bytes < most ? bytes : most;
    int result = mbedtls_ssl_write(&connection->tls.ssl, data, connection->record);
    if (result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
      keep_ticket(connection);
      continue;
    }
    if (must_wait(result))
      return true;
    if (result < 0) {
      end_by_tls(connection, result);
      return false;
    }
    outbox_sent(&connection->outbox, (size_t)result);
    connection->record = 0;
  }
  if (connection->draining && outbox_waiting(&connection->outbox) == 0) {
    connection->draining = false;
    if (connection->events != NULL)
      connection->events->drain(connection->owner);
  }
  return connection->state != ENDED;
}

/* Closes our direction once all has gone, and waits for the peer's end: closing a socket with
 * unread bytes would reset the connection, and the peer might lose what was sent last. */
static void leave(struct connection *connection) {
  if (!connection->closing || outbox_waiting(&connection->outbox) > 0)
    return;
  int result = mbedtls_ssl_close_notify(&connection->tls.ssl);
  if (must_wait(result))
    return;
  if (result != 0) {
    end(connection, false, NULL, NULL);
    return;
  }
  connection->state = LEAVING;
  shutdown(connection->watch.fd, SHUT_WR);
}

/* ---- receiving ---- */

static void receive_some(struct connection *connection) {
  static uint8_t plain[CONNECTION_DATA_BYTES];
  for (int records = 0; records < TURN_RECORDS && !connection->paused; records++) {
    int result = mbedtls_ssl_read(&connection->tls.ssl, plain, sizeof plain);
    if (result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
      keep_ticket(connection);
      continue;
    }
    if (must_wait(result))
      return;
    if (result <= 0) {
      /* mbedTLS makes 0 of an end without close_notify. */
      end_by_tls(connection, result == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : result);
      return;
    }
    if (connection->events != NULL && connection->state == OPEN && !connection->closing)
      connection->events->data(connection->owner, plain, (size_t)result);
    if (connection->state == ENDED)
      return;
  }
  /* There may be more that was read from the socket already; poll() does not know of it. */
  connection->watch.again = !connection->paused;
}

/* Receives before it sends: a server that refuses an upload answers first and then resets. */
static void exchange(struct connection *connection, short revents) {
  if (!connection->paused && revents != POLLOUT)
    receive_some(connection);
  if (connection->state == OPEN && send_some(connection))
    leave(connection);
}

/* ---- the handshake ---- */

static void opened(struct connection *connection) {
  struct tls_peer of = peer(connection);
  struct connection_info info = {
      .version = mbedtls_ssl_get_version_number(&connection->tls.ssl) == MBEDTLS_SSL_VERSION_TLS1_3
                     ? "TLSv1.3"
                     : "TLSv1.2",
      .cipher = mbedtls_ssl_get_ciphersuite(&connection->tls.ssl),
      .resumed = !connection->tls.verified,
  };
  if (info.resumed && !connection->offered_session) {
    end(connection, true, "tls-protocol", "the peer showed no certificate");
    return;
  }
  if (mbedtls_ssl_get_version_number(&connection->tls.ssl) == MBEDTLS_SSL_VERSION_TLS1_2)
    keep_ticket(connection);
  if (connection->with_aes)
    tls_session_set_needs_aes(&of);
  connection->state = OPEN;
  if (!connection->closing)
    timer_disarm(&connection->deadline);
  connection->watch.again = true; /* data may have come with the handshake's end */
  if (connection->events != NULL)
    connection->events->open(connection->owner, &info);
}

/* A server without ChaCha20-Poly1305 answers with an alert, or just hangs up. */
static bool may_lack_chacha(const struct connection *connection, int result) {
  return !connection->with_aes && !connection->tls.verified &&
         (result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE || result == MBEDTLS_ERR_SSL_CONN_EOF ||
          connection->socket_errno == ECONNRESET);
}

static void try_again(struct connection *connection, bool with_aes) {
  struct tls_authority *authority = connection->tls.authority;
  connection->tls.authority = NULL; /* keeps its reference */
  close_socket(connection);
  connection->authority = authority;
  connection->with_aes = with_aes;
  connection->socket_errno = 0;
  begin_address(connection);
}

static void shake(struct connection *connection) {
  int result = mbedtls_ssl_handshake(&connection->tls.ssl);
  if (result == MBEDTLS_ERR_SSL_WANT_READ) {
    connection->watch.events = POLLIN;
  } else if (result == MBEDTLS_ERR_SSL_WANT_WRITE) {
    connection->watch.events = POLLOUT;
  } else if (result == 0) {
    opened(connection);
  } else {
    struct tls_peer of = peer(connection);
    if (connection->offered_session)
      tls_session_drop(&of);
    if (may_lack_chacha(connection, result))
      try_again(connection, true);
    else
      end_by_tls(connection, result);
  }
}

/* ---- connecting ---- */

static void on_next_address(void *owner) {
  struct connection *connection = owner;
  connection->last_errno = ETIMEDOUT;
  connection->address++;
  try_again(connection, connection->with_aes);
}

static void connected(struct connection *connection) {
  int number = 0;
  socklen_t size = sizeof number;
  if (getsockopt(connection->watch.fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0)
    number = errno;
  timer_disarm(&connection->next_address);
  if (number != 0) {
    connection->last_errno = number;
    connection->address++;
    try_again(connection, connection->with_aes);
    return;
  }
  connection->state = SHAKING;
  shake(connection);
}

static void on_socket(void *owner, short revents) {
  struct connection *connection = owner;
  connection->references++;
  switch (connection->state) {
  case CONNECTING:
    connected(connection);
    break;
  case SHAKING:
    shake(connection);
    break;
  case OPEN:
  case LEAVING:
    exchange(connection, revents);
    break;
  default:
    abort();
  }
  if (connection->state == OPEN || connection->state == LEAVING)
    set_interest(connection);
  release(connection);
}

static int open_socket(const union resolve_address *address) {
  int one = 1;
  int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -1;
  socklen_t size =
      address->any.sa_family == AF_INET ? sizeof address->v4 : (socklen_t)sizeof address->v6;
  /* Records are as large as they get; waiting for more would only delay the last. */
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0 &&
      (connect(fd, &address->any, size) == 0 || errno == EINPROGRESS))
    return fd;
  int kept = errno;
  close(fd);
  errno = kept;
  return -1;
}

/* Tries the address at hand, and those after it that fail at once. */
static void begin_address(struct connection *connection) {
  int fd = -1;
  connection->state = RESOLVING;
  for (; connection->address < connection->found.count; connection->address++) {
    fd = open_socket(&connection->found.addresses[connection->address]);
    if (fd >= 0)
      break;
    connection->last_errno = errno;
  }
  if (fd < 0) {
    end_by_errno(connection, connection->last_errno);
    return;
  }
  struct tls_peer of = peer(connection);
  tls_open(&connection->tls, connection->host, connection->authority, connection->with_aes,
           socket_send, socket_receive, connection);
  connection->authority = NULL;
  connection->offered_session = tls_session_offer(&of, &connection->tls.ssl);
  connection->state = CONNECTING;
  connection->watch =
      (struct loop_watch){.fd = fd, .events = POLLOUT, .ready = on_socket, .owner = connection};
  loop_add(&connection->watch);
  if (connection->address + 1 < connection->found.count)
    timer_arm(&connection->next_address, ADDRESS_US, on_next_address, connection);
}

static void on_resolved(void *owner, const struct resolve_result *result) {
  struct connection *connection = owner;
  if (result->error == 0) {
    connection->found = *result;
    begin_address(connection);
    return;
  }
  char text[400];
  snprintf(text, sizeof text, "%s: %s", connection->host, gai_strerror(result->error));
  end(connection, true, "dns", text);
}

/* What could not be begun is told from the loop like everything else. */
static void on_begin(void *owner) {
  struct connection *connection = owner;
  if (connection->authority == NULL)
    end(connection, true, "tls-certificate-untrusted", "caPem holds no certificate");
  else if (connection->found.count > 0)
    begin_address(connection);
  else if (!resolve_ask(&connection->resolve, connection->host, connection->port, on_resolved,
                        connection))
    end_by_errno(connection, errno);
}

/* ---- what the opener calls ---- */

/* Opening and closing over and over must not pile up connections that are about to end. */
static void make_room(void) {
  struct connection *oldest = NULL;
  uint32_t count = 0;
  for (struct connection *each = connections; each != NULL; each = each->next) {
    count++;
    if (each->closing)
      oldest = each;
  }
  if (count >= ALIVE_MAX && oldest != NULL)
    end(oldest, false, NULL, NULL);
}

struct connection *connection_open(const char *host, uint16_t port, struct tls_authority *authority,
                                   uint32_t timeout_ms, const struct connection_events *events,
                                   void *owner) {
  struct connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL || strlen(host) > TLS_HOST_BYTES)
    abort();
  make_room();
  connection->references = 2;
  connection->events = events;
  connection->owner = owner;
  memcpy(connection->host, host, strlen(host) + 1);
  connection->port = port;
  connection->authority = authority;
  connection->watch.fd = -1;
  if (authority != NULL) {
    memcpy(connection->authority_hash, tls_authority_hash(authority), TLS_HASH_BYTES);
    struct tls_peer of = peer(connection);
    connection->with_aes = tls_session_needs_aes(&of);
  }
  if (resolve_numeric(host, port, &connection->found.addresses[0]))
    connection->found.count = 1;
  connection->next = connections;
  connections = connection;
  timer_arm(&connection->deadline, (uint64_t)timeout_ms * 1000u, on_deadline, connection);
  timer_arm(&connection->next_address, 0, on_begin, connection);
  return connection;
}

bool connection_write(struct connection *connection, const uint8_t *data, size_t bytes) {
  if (connection->state == ENDED)
    return true;
  if (!outbox_put(&connection->outbox, data, bytes))
    return false;
  connection->draining = true;
  if (connection->state == OPEN)
    set_interest(connection);
  return true;
}

bool connection_send_segment(struct connection *connection, struct segment *segment) {
  if (connection->state == ENDED)
    return true;
  if (!outbox_put_segment(&connection->outbox, segment))
    return false;
  connection->draining = true;
  if (connection->state == OPEN)
    set_interest(connection);
  return true;
}

void connection_pause(struct connection *connection, bool paused) {
  connection->paused = paused;
  if (connection->state != OPEN)
    return;
  connection->watch.again = !paused;
  set_interest(connection);
}

uint64_t connection_waiting_bytes(const struct connection *connection) {
  return outbox_waiting(&connection->outbox);
}

uint64_t connection_wire_bytes_in(const struct connection *connection) {
  return connection->wire_in;
}

uint64_t connection_wire_bytes_out(const struct connection *connection) {
  return connection->wire_out;
}

void connection_close(struct connection *connection, bool flush) {
  connection->events = NULL;
  if (!flush || connection->state == ENDED) {
    end(connection, false, NULL, NULL);
  } else {
    connection->closing = true;
    connection->paused = false;
    timer_arm(&connection->deadline, LEAVE_US, on_deadline, connection);
    if (connection->state == OPEN)
      set_interest(connection);
  }
  release(connection);
}

void connection_stop_all(void) {
  while (connections != NULL)
    end(connections, false, NULL, NULL);
}
