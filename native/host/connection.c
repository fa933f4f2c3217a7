#include "connection_private.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAVE_US 1000000u
#define ALIVE_MAX 16 /* open and leaving ones together */

static struct connection *connections;

/* ---- ending ---- */

void connection_release(struct connection *connection) {
  if (--connection->references == 0)
    free(connection);
}

void connection_close_socket(struct connection *connection) {
  if (connection->state < CONNECTING || connection->state > LEAVING)
    return;
  loop_remove(&connection->watch);
  tls_close(&connection->tls);
  if (connection->watch.fd >= 0)
    close(connection->watch.fd);
  connection->watch.fd = -1;
}

void connection_end(struct connection *connection, bool tell, const char *code, const char *text) {
  if (connection->state == ENDED)
    return;
  struct connection **at = &connections;
  while (*at != connection)
    at = &(*at)->next;
  *at = connection->next;
  resolve_cancel(&connection->resolve);
  connection_close_socket(connection);
  tls_authority_release(connection->authority);
  connection->authority = NULL;
  timer_disarm(&connection->deadline);
  timer_disarm(&connection->next_address);
  outbox_clear(&connection->outbox);
  connection->state = ENDED;
  if (tell && connection->events != NULL)
    connection->events->closed(connection->owner, code, text);
  connection_release(connection);
}

void connection_end_by_errno(struct connection *connection, int number) {
  const char *code = "io";
  if (number == ECONNREFUSED)
    code = "refused";
  else if (number == ENETUNREACH || number == EHOSTUNREACH || number == EADDRNOTAVAIL)
    code = "unreachable";
  else if (number == ETIMEDOUT)
    code = "timeout";
  else if (number == ECONNRESET || number == EPIPE)
    code = "reset";
  connection_end(connection, true, code, strerror(number));
}

void connection_end_by_tls(struct connection *connection, int result) {
  char text[120];
  if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
    connection_end(connection, true, NULL, NULL);
  } else if (connection->socket_errno != 0) {
    connection_end_by_errno(connection, connection->socket_errno);
  } else {
    const char *code = tls_error(&connection->tls, result, text, sizeof text);
    connection_end(connection, true, code, text);
  }
}

/* ---- what is known of it ---- */

struct tls_peer connection_peer(const struct connection *connection) {
  return (struct tls_peer){connection->host, connection->port, connection->authority_hash};
}

void connection_keep_ticket(const struct connection *connection) {
  struct tls_peer of = connection_peer(connection);
  tls_session_keep(&of, &connection->tls.ssl,
                   connection->tls.verified ? connection->tls.chain_until_s : 0);
}

/* ---- what the opener calls ---- */

static void on_deadline(void *owner) {
  struct connection *connection = owner;
  static const char *const doing[] = {"the name was not resolved", "no address answered",
                                      "the handshake did not end"};
  if (connection->state > SHAKING) {
    connection_end(connection, true, NULL, NULL);
    return;
  }
  char text[80];
  snprintf(text, sizeof text, "%s in time", doing[connection->state]);
  connection_end(connection, true, "timeout", text);
}

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
    connection_end(oldest, false, NULL, NULL);
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
    struct tls_peer of = connection_peer(connection);
    connection->with_aes = tls_session_needs_aes(&of);
  }
  if (resolve_numeric(host, port, &connection->found.addresses[0]))
    connection->found.count = 1;
  connection->next = connections;
  connections = connection;
  timer_arm(&connection->deadline, (uint64_t)timeout_ms * 1000u, on_deadline, connection);
  timer_arm(&connection->next_address, 0, connection_begin, connection);
  return connection;
}

bool connection_write(struct connection *connection, const uint8_t *data, size_t bytes) {
  if (connection->state == ENDED)
    return true;
  if (!outbox_put(&connection->outbox, data, bytes))
    return false;
  connection->draining = true;
  if (connection->state == OPEN)
    connection_set_interest(connection);
  return true;
}

bool connection_send_segment(struct connection *connection, struct segment *segment) {
  if (connection->state == ENDED)
    return true;
  if (!outbox_put_segment(&connection->outbox, segment))
    return false;
  connection->draining = true;
  if (connection->state == OPEN)
    connection_set_interest(connection);
  return true;
}

void connection_pause(struct connection *connection, bool paused) {
  connection->paused = paused;
  if (connection->state != OPEN)
    return;
  connection->watch.again = !paused;
  connection_set_interest(connection);
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
    connection_end(connection, false, NULL, NULL);
  } else {
    connection->closing = true;
    connection->paused = false;
    timer_arm(&connection->deadline, LEAVE_US, on_deadline, connection);
    if (connection->state == OPEN)
      connection_set_interest(connection);
  }
  connection_release(connection);
}

void connection_stop_all(void) {
  while (connections != NULL)
    connection_end(connections, false, NULL, NULL);
}
