#include "tls.h"

#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <psa/crypto.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "crypto.h"
#include "tls_session.h"

#define AUTHORITIES_KEPT 4
#define JUMP_S 3600

struct tls_authority {
  struct tls_authority *next; /* most recently held first */
  uint8_t hash[TLS_HASH_BYTES];
  mbedtls_x509_crt chain;
  uint32_t references;
};

static struct tls_authority *authorities;
static int64_t time_s; /* at time_set_us */
static uint64_t time_set_us;
static bool time_known;

/* ---- what the library asks of its platform ---- */

int64_t tls_time_s(void) { return time_s + (int64_t)((clock_us() - time_set_us) / 1000000u); }

static mbedtls_time_t platform_time(mbedtls_time_t *out) {
  mbedtls_time_t now = (mbedtls_time_t)tls_time_s();
  if (out != NULL)
    *out = now;
  return now;
}

mbedtls_ms_time_t mbedtls_ms_time(void) { return (mbedtls_ms_time_t)(clock_us() / 1000u); }

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t output_size,
                                             size_t *output_length) {
  (void)context;
  crypto_random(output, output_size);
  *output_length = output_size;
  return PSA_SUCCESS;
}

static int random_bytes(void *context, unsigned char *output, size_t size) {
  (void)context;
  crypto_random(output, size);
  return 0;
}

/* ---- time ---- */

void tls_set_time(int64_t seconds, bool known) {
  int64_t jump = seconds - tls_time_s();
  if (known != time_known || jump > JUMP_S || jump < -JUMP_S)
    tls_session_drop_all();
  time_s = seconds;
  time_set_us = clock_us();
  time_known = known;
}

static int64_t seconds_of(const mbedtls_x509_time *at) {
  struct tm broken = {.tm_year = at->year - 1900,
                      .tm_mon = at->mon - 1,
                      .tm_mday = at->day,
                      .tm_hour = at->hour,
                      .tm_min = at->min,
                      .tm_sec = at->sec};
  return (int64_t)timegm(&broken);
}

/* ---- authorities ---- */

/* Drops what nobody holds behind the newest few. */
static void drop_old(uint32_t keep) {
  uint32_t count = 0;
  for (struct tls_authority **at = &authorities; *at != NULL;) {
    struct tls_authority *authority = *at;
    if (count++ < keep || authority->references > 0) {
      at = &authority->next;
      continue;
    }
    *at = authority->next;
    mbedtls_x509_crt_free(&authority->chain);
    free(authority);
  }
}

/* Takes it off the list if it is there. */
static struct tls_authority *take_known(const uint8_t hash[TLS_HASH_BYTES]) {
  for (struct tls_authority **at = &authorities; *at != NULL; at = &(*at)->next) {
    struct tls_authority *authority = *at;
    if (memcmp(authority->hash, hash, TLS_HASH_BYTES) != 0)
      continue;
    *at = authority->next;
    return authority;
  }
  return NULL;
}

/* The parser wants the terminating zero counted. */
static struct tls_authority *parse(const char *pem, size_t bytes,
                                   const uint8_t hash[TLS_HASH_BYTES]) {
  struct tls_authority *authority = calloc(1, sizeof *authority);
  if (authority == NULL)
    abort();
  memcpy(authority->hash, hash, TLS_HASH_BYTES);
  mbedtls_x509_crt_init(&authority->chain);
  /* A positive result is how many of several could not be read; the others serve. */
  if (mbedtls_x509_crt_parse(&authority->chain, (const uint8_t *)pem, bytes + 1) >= 0 &&
      authority->chain.version != 0)
    return authority;
  mbedtls_x509_crt_free(&authority->chain);
  free(authority);
  return NULL;
}

struct tls_authority *tls_authority_hold(const char *pem, size_t bytes) {
  uint8_t hash[TLS_HASH_BYTES];
  crypto_hash_sha256(hash, (const uint8_t *)pem, bytes);
  struct tls_authority *authority = take_known(hash);
  if (authority == NULL)
    authority = parse(pem, bytes, hash);
  if (authority == NULL)
    return NULL;
  authority->references++;
  authority->next = authorities;
  authorities = authority;
  drop_old(AUTHORITIES_KEPT);
  return authority;
}

