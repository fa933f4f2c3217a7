/*
 * The broker: as much of MQTT 5 (OASIS standard, 2019) as answers a client that connects,
 * subscribes and publishes. It delivers nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "../peer/queue.h"
#include "world.h"

/* Packet types, first byte's high nibble: section 2.1.2. */
enum { CONNECT = 1, PUBLISH = 3, SUBSCRIBE = 8, PINGREQ = 12, DISCONNECT = 14 };

static uint64_t publishes;

static void *open_connection(void) {
  struct queue *said = calloc(1, sizeof *said);
  if (said == NULL)
    abort();
  return said;
}

static void close_connection(void *connection) {
  queue_free(connection);
  free(connection);
}

/* A variable byte integer (section 1.5.5). Its length, or 0 where more bytes are needed. */
static size_t variable(const uint8_t *bytes, size_t count, uint32_t *value) {
  *value = 0;
  for (size_t i = 0; i < count && i < 4; i++) {
    *value |= (uint32_t)(bytes[i] & 0x7f) << 7 * i;
    if ((bytes[i] & 0x80) == 0)
      return i + 1;
  }
  return 0;
}

/* How many topic filters a SUBSCRIBE's payload has (section 3.8.3). */
static uint8_t filters(const uint8_t *body, size_t bytes) {
  uint32_t properties;
  size_t at = 2 + variable(body + 2, bytes - 2, &properties);
  uint8_t count = 0;
  for (at += properties; at + 3 <= bytes; count++)
    at += 2u + (size_t)(body[at] << 8 | body[at + 1]) + 1u;
  return count;
}

static void packet(const uint8_t *head, const uint8_t *body, size_t bytes,
                   void (*answer)(void *to, const void *bytes, size_t count), void *to) {
  switch (*head >> 4) {
  case CONNECT:
    answer(to, (const uint8_t[]){0x20, 3, 0, 0, 0}, 5); /* CONNACK: new session, success */
    break;
  case PUBLISH:
    publishes++;
    if (*head >> 1 & 3) { /* QoS 1: PUBACK with the packet identifier, which follows the topic */
      size_t at = 2u + (size_t)(body[0] << 8 | body[1]);
      answer(to, (const uint8_t[]){0x40, 2, body[at], body[at + 1]}, 4);
    }
    break;
  case SUBSCRIBE: {
    uint8_t count = filters(body, bytes);
    uint8_t text[5 + 32] = {0x90, (uint8_t)(3 + count), body[0], body[1], 0};
    if (count == 0 || count > 32)
      abort();
    memset(text + 5, 1, count); /* granted QoS 1 */
    answer(to, text, 5u + count);
    break;
  }
  case PINGREQ:
    answer(to, (const uint8_t[]){0xd0, 0}, 2);
    break;
  case DISCONNECT:
    break;
  default:
    abort(); /* nothing else is expected of this client */
  }
}

static void take(void *connection, const uint8_t *bytes, size_t count,
                 void (*answer)(void *to, const void *bytes, size_t count), void *to) {
  struct queue *said = connection;
  queue_put(said, bytes, count);
  for (;;) {
    const uint8_t *head = said->bytes + said->start;
    size_t have = queue_length(said);
    uint32_t body = 0;
    size_t length_bytes = have < 2 ? 0 : variable(head + 1, have - 1, &body);
    if (length_bytes == 0 || have < 1 + length_bytes + body)
      return;
    packet(head, head + 1 + length_bytes, body, answer, to);
    queue_drop(said, 1 + length_bytes + body);
  }
}

const struct server world_broker = {
    .port = 8883, .open = open_connection, .take = take, .close = close_connection};

uint64_t broker_publishes(void) { return publishes; }
