/*
 * The arena: all memory for sealed footage that is being written or waits, allocated once.
 *
 * It is handed out in runs of whole units; a bitmap tells which are taken. A run is the first that
 * fits, so that memory a calm camera never needs is never touched. A unit is a 128th of a full
 * chunk: rounding costs half a unit for each run on average, 0.4 % of a full chunk's.
 */
#ifndef OCELLUS_HOST_ARENA_H
#define OCELLUS_HOST_ARENA_H

#include <stdbool.h>
#include <stdint.h>

#define ARENA_UNIT_BYTES 256u
#define ARENA_NONE 0xffffffffu

/* Allocates `bytes`, rounded down to whole units. False where there is not that much memory. */
bool arena_open(uint32_t bytes);

/* Frees it all. Doing it twice is harmless. */
void arena_close(void);

/* Takes a run of at least `bytes` (1 or more). Its first unit, or ARENA_NONE where no run is free.
 */
uint32_t arena_take(uint32_t bytes);

/* Gives a run back; `bytes` as it was taken. Aborts where a unit of it is free. */
void arena_give(uint32_t unit, uint32_t bytes);

/* The memory of a run, aligned to ARENA_UNIT_BYTES. */
void *arena_at(uint32_t unit);

/* What a run of that many bytes occupies. */
uint32_t arena_rounded(uint32_t bytes);

uint32_t arena_bytes(void);
uint32_t arena_used_bytes(void);

#endif