void tls_authority_release(struct tls_authority *authority) {
  if (authority != NULL)
    authority->references--;
}

const uint8_t *tls_authority_hash(const struct tls_authority *authority) { return authority->hash; }

/* ---- one connection ---- */

static int judge(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
  struct tls *tls = context;
  (void)depth;
  int64_t until = seconds_of(&certificate->valid_to);
  if (!tls->verified || until < tls->chain_until_s)
    tls->chain_until_s = until;
  tls->verified = true;
  if (!time_known)
    *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_FUTURE;
  return 0;
}

static const int chacha_only[] = {
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};
static const int chacha_then_aes[] = {
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0,
};
static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

void tls_open(struct tls *tls, const char *host, struct tls_authority *authority, bool with_aes,
              mbedtls_ssl_send_t *send, mbedtls_ssl_recv_t *receive, void *socket) {
  *tls = (struct tls){.authority = authority};
  mbedtls_ssl_config *config = &tls->config;
  mbedtls_ssl_init(&tls->ssl);
  mbedtls_ssl_config_init(config);
  if (mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                  MBEDTLS_SSL_PRESET_DEFAULT) != 0)
    abort();
  mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
  mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(config, &authority->chain, NULL);
  mbedtls_ssl_conf_verify(config, judge, tls);
  mbedtls_ssl_conf_rng(config, random_bytes, NULL);
  mbedtls_ssl_conf_ciphersuites(config, with_aes ? chacha_then_aes : chacha_only);
  mbedtls_ssl_conf_groups(config, groups);
  mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
      config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
  if (mbedtls_ssl_setup(&tls->ssl, config) != 0 || mbedtls_ssl_set_hostname(&tls->ssl, host) != 0)
    abort();
  mbedtls_ssl_set_bio(&tls->ssl, socket, send, receive, NULL);
}

void tls_close(struct tls *tls) {
  mbedtls_ssl_free(&tls->ssl);
  mbedtls_ssl_config_free(&tls->config);
  tls_authority_release(tls->authority);
  tls->authority = NULL;
}

const char *tls_error(const struct tls *tls, int result, char *text, size_t text_bytes) {
  if (result == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
    uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);
    uint32_t dates_and_name = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE |
                              MBEDTLS_X509_BADCERT_CN_MISMATCH;
    /* Dates and name of a certificate that nobody vouches for mean nothing. */
    if (flags & ~dates_and_name) {
      snprintf(text, text_bytes, "no trusted authority vouches for the server's certificate (0x%x)",
               (unsigned)flags);
      return "tls-certificate-untrusted";
    }
    if (flags & MBEDTLS_X509_BADCERT_EXPIRED) {
      snprintf(text, text_bytes, "the server's certificate, or its authority's, has expired");
      return "tls-certificate-expired";
    }
    if (flags & MBEDTLS_X509_BADCERT_FUTURE) {
      snprintf(text, text_bytes, "the server's certificate, or its authority's, is not yet valid");
      return "tls-certificate-not-yet-valid";
    }
    snprintf(text, text_bytes, "the server's certificate is for another host name");
    return "tls-certificate-name";
  }
  if (result == MBEDTLS_ERR_SSL_CONN_EOF) {
    snprintf(text, text_bytes, "the peer hung up without closing in order");
    return "reset";
  }
  if (result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
    snprintf(text, text_bytes, "the peer refused by a TLS alert");
  else
    snprintf(text, text_bytes, "TLS failed (mbedTLS -0x%04x)", (unsigned)-result);
  return "tls-protocol";
}

/* ---- start and stop ---- */

void tls_start(int64_t build_time_s) {
  tls_set_time(build_time_s, false);
  mbedtls_platform_set_time(platform_time);
  if (psa_crypto_init() != PSA_SUCCESS)
    abort();
}

void tls_stop(void) {
  tls_session_drop_all();
  drop_old(0);
  mbedtls_psa_crypto_free();
}
