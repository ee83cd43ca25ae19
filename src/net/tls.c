/* TLS settings of a listener: one context for each certificate, chosen at the client's hello. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "net/tls_keys_state.h"

/* Sessions live as long as the ticket keys can be read for sure. */
#define SESSION_SECONDS (4 * 3600)
/* extension_type values (RFC 6066 section 3). */
#define SNI_HOST_NAME 0

struct server_pair {
    SSL_CTX *context;
    struct gh_tls_names names;
    /* Of the certificate: sessions are resumed only with the one that they began with. */
    unsigned char session_context[SHA256_DIGEST_LENGTH];
};

struct gh_tls_server {
    atomic_uint references;
    struct gh_tls_tickets *tickets;
    struct gh_tls_keys *keys; /* NULL: the pairs have their own */
    unsigned char *alpn;
    size_t alpn_len;
    size_t pair_count;
    struct server_pair pairs[];
};

bool gh_tls_context_harden(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, GH_TLS12_CIPHERS) == 1 &&
           SSL_CTX_set1_groups_list(context, GH_TLS_GROUPS) == 1;
}

/* ---- Callbacks of OpenSSL's ---- */

/* The host name in a server_name extension (RFC 6066 section 3), empty when there is none. */
static struct gh_str read_sni(const unsigned char *bytes, size_t len)
{
    if (len < 5 || ((size_t)bytes[0] << 8 | bytes[1]) != len - 2 || bytes[2] != SNI_HOST_NAME)
        return GH_STR("");
    size_t name_len = (size_t)bytes[3] << 8 | bytes[4];
    return name_len <= len - 5 ? gh_str_of((const char *)bytes + 5, name_len) : GH_STR("");
}

/*
 * Chooses the certificate. Here and not in the servername callback, because that one comes after a
 * ticket was accepted: a session of one name must not go on under the certificate of another.
 */
