#include "parameter_sets.h"

#include <string.h>

#include "../../h264/slice.h"

/* Walks through a list: 1 and *nal, *list moved on; 0 at its end. Lists here are always whole. */
static int list_next(const uint8_t **list, const uint8_t *end, struct nal *nal) {
  if (*list >= end)
    return 0;
  *nal = (struct nal){.bytes = *list + 2, .length = (size_t)((*list)[0] << 8 | (*list)[1])};
  *list = nal->bytes + nal->length;
  return 1;
}

/* The id a set is replaced by. 1, or 0 where it cannot be parsed. */
static int set_id(struct nal nal, uint32_t *id) {
  struct sps sps;
  uint32_t sps_id;
  if (nal_type(nal) == NAL_PPS)
    return pps_ids(nal, id, &sps_id);
  if (!sps_parse(nal, &sps))
    return 0;
  *id = sps.id;
  return 1;
}

/* Finds the set with an id in a list. */
static int list_find(const uint8_t *list, uint32_t bytes, uint32_t id, struct nal *found) {
  const uint8_t *end = list + bytes;
  uint32_t each;
  while (list_next(&list, end, found))
    if (set_id(*found, &each) && each == id)
      return 1;
  return 0;
}

/* Appends a unit behind `*bytes` bytes of a list. */
static int list_append(uint8_t *list, uint32_t *bytes, struct nal nal) {
  if (nal.length > RING_SETS_BYTES || *bytes + 2 + nal.length > RING_SETS_BYTES)
    return 0;
  list[*bytes] = (uint8_t)(nal.length >> 8);
  list[*bytes + 1] = (uint8_t)nal.length;
  memcpy(list + *bytes + 2, nal.bytes, nal.length);
  *bytes += 2 + (uint32_t)nal.length;
  return 1;
}

/* Puts a unit in the place of the one with its id, or at the end. */
static enum sets_change list_put(uint8_t *list, uint32_t *bytes, struct nal nal) {
  uint32_t id, each_id;
  if (!set_id(nal, &id))
    return SETS_MALFORMED;
  uint8_t made[RING_SETS_BYTES];
  uint32_t made_bytes = 0;
  int put = 0, fits = 1;
  const uint8_t *at = list;
  struct nal each;
  while (fits && list_next(&at, list + *bytes, &each)) {
    int same = set_id(each, &each_id) && each_id == id;
    fits = list_append(made, &made_bytes, same ? nal : each);
    put |= same;
  }
  if (!put && fits)
    fits = list_append(made, &made_bytes, nal);
  if (!fits)
    return SETS_TOO_LARGE;
  int changed = made_bytes != *bytes || memcmp(made, list, made_bytes) != 0;
  memcpy(list, made, made_bytes);
  *bytes = made_bytes;
  return changed ? SETS_CHANGED : SETS_SAME;
}

static struct nal_walk walk_of(const struct access_unit *unit) {
  return (struct nal_walk){.next = unit->bytes, .end = unit->bytes + unit->length};
}

/* Whether the access unit brings an SPS that does not stand in the table with these bytes. */
static int starts_new_table(const struct parameter_sets *sets, const struct access_unit *unit) {
  struct nal_walk walk = walk_of(unit);
  struct nal nal, known;
  uint32_t id;
  while (nal_next(&walk, &nal)) {
    if (nal_type(nal) != NAL_SPS || !set_id(nal, &id))
      continue;
    if (!list_find(sets->sps_list, sets->sps_bytes, id, &known) || known.length != nal.length ||
        memcmp(known.bytes, nal.bytes, nal.length) != 0)
      return 1;
  }
  return 0;
}

enum sets_change parameter_sets_take(struct parameter_sets *sets, const struct access_unit *unit) {
  if (!unit->has_sets)
    return SETS_SAME;
  struct parameter_sets made = {0};
  enum sets_change result = SETS_SAME;
  if (starts_new_table(sets, unit))
    result = SETS_CHANGED;
  else
    made = *sets;

  struct nal_walk walk = walk_of(unit);
  struct nal nal;
  while (nal_next(&walk, &nal)) {
    enum sets_change one = SETS_SAME;
    if (nal_type(nal) == NAL_SPS)
      one = list_put(made.sps_list, &made.sps_bytes, nal);
    else if (nal_type(nal) == NAL_PPS)
      one = list_put(made.pps_list, &made.pps_bytes, nal);
    if (one == SETS_MALFORMED || one == SETS_TOO_LARGE)
      return one;
    if (one == SETS_CHANGED)
      result = SETS_CHANGED;
  }
  if (made.sps_bytes + made.pps_bytes > RING_SETS_BYTES)
    return SETS_TOO_LARGE;
  if (result == SETS_CHANGED)
    *sets = made;
  return result;
}

int parameter_sets_active(const struct parameter_sets *sets, const struct access_unit *unit,
                          struct sps *sps) {
  struct nal_walk walk = walk_of(unit);
  struct nal nal;
  struct slice slice;
  while (nal_next(&walk, &nal)) {
    uint32_t pps_id, sps_id;
    if (slice_parse(nal, &slice))
      return list_find(sets->pps_list, sets->pps_bytes, slice.pps_id, &nal) &&
             pps_ids(nal, &pps_id, &sps_id) &&
             list_find(sets->sps_list, sets->sps_bytes, sps_id, &nal) && sps_parse(nal, sps);
  }
  return 0;
}
