#define _GNU_SOURCE 1
#include "door_client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void close_fd(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

int door_client_connect(struct door_client *client, const char *path, uint32_t stream) {
  *client = (struct door_client){.socket_fd = -1, .wake_fd = -1, .stream = stream};
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, path, strlen(path) + 1);

  client->socket_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (client->socket_fd < 0)
    return -1;
  struct door_subscribe subscribe = {
      .magic = DOOR_SUBSCRIBE_MAGIC, .version = DOOR_VERSION, .stream = stream};
  if (connect(client->socket_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
      (send(client->socket_fd, &subscribe, sizeof subscribe, MSG_NOSIGNAL) < 0 && errno != EPIPE)) {
    int error = errno;
    close_fd(&client->socket_fd);
    errno = error;
    return -1;
  }
  /* EPIPE: the encoder was full and hung up already; its hello, which says so, waits to be read. */
  return 0;
}

/* Receives one message of at most `room` bytes. Its length; 0 at hang-up; -1 with errno. Stores up
 * to two descriptors and their number; *surplus is set where there were more. */
static ssize_t receive(int socket_fd, void *message, size_t room, int fds[2], int *fd_count,
                       int *surplus) {
  struct iovec part = {.iov_base = message, .iov_len = room};
  union {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(2 * sizeof(int))];
  } control;
  struct msghdr header = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof control.bytes};
  *fd_count = 0;
  *surplus = 0;
  ssize_t length;
  /* An encoder that hangs up without having read everything leaves one ECONNRESET in front of what
   * it had sent. */
  int resets = 0;
  do
    length = recvmsg(socket_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (length < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
  if (length < 0)
    return -1;
  *surplus = (header.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0;
  for (struct cmsghdr *each = CMSG_FIRSTHDR(&header); each; each = CMSG_NXTHDR(&header, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS)
      continue;
    size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(each) + i * sizeof fd, sizeof fd);
      if (*fd_count < 2)
        fds[(*fd_count)++] = fd;
      else
        close(fd), *surplus = 1;
    }
  }
  return length;
}

/* Anything else read()able could make the consumer wait, or steal its input. */
static int is_eventfd_like(int fd) {
  struct stat file;
  int flags = fcntl(fd, F_GETFL);
  return fstat(fd, &file) == 0 && (file.st_mode & S_IFMT) == 0 && flags >= 0 &&
         fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static enum door_event take_hello(struct door_client *client) {
  struct door_hello hello;
  int fds[2], fd_count, surplus;
  ssize_t length = receive(client->socket_fd, &hello, sizeof hello, fds, &fd_count, &surplus);
  if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return DOOR_EVENT_NONE;
  if (length <= 0)
    return DOOR_EVENT_CLOSED;

  enum door_event event = DOOR_EVENT_GARBLED;
  if (length == sizeof hello && !surplus && hello.magic == DOOR_HELLO_MAGIC) {
    client->hello = hello;
    if (hello.result != DOOR_OK) {
      event = DOOR_EVENT_REFUSED;
    } else if (hello.version == DOOR_VERSION && hello.stream == client->stream && fd_count == 2 &&
               is_eventfd_like(fds[1])) {
      client->ring_error = ring_attach(&client->reader, fds[0]);
      event = client->ring_error == RING_OK ? DOOR_EVENT_ATTACHED : DOOR_EVENT_BAD_RING;
    }
  }
  if (event == DOOR_EVENT_ATTACHED) {
    client->attached = 1;
    client->wake_fd = fds[1];
    fd_count = 1;
  }
  for (int i = 0; i < fd_count; i++)
    close(fds[i]);
  return event;
}

enum door_event door_client_handle(struct door_client *client, struct door_reply *reply) {
  if (client->socket_fd < 0)
    return DOOR_EVENT_CLOSED;
  if (!client->attached)
    return take_hello(client);

  int fds[2], fd_count, surplus;
  struct door_reply taken;
  ssize_t length = receive(client->socket_fd, &taken, sizeof taken, fds, &fd_count, &surplus);
  for (int i = 0; i < fd_count; i++)
    close(fds[i]);
  if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return DOOR_EVENT_NONE;
  if (length <= 0)
    return DOOR_EVENT_CLOSED;
  if (length != sizeof taken || surplus || fd_count || taken.magic != DOOR_REPLY_MAGIC ||
      taken.data_bytes > DOOR_DATA_BYTES)
    return DOOR_EVENT_GARBLED;
  *reply = taken;
  return DOOR_EVENT_REPLY;
}

void door_client_woken(struct door_client *client) {
  uint64_t count;
  while (client->wake_fd >= 0 && read(client->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
    ;
}

uint32_t door_client_request(struct door_client *client, struct door_request *request) {
  if (client->socket_fd < 0) {
    errno = ENOTCONN;
    return 0;
  }
  uint32_t id = client->last_id + 1;
  if (id == 0)
    id = 1;
  request->magic = DOOR_REQUEST_MAGIC;
  request->id = id;
  ssize_t sent;
  do
    sent = send(client->socket_fd, request, sizeof *request, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0)
    return 0;
  client->last_id = id;
  return id;
}

void door_client_close(struct door_client *client) {
  if (client->attached)
    ring_detach(&client->reader);
  client->attached = 0;
  close_fd(&client->wake_fd);
  close_fd(&client->socket_fd);
}
