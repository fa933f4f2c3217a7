/*
 * Access units: which NAL units form one frame (ITU-T H.264 7.4.1.2.3), for progressive streams
 * without arbitrary slice order or redundant pictures, which is what cameras make.
 */
#ifndef OCELLUS_H264_ACCESS_UNIT_H
#define OCELLUS_H264_ACCESS_UNIT_H

#include <stdint.h>

#include "nal.h"

/* One access unit of a byte stream. Borrows its bytes. */
struct access_unit {
  const uint8_t *bytes;  /* from its first start code … */
  size_t length;         /* … to the start code of the next access unit */
  uint32_t stored_bytes; /* as the ring stores it: 4 + length for each NAL that is kept */
  uint8_t key;           /* an IDR picture */
  uint8_t has_sets;      /* carries an SPS or a PPS */
  uint8_t has_b_slice;   /* would need reordering */
};

/* Whether the ring stores a NAL unit within frames: all but SPS, PPS and access-unit delimiters. */
int access_unit_keeps(struct nal nal);

/* Takes the next access unit that has a picture off the front of a byte stream.
 * 1 and *unit, `walk` moved behind it; or 0 where none is left. */
int access_unit_next(struct nal_walk *walk, struct access_unit *unit);

#endif
