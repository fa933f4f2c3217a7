#include "publish.h"

enum ring_result publish_config(struct ring_writer *writer, const struct parameter_sets *sets,
                                const struct sps *sps, uint32_t frame_interval_us) {
  struct ring_sets lists = {.sps_list = sets->sps_list,
                            .sps_bytes = sets->sps_bytes,
                            .pps_list = sets->pps_list,
                            .pps_bytes = sets->pps_bytes,
                            .width = sps->width,
                            .height = sps->height,
                            .frame_interval_us = frame_interval_us};
  return ring_set_config(writer, &lists);
}

enum ring_result publish_frame(struct ring_writer *writer, const struct access_unit *unit,
                               uint32_t flags, uint64_t capture_us) {
  enum ring_result begun = ring_begin(writer, unit->stored_bytes);
  if (begun != RING_OK)
    return begun;
  struct nal_walk walk = {.next = unit->bytes, .end = unit->bytes + unit->length};
  struct nal nal;
  while (nal_next(&walk, &nal))
    if (access_unit_keeps(nal))
      ring_put_nal(writer, nal.bytes, (uint32_t)nal.length);
  ring_commit(writer, flags | (unit->key ? RING_FRAME_KEY : 0), capture_us);
  return RING_OK;
}
