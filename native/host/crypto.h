/*
 * What FORMAT.md ("Nonces", "Keys") says, by libsodium.
 *
 * SHA-256 and HMAC are libsodium's too: measured on MIPS32r2 it takes 45 instructions a byte,
 * mbedTLS
 * 48. Its generator asks getrandom(2) and, where the kernel has none (3.10), /dev/urandom after
 * checking that it is a device.
 */
#ifndef OCELLUS_HOST_CRYPTO_H
#define OCELLUS_HOST_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#define KEY_BYTES 32
#define NONCE_BYTES 24
#define WRAP_BYTES 48 /* tag and key */
#define TAG_BYTES 16

/* Kinds of FORMAT.md's nonce that are sealed here. */
enum nonce_kind {
  NONCE_SEGMENT_WRAP = 1,
  NONCE_CHUNK = 2,
  NONCE_METADATA = 3,
  NONCE_RECORD_WRAP = 4,
  NONCE_BODY = 5,
};

struct nonce_fields {
  uint8_t stream;
  uint32_t boot;
  uint32_t epoch;
  uint64_t seq;
};

/* Starts libsodium. Aborts where the machine has no generator. */
void crypto_start(void);

/* The seed that hedges everything below from now on; copied. */
void crypto_set_seed(const uint8_t seed[KEY_BYTES]);

/* Random bytes: the system's generator alone before crypto_set_seed; afterwards the stream of
 * XSalsa20 under the key HMAC-SHA-256(seed, "ocellus/v1/random\0" ‖ u64 calls so far ‖ 32 bytes of
 * the system's generator ‖ u64 monotonic µs). */
void crypto_random(void *out, size_t bytes);

void crypto_nonce(uint8_t out[NONCE_BYTES], enum nonce_kind kind, const struct nonce_fields *fields,
                  uint32_t index);

/* K of FORMAT.md. `nonce` is the object's wrap nonce. Before crypto_set_seed the seed counts as
 * zeros. */
void crypto_object_key(uint8_t out[KEY_BYTES], const uint8_t nonce[NONCE_BYTES]);

/* subkey(label) of FORMAT.md. */
void crypto_subkey(uint8_t out[KEY_BYTES], const uint8_t key[KEY_BYTES], const char *label);

/* Overwrites what the functions above keep. */
void crypto_stop(void);

#endif
