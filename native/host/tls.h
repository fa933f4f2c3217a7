/*
 * TLS: what holds for all connections. Version 1.2 and 1.3, chain and name always verified.
 *
 * Ciphers: the first handshake offers ChaCha20-Poly1305 alone, because many servers pick AES-GCM
 * whatever the client's order, and on MIPS32r2 that costs 366 instructions a byte against 42. A
 * server that will not have it is asked again with AES-GCM too, and remembered (tls_session.h).
 *
 * Time: certificates are judged by tls_set_time, which goes on with the monotonic clock.
 */
#ifndef OCELLUS_HOST_TLS_H
#define OCELLUS_HOST_TLS_H

#include <mbedtls/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#define TLS_HASH_BYTES 32
#define TLS_HOST_BYTES 253 /* RFC 1035 2.3.4, in text */

/* Certificates that may sign a server's. Counted; parsed once for each text, the last few kept. */
struct tls_authority;

/* Starts the library; the floor is `build_time_s` until tls_set_time. */
void tls_start(int64_t build_time_s);
void tls_stop(void);

/* native.d.ts, setTlsTime. Drops all sessions where `known` changes or the time jumps by more than an
 * hour: whatever they were judged by no longer stands. */
void tls_set_time(int64_t seconds, bool known);

/* Seconds since 1970 that certificates are judged by now. */
int64_t tls_time_s(void);

/* Parses PEM text, or finds it parsed, with a reference for the caller. NULL where it holds no
 * certificate that can be read. */
struct tls_authority *tls_authority_hold(const char *pem, size_t bytes);
void tls_authority_release(struct tls_authority *authority);
const uint8_t *tls_authority_hash(const struct tls_authority *authority);

/* One connection's TLS. Owned by it; must not move. */
struct tls {
  mbedtls_ssl_context ssl;
  mbedtls_ssl_config config;
  struct tls_authority *authority; /* a reference */
  bool verified;                   /* the chain was looked at: not a resumed session */
  int64_t chain_until_s;           /* then: when the first certificate of the chain ends */
};

/* Prepares a handshake with a host, whose name is also what the certificate must bear. `send` and
 * `receive` are mbedTLS's callbacks for the socket, `socket` their argument. Takes over the
 * caller's reference to the authority. */
void tls_open(struct tls *tls, const char *host, struct tls_authority *authority, bool with_aes,
              mbedtls_ssl_send_t *send, mbedtls_ssl_recv_t *receive, void *socket);

/* Frees all; harmless on one that is zero or closed. */
void tls_close(struct tls *tls);

/* What a failed handshake or transfer means: a code of NativeErrorCode, and a sentence. */
const char *tls_error(const struct tls *tls, int result, char *text, size_t text_bytes);

#endif
