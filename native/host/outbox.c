#include "outbox.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static size_t left(const struct outbox_bytes *bytes) { return bytes->size - bytes->from; }

/* Requests bear passwords and signatures. */
static void clear(struct outbox_bytes *bytes) {
  if (bytes->data != NULL)
    sodium_memzero(bytes->data, bytes->size);
  free(bytes->data);
  *bytes = (struct outbox_bytes){0};
}

static void append(struct outbox_bytes *bytes, const uint8_t *data, size_t count) {
  if (count == 0)
    return;
  if (bytes->from > 0) {
    memmove(bytes->data, bytes->data + bytes->from, left(bytes));
    bytes->size -= bytes->from;
    bytes->from = 0;
  }
  if (bytes->size + count > bytes->room) {
    size_t room = bytes->room == 0 ? 1024 : bytes->room;
    while (room < bytes->size + count)
      room *= 2;
    uint8_t *grown = malloc(room);
    if (grown == NULL)
      abort();
    if (bytes->size > 0)
      memcpy(grown, bytes->data, bytes->size);
    size_t size = bytes->size;
    clear(bytes);
    *bytes = (struct outbox_bytes){.data = grown, .size = size, .room = room};
  }
  memcpy(bytes->data + bytes->size, data, count);
  bytes->size += count;
}

bool outbox_put(struct outbox *outbox, const uint8_t *data, size_t bytes) {
  if (bytes > OUTBOX_BYTES_MAX - left(&outbox->before) - left(&outbox->after))
    return false;
  append(outbox->segment == NULL ? &outbox->before : &outbox->after, data, bytes);
  return true;
}

bool outbox_put_segment(struct outbox *outbox, struct segment *segment) {
  if (outbox->segment != NULL)
    return false;
  segment_hold(segment);
  outbox->segment = segment;
  outbox->segment_left = segment_object_bytes(segment);
  outbox->cursor = (struct segment_cursor){0};
  return true;
}

size_t outbox_next(const struct outbox *outbox, const uint8_t **data) {
  if (left(&outbox->before) > 0) {
    *data = outbox->before.data + outbox->before.from;
    return left(&outbox->before);
  }
  return outbox->segment == NULL ? 0 : segment_span(outbox->segment, &outbox->cursor, data);
}

void outbox_sent(struct outbox *outbox, size_t bytes) {
  if (left(&outbox->before) > 0) {
    outbox->before.from += bytes;
    if (left(&outbox->before) == 0)
      clear(&outbox->before);
    return;
  }
  segment_advance(outbox->segment, &outbox->cursor, (uint32_t)bytes);
  outbox->segment_left -= bytes;
  if (outbox->segment_left > 0)
    return;
  segment_release(outbox->segment);
  outbox->segment = NULL;
  outbox->before = outbox->after;
  outbox->after = (struct outbox_bytes){0};
}

uint64_t outbox_waiting(const struct outbox *outbox) {
  return left(&outbox->before) + left(&outbox->after) + outbox->segment_left;
}

void outbox_clear(struct outbox *outbox) {
  clear(&outbox->before);
  clear(&outbox->after);
  if (outbox->segment != NULL)
    segment_release(outbox->segment);
  *outbox = (struct outbox){0};
}
