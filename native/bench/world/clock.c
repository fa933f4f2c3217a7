/* Time that passes only in poll(), and random bytes that are always the same. */
#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>

#include "../peer/tls_peer.h"
#include "world.h"

#define START_US 10000000u

static uint64_t now_us = START_US;
static uint64_t measure_us = WORLD_NEVER;
static enum mark_region current = MARK_START;

enum mark_region world_enter(void) {
  enum mark_region before = current;
  current = MARK_WORLD;
  mark(current);
  return before;
}

void world_leave(enum mark_region before) {
  if (before == MARK_START && now_us >= measure_us)
    before = MARK_CAMERA;
  current = before;
  mark(current);
}

void world_measure_from(uint64_t from_us) { measure_us = from_us; }

uint64_t world_now_us(void) { return now_us; }

void world_advance_to(uint64_t to_us) {
  if (to_us < now_us)
    abort();
  now_us = to_us;
}

int64_t world_true_time_s(void) { return TLS_PEER_TIME_S + (int64_t)(now_us / 1000000u); }

/* SplitMix64 (Steele, Lea, Flood: OOPSLA 2014). */
void world_random(uint8_t *bytes, size_t count) {
  static uint64_t state = 0x6f63656c6c7573u;
  for (size_t i = 0; i < count; i++) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    bytes[i] = (uint8_t)(z ^ z >> 31);
  }
}

/* musl gives these names to calls with a 64-bit time. Counted for the camera: reading a clock is a
 * system call of much the same length. */
int __wrap___clock_gettime64(clockid_t clock, struct timespec *now);
int __wrap___clock_gettime64(clockid_t clock, struct timespec *now) {
  (void)clock;
  now->tv_sec = (time_t)(now_us / 1000000u);
  now->tv_nsec = (long)(now_us % 1000000u) * 1000;
  return 0;
}

int __wrap___gettimeofday_time64(struct timeval *now, void *zone);
int __wrap___gettimeofday_time64(struct timeval *now, void *zone) {
  (void)zone;
  now->tv_sec = (time_t)(now_us / 1000000u);
  now->tv_usec = (suseconds_t)(now_us % 1000000u);
  return 0;
}

time_t __wrap___time64(time_t *also);
time_t __wrap___time64(time_t *also) {
  time_t now = (time_t)(now_us / 1000000u);
  if (also != NULL)
    *also = now;
  return now;
}

ssize_t __wrap_getrandom(void *bytes, size_t count, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t count, unsigned flags) {
  (void)flags;
  enum mark_region before = world_enter();
  world_random(bytes, count);
  world_leave(before);
  return (ssize_t)count;
}
