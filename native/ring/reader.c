#define _GNU_SOURCE 1
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DIMENSION_MAX 16384u
#define SLOT_FLAGS (RING_FRAME_KEY | RING_FRAME_DISCONTINUITY)

static uint32_t word(const _Atomic uint32_t *from) {
  return atomic_load_explicit(from, memory_order_relaxed);
}

static uint32_t word_acquire(const _Atomic uint32_t *from) {
  return atomic_load_explicit(from, memory_order_acquire);
}

/* ---- attaching ------------------------------------------------------------------------------- */

static enum ring_result check_header(struct ring_reader *reader, size_t file_bytes) {
  const struct ring_header *header = reader->guard.base;
  if (word_acquire(&header->magic) != RING_MAGIC)
    return RING_NOT_A_RING;
  if (word(&header->version) != RING_VERSION)
    return RING_BAD_VERSION;
  uint32_t data_bytes = word(&header->data_bytes);
  uint32_t slot_count = word(&header->slot_count);
  if (word(&header->header_bytes) != RING_HEADER_BYTES || !ring_layout_ok(data_bytes, slot_count) ||
      word(&header->total_bytes) != ring_total_bytes(data_bytes, slot_count) ||
      file_bytes != ring_total_bytes(data_bytes, slot_count))
    return RING_BAD_LAYOUT;

  const uint8_t *base = reader->guard.base;
  reader->header = header;
  reader->configs = (const void *)(base + RING_HEADER_BYTES);
  reader->slots = (const void *)(base + RING_SLOTS_OFFSET);
  reader->data = base + ring_data_offset(slot_count);
  reader->data_bytes = data_bytes;
  reader->slot_count = slot_count;
  reader->stream = word(&header->stream);
  return RING_OK;
}

enum ring_result ring_attach(struct ring_reader *reader, int fd) {
  *reader = (struct ring_reader){0};
  struct stat file;
  if (fstat(fd, &file) != 0)
    return RING_SYSTEM;
  if (!S_ISREG(file.st_mode) || file.st_size < (off_t)RING_HEADER_BYTES ||
      file.st_size > (off_t)ring_total_bytes(RING_DATA_BYTES_MAX, RING_SLOTS_MAX))
    return RING_BAD_LAYOUT;
  if (ring_guard_map(&reader->guard, fd, (size_t)file.st_size) != 0)
    return RING_SYSTEM;

  ring_guard_enter(&reader->guard);
  enum ring_result result = check_header(reader, (size_t)file.st_size);
  if (ring_guard_leave(&reader->guard))
    result = RING_BROKEN;
  if (result == RING_OK && ring_seek(reader, RING_SEEK_NEWEST_KEY, 0) == RING_BROKEN)
    result = RING_BROKEN;
  if (result != RING_OK)
    ring_detach(reader);
  return result;
}

void ring_detach(struct ring_reader *reader) { ring_guard_unmap(&reader->guard); }

/* ---- slots ----------------------------------------------------------------------------------- */

/* Copies frame `seq` out of its slot: RING_OK, RING_LAPPED, RING_BROKEN. */
static enum ring_result load_slot(const struct ring_reader *reader, uint32_t seq,
                                  struct ring_frame *frame) {
  const struct ring_slot *slot = &reader->slots[seq & (reader->slot_count - 1)];
  if (word_acquire(&slot->seq) != seq)
    return RING_LAPPED;
  uint32_t capture_us_lo = word(&slot->capture_us_lo);
  uint32_t capture_us_hi = word(&slot->capture_us_hi);
  *frame = (struct ring_frame){
      .seq = seq,
      .position = word(&slot->position),
      .bytes = word(&slot->bytes),
      .flags = word(&slot->flags) & SLOT_FLAGS,
      .generation = word(&slot->generation),
      .capture_us = (uint64_t)capture_us_hi << 32 | capture_us_lo,
  };
  atomic_thread_fence(memory_order_acquire);
  if (word(&slot->seq) != seq)
    return RING_LAPPED;

  uint32_t written = word(&reader->header->data_head) - frame->position;
  if (written > reader->data_bytes)
    return RING_LAPPED;
  if (frame->bytes == 0 || frame->bytes > written || frame->generation == 0 ||
      frame->bytes > ring_frame_bytes_max(reader->data_bytes, reader->slot_count))
    return RING_BROKEN;
  return RING_OK;
}

/* Looks through the key index for frames that are held, complete, and no older than `oldest_seq`.
 * Returns whether there is one, and its descriptor. `head` is a head_seq loaded with acquire. */
