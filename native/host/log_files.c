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

/* Reads the last `bytes` of what the file held when it was opened, to the end of `out`'s room. */
static size_t read_end(const struct file *file, char *out, size_t room) {
  size_t size = (size_t)file->stat.st_size;
  size_t wanted = size < room ? size : room;
  size_t got = 0;
  char *at = out + room - wanted;
  ssize_t count;
  while (got < wanted &&
         (count = pread(file->fd, at + got, wanted - got, (off_t)(size - wanted + got))) > 0)
    got += (size_t)count;
  return got == wanted ? wanted : 0; /* truncated meanwhile: nothing that can be placed */
}

/* Fills `out` from its end; returns how much was filled. `more`: there was more than that. */
static size_t fill(struct file *files, char *out, size_t bytes, bool *more) {
  size_t filled = 0;
  *more = false;
  for (int i = 0; i < FILES; i++) {
    if (files[i].fd < 0)
      continue;
    size_t got = read_end(&files[i], out, bytes - filled);
    filled += got;
    if (got < (size_t)files[i].stat.st_size)
      *more = true;
    if (*more)
      break;
  }
  return filled;
}

size_t log_files_tail(char *out, size_t bytes) {
  struct file files[FILES];
  bool any = false;
  if (directory == NULL)
    return log_tail(out, bytes);
  for (int i = 0; i < FILES; i++) {
    any = open_file(&files[i], names[i]) || any;
    if (i > 0 && files[i].fd >= 0 && same(&files[i - 1], &files[i])) {
      close(files[i].fd);
      files[i].fd = -1;
    }
  }
  if (!any)
    return log_tail(out, bytes);
  bool more;
  /* One byte before the tail tells whether it starts at a line: `out` has room for it. */
  size_t filled = fill(files, out, bytes + 1, &more);
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
