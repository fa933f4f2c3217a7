#include "epoch.h"

#include <sodium.h>

bool epoch_open(struct epoch *epoch, const uint8_t (*public_keys)[KEY_BYTES], uint32_t recipients) {
  uint8_t secret[KEY_BYTES];
  bool good = true;
  epoch->recipients = recipients;
  crypto_random(secret, sizeof secret);
  crypto_scalarmult_base(epoch->ephemeral, secret);
  for (uint32_t i = 0; i < recipients && good; i++)
    good = crypto_box_beforenm(epoch->shared[i], public_keys[i], secret) == 0;
  sodium_memzero(secret, sizeof secret);
  if (!good)
    epoch_wipe(epoch);
  return good;
}

void epoch_wrap(const struct epoch *epoch, const uint8_t key[KEY_BYTES],
                const uint8_t nonce[NONCE_BYTES], uint8_t *out) {
  for (uint32_t i = 0; i < epoch->recipients; i++)
    crypto_secretbox_easy(out + (size_t)i * WRAP_BYTES, key, KEY_BYTES, nonce, epoch->shared[i]);
}

void epoch_wipe(struct epoch *epoch) { sodium_memzero(epoch, sizeof *epoch); }
