#include "bits.h"

static unsigned one_bit(struct bits *bits) {
  if (bits->at >= bits->length * 8) {
    bits->failed = 1;
    return 0;
  }
  unsigned bit = bits->bytes[bits->at / 8] >> (7 - bits->at % 8) & 1u;
  bits->at++;
  return bit;
}

uint32_t bits_u(struct bits *bits, unsigned count) {
  uint32_t value = 0;
  for (unsigned i = 0; i < count; i++)
    value = value << 1 | one_bit(bits);
  return value;
}

uint32_t bits_ue(struct bits *bits) {
  unsigned zeros = 0;
  while (!bits->failed && one_bit(bits) == 0)
    zeros++;
  if (bits->failed || zeros > 31) {
    bits->failed = 1;
    return 0;
  }
  return (uint32_t)((1u << zeros) - 1 + bits_u(bits, zeros));
}

int32_t bits_se(struct bits *bits) {
  uint32_t code = bits_ue(bits);
  int32_t half = (int32_t)(code / 2 + code % 2);
  return code % 2 ? half : -half;
}
