#include "ring.h"

static int power_of_two(uint32_t n) { return n != 0 && (n & (n - 1)) == 0; }

int ring_layout_ok(uint32_t data_bytes, uint32_t slot_count) {
  return power_of_two(data_bytes) && data_bytes >= RING_DATA_BYTES_MIN &&
         data_bytes <= RING_DATA_BYTES_MAX && power_of_two(slot_count) &&
         slot_count >= RING_SLOTS_MIN && slot_count <= RING_SLOTS_MAX;
}

uint32_t ring_data_offset(uint32_t slot_count) {
  uint32_t end = RING_SLOTS_OFFSET + slot_count * RING_SLOT_BYTES;
  return (end + RING_PAGE_BYTES - 1) / RING_PAGE_BYTES * RING_PAGE_BYTES;
}

uint32_t ring_total_bytes(uint32_t data_bytes, uint32_t slot_count) {
  return ring_data_offset(slot_count) + data_bytes;
}

uint32_t ring_frame_bytes_max(uint32_t data_bytes, uint32_t slot_count) {
  uint32_t half = data_bytes / 2;
  uint32_t by_slots = 0x80000000u / slot_count;
  return half < by_slots ? half : by_slots;
}

const char *ring_result_text(enum ring_result result) {
  switch (result) {
  case RING_OK:
    return "ok";
  case RING_EMPTY:
    return "nothing new";
  case RING_ENDED:
    return "the footage has ended";
  case RING_LAPPED:
    return "already overwritten";
  case RING_BROKEN:
    return "the ring is cut short or contradicts itself";
  case RING_TOO_LARGE:
    return "too large for this ring";
  case RING_NOT_A_RING:
    return "not a ring";
  case RING_BAD_VERSION:
    return "another version of the ring format";
  case RING_BAD_LAYOUT:
    return "ring sizes that are not allowed or do not add up";
  case RING_SYSTEM:
    return "a system call failed";
  }
  return "unknown result";
}
