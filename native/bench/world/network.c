/*
 * TCP connections to the servers in this process, as the camera's system calls see them.
 *
 * The link takes LINK_BYTES_PER_MS out of a send buffer of SEND_BUFFER bytes, which is what makes
 * the camera wait for POLLOUT as it would on a real uplink, and answers take LINK_DELAY_US to come
 * back. A connection's descriptor is a real one (an eventfd that nobody signals), so that its
 * number is taken.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../peer/queue.h"
#include "../peer/tls_peer.h"
#include "world.h"

#define CONNECTIONS_MAX 16
#define SEND_BUFFER 65536u
#define LINK_BYTES_PER_MS 1250u /* 10 Mbit/s */
#define LINK_DELAY_US 20000u    /* there and back */
#define SERVERS_MAX 4

/* What is on its way to the client, and from when on it can be read. */
struct answer {
  uint64_t due_us;
  size_t bytes;
};

struct connection {
  int fd; /* 0: free */
  int connected, ended;
  const struct server *server;
  void *at_server;
  struct tls_peer *peer;
  struct queue sending; /* in the send buffer */
  uint64_t moved_us;    /* up to when the link has been served */
  struct queue arrived; /* readable or on its way: see `answers` */
  size_t readable;
  struct queue answers; /* of struct answer */
};

static const struct server *servers[SERVERS_MAX];
static size_t server_count;
static struct connection connections[CONNECTIONS_MAX];
static uint64_t bytes_out[SERVERS_MAX], bytes_in[SERVERS_MAX];

void network_open(const struct server *const *list, size_t count) {
  if (count > SERVERS_MAX)
    abort();
  memcpy(servers, list, count * sizeof *list);
  server_count = count;
}

static struct connection *find(int fd) {
  for (int i = 0; i < CONNECTIONS_MAX && fd > 0; i++)
    if (connections[i].fd == fd)
      return &connections[i];
  return NULL;
}

/* ---- the link -------------------------------------------------------------------------------- */

static void answer(void *to, const void *bytes, size_t count) { tls_peer_write(to, bytes, count); }

/* Lets the server work on what its TLS peer has understood, and puts what comes back on the way. */
static void serve(struct connection *connection, uint64_t now_us) {
  uint8_t clear[16384], wire[16384];
  size_t count;
  while ((count = tls_peer_read(connection->peer, clear, sizeof clear)) > 0)
    connection->server->take(connection->at_server, clear, count, answer, connection->peer);
  struct answer coming = {.due_us = now_us + LINK_DELAY_US};
  while ((count = tls_peer_send(connection->peer, wire, sizeof wire)) > 0) {
    queue_put(&connection->arrived, wire, count);
    coming.bytes += count;
  }
  if (coming.bytes > 0)
    queue_put(&connection->answers, &coming, sizeof coming);
}

static void move(struct connection *connection, uint64_t now_us) {
  uint64_t spent_ms = (now_us - connection->moved_us) / 1000u;
  size_t waiting = queue_length(&connection->sending);
  size_t moved =
      spent_ms * LINK_BYTES_PER_MS < waiting ? (size_t)spent_ms * LINK_BYTES_PER_MS : waiting;
  connection->moved_us = moved == waiting ? now_us : connection->moved_us + spent_ms * 1000u;
  if (moved > 0) {
    tls_peer_receive(connection->peer, connection->sending.bytes + connection->sending.start,
                     moved);
    queue_drop(&connection->sending, moved);
    serve(connection, now_us);
  }
  struct answer next;
  while (queue_length(&connection->answers) >= sizeof next) {
    memcpy(&next, connection->answers.bytes + connection->answers.start, sizeof next);
    if (next.due_us > now_us)
      break;
    connection->readable += next.bytes;
    queue_drop(&connection->answers, sizeof next);
  }
  if (tls_peer_ended(connection->peer))
    connection->ended = 1;
}

void network_step(uint64_t now_us) {
  for (int i = 0; i < CONNECTIONS_MAX; i++)
    if (connections[i].connected)
      move(&connections[i], now_us);
}

static uint64_t next_of(const struct connection *connection) {
  uint64_t next_us = WORLD_NEVER;
  size_t waiting = queue_length(&connection->sending);
  if (waiting > 0) {
    /* To where poll() says POLLOUT, or to the end. */
    size_t enough = waiting > SEND_BUFFER * 2 / 3 ? waiting - SEND_BUFFER * 2 / 3 : waiting;
    uint64_t ms = (enough + LINK_BYTES_PER_MS - 1) / LINK_BYTES_PER_MS;
    next_us = connection->moved_us + ms * 1000u;
  }
  struct answer coming;
  if (queue_length(&connection->answers) >= sizeof coming) {
    memcpy(&coming, connection->answers.bytes + connection->answers.start, sizeof coming);
    if (coming.due_us < next_us)
      next_us = coming.due_us;
  }
  return next_us;
}

