/*
 * Any bytes as an SPS, a PPS and a slice. The input is one NAL unit.
 */
#include "../h264/sps.h"

#include "../h264/slice.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  struct nal nal = {.bytes = data, .length = size};
  struct sps sps;
  if (sps_parse(nal, &sps)) {
    must(nal_type(nal) == NAL_SPS);
    must(sps.width >= 1 && sps.width <= H264_DIMENSION_MAX);
    must(sps.height >= 1 && sps.height <= H264_DIMENSION_MAX);
    must(sps.id <= 31 && sps.chroma_format_idc <= 3 && sps.bit_depth_luma <= 14);
    must((sps.num_units_in_tick == 0) == (sps.time_scale == 0));
    uint32_t numerator, denominator;
    if (sps_frame_rate(&sps, &numerator, &denominator)) {
      must(denominator >= 1 && denominator <= H264_RATE_DENOMINATOR_MAX);
      must(numerator <= 481ull * denominator && 11ull * numerator >= denominator);
    }
  }
  uint32_t pps_id, sps_id;
  if (pps_ids(nal, &pps_id, &sps_id))
    must(nal_type(nal) == NAL_PPS && pps_id <= 255 && sps_id <= 31);
  struct slice slice;
  if (slice_parse(nal, &slice))
    must(slice.type <= 4 && slice.pps_id <= 255 && slice.idr == (nal_type(nal) == NAL_SLICE_IDR));
  return 0;
}
