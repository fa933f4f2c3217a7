#define _GNU_SOURCE /* memmem, memchr on lines */
#include "reason.h"

#include <stdio.h>
#include <string.h>

#define PANIC "Kernel panic - not syncing: "
#define OWN_LINE "supervise " REASON_MARK
/* The kernel's last line where it is restarted in order. */
#define RESTART "reboot: Restarting system"

struct line {
  const char *text;
  size_t bytes;
};

/* The next line of a text, without its newline; false at the end. */
static bool next_line(const char **at, const char *end, struct line *line) {
  if (*at == end)
    return false;
  const char *newline = memchr(*at, '\n', (size_t)(end - *at));
  const char *stop = newline == NULL ? end : newline;
  *line = (struct line){*at, (size_t)(stop - *at)};
  *at = newline == NULL ? end : newline + 1;
  return true;
}

/* Without what printk puts before a line: "<6>", "[    3.700000] ". */
static struct line unprefixed(struct line line) {
  const char *end = line.text + line.bytes;
  const char *at = line.text;
  const char *close;
  if (at < end && *at == '<' && (close = memchr(at, '>', (size_t)(end - at))) != NULL)
    at = close + 1;
  if (at < end && *at == '[' && (close = memchr(at, ']', (size_t)(end - at))) != NULL)
    at = close + 1 < end && close[1] == ' ' ? close + 2 : close + 1;
  return (struct line){at, (size_t)(end - at)};
}

/* Printable ASCII only: what RAM kept over a reset may be damaged. */
static void copy(char out[REASON_BYTES], const char *text, size_t bytes) {
  size_t at = 0;
  for (size_t i = 0; i < bytes && at + 1 < REASON_BYTES; i++) {
    unsigned char c = (unsigned char)text[i];
    out[at++] = c < 0x20 || c > 0x7e ? '?' : (char)c;
  }
  out[at] = '\0';
}

bool reason_of_dump(const char *text, size_t bytes, char panic[REASON_BYTES]) {
  const char *end = text + bytes;
  bool found = false;
  struct line line;
  while (next_line(&text, end, &line)) {
    const char *words = memmem(line.text, line.bytes, PANIC, strlen(PANIC));
    if (words != NULL) {
      words += strlen(PANIC);
      copy(panic, words, (size_t)(line.text + line.bytes - words));
      return true;
    }
    /* MIPS's die(): "Oops[#1]:", "Kernel bug detected[#1]:". */
    struct line bare = unprefixed(line);
    if (!found && memmem(bare.text, bare.bytes, "[#", 2) != NULL) {
      copy(panic, bare.text, bare.bytes);
      found = true;
    }
  }
  return found;
}

static bool marked(const struct last_boot *last, char reason[REASON_BYTES]) {
  const char *at = last->console;
  if (at == NULL)
    return false;
  const char *end = at + last->console_bytes;
  struct line line;
  reason[0] = '\0';
  next_line(&at, end, &line);
  while (next_line(&at, end, &line)) {
    line = unprefixed(line);
    size_t mark = strlen(OWN_LINE);
    if (line.bytes >= mark && memcmp(line.text, OWN_LINE, mark) == 0)
      copy(reason, line.text + mark, line.bytes - mark);
  }
  return reason[0] != '\0';
}

static bool ends_in_order(const struct last_boot *last) {
  const char *at = last->console;
  const char *end = at + last->console_bytes;
  struct line line;
  bool found = false;
  while (next_line(&at, end, &line)) {
    line = unprefixed(line);
    found = found || (line.bytes == strlen(RESTART) && memcmp(line.text, RESTART, line.bytes) == 0);
  }
  return found;
}

static const char *unmarked(const struct last_boot *last) {
  if (last->watchdog_reset)
    return "watchdog reset";
  if (!last->watchdog_mute || last->console == NULL)
    return "power";
  return ends_in_order(last)
             ? "restart"
             : "watchdog reset or a short loss of power: the log before it breaks off";
}

void reason_of_start(const struct last_boot *last, char reason[REASON_BYTES]) {
  if (last->panic != NULL)
    snprintf(reason, REASON_BYTES, "kernel panic: %s", last->panic);
  else if (!marked(last, reason))
    snprintf(reason, REASON_BYTES, "%s", unmarked(last));
}