uint64_t network_next_us(void) {
  uint64_t next_us = WORLD_NEVER;
  for (int i = 0; i < CONNECTIONS_MAX; i++)
    if (connections[i].connected && next_of(&connections[i]) < next_us)
      next_us = next_of(&connections[i]);
  return next_us;
}

int network_poll(int fd, short events, short *revents) {
  const struct connection *connection = find(fd);
  if (connection == NULL)
    return 0;
  *revents = 0;
  if ((events & POLLIN) && (connection->readable > 0 || connection->ended))
    *revents |= POLLIN;
  if ((events & POLLOUT) && connection->connected &&
      queue_length(&connection->sending) <= SEND_BUFFER * 2 / 3)
    *revents |= POLLOUT;
  return 1;
}

static size_t index_of(const struct server *server) {
  for (size_t i = 0; i < server_count; i++)
    if (servers[i] == server)
      return i;
  abort();
}

uint64_t network_bytes_out(const struct server *server) { return bytes_out[index_of(server)]; }

uint64_t network_bytes_in(const struct server *server) { return bytes_in[index_of(server)]; }

/* ---- system calls ---------------------------------------------------------------------------- */

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol) {
  if (family != AF_INET || (type & SOCK_STREAM) == 0)
    return __real_socket(family, type, protocol);
  enum mark_region before = world_enter();
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  for (int i = 0; fd > 0; i++) {
    if (i == CONNECTIONS_MAX)
      abort();
    if (connections[i].fd == 0) {
      connections[i] = (struct connection){.fd = fd};
      break;
    }
  }
  world_leave(before);
  return fd;
}

int __real_connect(int fd, const struct sockaddr *address, socklen_t bytes);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t bytes);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t bytes) {
  struct connection *connection = find(fd);
  if (connection == NULL)
    return __real_connect(fd, address, bytes);
  enum mark_region before = world_enter();
  struct sockaddr_in to;
  if (bytes < sizeof to)
    abort();
  memcpy(&to, address, sizeof to);
  for (size_t i = 0; i < server_count; i++)
    if (to.sin_port == htons(servers[i]->port) && to.sin_addr.s_addr == htonl(INADDR_LOOPBACK))
      connection->server = servers[i];
  if (connection->server == NULL)
    abort(); /* the camera was told of no other */
  connection->at_server = connection->server->open();
  connection->peer = tls_peer_open();
  connection->moved_us = world_now_us();
  connection->connected = 1;
  world_leave(before);
  errno = EINPROGRESS;
  return -1;
}

ssize_t __real_send(int fd, const void *bytes, size_t count, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t count, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t count, int flags) {
  struct connection *connection = find(fd);
  if (connection == NULL)
    return __real_send(fd, bytes, count, flags);
  enum mark_region before = world_enter();
  if (queue_length(&connection->sending) == 0)
    connection->moved_us = world_now_us();
  size_t room = SEND_BUFFER - queue_length(&connection->sending);
  size_t taken = count < room ? count : room;
  queue_put(&connection->sending, bytes, taken);
  bytes_out[index_of(connection->server)] += taken;
  world_leave(before);
  if (taken == 0 && count > 0) {
    errno = EAGAIN;
    return -1;
  }
  return (ssize_t)taken;
}

ssize_t __real_recv(int fd, void *bytes, size_t room, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t room, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t room, int flags) {
  struct connection *connection = find(fd);
  if (connection == NULL)
    return __real_recv(fd, bytes, room, flags);
  enum mark_region before = world_enter();
  size_t count = room < connection->readable ? room : connection->readable;
  (void)queue_take(&connection->arrived, bytes, count);
  connection->readable -= count;
  bytes_in[index_of(connection->server)] += count;
  int ended = connection->ended;
  world_leave(before);
  if (count == 0 && room > 0 && !ended) {
    errno = EAGAIN;
    return -1;
  }
  return (ssize_t)count;
}

int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *bytes);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *bytes);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *bytes) {
  if (find(fd) == NULL)
    return __real_getsockopt(fd, level, option, value, bytes);
  if (level != SOL_SOCKET || option != SO_ERROR || *bytes != sizeof(int))
    abort();
  memset(value, 0, sizeof(int));
  return 0;
}

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t bytes);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t bytes);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t bytes) {
  return find(fd) != NULL ? 0 : __real_setsockopt(fd, level, option, value, bytes);
}

int __wrap_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how) {
  (void)how;
  if (find(fd) == NULL)
    abort();
  return 0;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
  struct connection *connection = find(fd);
  if (connection != NULL) {
    enum mark_region before = world_enter();
    if (connection->connected) {
      connection->server->close(connection->at_server);
      tls_peer_close(connection->peer);
    }
    queue_free(&connection->sending);
    queue_free(&connection->arrived);
    queue_free(&connection->answers);
    connection->fd = 0;
    connection->connected = 0;
    world_leave(before);
  }
  return __real_close(fd);
}
