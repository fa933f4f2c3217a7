/*
 * Reading a mapped file that somebody else may cut short.
 *
 * A load from a page past the end of a mapped file raises SIGBUS, which by default ends the
 * process: whoever can truncate the ring could stop its readers. Guarded access turns that into a
 * flag. The handler maps zero-filled private memory over the whole mapping, notes it, and lets the
 * load go on; the reader looks at the flag after each access and answers RING_BROKEN. (libwayland
 * treats its shared-memory pools the same way.)
 *
 * The alternative is pread() for every word and payload, where a short file is a short read. It was
 * measured and not taken; see guard.c for figures. Its cost is bearable, but a kernel may copy four
 * bytes one by one (x86 does), so that no position read this way could be relied on.
 *
 * The handler is process-wide. It acts only on faults raised by the kernel while the faulting
 * thread is between ring_guard_enter() and ring_guard_leave(); every other SIGBUS goes to whatever
 * handler stood there before. A program with a SIGBUS handler of its own installs it before the
 * first ring_guard_map().
 */
#ifndef OCELLUS_RING_GUARD_H
#define OCELLUS_RING_GUARD_H

#include <signal.h>
#include <stddef.h>

/* A read-only mapping and its fate. Owned by the caller; must not move while entered. */
struct ring_guard {
  void *base; /* NULL while nothing is mapped */
  size_t bytes;
  volatile sig_atomic_t cut_short; /* set once, by the handler; never cleared */
};

/* Maps the first `bytes` of `fd`, shared and read-only. 0, or -1 with errno. */
int ring_guard_map(struct ring_guard *guard, int fd, size_t bytes);

/* Unmaps; harmless on an unmapped guard. */
void ring_guard_unmap(struct ring_guard *guard);

/* Brackets every access to the mapping. Not nested. `leave` returns nonzero if the file was found
 * cut short at any time so far: whatever was loaded is then worthless. */
void ring_guard_enter(struct ring_guard *guard);
int ring_guard_leave(struct ring_guard *guard);

#endif
