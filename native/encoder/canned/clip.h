/*
 * A clip: an H.264 byte stream in a file, indexed once so that playing it costs no search. The file
 * is mapped, not read, since a camera has no room for it; cutting the file short while it plays ends
 * the program.
 */
#ifndef OCELLUS_CANNED_CLIP_H
#define OCELLUS_CANNED_CLIP_H

#include <stddef.h>
#include <stdint.h>

#include "../../h264/access_unit.h"
#include "../common/parameter_sets.h"

/* A frame rate as a fraction; 0/0 where unknown. */
struct frame_rate {
  uint32_t numerator;
  uint32_t denominator;
};

/* Parameter sets that come into force at some frame. */
struct clip_config {
  struct parameter_sets sets;
  struct sps sps; /* the active one */
  struct frame_rate rate;
};

struct clip_frame {
  struct access_unit unit; /* borrows from the mapping */
  uint64_t time_us;        /* when it is due, from the start of the clip */
  uint32_t config;         /* index into clip.configs */
};

/* An opened clip. Members are for reading. */
struct clip {
  const uint8_t *bytes; /* the mapping */
  size_t length;
  struct clip_frame *frames;
  uint32_t frame_count; /* 1 or more; the first is a key frame */
  struct clip_config *configs;
  uint32_t config_count;
  uint64_t duration_us;          /* from the first frame to where the next loop's first belongs */
  uint32_t skipped;              /* frames left out before the first key frame */
  uint32_t largest_stored_bytes; /* of all frames, as the ring stores them */
};

/* Part of a file or block device; 0/0 is all of it. `offset` is a multiple of a page. */
struct clip_range {
  uint64_t offset;
  uint64_t bytes;
};

/* Longest sentence clip_open() writes, with its end. */
#define CLIP_ERROR_BYTES 256

/* Opens and indexes a clip, in `range` of what stands at `path`. Frames are `rate` apart; where that is 0/0, as the SPS says, or 1/25 s.
 * 0; or -1 and one sentence in `error`: unreadable, no H.264 byte stream, B-frames (the ring keeps
 * capture order, a camera makes none), parameter sets missing or changing between key frames. */
int clip_open(struct clip *clip, const char *path, struct clip_range range, struct frame_rate rate,
              char error[CLIP_ERROR_BYTES]);

/* Unmaps and frees. */
void clip_close(struct clip *clip);

#endif
