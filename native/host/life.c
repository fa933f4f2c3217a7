#define _GNU_SOURCE
#include "life.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"

static int life_fd = -1;

bool life_take(int fd) {
  if (fd < 0)
    return true;
  int flags = fcntl(fd, F_GETFL);
  bool writable = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
  if (!writable || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    log_line(LOG_ERROR, "--life-fd %d is no descriptor to write to: %s", fd,
             flags < 0 ? strerror(errno) : "opened for reading");
    return false;
  }
  life_fd = fd;
  return true;
}

bool life_bind(void) {
  struct pollfd pipe = {.fd = life_fd};
  if (life_fd < 0)
    return true;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
      !(poll(&pipe, 1, 0) == 1 && (pipe.revents & (POLLERR | POLLHUP))))
    return true;
  log_line(LOG_ERROR, "nobody reads --life-fd %d: the supervisor is gone", life_fd);
  return false;
}

void life_sign(char sign) {
  if (life_fd < 0)
    return;
  ssize_t ignored = write(life_fd, &sign, 1); /* full: see life.h */
  (void)ignored;
}
