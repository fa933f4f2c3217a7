#include "sps.h"

#include "bits.h"

#define SPS_BYTES 1024 /* an SPS with every scaling list written out is under 700 */

/* Profiles whose SPS has the chroma and scaling fields (7.3.2.1.1). */
static int has_high_fields(unsigned profile_idc) {
  switch (profile_idc) {
  case 44:
  case 83:
  case 86:
  case 100:
  case 110:
  case 118:
  case 122:
  case 128:
  case 134:
  case 135:
  case 138:
  case 139:
  case 244:
    return 1;
  default:
    return 0;
  }
}

/* scaling_list (7.3.2.1.1.1). Its values are of no use here. */
static void skip_scaling_list(struct bits *bits, unsigned size) {
  int32_t last = 8, next = 8;
  for (unsigned i = 0; i < size && !bits->failed; i++) {
    if (next != 0) {
      int32_t delta = bits_se(bits);
      if (delta < -128 || delta > 127)
        bits->failed = 1;
      else
        next = (last + delta + 256) % 256;
    }
    last = next == 0 ? last : next;
  }
}

static void parse_high_fields(struct bits *bits, struct sps *sps) {
  uint32_t chroma = bits_ue(bits);
  if (chroma > 3)
    bits->failed = 1;
  sps->chroma_format_idc = (uint8_t)chroma;
  if (chroma == 3)
    sps->separate_colour_planes = (uint8_t)bits_u(bits, 1);
  uint32_t luma = bits_ue(bits), chroma_depth = bits_ue(bits);
  if (luma > 6 || chroma_depth > 6)
    bits->failed = 1;
  sps->bit_depth_luma = (uint8_t)(8 + luma);
  bits_u(bits, 1);     /* qpprime_y_zero_transform_bypass_flag */
  if (bits_u(bits, 1)) /* seq_scaling_matrix_present_flag */
    for (unsigned i = 0; i < (chroma == 3 ? 12u : 8u); i++)
      if (bits_u(bits, 1))
        skip_scaling_list(bits, i < 6 ? 16 : 64);
}

static void skip_order_count(struct bits *bits) {
  uint32_t type = bits_ue(bits);
  if (type == 0) {
    if (bits_ue(bits) > 12) /* log2_max_pic_order_cnt_lsb_minus4 */
      bits->failed = 1;
  } else if (type == 1) {
    bits_u(bits, 1); /* delta_pic_order_always_zero_flag */
    bits_se(bits);   /* offset_for_non_ref_pic */
    bits_se(bits);   /* offset_for_top_to_bottom_field */
    uint32_t count = bits_ue(bits);
    if (count > 255)
      bits->failed = 1;
    for (uint32_t i = 0; i < count && !bits->failed; i++)
      bits_se(bits);
  } else if (type > 2) {
    bits->failed = 1;
  }
}

/* Coded size less cropping (7.4.2.1.1), in pixels. */
static void parse_size(struct bits *bits, struct sps *sps) {
  uint32_t width_mbs = bits_ue(bits), height_units = bits_ue(bits);
  sps->frame_mbs_only = (uint8_t)bits_u(bits, 1);
  if (!sps->frame_mbs_only)
    bits_u(bits, 1); /* mb_adaptive_frame_field_flag */
  bits_u(bits, 1);   /* direct_8x8_inference_flag */
  uint32_t field_factor = sps->frame_mbs_only ? 1 : 2;
  if (width_mbs >= H264_DIMENSION_MAX / 16 ||
      height_units >= H264_DIMENSION_MAX / 16 / field_factor) {
    bits->failed = 1;
    return;
  }
  uint32_t width = (width_mbs + 1) * 16, height = (height_units + 1) * 16 * field_factor;

  uint32_t left = 0, right = 0, top = 0, bottom = 0;
  if (bits_u(bits, 1)) { /* frame_cropping_flag */
    left = bits_ue(bits), right = bits_ue(bits), top = bits_ue(bits), bottom = bits_ue(bits);
  }
  int planes = sps->chroma_format_idc == 0 || sps->separate_colour_planes;
  uint32_t unit_x = !planes && sps->chroma_format_idc < 3 ? 2 : 1;
  uint32_t unit_y = (!planes && sps->chroma_format_idc == 1 ? 2 : 1) * field_factor;
  uint32_t across = width / unit_x, down = height / unit_y;
  if (left >= across || right >= across - left || top >= down || bottom >= down - top) {
    bits->failed = 1;
    return;
  }
  sps->width = width - unit_x * (left + right);
  sps->height = height - unit_y * (top + bottom);
}

