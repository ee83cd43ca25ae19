/* See library.h. */
#include "crypto/library.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>
#include <sodium.h>

#include "base/assert.h"
#include "crypto/hash.h"

/* Written once, under `once`, before any reader (see gh_crypto_init). */
static struct gh_crypto_library library;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static EVP_MAC_CTX *hmac_of(EVP_MAC *hmac, const char *digest)
{
    char name[16];
    strncpy(name, digest, sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    GH_ASSERT(mac && EVP_MAC_CTX_set_params(mac, params) == 1);
    return mac;
}

static void load(void)
{
    GH_ASSERT(sodium_init() >= 0);
    library.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    GH_ASSERT(library.sha256 && hmac);
    library.hmac_sha1 = hmac_of(hmac, "SHA1");
    library.hmac_sha256 = hmac_of(hmac, "SHA256");
    EVP_MAC_free(hmac); /* counted: the contexts keep it */
}

void gh_crypto_init(void)
{
    GH_ASSERT(pthread_once(&once, load) == 0);
}

const struct gh_crypto_library *gh_crypto_library(void)
{
    GH_ASSERT(library.sha256);
    return &library;
}

void gh_crypto_mac(EVP_MAC_CTX *kind, struct gh_str key, struct gh_str data, uint8_t *out,
                   size_t out_bytes)
{
    /* A NULL key would mean "the key as before" to OpenSSL. */
    const unsigned char *key_bytes = (const unsigned char *)(key.len ? key.ptr : "");
    size_t len = 0;
    EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(kind);
    GH_ASSERT(mac && EVP_MAC_init(mac, key_bytes, key.len, NULL) == 1);
    GH_ASSERT(EVP_MAC_update(mac, (const unsigned char *)data.ptr, data.len) == 1);
    GH_ASSERT(EVP_MAC_final(mac, out, &len, out_bytes) == 1 && len == out_bytes);
    EVP_MAC_CTX_free(mac);
}
