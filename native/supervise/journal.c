#define _GNU_SOURCE
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/clock.h"
#include "lines.h"

#define FILE_MODE 0640
/* Others may pass through, for what else lies there under a name that they know. */
#define DIRECTORY_MODE 0751
/* <facility * 8 + level>, as syslog(3) has them: user, informational. A mark is critical: a quiet console shows it too,
 * and what the console does not show ramoops does not keep. */
#define KMSG_LINE "<14>"
#define KMSG_MARK "<10>"
/* Above that /dev/kmsg refuses a write (LOG_LINE_MAX of kernel/printk). */
#define KMSG_BYTES 900
#define OWN_NAME "supervise"

static int directory_fd = -1;
static int kmsg_fd = STDERR_FILENO;
static bool to_kernel;
static int log_fd = -1;
static size_t log_bytes;
static gid_t readers;

static int open_file(const char *name, int flags) {
  int fd =
      openat(directory_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, FILE_MODE);
  if (fd >= 0 && (fchmod(fd, FILE_MODE) != 0 || fchown(fd, (uid_t)-1, readers) != 0)) {
    close(fd);
    fd = -1;
  }
  return fd;
}

static void open_log(void) {
  struct stat stat;
  log_fd = open_file("log", O_APPEND);
  log_bytes = log_fd >= 0 && fstat(log_fd, &stat) == 0 ? (size_t)stat.st_size : 0;
}

bool journal_open(const char *directory, const char *kmsg, gid_t group) {
  readers = group;
  if (kmsg != NULL) {
    int fd = open(kmsg, O_WRONLY | O_APPEND | O_CLOEXEC);
    to_kernel = fd >= 0;
    kmsg_fd = fd >= 0 ? fd : STDERR_FILENO;
    if (fd < 0)
      journal_say("the kernel's log %s cannot be opened: %s", kmsg, strerror(errno));
  }
  bool made = mkdir(directory, DIRECTORY_MODE) == 0;
  directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_fd >= 0 && made &&
      (fchmod(directory_fd, DIRECTORY_MODE) != 0 || fchown(directory_fd, (uid_t)-1, group) != 0))
    journal_say("the agent cannot be let into %s: %s", directory, strerror(errno));
  if (directory_fd >= 0)
    open_log();
  if (log_fd < 0)
    journal_say("there are no log files in %s: %s", directory, strerror(errno));
  return log_fd >= 0;
}

int journal_directory(void) { return directory_fd; }

void journal_put(const char *name, const char *bytes, size_t count) {
  int fd = directory_fd < 0 ? -1 : open_file(name, O_TRUNC);
  if (fd < 0 || write(fd, bytes, count) != (ssize_t)count)
    journal_say("%s cannot be written: %s", name, strerror(errno));
  if (fd >= 0)
    close(fd);
}

static void write_log(const char *line, size_t bytes) {
  if (log_fd < 0)
    return;
  if (log_bytes > 0 && log_bytes + bytes > JOURNAL_FILE_BYTES) {
    close(log_fd);
    renameat(directory_fd, "log", directory_fd, "log.1");
    open_log();
    if (log_fd < 0)
      return;
  }
  ssize_t written = write(log_fd, line, bytes);
  if (written > 0)
    log_bytes += (size_t)written;
}

/* Bytes of "<seconds>.<microseconds> " that the text begins with; 0: it does not. */
static size_t stamp_bytes(const char *text, size_t bytes) {
  size_t at = 0;
  while (at < bytes && at < 10 && text[at] >= '0' && text[at] <= '9')
    at++;
  if (at == 0 || at == bytes || text[at] != '.')
    return 0;
  size_t end = ++at + 6;
  while (at < bytes && at < end && text[at] >= '0' && text[at] <= '9')
    at++;
  return at == end && at < bytes && text[at] == ' ' ? at + 1 : 0;
}

static void write_all(const char *level, const char *who, const char *text, size_t bytes) {
  char line[LINE_TEXT_BYTES + 64];
  char stamp[24];
  size_t stamped = stamp_bytes(text, bytes);
  if (stamped > 0) {
    snprintf(stamp, sizeof stamp, "%.*s", (int)stamped, text);
  } else {
    uint64_t now = clock_us();
    snprintf(stamp, sizeof stamp, "%llu.%06u ", (unsigned long long)(now / 1000000u),
             (unsigned)(now % 1000000u));
  }
  text += stamped;
  bytes -= stamped;
  int length = snprintf(line, sizeof line, "%s%s %.*s\n", stamp, who, (int)bytes, text);
  size_t whole = length < 0 ? 0 : (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
  write_log(line, whole);
  if (to_kernel) {
    length = snprintf(line, sizeof line, "%s%s %.*s\n", level, who,
                      (int)(bytes < KMSG_BYTES ? bytes : KMSG_BYTES), text);
    whole = length < 0 ? 0 : (size_t)length;
  }
  ssize_t ignored = write(kmsg_fd, line, whole);
  (void)ignored;
}

void journal_line(const char *who, const char *text, size_t bytes) {
  write_all(KMSG_LINE, who, text, bytes);
}

void journal_say(const char *format, ...) {
  char text[LINE_TEXT_BYTES];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (length > 0)
    write_all(KMSG_LINE, OWN_NAME, text,
              (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

void journal_mark(const char *text) { write_all(KMSG_MARK, OWN_NAME, text, strlen(text)); }
