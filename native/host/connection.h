/*
 * A TLS connection to a server: name, address, handshake, bytes. Nothing here waits.
 *
 *     RESOLVING ─▶ CONNECTING ─▶ SHAKING ─▶ OPEN ─▶ LEAVING ─▶ ENDED
 *                  │     ▲         │                (close with flush: what waits, close_notify,
 *                  └─────┘         └─▶ CONNECTING    the peer's end)
 *                  next address        once more, AES-GCM offered too
 *
 * The events come from the loop, never from within a call. After `closed`, or after
 * connection_close(), none follows. The struct is counted: whoever opened it holds a reference and
 * the connection itself another until it has ended.
 */
#ifndef OCELLUS_HOST_CONNECTION_H
#define OCELLUS_HOST_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segment.h"
#include "tls.h"

#define CONNECTION_DATA_BYTES 16384

struct connection;

struct connection_info {
  const char *version; /* "TLSv1.2" or "TLSv1.3" */
  const char *cipher;
  bool resumed;
};

/* Who is told. `owner` is passed on; it outlives the connection's last event. */
struct connection_events {
  void (*open)(void *owner, const struct connection_info *info);
  void (*data)(void *owner, const uint8_t *data, size_t bytes); /* at most CONNECTION_DATA_BYTES */
  void (*drain)(void *owner);
  void (*closed)(void *owner, const char *code, const char *text); /* NULL: in order */
};

/* Starts. Takes over the reference to the authority; NULL ends the connection with a sentence from
 * the loop. */
struct connection *connection_open(const char *host, uint16_t port, struct tls_authority *authority,
                                   uint32_t timeout_ms, const struct connection_events *events,
                                   void *owner);

/* native.d.ts, Connection. False: more than it takes (write), or a segment is waiting. What is
 * given to a connection that has ended is dropped. */
bool connection_write(struct connection *connection, const uint8_t *data, size_t bytes);
bool connection_send_segment(struct connection *connection, struct segment *segment);
void connection_pause(struct connection *connection, bool paused);
uint64_t connection_waiting_bytes(const struct connection *connection);
uint64_t connection_wire_bytes_in(const struct connection *connection);
uint64_t connection_wire_bytes_out(const struct connection *connection);

/* Ends it, without further events, and gives the opener's reference back. With `flush` it goes on
 * in the background for 1 s at most. */
void connection_close(struct connection *connection, bool flush);

/* Drops those that still go on in the background. */
void connection_stop_all(void);

#endif
