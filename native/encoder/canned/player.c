#include "player.h"

#include <stdlib.h>

#include "../common/publish.h"

#define BURST_FRAMES 16

/* Time of the next frame on the clip's own clock, over all loops. */
static uint64_t next_time_us(const struct player *player) {
  return player->loop * player->clip.duration_us + player->clip.frames[player->frame].time_us;
}

/* When the next frame is to be published, on CLOCK_MONOTONIC. */
static uint64_t next_due_us(const struct player *player) {
  double after_us = (double)next_time_us(player) / player->options->rate;
  return player->start_us + (uint64_t)after_us;
}

static uint32_t interval_us(struct frame_rate rate) {
  return (uint32_t)(((uint64_t)rate.denominator * 1000000u + rate.numerator / 2) / rate.numerator);
}

static void publish_next(struct player *player) {
  const struct clip_frame *frame = &player->clip.frames[player->frame];
  if (!player->has_config || player->config_in_ring != frame->config) {
    const struct clip_config *config = &player->clip.configs[frame->config];
    if (publish_config(&player->writer, &config->sets, &config->sps, interval_us(config->rate)) !=
        RING_OK)
      abort(); /* clip_open() saw to the size */
    player->config_in_ring = frame->config;
    player->has_config = 1;
  }
  if (publish_frame(&player->writer, &frame->unit, 0, player->start_us + next_time_us(player)) !=
      RING_OK)
    abort(); /* make_ring() saw to the size */

  if (++player->frame == player->clip.frame_count) {
    player->frame = 0;
    player->loop++;
    player->ended = player->options->loops && player->loop == player->options->loops;
  }
  if (player->ended)
    ring_end(&player->writer);
  door_server_wake(&player->server, player->options->stream);
}

uint64_t player_run(struct player *player, uint64_t now_us) {
  if (!player->started && (!player->options->wait || player->server.attached_ever)) {
    player->started = 1;
    player->start_us = now_us;
  }
  for (int i = 0; i < BURST_FRAMES && player->started && !player->ended; i++) {
    if (next_due_us(player) > now_us)
      break;
    publish_next(player);
  }
  return player->started && !player->ended ? next_due_us(player) : UINT64_MAX;
}

int player_done(const struct player *player) {
  return player->ended && door_server_attached(&player->server) == 0;
}
