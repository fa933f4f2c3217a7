/*
 * One-shot timers on CLOCK_MONOTONIC. A timer is a member of whatever it belongs to, which disarms
 * it before it goes away; nothing is allocated here.
 */
#ifndef OCELLUS_HOST_TIMERS_H
#define OCELLUS_HOST_TIMERS_H

#include <stdint.h>

/* Zero-initialised: not armed. Members are private but `fire` and `owner`. */
struct timer {
  uint64_t due_us;
  struct timer *next;
  struct timer *previous;
  struct timer *list; /* the list's head while armed */
  void (*fire)(void *owner);
  void *owner;
};

/* Arms, or arms anew, to fire once `delay_us` from now or later. */
void timer_arm(struct timer *timer, uint64_t delay_us, void (*fire)(void *owner), void *owner);

/* Harmless on a timer that is not armed. */
void timer_disarm(struct timer *timer);

/* Fires what is due now, earliest first, equals in the order of arming. What is armed meanwhile
 * waits for the next call, so that timers of 0 ms cannot starve descriptors. Stops early when
 * `stop` says so. */
void timers_fire(int (*stop)(void));

/* Milliseconds until the next is due, rounded up, for poll(): 0 if one is, -1 if none is armed. */
int timers_wait_ms(void);

#endif
