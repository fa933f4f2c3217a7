#define _GNU_SOURCE
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define NEW_FILE ".new"

static int directory = -1;

bool state_name_ok(const char *name, size_t bytes) {
  if (bytes < 1 || bytes > STATE_NAME_BYTES || name[0] < 'a' || name[0] > 'z')
    return false;
  for (size_t i = 1; i < bytes; i++)
    if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
          name[i] == '-'))
      return false;
  return true;
}

static void demand_name(const char *name) {
  if (!state_name_ok(name, strlen(name)))
    abort();
}

/* Gives one entry to the user if it is a regular file with one name: whoever once ran as that user
 * could have linked a file of root's here, and might swap names while we look. */
static bool give_file(const char *name, const struct identity *identity) {
  int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) /* a symbolic link, a socket, or gone */
    return errno == ELOOP || errno == ENXIO || errno == ENOENT;
  struct stat status;
  bool given = fstat(fd, &status) == 0;
  if (given && S_ISREG(status.st_mode) && status.st_nlink == 1)
    given = fchown(fd, identity->uid, identity->gid) == 0;
  int kept = errno;
  close(fd);
  errno = kept;
  return given;
}

/* Gives the directory and the files of state in it to the user. */
static bool give(const struct identity *identity) {
  int fd = dup(directory);
  DIR *listing = fd < 0 ? NULL : fdopendir(fd);
  if (listing == NULL)
    return false;
  bool given = fchown(directory, identity->uid, identity->gid) == 0;
  const struct dirent *entry;
  while (given && (entry = readdir(listing)) != NULL)
    if (state_name_ok(entry->d_name, strlen(entry->d_name)))
      given = give_file(entry->d_name, identity);
  closedir(listing);
  return given;
}

bool state_open(const char *path, const struct identity *identity) {
  if (mkdir(path, 0700) != 0 && errno != EEXIST) {
    log_line(LOG_ERROR, "cannot make the state directory %s: %s", path, strerror(errno));
    return false;
  }
  struct stat status;
  /* Root changes owner and mode of what it opens here: not of what somebody's link names. */
  directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0 && (errno == ELOOP || errno == ENOTDIR)) {
    log_line(LOG_ERROR, "%s is no directory of its own: name the state directory itself", path);
    return false;
  }
  if (directory >= 0 && fstat(directory, &status) == 0 && (status.st_mode & S_IWOTH)) {
    log_line(LOG_ERROR, "%s is open to everybody: name a state directory of its own", path);
    return false;
  }
  if (directory < 0 || fchmod(directory, 0700) != 0 ||
      (unlinkat(directory, NEW_FILE, 0) != 0 && errno != ENOENT)) {
    log_line(LOG_ERROR, "cannot open the state directory %s: %s", path, strerror(errno));
    return false;
  }
  if (identity->change && !give(identity)) {
    log_line(LOG_ERROR, "cannot give the state directory %s away: %s", path, strerror(errno));
    return false;
  }
  return true;
}

void state_close(void) {
  if (directory >= 0)
    close(directory);
  directory = -1;
}

/* Closes without losing errno. */
static void close_quietly(int fd) {
  int kept = errno;
  close(fd);
  errno = kept;
}

enum state_result state_read_fd(int fd, uint8_t *out, size_t *bytes) {
  struct stat status;
  if (fstat(fd, &status) != 0)
    return STATE_IO;
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    return STATE_IO;
  }
  if (status.st_size > STATE_FILE_BYTES)
    return STATE_TOO_LARGE;
  size_t at = 0;
  while (at < STATE_FILE_BYTES) {
    ssize_t got = pread(fd, out + at, STATE_FILE_BYTES - at, (off_t)at);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return STATE_IO;
    if (got == 0)
      break;
    at += (size_t)got;
  }
  *bytes = at;
  return STATE_OK;
}

enum state_result state_read(const char *name, uint8_t *out, size_t *bytes) {
  demand_name(name);
  int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return errno == ENOENT ? STATE_ABSENT : STATE_IO;
  enum state_result result = state_read_fd(fd, out, bytes);
  close_quietly(fd);
  return result;
}

static bool put(int fd, const uint8_t *data, size_t bytes) {
  while (bytes > 0) {
    ssize_t written = write(fd, data, bytes);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return false;
    data += written;
    bytes -= (size_t)written;
  }
  return true;
}

enum state_result state_write(const char *name, const uint8_t *data, size_t bytes) {
  demand_name(name);
  if (bytes > STATE_FILE_BYTES)
    return STATE_TOO_LARGE;
  int fd = openat(directory, NEW_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return STATE_IO;
  bool written = put(fd, data, bytes) && fsync(fd) == 0;
  close_quietly(fd);
  if (written && renameat(directory, NEW_FILE, directory, name) == 0)
    return fsync(directory) == 0 ? STATE_OK : STATE_IO;
  int kept = errno;
  unlinkat(directory, NEW_FILE, 0);
  errno = kept;
  return STATE_IO;
}

/* Writes zeros over a file; what is no regular file is only removed. */
static bool blank(int fd) {
  static const uint8_t zeros[4096];
  struct stat status;
  if (fstat(fd, &status) != 0)
    return false;
  if (!S_ISREG(status.st_mode))
    return true;
  for (off_t left = status.st_size; left > 0; left -= (off_t)sizeof zeros)
    if (!put(fd, zeros, left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros))
      return false;
  return fsync(fd) == 0;
}

enum state_result state_erase(const char *name) {
  demand_name(name);
  int fd = openat(directory, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return STATE_OK;
  bool blanked = fd >= 0 && blank(fd);
  if (fd >= 0)
    close_quietly(fd);
  /* A full or read-only medium must not keep the file: removed even where blanking failed. */
  int kept = errno;
  if (unlinkat(directory, name, 0) != 0 || fsync(directory) != 0)
    return STATE_IO;
  errno = kept;
  return blanked ? STATE_OK : STATE_IO;
}
