/*
 * Shows what native/h264 makes of bytes. See support/dialogue.h for the conversation. Bytes are
 * given in hexadecimal and put into a block of exactly their length, so that a sanitizer sees any
 * access beyond it.
 */
#define _GNU_SOURCE 1
#include "../../native/h264/access_unit.h"
#include "../../native/h264/slice.h"
#include "../../native/h264/sps.h"
#include "support/dialogue.h"

static struct nal nal_of(const char *hex) {
  uint32_t length = (uint32_t)strlen(hex) / 2;
  uint8_t *bytes = malloc(length);
  if (!bytes)
    abort();
  return (struct nal){.bytes = bytes, .length = unhex(hex, bytes, length)};
}

static void free_nal(struct nal nal) { free((void *)(uintptr_t)nal.bytes); }

static void show_sps(struct nal nal) {
  struct sps sps;
  uint32_t numerator = 0, denominator = 0;
  if (!sps_parse(nal, &sps)) {
    say("no sps");
    return;
  }
  sps_frame_rate(&sps, &numerator, &denominator);
  say("sps %u profile %u constraints %u level %u size %ux%u chroma %u depth %u progressive %u rate "
      "%u/%u fixed %u",
      sps.id, sps.profile_idc, sps.constraint_flags, sps.level_idc, sps.width, sps.height,
      sps.chroma_format_idc, sps.bit_depth_luma, sps.frame_mbs_only, numerator, denominator,
      sps.fixed_frame_rate);
}

static void show_pps(struct nal nal) {
  uint32_t pps_id, sps_id;
  if (pps_ids(nal, &pps_id, &sps_id))
    say("pps %u of sps %u", pps_id, sps_id);
  else
    say("no pps");
}

static void show_slice(struct nal nal) {
  struct slice slice;
  if (slice_parse(nal, &slice))
    say("slice type %u idr %u first %u pps %u", slice.type, slice.idr, slice.first_mb,
        slice.pps_id);
  else
    say("no slice");
}

static void show_plain(struct nal nal, uint32_t room) {
  uint8_t *plain = malloc(room);
  printf("plain ");
  print_hex(plain, (uint32_t)nal_unescape(nal, plain, room));
  say("%s", "");
  free(plain);
}

/* The NAL units of a byte stream, in hexadecimal. */
static void show_units(struct nal stream) {
  struct nal_walk walk = {.next = stream.bytes, .end = stream.bytes + stream.length};
  struct nal nal;
  printf("units");
  while (nal_next(&walk, &nal)) {
    printf(" ");
    print_hex(nal.bytes, (uint32_t)nal.length);
  }
  say("%s", "");
}

/* The access units of a byte stream: start, length, stored length, key, sets, B. */
static void show_access_units(struct nal stream) {
  struct nal_walk walk = {.next = stream.bytes, .end = stream.bytes + stream.length};
  struct access_unit unit;
  printf("access-units");
  while (access_unit_next(&walk, &unit))
    printf(" %td+%zu:%u%s%s%s", unit.bytes - stream.bytes, unit.length, unit.stored_bytes,
           unit.key ? "k" : "", unit.has_sets ? "s" : "", unit.has_b_slice ? "b" : "");
  say("%s", "");
}

/* As show_access_units() for a file: only how many of each kind. */
static void count_access_units(const char *path) {
  static uint8_t bytes[64 << 20];
  FILE *file = fopen(path, "r");
  size_t length = file ? fread(bytes, 1, sizeof bytes, file) : 0;
  if (file)
    fclose(file);
  struct nal_walk walk = {.next = bytes, .end = bytes + length};
  struct access_unit unit;
  unsigned count = 0, keys = 0, b_slices = 0;
  unsigned long long covered = 0;
  while (access_unit_next(&walk, &unit)) {
    count++;
    keys += unit.key;
    b_slices += unit.has_b_slice;
    covered += unit.length;
  }
  say("file %u keys %u b %u bytes %llu", count, keys, b_slices, covered);
}

int main(void) {
  static char line[LINE_BYTES];
  const char *words[WORDS_MAX];
  say("ready");
  while (read_line(line)) {
    split(line, words);
    if (strcmp(words[0], "file") == 0) {
      count_access_units(words[1]);
      continue;
    }
    struct nal nal = nal_of(words[1]);
    if (strcmp(words[0], "sps") == 0)
      show_sps(nal);
    else if (strcmp(words[0], "pps") == 0)
      show_pps(nal);
    else if (strcmp(words[0], "slice") == 0)
      show_slice(nal);
    else if (strcmp(words[0], "plain") == 0)
      show_plain(nal, number(words[2]));
    else if (strcmp(words[0], "units") == 0)
      show_units(nal);
    else
      show_access_units(nal);
    free_nal(nal);
  }
  return 0;
}
