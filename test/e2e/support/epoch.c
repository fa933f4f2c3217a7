/*
 * Preloaded into a camera's processes: the system's clock stands in 1970, as on hardware without one. Whatever reads
 * wall time gets seconds since the machine was started; monotonic time is untouched.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static struct timespec since_start(void) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  now.tv_sec %= 86400;
  return now;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
    return (int)syscall(SYS_clock_gettime, clock, now);
  *now = since_start();
  return 0;
}

time_t time(time_t *out) {
  time_t seconds = since_start().tv_sec;
  if (out)
    *out = seconds;
  return seconds;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec start = since_start();
  now->tv_sec = start.tv_sec;
  now->tv_usec = start.tv_nsec / 1000;
  return 0;
}
