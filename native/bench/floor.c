/*
 * The least that can be done to footage on its way out: a loop that copies it out of a buffer,
 * seals it (XSalsa20-Poly1305), hashes the sealed chunk (SHA-256) and encrypts it for TLS
 * (ChaCha20-Poly1305), with the libraries the camera ships and nothing else.
 *
 *     floor BYTES
 *
 * Run under count.c: region 0 is that loop. The TLS server at the other end is the benchmark's own
 * (peer/) and counts as the world; the handshake, which is paid once and not by the byte, as start.
 * Prints one line of JSON with what went through, bytes: plaintext, and what stood on the wire.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ssl.h>
#include <psa/crypto.h>
#include <sodium.h>

#include "client_platform.h"
#include "mark.h"
#include "peer/tls_peer.h"

#define CHUNK_BYTES 32768u      /* FORMAT.md, "Chunks" */
#define SOURCE_BYTES (4u << 20) /* as large as a ring, so that no cache is flattered by it */

static uint64_t wire_bytes;
static enum mark_region own = MARK_START; /* whose instructions the client's are */

static void must(int result) {
  if (result != 0)
    abort();
}

static int to_peer(void *context, const unsigned char *bytes, size_t count) {
  mark(MARK_WORLD);
  tls_peer_receive(context, bytes, count);
  wire_bytes += count;
  mark(own);
  return (int)count;
}

static int from_peer(void *context, unsigned char *bytes, size_t room) {
  mark(MARK_WORLD);
  size_t count = tls_peer_send(context, bytes, room);
  mark(own);
  return count > 0 ? (int)count : MBEDTLS_ERR_SSL_WANT_READ;
}

static int random_bytes(void *context, unsigned char *bytes, size_t count) {
  (void)context;
  client_platform_random(bytes, count);
  return 0;
}

/* A finished TLS 1.3 connection. The configuration lives as long as the program. */
static void connect_peer(mbedtls_ssl_context *ssl) {
  static mbedtls_ssl_config config;
  static mbedtls_x509_crt authority;
  static const int suites[] = {MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, 0};
  const char *pem = tls_peer_authority();
  mbedtls_x509_crt_init(&authority);
  must(mbedtls_x509_crt_parse(&authority, (const unsigned char *)pem, strlen(pem) + 1));
  mbedtls_ssl_config_init(&config);
  must(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                   MBEDTLS_SSL_PRESET_DEFAULT));
  mbedtls_ssl_conf_ca_chain(&config, &authority, NULL);
  mbedtls_ssl_conf_ciphersuites(&config, suites);
  mbedtls_ssl_conf_rng(&config, random_bytes, NULL);
  mbedtls_ssl_init(ssl);
  must(mbedtls_ssl_setup(ssl, &config));
  must(mbedtls_ssl_set_hostname(ssl, TLS_PEER_NAME));
  mbedtls_ssl_set_bio(ssl, tls_peer_open(), to_peer, from_peer, NULL);
  must(mbedtls_ssl_handshake(ssl));
}

static void send_all(mbedtls_ssl_context *ssl, const uint8_t *bytes, size_t count) {
  while (count > 0) {
    // Equal records, as few as there can be.
    size_t most = (size_t)mbedtls_ssl_get_max_out_record_payload(ssl);
    size_t records = (count + most - 1) / most;
    int put = mbedtls_ssl_write(ssl, bytes, (count + records - 1) / records);
    if (put <= 0)
      abort();
    bytes += put;
    count -= (size_t)put;
  }
}

int main(int argc, char **argv) {
  mark(own);
  uint64_t bytes = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
  if (bytes == 0 || bytes % CHUNK_BYTES != 0) {
    fprintf(stderr, "usage: floor BYTES, a multiple of %u\n", CHUNK_BYTES);
    return 1;
  }
  static uint8_t source[SOURCE_BYTES];
  static uint8_t chunk[crypto_secretbox_MACBYTES + CHUNK_BYTES];
  uint8_t key[crypto_secretbox_KEYBYTES], nonce[crypto_secretbox_NONCEBYTES] = {0};
  uint8_t hash[crypto_hash_sha256_BYTES];
  if (sodium_init() < 0)
    abort();
  client_platform_start();
  must(psa_crypto_init());
  tls_peer_start();
  client_platform_random(key, sizeof key);
  mbedtls_ssl_context ssl;
  connect_peer(&ssl);

  wire_bytes = 0;
  own = MARK_CAMERA;
  mark(own);
  for (uint64_t done = 0; done < bytes; done += CHUNK_BYTES) {
    uint8_t *plain = chunk + crypto_secretbox_MACBYTES;
    memcpy(plain, source + done % SOURCE_BYTES, CHUNK_BYTES);
    memcpy(nonce, &done, sizeof done);
    must(crypto_secretbox_detached(plain, chunk, plain, CHUNK_BYTES, nonce, key));
    must(crypto_hash_sha256(hash, chunk, sizeof chunk));
    send_all(&ssl, chunk, sizeof chunk);
  }
  mark(MARK_START);
  printf("{\"plain_bytes\":%" PRIu64 ",\"wire_bytes\":%" PRIu64 "}\n", bytes, wire_bytes);
  return 0;
}
