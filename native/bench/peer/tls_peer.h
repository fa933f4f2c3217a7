/*
 * The other end of a TLS connection, in the same process: an mbedTLS server between two byte
 * queues.
 *
 * Everything random in it comes from one seed, its clock stands still, and its certificates are
 * made at start: the same calls give the same bytes, run after run. For benchmarks only.
 *
 *     tls_peer_start();
 *     struct tls_peer *peer = tls_peer_open();
 *     tls_peer_receive(peer, what the client sent);  tls_peer_send(peer, what goes to the client)
 *     tls_peer_read(peer, …);                        tls_peer_write(peer, answer)
 *     tls_peer_close(peer);
 *
 * Memory is from malloc; running out of it, or anything but a well-behaved client, aborts.
 */
#ifndef OCELLUS_BENCH_TLS_PEER_H
#define OCELLUS_BENCH_TLS_PEER_H

#include <stddef.h>
#include <stdint.h>

/* The name the server's certificate is for, beside the address 127.0.0.1. */
#define TLS_PEER_NAME "peer.bench"

/* Any moment within the certificates' validity, seconds since 1970 UTC: 2026-01-01. */
#define TLS_PEER_TIME_S 1767225600

struct tls_peer;

/* Makes the authority's and the server's keys and certificates. Once, before all else. */
void tls_peer_start(void);

/* The authority's certificate, PEM, terminated; for the client to trust. Static storage. */
const char *tls_peer_authority(void);

/* A new connection. Owned by the caller. Sessions of earlier ones can be resumed. */
struct tls_peer *tls_peer_open(void);

/* Takes all `count` bytes that the client put on the wire, and works on them. */
void tls_peer_receive(struct tls_peer *peer, const uint8_t *bytes, size_t count);

/* Gives at most `room` of the bytes that are on the way to the client; returns how many. */
size_t tls_peer_send(struct tls_peer *peer, uint8_t *bytes, size_t room);

/* How many such bytes there are. */
size_t tls_peer_waiting(const struct tls_peer *peer);

/* Gives at most `room` bytes of what the client said, in clear; returns how many. */
size_t tls_peer_read(struct tls_peer *peer, uint8_t *bytes, size_t room);

/* Says something to the client. The handshake must be over. */
void tls_peer_write(struct tls_peer *peer, const void *bytes, size_t count);

/* Nonzero once the client has said goodbye (close_notify). */
int tls_peer_ended(const struct tls_peer *peer);

void tls_peer_close(struct tls_peer *peer);

#endif
