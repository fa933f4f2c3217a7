/*
 * The ring: encoded footage in shared memory, one writer, many read-only readers.
 *
 * This file is the format; reader.h and writer.h are the two ways to use it, door.h is how a reader
 * gets hold of one. Writer and readers run on one machine, so every number has that machine's byte
 * order, except inside video data, which is big-endian as H.264 is.
 *
 *
 * The file
 * ========
 *
 *      0  struct ring_header              4,096 bytes
 *   4096  struct ring_config_entry[8]     8,192 bytes   parameter sets, by generation modulo 8
 *  12288  struct ring_slot[slot_count]    32 bytes each frame n in slot n modulo slot_count
 *  align  data                            data_bytes    starts at the next multiple of 4,096
 *
 * The file lives on tmpfs. Its writer creates it O_EXCL with mode 0600, reserves all of its memory,
 * opens it a second time O_RDONLY, unlinks it, and takes even its own write permission off the
 * inode; only the O_RDONLY descriptor is ever handed out. (Sealed memfds would do, but the cameras'
 * kernel is 3.10 and has none.) A ring is never resized, reset or reused: a writer that starts
 * again makes a new one.
 *
 *
 * What is stored
 * ==============
 *
 * A frame is one access unit (ITU-T H.264 7.4.1.2.3) as NAL units, each preceded by its length in 4
 * bytes big-endian: a sample as ISO/IEC 14496-15 wants it (lengthSizeMinusOne = 3). Access-unit
 * delimiters (type 9), SPS (7) and PPS (8) are left out; everything else, SEI included, is kept in
 * order and byte for byte, without trailing zero bytes. SPS and PPS stand in a config entry; a
 * frame names the entry it needs by its generation.
 *
 * Frames are numbered by 32-bit sequence numbers that wrap, starting at header.first_seq, and lie
 * at 32-bit positions that wrap: byte p of the stream of all frames stands at data[p &
 * (data_bytes-1)]. So a frame may lie in two parts: up to the end of the data area and on from its
 * start. Nothing here is 64 bits wide, because a 64-bit atomic is a lock on MIPS32 and a lock is
 * private to a process; a 64-bit capture time is two words under its slot's guard.
 *
 *
 * Invariants and memory order
 * ===========================
 *
 *  I1  Bytes at positions [data_head - data_bytes, data_head) are the newest written; all others may be
 *      torn. data_head counts a frame's bytes from *before* the first of them is written.
 *  I2  slot[n % slot_count].seq == n means: all other words of the slot belong to frame n. While a slot
 *      is rewritten its seq holds n + 1, which belongs to another slot and so matches no reader.
 *  I3  head_seq - 1 is the newest complete frame. When a reader sees head_seq, the slot, payload, config
 *      entry and key-index entry of every frame before it have been written.
 *  I4  config[g % 8].generation == g means what I2 means, for a config entry.
 *  I5  keys[k % 64] for the newest 64 values of k below key_head are sequence numbers of key frames.
 *  I6  A reader never sees a 32-bit position or sequence number come round to the same value and take
 *      it for the old one: slot_count x (largest frame) <= 2^31, so a slot is reused (which I2 shows)
 *      long before positions wrap, and sequence numbers wrap after years.
 *
 * The writer, for each frame:
 *
 *      data_head = position + bytes            relaxed
 *      fence(release)                          a reader that sees any new byte sees this data_head
 *      payload
 *      slot.seq = n + 1                        relaxed
 *      fence(release)
 *      slot words                              relaxed
 *      slot.seq = n                            release
 *      keys[], key_head                        relaxed, release (key frames only)
 *      head_seq = n + 1                        release
 *
 * The reader:
 *
 *      head_seq                                acquire
 *      slot.seq == n ?                         acquire
 *      slot words, copied out                  relaxed
 *      fence(acquire); slot.seq == n still ?   relaxed
 *      payload, copied out
 *      fence(acquire)
 *      slot.seq == n still ?                   relaxed
 *      data_head - position <= data_bytes ?    relaxed; otherwise what was copied is thrown away
 *
 * The payload copy may run while the writer overwrites its source: it is then thrown away. (C11
 * calls that a race on plain bytes; like every seqlock this one relies on memcpy being a copy, and
 * the fences on both sides make the check sound: fence to fence synchronisation, C11 7.17.4.)
 *
 * A writer killed at any point leaves at worst a data_head that covers a frame that never came: the
 * frames it would have overwritten are gone, all others stay readable.
 *
 *
 * Trust
 * =====
 *
 * Readers take the file for hostile, since the writer is linked with a vendor's closed SDK: every
 * word is loaded once into a local, checked, and only then used; layout is computed from data_bytes
 * and slot_count, and no offset is taken from the file. A file cut short under a reader is a typed
 * result as well (guard.h).
 */
