#define _GNU_SOURCE 1
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_word(_Atomic uint32_t *word, uint32_t value) {
  atomic_store_explicit(word, value, memory_order_relaxed);
}

static void publish_word(_Atomic uint32_t *word, uint32_t value) {
  atomic_store_explicit(word, value, memory_order_release);
}

/* Memory behind every page now: a full tmpfs would be a SIGBUS at the first store otherwise. */
static int reserve(int fd, uint32_t bytes) {
  int error = posix_fallocate(fd, 0, (off_t)bytes);
  if (error == 0)
    return 0;
  if (error != EOPNOTSUPP && error != EINVAL) {
    errno = error;
    return -1;
  }
  /* ramfs, on which an initramfs may lie, cannot be asked for it. */
  static const uint8_t zeros[4096];
  for (uint32_t done = 0; done < bytes;) {
    size_t part = bytes - done < sizeof zeros ? bytes - done : sizeof zeros;
    ssize_t written = write(fd, zeros, part);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return -1;
    done += (uint32_t)written;
  }
  return 0;
}

static int same_file(int a, int b) {
  struct stat first, second;
  return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

/* Gives *write_fd and *read_fd of a nameless file of `bytes` zeros. */
static int make_file(const char *dir, uint32_t bytes, int *write_fd, int *read_fd) {
  char path[4096];
  int length = snprintf(path, sizeof path, "%s/ocellus-ring-XXXXXX", dir);
  if (length < 0 || (size_t)length >= sizeof path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int writable = mkostemp(path, O_CLOEXEC);
  if (writable < 0)
    return -1;
  int readable = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  int error = readable < 0 ? errno : 0;
  if (unlink(path) != 0 && !error)
    error = errno;
  if (!error && !same_file(writable, readable))
    error = EEXIST;
  if (!error && reserve(writable, bytes) != 0)
    error = errno;
  /* Not even this user can open it for writing again, by way of /proc. */
  if (!error && fchmod(writable, 0400) != 0)
    error = errno;
  if (error) {
    close(writable);
    if (readable >= 0)
      close(readable);
    errno = error;
    return -1;
  }
  *write_fd = writable;
  *read_fd = readable;
  return 0;
}

enum ring_result ring_create(struct ring_writer *writer, const struct ring_options *options) {
  *writer = (struct ring_writer){.read_fd = -1};
  uint32_t data_bytes = options->data_bytes ? options->data_bytes : RING_DATA_BYTES_DEFAULT;
  uint32_t slot_count = options->slot_count ? options->slot_count : RING_SLOTS_DEFAULT;
  if (!ring_layout_ok(data_bytes, slot_count))
    return RING_BAD_LAYOUT;

  uint32_t total = ring_total_bytes(data_bytes, slot_count);
  int write_fd, read_fd;
  if (make_file(options->dir, total, &write_fd, &read_fd) != 0)
    return RING_SYSTEM;
  void *base = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED, write_fd, 0);
  int error = errno;
  close(write_fd);
  if (base == MAP_FAILED) {
    close(read_fd);
    errno = error;
    return RING_SYSTEM;
  }

  uint8_t *bytes = base;
  writer->header = base;
  writer->configs = (void *)(bytes + RING_HEADER_BYTES);
  writer->slots = (void *)(bytes + RING_SLOTS_OFFSET);
  writer->data = bytes + ring_data_offset(slot_count);
  writer->mapped_bytes = total;
  writer->read_fd = read_fd;
  writer->data_bytes = data_bytes;
  writer->slot_count = slot_count;
  writer->head_seq = options->first_seq;

  for (uint32_t i = 0; i < slot_count; i++)
    put_word(&writer->slots[i].seq, i + 1); /* I2: belongs to no frame */
  struct ring_header *header = writer->header;
  put_word(&header->version, RING_VERSION);
  put_word(&header->header_bytes, RING_HEADER_BYTES);
  put_word(&header->total_bytes, total);
  put_word(&header->data_bytes, data_bytes);
  put_word(&header->slot_count, slot_count);
  put_word(&header->stream, options->stream);
  put_word(&header->first_seq, options->first_seq);
  put_word(&header->head_seq, options->first_seq);
  put_word(&header->state, RING_STATE_RUNNING);
  publish_word(&header->magic, RING_MAGIC);
  return RING_OK;
}

int ring_read_fd(const struct ring_writer *writer) { return writer->read_fd; }

enum ring_result ring_set_config(struct ring_writer *writer, const struct ring_sets *sets) {
  if (writer->begun_bytes)
    abort();
  if (sets->sps_bytes > RING_SETS_BYTES || sets->pps_bytes > RING_SETS_BYTES - sets->sps_bytes)
    return RING_TOO_LARGE;

  uint32_t generation = writer->generation + 1;
  struct ring_config_entry *entry = &writer->configs[generation % RING_CONFIGS];
  put_word(&entry->generation, generation + 1); /* belongs to another entry */
  atomic_thread_fence(memory_order_release);
  put_word(&entry->width, sets->width);
  put_word(&entry->height, sets->height);
  put_word(&entry->frame_interval_us, sets->frame_interval_us);
  put_word(&entry->sps_bytes, sets->sps_bytes);
  put_word(&entry->pps_bytes, sets->pps_bytes);
  memcpy(entry->sets, sets->sps_list, sets->sps_bytes);
  memcpy(entry->sets + sets->sps_bytes, sets->pps_list, sets->pps_bytes);
  publish_word(&entry->generation, generation);
  publish_word(&writer->header->config_head, generation);
  writer->generation = generation;
  writer->config_is_new = 1;
  return RING_OK;
}

enum ring_result ring_begin(struct ring_writer *writer, uint32_t bytes) {
  if (writer->begun_bytes)
    abort();
  if (bytes == 0 || bytes > ring_frame_bytes_max(writer->data_bytes, writer->slot_count))
    return RING_TOO_LARGE;
  put_word(&writer->header->data_head, writer->position + bytes);
  atomic_thread_fence(memory_order_release); /* I1: seen before any byte that follows */
  writer->begun_bytes = bytes;
  writer->put_bytes = 0;
  return RING_OK;
}

void ring_put(struct ring_writer *writer, const void *bytes, uint32_t length) {
  if (length > writer->begun_bytes - writer->put_bytes)
    abort();
  uint32_t at = (writer->position + writer->put_bytes) & (writer->data_bytes - 1);
  uint32_t to_end = writer->data_bytes - at;
  uint32_t first = length < to_end ? length : to_end;
  memcpy(writer->data + at, bytes, first);
  memcpy(writer->data, (const uint8_t *)bytes + first, length - first);
  writer->put_bytes += length;
}

void ring_put_nal(struct ring_writer *writer, const uint8_t *nal, uint32_t length) {
  uint8_t prefix[4] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8),
                       (uint8_t)length};
  ring_put(writer, prefix, sizeof prefix);
  ring_put(writer, nal, length);
}

