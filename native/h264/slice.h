/*
 * The first fields of a slice header (ITU-T H.264 7.3.3), enough to find where pictures start and
 * to see whether they can be stored without reordering. Pure; takes any bytes.
 */
#ifndef OCELLUS_H264_SLICE_H
#define OCELLUS_H264_SLICE_H

#include <stdint.h>

#include "nal.h"

struct slice {
  uint8_t idr;       /* nal_unit_type is 5 */
  uint8_t type;      /* 0 P, 1 B, 2 I, 3 SP, 4 SI: slice_type modulo 5 */
  uint32_t first_mb; /* first_mb_in_slice: 0 starts a picture (no arbitrary slice order) */
  uint32_t pps_id;   /* 0 to 255 */
};

/* Parses the start of a slice (types 1, 2 and 5). 1 and *slice; or 0 where it is none, or cut
 * short. */
int slice_parse(struct nal nal, struct slice *slice);

#endif
