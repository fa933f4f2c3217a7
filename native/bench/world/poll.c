/*
 * poll(): the one place where time passes. The world goes on, event by event, until a descriptor
 * the camera asked about is ready or its time is up. Descriptors that are not the network's (door,
 * wake-up) are real ones, and the kernel is asked about them without waiting.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "world.h"

#define DESCRIPTORS_MAX 128

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

static int look(struct pollfd *fds, nfds_t count) {
  struct pollfd real[DESCRIPTORS_MAX];
  int ready = 0;
  if (count > DESCRIPTORS_MAX)
    abort();
  for (nfds_t i = 0; i < count; i++) {
    fds[i].revents = 0;
    real[i] = fds[i];
    if (fds[i].fd >= 0 && network_poll(fds[i].fd, fds[i].events, &fds[i].revents))
      real[i].fd = -1;
  }
  if (__real_poll(real, count, 0) < 0)
    abort();
  for (nfds_t i = 0; i < count; i++) {
    if (real[i].fd >= 0)
      fds[i].revents = real[i].revents;
    ready += fds[i].revents != 0;
  }
  return ready;
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
  enum mark_region before = world_enter();
  uint64_t until_us = timeout_ms < 0 ? WORLD_NEVER : world_now_us() + (uint64_t)timeout_ms * 1000u;
  int ready;
  for (;;) {
    footage_step(world_now_us());
    network_step(world_now_us());
    if (world_is_over())
      world_report();
    ready = look(fds, count);
    if (ready > 0 || world_now_us() >= until_us)
      break;
    uint64_t next_us =
        least(least(footage_next_us(), network_next_us()), least(until_us, world_next_us()));
    world_advance_to(next_us > world_now_us() ? next_us : world_now_us() + 1);
  }
  world_leave(before);
  return ready;
}
