/* See pkey.h. Making keys and using them; reading and writing them is in pkey_numbers.c. */
#include "crypto/pkey.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "base/assert.h"
#include "crypto/hash.h"
#include "crypto/library.h"
#include "crypto/pkey_state.h"
#include "crypto/secret.h"

enum {
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 8192,
    RSA_BITS_OURS = 2048,
    ES256_HALF_BYTES = 32,
    ES256_DER_BYTES_MAX = 80, /* a SEQUENCE of two INTEGERs of up to 33 bytes */
};

struct gh_pkey *gh_pkey_new(enum gh_pkey_alg alg, bool is_private)
{
    struct gh_pkey *key = calloc(1, sizeof(*key));
    if (!key)
        return NULL;
    atomic_init(&key->references, 1);
    key->alg = alg;
    key->is_private = is_private;
    if (is_private && alg == GH_PKEY_ED25519 &&
        !(key->ed_secret = gh_secret_alloc(crypto_sign_SECRETKEYBYTES))) {
        free(key);
        return NULL;
    }
    return key;
}

void gh_pkey_ref(struct gh_pkey *key)
{
    unsigned before = atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
    GH_ASSERT(before > 0 && before < UINT32_MAX);
}

void gh_pkey_unref(struct gh_pkey *key)
{
    if (!key || atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) > 1)
        return;
    EVP_PKEY_CTX_free(key->sign);
    EVP_PKEY_CTX_free(key->verify);
    EVP_PKEY_free(key->evp);
    gh_secret_free(key->ed_secret);
    gh_wipe(key, sizeof(*key));
    free(key);
}

enum gh_pkey_alg gh_pkey_alg(const struct gh_pkey *key)
{
    return key->alg;
}

bool gh_pkey_is_private(const struct gh_pkey *key)
{
    return key->is_private;
}

static bool fits(enum gh_pkey_alg alg, const EVP_PKEY *evp)
{
    char group[32];
    switch (alg) {
    case GH_PKEY_ED25519:
        return false; /* never wrapped */
    case GH_PKEY_ES256:
        return EVP_PKEY_get_base_id(evp) == EVP_PKEY_EC &&
               EVP_PKEY_get_group_name(evp, group, sizeof(group), NULL) == 1 &&
               strcmp(group, SN_X9_62_prime256v1) == 0;
    case GH_PKEY_RS256:
        return EVP_PKEY_get_base_id(evp) == EVP_PKEY_RSA &&
               EVP_PKEY_get_bits(evp) >= RSA_BITS_MIN && EVP_PKEY_get_bits(evp) <= RSA_BITS_MAX;
    }
    return false;
}

/* What is asked for is set once: hash, and with RSA the padding. */
static EVP_PKEY_CTX *prepared(const struct gh_pkey *key, int (*start)(EVP_PKEY_CTX *))
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->evp, NULL);
    if (context && start(context) == 1 &&
        EVP_PKEY_CTX_set_signature_md(context, gh_crypto_library()->sha256) == 1 &&
        (key->alg != GH_PKEY_RS256 ||
         EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1))
        return context;
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    return NULL;
}

struct gh_pkey *gh_pkey_wrap(enum gh_pkey_alg alg, EVP_PKEY *evp, bool is_private)
{
    struct gh_pkey *key = evp && fits(alg, evp) ? gh_pkey_new(alg, is_private) : NULL;
    if (!key) {
        EVP_PKEY_free(evp);
        return NULL;
    }
    key->evp = evp;
    key->verify = prepared(key, EVP_PKEY_verify_init);
    key->sign = is_private ? prepared(key, EVP_PKEY_sign_init) : NULL;
    if (key->verify && (key->sign || !is_private))
        return key;
    gh_pkey_unref(key);
    return NULL;
}

struct gh_pkey *gh_pkey_generate(enum gh_pkey_alg alg)
{
    switch (alg) {
    case GH_PKEY_ED25519: {
        struct gh_pkey *key = gh_pkey_new(alg, true);
        if (key)
            crypto_sign_keypair(key->ed_public, key->ed_secret);
        return key;
    }
    case GH_PKEY_ES256:
        return gh_pkey_wrap(alg, EVP_EC_gen(SN_X9_62_prime256v1), true);
    case GH_PKEY_RS256:
        return gh_pkey_wrap(alg, EVP_RSA_gen((unsigned)RSA_BITS_OURS), true);
    }
    return NULL;
}

