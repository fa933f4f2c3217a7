#define _GNU_SOURCE
#include "provision.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int fd = -1;
static int open_error = ENOENT;

void provision_open(const char *path) {
  if (path == NULL)
    return;
  fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  open_error = fd < 0 ? errno : 0;
}

enum state_result provision_read(uint8_t *out, size_t *bytes) {
  if (fd >= 0)
    return state_read_fd(fd, out, bytes);
  errno = open_error;
  return open_error == ENOENT ? STATE_ABSENT : STATE_IO;
}

void provision_close(void) {
  if (fd >= 0)
    close(fd);
  fd = -1;
}
