#include "tls_session.h"

#include <stdint.h>
#include <string.h>

#include "tls.h"

#define SERVERS_KEPT 8

/* One server. A host of "" is free. */
struct server {
  char host[TLS_HOST_BYTES + 1];
  uint16_t port;
  uint8_t authority_hash[TLS_HASH_BYTES];
  bool needs_aes;
  bool has_session;
  mbedtls_ssl_session session; /* while has_session */
  int64_t until_s;
  uint32_t used; /* higher is newer */
};

static struct server servers[SERVERS_KEPT];
static uint32_t uses;

static void drop_session(struct server *server) {
  if (server->has_session)
    mbedtls_ssl_session_free(&server->session);
  server->has_session = false;
}

static struct server *find(const struct tls_peer *peer) {
  for (int i = 0; i < SERVERS_KEPT; i++) {
    struct server *server = &servers[i];
    if (strcmp(server->host, peer->host) == 0 && server->port == peer->port &&
        memcmp(server->authority_hash, peer->authority_hash, TLS_HASH_BYTES) == 0) {
      server->used = ++uses;
      return server;
    }
  }
  return NULL;
}

/* Finds it, or makes it in place of the one unused for longest. */
static struct server *find_or_make(const struct tls_peer *peer) {
  struct server *oldest = find(peer);
  if (oldest != NULL)
    return oldest;
  oldest = &servers[0];
  for (int i = 1; i < SERVERS_KEPT; i++)
    if (servers[i].used < oldest->used)
      oldest = &servers[i];
  drop_session(oldest);
  *oldest = (struct server){.port = peer->port, .used = ++uses};
  strncpy(oldest->host, peer->host, TLS_HOST_BYTES);
  memcpy(oldest->authority_hash, peer->authority_hash, TLS_HASH_BYTES);
  return oldest;
}

void tls_session_keep(const struct tls_peer *peer, const mbedtls_ssl_context *ssl,
                      int64_t until_s) {
  struct server *server = find_or_make(peer);
  if (until_s != 0)
    server->until_s = until_s;
  mbedtls_ssl_session fresh;
  mbedtls_ssl_session_init(&fresh);
  if (mbedtls_ssl_get_session(ssl, &fresh) != 0) {
    mbedtls_ssl_session_free(&fresh); /* nothing new: the old one still serves */
    return;
  }
  drop_session(server);
  server->session = fresh;
  server->has_session = true;
}

bool tls_session_offer(const struct tls_peer *peer, mbedtls_ssl_context *ssl) {
  struct server *server = find(peer);
  if (server == NULL || !server->has_session)
    return false;
  if (tls_time_s() < server->until_s && mbedtls_ssl_set_session(ssl, &server->session) == 0)
    return true;
  drop_session(server);
  return false;
}

void tls_session_drop(const struct tls_peer *peer) {
  struct server *server = find(peer);
  if (server != NULL)
    drop_session(server);
}

bool tls_session_needs_aes(const struct tls_peer *peer) {
  const struct server *server = find(peer);
  return server != NULL && server->needs_aes;
}

void tls_session_set_needs_aes(const struct tls_peer *peer) {
  find_or_make(peer)->needs_aes = true;
}

void tls_session_drop_all(void) {
  for (int i = 0; i < SERVERS_KEPT; i++)
    drop_session(&servers[i]);
}
