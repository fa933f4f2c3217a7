/*
 * Plays a clip through ring and door, in step with a clock that is passed in.
 */
#ifndef OCELLUS_CANNED_PLAYER_H
#define OCELLUS_CANNED_PLAYER_H

#include <stdint.h>

#include "../../ring/door_server.h"
#include "clip.h"
#include "options.h"

/* Everything of one run. Clip, writer and server are opened and closed by whoever owns it. */
struct player {
  const struct options *options;
  struct clip clip;
  struct ring_writer writer;
  struct door_server server;
  uint32_t loop;           /* being played, from 0 */
  uint32_t frame;          /* next of that loop */
  uint32_t config_in_ring; /* index of the clip's config published last, if has_config */
  uint8_t has_config;
  uint8_t started;
  uint8_t ended;
  uint64_t start_us; /* capture time of the first frame of all */
};

/* Publishes what is due at `now_us` (CLOCK_MONOTONIC), at most a burst, so that consumers have their
 * turn; starts the clip if it is time for it. Returns when to call again; UINT64_MAX where only a
 * consumer's coming changes anything. */
uint64_t player_run(struct player *player, uint64_t now_us);

/* Whether the footage has ended and nobody is left to read it. */
int player_done(const struct player *player);

#endif
