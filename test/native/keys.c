/*
 * Where the camera's keys come from and when they are gone, with a generator and a clock that say
 * what they are told. Usage: keys random|object SEED GENERATOR; keys wiped
 *
 *   SEED       byte of the device seed, or "none"
 *   GENERATOR  byte that the system's generator gives for ever
 *
 * `random` prints two calls of 64 bytes, `object` two keys of one nonce, a line each. `wiped` tells
 * which keys a segment's memory holds: before it is sealed, after its metadata, and sealed.
 */
#define _GNU_SOURCE /* memmem */
#include <malloc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/arena.h"
#include "host/clock.h"
#include "host/crypto.h"
#include "host/epoch.h"
#include "host/segment.h"

#define NOW_US 1234567u

static uint8_t generator_byte;

uint64_t clock_us(void) { return NOW_US; }

static const char *generator_name(void) { return "told"; }

static uint32_t generator_word(void) {
  uint32_t word;
  memset(&word, generator_byte, sizeof word);
  return word;
}

static void generator_fill(void *const out, const size_t bytes) {
  memset(out, generator_byte, bytes);
}

static struct randombytes_implementation generator = {
    .implementation_name = generator_name,
    .random = generator_word,
    .buf = generator_fill,
};

static void print(const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++)
    printf("%02x", bytes[i]);
  printf("\n");
}

static void begin(const char *seed_byte, const char *byte) {
  uint8_t seed[KEY_BYTES];
  generator_byte = (uint8_t)atoi(byte);
  randombytes_set_implementation(&generator);
  crypto_start();
  if (strcmp(seed_byte, "none") == 0)
    return;
  memset(seed, atoi(seed_byte), sizeof seed);
  crypto_set_seed(seed);
}

static bool copy(void *source, uint32_t index, uint32_t offset, uint8_t *out, uint32_t bytes) {
  (void)index;
  memcpy(out, (const uint8_t *)source + offset, bytes);
  return true;
}

/* Which of the two keys stand anywhere in the segment's memory. */
static void look(const char *when, const struct segment *segment, uint8_t keys[2][KEY_BYTES]) {
  static const char *const names[] = {"media", "metadata"};
  size_t bytes = malloc_usable_size((void *)segment);
  printf("%s:", when);
  for (int i = 0; i < 2; i++)
    if (memmem(segment, bytes, keys[i], KEY_BYTES) != NULL)
      printf(" %s", names[i]);
  printf("\n");
}

static int wiped(void) {
  static uint8_t frame[100];
  static uint8_t recipient[1][KEY_BYTES] = {{9}};
  const uint32_t lengths[] = {sizeof frame};
  const struct nonce_fields fields = {.stream = 0, .boot = 1, .epoch = 1, .seq = 0};
  const struct fragment fragment = {
      .frame_bytes = lengths, .frame_count = 1, .copy = copy, .source = frame};
  uint8_t nonce[NONCE_BYTES], key[KEY_BYTES], keys[2][KEY_BYTES], sealed[1 + TAG_BYTES];
  struct epoch epoch;
  begin("1", "2");
  if (!arena_open(1u << 20) || !epoch_open(&epoch, recipient, 1))
    return 1;
  struct segment *segment = segment_open(&epoch, &fields);
  if (segment == NULL || segment_write(segment, &fragment) != SEGMENT_WRITTEN)
    return 1;
  /* The generator and the clock stand still: the same key once more. */
  crypto_nonce(nonce, NONCE_SEGMENT_WRAP, &fields, 0);
  crypto_object_key(key, nonce);
  crypto_subkey(keys[0], key, "media");
  crypto_subkey(keys[1], key, "metadata");
  look("open", segment, keys);
  segment_seal_metadata(segment, (const uint8_t *)"m", 1, sealed);
  segment_seal(segment);
  look("sealed", segment, keys);
  segment_release(segment);
  epoch_wipe(&epoch);
  arena_close();
  return 0;
}

int main(int count, char **words) {
  if (count == 2 && strcmp(words[1], "wiped") == 0)
    return wiped();
  if (count != 4)
    return 2;
  begin(words[2], words[3]);
  uint8_t nonce[NONCE_BYTES] = {0}, out[2 * KEY_BYTES];
  bool random = strcmp(words[1], "random") == 0;
  for (int i = 0; i < 2; i++) {
    if (random)
      crypto_random(out, sizeof out);
    else
      crypto_object_key(out, nonce);
    print(out, random ? sizeof out : KEY_BYTES);
  }
  crypto_stop();
  return 0;
}
