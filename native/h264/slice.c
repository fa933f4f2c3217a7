#include "slice.h"

#include "bits.h"

int slice_parse(struct nal nal, struct slice *slice) {
  unsigned type = nal_type(nal);
  if (type != NAL_SLICE && type != NAL_SLICE_PART_A && type != NAL_SLICE_IDR)
    return 0;
  uint8_t plain[32]; /* the header byte and three codes of at most 63 bits */
  struct bits bits = {.bytes = plain, .length = nal_unescape(nal, plain, sizeof plain)};
  bits_u(&bits, 8); /* NAL header */
  uint32_t first_mb = bits_ue(&bits);
  uint32_t slice_type = bits_ue(&bits);
  uint32_t pps_id = bits_ue(&bits);
  if (bits.failed || slice_type > 9 || pps_id > 255)
    return 0;
  *slice = (struct slice){.idr = type == NAL_SLICE_IDR,
                          .type = (uint8_t)(slice_type % 5),
                          .first_mb = first_mb,
                          .pps_id = pps_id};
  return 1;
}
