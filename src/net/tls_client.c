/* TLS settings for https upstreams: the peer's chain and name are always verified. */
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/tls_state.h"

struct gh_tls_client {
    atomic_uint references;
    SSL_CTX *context;
};

static const unsigned char alpn_http1[] = "\x08http/1.1";

static bool load_authorities(SSL_CTX *context, const char *ca_path, struct gh_arena *arena,
                             struct gh_str *out_message)
{
    if (!ca_path) {
        if (SSL_CTX_set_default_verify_paths(context) == 1)
            return true;
        *out_message = GH_STR("the system's certificate authorities cannot be loaded");
        return false;
    }
    if (access(ca_path, R_OK) != 0)
        *out_message = gh_arena_format(arena, "%s: %s", ca_path,
                                       errno == ENOENT ? "no such file" : strerror(errno));
    else if (SSL_CTX_load_verify_file(context, ca_path) != 1)
        *out_message = gh_arena_format(arena, "%s: no PEM certificate in it", ca_path);
    else
        return true;
    return false;
}

enum gh_err gh_tls_client_open(const char *ca_path, struct gh_arena *arena,
                               struct gh_tls_client **out_client, struct gh_str *out_message)
{
    ERR_clear_error();
    struct gh_tls_client *client = calloc(1, sizeof *client);
    SSL_CTX *context = client ? SSL_CTX_new(TLS_client_method()) : NULL;
    /* SSL_CTX_set_alpn_protos is the one that says 0 for success. */
    if (!context || !gh_tls_context_harden(context) ||
        SSL_CTX_set_alpn_protos(context, alpn_http1, sizeof alpn_http1 - 1) != 0) {
        *out_message = gh_arena_format(arena, "OpenSSL: %s", gh_tls_last_error());
        SSL_CTX_free(context);
        free(client);
        return GH_ERR_MEMORY;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    bool loaded = load_authorities(context, ca_path, arena, out_message);
    ERR_clear_error();
    if (!loaded) {
        SSL_CTX_free(context);
        free(client);
        return GH_ERR_INVALID;
    }
    atomic_init(&client->references, 1);
    client->context = context;
    *out_client = client;
    return GH_OK;
}

struct gh_tls_client *gh_tls_client_ref(struct gh_tls_client *client)
{
    atomic_fetch_add(&client->references, 1);
    return client;
}

void gh_tls_client_unref(struct gh_tls_client *client)
{
    if (!client || atomic_fetch_sub(&client->references, 1) != 1)
        return;
    SSL_CTX_free(client->context);
    free(client);
}

/* The peer's certificate must be for `name`, an address or a host (RFC 9525). */
static bool expect_name(SSL *ssl, const char *name)
{
    struct gh_ip ip;
    if (gh_ip_parse(gh_str_from_c(name), &ip))
        return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), ip.bytes,
                                         ip.family == GH_IP_V4 ? 4 : 16) == 1;
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    /* An empty name would switch the check off. */
    return *name && SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

SSL *gh_tls_client_connection(struct gh_tls_client *client, const char *server_name)
{
    SSL *ssl = SSL_new(client->context);
    if (ssl && !expect_name(ssl, server_name)) {
        SSL_free(ssl);
        ssl = NULL;
    }
    if (ssl)
        SSL_set_connect_state(ssl);
    return ssl;
}
