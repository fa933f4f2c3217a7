/*
 * Counts what is allocated and not yet freed, to the byte: the engine's heap and all C memory, the
 * camera's and the world's. Linked into the soak alone, since it costs instructions.
 *
 * calloc is not among the wrapped: musl's takes its memory from malloc, by name, so that it is counted
 * already. Counted twice and freed once, every calloc looked like a leak.
 */
#include <malloc.h>
#include <stdlib.h>

#include "memory.h"

static uint64_t outstanding;

uint64_t allocated_bytes(void) { return outstanding; }

void *__real_malloc(size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void __real_free(void *block);

static void *taken(void *block) {
  if (block != NULL)
    outstanding += malloc_usable_size(block);
  return block;
}

void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes) { return taken(__real_malloc(bytes)); }

void *__wrap_realloc(void *block, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes) {
  uint64_t before = block == NULL ? 0 : malloc_usable_size(block);
  void *moved = __real_realloc(block, bytes);
  if (moved != NULL)
    outstanding -= before;
  return taken(moved);
}

void __wrap_free(void *block);
void __wrap_free(void *block) {
  if (block != NULL)
    outstanding -= malloc_usable_size(block);
  __real_free(block);
}
