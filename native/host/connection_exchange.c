#include "connection_private.h"

#include <errno.h>
#include <poll.h>

#define TURN_RECORDS 4 /* sent or received before others get their turn */

/* ---- the socket, for mbedTLS ---- */

int connection_socket_send(void *context, const unsigned char *data, size_t bytes) {
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

int connection_socket_receive(void *context, unsigned char *data, size_t bytes) {
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

static bool must_wait(int result) {
  return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* ---- sending ---- */

void connection_set_interest(struct connection *connection) {
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
      connection_keep_ticket(connection);
      continue;
    }
    if (must_wait(result))
      return true;
    if (result < 0) {
      connection_end_by_tls(connection, result);
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
    connection_end(connection, false, NULL, NULL);
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
      connection_keep_ticket(connection);
      continue;
    }
    if (must_wait(result))
      return;
    if (result <= 0) {
      /* mbedTLS makes 0 of an end without close_notify. */
      connection_end_by_tls(connection, result == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : result);
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
void connection_exchange(struct connection *connection, short revents) {
  if (!connection->paused && revents != POLLOUT)
    receive_some(connection);
  if (connection->state == OPEN && send_some(connection))
    leave(connection);
}
