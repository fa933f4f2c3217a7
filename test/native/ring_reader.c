/*
 * A consumer under remote control: connects through the door, reads the ring, says what it saw. See
 * support/dialogue.h for the conversation, `command` below for the words.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../native/ring/door_client.h"
#include "support/dialogue.h"

#define FRAMES_KEPT 64

static struct door_client client = {.socket_fd = -1, .wake_fd = -1};
static struct ring_frame last, kept[FRAMES_KEPT];
static uint32_t seed;

static int wait_for(int fd, int timeout_ms) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  return poll(&poll_fd, 1, timeout_ms) > 0;
}

/* What the next message from the encoder means; "silence" where none comes in time. */
static void say_event(int timeout_ms) {
  struct door_reply reply;
  enum door_event event = DOOR_EVENT_NONE;
  uint64_t until_us = now_us() + (uint64_t)timeout_ms * 1000;
  while (event == DOOR_EVENT_NONE && client.socket_fd >= 0 && now_us() < until_us)
    if (wait_for(client.socket_fd, 50))
      event = door_client_handle(&client, &reply);
  switch (event) {
  case DOOR_EVENT_NONE:
    say("silence");
    break;
  case DOOR_EVENT_ATTACHED:
    say("attached %u abilities %u", client.hello.ring_bytes, client.hello.abilities);
    break;
  case DOOR_EVENT_REPLY:
    printf("reply %u kind %u result %u reason %u value %d %d %d %d data ", reply.id, reply.kind,
           reply.result, reply.reason, reply.value[0], reply.value[1], reply.value[2],
           reply.value[3]);
    print_hex(reply.data, reply.data_bytes);
    say("%s", "");
    break;
  case DOOR_EVENT_REFUSED:
    say("refused %u", client.hello.reason);
    break;
  case DOOR_EVENT_BAD_RING:
    say("bad ring: %s", ring_result_text(client.ring_error));
    break;
  case DOOR_EVENT_GARBLED:
    say("garbled");
    break;
  case DOOR_EVENT_CLOSED:
    say("closed");
    break;
  }
}

/* connect PATH STREAM: a new connection in place of the one before, up to the encoder's answer;
 * subscribe PATH STREAM: without waiting for the answer */
static void connect_door(const char *words[], int wait) {
  door_client_close(&client);
  if (door_client_connect(&client, words[1], number(words[2])) != 0)
    say("error %s", strerror(errno));
  else if (wait)
    say_event(3000);
  else
    say("subscribed");
}

/* open PATH: connects without subscribing */
static void open_raw(const char *words[]) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, words[1], sizeof address.sun_path - 1);
  door_client_close(&client);
  client.socket_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (connect(client.socket_fd, (struct sockaddr *)&address, sizeof address) != 0)
    say("error %s", strerror(errno));
  else
    say("open");
}

/* descriptors: how many this process has open */
static void count_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 200; fd++)
    count += fcntl(fd, F_GETFD) >= 0;
  say("descriptors %d", count);
}

static void next(void) {
  enum ring_result result = ring_next(&client.reader, &last);
  if (result != RING_OK) {
    say("%s", ring_result_text(result));
    return;
  }
  kept[last.seq % FRAMES_KEPT] = last;
  say("frame %u bytes %u flags %s%s%s%s config %u lost %u at %llu", last.seq, last.bytes,
      last.flags & RING_FRAME_KEY ? "k" : "", last.flags & RING_FRAME_DISCONTINUITY ? "d" : "",
      last.flags & RING_FRAME_NEW_CONFIG ? "n" : "", last.flags ? "" : "-", last.generation,
      last.lost_before, (unsigned long long)last.capture_us);
}

/* Reads a frame in parts of `part` bytes and compares every byte. */
static const char *check(const struct ring_frame *frame, uint32_t part, uint32_t *wrong_at) {
  static uint8_t bytes[RING_DATA_BYTES_MAX / 16];
  for (uint32_t done = 0; done < frame->bytes; done += part) {
    uint32_t length = part < frame->bytes - done ? part : frame->bytes - done;
    enum ring_result result = ring_read(&client.reader, frame, done, bytes, length);
    if (result != RING_OK)
      return ring_result_text(result);
    uint32_t good = content_check(seed, frame->seq, done, bytes, length);
    if (good < length) {
      *wrong_at = done + good;
      return "wrong";
    }
  }
  return "good";
}

/* read [PART] [SEQ]: the last frame, or one handed out before, in parts */
static void read_frame(const char *words[]) {
  const struct ring_frame *frame = *words[2] ? &kept[number(words[2]) % FRAMES_KEPT] : &last;
  uint32_t part = *words[1] ? number(words[1]) : frame->bytes;
  uint32_t wrong_at = 0;
  const char *what = check(frame, part, &wrong_at);
  if (strcmp(what, "wrong") == 0)
    say("wrong at %u", wrong_at);
  else
    say("%s", what);
}

