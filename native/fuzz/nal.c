/*
 * Any bytes as an H.264 byte stream: NAL units, access units, and the parameter sets in force.
 */
#include "../h264/nal.h"

#include "../encoder/common/parameter_sets.h"
#include "../h264/access_unit.h"
#include "fuzz.h"

/* Every unit stands behind a start code, holds none, and does not end in zero. */
static void check_unit(struct nal nal, const uint8_t *from, const uint8_t *end) {
  must(nal.length >= 1 && nal.bytes >= from + 3 && nal.bytes + nal.length <= end);
  must(nal.bytes[-1] == 1 && nal.bytes[-2] == 0 && nal.bytes[-3] == 0);
  must(nal.bytes[nal.length - 1] != 0);
  for (size_t i = 0; i + 2 < nal.length; i++)
    must(nal.bytes[i] || nal.bytes[i + 1] || nal.bytes[i + 2] != 1);

  size_t room = nal.length / 2 + 1;
  uint8_t *plain = malloc(room); /* exactly, so that a byte too many is seen */
  must(plain != NULL);
  must(nal_unescape(nal, plain, room) <= room);
  free(plain);
}

/* How many bytes the units of an access unit take in the ring. */
static uint32_t stored_bytes(const struct access_unit *unit) {
  struct nal_walk walk = {.next = unit->bytes, .end = unit->bytes + unit->length};
  struct nal nal;
  uint32_t bytes = 0;
  while (nal_next(&walk, &nal))
    if (access_unit_keeps(nal))
      bytes += 4 + (uint32_t)nal.length;
  return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *end = data + size;
  struct nal_walk walk = {.next = data, .end = end};
  struct nal nal;
  for (const uint8_t *from = data; nal_next(&walk, &nal); from = nal.bytes + nal.length)
    check_unit(nal, from, end);

  struct parameter_sets sets = {0};
  struct access_unit unit;
  const uint8_t *behind = data;
  walk = (struct nal_walk){.next = data, .end = end};
  while (access_unit_next(&walk, &unit)) {
    must(unit.length > 0 && unit.bytes >= behind && unit.bytes + unit.length <= end);
    must(unit.stored_bytes == stored_bytes(&unit));
    behind = unit.bytes + unit.length;
    enum sets_change change = parameter_sets_take(&sets, &unit);
    must(change == SETS_SAME || unit.has_sets);
    must(sets.sps_bytes + sets.pps_bytes <= RING_SETS_BYTES);
    struct sps sps;
    if (parameter_sets_active(&sets, &unit, &sps))
      must(sps.width >= 1 && sps.height >= 1);
  }
  return 0;
}
