#define _FILE_OFFSET_BITS 64
#define _GNU_SOURCE 1
#include "clip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct frame_rate RATE_UNSTATED = {25, 1};

/* What indexing carries along. */
struct indexing {
  struct clip *clip;
  struct frame_rate forced;
  struct parameter_sets sets; /* in force */
  uint64_t section_us;        /* when the current config came into force … */
  uint32_t section_first;     /* … and with which frame */
  uint32_t met;               /* access units met, skipped ones included */
  char *error;
};

static int fail(struct indexing *indexing, const char *what) {
  snprintf(indexing->error, CLIP_ERROR_BYTES, "frame %u %s", indexing->met, what);
  return -1;
}

/* Room for one more element: doubles an array whenever its length is a power of two. */
static void *grow(void *array, uint32_t count, size_t element) {
  if (count & (count - 1))
    return array;
  void *grown = realloc(array, (count ? 2 * (size_t)count : 1) * element);
  if (!grown)
    abort();
  return grown;
}

/* Frame times are computed from the start of each section, so that rounding does not add up. */
static uint64_t time_of(const struct indexing *indexing, uint32_t frame) {
  const struct clip *clip = indexing->clip;
  struct frame_rate rate = clip->configs[clip->config_count - 1].rate;
  uint64_t frames = frame - indexing->section_first;
  return indexing->section_us + frames * rate.denominator * 1000000u / rate.numerator;
}

static struct frame_rate rate_of(const struct indexing *indexing, const struct sps *sps) {
  struct frame_rate rate = indexing->forced;
  if (rate.numerator || sps_frame_rate(sps, &rate.numerator, &rate.denominator))
    return rate;
  return RATE_UNSTATED;
}

static int add_config(struct indexing *indexing, const struct access_unit *unit) {
  struct clip *clip = indexing->clip;
  if (!unit->key)
    return fail(indexing, "changes the parameter sets without being a key frame");
  struct sps sps;
  if (!parameter_sets_active(&indexing->sets, unit, &sps))
    return fail(indexing, "comes without its parameter sets");
  if (clip->config_count) {
    indexing->section_us = time_of(indexing, clip->frame_count);
    indexing->section_first = clip->frame_count;
  }
  clip->configs = grow(clip->configs, clip->config_count, sizeof *clip->configs);
  clip->configs[clip->config_count++] =
      (struct clip_config){.sets = indexing->sets, .sps = sps, .rate = rate_of(indexing, &sps)};
  return 0;
}

static int add_frame(struct indexing *indexing, const struct access_unit *unit) {
  struct clip *clip = indexing->clip;
  enum sets_change change = parameter_sets_take(&indexing->sets, unit);
  if (change == SETS_MALFORMED)
    return fail(indexing, "carries a damaged SPS or PPS");
  if (change == SETS_TOO_LARGE)
    return fail(indexing, "carries more SPS and PPS than the ring takes");
  if (unit->has_b_slice)
    return fail(indexing, "is a B-frame, which a camera does not make");
  if (!unit->key && !clip->frame_count) {
    clip->skipped++;
    return 0;
  }
  if ((change == SETS_CHANGED || !clip->config_count) && add_config(indexing, unit) != 0)
    return -1;
  clip->frames = grow(clip->frames, clip->frame_count, sizeof *clip->frames);
  clip->frames[clip->frame_count] =
      (struct clip_frame){.unit = *unit,
                          .time_us = time_of(indexing, clip->frame_count),
                          .config = clip->config_count - 1};
  clip->frame_count++;
  if (unit->stored_bytes > clip->largest_stored_bytes)
    clip->largest_stored_bytes = unit->stored_bytes;
  return 0;
}

/* Bytes of a file or block device; 0 for anything else. */
static uint64_t size_of(int fd) {
  struct stat file;
  if (fstat(fd, &file) != 0 || (!S_ISREG(file.st_mode) && !S_ISBLK(file.st_mode)))
    return 0;
  off_t end = lseek(fd, 0, SEEK_END); /* st_size is 0 for a block device */
  return end < 0 ? 0 : (uint64_t)end;
}

static int map_file(struct clip *clip, const char *path, struct clip_range range) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  uint64_t size = size_of(fd);
  uint64_t bytes = range.bytes ? range.bytes : size;
  void *base = MAP_FAILED;
  if (bytes == 0)
    errno = EINVAL;
  else if (range.offset > size || bytes > size - range.offset)
    errno = ENODATA;
  else if (bytes > SIZE_MAX / 2)
    errno = EFBIG;
  else
    base = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, (off_t)range.offset);
  int error = errno;
  close(fd);
  errno = error;
  if (base == MAP_FAILED)
    return -1;
  clip->bytes = base;
  clip->length = (size_t)bytes;
  return 0;
}

/* A byte stream begins with a start code, zero bytes before it allowed (Annex B.1.1); other files
 * may well have one somewhere inside. */
static int is_byte_stream(const struct clip *clip) {
  size_t zeros = 0;
  while (zeros < clip->length && clip->bytes[zeros] == 0)
    zeros++;
  return zeros >= 2 && zeros < clip->length && clip->bytes[zeros] == 1;
}

static int index_clip(struct indexing *indexing) {
  struct clip *clip = indexing->clip;
  struct nal_walk walk = {.next = clip->bytes, .end = clip->bytes + clip->length};
  struct access_unit unit;
  if (is_byte_stream(clip))
    for (; access_unit_next(&walk, &unit); indexing->met++)
      if (add_frame(indexing, &unit) != 0)
        return -1;
  if (!clip->frame_count) {
    snprintf(indexing->error, CLIP_ERROR_BYTES, "%s",
             indexing->met ? "it has no key frame (IDR)" : "it is no H.264 byte stream (Annex B)");
    return -1;
  }
  clip->duration_us = time_of(indexing, clip->frame_count);
  return 0;
}

int clip_open(struct clip *clip, const char *path, struct clip_range range, struct frame_rate rate,
              char error[CLIP_ERROR_BYTES]) {
  *clip = (struct clip){0};
  if (map_file(clip, path, range) != 0) {
    snprintf(error, CLIP_ERROR_BYTES, "%s",
             errno == EINVAL    ? "it is empty, or neither a regular file nor a block device"
             : errno == ENODATA ? "it is shorter than its head says"
                                : strerror(errno));
    return -1;
  }
  struct indexing indexing = {.clip = clip, .forced = rate, .error = error};
  if (index_clip(&indexing) != 0) {
    clip_close(clip);
    return -1;
  }
  return 0;
}

void clip_close(struct clip *clip) {
  if (clip->bytes)
    munmap((void *)(uintptr_t)clip->bytes, clip->length);
  free(clip->frames);
  free(clip->configs);
  *clip = (struct clip){0};
}
