#include "connection_private.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ADDRESS_US 2500000u /* before the next address is tried */

static void begin_address(struct connection *connection);

/* ---- the handshake ---- */

static void opened(struct connection *connection) {
  struct tls_peer of = connection_peer(connection);
  struct connection_info info = {
      .version = mbedtls_ssl_get_version_number(&connection->tls.ssl) == MBEDTLS_SSL_VERSION_TLS1_3
                     ? "TLSv1.3"
                     : "TLSv1.2",
      .cipher = mbedtls_ssl_get_ciphersuite(&connection->tls.ssl),
      .resumed = !connection->tls.verified,
  };
  if (info.resumed && !connection->offered_session) {
    connection_end(connection, true, "tls-protocol", "the peer showed no certificate");
    return;
  }
  if (mbedtls_ssl_get_version_number(&connection->tls.ssl) == MBEDTLS_SSL_VERSION_TLS1_2)
    connection_keep_ticket(connection);
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
  connection_close_socket(connection);
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
    struct tls_peer of = connection_peer(connection);
    if (connection->offered_session)
      tls_session_drop(&of);
    if (may_lack_chacha(connection, result))
      try_again(connection, true);
    else
      connection_end_by_tls(connection, result);
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
    connection_exchange(connection, revents);
    break;
  default:
    abort();
  }
  if (connection->state == OPEN || connection->state == LEAVING)
    connection_set_interest(connection);
  connection_release(connection);
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
    connection_end_by_errno(connection, connection->last_errno);
    return;
  }
  struct tls_peer of = connection_peer(connection);
  tls_open(&connection->tls, connection->host, connection->authority, connection->with_aes,
           connection_socket_send, connection_socket_receive, connection);
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
  connection_end(connection, true, "dns", text);
}

/* What could not be begun is told from the loop like everything else. */
void connection_begin(void *owner) {
  struct connection *connection = owner;
  if (connection->authority == NULL)
    connection_end(connection, true, "tls-certificate-untrusted", "caPem holds no certificate");
  else if (connection->found.count > 0)
    begin_address(connection);
  else if (!resolve_ask(&connection->resolve, connection->host, connection->port, on_resolved,
                        connection))
    connection_end_by_errno(connection, errno);
}
