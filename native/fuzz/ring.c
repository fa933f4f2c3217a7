/*
 * A reader of a hostile ring: starts from a good ring with frames in it; the input is a row of
 * steps, each of which damages the file or does something with the reader.
 */
#define _GNU_SOURCE 1
#include "../ring/ring.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../ring/reader.h"
#include "../ring/writer.h"
#include "fuzz.h"

#define DATA_BYTES 4096u
#define SLOT_COUNT 64u
#define STEPS_MAX 200

static struct ring_writer writer, fresh_writer;
static uint8_t *fresh_file; /* what the file holds before each input */
static uint32_t file_bytes;

static void write_frame(uint32_t bytes, uint32_t flags) {
  static const uint8_t zeros[DATA_BYTES];
  if (ring_begin(&writer, bytes) != RING_OK)
    return;
  ring_put(&writer, zeros, bytes);
  ring_commit(&writer, flags, 1000u * writer.head_seq);
}

static void make_ring(void) {
  static const uint8_t sps_list[] = {0, 4, 0x67, 0x64, 0, 0x28};
  static const uint8_t pps_list[] = {0, 2, 0x68, 0xee, 0, 3, 0x68, 0xef, 1};
  struct ring_options options = {
      .dir = "/dev/shm", .data_bytes = DATA_BYTES, .slot_count = SLOT_COUNT, .first_seq = -20u};
  struct ring_sets sets = {.sps_list = sps_list,
                           .sps_bytes = sizeof sps_list,
                           .pps_list = pps_list,
                           .pps_bytes = sizeof pps_list,
                           .width = 640,
                           .height = 480};
  must(ring_create(&writer, &options) == RING_OK);
  for (uint32_t i = 0; i < 40; i++) {
    if (i % 20 == 0)
      must(ring_set_config(&writer, &sets) == RING_OK);
    write_frame(150 + i, i % 5 == 0 ? RING_FRAME_KEY : 0);
  }
  fresh_writer = writer;
  file_bytes = ring_total_bytes(DATA_BYTES, SLOT_COUNT);
  if (!fresh_file)
    fresh_file = malloc(file_bytes);
  must(fresh_file != NULL);
  memcpy(fresh_file, writer.header, file_bytes);
}

/* Cuts the file short, as its owner can. The ring is of no use afterwards. */
static void cut_short(uint32_t bytes) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", ring_read_fd(&writer));
  must(fchmod(ring_read_fd(&writer), 0600) == 0);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  must(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
  close(fd);
}

/* Takes numbers off an input; zeros at its end. */
struct input {
  const uint8_t *next;
  size_t left;
};

static uint32_t take(struct input *input, unsigned bytes) {
  uint32_t value = 0;
  for (unsigned i = 0; i < bytes; i++) {
    value = value << 8;
    if (input->left) {
      value |= *input->next++;
      input->left--;
    }
  }
  return value;
}

static void check_frame(const struct ring_frame *frame) {
  must(frame->bytes >= 1 && frame->bytes <= ring_frame_bytes_max(DATA_BYTES, SLOT_COUNT));
  must(frame->generation >= 1 && (frame->flags & ~7u) == 0);
}

static void check_list(const uint8_t *list, uint32_t bytes, uint32_t count, unsigned type) {
  uint32_t at = 0;
  for (; count; count--) {
    must(at + 2 < bytes && (list[at + 2] & 31u) == type);
    at += 2 + ((uint32_t)list[at] << 8 | list[at + 1]);
  }
  must(at == bytes);
}

static void check_config(const struct ring_config *config) {
  must(config->width >= 1 && config->width <= 16384 && config->height >= 1 &&
       config->height <= 16384);
  must(config->sps_count >= 1 && config->sps_count <= 31 && config->pps_count >= 1);
  must(config->sps_bytes + config->pps_bytes <= RING_SETS_BYTES);
  check_list(config->sets, config->sps_bytes, config->sps_count, 7);
  check_list(config->sets + config->sps_bytes, config->pps_bytes, config->pps_count, 8);
}

