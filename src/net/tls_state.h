/* What TLS settings are made of, and what streams need of them. Private to net. */
#ifndef GH_NET_TLS_STATE_H
#define GH_NET_TLS_STATE_H

#include <openssl/ssl.h>

#include "base/ip.h"
#include "net/tls.h"
#include "net/tls_keys_wire.h"

/* TLS 1.2 only with forward secrecy and AEAD (BCP 195, RFC 9325 section 4.2). */
#define GH_TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
/* What keys are exchanged in, of TLS 1.2 as well. Not the finite fields, which OpenSSL would take
   by default: to answer one ClientHello in ffdhe8192 takes 90 ms. */
#define GH_TLS_GROUPS "X25519:P-256:P-384:P-521"
/* What we sign by: those of tls_keys_wire.c. Without SHA-1 and SHA-224. */
#define GH_TLS_SIGNATURES                                                                          \
    "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:ed448:"          \
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"                                 \
    "rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512"

/* Sets what both sides have in common: versions, suites, no renegotiation, small idle memory. */
bool gh_tls_context_harden(SSL_CTX *context);
/* The last reason in OpenSSL's error queue, which is emptied; never NULL. */
const char *gh_tls_last_error(void);

/* ---- tls_certificate.c ---- */

/* A certificate's names, for choosing among several. */
struct gh_tls_names {
    struct gh_str *dns; /* lower case, "*.x" for wildcards */
    size_t dns_count;
    struct gh_ip *ips;
    size_t ip_count;
};
/* Certificates in one file behind the leaf: intermediates, perhaps the root. */
#define GH_TLS_CHAIN_MAX 16

/* A pair as it was read; owns what is in it. */
struct gh_tls_credential {
    X509 *leaf;
    X509 *chain[GH_TLS_CHAIN_MAX];
    size_t chain_count;
    EVP_PKEY *key;
};
/* GH_ERR_INVALID: *out_message says which file and why, also when the two do not belong together.
 */
GH_MUST_USE enum gh_err gh_tls_credential_read(const struct gh_tls_pair *pair,
                                               struct gh_arena *arena,
                                               struct gh_tls_credential *out_credential,
                                               struct gh_str *out_message);
void gh_tls_credential_done(struct gh_tls_credential *credential);
enum gh_tls_key_kind gh_tls_key_kind_of(const EVP_PKEY *key);
/* A hardened context of it; `pair` is for messages. `library` NULL: OpenSSL's default one. */
GH_MUST_USE enum gh_err gh_tls_credential_use(const struct gh_tls_credential *credential,
                                              const struct gh_tls_pair *pair, OSSL_LIB_CTX *library,
                                              struct gh_arena *arena, SSL_CTX **out_context,
                                              struct gh_str *out_message);
GH_MUST_USE enum gh_err gh_tls_names_read(X509 *certificate, struct gh_tls_names *out_names);
void gh_tls_names_free(struct gh_tls_names *names);
bool gh_tls_names_cover(const struct gh_tls_names *names, struct gh_str host);

/* ---- tls_tickets.c ---- */

/* Keys of session tickets, shared by servers and threads; reference-counted. */
struct gh_tls_tickets;
/* Of the OpenSSL library of those keys, where what servers need is loaded already; NULL: of the
   default one, as check has it. */
struct gh_tls_tickets *gh_tls_tickets_open(struct gh_tls_keys *library);
struct gh_tls_tickets *gh_tls_tickets_ref(struct gh_tls_tickets *tickets);
void gh_tls_tickets_unref(struct gh_tls_tickets *tickets);
/* The answer of SSL_CTX_set_tlsext_ticket_key_evp_cb's callback. */
int gh_tls_tickets_use(struct gh_tls_tickets *tickets, SSL *ssl, unsigned char *key_name,
                       unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt);

/* ---- tls.c, tls_client.c ---- */

/* Connections; NULL without memory. The index of the pair in use is kept in *pair, which must
   outlive the SSL. */
SSL *gh_tls_server_connection(struct gh_tls_server *server, int *pair);
/* NULL also when `server_name` cannot be one. */
SSL *gh_tls_client_connection(struct gh_tls_client *client, const char *server_name);

#endif
