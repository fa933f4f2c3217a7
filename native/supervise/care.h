/*
 * How one program is cared for: when it is started, when it counts as hung, when it is ended. Pure: events and the time
 * go in, actions come out; processes are child.h's.
 *
 * A program that ends is started again, later each time, and never given up. `watched` ones must give a sign of life
 * every so often, or they are stopped: SIGTERM, then SIGKILL. One that runs and is of no use is started again too, more
 * rarely each time: it may be no fault of its own.
 */
#ifndef OCELLUS_SUPERVISE_CARE_H
#define OCELLUS_SUPERVISE_CARE_H

#include <stdbool.h>
#include <stdint.h>

#define CARE_REASON_BYTES 256

/* All in microseconds. */
struct care_times {
  uint64_t back_off_first_us; /* wait after the first failure; doubled by each further one */
  uint64_t back_off_max_us;
  uint64_t healthy_us; /* one that ran so long is healthy: its next failure counts as the first */
  uint64_t hung_us;    /* no sign of life for so long is a hang, ... */
  uint64_t hung_first_us; /* ... but not within so long of the start */
  uint64_t stop_us;       /* from SIGTERM to SIGKILL */
  uint64_t silence_us;    /* no sign of life for so long: the watchdog is fed no more */
  uint64_t
      useless_us; /* one of no use gets so long before it is started again; doubled by each further time */
  uint64_t useless_max_us;
};

/* 0.5 s to 30 s, 60 s; 20 s, 60 s; 8 s (the agent's own limit is 5 s); 10 min; 60 s to 1 h. */
extern const struct care_times CARE_TIMES;

enum care_action {
  CARE_NOTHING,
  CARE_START,     /* start it; tell care_ended where that fails */
  CARE_TERMINATE, /* SIGTERM */
  CARE_KILL,      /* SIGKILL */
};

enum care_state { CARE_WAITING, CARE_RUNNING, CARE_TERMINATING, CARE_KILLING, CARE_OVER };

/* Members are private but `reason`. */
struct care {
  const struct care_times *times;
  enum care_state state;
  bool watched;
  bool stopping;
  bool told; /* `reason` says already why the next start is needed */
  unsigned failures;
  unsigned useless; /* times it was started again for being of no use, since it last was of some */
  uint64_t due_us;  /* WAITING: of the start; TERMINATING: of SIGKILL */
  uint64_t started_us;
  uint64_t sign_us;
  char reason[CARE_REASON_BYTES]; /* why the next start is needed; one line */
};

/* Due to be started at once, for `reason`. `times` is borrowed. */
void care_init(struct care *care, const struct care_times *times, bool watched, const char *reason,
               uint64_t now_us);

/* What is to be done now; call it until it says nothing. Each action is told once. */
enum care_action care_step(struct care *care, uint64_t now_us);

/* When care_step has something to say by itself; UINT64_MAX: never. */
uint64_t care_due_us(const struct care *care);

/* It gave a sign of life. */
void care_sign(struct care *care, uint64_t now_us);

/* It ended, or could not be started, for `why`: "exit status 1". Returns the wait until the next start, or 0 where there
 * is none. */
uint64_t care_ended(struct care *care, const char *why, uint64_t now_us);

/* It runs and is of no use. Once it has had its time, it is to end and start again, for `reason`: CARE_TERMINATE. */
enum care_action care_useless(struct care *care, const char *reason, uint64_t now_us);

/* It is of use. */
void care_useful(struct care *care);

/* It is to end for good. Returns CARE_TERMINATE where it runs. */
enum care_action care_stop(struct care *care, uint64_t now_us);

/* It has ended for good. */
bool care_over(const struct care *care);

#endif