static void config(const char *words[]) {
  struct ring_config found;
  enum ring_result result = ring_config(&client.reader, number(words[1]), &found);
  if (result != RING_OK) {
    say("%s", ring_result_text(result));
    return;
  }
  printf("config %u size %ux%u interval %u sps %u ", found.generation, found.width, found.height,
         found.frame_interval_us, found.sps_count);
  print_hex(found.sets, found.sps_bytes);
  printf(" pps %u ", found.pps_count);
  print_hex(found.sets + found.sps_bytes, found.pps_bytes);
  say("%s", "");
}

/* seek newest | oldest | before CAPTURE_US */
static void seek(const char *words[]) {
  enum ring_seek where = strcmp(words[1], "newest") == 0   ? RING_SEEK_NEWEST_KEY
                         : strcmp(words[1], "oldest") == 0 ? RING_SEEK_OLDEST_KEY
                                                           : RING_SEEK_KEY_AT_OR_BEFORE;
  say("%s", ring_result_text(ring_seek(&client.reader, where, strtoull(words[2], NULL, 0))));
}

/* request KIND VALUE…: sends, and waits for the answer */
static void request(const char *words[]) {
  struct door_request message = {.kind = number(words[1])};
  for (int i = 0; i < 4; i++)
    message.value[i] = (int32_t)strtol(words[2 + i], NULL, 0);
  if (door_client_request(&client, &message) == 0)
    say("error %s", strerror(errno));
  else
    say_event(2000);
}

/* spam COUNT: requests without ever taking an answer */
static void spam(const char *words[]) {
  uint32_t sent = 0;
  uint64_t until_us = now_us() + 2000000;
  while (sent < number(words[1]) && now_us() < until_us) {
    struct door_request message = {.kind = DOOR_BITRATE};
    if (door_client_request(&client, &message) != 0)
      sent++;
    else if (errno != EAGAIN)
      break;
    else
      usleep(1000);
  }
  say("sent %s", sent == number(words[1]) ? "all" : strerror(errno));
}

/* raw HEX: any bytes as one message */
static void raw(const char *words[]) {
  uint8_t bytes[4096];
  uint32_t length = unhex(words[1], bytes, sizeof bytes);
  say("sent %zd", send(client.socket_fd, bytes, length, MSG_NOSIGNAL));
}

/* wait MS: for a wake-up, which is taken */
static void wait_awake(const char *words[]) {
  int awake = wait_for(client.wake_fd, (int)number(words[1]));
  if (awake)
    door_client_woken(&client);
  say(awake ? "awake" : "asleep");
}

static void write_nal(FILE *file, const uint8_t *nal, uint32_t length) {
  static const uint8_t START_CODE[] = {0, 0, 0, 1};
  if (fwrite(START_CODE, 4, 1, file) != 1 || fwrite(nal, length, 1, file) != 1)
    abort();
}

/* Writes the units of a list with lengths of `prefix` bytes. Aborts where they do not add up. */
static void write_list(FILE *file, const uint8_t *list, uint32_t bytes, uint32_t prefix) {
  while (bytes) {
    uint32_t length = 0;
    for (uint32_t i = 0; i < prefix && i < bytes; i++)
      length = length << 8 | list[i];
    if (bytes < prefix || length == 0 || length > bytes - prefix)
      abort();
    write_nal(file, list + prefix, length);
    list += prefix + length;
    bytes -= prefix + length;
  }
}

/* record FRAMES STREAM_FILE TIMES_FILE: takes frames as they come, as an H.264 byte stream with the
 * parameter sets before each frame that needs new ones, and a line for each frame: seq, flags,
 * generation, lost, capture time, time it was taken. Ends with the footage, with the encoder, or
 * after FRAMES. */
static void record(const char *words[]) {
  static uint8_t bytes[RING_DATA_BYTES_MAX / 2];
  FILE *stream = fopen(words[2], "w"), *times = fopen(words[3], "w");
  uint32_t wanted = number(words[1]), taken = 0;
  const char *end = "enough";
  if (!stream || !times)
    abort();
  while (taken < wanted) {
    enum ring_result result = ring_next(&client.reader, &last);
    if (result == RING_EMPTY) {
      struct pollfd fds[2] = {{.fd = client.wake_fd, .events = POLLIN},
                              {.fd = client.socket_fd, .events = POLLIN}};
      if (poll(fds, 2, 10000) <= 0 || (!fds[0].revents && fds[1].revents)) {
        end = "the encoder has gone";
        break;
      }
      door_client_woken(&client);
      continue;
    }
    if (result == RING_OK)
      result = ring_read(&client.reader, &last, 0, bytes, last.bytes);
    struct ring_config found;
    if (result == RING_OK && last.flags & RING_FRAME_NEW_CONFIG) {
      result = ring_config(&client.reader, last.generation, &found);
      if (result == RING_OK) {
        write_list(stream, found.sets, found.sps_bytes, 2);
        write_list(stream, found.sets + found.sps_bytes, found.pps_bytes, 2);
      }
    }
    if (result != RING_OK) {
      end = ring_result_text(result);
      break;
    }
    write_list(stream, bytes, last.bytes, 4);
    fprintf(times, "%u %u %u %u %llu %llu\n", last.seq, last.flags, last.generation,
            last.lost_before, (unsigned long long)last.capture_us, (unsigned long long)now_us());
    taken++;
  }
  fclose(stream);
  fclose(times);
  say("recorded %u: %s", taken, end);
}