#ifndef OCELLUS_RING_RING_H
#define OCELLUS_RING_RING_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

static_assert(ATOMIC_INT_LOCK_FREE == 2, "32-bit atomics must be lock-free between processes");
static_assert(sizeof(_Atomic uint32_t) == 4, "32-bit atomics must be plain words");

#define RING_MAGIC 0x524c434fu /* "OCLR" in a file written by a little-endian machine */
#define RING_VERSION 1u

#define RING_HEADER_BYTES 4096u
#define RING_CONFIGS 8u         /* config entries, a power of two */
#define RING_CONFIG_BYTES 1024u /* one config entry */
#define RING_KEYS 64u           /* key frames in the index, a power of two */
#define RING_SLOT_BYTES 32u
#define RING_SLOTS_OFFSET (RING_HEADER_BYTES + RING_CONFIGS * RING_CONFIG_BYTES)
#define RING_PAGE_BYTES 4096u /* alignment of the data area */

#define RING_SLOTS_MIN 64u
#define RING_SLOTS_MAX 4096u
#define RING_SLOTS_DEFAULT 1024u /* 40 s at 25 frames/s */
#define RING_DATA_BYTES_MIN 4096u
#define RING_DATA_BYTES_MAX (64u << 20)
#define RING_DATA_BYTES_DEFAULT (4u << 20) /* 16 s at 2 Mbit/s */

/* Parameter sets of one generation: SPS list and PPS list together. The longest seen from camera
 * encoders is under 100; an SPS with all scaling lists written out stays under 700. */
#define RING_SETS_BYTES (RING_CONFIG_BYTES - 32u)

/* Frame flags. In a slot the first two; unknown bits are ignored by readers. */
#define RING_FRAME_KEY 1u           /* an IDR access unit: decoding can start here */
#define RING_FRAME_DISCONTINUITY 2u /* footage is missing between the frame before and this one */
/* In a reader's descriptor also: its generation is not that of the frame handed out before. */
#define RING_FRAME_NEW_CONFIG 4u

/* header.state */
#define RING_STATE_RUNNING 1u
#define RING_STATE_ENDED 2u /* no frame will follow head_seq: the footage is over */

/* What any ring operation can say. Each function names those it returns. */
enum ring_result {
  RING_OK = 0,
  RING_EMPTY,       /* nothing new yet: wait for the eventfd */
  RING_ENDED,       /* nothing new, and nothing will come: the writer finished its footage */
  RING_LAPPED,      /* the writer has overwritten what was asked for */
  RING_BROKEN,      /* the ring is cut short or contradicts itself: detach, connect again */
  RING_TOO_LARGE,   /* a frame or its parameter sets do not fit into this ring */
  RING_NOT_A_RING,  /* attach: wrong magic */
  RING_BAD_VERSION, /* attach: another version of this format */
  RING_BAD_LAYOUT,  /* attach or create: sizes outside the limits above, or not adding up */
  RING_SYSTEM,      /* a system call failed: errno tells */
};

/* One sentence fragment for a result, lower case, without a full stop. Static storage. */
const char *ring_result_text(enum ring_result result);

