#include "client_platform.h"

#include <stdlib.h>
#include <string.h>

#include <mbedtls/platform_time.h>
#include <psa/crypto.h>
#include <sodium.h>

#include "peer/tls_peer.h"

static mbedtls_time_t stopped_clock(mbedtls_time_t *also) {
  if (also != NULL)
    *also = TLS_PEER_TIME_S;
  return TLS_PEER_TIME_S;
}

mbedtls_ms_time_t mbedtls_ms_time(void) { return (mbedtls_ms_time_t)TLS_PEER_TIME_S * 1000; }

void client_platform_random(unsigned char *bytes, size_t count) {
  static uint32_t calls;
  unsigned char seed[randombytes_SEEDBYTES] = {0};
  calls++;
  memcpy(seed, &calls, sizeof calls);
  randombytes_buf_deterministic(bytes, count, seed);
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t output_size,
                                             size_t *output_length) {
  (void)context;
  client_platform_random(output, output_size);
  *output_length = output_size;
  return PSA_SUCCESS;
}

void client_platform_start(void) {
  if (mbedtls_platform_set_time(stopped_clock) != 0)
    abort();
}
