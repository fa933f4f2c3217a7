/*
 *     ocellus-camera-bench CLIP DOOR WARM_S MEASURE_S KEEP CAMERA-ARGUMENTS…
 *
 * Runs the camera for WARM_S + MEASURE_S seconds of its own time and prints what went through it in
 * the measured part, as one line of JSON. KEEP is a directory for the objects of that part, or "-".
 * `ocellus-camera-bench --authority` prints the certificate that the servers' certificates are
 * signed with. The store is https://127.0.0.1:443, the broker mqtts://127.0.0.1:8883.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../peer/tls_peer.h"
#include "memory.h"
#include "world.h"

/* Everything that is counted, at one moment. */
struct figures {
  uint64_t us, frames, frame_bytes, objects, object_bytes, publishes, http_out, http_in,
      store_wire_out, store_wire_in, broker_wire_out, broker_wire_in;
};

static uint64_t warm_us, end_us;
static struct figures at_start;
static int started;
static const char *keep; /* NULL: keep no objects */

static struct figures figures(void) {
  return (struct figures){
      .us = world_now_us(),
      .frames = footage_frames(),
      .frame_bytes = footage_bytes(),
      .objects = store_objects(),
      .object_bytes = store_object_bytes(),
      .publishes = broker_publishes(),
      .http_out = store_http_out(),
      .http_in = store_http_in(),
      .store_wire_out = network_bytes_out(&world_store),
      .store_wire_in = network_bytes_in(&world_store),
      .broker_wire_out = network_bytes_out(&world_broker),
      .broker_wire_in = network_bytes_in(&world_broker),
  };
}

int world_is_over(void) {
  if (!started && world_now_us() >= warm_us) {
    started = 1;
    if (keep != NULL)
      store_keep(keep);
    at_start = figures();
    memory_watch(warm_us, end_us);
  }
  memory_look(world_now_us());
  return world_now_us() >= end_us;
}

uint64_t world_next_us(void) { return started ? end_us : warm_us; }

void world_report(void) {
  struct figures end = figures();
  printf("{\"seconds\":%.6f", (double)(end.us - at_start.us) / 1e6);
#define PRINT(name) printf(",\"" #name "\":%" PRIu64, end.name - at_start.name)
  PRINT(frames);
  PRINT(frame_bytes);
  PRINT(objects);
  PRINT(object_bytes);
  PRINT(publishes);
  PRINT(http_out);
  PRINT(http_in);
  PRINT(store_wire_out);
  PRINT(store_wire_in);
  PRINT(broker_wire_out);
  PRINT(broker_wire_in);
  printf(",\"frame_bytes_before\":%" PRIu64, at_start.frame_bytes);
  memory_print();
  printf("}\n");
  fflush(stdout);
  _Exit(0);
}

static uint64_t seconds(const char *text) {
  unsigned long value = strtoul(text, NULL, 10);
  if (value == 0 || value > 100000) {
    fprintf(stderr, "bench: %s is no number of seconds\n", text);
    exit(1);
  }
  return (uint64_t)value * 1000000u;
}

int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);
int __wrap_main(int argc, char **argv) {
  enum mark_region before = world_enter();
  static const struct server *const servers[] = {&world_store, &world_broker};
  tls_peer_start();
  if (argc == 2 && strcmp(argv[1], "--authority") == 0) {
    fputs(tls_peer_authority(), stdout);
    return 0;
  }
  if (argc < 6) {
    fprintf(stderr, "usage: %s CLIP DOOR WARM_S MEASURE_S KEEP CAMERA-ARGUMENTS...\n", argv[0]);
    return 1;
  }
  warm_us = world_now_us() + seconds(argv[3]);
  end_us = warm_us + seconds(argv[4]);
  world_measure_from(warm_us);
  network_open(servers, sizeof servers / sizeof *servers);
  footage_open(argv[1], argv[2]);
  if (strcmp(argv[5], "-") != 0)
    keep = argv[5];
  argv[5] = argv[0];
  world_leave(before);
  return __real_main(argc - 5, argv + 5);
}
