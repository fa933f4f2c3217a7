#include "tls_peer.h"

#include <stdlib.h>
#include <string.h>

#include <mbedtls/platform_time.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <psa/crypto.h>

#include "certificates.h"
#include "queue.h"

struct tls_peer {
  mbedtls_ssl_context ssl;
  struct queue in;    /* from the client, not yet decrypted */
  struct queue clear; /* decrypted */
  struct queue out;   /* to the client */
  int ended;
};

static struct certificates certificates;
static mbedtls_ssl_config config;
static mbedtls_ssl_ticket_context tickets;

static void must(int result) {
  if (result != 0)
    abort();
}

/* Marsaglia's xorshift64 (Journal of Statistical Software 8(14), 2003): even and repeatable is all
 * that is wanted here. */
static int seeded(void *context, unsigned char *bytes, size_t count) {
  (void)context;
  static uint64_t state = 0x9e3779b97f4a7c15u;
  for (size_t i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    bytes[i] = (unsigned char)(state >> 32);
  }
  return 0;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t output_size,
                                             size_t *output_length) {
  (void)context;
  (void)seeded(NULL, output, output_size);
  *output_length = output_size;
  return PSA_SUCCESS;
}

mbedtls_ms_time_t mbedtls_ms_time(void) { return (mbedtls_ms_time_t)TLS_PEER_TIME_S * 1000; }

static mbedtls_time_t stopped_clock(mbedtls_time_t *also) {
  if (also != NULL)
    *also = TLS_PEER_TIME_S;
  return TLS_PEER_TIME_S;
}

void tls_peer_start(void) {
  must(mbedtls_platform_set_time(stopped_clock));
  must(psa_crypto_init());
  certificates_make(&certificates, seeded);
  mbedtls_ssl_config_init(&config);
  must(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                   MBEDTLS_SSL_PRESET_DEFAULT));
  mbedtls_ssl_conf_rng(&config, seeded, NULL);
  must(mbedtls_ssl_conf_own_cert(&config, &certificates.server, &certificates.server_key));
  mbedtls_ssl_ticket_init(&tickets);
  must(mbedtls_ssl_ticket_setup(&tickets, seeded, NULL, MBEDTLS_CIPHER_CHACHA20_POLY1305, 86400));
  mbedtls_ssl_conf_session_tickets_cb(&config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse,
                                      &tickets);
}

const char *tls_peer_authority(void) { return certificates.authority_pem; }

static int to_client(void *context, const unsigned char *bytes, size_t count) {
  struct tls_peer *peer = context;
  queue_put(&peer->out, bytes, count);
  return (int)count;
}

static int from_client(void *context, unsigned char *bytes, size_t room) {
  struct tls_peer *peer = context;
  size_t count = queue_take(&peer->in, bytes, room);
  return count > 0 ? (int)count : MBEDTLS_ERR_SSL_WANT_READ;
}

struct tls_peer *tls_peer_open(void) {
  struct tls_peer *peer = calloc(1, sizeof *peer);
  if (peer == NULL)
    abort();
  mbedtls_ssl_init(&peer->ssl);
  must(mbedtls_ssl_setup(&peer->ssl, &config));
  mbedtls_ssl_set_bio(&peer->ssl, peer, to_client, from_client, NULL);
  return peer;
}

void tls_peer_receive(struct tls_peer *peer, const uint8_t *bytes, size_t count) {
  queue_put(&peer->in, bytes, count);
  for (;;) {
    uint8_t clear[16384];
    int got = mbedtls_ssl_read(&peer->ssl, clear, sizeof clear);
    if (got == MBEDTLS_ERR_SSL_WANT_READ)
      return;
    if (got == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || got == 0) {
      peer->ended = 1;
      return;
    }
    if (got < 0)
      abort();
    queue_put(&peer->clear, clear, (size_t)got);
  }
}

size_t tls_peer_send(struct tls_peer *peer, uint8_t *bytes, size_t room) {
  return queue_take(&peer->out, bytes, room);
}

size_t tls_peer_waiting(const struct tls_peer *peer) { return queue_length(&peer->out); }

size_t tls_peer_read(struct tls_peer *peer, uint8_t *bytes, size_t room) {
  return queue_take(&peer->clear, bytes, room);
}

void tls_peer_write(struct tls_peer *peer, const void *bytes, size_t count) {
  const unsigned char *next = bytes;
  while (count > 0) {
    int put = mbedtls_ssl_write(&peer->ssl, next, count);
    if (put <= 0)
      abort();
    next += put;
    count -= (size_t)put;
  }
}

int tls_peer_ended(const struct tls_peer *peer) { return peer->ended; }

void tls_peer_close(struct tls_peer *peer) {
  mbedtls_ssl_free(&peer->ssl);
  queue_free(&peer->in);
  queue_free(&peer->clear);
  queue_free(&peer->out);
  free(peer);
}
