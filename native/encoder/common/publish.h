/*
 * From access units to the ring: what every encoder does with what its codec gave it.
 */
#ifndef OCELLUS_ENCODER_PUBLISH_H
#define OCELLUS_ENCODER_PUBLISH_H

#include "../../h264/access_unit.h"
#include "../../ring/writer.h"
#include "parameter_sets.h"

/* Starts a config generation. `sps` is the active one; `frame_interval_us` 0 where unknown. Results
 * as ring_set_config(). */
enum ring_result publish_config(struct ring_writer *writer, const struct parameter_sets *sets,
                                const struct sps *sps, uint32_t frame_interval_us);

/* Writes one access unit as a frame. `flags`: RING_FRAME_DISCONTINUITY or 0; RING_FRAME_KEY is
 * added here. RING_OK, or RING_TOO_LARGE (nothing was written). Waking consumers is left to the
 * caller. */
enum ring_result publish_frame(struct ring_writer *writer, const struct access_unit *unit,
                               uint32_t flags, uint64_t capture_us);

#endif