/* vui_parameters as far as the timing (E.1.1). */
static void parse_vui(struct bits *bits, struct sps *sps) {
  if (bits_u(bits, 1) && bits_u(bits, 8) == 255) /* aspect_ratio_idc Extended_SAR */
    bits_u(bits, 32);
  if (bits_u(bits, 1)) /* overscan_info_present_flag */
    bits_u(bits, 1);
  if (bits_u(bits, 1)) { /* video_signal_type_present_flag */
    bits_u(bits, 4);
    if (bits_u(bits, 1)) /* colour_description_present_flag */
      bits_u(bits, 24);
  }
  if (bits_u(bits, 1)) { /* chroma_loc_info_present_flag */
    bits_ue(bits);
    bits_ue(bits);
  }
  if (!bits_u(bits, 1)) /* timing_info_present_flag */
    return;
  sps->num_units_in_tick = bits_u(bits, 32);
  sps->time_scale = bits_u(bits, 32);
  sps->fixed_frame_rate = (uint8_t)bits_u(bits, 1);
  if (bits->failed || sps->num_units_in_tick == 0 || sps->time_scale == 0)
    sps->num_units_in_tick = sps->time_scale = sps->fixed_frame_rate = 0;
}

int sps_parse(struct nal nal, struct sps *sps) {
  uint8_t plain[SPS_BYTES];
  if (nal.length < 4 || nal_type(nal) != NAL_SPS)
    return 0;
  struct bits bits = {.bytes = plain, .length = nal_unescape(nal, plain, sizeof plain)};
  bits_u(&bits, 8); /* NAL header */
  *sps = (struct sps){.chroma_format_idc = 1, .bit_depth_luma = 8};
  sps->profile_idc = (uint8_t)bits_u(&bits, 8);
  sps->constraint_flags = (uint8_t)bits_u(&bits, 8);
  sps->level_idc = (uint8_t)bits_u(&bits, 8);
  uint32_t id = bits_ue(&bits);
  if (id > 31)
    return 0;
  sps->id = (uint8_t)id;
  if (has_high_fields(sps->profile_idc))
    parse_high_fields(&bits, sps);
  uint32_t frame_num = bits_ue(&bits);
  if (frame_num > 12)
    return 0;
  sps->log2_max_frame_num = (uint8_t)(4 + frame_num);
  skip_order_count(&bits);
  bits_ue(&bits);   /* max_num_ref_frames */
  bits_u(&bits, 1); /* gaps_in_frame_num_value_allowed_flag */
  parse_size(&bits, sps);
  int has_vui = (int)bits_u(&bits, 1);
  if (bits.failed)
    return 0;
  /* Some encoders write a VUI that is cut short. Size and profile stand before it and are good. */
  if (has_vui)
    parse_vui(&bits, sps);
  return 1;
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

int sps_frame_rate(const struct sps *sps, uint32_t *numerator, uint32_t *denominator) {
  uint64_t scale = sps->time_scale, two_units = 2ull * sps->num_units_in_tick;
  if (two_units == 0 || scale * 10 < two_units || scale > 480 * two_units)
    return 0;
  uint64_t divisor = greatest_common_divisor(scale, two_units);
  scale /= divisor;
  two_units /= divisor;
  /* So that callers can multiply with µs and frame counts in 64 bits. */
  while (two_units > H264_RATE_DENOMINATOR_MAX) {
    scale /= 2;
    two_units /= 2;
  }
  *numerator = (uint32_t)scale;
  *denominator = (uint32_t)two_units;
  return 1;
}

int pps_ids(struct nal nal, uint32_t *pps_id, uint32_t *sps_id) {
  uint8_t plain[16];
  if (nal_type(nal) != NAL_PPS)
    return 0;
  struct bits bits = {.bytes = plain, .length = nal_unescape(nal, plain, sizeof plain)};
  bits_u(&bits, 8); /* NAL header */
  *pps_id = bits_ue(&bits);
  *sps_id = bits_ue(&bits);
  return !bits.failed && *pps_id <= 255 && *sps_id <= 31;
}
