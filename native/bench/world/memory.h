/*
 * How much memory the process has, watched over the measured part in equal windows: of each the least
 * and the most, looked at whenever the world is. The least is what shows a leak: the engine's collector
 * makes a saw-tooth, and a single look would land anywhere on it.
 */
#ifndef OCELLUS_BENCH_MEMORY_H
#define OCELLUS_BENCH_MEMORY_H

#include <stdint.h>

#define MEMORY_WINDOWS 8

/* Begins to watch from `from_us` to `end_us`. */
void memory_watch(uint64_t from_us, uint64_t end_us);

/* Looks; called often. */
void memory_look(uint64_t now_us);

/* Prints ,"heap_high":[…],"allocated_low":[…],"mapped_high":[…]: bytes, one for each window. */
void memory_print(void);

/* Bytes allocated and not freed (allocation.c). Only the soak has it. */
__attribute__((weak)) uint64_t allocated_bytes(void);

#endif
