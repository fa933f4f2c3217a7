/*
 * How much memory the process has, watched over the measured part in equal windows: of each the
 * least and the most that the engine's heap held, so that a leak shows under the saw-tooth of its
 * collector, and what the process has mapped.
 */
#ifndef OCELLUS_BENCH_MEMORY_H
#define OCELLUS_BENCH_MEMORY_H

#include <stdint.h>

#define MEMORY_WINDOWS 8

/* Begins to watch from `from_us` to `end_us`. */
void memory_watch(uint64_t from_us, uint64_t end_us);

/* Looks; called often. Cheap but at the end of a window. */
void memory_look(uint64_t now_us);

/* Prints ,"heap_low":[…],"heap_high":[…],"mapped":[…]: bytes, one for each window. */
void memory_print(void);

#endif
