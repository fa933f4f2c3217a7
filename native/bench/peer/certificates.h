/* The benchmark's certificate authority and its one server certificate, made from the peer's seed.
 */
#ifndef OCELLUS_BENCH_CERTIFICATES_H
#define OCELLUS_BENCH_CERTIFICATES_H

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

struct certificates {
  mbedtls_pk_context server_key;
  mbedtls_x509_crt
      server; /* ECDSA P-256, for TLS_PEER_NAME and 127.0.0.1, signed by the authority */
  char authority_pem[2048]; /* terminated */
};

/* Valid 2020 to 2049. `random` is an mbedTLS generator without a context. */
void certificates_make(struct certificates *made,
                       int (*random)(void *context, unsigned char *bytes, size_t count));

#endif
