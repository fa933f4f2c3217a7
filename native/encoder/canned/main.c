/*
 * ocellus-canned: an encoder that plays a clip, in real time, through the same ring and door as the
 * encoder of a camera. It can do nothing that is asked for through the door: a file has no knobs.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "player.h"

#define HOUSEKEEPING_US 500000u

static volatile sig_atomic_t asked_to_stop;

static void on_stop(int signal_number) {
  (void)signal_number;
  asked_to_stop = 1;
}

static uint64_t monotonic_us(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
    abort();
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static int complain(const char *what, const char *which, const char *why) {
  fprintf(stderr, "ocellus-canned: %s %s: %s\n", what, which, why);
  return -1;
}

static void refuse_request(void *context, uint32_t stream, const struct door_request *request,
                           struct door_reply *reply) {
  (void)context, (void)stream, (void)request;
  reply->result = DOOR_UNSUPPORTED;
}

static uint32_t ring_bytes_for(const struct clip *clip) {
  uint32_t bytes = RING_DATA_BYTES_DEFAULT;
  while (bytes < RING_DATA_BYTES_MAX && bytes / 4 < clip->largest_stored_bytes)
    bytes *= 2;
  return bytes;
}

/* Sizes of the ring for a clip. 0; or -1 where its largest frame does not fit, having said so. */
static int size_ring(const struct options *options, const struct clip *clip,
                     struct ring_options *ring) {
  ring->data_bytes = options->ring_bytes ? options->ring_bytes : ring_bytes_for(clip);
  ring->slot_count = RING_SLOTS_DEFAULT;
  uint32_t most = ring_frame_bytes_max(ring->data_bytes, ring->slot_count);
  if (clip->largest_stored_bytes <= most)
    return 0;
  char why[128];
  snprintf(why, sizeof why, "its largest frame has %u bytes, a ring of %u bytes takes %u",
           clip->largest_stored_bytes, ring->data_bytes, most);
  return complain("cannot play", options->clip, why);
}

static int make_ring(struct player *player) {
  const struct options *options = player->options;
  char socket_dir[4096];
  const char *dir = options->ring_dir;
  if (!dir && access("/dev/shm", W_OK | X_OK) == 0)
    dir = "/dev/shm";
  if (!dir) {
    snprintf(socket_dir, sizeof socket_dir, "%s", options->socket);
    char *slash = strrchr(socket_dir, '/');
    if (slash)
      slash[slash == socket_dir] = 0;
    dir = slash ? socket_dir : ".";
  }
  struct ring_options ring = {.dir = dir, .stream = options->stream};
  if (size_ring(options, &player->clip, &ring) != 0)
    return -1;
  enum ring_result made = ring_create(&player->writer, &ring);
  if (made != RING_OK)
    return complain("cannot make a ring in", dir,
                    made == RING_SYSTEM ? strerror(errno) : ring_result_text(made));
  return 0;
}

static int open_all(struct player *player) {
  const struct options *options = player->options;
  char why[CLIP_ERROR_BYTES];
  if (clip_open(&player->clip, options->clip, options->disk.range, options->fps, why) != 0)
    return complain("cannot play", options->clip, why);
  if (make_ring(player) != 0)
    return -1;
  const struct door_handler handler = {.request = refuse_request};
  if (door_server_open(&player->server, options->socket, options->group, &handler) != 0)
    return complain("cannot listen at", options->socket,
                    errno == EADDRINUSE ? "another encoder does"
                    : errno == EEXIST   ? "something stands there that is not a socket"
                                        : strerror(errno));
  door_server_add_stream(&player->server, options->stream, &player->writer);
  return 0;
}

/* --check: 0 and one line of JSON; or -1, having said why not. For scripts/footage. */
static int check_clip(const struct options *options) {
  struct clip clip;
  struct ring_options ring = {0};
  char why[CLIP_ERROR_BYTES];
  if (clip_open(&clip, options->clip, options->disk.range, options->fps, why) != 0)
    return complain("cannot play", options->clip, why);
  int result = size_ring(options, &clip, &ring);
  if (result == 0) {
    const struct clip_config *first = &clip.configs[0];
    struct frame_rate stated;
    printf("{\"width\":%u,\"height\":%u,\"frames\":%u,\"skipped\":%u,\"configs\":%u,"
           "\"rate\":[%u,%u],\"statesRate\":%s}\n",
           first->sps.width, first->sps.height, clip.frame_count, clip.skipped, clip.config_count,
           first->rate.numerator, first->rate.denominator,
           sps_frame_rate(&first->sps, &stated.numerator, &stated.denominator) ? "true" : "false");
  }
  clip_close(&clip);
  return result;
}

static void say_ready(const struct player *player) {
  const struct clip *clip = &player->clip;
  struct frame_rate rate = clip->configs[0].rate;
  fprintf(stderr, "ocellus-canned: %ux%u, %u frames, %.2f a second, at %s\n",
          clip->configs[0].sps.width, clip->configs[0].sps.height, clip->frame_count,
          (double)rate.numerator / rate.denominator, player->options->socket);
  if (clip->skipped)
    fprintf(stderr, "ocellus-canned: %u frames before the first key frame are left out\n",
            clip->skipped);
}

/* Serves consumers until `due_us` at the latest, with the stop signals let in only while waiting.
 */
static void serve_until(struct player *player, uint64_t due_us, const sigset_t *waiting_mask) {
  uint64_t now_us = monotonic_us();
  uint64_t wait_us = due_us > now_us ? due_us - now_us : 0;
  struct timespec wait = {.tv_sec = (time_t)(wait_us / 1000000u),
                          .tv_nsec = (long)(wait_us % 1000000u) * 1000};
  struct pollfd fds[DOOR_POLL_FDS];
  nfds_t count = door_server_poll_fds(&player->server, fds);
  if (ppoll(fds, count, &wait, waiting_mask) < 0)
    count = 0;
  door_server_handle(&player->server, fds, count, monotonic_us() / 1000u);
}

static void play(struct player *player, const sigset_t *waiting_mask) {
  while (!asked_to_stop && !player_done(player)) {
    uint64_t now_us = monotonic_us();
    uint64_t due_us = player_run(player, now_us);
    if (due_us > now_us + HOUSEKEEPING_US)
      due_us = now_us + HOUSEKEEPING_US;
    serve_until(player, due_us, waiting_mask);
  }
}

int main(int argc, char **argv) {
  struct options options;
  enum options_result parsed = options_parse(&options, argc, argv);
  if (parsed != OPTIONS_RUN)
    return parsed == OPTIONS_HELP ? 0 : 2;
  if (options.check)
    return check_clip(&options) == 0 ? 0 : 1;

  /* Blocked except while waiting, so that a stop is neither missed nor interrupts a frame. */
  sigset_t stops, before;
  sigemptyset(&stops);
  sigaddset(&stops, SIGTERM);
  sigaddset(&stops, SIGINT);
  sigprocmask(SIG_BLOCK, &stops, &before);
  struct sigaction action = {.sa_handler = on_stop};
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  sigset_t waiting_mask = before;
  sigdelset(&waiting_mask, SIGTERM);
  sigdelset(&waiting_mask, SIGINT);

  struct player player = {
      .options = &options, .writer = {.read_fd = -1}, .server = {.listen_fd = -1, .lock_fd = -1}};
  int opened = open_all(&player);
  if (opened == 0) {
    say_ready(&player);
    play(&player, &waiting_mask);
  }
  door_server_close(&player.server);
  ring_destroy(&player.writer);
  clip_close(&player.clip);
  return opened == 0 ? 0 : 1;
}