static int find_key(const struct ring_reader *reader, uint32_t head, uint32_t oldest_seq,
                    enum ring_seek where, uint64_t capture_us, struct ring_frame *found) {
  int have = 0, have_early = 0;
  uint32_t key_head = word_acquire(&reader->header->key_head);
  for (uint32_t back = 1; back <= RING_KEYS; back++) {
    uint32_t seq = word(&reader->header->keys[(key_head - back) % RING_KEYS]);
    uint32_t age = head - seq;
    struct ring_frame frame;
    if (age == 0 || age > reader->slot_count || age > head - oldest_seq ||
        load_slot(reader, seq, &frame) != RING_OK || !(frame.flags & RING_FRAME_KEY))
      continue;
    int early = where == RING_SEEK_KEY_AT_OR_BEFORE && frame.capture_us <= capture_us;
    int newer = have && age < head - found->seq;
    int better = !have || (where == RING_SEEK_NEWEST_KEY ? newer
                           : early                       ? !have_early || newer
                                                         : !have_early && !newer);
    if (better) {
      *found = frame;
      have = 1;
      have_early = early;
    }
  }
  return have;
}

/* ---- going on -------------------------------------------------------------------------------- */

static void count_lost(struct ring_reader *reader, uint32_t frames) {
  reader->stats.lost += frames;
  reader->lost_before += frames;
}

/* After a lap: on to the newest key frame, or past everything where none is held. */
static void jump(struct ring_reader *reader, uint32_t head) {
  struct ring_frame key;
  int found = find_key(reader, head, reader->next_seq, RING_SEEK_NEWEST_KEY, 0, &key);
  uint32_t target = found ? key.seq : head;
  reader->stats.laps++;
  reader->must_jump = 0;
  reader->need_key = !found;
  count_lost(reader, target - reader->next_seq);
  reader->next_seq = target;
}

static void hand_out(struct ring_reader *reader, struct ring_frame *frame) {
  if (reader->has_delivered && frame->seq != reader->delivered_seq + 1)
    frame->flags |= RING_FRAME_DISCONTINUITY;
  if (!reader->has_delivered || frame->generation != reader->delivered_generation)
    frame->flags |= RING_FRAME_NEW_CONFIG;
  frame->lost_before = reader->lost_before;
  reader->lost_before = 0;
  reader->has_delivered = 1;
  reader->delivered_seq = frame->seq;
  reader->delivered_generation = frame->generation;
  reader->need_key = 0;
  reader->next_seq = frame->seq + 1;
  reader->stats.delivered++;
}

static enum ring_result next_frame(struct ring_reader *reader, struct ring_frame *frame) {
  /* Each turn goes past a frame or jumps. A writer so fast that this does not end, or a hostile
   * one, is left for the next wake-up. */
  for (uint32_t turn = 0; turn < 2 * reader->slot_count; turn++) {
    uint32_t state = word_acquire(&reader->header->state);
    uint32_t head = word_acquire(&reader->header->head_seq);
    uint32_t waiting = head - reader->next_seq;
    if (waiting > 0x80000000u)
      return RING_BROKEN; /* a head never goes back */
    if (reader->must_jump || waiting > reader->slot_count) {
      jump(reader, head);
      continue;
    }
    if (waiting == 0)
      return state == RING_STATE_ENDED ? RING_ENDED : RING_EMPTY;
    enum ring_result result = load_slot(reader, reader->next_seq, frame);
    if (result == RING_BROKEN)
      return RING_BROKEN;
    if (result == RING_LAPPED) {
      reader->must_jump = 1;
    } else if (reader->need_key && !(frame->flags & RING_FRAME_KEY)) {
      count_lost(reader, 1);
      reader->next_seq++;
    } else {
      hand_out(reader, frame);
      return RING_OK;
    }
  }
  return RING_EMPTY;
}

enum ring_result ring_next(struct ring_reader *reader, struct ring_frame *frame) {
  ring_guard_enter(&reader->guard);
  enum ring_result result = next_frame(reader, frame);
  return ring_guard_leave(&reader->guard) ? RING_BROKEN : result;
}

enum ring_result ring_seek(struct ring_reader *reader, enum ring_seek where, uint64_t capture_us) {
  ring_guard_enter(&reader->guard);
  uint32_t head = word_acquire(&reader->header->head_seq);
  struct ring_frame key;
  int found = find_key(reader, head, head - reader->slot_count, where, capture_us, &key);
  if (ring_guard_leave(&reader->guard))
    return RING_BROKEN;
  reader->next_seq = found ? key.seq : head;
  reader->need_key = !found;
  reader->must_jump = 0;
  return found ? RING_OK : RING_EMPTY;
}

