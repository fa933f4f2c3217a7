/*
 * mbedTLS for the benchmark's peer: what the camera has, and a server's side with a certificate
 * authority. It is built as a library of its own, linked into the peer object with all its names
 * hidden, so that the camera's library stays the one that ships.
 */
#ifndef OCELLUS_BENCH_PEER_MBEDTLS_SERVER_CONFIG_H
#define OCELLUS_BENCH_PEER_MBEDTLS_SERVER_CONFIG_H

#define OCELLUS_TLS_SERVER
#include "../../host/mbedtls_config.h"

#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_WRITE_C

/* Tickets are sealed with ChaCha20-Poly1305; the server takes whatever record size comes. */
#undef MBEDTLS_SSL_OUT_CONTENT_LEN
#define MBEDTLS_SSL_OUT_CONTENT_LEN 16384

#endif
