/*
 * An encoder under remote control: one ring behind one door, told line by line what to write. See
 * support/dialogue.h for the conversation, `commands` below for the words.
 *
 *     ring_writer SOCKET DATA_BYTES SLOT_COUNT [FIRST_SEQ]
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../../native/ring/door_server.h"
#include "support/dialogue.h"

static struct ring_writer writer;
static struct door_server server;
static uint8_t buffer[RING_DATA_BYTES_MAX / 16];
static uint32_t seed;
static uint32_t requests;

/* x264's, of a 640x480 clip at 25 frames/s. */
static const uint8_t SPS[] = {0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9, 0x40, 0xa0, 0x3d,
                              0xb0, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00,
                              0x03, 0x00, 0x32, 0x0f, 0x16, 0x2d, 0x96};
static const uint8_t PPS[] = {0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0};

static uint32_t flags_of(const char *word) {
  return (strchr(word, 'k') ? RING_FRAME_KEY : 0) |
         (strchr(word, 'd') ? RING_FRAME_DISCONTINUITY : 0);
}

/* frame BYTES FLAGS CAPTURE_US */
static void frame(const char *words[]) {
  uint32_t bytes = number(words[1]);
  if (ring_begin(&writer, bytes) != RING_OK) {
    say("too large");
    return;
  }
  content_fill(seed, writer.head_seq, 0, buffer, bytes);
  ring_put(&writer, buffer, bytes);
  uint32_t seq = ring_commit(&writer, flags_of(words[2]), strtoull(words[3], NULL, 0));
  door_server_wake(&server, 0);
  say("frame %u", seq);
}

/* begin BYTES PUT: opens a frame and leaves it open with PUT bytes in it */
static void begin(const char *words[]) {
  if (ring_begin(&writer, number(words[1])) != RING_OK) {
    say("too large");
    return;
  }
  content_fill(seed, writer.head_seq, 0, buffer, number(words[2]));
  ring_put(&writer, buffer, number(words[2]));
  say("begun %u", writer.head_seq);
}

/* commit FLAGS CAPTURE_US: fills and commits the frame left open */
static void commit(const char *words[]) {
  uint32_t from = writer.put_bytes, rest = writer.begun_bytes - from;
  content_fill(seed, writer.head_seq, from, buffer, rest);
  ring_put(&writer, buffer, rest);
  say("frame %u", ring_commit(&writer, flags_of(words[1]), strtoull(words[2], NULL, 0)));
  door_server_wake(&server, 0);
}

/* wrap BYTES: frames of BYTES bytes until 32-bit positions have come round once */
static void wrap(const char *words[]) {
  uint32_t bytes = number(words[1]);
  for (uint64_t written = 0; written >> 32 == 0; written += bytes) {
    if (ring_begin(&writer, bytes) != RING_OK)
      abort();
    ring_put(&writer, buffer, bytes);
    ring_commit(&writer, 0, 0);
  }
  say("wrapped");
}

/* config WIDTH HEIGHT INTERVAL_US [SPS_LIST PPS_LIST], lists in hexadecimal */
static void config(const char *words[]) {
  static uint8_t sps_list[LINE_BYTES / 2], pps_list[LINE_BYTES / 2];
  sps_list[1] = sizeof SPS;
  memcpy(sps_list + 2, SPS, sizeof SPS);
  pps_list[1] = sizeof PPS;
  memcpy(pps_list + 2, PPS, sizeof PPS);
  struct ring_sets sets = {.sps_list = sps_list,
                           .sps_bytes = 2 + sizeof SPS,
                           .pps_list = pps_list,
                           .pps_bytes = 2 + sizeof PPS,
                           .width = number(words[1]),
                           .height = number(words[2]),
                           .frame_interval_us = number(words[3])};
  if (*words[4]) {
    sets.sps_bytes = unhex(words[4], sps_list, sizeof sps_list);
    sets.pps_bytes = unhex(words[5], pps_list, sizeof pps_list);
  }
  if (ring_set_config(&writer, &sets) == RING_OK)
    say("config %u", writer.generation);
  else
    say("too large");
}

/* poke OFFSET VALUE: overwrites a 32-bit word of the file. Answers with what stood there. */
static void poke(const char *words[]) {
  _Atomic uint32_t *word = (void *)((uint8_t *)writer.header + number(words[1]));
  say("was %u", atomic_exchange(word, number(words[2])));
}

/* truncate BYTES: cuts the file short, as its owner can */
static void cut(const char *words[]) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", ring_read_fd(&writer));
  if (fchmod(ring_read_fd(&writer), 0600) != 0)
    abort();
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0 || ftruncate(fd, (off_t)number(words[1])) != 0)
    abort();
  close(fd);
  say("cut");
}