/* verify SECONDS MAX_SLEEP_US [oldest]: reads at its own pace, every byte of every frame, in random
 * parts; with "oldest" always the key frame that will be overwritten next */
static void verify(const char *words[]) {
  uint64_t until_us = now_us() + (uint64_t)(atof(words[1]) * 1e6);
  uint32_t longest_sleep_us = number(words[2]), random = seed | 1, wrong_at = 0;
  uint64_t bytes = 0, lapped = 0, out_of_order = 0, keyless_jumps = 0;
  uint32_t expected = 0;
  int have = 0;
  int oldest = *words[3] != 0;
  while (now_us() < until_us) {
    if (oldest)
      ring_seek(&client.reader, RING_SEEK_OLDEST_KEY, 0);
    enum ring_result result = ring_next(&client.reader, &last);
    if (result == RING_EMPTY) {
      wait_for(client.wake_fd, 10);
      door_client_woken(&client);
      continue;
    }
    if (result != RING_OK) {
      say("stopped: %s", ring_result_text(result));
      return;
    }
    if (last.capture_us != last.seq) { /* as `flood` of ring_writer.c has it */
      say("wrong time %llu of frame %u", (unsigned long long)last.capture_us, last.seq);
      return;
    }
    /* A frame whose read() found it lapped counts as lost, though it was handed out. */
    if (have && !oldest && last.seq - last.lost_before != expected)
      out_of_order++;
    if (have && !oldest && last.lost_before && !(last.flags & RING_FRAME_KEY))
      keyless_jumps++;
    const char *what = check(&last, 1 + random_next(&random) % 20000, &wrong_at);
    if (strcmp(what, "wrong") == 0) {
      say("wrong byte %u of frame %u", wrong_at, last.seq);
      return;
    }
    int overtaken = strcmp(what, "already overwritten") == 0;
    if (overtaken)
      lapped++;
    else
      bytes += last.bytes;
    expected = overtaken ? last.seq : last.seq + 1;
    have = 1;
    if (longest_sleep_us && random_next(&random) % 8 == 0)
      usleep(random_next(&random) % longest_sleep_us);
  }
  say("verified frames %llu bytes %llu lost %llu laps %llu lapped-while-read %llu out-of-order "
      "%llu "
      "keyless-jumps %llu",
      (unsigned long long)client.reader.stats.delivered, (unsigned long long)bytes,
      (unsigned long long)client.reader.stats.lost, (unsigned long long)client.reader.stats.laps,
      (unsigned long long)lapped, (unsigned long long)out_of_order,
      (unsigned long long)keyless_jumps);
}

static void command(const char *words[]) {
  const char *word = words[0];
  if (strcmp(word, "connect") == 0) {
    connect_door(words, 1);
  } else if (strcmp(word, "subscribe") == 0) {
    connect_door(words, 0);
  } else if (strcmp(word, "open") == 0) {
    open_raw(words);
  } else if (strcmp(word, "descriptors") == 0) {
    count_descriptors();
  } else if (strcmp(word, "next") == 0) {
    next();
  } else if (strcmp(word, "read") == 0) {
    read_frame(words);
  } else if (strcmp(word, "config") == 0) {
    config(words);
  } else if (strcmp(word, "seek") == 0) {
    seek(words);
  } else if (strcmp(word, "request") == 0) {
    request(words);
  } else if (strcmp(word, "spam") == 0) {
    spam(words);
  } else if (strcmp(word, "raw") == 0) {
    raw(words);
  } else if (strcmp(word, "event") == 0) {
    say_event((int)number(words[1]));
  } else if (strcmp(word, "wait") == 0) {
    wait_awake(words);
  } else if (strcmp(word, "record") == 0) {
    record(words);
  } else if (strcmp(word, "woken") == 0) {
    door_client_woken(&client); /* with no wake-up to take, too, it must come back */
    say("woken");
  } else if (strcmp(word, "verify") == 0) {
    verify(words);
  } else if (strcmp(word, "lag") == 0) {
    say("lag %u", ring_lag_frames(&client.reader));
  } else if (strcmp(word, "stats") == 0) {
    say("delivered %llu lost %llu laps %llu", (unsigned long long)client.reader.stats.delivered,
        (unsigned long long)client.reader.stats.lost, (unsigned long long)client.reader.stats.laps);
  } else if (strcmp(word, "seed") == 0) {
    seed = number(words[1]);
    say("seed %u", seed);
  } else if (strcmp(word, "close") == 0) {
    door_client_close(&client);
    say("closed");
  } else {
    say("unknown command %s", word);
  }
}

int main(void) {
  static char line[LINE_BYTES];
  const char *words[WORDS_MAX];
  say("ready");
  while (read_line(line)) {
    split(line, words);
    command(words);
  }
  door_client_close(&client);
  return 0;
}
