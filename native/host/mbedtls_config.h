/*
 * What of mbedTLS 3.6 is built: a TLS 1.2 and 1.3 client over TCP, and what verifies certificates
 * of public and private authorities. Given to every file, ours and the library's, by
 * -DMBEDTLS_CONFIG_FILE="\"mbedtls_config.h\"" with this directory on the include path.
 *
 * -DOCELLUS_TLS_SERVER adds the server's side, for benchmarks with an in-memory peer; never on a
 * camera.
 */
#ifndef OCELLUS_HOST_MBEDTLS_CONFIG_H
#define OCELLUS_HOST_MBEDTLS_CONFIG_H

/* ---- platform: one thread, no files, our own clock and generator ---- */

#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_TIME_ALT    /* certificates are judged by setTlsTime: tls.c */
#define MBEDTLS_PLATFORM_MS_TIME_ALT /* ages of tickets by the monotonic clock: tls.c */
#define MBEDTLS_PSA_CRYPTO_C         /* TLS 1.3 computes by PSA */
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG

/* ---- TLS ---- */

#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE /* TLS 1.3 of this version insists */
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_SESSION_TICKETS
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES

/* Peers send records of up to 16 KiB whatever we wish. Ours: a full sealed chunk of 32,784 bytes
 * goes in three equal records, which is the least number (16,384 is the limit), so a larger buffer
 * would buy nothing: 22 bytes of TLS 1.3 for 10,928 are 0.2 %. */
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384
#define MBEDTLS_SSL_OUT_CONTENT_LEN 10928

/* Records of TLS 1.3 are not padded (the default is to multiples of 16): it would cost another 0.1 %
 * and hide nothing, since object lengths are no secret (agent/seal/FORMAT.md). */
#define MBEDTLS_SSL_CID_TLS1_3_PADDING_GRANULARITY 1

/* ---- ciphers and hashes ---- */

#define MBEDTLS_CIPHER_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#define MBEDTLS_AES_C
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_GCM_C
#define MBEDTLS_MD_C
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_SHA1_C /* only so that old roots signed with it can be read; the profile refuses   \
                          it */
#define MBEDTLS_HKDF_C

/* ---- public keys and certificates ---- */

#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_OID_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C

#ifdef OCELLUS_TLS_SERVER
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_TICKET_C
#endif

#endif
