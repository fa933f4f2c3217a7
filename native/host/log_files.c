#define _GNU_SOURCE
#include "log_files.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define FILES 3
/* Newest first, and opened in this order: a file that is rotated away meanwhile is then seen twice, not missed. */
static const char *const names[FILES] = {"log", "log.1", "log.before"};

static const char *directory;

struct file {
  int fd; /* -1: not there, or seen already */
  struct stat stat;
};

void log_files_choose(const char *chosen) { directory = chosen; }

static bool open_file(struct file *file, const char *name) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/%s", directory, name);
  file->fd = length < 0 || (size_t)length >= sizeof path
                 ? -1
                 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file->fd >= 0 && (fstat(file->fd, &file->stat) != 0 || !S_ISREG(file->stat.st_mode))) {
    close(file->fd);
    file->fd = -1;
  }
  return file->fd >= 0;
}

static bool same(const struct file *a, const struct file *b) {
  return a->fd >= 0 && a->stat.st_ino == b->stat.st_ino && a->stat.st_dev == b->stat.st_dev;
}

/* Reads `bytes` bytes that stand before the last `back` of what the file held when it was opened. False: it was truncated
 * meanwhile, and nothing of it can be placed. */
static bool read_part(const struct file *file, size_t back, char *out, size_t bytes) {
  size_t got = 0;
  off_t from = file->stat.st_size - (off_t)(back + bytes);
  ssize_t count;
  while (got < bytes && (count = pread(file->fd, out + got, bytes - got, from + (off_t)got)) > 0)
    got += (size_t)count;
  return got == bytes;
}

/* Fills `out` from its end with what stands before the newest `back` bytes; returns how much was filled. `more`: there was
 * more than that. */
static size_t fill(struct file *files, char *out, size_t room, size_t back, bool *more) {
  size_t filled = 0;
  *more = false;
  for (int i = 0; i < FILES && !*more; i++) {
    if (files[i].fd < 0)
      continue;
    size_t size = (size_t)files[i].stat.st_size;
    size_t skipped = back < size ? back : size;
    size_t wanted = size - skipped < room - filled ? size - skipped : room - filled;
    back -= skipped;
    if (read_part(&files[i], skipped, out + room - filled - wanted, wanted))
      filled += wanted;
    else
      wanted = 0;
    *more = wanted < size - skipped;
  }
  return filled;
}

size_t log_files_tail(char *out, size_t bytes, size_t back, uint64_t *end) {
  struct file files[FILES];
  bool any = false;
  if (directory == NULL)
    return log_tail(out, bytes, back, end);
  *end = 0;
  for (int i = 0; i < FILES; i++) {
    any = open_file(&files[i], names[i]) || any;
    if (i > 0 && files[i].fd >= 0 && same(&files[i - 1], &files[i])) {
      close(files[i].fd);
      files[i].fd = -1;
    }
    if (files[i].fd >= 0)
      *end += (uint64_t)files[i].stat.st_size;
  }
  if (!any)
    return log_tail(out, bytes, back, end);
  bool more;
  /* One byte before the part tells whether it starts at a line: `out` has room for it. */
  size_t filled = fill(files, out, bytes + 1, back, &more);
  for (int i = 0; i < FILES; i++)
    if (files[i].fd >= 0)
      close(files[i].fd);
  char *from = out + bytes + 1 - filled;
  if (more || filled > bytes) {
    char *newline = memchr(from, '\n', filled);
    size_t cut = newline == NULL ? filled : (size_t)(newline + 1 - from);
    from += cut;
    filled -= cut;
  }
  memmove(out, from, filled);
  return filled;
}
