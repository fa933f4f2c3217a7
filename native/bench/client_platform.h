/*
 * What the camera's mbedTLS asks of its platform (host/mbedtls_config.h), for programs here that
 * use the library without the camera's own tls.c.
 */
#ifndef OCELLUS_BENCH_CLIENT_PLATFORM_H
#define OCELLUS_BENCH_CLIENT_PLATFORM_H

#include <stddef.h>

/* Bytes that are the same in every run: a handshake's arithmetic depends on them. */
void client_platform_random(unsigned char *bytes, size_t count);

/* Sets the library's clock to TLS_PEER_TIME_S. Once, before psa_crypto_init(). */
void client_platform_start(void);

#endif