static int on_client_hello(SSL *ssl, int *out_alert, void *arg)
{
    struct gh_tls_server *server = arg;
    const unsigned char *bytes;
    size_t len;
    int index = -1;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &len) == 1)
        index = gh_tls_server_pair_for(server, read_sni(bytes, len));
    if (index < 0)
        index = 0;
    const struct server_pair *pair = &server->pairs[index];
    if ((index > 0 && !SSL_set_SSL_CTX(ssl, pair->context)) ||
        SSL_set_session_id_context(ssl, pair->session_context, sizeof pair->session_context) != 1) {
        *out_alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    *(int *)SSL_get_app_data(ssl) = index;
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* Only so that a name that we know is acknowledged. */
static int on_servername(SSL *ssl, int *out_alert, void *arg)
{
    (void)out_alert;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    bool known = name && gh_tls_server_pair_for(arg, gh_str_from_c(name)) >= 0;
    return known ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* RFC 7301 section 3.2: our order decides; nothing in common ends the handshake. */
static int on_alpn(SSL *ssl, const unsigned char **out_name, unsigned char *out_len,
                   const unsigned char *offered, unsigned offered_len, void *arg)
{
    (void)ssl;
    const struct gh_tls_server *server = arg;
    unsigned char *name;
    if (SSL_select_next_proto(&name, out_len, server->alpn, (unsigned)server->alpn_len, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out_name = name;
    return SSL_TLSEXT_ERR_OK;
}

static int on_ticket(SSL *ssl, unsigned char *key_name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypt)
{
    const struct gh_tls_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    return gh_tls_tickets_use(server->tickets, ssl, key_name, iv, cipher, mac, encrypt == 1);
}

/* ---- Opening ---- */

static bool set_callbacks(struct gh_tls_server *server, SSL_CTX *context)
{
    SSL_CTX_set_app_data(context, server);
    SSL_CTX_set_client_hello_cb(context, on_client_hello, server);
    SSL_CTX_set_tlsext_servername_callback(context, on_servername);
    SSL_CTX_set_tlsext_servername_arg(context, server);
    if (server->alpn_len > 0)
        SSL_CTX_set_alpn_select_cb(context, on_alpn, server);
    SSL_CTX_set_timeout(context, SESSION_SECONDS);
    /* What clients send may be a password; OpenSSL would leave it on the heap. */
    SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1;
}

static enum gh_err open_context(struct gh_tls_server *server, const struct gh_tls_pair *from,
                                struct gh_arena *arena, SSL_CTX **out_context,
                                struct gh_str *out_message)
{
    struct gh_tls_credential credential;
    enum gh_err err = server->keys
                          ? gh_tls_keys_load(server->keys, from, arena, &credential, out_message)
                          : gh_tls_credential_read(from, arena, &credential, out_message);
    if (err != GH_OK)
        return err;
    OSSL_LIB_CTX *library = server->keys ? gh_tls_keys_library(server->keys) : NULL;
    err = gh_tls_credential_use(&credential, from, library, arena, out_context, out_message);
    gh_tls_credential_done(&credential);
    return err;
}

static enum gh_err open_pair(struct gh_tls_server *server, const struct gh_tls_pair *from,
                             struct gh_arena *arena, struct gh_str *out_message)
{
    struct server_pair *pair = &server->pairs[server->pair_count];
    enum gh_err err = open_context(server, from, arena, &pair->context, out_message);
    if (err != GH_OK)
        return err;
    server->pair_count++;
    X509 *leaf = SSL_CTX_get0_certificate(pair->context);
    unsigned len = sizeof pair->session_context;
    if (X509_digest(leaf, EVP_sha256(), pair->session_context, &len) == 1 &&
        gh_tls_names_read(leaf, &pair->names) == GH_OK && set_callbacks(server, pair->context))
        return GH_OK;
    *out_message = gh_arena_format(arena, "%s: %s", from->certificate_path, gh_tls_last_error());
    return GH_ERR_MEMORY;
}

static struct gh_tls_server *new_server(size_t count, struct gh_str alpn, struct gh_tls_keys *keys)
{
    struct gh_tls_server *server = calloc(1, sizeof *server + count * sizeof server->pairs[0]);
    if (!server)
        return NULL;
    atomic_init(&server->references, 1);
    server->keys = keys ? gh_tls_keys_ref(keys) : NULL;
    server->tickets = gh_tls_tickets_open(keys);
    server->alpn = malloc(alpn.len + 1);
    if (!server->tickets || !server->alpn) {
        gh_tls_server_unref(server);
        return NULL;
    }
    if (alpn.len > 0)
        memcpy(server->alpn, alpn.ptr, alpn.len);
    server->alpn_len = alpn.len;
    return server;
}

enum gh_err gh_tls_server_open(const struct gh_tls_pair *pairs, size_t count, struct gh_str alpn,
                               struct gh_tls_keys *keys, struct gh_arena *arena,
                               struct gh_tls_server **out_server, struct gh_str *out_message)
{
    GH_ASSERT(count > 0);
    struct gh_tls_server *server = new_server(count, alpn, keys);
    if (!server) {
        *out_message = GH_STR("out of memory");
        return GH_ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        enum gh_err err = open_pair(server, &pairs[i], arena, out_message);
        if (err != GH_OK) {
            gh_tls_server_unref(server);
            return err;
        }
    }
    *out_server = server;
    return GH_OK;
}

struct gh_tls_server *gh_tls_server_ref(struct gh_tls_server *server)
{
    atomic_fetch_add(&server->references, 1);
    return server;
}

void gh_tls_server_unref(struct gh_tls_server *server)
{
    if (!server || atomic_fetch_sub(&server->references, 1) != 1)
        return;
    for (size_t i = 0; i < server->pair_count; i++) {
        SSL_CTX_free(server->pairs[i].context);
        gh_tls_names_free(&server->pairs[i].names);
    }
    gh_tls_tickets_unref(server->tickets);
    gh_tls_keys_unref(server->keys); /* after what was made with it */
    free(server->alpn);
    free(server);
}

void gh_tls_server_share_tickets(struct gh_tls_server *server, struct gh_tls_server *old)
{
    if (!old || old->tickets == server->tickets)
        return;
    gh_tls_tickets_unref(server->tickets);
    server->tickets = gh_tls_tickets_ref(old->tickets);
}

int gh_tls_server_pair_for(const struct gh_tls_server *server, struct gh_str host)
{
    if (host.len == 0)
        return -1;
    for (size_t i = 0; i < server->pair_count; i++)
        if (gh_tls_names_cover(&server->pairs[i].names, host))
            return (int)i;
    return -1;
}

SSL *gh_tls_server_connection(struct gh_tls_server *server, int *pair)
{
    SSL *ssl = SSL_new(server->pairs[0].context);
    if (!ssl)
        return NULL;
    SSL_set_app_data(ssl, (char *)pair);
    SSL_set_accept_state(ssl);
    return ssl;
}
