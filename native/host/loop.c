#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>

#include "timers.h"

/* Holes are left while a pass runs, so that a slot means the same watch throughout it. */
static struct loop_watch *watches[LOOP_WATCHES_MAX];
static size_t watch_count;

void loop_add(struct loop_watch *watch) {
  if (watch->added)
    return;
  if (watch_count == LOOP_WATCHES_MAX)
    abort();
  watches[watch_count++] = watch;
  watch->added = true;
}

void loop_remove(struct loop_watch *watch) {
  if (!watch->added)
    return;
  for (size_t i = 0; i < watch_count; i++)
    if (watches[i] == watch)
      watches[i] = NULL;
  watch->added = false;
}

static void close_holes(void) {
  size_t kept = 0;
  for (size_t i = 0; i < watch_count; i++)
    if (watches[i] != NULL)
      watches[kept++] = watches[i];
  watch_count = kept;
}

void loop_pass(int (*stop)(void)) {
  struct pollfd polled[LOOP_WATCHES_MAX];
  close_holes();
  size_t count = watch_count;
  int wait_ms = timers_wait_ms();
  for (size_t i = 0; i < count; i++) {
    const struct loop_watch *watch = watches[i];
    polled[i] = (struct pollfd){.fd = watch->events == 0 ? -1 : watch->fd, .events = watch->events};
    if (watch->again)
      wait_ms = 0;
  }
  int result = poll(polled, (nfds_t)count, wait_ms);
  if (result < 0 && errno != EINTR)
    abort();
  for (size_t i = 0; i < count && !stop(); i++) {
    struct loop_watch *watch = watches[i];
    short revents = result > 0 ? polled[i].revents : 0;
    if (watch == NULL || (revents == 0 && !watch->again))
      continue;
    watch->again = false;
    watch->ready(watch->owner, revents);
  }
  if (!stop())
    timers_fire(stop);
}
