#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

static char ring[LOG_RING_BYTES];
static size_t ring_head;  /* where the next byte goes */
static size_t ring_bytes; /* how many are kept */
static uint64_t ring_end; /* how many there were */
static unsigned long lost_lines;

static void keep(const char *line, size_t bytes) {
  size_t first = LOG_RING_BYTES - ring_head;
  if (first > bytes)
    first = bytes;
  memcpy(ring + ring_head, line, first);
  memcpy(ring, line + first, bytes - first);
  ring_head = (ring_head + bytes) % LOG_RING_BYTES;
  ring_end += bytes;
  ring_bytes = ring_bytes + bytes > LOG_RING_BYTES ? LOG_RING_BYTES : ring_bytes + bytes;
}

/* A line is shorter than PIPE_BUF, so a pipe that polls writable takes it whole without blocking.
 */
static int print(const char *line, size_t bytes) {
  struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
  if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT))
    return 0;
  ssize_t written;
  do
    written = write(STDERR_FILENO, line, bytes);
  while (written < 0 && errno == EINTR);
  return written == (ssize_t)bytes;
}

static size_t cut(const char *text, size_t bytes) {
  if (bytes <= LOG_TEXT_BYTES)
    return bytes;
  bytes = LOG_TEXT_BYTES;
  while (bytes > LOG_TEXT_BYTES - 4 && ((uint8_t)text[bytes] & 0xc0u) == 0x80u)
    bytes--; /* not inside a UTF-8 sequence */
  return bytes;
}

static size_t compose(char *line, size_t room, enum log_level level, const char *text,
                      size_t bytes) {
  static const char *const names[] = {"debug", "info", "warning", "error"};
  uint64_t now = clock_us();
  int head = snprintf(line, room, "%llu.%06u %s ", (unsigned long long)(now / 1000000u),
                      (unsigned)(now % 1000000u), names[level]);
  size_t at = (size_t)head;
  bytes = cut(text, bytes);
  for (size_t i = 0; i < bytes; i++) {
    uint8_t c = (uint8_t)text[i];
    line[at++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
  }
  line[at++] = '\n';
  return at;
}

void log_text(enum log_level level, const char *text, size_t bytes) {
  char line[LOG_TEXT_BYTES + 64];
  if (lost_lines > 0) {
    char note[64];
    int length = snprintf(note, sizeof note, "%lu log lines did not fit into the pipe", lost_lines);
    size_t line_bytes = compose(line, sizeof line, LOG_WARNING, note, (size_t)length);
    if (print(line, line_bytes))
      lost_lines = 0;
  }
  size_t line_bytes = compose(line, sizeof line, level, text, bytes);
  keep(line, line_bytes);
  if (!print(line, line_bytes))
    lost_lines++;
}

void log_line(enum log_level level, const char *format, ...) {
  char text[LOG_TEXT_BYTES + 1];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (length < 0)
    return;
  log_text(level, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

size_t log_tail(char *out, size_t bytes, size_t back, uint64_t *end) {
  *end = ring_end;
  if (back >= ring_bytes)
    return 0;
  size_t left = ring_bytes - back;
  /* What has been overwritten in part, or asked for in part, is a line without its start. */
  int whole = bytes >= left && ring_end == ring_bytes;
  if (bytes > left)
    bytes = left;
  size_t from = (ring_head + LOG_RING_BYTES - back - bytes) % LOG_RING_BYTES;
  if (!whole && bytes > 0) {
    size_t before = (from + LOG_RING_BYTES - 1) % LOG_RING_BYTES;
    int at_line = bytes < left && ring[before] == '\n';
    while (bytes > 0 && !at_line) {
      at_line = ring[from] == '\n';
      from = (from + 1) % LOG_RING_BYTES;
      bytes--;
    }
  }
  for (size_t i = 0; i < bytes; i++)
    out[i] = ring[(from + i) % LOG_RING_BYTES];
  return bytes;
}
