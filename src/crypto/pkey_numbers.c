/* See pkey.h. Keys from and to what is stored (PKCS#8) and published (the numbers of a JWK). */
#include "crypto/pkey.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/assert.h"
#include "crypto/hash.h"
#include "crypto/pkey_state.h"

enum {
    P256_NUMBER_BYTES = 32,
    RSA_MODULUS_BYTES_MIN = 2048 / 8,
    RSA_MODULUS_BYTES_MAX = 8192 / 8,
    RSA_EXPONENT_BYTES_MAX = 8,
    RSA_EXPONENT_MIN = 65537,
    PRIVATE_DER_BYTES_MAX = 16384,
};

static const struct gh_str NOTHING = {NULL, 0};

static const uint8_t *bytes_of(struct gh_str s)
{
    return (const uint8_t *)s.ptr;
}

/* ---- private keys ---- */

static EVP_PKEY *read_private_der(struct gh_str der)
{
    if (der.len == 0 || der.len > PRIVATE_DER_BYTES_MAX)
        return NULL;
    const uint8_t *at = bytes_of(der);
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
    EVP_PKEY *evp = info && at == bytes_of(der) + der.len ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    if (!evp)
        ERR_clear_error();
    return evp;
}

static struct gh_pkey *ed25519_from_seed(const uint8_t seed[crypto_sign_SEEDBYTES])
{
    struct gh_pkey *key = gh_pkey_new(GH_PKEY_ED25519, true);
    if (key)
        crypto_sign_seed_keypair(key->ed_public, key->ed_secret, seed);
    return key;
}

struct gh_pkey *gh_pkey_from_private(enum gh_pkey_alg alg, struct gh_str der)
{
    EVP_PKEY *evp = read_private_der(der);
    if (!evp || alg != GH_PKEY_ED25519)
        return gh_pkey_wrap(alg, evp, true);
    uint8_t seed[crypto_sign_SEEDBYTES];
    size_t len = sizeof(seed);
    bool ok = EVP_PKEY_get_base_id(evp) == EVP_PKEY_ED25519 &&
              EVP_PKEY_get_raw_private_key(evp, seed, &len) == 1 && len == sizeof(seed);
    EVP_PKEY_free(evp);
    struct gh_pkey *key = ok ? ed25519_from_seed(seed) : NULL;
    gh_wipe(seed, sizeof(seed));
    return key;
}

/* PKCS#8 of `evp` in `arena`. */
static struct gh_str private_der_of(const EVP_PKEY *evp, struct gh_arena *arena)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(evp);
    uint8_t *der = NULL;
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : 0;
    PKCS8_PRIV_KEY_INFO_free(info);
    if (len <= 0)
        return NOTHING;
    struct gh_str copy = gh_arena_dup(arena, gh_str_of((const char *)der, (size_t)len));
    OPENSSL_clear_free(der, (size_t)len);
    return copy;
}

struct gh_str gh_pkey_private_der(const struct gh_pkey *key, struct gh_arena *arena)
{
    if (!key->is_private)
        return NOTHING;
    if (key->alg != GH_PKEY_ED25519)
        return private_der_of(key->evp, arena);
    EVP_PKEY *evp =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->ed_secret, crypto_sign_SEEDBYTES);
    struct gh_str der = evp ? private_der_of(evp, arena) : NOTHING;
    EVP_PKEY_free(evp);
    return der;
}

/* ---- public keys ---- */

/* Takes `params` over. */
static EVP_PKEY *public_from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *evp = NULL;
    EVP_PKEY_CTX *context = params ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
    if (context && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &evp, EVP_PKEY_PUBLIC_KEY, params) != 1)
        evp = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    if (!evp)
        ERR_clear_error();
    return evp;
}

static bool is_on_curve(EVP_PKEY *evp)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, evp, NULL);
    bool ok = context && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    if (!ok)
        ERR_clear_error();
    return ok;
}

