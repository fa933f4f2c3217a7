/*
 * The door: how a consumer gets at an encoder's footage, and asks it for things.
 *
 * The encoder listens on a Unix socket of type SOCK_SEQPACKET, so one send is one message. Messages
 * are the fixed structs below, sent whole; a message of another length or with a wrong magic ends
 * the connection. Numbers have the machine's byte order: both ends are on one machine. Reserved
 * fields are sent as zero and not looked at.
 *
 *     consumer                                   encoder
 *     connect
 *     struct door_subscribe               ──▶
 *                                         ◀──    struct door_hello + SCM_RIGHTS [ring, eventfd]
 *     struct door_request (any time)      ──▶
 *                                         ◀──    struct door_reply, one per request, in order
 *
 * The first descriptor is the stream's ring (ring.h), opened O_RDONLY. The second is an eventfd
 * made for this consumer alone, non-blocking; the encoder adds 1 for each frame, at the end of its
 * footage and for nothing else, so poll() tells the consumer when to look. A read() resets it; the
 * value is of no meaning beyond "not zero". A hello with another result than DOOR_OK carries no
 * descriptors and the encoder hangs up after it.
 *
 * When the encoder ends or dies the socket hangs up. The mapping stays valid: the consumer reads
 * what is left, detaches, and connects again, to get a new ring.
 *
 * The encoder never waits for a consumer. Whoever does not take replies, sends nonsense, or does
 * not subscribe within DOOR_SUBSCRIBE_MS is hung up on. (One limit: an eventfd's non-blocking flag
 * is shared by both ends, so a consumer that is set on it can clear the flag and fill the counter.
 * Consumers are trusted that far: whoever may open the socket may already see the footage.)
 */
#ifndef OCELLUS_RING_DOOR_H
#define OCELLUS_RING_DOOR_H

#include <assert.h>
#include <stdint.h>

#define DOOR_VERSION 1u
#define DOOR_SUBSCRIBE_MAGIC 0x3153434fu /* "OCS1" */
#define DOOR_HELLO_MAGIC 0x3148434fu     /* "OCH1" */
#define DOOR_REQUEST_MAGIC 0x3151434fu   /* "OCQ1" */
#define DOOR_REPLY_MAGIC 0x3152434fu     /* "OCR1" */

#define DOOR_CONSUMERS_MAX 8   /* connections at one time */
#define DOOR_STREAMS_MAX 4     /* streams of one encoder */
#define DOOR_SUBSCRIBE_MS 2000 /* from connect to subscribe */
#define DOOR_KEY_FRAME_MS 1000 /* least time between two requested key frames of one stream */
#define DOOR_TEXT_BYTES 64     /* longest overlay text, UTF-8 */
#define DOOR_DATA_BYTES 128    /* longest reply data: a motion grid of up to 128 cells */

/* How the encoder took it. */
enum door_result {
  DOOR_OK = 0,
  DOOR_UNSUPPORTED = 1, /* this encoder cannot do that */
  DOOR_REFUSED = 2,     /* it can, but not now or not with these values: see door_reason */
};

/* Why something was refused. */
enum door_reason {
  DOOR_REASON_NONE = 0,
  DOOR_REASON_VERSION = 1,   /* hello: other versions at the two ends; it has the encoder's */
  DOOR_REASON_NO_STREAM = 2, /* hello: no such stream */
  DOOR_REASON_FULL = 3,      /* hello: DOOR_CONSUMERS_MAX are connected */
  DOOR_REASON_TOO_SOON = 4,  /* key frame: the last one was asked for less than DOOR_KEY_FRAME_MS
                                ago; value[0] of the reply: ms until the next may be asked for */
  DOOR_REASON_BAD_VALUE = 5, /* outside what the encoder takes */
  DOOR_REASON_DEVICE = 6,    /* the device failed; value[0] of the reply: its error number */
};

/* What can be asked for. `value` means those of struct door_request. */
enum door_kind {
  DOOR_KEY_FRAME = 1,    /* a key frame as soon as possible */
  DOOR_BITRATE = 2,      /* value[0]: bits/s */
  DOOR_FRAME_RATE = 3,   /* value[0] / value[1] frames a second */
  DOOR_FLIP = 4,         /* value[0]: 1 mirrors left-right, value[1]: 1 turns upside down */
  DOOR_OVERLAY_TEXT = 5, /* text; none takes it away */
  DOOR_DAY_NIGHT = 6,    /* value[0]: 0 day (colour), 1 night (grey, infrared) */
  DOOR_MOTION_GRID = 7,  /* reply: value[0] columns, value[1] rows, value[2] sequence number of the
                            frame it belongs to; data: a byte a cell, row by row, 0 still to 255 */
};

struct door_subscribe {
  uint32_t magic;   /* DOOR_SUBSCRIBE_MAGIC */
  uint32_t version; /* DOOR_VERSION */
  uint32_t stream;  /* 0 main, 1 sub */
  uint32_t reserved[5];
};
static_assert(sizeof(struct door_subscribe) == 32, "door_subscribe layout");

struct door_hello {
  uint32_t magic;      /* DOOR_HELLO_MAGIC */
  uint32_t version;    /* DOOR_VERSION of the encoder */
  uint32_t result;     /* enum door_result */
  uint32_t reason;     /* enum door_reason */
  uint32_t stream;     /* as asked for */
  uint32_t ring_bytes; /* size of the ring file; 0 when refused */
  uint32_t abilities;  /* bit 1 << kind for each door_kind this encoder supports */
  uint32_t reserved;
};
static_assert(sizeof(struct door_hello) == 32, "door_hello layout");

struct door_request {
  uint32_t magic; /* DOOR_REQUEST_MAGIC */
  uint32_t id;    /* the consumer's own; comes back in the reply */
  uint32_t kind;  /* enum door_kind; an unknown one is answered DOOR_UNSUPPORTED */
  int32_t value[4];
  uint32_t text_bytes;           /* 0 to DOOR_TEXT_BYTES, for DOOR_OVERLAY_TEXT */
  uint8_t text[DOOR_TEXT_BYTES]; /* UTF-8, not terminated */
};
static_assert(sizeof(struct door_request) == 96, "door_request layout");

struct door_reply {
  uint32_t magic;  /* DOOR_REPLY_MAGIC */
  uint32_t id;     /* of the request */
  uint32_t kind;   /* of the request */
  uint32_t result; /* enum door_result */
  uint32_t reason; /* enum door_reason */
  int32_t value[4];
  uint32_t data_bytes;           /* 0 to DOOR_DATA_BYTES */
  uint8_t data[DOOR_DATA_BYTES]; /* for DOOR_MOTION_GRID */
};
static_assert(sizeof(struct door_reply) == 168, "door_reply layout");

#endif
