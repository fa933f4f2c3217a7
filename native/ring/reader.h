/*
 * Reading a ring (ring.h): descriptors first, payload afterwards, straight to where it is needed.
 *
 *     struct ring_reader reader;
 *     if (ring_attach(&reader, ring_fd) != RING_OK) …
 *     for each wake-up:
 *       while ((result = ring_next(&reader, &frame)) == RING_OK)
 *         … ring_read(&reader, &frame, 0, destination, frame.bytes) …
 *     ring_detach(&reader);
 *
 * A reader is a plain struct owned by its caller, used by one thread at a time. After attaching it
 * allocates nothing and makes no system call. Any number of readers may be attached to one ring.
 *
 * A reader that falls so far behind that the writer overtook it is moved to the newest key frame;
 * what it missed is counted and the next frame says so (`lost_before`, RING_FRAME_DISCONTINUITY).
 */
#ifndef OCELLUS_RING_READER_H
#define OCELLUS_RING_READER_H

#include <stddef.h>

#include "guard.h"
#include "ring.h"

/* Counters since attaching. Of all frames the reader went past, each is counted exactly once. */
struct ring_stats {
  uint64_t delivered; /* frames handed out by ring_next() and not found overwritten later */
  uint64_t lost;      /* frames that could not be handed out, or were overwritten before read */
  uint64_t laps;      /* times the reader was overtaken */
};

/* A reader. All members are private but `stats` and `stream`. */
struct ring_reader {
  struct ring_guard guard; /* the mapping, and whether the file was cut short under it */
  const struct ring_header *header;
  const struct ring_slot *slots;
  const struct ring_config_entry *configs;
  const uint8_t *data;
  uint32_t data_bytes;
  uint32_t slot_count;
  uint32_t stream;        /* header.stream at attach */
  uint32_t next_seq;      /* frame ring_next() looks at */
  uint32_t delivered_seq; /* last frame handed out, while has_delivered */
  uint32_t delivered_generation;
  uint32_t lost_before; /* frames lost since the last one handed out */
  uint32_t lapped_seq;  /* frame last counted as lost by ring_read(), while has_lapped */
  uint8_t has_delivered;
  uint8_t has_lapped;
  uint8_t must_jump; /* go to the newest key frame first: a lap was seen */
  uint8_t need_key;  /* hand out nothing before the next key frame */
  struct ring_stats stats;
};

/* One frame: everything about it but its bytes. A copy, valid as long as the caller keeps it; its
 * bytes can be read until the writer laps them. */
struct ring_frame {
  uint32_t seq;         /* sequence number, wraps */
  uint32_t position;    /* for ring_read() */
  uint32_t bytes;       /* payload length, 1 or more */
  uint32_t flags;       /* RING_FRAME_*; unknown bits are cleared */
  uint32_t generation;  /* for ring_config() */
  uint32_t lost_before; /* frames lost between the one handed out before and this one */
  uint64_t capture_us;  /* CLOCK_MONOTONIC, µs; not checked: may run backwards in a hostile ring */
};

/* Parameter sets of one generation, checked: both lists are well-formed, every unit of the first is
 * an SPS of 4 bytes or more, every unit of the second a PPS; 1 to 31 SPS, 1 to 255 PPS. They are
 * what an avcC box holds behind its two counts. */
struct ring_config {
  uint32_t generation;
  uint32_t width;             /* pixels, 1 to 16,384 */
  uint32_t height;            /* pixels, 1 to 16,384 */
  uint32_t frame_interval_us; /* nominal; 0 unknown */
  uint32_t sps_count;
  uint32_t pps_count;
  uint32_t sps_bytes; /* the SPS list: sets[0 … sps_bytes) */
  uint32_t pps_bytes; /* the PPS list: sets[sps_bytes … sps_bytes + pps_bytes) */
  uint8_t sets[RING_SETS_BYTES];
};

/* Maps the ring behind `fd` read-only and places the reader at the newest key frame, or before the
 * next one to come. `fd` stays the caller's and may be closed at once. The first call in a process
 * installs the SIGBUS handler of guard.h.
 * RING_OK; RING_NOT_A_RING, RING_BAD_VERSION, RING_BAD_LAYOUT (file too short, not a regular file,
 * sizes that contradict each other), RING_BROKEN (cut short meanwhile), RING_SYSTEM. On failure
 * there is nothing to detach. */
enum ring_result ring_attach(struct ring_reader *reader, int fd);

/* Unmaps. Frames already described stay valid as descriptions. Doing it twice is harmless. */
void ring_detach(struct ring_reader *reader);

/* The next frame's descriptor, in order.
 * RING_OK; RING_EMPTY; RING_ENDED (after the last frame); RING_BROKEN. Being lapped is not a result
 * here: the reader jumps, and the frame it hands out says how many were lost. */
enum ring_result ring_next(struct ring_reader *reader, struct ring_frame *frame);

/* Copies `bytes` bytes from `offset` of a frame's payload to `destination`, then checks that they
 * had not been overwritten meanwhile. May be called in parts and more than once, for any frame
 * ring_next() handed out, not only the last. Zero bytes is a pure check.
 * RING_OK; RING_LAPPED (the destination's content is then undefined; the frame counts as lost once,
 * and ring_next() will jump); RING_BROKEN. Reading past the end of the frame aborts: it is the
 * caller's mistake. */
enum ring_result ring_read(struct ring_reader *reader, const struct ring_frame *frame,
                           uint32_t offset, void *destination, uint32_t bytes);

/* The parameter sets of a generation.
 * RING_OK; RING_LAPPED (overwritten, or not written yet); RING_BROKEN (malformed). */
enum ring_result ring_config(struct ring_reader *reader, uint32_t generation,
                             struct ring_config *config);

enum ring_seek {
  RING_SEEK_NEWEST_KEY,       /* live: as late as possible */
  RING_SEEK_OLDEST_KEY,       /* everything the ring still holds */
  RING_SEEK_KEY_AT_OR_BEFORE, /* the newest key frame captured at `capture_us` or earlier; the
                                 oldest one held where none is early enough */
};

/* Moves the reader so that ring_next() goes on with that key frame. Frames skipped or repeated by a
 * seek are not counted as lost. `capture_us` is only looked at by RING_SEEK_KEY_AT_OR_BEFORE.
 * RING_OK; RING_EMPTY (no key frame is held: the next one to come will be handed out); RING_BROKEN.
 */
enum ring_result ring_seek(struct ring_reader *reader, enum ring_seek where, uint64_t capture_us);

/* How far behind the writer: complete frames not yet handed out. 0 when broken. */
uint32_t ring_lag_frames(struct ring_reader *reader);

#endif
