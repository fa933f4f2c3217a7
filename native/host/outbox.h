/*
 * What a connection has yet to send: bytes, then perhaps a segment, then bytes that came after it.
 * Bytes are copied in; a segment is held until it is gone and read where it lies.
 */
#ifndef OCELLUS_HOST_OUTBOX_H
#define OCELLUS_HOST_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segment.h"

#define OUTBOX_BYTES_MAX 65536

/* Zero-initialised: empty. All members are private. */
struct outbox {
  struct outbox_bytes {
    uint8_t *data; /* NULL while empty */
    size_t from;   /* sent up to here */
    size_t size;
    size_t room;
  } before, after;
  struct segment *segment; /* a reference, or NULL */
  struct segment_cursor cursor;
  uint64_t segment_left;
};

/* False, with nothing taken, where more than OUTBOX_BYTES_MAX bytes would wait. */
bool outbox_put(struct outbox *outbox, const uint8_t *data, size_t bytes);

/* Queues a segment that has a head. False where one is waiting. */
bool outbox_put_segment(struct outbox *outbox, struct segment *segment);

/* The bytes that go next, and how many lie there together; 0 when empty. */
size_t outbox_next(const struct outbox *outbox, const uint8_t **data);

/* Says that `bytes` of those are gone. */
void outbox_sent(struct outbox *outbox, size_t bytes);

/* Everything that waits, in bytes. */
uint64_t outbox_waiting(const struct outbox *outbox);

/* Drops it all. */
void outbox_clear(struct outbox *outbox);

#endif
