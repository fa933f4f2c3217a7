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
    .useless_us = 60u * SECOND,
    .useless_max_us = UINT64_C(3600) * SECOND,
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

static enum care_action terminate(struct care *care, uint64_t now_us) {
  care->state = CARE_TERMINATING;
  care->due_us = now_us + care->times->stop_us;
  return CARE_TERMINATE;
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
    return terminate(care, now_us);
  }
  care->state = CARE_KILLING;
  return CARE_KILL;
}

void care_sign(struct care *care, uint64_t now_us) { care->sign_us = now_us; }

static uint64_t doubled(uint64_t first_us, unsigned times, uint64_t max_us) {
  uint64_t us = first_us;
  for (unsigned i = 0; i < times && us < max_us; i++)
    us *= 2;
  return us > max_us ? max_us : us;
}

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
  uint64_t wait = doubled(times->back_off_first_us, care->failures - 1, times->back_off_max_us);
  if (!care->told)
    snprintf(care->reason, sizeof care->reason, "crash: %s", why);
  care->state = CARE_WAITING;
  care->due_us = now_us + wait;
  return wait;
}

enum care_action care_useless(struct care *care, const char *reason, uint64_t now_us) {
  const struct care_times *times = care->times;
  uint64_t patience = doubled(times->useless_us, care->useless, times->useless_max_us);
  if (care->state != CARE_RUNNING || now_us - care->started_us < patience)
    return CARE_NOTHING;
  care->useless++;
  snprintf(care->reason, sizeof care->reason, "%s", reason);
  care->told = true;
  return terminate(care, now_us);
}

void care_useful(struct care *care) { care->useless = 0; }

enum care_action care_stop(struct care *care, uint64_t now_us) {
  if (care->stopping)
    return CARE_NOTHING;
  care->stopping = true;
  if (care->state == CARE_WAITING)
    care->state = CARE_OVER;
  if (care->state != CARE_RUNNING)
    return CARE_NOTHING;
  return terminate(care, now_us);
}

bool care_over(const struct care *care) { return care->state == CARE_OVER; }
