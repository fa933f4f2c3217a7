#include "nal.h"

#include <string.h>

/* The first 00 00 01 at or after `from`; `end` where there is none. */
static const uint8_t *find_start_code(const uint8_t *from, const uint8_t *end) {
  /* The 1 is the rarest of the three bytes in coded video, and memchr is fast. */
  for (const uint8_t *one = from; end - one > 2;) {
    one = memchr(one + 2, 1, (size_t)(end - one - 2));
    if (!one)
      return end;
    if (one[-1] == 0 && one[-2] == 0)
      return one - 2;
    one -= 1; /* so that one + 2 is the byte after it */
  }
  return end;
}

int nal_next(struct nal_walk *walk, struct nal *nal) {
  const uint8_t *code = find_start_code(walk->next, walk->end);
  while (walk->end - code > 3) {
    const uint8_t *start = code + 3;
    const uint8_t *stop = find_start_code(start, walk->end);
    const uint8_t *last = stop;
    while (last > start && last[-1] == 0)
      last--;
    walk->next = stop;
    if (last > start) {
      *nal = (struct nal){.bytes = start, .length = (size_t)(last - start)};
      return 1;
    }
    code = stop;
  }
  walk->next = walk->end;
  return 0;
}

size_t nal_unescape(struct nal nal, uint8_t *out, size_t room) {
  size_t written = 0;
  unsigned zeros = 0;
  for (size_t i = 0; i < nal.length && written < room; i++) {
    uint8_t byte = nal.bytes[i];
    if (zeros >= 2 && byte == 3) {
      zeros = 0;
      continue;
    }
    zeros = byte == 0 ? zeros + 1 : 0;
    out[written++] = byte;
  }
  return written;
}
