/*
 * Reading bits and Exp-Golomb codes (ITU-T H.264 7.2 and 9.1) out of an unescaped NAL unit. Past
 * the end everything reads as 0 and `failed` stays set: a parser reads a whole structure and looks
 * once.
 */
#ifndef OCELLUS_H264_BITS_H
#define OCELLUS_H264_BITS_H

#include <stddef.h>
#include <stdint.h>

/* A position in bytes it borrows. Start with {bytes, length}. */
struct bits {
  const uint8_t *bytes;
  size_t length;
  size_t at; /* bit, from the start */
  int failed;
};

/* u(count), 0 to 32 bits. */
uint32_t bits_u(struct bits *bits, unsigned count);

/* ue(v): 0 to 2^32 - 2. Fails on longer codes. */
uint32_t bits_ue(struct bits *bits);

/* se(v). */
int32_t bits_se(struct bits *bits);

#endif
