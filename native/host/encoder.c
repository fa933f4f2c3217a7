#include "encoder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CAPTURE_US_MAX ((1ull << 53) - 1) /* what JavaScript holds exactly */

static const char *refusal(uint32_t reason) {
  switch (reason) {
  case DOOR_REASON_VERSION:
    return "it speaks another version";
  case DOOR_REASON_NO_STREAM:
    return "it has no such stream";
  case DOOR_REASON_FULL:
    return "it has no room for another consumer";
  default:
    return "it gave no reason";
  }
}

enum encoder_opening encoder_connect(struct encoder *encoder, const char *door, uint32_t stream,
                                     char *text, uint32_t text_bytes) {
  memset(encoder, 0, sizeof *encoder);
  if (door_client_connect(&encoder->client, door, stream) == 0)
    return ENCODER_WAITING;
  snprintf(text, text_bytes, "no encoder at %s: %s", door, strerror(errno));
  return ENCODER_ABSENT;
}

static enum encoder_opening take_answer(struct encoder *encoder, char *text, uint32_t text_bytes) {
  struct door_reply ignored;
  switch (door_client_handle(&encoder->client, &ignored)) {
  case DOOR_EVENT_NONE:
    return ENCODER_WAITING;
  case DOOR_EVENT_ATTACHED:
    if (ring_seek(&encoder->client.reader, RING_SEEK_OLDEST_KEY, 0) != RING_BROKEN)
      return ENCODER_OPEN;
    snprintf(text, text_bytes, "the encoder's ring: %s", ring_result_text(RING_BROKEN));
    return ENCODER_BAD_RING;
  case DOOR_EVENT_REFUSED:
    snprintf(text, text_bytes, "the encoder refused: %s", refusal(encoder->client.hello.reason));
    return ENCODER_REFUSED;
  case DOOR_EVENT_BAD_RING:
    snprintf(text, text_bytes, "the encoder's ring: %s",
             ring_result_text(encoder->client.ring_error));
    return ENCODER_BAD_RING;
  case DOOR_EVENT_CLOSED:
    snprintf(text, text_bytes, "the encoder hung up");
    return ENCODER_ABSENT;
  case DOOR_EVENT_GARBLED:
  case DOOR_EVENT_REPLY:
    break;
  }
  snprintf(text, text_bytes, "the encoder does not speak the door's protocol");
  return ENCODER_ABSENT;
}

enum encoder_opening encoder_answer(struct encoder *encoder, char *text, uint32_t text_bytes) {
  enum encoder_opening opening = take_answer(encoder, text, text_bytes);
  if (opening != ENCODER_OPEN && opening != ENCODER_WAITING)
    door_client_close(&encoder->client);
  return opening;
}

bool encoder_is_open(const struct encoder *encoder) { return encoder->client.attached; }

/* Remembers a frame that JavaScript gets to know. */
static enum encoder_next give(struct encoder *encoder, const struct ring_frame *frame) {
  encoder->frames[frame->seq % ENCODER_FRAMES] = *frame;
  encoder->newest_seq = frame->seq;
  if (encoder->given < 0x80000000u)
    encoder->given++;
  return ENCODER_FRAME;
}

enum encoder_next encoder_next(struct encoder *encoder, struct ring_frame *frame, uint32_t *lost) {
  if (!encoder_is_open(encoder))
    return ENCODER_NONE;
  if (encoder->has_held) {
    encoder->has_held = false;
    *frame = encoder->held;
    return give(encoder, frame);
  }
  if (encoder->broken)
    return ENCODER_BROKEN;
  switch (ring_next(&encoder->client.reader, frame)) {
  case RING_OK:
    break;
  case RING_EMPTY:
    return ENCODER_NONE;
  case RING_ENDED:
    return ENCODER_ENDED;
  default:
    encoder->broken = true;
    return ENCODER_BROKEN;
  }
  if (frame->capture_us > CAPTURE_US_MAX) {
    encoder->broken = true;
    return ENCODER_BROKEN;
  }
  if (frame->lost_before == 0)
    return give(encoder, frame);
  encoder->held = *frame;
  encoder->has_held = true;
  *lost = frame->lost_before;
  return ENCODER_LAPPED;
}

enum encoder_found encoder_find(const struct encoder *encoder, uint32_t seq,
                                struct ring_frame *frame) {
  const struct ring_frame *kept = &encoder->frames[seq % ENCODER_FRAMES];
  if (kept->seq == seq && kept->bytes > 0) {
    *frame = *kept;
    return ENCODER_FOUND;
  }
  bool past = encoder->given >= ENCODER_FRAMES && encoder->newest_seq - seq < 0x80000000u;
  return past ? ENCODER_PAST : ENCODER_UNKNOWN;
}

void encoder_close(struct encoder *encoder) { door_client_close(&encoder->client); }
