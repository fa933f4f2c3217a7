/* The clock of everything here: CLOCK_MONOTONIC, which encoders stamp frames with as well. */
#ifndef OCELLUS_HOST_CLOCK_H
#define OCELLUS_HOST_CLOCK_H

#include <stdint.h>

/* Microseconds of CLOCK_MONOTONIC. */
uint64_t clock_us(void);

#endif
