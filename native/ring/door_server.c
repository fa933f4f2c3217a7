#define _GNU_SOURCE 1
#include "door_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES_MAX 100 /* leaves room for the suffixes within sun_path */
#define MESSAGES_AT_ONCE 8 /* of one consumer, before the others have their turn */

/* ---- opening --------------------------------------------------------------------------------- */

static int lock_path(const char *path) {
  char lock[PATH_BYTES_MAX + 8];
  snprintf(lock, sizeof lock, "%s.lock", path);
  int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return -1;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    int error = errno == EWOULDBLOCK ? EADDRINUSE : errno;
    close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

/* Whether a path is free for a socket: absent, or a socket, which nobody listens on while we hold
 * the lock. */
static int free_for_socket(const char *path) {
  struct stat file;
  if (lstat(path, &file) != 0)
    return errno == ENOENT;
  if (S_ISSOCK(file.st_mode))
    return 1;
  errno = EEXIST;
  return 0;
}

/* Opens the path to the group and to clients, in place of the socket before it, in one step. */
static int put_in_place(int fd, const char *temporary, const char *path, gid_t group) {
  if ((group != (gid_t)-1 && chown(temporary, (uid_t)-1, group) != 0) ||
      chmod(temporary, 0660) != 0)
    return -1;
  return listen(fd, DOOR_CONSUMERS_MAX) == 0 ? rename(temporary, path) : -1;
}

/* Binds under another name first, so that the path never leads to a socket with the wrong mode. */
static int listen_at(const char *path, gid_t group) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s.new", path);
  const char *temporary = address.sun_path;
  if (!free_for_socket(path) || !free_for_socket(temporary))
    return -1;
  unlink(temporary);

  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -1;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
    if (put_in_place(fd, temporary, path, group) == 0)
      return fd;
    int error = errno;
    unlink(temporary);
    errno = error;
  }
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int door_server_open(struct door_server *server, const char *path, gid_t group,
                     const struct door_handler *handler) {
  *server = (struct door_server){.listen_fd = -1, .lock_fd = -1, .handler = *handler};
  for (int i = 0; i < DOOR_CONSUMERS_MAX; i++)
    server->consumers[i] = (struct door_consumer){.socket_fd = -1, .wake_fd = -1};
  if (strlen(path) > PATH_BYTES_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(server->path, path, strlen(path) + 1);
  server->lock_fd = lock_path(path);
  if (server->lock_fd < 0)
    return -1;
  server->listen_fd = listen_at(path, group);
  if (server->listen_fd < 0) {
    int error = errno;
    close(server->lock_fd);
    server->lock_fd = -1;
    errno = error;
    return -1;
  }
  return 0;
}

void door_server_add_stream(struct door_server *server, uint32_t stream,
                            struct ring_writer *writer) {
  if (stream >= DOOR_STREAMS_MAX || server->streams[stream].writer)
    abort();
  server->streams[stream].writer = writer;
}

/* ---- consumers ------------------------------------------------------------------------------- */

static void hang_up(struct door_consumer *consumer) {
  close(consumer->socket_fd);
  if (consumer->wake_fd >= 0)
    close(consumer->wake_fd);
  *consumer = (struct door_consumer){.socket_fd = -1, .wake_fd = -1};
}

/* Sends one message whole, without waiting. Descriptors may be NULL. */
static int send_message(int socket_fd, const void *message, size_t length, const int fds[2]) {
  struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = length};
  union {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(2 * sizeof(int))];
  } control = {0};
  struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
  if (fds) {
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(rights), fds, 2 * sizeof(int));
  }
  ssize_t sent;
  do
    sent = sendmsg(socket_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == (ssize_t)length ? 0 : -1;
}

static void refuse(int socket_fd, uint32_t stream, enum door_reason reason) {
  struct door_hello hello = {.magic = DOOR_HELLO_MAGIC,
                             .version = DOOR_VERSION,
                             .result = DOOR_REFUSED,
                             .reason = (uint32_t)reason,
                             .stream = stream};
  send_message(socket_fd, &hello, sizeof hello, NULL);
}

static void accept_one(struct door_server *server, uint64_t now_ms) {
  int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0)
    return;
  for (int i = 0; i < DOOR_CONSUMERS_MAX; i++) {
    if (server->consumers[i].socket_fd >= 0)
      continue;
    server->consumers[i] =
        (struct door_consumer){.socket_fd = fd, .wake_fd = -1, .since_ms = now_ms};
    return;
  }
  refuse(fd, 0, DOOR_REASON_FULL);
  close(fd);
}

/* 0, or -1 where the consumer is to be hung up on. */
static int subscribe(struct door_server *server, struct door_consumer *consumer,
                     const struct door_subscribe *asked) {
  if (asked->version != DOOR_VERSION) {
    refuse(consumer->socket_fd, asked->stream, DOOR_REASON_VERSION);
    return -1;
  }
  if (asked->stream >= DOOR_STREAMS_MAX || !server->streams[asked->stream].writer) {
    refuse(consumer->socket_fd, asked->stream, DOOR_REASON_NO_STREAM);
    return -1;
  }
  struct ring_writer *writer = server->streams[asked->stream].writer;
  consumer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (consumer->wake_fd < 0)
    return -1;
  consumer->stream = asked->stream;
  struct door_hello hello = {.magic = DOOR_HELLO_MAGIC,
                             .version = DOOR_VERSION,
                             .stream = asked->stream,
                             .ring_bytes = (uint32_t)writer->mapped_bytes,
                             .abilities = server->handler.abilities};
  int fds[2] = {ring_read_fd(writer), consumer->wake_fd};
  if (send_message(consumer->socket_fd, &hello, sizeof hello, fds) != 0)
    return -1;
  server->attached_ever++;
  return 0;
}