uint32_t ring_commit(struct ring_writer *writer, uint32_t flags, uint64_t capture_us) {
  flags &= RING_FRAME_KEY | RING_FRAME_DISCONTINUITY;
  if (!writer->begun_bytes || writer->put_bytes != writer->begun_bytes || !writer->generation ||
      (writer->config_is_new && !(flags & RING_FRAME_KEY)))
    abort();

  uint32_t seq = writer->head_seq;
  struct ring_slot *slot = &writer->slots[seq & (writer->slot_count - 1)];
  put_word(&slot->seq, seq + 1);
  atomic_thread_fence(memory_order_release);
  put_word(&slot->position, writer->position);
  put_word(&slot->bytes, writer->begun_bytes);
  put_word(&slot->flags, flags);
  put_word(&slot->generation, writer->generation);
  put_word(&slot->capture_us_lo, (uint32_t)capture_us);
  put_word(&slot->capture_us_hi, (uint32_t)(capture_us >> 32));
  put_word(&slot->hints, 0);
  publish_word(&slot->seq, seq);
  if (flags & RING_FRAME_KEY) {
    put_word(&writer->header->keys[writer->key_head % RING_KEYS], seq);
    publish_word(&writer->header->key_head, ++writer->key_head);
  }
  publish_word(&writer->header->head_seq, seq + 1);

  writer->position += writer->begun_bytes;
  writer->begun_bytes = 0;
  writer->config_is_new = 0;
  writer->head_seq = seq + 1;
  return seq;
}

void ring_end(struct ring_writer *writer) {
  publish_word(&writer->header->state, RING_STATE_ENDED);
}

void ring_destroy(struct ring_writer *writer) {
  if (!writer->header)
    return;
  munmap(writer->header, writer->mapped_bytes);
  close(writer->read_fd);
  *writer = (struct ring_writer){.read_fd = -1};
}
