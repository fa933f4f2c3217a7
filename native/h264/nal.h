/*
 * NAL units of an H.264 byte stream (ITU-T H.264 7.3.1 and Annex B). Pure functions over memory;
 * every access is checked against the bounds given.
 */
#ifndef OCELLUS_H264_NAL_H
#define OCELLUS_H264_NAL_H

#include <stddef.h>
#include <stdint.h>

/* nal_unit_type (table 7-1), those we tell apart. */
enum nal_type {
  NAL_SLICE = 1,        /* a slice of a picture that is not IDR */
  NAL_SLICE_PART_A = 2, /* slice data partitions, Extended profile */
  NAL_SLICE_PART_B = 3,
  NAL_SLICE_PART_C = 4,
  NAL_SLICE_IDR = 5,
  NAL_SEI = 6,
  NAL_SPS = 7,
  NAL_PPS = 8,
  NAL_AUD = 9, /* access-unit delimiter */
  NAL_END_OF_SEQUENCE = 10,
  NAL_END_OF_STREAM = 11,
  NAL_FILLER = 12,
  NAL_PREFIX = 14, /* 14 to 18 start a new access unit, as SEI does (7.4.1.2.3) */
  NAL_RESERVED_18 = 18,
};

/* One NAL unit: header byte first, without start code or trailing zero bytes. Borrows its bytes. */
struct nal {
  const uint8_t *bytes;
  size_t length; /* 1 or more */
};

/* nal_unit_type of a unit: 0 to 31. */
static inline unsigned nal_type(struct nal nal) { return nal.bytes[0] & 0x1fu; }

/* Walks through the NAL units of a byte stream. Start with `next` at its first byte. */
struct nal_walk {
  const uint8_t *next;
  const uint8_t *end;
};

/* The next NAL unit: what stands between one start code (00 00 01) and the next, or the end, less
 * trailing zero bytes. Bytes before the first start code, and empty units, are passed over.
 * 1 and *nal; or 0 at the end. */
int nal_next(struct nal_walk *walk, struct nal *nal);

/* Takes emulation prevention away (7.4.1: 00 00 03 becomes 00 00) while copying at most `room`
 * payload bytes of the unit, its header byte included. Returns how many were written. */
size_t nal_unescape(struct nal nal, uint8_t *out, size_t room);

#endif