/* Whether a key frame may be asked for now; fills in the refusal otherwise. */
static int key_frame_allowed(struct door_stream *stream, uint64_t now_ms,
                             struct door_reply *reply) {
  uint64_t since_ms = now_ms - stream->key_frame_ms;
  if (stream->key_frame_asked && since_ms < DOOR_KEY_FRAME_MS) {
    reply->result = DOOR_REFUSED;
    reply->reason = DOOR_REASON_TOO_SOON;
    reply->value[0] = (int32_t)(DOOR_KEY_FRAME_MS - since_ms);
    return 0;
  }
  stream->key_frame_asked = 1;
  stream->key_frame_ms = now_ms;
  return 1;
}

/* 0, or -1 where the consumer is to be hung up on. */
static int carry_out(struct door_server *server, struct door_consumer *consumer,
                     const struct door_request *request, uint64_t now_ms) {
  if (request->text_bytes > DOOR_TEXT_BYTES)
    return -1;
  struct door_reply reply = {.magic = DOOR_REPLY_MAGIC, .id = request->id, .kind = request->kind};
  if (request->kind == 0 || request->kind >= 32 ||
      !(server->handler.abilities & 1u << request->kind))
    reply.result = DOOR_UNSUPPORTED;
  else if (request->kind != DOOR_KEY_FRAME ||
           key_frame_allowed(&server->streams[consumer->stream], now_ms, &reply))
    server->handler.request(server->handler.context, consumer->stream, request, &reply);
  return send_message(consumer->socket_fd, &reply, sizeof reply, NULL);
}

static void listen_to(struct door_server *server, struct door_consumer *consumer, uint64_t now_ms) {
  union {
    struct door_subscribe subscribe;
    struct door_request request;
    uint8_t too_long[sizeof(struct door_request) + 1];
  } message;
  for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
    ssize_t length = recv(consumer->socket_fd, &message, sizeof message, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
      return;
    int served = -1;
    if (consumer->wake_fd < 0) {
      if (length == sizeof message.subscribe && message.subscribe.magic == DOOR_SUBSCRIBE_MAGIC)
        served = subscribe(server, consumer, &message.subscribe);
    } else if (length == sizeof message.request && message.request.magic == DOOR_REQUEST_MAGIC) {
      served = carry_out(server, consumer, &message.request, now_ms);
    }
    if (served != 0) {
      hang_up(consumer);
      return;
    }
  }
}

/* ---- serving --------------------------------------------------------------------------------- */

nfds_t door_server_poll_fds(const struct door_server *server, struct pollfd *fds) {
  nfds_t count = 0;
  fds[count++] = (struct pollfd){.fd = server->listen_fd, .events = POLLIN};
  for (int i = 0; i < DOOR_CONSUMERS_MAX; i++)
    if (server->consumers[i].socket_fd >= 0)
      fds[count++] = (struct pollfd){.fd = server->consumers[i].socket_fd, .events = POLLIN};
  return count;
}

void door_server_handle(struct door_server *server, const struct pollfd *fds, nfds_t count,
                        uint64_t now_ms) {
  for (int i = 0; i < DOOR_CONSUMERS_MAX; i++) {
    struct door_consumer *consumer = &server->consumers[i];
    for (nfds_t j = 0; consumer->socket_fd >= 0 && j < count; j++) {
      if (fds[j].fd == consumer->socket_fd && fds[j].revents) {
        listen_to(server, consumer, now_ms);
        break;
      }
    }
    if (consumer->socket_fd >= 0 && consumer->wake_fd < 0 &&
        now_ms - consumer->since_ms >= DOOR_SUBSCRIBE_MS)
      hang_up(consumer);
  }
  for (nfds_t j = 0; j < count; j++)
    if (fds[j].fd == server->listen_fd && fds[j].revents)
      accept_one(server, now_ms);
}

void door_server_wake(struct door_server *server, uint32_t stream) {
  const uint64_t one = 1;
  for (int i = 0; i < DOOR_CONSUMERS_MAX; i++) {
    struct door_consumer *consumer = &server->consumers[i];
    if (consumer->wake_fd < 0 || consumer->stream != stream)
      continue;
    /* EAGAIN means that 2^64 - 2 wake-ups were not looked at: it is awake already. */
    if (write(consumer->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN && errno != EINTR)
      hang_up(consumer);
  }
}

uint32_t door_server_attached(const struct door_server *server) {
  uint32_t attached = 0;
  for (int i = 0; i < DOOR_CONSUMERS_MAX; i++)
    attached += server->consumers[i].wake_fd >= 0;
  return attached;
}

void door_server_close(struct door_server *server) {
  if (server->listen_fd < 0)
    return;
  for (int i = 0; i < DOOR_CONSUMERS_MAX; i++)
    if (server->consumers[i].socket_fd >= 0)
      hang_up(&server->consumers[i]);
  unlink(server->path);
  close(server->listen_fd);
  close(server->lock_fd);
  server->listen_fd = server->lock_fd = -1;
}