/* R || S as JWS wants it, from the DER that OpenSSL makes (RFC 7518 section 3.4). */
static bool halves_of_der(const uint8_t *der, size_t der_len, uint8_t *out)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    bool ok =
        signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, ES256_HALF_BYTES) > 0 &&
        BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + ES256_HALF_BYTES, ES256_HALF_BYTES) > 0;
    ECDSA_SIG_free(signature);
    return ok;
}

/* The reverse; the length of the DER, 0 on failure. */
static size_t der_of_halves(struct gh_str halves, uint8_t der[ES256_DER_BYTES_MAX])
{
    const uint8_t *bytes = (const uint8_t *)halves.ptr;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, ES256_HALF_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(bytes + ES256_HALF_BYTES, ES256_HALF_BYTES, NULL);
    int len = 0;
    if (signature && ECDSA_SIG_set0(signature, r, s) == 1) {
        r = s = NULL; /* the signature's now */
        len = i2d_ECDSA_SIG(signature, NULL);
        len = len > 0 && len <= ES256_DER_BYTES_MAX ? i2d_ECDSA_SIG(signature, &der) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    return len > 0 ? (size_t)len : 0;
}

static enum gh_err evp_sign(const struct gh_pkey *key, struct gh_str data, uint8_t *out,
                            size_t *out_len)
{
    uint8_t digest[GH_SHA256_BYTES];
    gh_sha256(data, digest);
    size_t len = GH_PKEY_SIGNATURE_BYTES_MAX;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_dup(key->sign);
    bool ok = context && EVP_PKEY_sign(context, out, &len, digest, sizeof(digest)) == 1;
    EVP_PKEY_CTX_free(context);
    if (!ok) {
        ERR_clear_error();
        return GH_ERR_MEMORY;
    }
    *out_len = len;
    return GH_OK;
}

static enum gh_err es256_sign(const struct gh_pkey *key, struct gh_str data, uint8_t *out,
                              size_t *out_len)
{
    uint8_t der[GH_PKEY_SIGNATURE_BYTES_MAX];
    size_t der_len = 0;
    enum gh_err err = evp_sign(key, data, der, &der_len);
    if (err)
        return err;
    if (!halves_of_der(der, der_len, out))
        return GH_ERR_MEMORY;
    *out_len = 2 * ES256_HALF_BYTES;
    return GH_OK;
}

enum gh_err gh_pkey_sign(const struct gh_pkey *key, struct gh_str data,
                         uint8_t out[GH_PKEY_SIGNATURE_BYTES_MAX], size_t *out_len)
{
    if (!key->is_private)
        return GH_ERR_INVALID;
    switch (key->alg) {
    case GH_PKEY_ED25519:
        crypto_sign_detached(out, NULL, (const unsigned char *)data.ptr, data.len, key->ed_secret);
        *out_len = crypto_sign_BYTES;
        return GH_OK;
    case GH_PKEY_ES256:
        return es256_sign(key, data, out, out_len);
    case GH_PKEY_RS256:
        return evp_sign(key, data, out, out_len);
    }
    return GH_ERR_INVALID;
}

static bool evp_verify(const struct gh_pkey *key, struct gh_str data, const uint8_t *signature,
                       size_t len)
{
    uint8_t digest[GH_SHA256_BYTES];
    gh_sha256(data, digest);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_dup(key->verify);
    bool ok = context && EVP_PKEY_verify(context, signature, len, digest, sizeof(digest)) == 1;
    EVP_PKEY_CTX_free(context);
    if (!ok)
        ERR_clear_error(); /* TLS on this thread would take what is left there for its own */
    return ok;
}

bool gh_pkey_verify(const struct gh_pkey *key, struct gh_str data, struct gh_str signature)
{
    const uint8_t *bytes = (const uint8_t *)signature.ptr;
    switch (key->alg) {
    case GH_PKEY_ED25519:
        return signature.len == crypto_sign_BYTES &&
               crypto_sign_verify_detached(bytes, (const unsigned char *)data.ptr, data.len,
                                           key->ed_public) == 0;
    case GH_PKEY_ES256: {
        uint8_t der[ES256_DER_BYTES_MAX];
        size_t len = signature.len == 2 * ES256_HALF_BYTES ? der_of_halves(signature, der) : 0;
        return len && evp_verify(key, data, der, len);
    }
    case GH_PKEY_RS256:
        return signature.len == (size_t)EVP_PKEY_get_size(key->evp) &&
               evp_verify(key, data, bytes, signature.len);
    }
    return false;
}
