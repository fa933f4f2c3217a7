/*
 * A world for the camera program to be measured in: kernel, clock, encoder, network, store and
 * broker, all in its own process, so that the same run gives the same instructions every time.
 *
 * The program is the camera's own code, unchanged; the linker puts this world in the place of a few
 * C library functions (--wrap, see WRAPPED in the build recipe):
 *
 *   clock.c    clock_gettime, getrandom   time passes only while poll() waits; seeded bytes
 *   poll.c     poll                       lets the world go on until something is ready
 *   network.c  socket, connect, send, …   TCP connections to the two servers, with a link's speed
 *   footage.c                             a clip, through the encoder's own ring and door
 *   store.c    broker.c                   what stands behind the TLS peers
 *   memory.c   pread of /proc             what the process holds: to the camera always the same
 *   main.c     main                       sets all up, calls the camera's main, reports
 *
 * Whatever runs in here is counted for MARK_WORLD (../mark.h): it stands for work that is not the
 * camera's. The time that the camera's own code would take does not pass.
 */
#ifndef OCELLUS_BENCH_WORLD_H
#define OCELLUS_BENCH_WORLD_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "../mark.h"

#define WORLD_NEVER UINT64_MAX

/* ---- marks ----------------------------------------------------------------------------------- */

/* Counts what follows for the world; returns for whom it was before, to be given to world_leave().
 */
enum mark_region world_enter(void);
void world_leave(enum mark_region before);

/* From when on the camera's instructions count for MARK_CAMERA; until then for MARK_START. */
void world_measure_from(uint64_t from_us);

/* ---- clock ----------------------------------------------------------------------------------- */

/* CLOCK_MONOTONIC of this world, µs; starts at 10 s, as if the kernel had just come up. */
uint64_t world_now_us(void);

/* Lets time pass. Aborts if it would go back. */
void world_advance_to(uint64_t now_us);

/* The servers' idea of time: seconds since 1970 UTC. The camera's own real-time clock starts in
 * 1970. */
int64_t world_true_time_s(void);

/* Repeatable bytes, of a stream that is not the peers'. */
void world_random(uint8_t *bytes, size_t count);

/* ---- encoder --------------------------------------------------------------------------------- */

/* Opens the clip and listens at the door; the first frame comes with the first consumer. Ends the
 * program with a sentence where the clip cannot be played. */
void footage_open(const char *clip, const char *door);

/* Publishes what is due and serves the door. */
void footage_step(uint64_t now_us);

/* When the next frame is due; WORLD_NEVER before the first consumer. */
uint64_t footage_next_us(void);

/* Frames published so far, and their bytes as the ring stores them. */
uint64_t footage_frames(void);
uint64_t footage_bytes(void);

/* ---- network --------------------------------------------------------------------------------- */

/* One server behind a TLS peer. `said` is what it may read, `answer` writes to the client. Returned
 * by `open` and owned by the network until `close`. */
struct server {
  uint16_t port;
  void *(*open)(void);
  void (*take)(void *connection, const uint8_t *bytes, size_t count,
               void (*answer)(void *to, const void *bytes, size_t count), void *to);
  void (*close)(void *connection);
};

/* Only servers in this list can be connected to, at 127.0.0.1. */
void network_open(const struct server *const *servers, size_t count);

/* Moves bytes that have arrived by now. */
void network_step(uint64_t now_us);

/* When something arrives next; WORLD_NEVER. */
uint64_t network_next_us(void);

/* Whether `fd` is one of ours; then *revents says what poll() would. */
int network_poll(int fd, short events, short *revents);

/* Bytes on the wire of one server's connections so far. */
uint64_t network_bytes_out(const struct server *server);
uint64_t network_bytes_in(const struct server *server);

/* ---- servers --------------------------------------------------------------------------------- */

extern const struct server world_store;
extern const struct server world_broker;

/* Objects the store has taken, and their bytes. */
uint64_t store_objects(void);
uint64_t store_object_bytes(void);

/* Bytes of requests, bodies included, and of answers, inside TLS. */
uint64_t store_http_out(void);
uint64_t store_http_in(void);

/* From now on each object is also written to a file in `directory` (borrowed), which exists. */
void store_keep(const char *directory);

/* Messages the broker has been sent. */
uint64_t broker_publishes(void);

/* ---- end ------------------------------------------------------------------------------------- */

/* Asked by poll() at every step. Once it is over, world_report() prints the figures and ends the
 * process. */
int world_is_over(void);
uint64_t world_next_us(void); /* when to ask again at the latest */
_Noreturn void world_report(void);

#endif
