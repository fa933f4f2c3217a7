/*
 * Measured on x86-64, Linux 6, tmpfs (ns for each call, mapping with guard / pread()):
 *     4 bytes 3 / 545     32 bytes 3 / 687     10,000 bytes 126 / 1,050     64 KiB 1,286 / 4,709
 * A frame takes about five such accesses, so at 25 frames/s either is far below 0.1 % of a CPU.
 * What decides is that the kernel's copy routine gives no guarantee that a 32-bit word is read
 * whole.
 */
#define _GNU_SOURCE 1
#include "guard.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

static _Thread_local struct ring_guard *volatile entered;
static struct sigaction previous;
static int installed;

static void pass_on(int signal_number, siginfo_t *info, void *context) {
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal_number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal_number);
  } else {
    /* Pending until this handler returns, then the default action: a core dump. */
    signal(SIGBUS, SIG_DFL);
    raise(SIGBUS);
  }
}

static void on_sigbus(int signal_number, siginfo_t *info, void *context) {
  struct ring_guard *guard = entered;
  if (guard && !guard->cut_short && info->si_code == BUS_ADRERR) {
    int saved_errno = errno;
    void *zeros = mmap(guard->base, guard->bytes, PROT_READ,
                       MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved_errno;
    if (zeros == guard->base) {
      guard->cut_short = 1;
      return;
    }
  }
  pass_on(signal_number, info, context);
}

static int install(void) {
  if (installed)
    return 0;
  struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGBUS, &action, &previous) != 0)
    return -1;
  installed = 1;
  return 0;
}

int ring_guard_map(struct ring_guard *guard, int fd, size_t bytes) {
  *guard = (struct ring_guard){0};
  if (install() != 0)
    return -1;
  void *base = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED)
    return -1;
  guard->base = base;
  guard->bytes = bytes;
  return 0;
}

void ring_guard_unmap(struct ring_guard *guard) {
  if (!guard->base)
    return;
  munmap(guard->base, guard->bytes);
  guard->base = NULL;
}

void ring_guard_enter(struct ring_guard *guard) {
  if (entered || !guard->base)
    abort();
  entered = guard;
  /* The handler runs on this thread: keeping the compiler from moving loads out is enough. */
  atomic_signal_fence(memory_order_seq_cst);
}

int ring_guard_leave(struct ring_guard *guard) {
  atomic_signal_fence(memory_order_seq_cst);
  entered = NULL;
  return guard->cut_short;
}