uint32_t ring_lag_frames(struct ring_reader *reader) {
  ring_guard_enter(&reader->guard);
  uint32_t waiting = word_acquire(&reader->header->head_seq) - reader->next_seq;
  return ring_guard_leave(&reader->guard) || waiting > 0x80000000u ? 0 : waiting;
}

/* ---- payload --------------------------------------------------------------------------------- */

static void note_lapped(struct ring_reader *reader, uint32_t seq) {
  reader->must_jump = 1;
  if (reader->has_lapped && seq - reader->lapped_seq - 1 >= 0x80000000u)
    return; /* this one or a later one was counted already */
  reader->has_lapped = 1;
  reader->lapped_seq = seq;
  reader->stats.delivered--;
  count_lost(reader, 1);
}

enum ring_result ring_read(struct ring_reader *reader, const struct ring_frame *frame,
                           uint32_t offset, void *destination, uint32_t bytes) {
  if (frame->bytes > reader->data_bytes || offset > frame->bytes || bytes > frame->bytes - offset)
    abort();
  uint32_t at = (frame->position + offset) & (reader->data_bytes - 1);
  uint32_t to_end = reader->data_bytes - at;
  uint32_t first = bytes < to_end ? bytes : to_end;

  ring_guard_enter(&reader->guard);
  if (bytes) {
    memcpy(destination, reader->data + at, first);
    memcpy((uint8_t *)destination + first, reader->data, bytes - first);
  }
  atomic_thread_fence(memory_order_acquire);
  const struct ring_slot *slot = &reader->slots[frame->seq & (reader->slot_count - 1)];
  int held = word(&slot->seq) == frame->seq &&
             word(&reader->header->data_head) - frame->position <= reader->data_bytes;
  if (ring_guard_leave(&reader->guard))
    return RING_BROKEN;
  if (!held) {
    note_lapped(reader, frame->seq);
    return RING_LAPPED;
  }
  return RING_OK;
}

/* ---- parameter sets -------------------------------------------------------------------------- */

/* Counts the units of a list and checks lengths and types: 1 to `most` units of type `type` and at
 * least `shortest` bytes. 0 where malformed. */
static uint32_t count_units(const uint8_t *list, uint32_t bytes, unsigned type, uint32_t shortest,
                            uint32_t most) {
  uint32_t count = 0;
  while (bytes > 0) {
    if (bytes < 2)
      return 0;
    uint32_t length = (uint32_t)list[0] << 8 | list[1];
    if (length < shortest || length > bytes - 2 || (list[2] & 0x1fu) != type || ++count > most)
      return 0;
    list += 2 + length;
    bytes -= 2 + length;
  }
  return count;
}

static enum ring_result load_config(const struct ring_reader *reader, uint32_t generation,
                                    struct ring_config *config) {
  const struct ring_config_entry *entry = &reader->configs[generation % RING_CONFIGS];
  if (generation == 0 || word_acquire(&entry->generation) != generation)
    return RING_LAPPED;
  *config = (struct ring_config){
      .generation = generation,
      .width = word(&entry->width),
      .height = word(&entry->height),
      .frame_interval_us = word(&entry->frame_interval_us),
      .sps_bytes = word(&entry->sps_bytes),
      .pps_bytes = word(&entry->pps_bytes),
  };
  memcpy(config->sets, entry->sets, sizeof config->sets);
  atomic_thread_fence(memory_order_acquire);
  if (word(&entry->generation) != generation)
    return RING_LAPPED;

  if (config->sps_bytes > RING_SETS_BYTES ||
      config->pps_bytes > RING_SETS_BYTES - config->sps_bytes || config->width == 0 ||
      config->width > DIMENSION_MAX || config->height == 0 || config->height > DIMENSION_MAX)
    return RING_BROKEN;
  config->sps_count = count_units(config->sets, config->sps_bytes, 7, 4, 31);
  config->pps_count = count_units(config->sets + config->sps_bytes, config->pps_bytes, 8, 2, 255);
  return config->sps_count && config->pps_count ? RING_OK : RING_BROKEN;
}

enum ring_result ring_config(struct ring_reader *reader, uint32_t generation,
                             struct ring_config *config) {
  ring_guard_enter(&reader->guard);
  enum ring_result result = load_config(reader, generation, config);
  return ring_guard_leave(&reader->guard) ? RING_BROKEN : result;
}
