#define _GNU_SOURCE
#include "arena.h"

#include <stdlib.h>
#include <sys/mman.h>

#define WORD_BITS 32u

static uint8_t *memory;
static uint32_t *taken; /* bit n % 32 of word n / 32: unit n */
static uint32_t unit_count;
static uint32_t used_count;

bool arena_open(uint32_t bytes) {
  unit_count = bytes / ARENA_UNIT_BYTES;
  used_count = 0;
  taken = calloc(unit_count / WORD_BITS + 1, sizeof *taken);
  /* Mapped and not malloc'ed: page-aligned, and pages are there when first used. */
  void *mapped = mmap(NULL, (size_t)unit_count * ARENA_UNIT_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memory = mapped == MAP_FAILED ? NULL : mapped;
  if (taken != NULL && memory != NULL)
    return true;
  arena_close();
  return false;
}

void arena_close(void) {
  if (memory != NULL)
    munmap(memory, (size_t)unit_count * ARENA_UNIT_BYTES);
  free(taken);
  memory = NULL;
  taken = NULL;
  unit_count = 0;
}

static bool is_taken(uint32_t unit) {
  return (taken[unit / WORD_BITS] >> (unit % WORD_BITS) & 1u) != 0;
}

/* First unit of the first free run of `count` units. */
static uint32_t find(uint32_t count) {
  uint32_t run = 0;
  for (uint32_t unit = 0; unit < unit_count; unit++) {
    if (unit % WORD_BITS == 0 && taken[unit / WORD_BITS] == 0xffffffffu) {
      run = 0;
      unit += WORD_BITS - 1;
      continue;
    }
    run = is_taken(unit) ? 0 : run + 1;
    if (run == count)
      return unit + 1 - count;
  }
  return ARENA_NONE;
}

static void mark(uint32_t unit, uint32_t count, bool take) {
  if (unit >= unit_count || count > unit_count - unit)
    abort();
  for (uint32_t at = unit; at < unit + count; at++) {
    if (is_taken(at) == take)
      abort();
    taken[at / WORD_BITS] ^= 1u << (at % WORD_BITS);
  }
}

uint32_t arena_take(uint32_t bytes) {
  uint32_t count = arena_rounded(bytes) / ARENA_UNIT_BYTES;
  uint32_t unit = count == 0 || count > unit_count - used_count ? ARENA_NONE : find(count);
  if (unit == ARENA_NONE)
    return ARENA_NONE;
  mark(unit, count, true);
  used_count += count;
  return unit;
}

void arena_give(uint32_t unit, uint32_t bytes) {
  uint32_t count = arena_rounded(bytes) / ARENA_UNIT_BYTES;
  mark(unit, count, false);
  used_count -= count;
}

void *arena_at(uint32_t unit) { return memory + (size_t)unit * ARENA_UNIT_BYTES; }

uint32_t arena_rounded(uint32_t bytes) {
  return bytes / ARENA_UNIT_BYTES * ARENA_UNIT_BYTES +
         (bytes % ARENA_UNIT_BYTES != 0 ? ARENA_UNIT_BYTES : 0);
}

uint32_t arena_bytes(void) { return unit_count * ARENA_UNIT_BYTES; }

uint32_t arena_used_bytes(void) { return used_count * ARENA_UNIT_BYTES; }
