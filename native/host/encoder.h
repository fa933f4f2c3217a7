/*
 * A subscription to one stream of the encoder: the door's client, and the frames it gave.
 *
 * JavaScript names frames by their number; here is kept where each of the newest ENCODER_FRAMES
 * stands in the ring, so that no position ever comes from there.
 */
#ifndef OCELLUS_HOST_ENCODER_H
#define OCELLUS_HOST_ENCODER_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/door_client.h"

#define ENCODER_FRAMES 1024u      /* a power of two; 40 s at 25 frames/s */
#define ENCODER_HANDSHAKE_MS 1000 /* the encoder accepts in its own loop, within a frame's time */

/* All members are private but `client`. */
struct encoder {
  struct door_client client;
  struct ring_frame frames[ENCODER_FRAMES]; /* frame n in n % ENCODER_FRAMES */
  uint32_t given;                           /* how many were given, at most 2^31 */
  uint32_t newest_seq;                      /* of the last given */
  struct ring_frame held;                   /* while has_held: given by the next call */
  bool has_held;
  bool broken;
};

enum encoder_opening {
  ENCODER_OPEN,
  ENCODER_WAITING,  /* the answer has not come yet */
  ENCODER_ABSENT,   /* nobody listens, or it does not speak the door's protocol */
  ENCODER_REFUSED,  /* it has no such stream, or no room */
  ENCODER_BAD_RING, /* what it handed over is no ring */
};

/* Connects and subscribes, without waiting for the answer. ENCODER_WAITING; or ENCODER_ABSENT with
 * nothing to close, and `text` says what happened. */
enum encoder_opening encoder_connect(struct encoder *encoder, const char *door, uint32_t stream,
                                     char *text, uint32_t text_bytes);

/* Takes the answer once the socket is readable; the caller gives up after ENCODER_HANDSHAKE_MS.
 * ENCODER_OPEN: stands at the oldest key frame. _WAITING: not there yet. Otherwise the connection
 * is closed and `text` says why. */
enum encoder_opening encoder_answer(struct encoder *encoder, char *text, uint32_t text_bytes);

/* Whether it has a ring. Before that encoder_next gives ENCODER_NONE. */
bool encoder_is_open(const struct encoder *encoder);

enum encoder_next {
  ENCODER_FRAME,  /* *frame */
  ENCODER_LAPPED, /* *lost frames were overwritten; the next call gives a key frame */
  ENCODER_NONE,
  ENCODER_ENDED,
  ENCODER_BROKEN, /* from now on */
};
enum encoder_next encoder_next(struct encoder *encoder, struct ring_frame *frame, uint32_t *lost);

enum encoder_found {
  ENCODER_FOUND,
  ENCODER_PAST,    /* given, but so long ago that it cannot be named any more */
  ENCODER_UNKNOWN, /* never given */
};
enum encoder_found encoder_find(const struct encoder *encoder, uint32_t seq,
                                struct ring_frame *frame);

void encoder_close(struct encoder *encoder);

#endif