static void read_part(struct ring_reader *reader, const struct ring_frame *frame,
                      struct input *input) {
  if (!frame->bytes)
    return;
  uint32_t offset = take(input, 2) % (frame->bytes + 1);
  uint32_t bytes = take(input, 2) % (frame->bytes - offset + 1);
  uint8_t *destination = malloc(bytes); /* exactly, so that a byte too many is seen */
  enum ring_result result = ring_read(reader, frame, offset, destination, bytes);
  must(result == RING_OK || result == RING_LAPPED || result == RING_BROKEN);
  free(destination);
}

static void poke(uint32_t offset, uint32_t value) {
  _Atomic uint32_t *word = (void *)((uint8_t *)writer.header + offset / 4 * 4);
  atomic_store_explicit(word, value, memory_order_relaxed);
}

/* What became of the file or the reader in a step. */
enum fate { GOES_ON, REFUSED, CUT_SHORT, CUT_AWAY };

/* One step of an input. */
static enum fate step(struct ring_reader *reader, struct ring_frame *frame, struct input *input) {
  enum ring_result result;
  struct ring_config config;
  uint32_t offset;
  switch (take(input, 1) % 12) {
  case 0: /* any word */
    offset = take(input, 2) % file_bytes;
    poke(offset, take(input, 4));
    break;
  case 1: /* a word of the header */
    offset = take(input, 1) % 96 * 4;
    poke(offset, take(input, 4));
    break;
  case 2: /* a word of a slot in use */
    offset = RING_SLOTS_OFFSET + take(input, 2) % (SLOT_COUNT * RING_SLOT_BYTES);
    poke(offset, take(input, 4));
    break;
  case 3: /* a byte of a config entry in use */
    offset = RING_HEADER_BYTES + take(input, 2) % (3 * RING_CONFIG_BYTES);
    ((uint8_t *)writer.header)[offset] = (uint8_t)take(input, 1);
    break;
  case 4:
    write_frame(1 + take(input, 1) * 8, 0);
    break;
  case 5:
    read_part(reader, frame, input);
    break;
  case 6:
    result = ring_seek(reader, (enum ring_seek)(take(input, 1) % 3), take(input, 2));
    must(result == RING_OK || result == RING_EMPTY || result == RING_BROKEN);
    break;
  case 7:
    result = ring_config(reader, take(input, 1) % 16, &config);
    must(result == RING_OK || result == RING_LAPPED || result == RING_BROKEN);
    if (result == RING_OK)
      check_config(&config);
    break;
  case 8:
    ring_detach(reader);
    if (ring_attach(reader, ring_read_fd(&writer)) != RING_OK)
      return REFUSED;
    break;
  case 9:
    ring_lag_frames(reader);
    break;
  case 10:
    if (take(input, 1) != 77) /* seldom: it costs a new ring */
      break;
    offset = take(input, 2) % file_bytes;
    cut_short(offset);
    return offset == 0 ? CUT_AWAY : CUT_SHORT;
  default:
    result = ring_next(reader, frame);
    must(result == RING_OK || result == RING_EMPTY || result == RING_ENDED ||
         result == RING_BROKEN);
    if (result == RING_OK)
      check_frame(frame);
    else
      frame->bytes = 0;
  }
  return GOES_ON;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!writer.header)
    make_ring();
  writer = fresh_writer;
  memcpy(writer.header, fresh_file, file_bytes);

  struct input input = {.next = data, .left = size};
  struct ring_reader reader;
  struct ring_frame frame = {0};
  must(ring_attach(&reader, ring_read_fd(&writer)) == RING_OK);
  enum fate fate = GOES_ON;
  for (int i = 0; i < STEPS_MAX && input.left && fate == GOES_ON; i++)
    fate = step(&reader, &frame, &input);
  if (fate == CUT_SHORT || fate == CUT_AWAY) {
    /* Whatever the reader does now, it lives. Writing would not: a writer owns its file. */
    enum ring_result result = ring_next(&reader, &frame);
    must(fate == CUT_SHORT || result == RING_BROKEN);
    struct ring_config config;
    ring_config(&reader, 1, &config);
    ring_seek(&reader, RING_SEEK_OLDEST_KEY, 0);
  }
  ring_detach(&reader);
  if (fate == CUT_SHORT || fate == CUT_AWAY) {
    ring_destroy(&writer);
    make_ring();
  }
  return 0;
}
