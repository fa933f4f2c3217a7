#define _GNU_SOURCE
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <mtd/mtd-user.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "nodes.h"

#define PARTITIONS "/proc/mtd"

/* The kernel's log outlives a warm restart. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  FILE *log = fopen("/dev/kmsg", "we");
  fprintf(log == NULL ? stderr : log, "ocellus-config: %s\n", text);
  if (log != NULL)
    fclose(log);
}

/* A descriptor of /dev/mtdN, whose partition has this name; -1 with errno. */
static int open_partition(const char *partition) {
  char line[128];
  char name[sizeof line];
  char device[32];
  unsigned number;
  FILE *list = fopen(PARTITIONS, "re");
  if (list == NULL)
    return -1;
  while (fgets(line, sizeof line, list) != NULL) {
    if (sscanf(line, "mtd%u: %*x %*x \"%127[^\"]\"", &number, name) != 2 ||
        strcmp(name, partition) != 0)
      continue;
    fclose(list);
    snprintf(device, sizeof device, "/dev/mtd%u", number);
    return open(device, O_RDWR | O_CLOEXEC);
  }
  fclose(list);
  errno = ENODEV;
  return -1;
}

static bool read_block(int fd, uint32_t start, uint8_t *block, size_t bytes) {
  for (size_t at = 0; at < bytes;) {
    ssize_t got = pread(fd, block + at, bytes - at, (off_t)(start + at));
    if (got <= 0) {
      errno = got == 0 ? EIO : errno;
      return false;
    }
    at += (size_t)got;
  }
  return true;
}

static bool is_erased(const uint8_t *block, size_t bytes) {
  return block[0] == 0xff && memcmp(block, block + 1, bytes - 1) == 0;
}

/* Erases what is not erased. EEXIST: there are nodes, so nothing was. */
static bool erase_garbage(int fd, const struct mtd_info_user *info, uint8_t *block) {
  for (int pass = 0; pass < 2; pass++)
    for (uint32_t start = 0; start < info->size; start += info->erasesize) {
      if (!read_block(fd, start, block, info->erasesize))
        return false;
      if (pass == 0 && nodes_any(block, info->erasesize)) {
        errno = EEXIST;
        return false;
      }
      struct erase_info_user erase = {.start = start, .length = info->erasesize};
      if (pass == 1 && !is_erased(block, info->erasesize) && ioctl(fd, MEMERASE, &erase) != 0)
        return false;
    }
  return true;
}

static bool prepare(const char *partition) {
  struct mtd_info_user info;
  int fd = open_partition(partition);
  bool good = fd >= 0 && ioctl(fd, MEMGETINFO, &info) == 0;
  uint8_t *block = good ? malloc(info.erasesize) : NULL;
  good = block != NULL && erase_garbage(fd, &info, block);
  int kept = errno;
  free(block);
  if (fd >= 0)
    close(fd);
  errno = kept;
  return good;
}

static bool mount_jffs2(const char *partition, const char *directory) {
  char source[64];
  snprintf(source, sizeof source, "mtd:%s", partition);
  return mount(source, directory, "jffs2", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, NULL) ==
         0;
}

bool config_mount(const char *partition, const char *directory) {
  if (mount_jffs2(partition, directory))
    return true;
  const char *why = strerror(errno);
  if (!prepare(partition)) {
    const char *what =
        errno == EEXIST ? "it is left as it is, since something is on it" : strerror(errno);
    say("the partition %s cannot be mounted (%s) nor prepared (%s); nothing is kept until it can.",
        partition, why, what);
    return false;
  }
  say("the partition %s held nothing but what a cut left; it was erased.", partition);
  if (mount_jffs2(partition, directory))
    return true;
  say("the partition %s cannot be mounted (%s).", partition, strerror(errno));
  return false;
}
