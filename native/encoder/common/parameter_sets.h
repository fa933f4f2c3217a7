/*
 * The SPS and PPS in force in a stream, and what changes them. Every encoder gets them inside the
 * stream and owes the ring a config generation for each change.
 *
 * An access unit that carries an SPS not seen with these bytes starts a new table, since a new
 * coded video sequence replaces the old one; sets that come alone are added or replaced by id.
 * Identical repeats, which most encoders send before each key frame, change nothing.
 */
#ifndef OCELLUS_ENCODER_PARAMETER_SETS_H
#define OCELLUS_ENCODER_PARAMETER_SETS_H

#include <stdint.h>

#include "../../h264/access_unit.h"
#include "../../h264/sps.h"
#include "../../ring/writer.h"

/* The sets in force, as lists in the form of struct ring_config_entry. Start with all zero. */
struct parameter_sets {
  uint32_t sps_bytes;
  uint32_t pps_bytes;
  uint8_t sps_list[RING_SETS_BYTES];
  uint8_t pps_list[RING_SETS_BYTES];
};

enum sets_change {
  SETS_SAME,
  SETS_CHANGED,   /* a new generation begins with this access unit */
  SETS_MALFORMED, /* an SPS or PPS that cannot be parsed */
  SETS_TOO_LARGE, /* more than RING_SETS_BYTES */
};

/* Takes in the sets of one access unit. Unchanged unless SETS_CHANGED. */
enum sets_change parameter_sets_take(struct parameter_sets *sets, const struct access_unit *unit);

/* The SPS that the first slice of an access unit refers to. 1 and *sps; 0 where the slice, its PPS
 * or that one's SPS is missing. */
int parameter_sets_active(const struct parameter_sets *sets, const struct access_unit *unit,
                          struct sps *sps);

#endif
