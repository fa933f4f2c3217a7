#include "access_unit.h"

#include "slice.h"

int access_unit_keeps(struct nal nal) {
  unsigned type = nal_type(nal);
  return type != NAL_SPS && type != NAL_PPS && type != NAL_AUD;
}

/* Whether a unit is a slice of a primary picture, of which first_mb was read as 0. */
static int starts_picture(struct nal nal) {
  struct slice slice;
  return slice_parse(nal, &slice) && slice.first_mb == 0;
}

/* Whether a unit, met after a picture's first slice, belongs to the next access unit. */
static int starts_access_unit(struct nal nal) {
  unsigned type = nal_type(nal);
  return type == NAL_AUD || type == NAL_SPS || type == NAL_PPS || type == NAL_SEI ||
         (type >= NAL_PREFIX && type <= NAL_RESERVED_18) || starts_picture(nal);
}

static void take_in(struct access_unit *unit, struct nal nal) {
  unsigned type = nal_type(nal);
  struct slice slice;
  unit->key |= type == NAL_SLICE_IDR;
  unit->has_sets |= type == NAL_SPS || type == NAL_PPS;
  unit->has_b_slice |= slice_parse(nal, &slice) && slice.type == 1;
  if (access_unit_keeps(nal))
    unit->stored_bytes += 4 + (uint32_t)nal.length;
}

int access_unit_next(struct nal_walk *walk, struct access_unit *unit) {
  *unit = (struct access_unit){0};
  int has_picture = 0;
  struct nal_walk ahead = *walk;
  struct nal nal;
  while (nal_next(&ahead, &nal)) {
    if (has_picture && starts_access_unit(nal))
      break;
    if (!unit->bytes)
      unit->bytes = nal.bytes - 3;
    unsigned type = nal_type(nal);
    has_picture |= type >= NAL_SLICE && type <= NAL_SLICE_IDR;
    take_in(unit, nal);
    walk->next = ahead.next;
  }
  if (!has_picture)
    return 0;
  unit->length = (size_t)(walk->next - unit->bytes);
  return 1;
}
