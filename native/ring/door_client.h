/*
 * The consumer's end of the door (door.h), for a poll loop: nothing here waits.
 *
 *     struct door_client client;
 *     if (door_client_connect(&client, path, 0) != 0) … errno; try again later …
 *     poll client.socket_fd for POLLIN, and client.wake_fd once it is not -1
 *       socket readable:  switch (door_client_handle(&client, &reply)) …
 *       wake_fd readable: door_client_woken(&client); then ring_next() until it says RING_EMPTY
 *     door_client_close(&client);
 *
 * Between DOOR_EVENT_ATTACHED and door_client_close() `client.reader` is an attached ring reader,
 * even after the encoder hung up. What the encoder sends is taken for hostile: sizes, descriptor
 * count and kinds are checked, and surplus descriptors are closed.
 */
#ifndef OCELLUS_RING_DOOR_CLIENT_H
#define OCELLUS_RING_DOOR_CLIENT_H

#include <stdint.h>

#include "door.h"
#include "reader.h"

/* What one readable socket meant. */
enum door_event {
  DOOR_EVENT_NONE,     /* nothing there (spurious wake-up) */
  DOOR_EVENT_ATTACHED, /* hello came: `reader` and `wake_fd` can be used; look at once, frames may
                          be waiting */
  DOOR_EVENT_REPLY,    /* *reply holds the answer to a request */
  DOOR_EVENT_REFUSED,  /* hello said no: `hello.result` and `hello.reason` tell; close */
  DOOR_EVENT_BAD_RING, /* the ring handed over is none: `ring_error` tells; close */
  DOOR_EVENT_GARBLED,  /* a message against the protocol; close */
  DOOR_EVENT_CLOSED,   /* the encoder hung up: read what is left in the ring, then close */
};

/* A connection. Owned by the caller, who may read all members and changes none. */
struct door_client {
  int socket_fd; /* -1 when closed */
  int wake_fd;   /* the eventfd; -1 before attaching */
  uint32_t stream;
  uint32_t last_id; /* of the last request */
  uint8_t attached; /* `reader` is attached */
  enum ring_result ring_error;
  struct door_hello hello; /* valid from DOOR_EVENT_ATTACHED or _REFUSED on */
  struct ring_reader reader;
};

/* Connects and subscribes. The path may have at most 107 bytes.
 * 0; or -1 with errno: ENOENT or ECONNREFUSED (no encoder there), EACCES, EAGAIN (too many are
 * connecting), ENAMETOOLONG, … and nothing to close. */
int door_client_connect(struct door_client *client, const char *path, uint32_t stream);

/* Takes one message off the socket. Call it again until DOOR_EVENT_NONE, or poll again. `reply` is
 * written for DOOR_EVENT_REPLY only; its data_bytes was checked. */
enum door_event door_client_handle(struct door_client *client, struct door_reply *reply);

/* Resets the eventfd. Call it before looking at the ring, or a frame may be slept through. */
void door_client_woken(struct door_client *client);

/* Sends a request; magic and id are filled in here. The answer comes by door_client_handle().
 * Its id (1, 2, …), or 0 with errno: EAGAIN (the encoder is not taking requests), EPIPE,
 * ENOTCONN. */
uint32_t door_client_request(struct door_client *client, struct door_request *request);

/* Detaches and closes everything. Doing it twice is harmless. */
void door_client_close(struct door_client *client);

#endif
