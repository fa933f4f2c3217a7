#define _GNU_SOURCE
#include "last.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"

#define DUMP "dmesg-"
#define CONSOLE "console-"
#define SIGN_FILE "life"
#define SIGN_BYTES 21 /* 20 digits, newline */

/* ---- pstore ---- */

/* The last `room` bytes of a file. Returns how many; 0 for one that cannot be read. */
static size_t read_tail(int directory, const char *name, char *out, size_t room) {
  struct stat stat;
  size_t got = 0;
  int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0)
    return 0;
  if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode)) {
    off_t from = stat.st_size > (off_t)room ? stat.st_size - (off_t)room : 0;
    ssize_t count;
    while (got < room && (count = pread(fd, out + got, room - got, from + (off_t)got)) > 0)
      got += (size_t)count;
  }
  close(fd);
  return got;
}

static void forget(int directory, const char *name) {
  if (unlinkat(directory, name, 0) != 0)
    journal_say("pstore's %s cannot be erased: %s", name, strerror(errno));
}

static bool begins(const char *name, const char *with) {
  return strncmp(name, with, strlen(with)) == 0;
}

/* Keeps a log whose first line may be cut, and whose bytes a reset may have damaged. */
static void keep_log(char *text, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) {
    unsigned char c = (unsigned char)text[i];
    if ((c < 0x20 && c != '\n') || c >= 0x7f)
      text[i] = '?';
  }
  if (bytes == LAST_LOG_BYTES) {
    char *newline = memchr(text, '\n', bytes);
    size_t cut = newline == NULL ? 0 : (size_t)(newline + 1 - text);
    text += cut;
    bytes -= cut;
  }
  journal_put("log.before", text, bytes);
}

static bool read_records(DIR *records, struct last_boot *last, char *console,
                         char panic[REASON_BYTES]) {
  static char dump[LAST_LOG_BYTES];
  char words[REASON_BYTES];
  int directory = dirfd(records);
  const struct dirent *entry;
  while ((entry = readdir(records)) != NULL) {
    if (begins(entry->d_name, DUMP)) {
      size_t bytes = read_tail(directory, entry->d_name, dump, sizeof dump);
      /* An oops and the panic that it led to are two records: the panic's words name both. */
      bool is_panic = memmem(dump, bytes, "Panic#", 6) != NULL;
      if (reason_of_dump(dump, bytes, words) && (last->panic == NULL || is_panic)) {
        memcpy(panic, words, REASON_BYTES);
        last->panic = panic;
      }
      forget(directory, entry->d_name);
    } else if (begins(entry->d_name, CONSOLE)) {
      last->console = console;
      last->console_bytes = read_tail(directory, entry->d_name, console, LAST_LOG_BYTES);
    }
  }
  return last->console_bytes > 0;
}

void last_boot_read(const char *pstore, const struct watchdog *watchdog,
                    char reason[REASON_BYTES]) {
  static char console[LAST_LOG_BYTES];
  char panic[REASON_BYTES];
  struct last_boot last = {.watchdog_reset = watchdog->was_reset, .watchdog_mute = watchdog->mute};
  DIR *records = pstore == NULL ? NULL : opendir(pstore);
  if (pstore != NULL && records == NULL)
    journal_say("what the last boot left in %s cannot be read: %s", pstore, strerror(errno));
  bool log = records != NULL && read_records(records, &last, console, panic);
  reason_of_start(&last, reason);
  if (log)
    keep_log(console, last.console_bytes);
  if (records != NULL)
    closedir(records);
}

/* ---- this boot ---- */

static int sign_file(int flags) {
  int directory = journal_directory();
  return directory < 0 ? -1 : openat(directory, SIGN_FILE, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

bool last_sign_read(uint64_t now_us, uint64_t *sign_us) {
  char text[SIGN_BYTES + 1];
  int fd = sign_file(O_RDONLY);
  if (fd < 0)
    return false;
  ssize_t bytes = read(fd, text, SIGN_BYTES);
  close(fd);
  if (bytes != SIGN_BYTES)
    return false;
  text[bytes] = '\0';
  *sign_us = strtoull(text, NULL, 10);
  return *sign_us <= now_us; /* later: of another boot, where the directory is not on tmpfs */
}

void last_sign_write(uint64_t sign_us) {
  char text[SIGN_BYTES + 1];
  int fd = sign_file(O_WRONLY | O_CREAT);
  if (fd < 0)
    return;
  snprintf(text, sizeof text, "%020" PRIu64 "\n", sign_us);
  ssize_t ignored = pwrite(fd, text, SIGN_BYTES, 0);
  (void)ignored;
  close(fd);
}
