/*
 * What is remembered of servers, so that the next handshake is short: a session to resume, and
 * whether the server needs AES-GCM offered.
 *
 * A session is kept under host, port and the hash of the authorities that its chain was verified
 * by, and is offered no longer than that chain is valid: resuming skips the certificate.
 */
#ifndef OCELLUS_HOST_TLS_SESSION_H
#define OCELLUS_HOST_TLS_SESSION_H

#include <mbedtls/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/* A peer, as connections name it. */
struct tls_peer {
  const char *host;
  uint16_t port;
  const uint8_t *authority_hash; /* TLS_HASH_BYTES */
};

/* Keeps the session that the context holds, in place of an older one. `until_s`: when the first
 * certificate of the chain ends; 0: as for the session this one resumed. */
void tls_session_keep(const struct tls_peer *peer, const mbedtls_ssl_context *ssl, int64_t until_s);

/* Sets the session to resume, if there is one that still holds. Whether it did. */
bool tls_session_offer(const struct tls_peer *peer, mbedtls_ssl_context *ssl);

/* Drops the session, not the rest that is known of the server. */
void tls_session_drop(const struct tls_peer *peer);

/* Whether this server refused ChaCha20-Poly1305 alone. */
bool tls_session_needs_aes(const struct tls_peer *peer);
void tls_session_set_needs_aes(const struct tls_peer *peer);

/* Drops the sessions of all servers. */
void tls_session_drop_all(void);

#endif
