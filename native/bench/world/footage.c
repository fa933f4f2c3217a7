/* The encoder: a clip, frame by frame when it is due, through the same ring and door as on a
 * camera. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../encoder/canned/clip.h"
#include "../../encoder/common/publish.h"
#include "../../ring/door_server.h"
#include "world.h"

/* The program's own poll() is this world. */
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

static struct clip clip;
static struct ring_writer writer;
static struct door_server server;
static uint64_t start_us = WORLD_NEVER;
static uint64_t frames, bytes;

static _Noreturn void fail(const char *what, const char *why) {
  fprintf(stderr, "bench: %s: %s\n", what, why);
  exit(1);
}

static void refuse(void *context, uint32_t stream, const struct door_request *request,
                   struct door_reply *reply) {
  (void)context, (void)stream, (void)request;
  reply->result = DOOR_UNSUPPORTED;
}

void footage_open(const char *path, const char *door) {
  char why[CLIP_ERROR_BYTES];
  const struct ring_options options = {.dir = "/dev/shm"};
  const struct door_handler handler = {.request = refuse};
  if (clip_open(&clip, path, (struct clip_range){0, 0}, (struct frame_rate){0, 0}, why) != 0)
    fail(path, why);
  enum ring_result made = ring_create(&writer, &options);
  if (made != RING_OK)
    fail("ring", ring_result_text(made));
  if (clip.largest_stored_bytes > ring_frame_bytes_max(writer.data_bytes, writer.slot_count))
    fail(path, "a frame is too large for the ring");
  if (door_server_open(&server, door, (gid_t)-1, &handler) != 0)
    fail(door, strerror(errno));
  /* The camera gives up root, if it has it, and this door leads to nothing secret. */
  if (chmod(door, 0666) != 0)
    fail(door, strerror(errno));
  door_server_add_stream(&server, 0, &writer);
}

static uint64_t due_us(void) {
  return start_us + frames / clip.frame_count * clip.duration_us +
         clip.frames[frames % clip.frame_count].time_us;
}

static uint32_t interval_us(struct frame_rate rate) {
  return (uint32_t)((uint64_t)rate.denominator * 1000000u / rate.numerator);
}

static void publish_next(void) {
  static uint32_t config = UINT32_MAX;
  const struct clip_frame *frame = &clip.frames[frames % clip.frame_count];
  if (frame->config != config) {
    const struct clip_config *next = &clip.configs[frame->config];
    if (publish_config(&writer, &next->sets, &next->sps, interval_us(next->rate)) != RING_OK)
      abort();
    config = frame->config;
  }
  if (publish_frame(&writer, &frame->unit, 0, due_us()) != RING_OK)
    abort();
  bytes += frame->unit.stored_bytes;
  frames++;
  door_server_wake(&server, 0);
}

void footage_step(uint64_t now_us) {
  struct pollfd fds[DOOR_POLL_FDS];
  nfds_t count = door_server_poll_fds(&server, fds);
  if (__real_poll(fds, count, 0) < 0)
    abort();
  door_server_handle(&server, fds, count, now_us / 1000u);
  if (start_us == WORLD_NEVER && server.attached_ever > 0)
    start_us = now_us;
  while (start_us != WORLD_NEVER && due_us() <= now_us)
    publish_next();
}

uint64_t footage_next_us(void) { return start_us == WORLD_NEVER ? WORLD_NEVER : due_us(); }

uint64_t footage_frames(void) { return frames; }

uint64_t footage_bytes(void) { return bytes; }
