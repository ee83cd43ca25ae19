/* Keys that are kept in another process, and what OpenSSL sees of them. Private to net. */
#ifndef GH_NET_TLS_KEYS_STATE_H
#define GH_NET_TLS_KEYS_STATE_H

#include <openssl/provider.h>

#include "net/tls_keys.h"
#include "net/tls_state.h"

/* ---- tls_keys.c ---- */

/* A key that the keeper has: the public half, and its name there. */
struct gh_tls_remote_key {
    struct gh_tls_keys *keys; /* borrowed: lives longer than all that was loaded through it */
    struct gh_tls_key_id id;
    enum gh_tls_key_kind kind;
    EVP_PKEY *public;
    struct gh_tls_remote_key *next; /* of those that the keeper is yet to be told of */
};

/* Has the keeper read `pair`. The credential's key is one whose signatures the keeper makes; all
   that uses it must be gone before `keys`. */
GH_MUST_USE enum gh_err gh_tls_keys_load(struct gh_tls_keys *keys, const struct gh_tls_pair *pair,
                                         struct gh_arena *arena,
                                         struct gh_tls_credential *out_credential,
                                         struct gh_str *out_message);
/* The keeper's signature; its length, 0: none came. Waits for it, for a bounded time. */
size_t gh_tls_keys_sign(const struct gh_tls_remote_key *key, const struct gh_tls_scheme *scheme,
                        struct gh_str to_sign, unsigned char out[GH_TLS_SIGNATURE_BYTES_MAX]);
/* Lets the keeper forget it, and frees it. */
void gh_tls_remote_key_free(struct gh_tls_remote_key *key);
/* Cuts leaf and chain apart, in DER. All of `body` must be certificates, one at least; what was
   read until something was wrong is in *credential all the same. */
bool gh_tls_certificates_read(OSSL_LIB_CTX *library, struct gh_str body,
                              struct gh_tls_credential *credential);
/* The library whose contexts can use such keys. */
OSSL_LIB_CTX *gh_tls_keys_library(const struct gh_tls_keys *keys);

/* ---- tls_keys_provider.c ---- */

/* OpenSSL's own algorithms and ours for remote keys, apart from the rest of the process. */
struct gh_tls_library {
    OSSL_LIB_CTX *context;
    OSSL_PROVIDER *ordinary, *own;
};
bool gh_tls_library_open(struct gh_tls_library *library);
/* After all that was made with it. Closing twice is fine. */
void gh_tls_library_close(struct gh_tls_library *library);
/* A key for OpenSSL; NULL: failed. Takes over `key`, also when it fails. */
EVP_PKEY *gh_tls_remote_key_wrap(OSSL_LIB_CTX *library, struct gh_tls_remote_key *key);

#endif
