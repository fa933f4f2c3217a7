/*
 * An epoch: one ephemeral X25519 pair, of which only the public key and what it shares with each
 * recipient is kept; with it a key is wrapped without a scalar multiplication (FORMAT.md, "Keys").
 */
#ifndef OCELLUS_HOST_EPOCH_H
#define OCELLUS_HOST_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto.h"

#define RECIPIENTS_MAX 16

/* Owned by whoever opened it, who wipes it. */
struct epoch {
  uint32_t recipients; /* 1 to RECIPIENTS_MAX */
  uint8_t ephemeral[KEY_BYTES];
  uint8_t shared[RECIPIENTS_MAX][KEY_BYTES]; /* secret: box.before(ephemeral, recipient) */
};

/* Makes the pair and the shared keys; the ephemeral secret is gone when this returns. False, with
 * everything wiped, where a recipient's key is a low-order point. */
bool epoch_open(struct epoch *epoch, const uint8_t (*public_keys)[KEY_BYTES], uint32_t recipients);

/* Wraps a key for every recipient: epoch->recipients times WRAP_BYTES to `out`. */
void epoch_wrap(const struct epoch *epoch, const uint8_t key[KEY_BYTES],
                const uint8_t nonce[NONCE_BYTES], uint8_t *out);

void epoch_wipe(struct epoch *epoch);

#endif
