/*
 * The encoder's end of the door (door.h), for a poll loop: nothing here waits.
 *
 *     struct door_server server;
 *     door_server_open(&server, path, group, &handler);
 *     door_server_add_stream(&server, 0, &writer);
 *     for each frame:
 *       poll(fds, door_server_poll_fds(&server, fds, …), until the frame is due)
 *       door_server_handle(&server, fds, count, now_ms);
 *       … ring_commit() …
 *       door_server_wake(&server, 0);
 *     door_server_close(&server);
 *
 * The number of consumers is bounded; nothing is allocated. A consumer that does not do its part is
 * hung up on (door.h), and never waited for.
 */
#ifndef OCELLUS_RING_DOOR_SERVER_H
#define OCELLUS_RING_DOOR_SERVER_H

#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

#include "door.h"
#include "writer.h"

/* Descriptors door_server_poll_fds() may fill in: the listener and one for each consumer. */
#define DOOR_POLL_FDS (1 + DOOR_CONSUMERS_MAX)

/* What an encoder can do. */
struct door_handler {
  uint32_t abilities; /* bit 1 << kind; requests of other kinds never reach `request` */
  /* Carries out one request of a supported kind and fills in reply->result, reason, value, data;
   * all zero (DOOR_OK) when called. Must not wait. Key-frame requests arrive here at most once in
   * DOOR_KEY_FRAME_MS for each stream. text_bytes was checked. */
  void (*request)(void *context, uint32_t stream, const struct door_request *request,
                  struct door_reply *reply);
  void *context;
};

/* One connection. Private. */
struct door_consumer {
  int socket_fd; /* -1: free */
  int wake_fd;   /* eventfd; -1 until subscribed */
  uint32_t stream;
  uint64_t since_ms; /* when it connected */
};

/* One stream. Private. */
struct door_stream {
  struct ring_writer *writer; /* NULL: no such stream; borrowed */
  uint64_t key_frame_ms;      /* when a key frame was last asked for */
  uint8_t key_frame_asked;
};

/* A listening door. All members are private but `attached_ever`. */
struct door_server {
  int listen_fd; /* -1 when closed */
  int lock_fd;
  char path[108];
  struct door_handler handler;
  struct door_consumer consumers[DOOR_CONSUMERS_MAX];
  struct door_stream streams[DOOR_STREAMS_MAX];
  uint32_t attached_ever; /* consumers that got a ring since the start */
};

/* Listens at `path`, mode 0660, group `group` (or (gid_t)-1 to leave it). A socket left behind by
 * a dead encoder is replaced in one step; anything else in its place is left alone. `path`.lock is
 * locked for as long as the process lives, so that two encoders never take a path from each other.
 * `handler` is copied.
 * 0; or -1 with errno: EADDRINUSE (another encoder listens there), EEXIST (not a socket),
 * ENAMETOOLONG (over 100 bytes), EPERM (not a member of `group`), … and nothing to close. */
int door_server_open(struct door_server *server, const char *path, gid_t group,
                     const struct door_handler *handler);

/* Offers a stream. Aborts for a number of DOOR_STREAMS_MAX or more, or one taken. */
void door_server_add_stream(struct door_server *server, uint32_t stream,
                            struct ring_writer *writer);

/* Fills in what to poll for and returns how many: at most DOOR_POLL_FDS. */
nfds_t door_server_poll_fds(const struct door_server *server, struct pollfd *fds);

/* Serves what poll() reported, and hangs up on whoever did not subscribe in time; so it is also
 * called now and then without anything to serve. `now_ms`: CLOCK_MONOTONIC, ms. */
void door_server_handle(struct door_server *server, const struct pollfd *fds, nfds_t count,
                        uint64_t now_ms);

/* Wakes the stream's consumers: after each ring_commit(), and after ring_end(). */
void door_server_wake(struct door_server *server, uint32_t stream);

/* How many consumers are attached to any stream now. */
uint32_t door_server_attached(const struct door_server *server);

/* Hangs up on everybody and removes the socket. Doing it twice is harmless. */
void door_server_close(struct door_server *server);

#endif
