#include "certificates.h"

#include <stdlib.h>
#include <string.h>

#include <mbedtls/oid.h>

#include "tls_peer.h"

#define AUTHORITY "CN=ocellus benchmark authority"
#define SERVER "CN=" TLS_PEER_NAME

static void must(int result) {
  if (result != 0)
    abort();
}

static void make_key(mbedtls_pk_context *key, int (*random)(void *, unsigned char *, size_t)) {
  mbedtls_pk_init(key);
  must(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)));
  must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), random, NULL));
}

/* Writes a certificate for `subject_key` as PEM. */
static void write(char *pem, size_t pem_bytes, const char *subject, mbedtls_pk_context *subject_key,
                  mbedtls_pk_context *authority_key, unsigned char serial, int is_authority,
                  int (*random)(void *, unsigned char *, size_t)) {
  mbedtls_x509write_cert certificate;
  mbedtls_x509write_crt_init(&certificate);
  mbedtls_x509write_crt_set_version(&certificate, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(&certificate, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(&certificate, subject_key);
  mbedtls_x509write_crt_set_issuer_key(&certificate, authority_key);
  must(mbedtls_x509write_crt_set_subject_name(&certificate, subject));
  must(mbedtls_x509write_crt_set_issuer_name(&certificate, AUTHORITY));
  must(mbedtls_x509write_crt_set_serial_raw(&certificate, &serial, 1));
  must(mbedtls_x509write_crt_set_validity(&certificate, "20200101000000", "20491231235959"));
  must(mbedtls_x509write_crt_set_basic_constraints(&certificate, is_authority, -1));
  mbedtls_x509_san_list address = {0}, name = {.next = &address};
  name.node.type = MBEDTLS_X509_SAN_DNS_NAME;
  name.node.san.unstructured_name.p = (unsigned char *)TLS_PEER_NAME;
  name.node.san.unstructured_name.len = strlen(TLS_PEER_NAME);
  address.node.type = MBEDTLS_X509_SAN_IP_ADDRESS;
  address.node.san.unstructured_name.p = (unsigned char[]){127, 0, 0, 1};
  address.node.san.unstructured_name.len = 4;
  if (!is_authority)
    must(mbedtls_x509write_crt_set_subject_alternative_name(&certificate, &name));
  must(mbedtls_x509write_crt_pem(&certificate, (unsigned char *)pem, pem_bytes, random, NULL));
  mbedtls_x509write_crt_free(&certificate);
}

void certificates_make(struct certificates *made,
                       int (*random)(void *context, unsigned char *bytes, size_t count)) {
  mbedtls_pk_context authority_key;
  make_key(&authority_key, random);
  make_key(&made->server_key, random);
  char server_pem[2048];
  write(made->authority_pem, sizeof made->authority_pem, AUTHORITY, &authority_key, &authority_key,
        1, 1, random);
  write(server_pem, sizeof server_pem, SERVER, &made->server_key, &authority_key, 2, 0, random);
  mbedtls_x509_crt_init(&made->server);
  must(mbedtls_x509_crt_parse(&made->server, (const unsigned char *)server_pem,
                              strlen(server_pem) + 1));
  mbedtls_pk_free(&authority_key);
}
