/*
 * Writing a ring (ring.h). One writer per ring, one thread.
 *
 *     struct ring_writer writer;
 *     ring_create(&writer, &options);
 *     ring_set_config(&writer, &sets);
 *     for each access unit:
 *       ring_begin(&writer, sum of (4 + NAL length));
 *       for each NAL unit: ring_put_nal(&writer, nal, length);
 *       ring_commit(&writer, flags, capture_us);
 *     ring_end(&writer);
 *     ring_destroy(&writer);
 *
 * Nothing here ever waits for a reader, and nothing allocates after ring_create().
 */
#ifndef OCELLUS_RING_WRITER_H
#define OCELLUS_RING_WRITER_H

#include <stddef.h>

#include "ring.h"

/* How to make a ring. */
struct ring_options {
  const char *dir; /* an existing directory, on tmpfs for preference; where the file is briefly */
  uint32_t data_bytes; /* 0: RING_DATA_BYTES_DEFAULT */
  uint32_t slot_count; /* 0: RING_SLOTS_DEFAULT */
  uint32_t stream;     /* goes into the header */
  uint32_t first_seq;  /* number of the first frame; any value, 0 for preference */
};

/* A writer. All members are private but `head_seq` and `generation`. */
struct ring_writer {
  struct ring_header *header;
  struct ring_slot *slots;
  struct ring_config_entry *configs;
  uint8_t *data;
  size_t mapped_bytes;
  int read_fd; /* O_RDONLY */
  uint32_t data_bytes;
  uint32_t slot_count;
  uint32_t head_seq;   /* number the next frame gets */
  uint32_t position;   /* where the next frame goes */
  uint32_t generation; /* current config; 0: none yet */
  uint32_t key_head;
  uint32_t begun_bytes;  /* length given to ring_begin(), 0 outside a frame */
  uint32_t put_bytes;    /* of which this much has been put */
  uint8_t config_is_new; /* no frame of this generation was committed yet */
};

/* Parameter sets for the frames to come; see struct ring_config_entry for the form of the lists. */
struct ring_sets {
  const uint8_t *sps_list;
  uint32_t sps_bytes;
  const uint8_t *pps_list;
  uint32_t pps_bytes;
  uint32_t width; /* pixels, 1 to 16,384 */
  uint32_t height;
  uint32_t frame_interval_us; /* nominal; 0 unknown */
};

/* Creates, reserves (so that a full tmpfs is an error here and not a signal later), maps and
 * unlinks the file. RING_OK; RING_BAD_LAYOUT; RING_SYSTEM. On failure nothing is left behind. */
enum ring_result ring_create(struct ring_writer *writer, const struct ring_options *options);

/* The read-only descriptor to hand out. Borrowed: lives until ring_destroy(). */
int ring_read_fd(const struct ring_writer *writer);

/* Starts a new generation of parameter sets. The next frame must be a key frame.
 * RING_OK; RING_TOO_LARGE (the lists together exceed RING_SETS_BYTES). Aborts within a frame. */
enum ring_result ring_set_config(struct ring_writer *writer, const struct ring_sets *sets);

/* Opens a frame of exactly `bytes` bytes; from here on what it overwrites is lost to readers.
 * RING_OK; RING_TOO_LARGE (0, or more than ring_frame_bytes_max(): nothing was touched). */
enum ring_result ring_begin(struct ring_writer *writer, uint32_t bytes);

/* Appends bytes to the open frame. Aborts past its length. */
void ring_put(struct ring_writer *writer, const void *bytes, uint32_t length);

/* Appends one NAL unit (without start code) behind its 4-byte length: 4 + length bytes. */
void ring_put_nal(struct ring_writer *writer, const uint8_t *nal, uint32_t length);

/* Publishes the open frame; aborts unless it is full, has a config, and is a key frame where the
 * config is new. `flags`: RING_FRAME_KEY and RING_FRAME_DISCONTINUITY. `capture_us`:
 * CLOCK_MONOTONIC, µs. Returns its sequence number. Waking readers is the door's job
 * (door_server.h). */
uint32_t ring_commit(struct ring_writer *writer, uint32_t flags, uint64_t capture_us);

/* Says that no frame will follow. */
void ring_end(struct ring_writer *writer);

/* Unmaps and closes. Readers keep what they have mapped. Doing it twice is harmless. */
void ring_destroy(struct ring_writer *writer);

#endif
