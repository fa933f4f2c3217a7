#define _GNU_SOURCE
#include "provision.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static const char *name;   /* NULL: not looked for */
static int opened_fd = -1; /* at start; -1: was not there, or is not needed any more */

static void forget_opened(void) {
  if (opened_fd >= 0)
    close(opened_fd);
  opened_fd = -1;
}

void provision_open(const char *path) {
  name = path;
  if (path == NULL)
    return;
  /* Whoever may write to the directory must not choose what root opens: no symbolic link, and no
   * second name of a file that is root's elsewhere. Such a file keeps its first name, which he cannot
   * take away. */
  opened_fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat status;
  if (opened_fd < 0 ||
      (fstat(opened_fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1))
    return;
  log_line(LOG_WARNING,
           "%s is not opened as root: it is no plain file with one name; put a copy in its place",
           path);
  forget_opened();
}

/* Whether what was opened at start is still the file of that name. Where the way to it is barred,
 * all that can be told is whether it was removed or replaced. */
static bool is_still_there(void) {
  struct stat opened;
  struct stat named;
  if (opened_fd < 0 || fstat(opened_fd, &opened) != 0 || opened.st_nlink == 0)
    return false;
  if (stat(name, &named) != 0)
    return errno == EACCES;
  return named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

enum state_result provision_read(uint8_t *out, size_t *bytes) {
  if (name == NULL)
    return STATE_ABSENT;
  int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) {
    forget_opened();
    enum state_result result = state_read_fd(fd, out, bytes);
    int kept = errno;
    close(fd);
    errno = kept;
    return result;
  }
  int error = errno;
  if (error == EACCES && is_still_there())
    return state_read_fd(opened_fd, out, bytes);
  forget_opened();
  errno = error;
  return error == ENOENT ? STATE_ABSENT : STATE_IO;
}

void provision_close(void) {
  forget_opened();
  name = NULL;
}
