#include "lines.h"

#include <stdio.h>

static bool allowed(struct lines *lines, uint64_t now_us) {
  if (lines->refilled_us == 0) {
    lines->allowed = LINES_BURST;
    lines->refilled_us = now_us;
  }
  uint64_t more = (now_us - lines->refilled_us) * LINES_A_SECOND / 1000000u;
  if (more > 0) {
    lines->allowed =
        more >= LINES_BURST - lines->allowed ? LINES_BURST : lines->allowed + (uint32_t)more;
    lines->refilled_us += more * 1000000u / LINES_A_SECOND;
  }
  if (lines->allowed == 0)
    return false;
  lines->allowed--;
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
  if (!allowed(lines, now_us)) {
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