static void serve(int timeout_ms, short *stdin_events) {
  struct pollfd fds[1 + DOOR_POLL_FDS] = {{.fd = STDIN_FILENO, .events = POLLIN}};
  nfds_t count = door_server_poll_fds(&server, fds + 1);
  if (poll(fds, 1 + count, timeout_ms) < 0)
    abort();
  door_server_handle(&server, fds + 1, count, now_us() / 1000);
  *stdin_events = fds[0].revents;
}

/* flood SECONDS LARGEST KEY_EVERY: frames of random lengths as fast as can be, nothing in between
 * but serving the door */
static void flood(const char *words[]) {
  uint64_t until_us = now_us() + (uint64_t)(atof(words[1]) * 1e6);
  uint32_t largest = number(words[2]), key_every = number(words[3]), random = seed | 1;
  uint64_t frames = 0, bytes = 0;
  short ignored;
  while (now_us() < until_us) {
    uint32_t length = 1 + random_next(&random) % largest;
    if (ring_begin(&writer, length) != RING_OK)
      abort();
    for (uint32_t put = 0; put < length;) {
      uint32_t part = 1 + random_next(&random) % 4096;
      if (part > length - put)
        part = length - put;
      content_fill(seed, writer.head_seq, put, buffer, part);
      ring_put(&writer, buffer, part);
      put += part;
    }
    ring_commit(&writer, frames % key_every == 0 ? RING_FRAME_KEY : 0, writer.head_seq);
    door_server_wake(&server, 0);
    frames++;
    bytes += length;
    if (frames % 64 == 0)
      serve(0, &ignored);
  }
  say("flooded frames %llu bytes %llu", (unsigned long long)frames, (unsigned long long)bytes);
}

static void command(const char *words[]) {
  if (strcmp(words[0], "frame") == 0) {
    frame(words);
  } else if (strcmp(words[0], "begin") == 0) {
    begin(words);
  } else if (strcmp(words[0], "commit") == 0) {
    commit(words);
  } else if (strcmp(words[0], "wrap") == 0) {
    wrap(words);
  } else if (strcmp(words[0], "config") == 0) {
    config(words);
  } else if (strcmp(words[0], "poke") == 0) {
    poke(words);
  } else if (strcmp(words[0], "truncate") == 0) {
    cut(words);
  } else if (strcmp(words[0], "flood") == 0) {
    flood(words);
  } else if (strcmp(words[0], "end") == 0) {
    ring_end(&writer);
    door_server_wake(&server, 0);
    say("ended");
  } else if (strcmp(words[0], "seed") == 0) {
    seed = number(words[1]);
    say("seed %u", seed);
  } else if (strcmp(words[0], "attached") == 0) {
    say("attached %u", door_server_attached(&server));
  } else if (strcmp(words[0], "requests") == 0) {
    say("requests %u", requests);
  } else {
    say("unknown command %s", words[0]);
  }
}

/* Takes every kind of request but overlay text; refuses a negative bit rate. */
static void on_request(void *context, uint32_t stream, const struct door_request *request,
                       struct door_reply *reply) {
  (void)context;
  requests++;
  reply->value[3] = (int32_t)stream;
  if (request->kind == DOOR_BITRATE && request->value[0] < 0) {
    reply->result = DOOR_REFUSED;
    reply->reason = DOOR_REASON_BAD_VALUE;
  }
  if (request->kind == DOOR_MOTION_GRID) {
    reply->data_bytes = 3;
    memcpy(reply->data, "abc", 3);
  }
}

int main(int argc, char **argv) {
  if (argc < 4)
    return 2;
  struct ring_options options = {.dir = "/dev/shm",
                                 .data_bytes = number(argv[2]),
                                 .slot_count = number(argv[3]),
                                 .first_seq = argc > 4 ? number(argv[4]) : 0};
  enum ring_result made = ring_create(&writer, &options);
  if (made != RING_OK) {
    say("no ring: %s", ring_result_text(made));
    return 1;
  }
  const struct door_handler handler = {.abilities = 0xffu & ~1u & ~(1u << DOOR_OVERLAY_TEXT),
                                       .request = on_request};
  if (door_server_open(&server, argv[1], (gid_t)-1, &handler) != 0) {
    say("no door: %s", strerror(errno));
    return 1;
  }
  door_server_add_stream(&server, 0, &writer);
  say("ready");

  static char line[LINE_BYTES];
  const char *words[WORDS_MAX];
  for (;;) {
    short stdin_events;
    serve(200, &stdin_events);
    if (!stdin_events)
      continue;
    if (!read_line(line))
      break;
    split(line, words);
    command(words);
  }
  door_server_close(&server);
  ring_destroy(&writer);
  return 0;
}
