/*
 * What the fuzz targets share. Each file beside this one is a libFuzzer program; its kept inputs
 * are in corpus/<its name>. Besides what sanitizers see, a target checks what the function under
 * test promises, and aborts where it is not so.
 */
#ifndef OCELLUS_FUZZ_FUZZ_H
#define OCELLUS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* libFuzzer's entry point: one input. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise. */
static inline void must(int holds) {
  if (!holds)
    abort();
}

#endif
