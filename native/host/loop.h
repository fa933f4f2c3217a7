/*
 * The poll loop: one thread waits here and nowhere else.
 *
 * A watch is a member of whatever owns the descriptor; the owner removes the watch before it closes
 * the descriptor or goes away.
 */
#ifndef OCELLUS_HOST_LOOP_H
#define OCELLUS_HOST_LOOP_H

#include <stdbool.h>

#define LOOP_WATCHES_MAX 64

/* Zero-initialised: not added. `events` may be changed at any time; with 0 the descriptor is not
 * polled at all, not even for errors. */
struct loop_watch {
  int fd;
  short events; /* POLLIN, POLLOUT */
  bool again;   /* call `ready` in the next pass whatever poll() says: for bytes already read */
  bool added;
  void (*ready)(void *owner, short revents); /* revents is 0 for `again` alone */
  void *owner;
};

/* Aborts where LOOP_WATCHES_MAX are added: limits of their owners add up to less. */
void loop_add(struct loop_watch *watch);

/* Also from within `ready`, of this watch or of another. Harmless on one that is not added. */
void loop_remove(struct loop_watch *watch);

/* One pass: waits for descriptors or the next timer, calls what is ready, then fires timers.
 * Returns early where `stop` says so. */
void loop_pass(int (*stop)(void));

#endif
