/*
 * What is fetched from OpenSSL once, for the files of this module only: looking an algorithm up by
 * name at each call would cost more than hashing a token does.
 */
#ifndef GH_CRYPTO_LIBRARY_H
#define GH_CRYPTO_LIBRARY_H

#include <openssl/evp.h>

#include "base/str.h"

struct gh_crypto_library {
    EVP_MD *sha256;
    EVP_MAC_CTX *hmac_sha1, *hmac_sha256; /* without a key; only copies are used */
};

/* Set by gh_crypto_init and constant from then on; calling earlier is our bug. */
const struct gh_crypto_library *gh_crypto_library(void);

/* The MAC of `data` by a copy of `kind`; `out_bytes` is the length of its output. */
void gh_crypto_mac(EVP_MAC_CTX *kind, struct gh_str key, struct gh_str data, uint8_t *out,
                   size_t out_bytes);

#endif
