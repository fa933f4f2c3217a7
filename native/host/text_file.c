#define _GNU_SOURCE
#include "text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

size_t text_file_read(const char *path, char *out, size_t room) {
  size_t bytes = 0;
  ssize_t count = 0;
  if (path == NULL)
    return 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd >= 0)
    while (bytes < room && (count = read(fd, out + bytes, room - bytes)) > 0)
      bytes += (size_t)count;
  if (fd < 0 || count < 0) {
    log_line(LOG_WARNING, "%s cannot be read: %s", path, strerror(errno));
    bytes = 0;
  }
  if (fd >= 0)
    close(fd);
  while (bytes > 0 && (out[bytes - 1] == '\n' || out[bytes - 1] == '\0'))
    bytes--;
  return bytes;
}
