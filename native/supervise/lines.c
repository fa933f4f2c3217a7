#include "lines.h"

#include <stdio.h>

static bool allowed(struct lines *lines, size_t bytes, uint64_t now_us) {
  if (lines->refilled_us == 0) {
    lines->allowed_bytes = LINES_BURST_BYTES;
    lines->refilled_us = now_us;
  }
  uint64_t more = (now_us - lines->refilled_us) * LINES_BYTES_A_SECOND / 1000000u;
  if (more > 0) {
    lines->allowed_bytes = more >= LINES_BURST_BYTES - lines->allowed_bytes
                               ? LINES_BURST_BYTES
                               : lines->allowed_bytes + (uint32_t)more;
    lines->refilled_us += more * 1000000u / LINES_BYTES_A_SECOND;
  }
  if (lines->allowed_bytes < bytes + LINE_OVERHEAD_BYTES)
    return false;
  lines->allowed_bytes -= (uint32_t)bytes + LINE_OVERHEAD_BYTES;
  return true;
}

static void tell_left_out(struct lines *lines) {
  char note[64];
  if (lines->left_out == 0)
    return;
  int bytes = snprintf(note, sizeof note, "(%lu lines were left out)", lines->left_out);
  lines->left_out = 0;
  lines->sink(lines->owner, note, (size_t)bytes);
}

static void finish(struct lines *lines, uint64_t now_us) {
  size_t bytes = lines->bytes;
  lines->bytes = 0;
  if (bytes > 0 && lines->text[bytes - 1] == '\r')
    bytes--;
  if (bytes == 0)
    return;
  if (!allowed(lines, bytes, now_us)) {
    lines->left_out++;
    return;
  }
  tell_left_out(lines);
  for (size_t i = 0; i < bytes; i++) {
    unsigned char c = (unsigned char)lines->text[i];
    if (c < 0x20 || c == 0x7f)
      lines->text[i] = '?';
  }
  lines->sink(lines->owner, lines->text, bytes);
}

void lines_take(struct lines *lines, const char *bytes, size_t count, uint64_t now_us) {
  for (size_t i = 0; i < count; i++) {
    if (bytes[i] == '\n')
      finish(lines, now_us);
    else if (lines->bytes < sizeof lines->text)
      lines->text[lines->bytes++] = bytes[i];
  }
}

void lines_end(struct lines *lines, uint64_t now_us) {
  finish(lines, now_us);
  tell_left_out(lines);
}