/* The first page. Words up to `reserved0` are written once before the file is handed out. */
struct ring_header {
  _Atomic uint32_t magic;        /* RING_MAGIC */
  _Atomic uint32_t version;      /* RING_VERSION */
  _Atomic uint32_t header_bytes; /* RING_HEADER_BYTES */
  _Atomic uint32_t total_bytes;  /* the whole file, as ring_total_bytes() computes it */
  _Atomic uint32_t data_bytes;   /* a power of two, RING_DATA_BYTES_MIN to _MAX */
  _Atomic uint32_t slot_count;   /* a power of two, RING_SLOTS_MIN to _MAX */
  _Atomic uint32_t stream;       /* which of a camera's streams: 0 main, 1 sub */
  _Atomic uint32_t first_seq;    /* sequence number of the first frame ever written */
  _Atomic uint32_t reserved0[8]; /* zero */

  _Atomic uint32_t head_seq;      /* sequence number the next frame will get */
  _Atomic uint32_t data_head;     /* position up to which bytes may be being overwritten (I1) */
  _Atomic uint32_t key_head;      /* how many key frames were ever indexed, wraps */
  _Atomic uint32_t config_head;   /* newest generation; 0 before the first, then 1, 2, … */
  _Atomic uint32_t state;         /* RING_STATE_* */
  _Atomic uint32_t reserved1[11]; /* zero */

  _Atomic uint32_t keys[RING_KEYS]; /* sequence numbers of the last key frames (I5) */
  _Atomic uint32_t reserved2[928];  /* zero */
};
static_assert(sizeof(struct ring_header) == RING_HEADER_BYTES, "header layout");

/* One frame. */
struct ring_slot {
  _Atomic uint32_t seq;           /* guard (I2) */
  _Atomic uint32_t position;      /* of its first byte */
  _Atomic uint32_t bytes;         /* length, 1 to ring_frame_bytes_max() */
  _Atomic uint32_t flags;         /* RING_FRAME_* */
  _Atomic uint32_t generation;    /* config entry its SPS and PPS stand in, 1 or more */
  _Atomic uint32_t capture_us_lo; /* capture time on CLOCK_MONOTONIC, µs, low and high word */
  _Atomic uint32_t capture_us_hi;
  _Atomic uint32_t hints; /* reserved for temporal layer and worth; zero */
};
static_assert(sizeof(struct ring_slot) == RING_SLOT_BYTES, "slot layout");

/* The parameter sets frames of one generation need. Both lists have the form of an avcC box
 * (ISO/IEC 14496-15 5.3.3.1): for each NAL unit its length in 2 bytes big-endian, then its bytes,
 * NAL header included. */
struct ring_config_entry {
  _Atomic uint32_t generation; /* guard (I4) */
  _Atomic uint32_t width;      /* pixels shown, after cropping */
  _Atomic uint32_t height;
  _Atomic uint32_t frame_interval_us; /* nominal, rounded; 0 unknown */
  _Atomic uint32_t sps_bytes;         /* length of the SPS list */
  _Atomic uint32_t pps_bytes;         /* length of the PPS list, which follows the SPS list */
  _Atomic uint32_t reserved[2];       /* zero */
  uint8_t sets[RING_SETS_BYTES];
};
static_assert(sizeof(struct ring_config_entry) == RING_CONFIG_BYTES, "config layout");

/* Whether the sizes are allowed: powers of two within the limits above. Nonzero if they are. */
int ring_layout_ok(uint32_t data_bytes, uint32_t slot_count);

/* Offset of the data area in the file, for an allowed slot_count. */
uint32_t ring_data_offset(uint32_t slot_count);

/* Size of the whole file, for allowed sizes. At most 64 MiB + 144 KiB. */
uint32_t ring_total_bytes(uint32_t data_bytes, uint32_t slot_count);

/* The largest frame such a ring takes: half of the data area, and 2^31 / slot_count (I6). */
uint32_t ring_frame_bytes_max(uint32_t data_bytes, uint32_t slot_count);

#endif