/* RFC 7518 section 6.2.1.2: each coordinate in its full length. */
static struct gh_pkey *es256_from_public(struct gh_str x, struct gh_str y)
{
    uint8_t point[1 + 2 * P256_NUMBER_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    if (x.len != P256_NUMBER_BYTES || y.len != P256_NUMBER_BYTES)
        return NULL;
    memcpy(point + 1, x.ptr, P256_NUMBER_BYTES);
    memcpy(point + 1 + P256_NUMBER_BYTES, y.ptr, P256_NUMBER_BYTES);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (build &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1,
                                        0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
        params = OSSL_PARAM_BLD_to_param(build);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY *evp = public_from_params("EC", params);
    if (evp && !is_on_curve(evp)) {
        EVP_PKEY_free(evp);
        return NULL;
    }
    return gh_pkey_wrap(GH_PKEY_ES256, evp, false);
}

static struct gh_pkey *rs256_from_public(struct gh_str modulus, struct gh_str exponent)
{
    if (!gh_rsa_numbers_are_sound(modulus, exponent))
        return NULL;
    BIGNUM *n = BN_bin2bn(bytes_of(modulus), (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(bytes_of(exponent), (int)exponent.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (n && e && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
        params = OSSL_PARAM_BLD_to_param(build);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return gh_pkey_wrap(GH_PKEY_RS256, public_from_params("RSA", params), false);
}

static struct gh_pkey *ed25519_from_public(struct gh_str x, struct gh_str y)
{
    if (x.len != crypto_sign_PUBLICKEYBYTES || y.len != 0 ||
        !crypto_core_ed25519_is_valid_point(bytes_of(x)))
        return NULL;
    struct gh_pkey *key = gh_pkey_new(GH_PKEY_ED25519, false);
    if (key)
        memcpy(key->ed_public, x.ptr, sizeof(key->ed_public));
    return key;
}

struct gh_pkey *gh_pkey_from_public(enum gh_pkey_alg alg, struct gh_str x, struct gh_str y)
{
    switch (alg) {
    case GH_PKEY_ED25519:
        return ed25519_from_public(x, y);
    case GH_PKEY_ES256:
        return es256_from_public(x, y);
    case GH_PKEY_RS256:
        return rs256_from_public(x, y);
    }
    return NULL;
}

/* The number `name` of `evp`, in `width` bytes or, with 0, as few as it needs. */
static struct gh_str number_of(const EVP_PKEY *evp, const char *name, size_t width,
                               struct gh_arena *arena)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(evp, name, &number) != 1)
        return NOTHING;
    size_t len = width ? width : (size_t)BN_num_bytes(number);
    uint8_t *bytes = gh_arena_alloc(arena, len);
    bool ok = bytes && BN_bn2binpad(number, bytes, (int)len) >= 0;
    BN_free(number);
    return ok ? gh_str_of((const char *)bytes, len) : NOTHING;
}

enum gh_err gh_pkey_public_numbers(const struct gh_pkey *key, struct gh_arena *arena,
                                   struct gh_str *out_x, struct gh_str *out_y)
{
    struct gh_str x = NOTHING, y = GH_STR("");
    switch (key->alg) {
    case GH_PKEY_ED25519:
        x = gh_arena_dup(arena, gh_str_of((const char *)key->ed_public, sizeof(key->ed_public)));
        break;
    case GH_PKEY_ES256:
        x = number_of(key->evp, OSSL_PKEY_PARAM_EC_PUB_X, P256_NUMBER_BYTES, arena);
        y = number_of(key->evp, OSSL_PKEY_PARAM_EC_PUB_Y, P256_NUMBER_BYTES, arena);
        break;
    case GH_PKEY_RS256:
        x = number_of(key->evp, OSSL_PKEY_PARAM_RSA_N, 0, arena);
        y = number_of(key->evp, OSSL_PKEY_PARAM_RSA_E, 0, arena);
        break;
    }
    if (!x.ptr || !y.ptr)
        return GH_ERR_MEMORY;
    *out_x = x;
    *out_y = y;
    return GH_OK;
}

/* ---- numbers of RSA ---- */

static unsigned remainder_of(struct gh_str number, unsigned divisor)
{
    unsigned remainder = 0;
    for (size_t i = 0; i < number.len; i++)
        remainder = (remainder << 8 | bytes_of(number)[i]) % divisor;
    return remainder;
}

/* Whether `value` is a power of 65537 modulo `prime`. */
static bool is_power_of_65537(unsigned value, unsigned prime)
{
    unsigned power = 1;
    for (unsigned i = 0; i < prime; i++) {
        if (power == value)
            return true;
        power = power * (65537 % prime) % prime;
    }
    return false;
}

/*
 * The print of a flawed generator of primes (CVE-2017-15361, "ROCA": Nemec et al., "The Return of
 * Coppersmith's Attack", CCS 2017): such a modulus is a power of 65537 modulo every small prime. A
 * sound modulus passes for one with a chance of less than 2^-27.
 */
static bool is_of_roca(struct gh_str modulus)
{
    static const uint8_t PRIMES[] = {
        3,  5,  7,  11, 13, 17,  19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
        73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
    for (size_t i = 0; i < sizeof(PRIMES); i++)
        if (!is_power_of_65537(remainder_of(modulus, PRIMES[i]), PRIMES[i]))
            return false;
    return true;
}

/* A modulus with a small factor (2 among them) is no key: it was damaged or made to be broken. */
static bool has_small_factor(struct gh_str modulus)
{
    for (unsigned divisor = 2; divisor < 1000; divisor += 1 + divisor % 2)
        if (remainder_of(modulus, divisor) == 0)
            return true;
    return false;
}

bool gh_rsa_numbers_are_sound(struct gh_str modulus, struct gh_str exponent)
{
    if (modulus.len < RSA_MODULUS_BYTES_MIN || modulus.len > RSA_MODULUS_BYTES_MAX ||
        exponent.len == 0 || exponent.len > RSA_EXPONENT_BYTES_MAX)
        return false;
    uint64_t e = 0;
    for (size_t i = 0; i < exponent.len; i++)
        e = e << 8 | bytes_of(exponent)[i];
    /* No leading zeros (RFC 7518 section 2); 256 bytes with a top bit of zero are 2047 bits. */
    bool shortest = bytes_of(exponent)[0] != 0 && bytes_of(modulus)[0] != 0;
    bool long_enough = modulus.len > RSA_MODULUS_BYTES_MIN || (bytes_of(modulus)[0] & 0x80) != 0;
    return shortest && long_enough && e % 2 == 1 && e >= RSA_EXPONENT_MIN &&
           !has_small_factor(modulus) && !is_of_roca(modulus);
}
