#include "crypto.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

static uint8_t device_seed[KEY_BYTES];
static bool seeded;
static uint64_t random_calls;

void crypto_start(void) {
  if (sodium_init() < 0)
    abort();
}

void crypto_stop(void) {
  sodium_memzero(device_seed, sizeof device_seed);
  seeded = false;
}

void crypto_set_seed(const uint8_t seed[KEY_BYTES]) {
  memcpy(device_seed, seed, KEY_BYTES);
  seeded = true;
}

static void put_u32(uint8_t *out, uint32_t value) {
  for (int i = 0; i < 4; i++)
    out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_u64(uint8_t *out, uint64_t value) {
  put_u32(out, (uint32_t)(value >> 32));
  put_u32(out + 4, (uint32_t)value);
}

/* HMAC-SHA-256(seed, label ‖ "\0" ‖ middle ‖ 32 bytes of the system's generator ‖ u64 µs). */
static void hedge(uint8_t out[KEY_BYTES], const char *label, const uint8_t *middle,
                  size_t middle_bytes) {
  uint8_t fresh[32 + 8];
  crypto_auth_hmacsha256_state state;
  randombytes_buf(fresh, 32);
  put_u64(fresh + 32, clock_us());
  crypto_auth_hmacsha256_init(&state, device_seed, sizeof device_seed);
  crypto_auth_hmacsha256_update(&state, (const uint8_t *)label, strlen(label) + 1);
  crypto_auth_hmacsha256_update(&state, middle, middle_bytes);
  crypto_auth_hmacsha256_update(&state, fresh, sizeof fresh);
  crypto_auth_hmacsha256_final(&state, out);
  sodium_memzero(fresh, sizeof fresh);
  sodium_memzero(&state, sizeof state);
}

void crypto_random(void *out, size_t bytes) {
  static const uint8_t zero_nonce[crypto_stream_NONCEBYTES];
  if (!seeded) {
    randombytes_buf(out, bytes);
    return;
  }
  uint8_t calls[8];
  uint8_t key[KEY_BYTES];
  put_u64(calls, random_calls++);
  hedge(key, "ocellus/v1/random", calls, sizeof calls);
  crypto_stream(out, bytes, zero_nonce, key);
  sodium_memzero(key, sizeof key);
}

void crypto_nonce(uint8_t out[NONCE_BYTES], enum nonce_kind kind, const struct nonce_fields *fields,
                  uint32_t index) {
  out[0] = (uint8_t)kind;
  out[1] = fields->stream;
  out[2] = 0;
  out[3] = 0;
  put_u32(out + 4, fields->boot);
  put_u32(out + 8, fields->epoch);
  put_u64(out + 12, fields->seq);
  put_u32(out + 20, index);
}

void crypto_object_key(uint8_t out[KEY_BYTES], const uint8_t nonce[NONCE_BYTES]) {
  hedge(out, "ocellus/v1/key", nonce, NONCE_BYTES);
}

void crypto_subkey(uint8_t out[KEY_BYTES], const uint8_t key[KEY_BYTES], const char *label) {
  static const char prefix[] = "ocellus/v1/";
  uint8_t digest[crypto_hash_sha512_BYTES];
  crypto_hash_sha512_state state;
  crypto_hash_sha512_init(&state);
  crypto_hash_sha512_update(&state, (const uint8_t *)prefix, sizeof prefix - 1);
  crypto_hash_sha512_update(&state, (const uint8_t *)label, strlen(label) + 1);
  crypto_hash_sha512_update(&state, key, KEY_BYTES);
  crypto_hash_sha512_final(&state, digest);
  memcpy(out, digest, KEY_BYTES);
  sodium_memzero(digest, sizeof digest);
  sodium_memzero(&state, sizeof state);
}
