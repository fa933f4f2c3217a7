/*
 * Sequence and picture parameter sets (ITU-T H.264 7.3.2.1.1, 7.3.2.2 and E.1.1), as far as
 * somebody needs them who stores footage and does not decode it. Pure; takes any bytes.
 */
#ifndef OCELLUS_H264_SPS_H
#define OCELLUS_H264_SPS_H

#include <stdint.h>

#include "nal.h"

#define H264_DIMENSION_MAX                                                                         \
  16384u /* pixels; larger ones are taken for nonsense (level 6.2: 16,880) */

/* What an SPS says. */
struct sps {
  uint8_t profile_idc; /* these three bytes are the PPCCLL of "avc1.PPCCLL" (RFC 6381) */
  uint8_t constraint_flags;
  uint8_t level_idc;
  uint8_t id;                     /* seq_parameter_set_id, 0 to 31 */
  uint8_t chroma_format_idc;      /* 1: 4:2:0 */
  uint8_t bit_depth_luma;         /* 8 to 14 */
  uint8_t frame_mbs_only;         /* 1: progressive */
  uint8_t separate_colour_planes; /* 1: slices carry colour_plane_id */
  uint8_t log2_max_frame_num;     /* 4 to 16 */
  uint8_t fixed_frame_rate;       /* VUI fixed_frame_rate_flag */
  uint32_t width;                 /* pixels shown: after cropping, 1 to H264_DIMENSION_MAX */
  uint32_t height;
  uint32_t num_units_in_tick; /* VUI timing; both 0 where absent or nonsense */
  uint32_t time_scale;
};

/* Parses an SPS, NAL header included. 1 and *sps; or 0 where it is cut short, not an SPS, or out of
 * the standard's ranges. */
int sps_parse(struct nal nal, struct sps *sps);

#define H264_RATE_DENOMINATOR_MAX 1000000u

/* The frame rate its VUI states: time_scale / (2 x num_units_in_tick), since a frame is two ticks
 * long (E.2.1), as a reduced fraction of a denominator up to H264_RATE_DENOMINATOR_MAX. 1 and the
 * fraction, between 1/10 and 480 frames a second; 0 where the SPS states none or one outside. */
int sps_frame_rate(const struct sps *sps, uint32_t *numerator, uint32_t *denominator);

/* pic_parameter_set_id (0 to 255) and seq_parameter_set_id (0 to 31) of a PPS. 1, or 0 where it is
 * not one. */
int pps_ids(struct nal nal, uint32_t *pps_id, uint32_t *sps_id);

#endif
