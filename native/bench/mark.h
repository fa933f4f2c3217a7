/*
 * Regions: a benchmark program says for whom the instructions from here on are counted.
 *
 * A mark is a system call that changes nothing (getppid, which takes no arguments) with a magic
 * number in its first argument register and the region in its second. count.c sees it; a kernel
 * does not look. A program that never marks runs in region 0 throughout.
 */
#ifndef OCELLUS_BENCH_MARK_H
#define OCELLUS_BENCH_MARK_H

#define MARK_MAGIC 0x4f43454cu /* "OCEL" */
#define MARK_SYSCALL 4064      /* getppid, MIPS o32 */

enum mark_region {
  MARK_CAMERA = 0, /* what is measured */
  MARK_WORLD = 1,  /* what stands in for kernel, network and cloud */
  MARK_START = 2,  /* the camera's own work before the measurement begins */
  MARK_REGIONS = 3,
};

/* Counts what follows for `region`. Nothing on other machines than MIPS. */
static inline void mark(enum mark_region region) {
#ifdef __mips__
  register unsigned number __asm__("$2") = MARK_SYSCALL;
  register unsigned magic __asm__("$4") = MARK_MAGIC;
  register unsigned argument __asm__("$5") = (unsigned)region;
  register unsigned failed __asm__("$7");
  __asm__ volatile("syscall"
                   : "+r"(number), "=r"(failed)
                   : "r"(magic), "r"(argument)
                   : "$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25",
                     "hi", "lo", "memory");
#else
  (void)region;
#endif
}

#endif
