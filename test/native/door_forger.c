/*
 * An encoder that does not keep to the protocol: sends any bytes with any descriptors. See
 * support/dialogue.h for the conversation.
 *
 *     door_forger SOCKET
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../native/ring/ring.h"
#include "support/dialogue.h"

#define FDS_MAX 8

static int listener, connection = -1;

/* A ring file without frames and with a correct header. */
static int plain_ring(void) {
  int fd = memfd_create("ring", MFD_CLOEXEC);
  uint32_t header[32] = {RING_MAGIC,          RING_VERSION,
                         RING_HEADER_BYTES,   ring_total_bytes(4096, 64),
                         RING_DATA_BYTES_MIN, RING_SLOTS_MIN};
  if (fd < 0 || ftruncate(fd, (off_t)ring_total_bytes(4096, 64)) != 0 ||
      pwrite(fd, header, sizeof header, 0) != (ssize_t)sizeof header)
    abort();
  return fd;
}

static int make_fd(const char *kind) {
  int ends[2];
  if (strcmp(kind, "ring") == 0)
    return plain_ring();
  if (strcmp(kind, "eventfd") == 0)
    return eventfd(0, EFD_NONBLOCK);
  if (strcmp(kind, "blocking-eventfd") == 0)
    return eventfd(0, 0);
  if (strcmp(kind, "pipe") == 0)
    return pipe(ends) == 0 ? ends[0] : -1;
  if (strcmp(kind, "empty") == 0)
    return memfd_create("empty", MFD_CLOEXEC);
  return open(strcmp(kind, "directory") == 0 ? "/" : "/dev/zero", O_RDONLY);
}

/* send HEX KIND…: one message with descriptors made for the purpose */
static void send_forged(const char *words[]) {
  uint8_t bytes[4096];
  struct iovec part = {.iov_base = bytes, .iov_len = unhex(words[1], bytes, sizeof bytes)};
  union {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  int fds[FDS_MAX], count = 0;
  while (count < FDS_MAX && *words[2 + count]) {
    fds[count] = make_fd(words[2 + count]);
    if (fds[count++] < 0)
      abort();
  }
  if (count) {
    size_t bytes_of_fds = (size_t)count * sizeof(int);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(bytes_of_fds);
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes_of_fds);
    memcpy(CMSG_DATA(rights), fds, bytes_of_fds);
  }
  ssize_t sent = sendmsg(connection, &message, MSG_NOSIGNAL);
  for (int i = 0; i < count; i++)
    close(fds[i]);
  say("sent %zd", sent);
}

static void command(const char *words[]) {
  if (strcmp(words[0], "accept") == 0) {
    if (connection >= 0)
      close(connection);
    connection = accept(listener, NULL, NULL);
    say("accepted");
  } else if (strcmp(words[0], "receive") == 0) {
    uint8_t bytes[4096];
    ssize_t length = recv(connection, bytes, sizeof bytes, 0);
    printf("received ");
    print_hex(bytes, length > 0 ? (uint32_t)length : 0);
    say("%s", "");
  } else if (strcmp(words[0], "send") == 0) {
    send_forged(words);
  } else if (strcmp(words[0], "hang-up") == 0) {
    close(connection);
    connection = -1;
    say("hung up");
  } else {
    say("unknown command %s", words[0]);
  }
}

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
    return 2;
  memcpy(address.sun_path, argv[1], strlen(argv[1]));
  listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0)
    return 1;
  say("ready");
  static char line[LINE_BYTES];
  const char *words[WORDS_MAX];
  while (read_line(line)) {
    split(line, words);
    command(words);
  }
  return 0;
}
