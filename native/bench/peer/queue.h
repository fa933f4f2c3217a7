/* A growing byte queue: append at the end, take from the front. Running out of memory aborts. */
#ifndef OCELLUS_BENCH_QUEUE_H
#define OCELLUS_BENCH_QUEUE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* All zero is an empty queue. */
struct queue {
  uint8_t *bytes; /* owned; the content is bytes[start] to bytes[end - 1] */
  size_t start, end, room;
};

static inline size_t queue_length(const struct queue *queue) { return queue->end - queue->start; }

static inline void queue_put(struct queue *queue, const void *bytes, size_t count) {
  if (count == 0)
    return;
  if (queue->room - queue->end < count && queue->start > 0) {
    memmove(queue->bytes, queue->bytes + queue->start, queue_length(queue));
    queue->end -= queue->start;
    queue->start = 0;
  }
  if (queue->room - queue->end < count) {
    queue->room = 2 * (queue->end + count);
    queue->bytes = realloc(queue->bytes, queue->room);
    if (queue->bytes == NULL)
      abort();
  }
  memcpy(queue->bytes + queue->end, bytes, count);
  queue->end += count;
}

/* Drops `count` bytes, which must be there. */
static inline void queue_drop(struct queue *queue, size_t count) {
  if (count > queue_length(queue))
    abort();
  queue->start += count;
  if (queue->start == queue->end)
    queue->start = queue->end = 0;
}

/* Moves at most `room` bytes out; returns how many. */
static inline size_t queue_take(struct queue *queue, void *bytes, size_t room) {
  size_t count = queue_length(queue) < room ? queue_length(queue) : room;
  if (count > 0)
    memcpy(bytes, queue->bytes + queue->start, count);
  queue_drop(queue, count);
  return count;
}

static inline void queue_free(struct queue *queue) {
  free(queue->bytes);
  memset(queue, 0, sizeof *queue);
}

#endif
