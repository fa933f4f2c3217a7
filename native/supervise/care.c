#include "care.h"

#include <stdio.h>

#define SECOND 1000000u

const struct care_times CARE_TIMES = {
    .back_off_first_us = SECOND / 2,
    .back_off_max_us = 30u * SECOND,
    .healthy_us = 60u * SECOND,
    .hung_us = 20u * SECOND,
    .hung_first_us = 60u * SECOND,
    .stop_us = 8u * SECOND,
    .silence_us = 600u * SECOND,
};

void care_init(struct care *care, const struct care_times *times, bool watched, const char *reason,
               uint64_t now_us) {
  *care = (struct care){.times = times, .watched = watched, .due_us = now_us};
  snprintf(care->reason, sizeof care->reason, "%s", reason);
}

static uint64_t hung_at_us(const struct care *care) {
  uint64_t first = care->started_us + care->times->hung_first_us;
  uint64_t then = care->sign_us + care->times->hung_us;
  return first > then ? first : then;
}

uint64_t care_due_us(const struct care *care) {
  switch (care->state) {
  case CARE_WAITING:
  case CARE_TERMINATING:
    return care->due_us;
  case CARE_RUNNING:
    return care->watched ? hung_at_us(care) : UINT64_MAX;
  default:
    return UINT64_MAX;
  }
}

enum care_action care_step(struct care *care, uint64_t now_us) {
  if (care_due_us(care) > now_us)
    return CARE_NOTHING;
  if (care->state == CARE_WAITING) {
    care->state = CARE_RUNNING;
    care->told = false;
    care->started_us = now_us;
    care->sign_us = now_us;
    return CARE_START;
  }
  if (care->state == CARE_RUNNING) {
    snprintf(care->reason, sizeof care->reason, "hung: no sign of life for %llu s",
             (unsigned long long)((now_us - care->sign_us) / SECOND));
    care->told = true;
  }
  care->state = CARE_KILLING;
  return CARE_KILL;
}

void care_sign(struct care *care, uint64_t now_us) { care->sign_us = now_us; }

uint64_t care_ended(struct care *care, const char *why, uint64_t now_us) {
  if (care->state == CARE_OVER)
    return 0;
  if (care->stopping) {
    care->state = CARE_OVER;
    return 0;
  }
  const struct care_times *times = care->times;
  bool healthy = now_us - care->started_us >= times->healthy_us;
  care->failures = healthy ? 1 : care->failures + 1;
  uint64_t wait = times->back_off_first_us;
  for (unsigned i = 1; i < care->failures && wait < times->back_off_max_us; i++)
    wait *= 2;
  if (wait > times->back_off_max_us)
    wait = times->back_off_max_us;
  if (!care->told)
    snprintf(care->reason, sizeof care->reason, "crash: %s", why);
  care->state = CARE_WAITING;
  care->due_us = now_us + wait;
  return wait;
}

enum care_action care_replace(struct care *care, const char *reason) {
  if (care->state != CARE_RUNNING)
    return CARE_NOTHING;
  snprintf(care->reason, sizeof care->reason, "%s", reason);
  care->told = true;
  care->state = CARE_KILLING;
  return CARE_KILL;
}

enum care_action care_stop(struct care *care, uint64_t now_us) {
  if (care->stopping)
    return CARE_NOTHING;
  care->stopping = true;
  if (care->state == CARE_WAITING)
    care->state = CARE_OVER;
  if (care->state != CARE_RUNNING)
    return CARE_NOTHING;
  care->state = CARE_TERMINATING;
  care->due_us = now_us + care->times->stop_us;
  return CARE_TERMINATE;
}

bool care_over(const struct care *care) { return care->state == CARE_OVER; }
