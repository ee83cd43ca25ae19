/* TLS settings (OpenSSL): server certificates chosen by SNI, and clients for https upstreams. */
#ifndef GH_NET_TLS_H
#define GH_NET_TLS_H

#include "base/arena.h"
#include "base/err.h"
#include "net/tls_keys.h"

struct gh_tls_pair {
    const char *certificate_path; /* PEM, leaf first, then the chain */
    const char *key_path;
};

/* Certificates of one listener. Immutable and reference-counted: a reload makes a new one,
   connections keep theirs. */
struct gh_tls_server;

/*
 * TLS 1.2 and 1.3 (RFC 8446, BCP 195), ALPN by `alpn` (wire form, e.g. "\x08http/1.1"), no
 * renegotiation, no compression, AEAD suites with forward secrecy. The first pair serves clients
 * without SNI or with an unknown name. `keys`: who reads the pairs and keeps their keys; NULL: this
 * process. On failure *out_message (in `arena`) says which file and why.
 */
GH_MUST_USE enum gh_err gh_tls_server_open(const struct gh_tls_pair *pairs, size_t count,
                                           struct gh_str alpn, struct gh_tls_keys *keys,
                                           struct gh_arena *arena,
                                           struct gh_tls_server **out_server,
                                           struct gh_str *out_message);
struct gh_tls_server *gh_tls_server_ref(struct gh_tls_server *server);
void gh_tls_server_unref(struct gh_tls_server *server);
/* Lets `server` take and give out the session tickets of `old` (which may be NULL), so that clients
   resume over a reload, and over listeners. Before `server` is first used. Sessions are resumed
   only with the certificate that they began with. */
void gh_tls_server_share_tickets(struct gh_tls_server *server, struct gh_tls_server *old);
/* The pair (index) whose certificate covers `host` (subject alternative names, one-label
   wildcards), or -1. For 421: SNI and authority of different certificates. */
int gh_tls_server_pair_for(const struct gh_tls_server *server, struct gh_str host);

/* For https upstreams: verifies the peer's chain and name. `ca_path` NULL: the system's. */
struct gh_tls_client;
GH_MUST_USE enum gh_err gh_tls_client_open(const char *ca_path, struct gh_arena *arena,
                                           struct gh_tls_client **out_client,
                                           struct gh_str *out_message);
struct gh_tls_client *gh_tls_client_ref(struct gh_tls_client *client);
void gh_tls_client_unref(struct gh_tls_client *client);

#endif
