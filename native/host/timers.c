#include "timers.h"

#include <limits.h>
#include <stddef.h>

#include "clock.h"

/* Circular lists with a head; a few dozen timers at most, so order by insertion is cheap. */
static struct timer armed = {.next = &armed, .previous = &armed};
static struct timer firing = {.next = &firing, .previous = &firing};

static void link_before(struct timer *list, struct timer *place, struct timer *timer) {
  timer->list = list;
  timer->next = place;
  timer->previous = place->previous;
  place->previous->next = timer;
  place->previous = timer;
}

void timer_disarm(struct timer *timer) {
  if (timer->list == NULL)
    return;
  timer->previous->next = timer->next;
  timer->next->previous = timer->previous;
  timer->list = NULL;
}

void timer_arm(struct timer *timer, uint64_t delay_us, void (*fire)(void *owner), void *owner) {
  timer_disarm(timer);
  timer->due_us = clock_us() + delay_us;
  timer->fire = fire;
  timer->owner = owner;
  struct timer *place = &armed; /* from the end: most new timers are the latest */
  while (place->previous != &armed && place->previous->due_us > timer->due_us)
    place = place->previous;
  link_before(&armed, place, timer);
}

void timers_fire(int (*stop)(void)) {
  uint64_t now = clock_us();
  while (armed.next != &armed && armed.next->due_us <= now) {
    struct timer *timer = armed.next;
    timer_disarm(timer);
    link_before(&firing, &firing, timer);
  }
  while (firing.next != &firing && !stop()) {
    struct timer *timer = firing.next;
    timer_disarm(timer);
    timer->fire(timer->owner);
  }
}

int timers_wait_ms(void) {
  if (firing.next != &firing)
    return 0;
  if (armed.next == &armed)
    return -1;
  uint64_t now = clock_us();
  if (armed.next->due_us <= now)
    return 0;
  uint64_t wait = (armed.next->due_us - now + 999u) / 1000u;
  return wait > INT_MAX ? INT_MAX : (int)wait;
}
