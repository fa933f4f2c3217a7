#define _FILE_OFFSET_BITS 64
#define _GNU_SOURCE 1
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char MAGIC[] = "ocellus clip disk 1";

static int fail(char *error, const char *what) {
  snprintf(error, CLIP_ERROR_BYTES, "%s", what);
  return -1;
}

static int read_head(struct clip_disk *disk, const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  size_t got = 0;
  ssize_t count = 1;
  while (got < DISK_HEAD_BYTES && count > 0) {
    count = read(fd, disk->head + got, DISK_HEAD_BYTES - got);
    if (count > 0)
      got += (size_t)count;
  }
  int error = count < 0 ? errno : ENODATA;
  close(fd);
  errno = error;
  return got == DISK_HEAD_BYTES ? 0 : -1;
}

/* Cuts the next line off `*rest`; NULL where there is none that ends. */
static char *next_line(char **rest) {
  char *line = *rest;
  char *end = strchr(line, '\n');
  if (end == NULL)
    return NULL;
  *end = '\0';
  *rest = end + 1;
  return line;
}

static int read_size(const char *text, uint64_t *bytes) {
  char *end;
  if (text == NULL || *text < '1' || *text > '9')
    return -1;
  errno = 0;
  *bytes = strtoull(text, &end, 10);
  return errno == 0 && *end == '\0' ? 0 : -1;
}

int disk_read(struct clip_disk *disk, const char *path, char error[CLIP_ERROR_BYTES]) {
  *disk = (struct clip_disk){.range = {.offset = DISK_HEAD_BYTES}};
  if (read_head(disk, path) != 0)
    return fail(error, errno == ENODATA ? "it is too short for a clip disk" : strerror(errno));
  char *rest = disk->head;
  char *line = next_line(&rest);
  if (line == NULL || strcmp(line, MAGIC) != 0)
    return fail(error, "it is no clip disk of this version");
  if (read_size(next_line(&rest), &disk->range.bytes) != 0)
    return fail(error, "its head states no size of the clip");
  while ((line = next_line(&rest)) != NULL) {
    if (disk->argument_count == DISK_ARGUMENTS_MAX)
      return fail(error, "its head holds too many arguments");
    disk->arguments[disk->argument_count++] = line;
  }
  return *rest == '\0' ? 0 : fail(error, "its head ends in the middle of a line");
}
