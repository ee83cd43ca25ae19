/* What TLS settings are made of, and what streams need of them. Private to net. */
#ifndef GH_NET_TLS_STATE_H
#define GH_NET_TLS_STATE_H

#include <openssl/ssl.h>

#include "base/ip.h"
#include "net/tls.h"

/* TLS 1.2 only with forward secrecy and AEAD (BCP 195, RFC 9325 section 4.2). */
#define GH_TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

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
/* A context with certificate, chain and key of `pair` loaded and checked. */
GH_MUST_USE enum gh_err gh_tls_pair_load(const struct gh_tls_pair *pair, struct gh_arena *arena,
                                         SSL_CTX **out_context, struct gh_str *out_message);
GH_MUST_USE enum gh_err gh_tls_names_read(X509 *certificate, struct gh_tls_names *out_names);
void gh_tls_names_free(struct gh_tls_names *names);
bool gh_tls_names_cover(const struct gh_tls_names *names, struct gh_str host);

/* ---- tls_tickets.c ---- */

/* Keys of session tickets, shared by servers and threads; reference-counted. */
struct gh_tls_tickets;
struct gh_tls_tickets *gh_tls_tickets_open(void);
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
