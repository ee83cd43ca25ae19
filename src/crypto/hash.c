/*
 * SHA-256 and HMAC are OpenSSL's: with contexts fetched once they take half of libsodium's time on
 * the 400 bytes of a token, as they use the processor's instructions.
 */
#include "crypto/hash.h"

#include <sodium.h>

#include "base/assert.h"
#include "crypto/library.h"

void gh_sha256(struct gh_str data, uint8_t out[GH_SHA256_BYTES])
{
    unsigned len = 0;
    GH_ASSERT(EVP_Digest(data.ptr, data.len, out, &len, gh_crypto_library()->sha256, NULL) == 1);
    GH_ASSERT(len == GH_SHA256_BYTES);
}

void gh_sha1(struct gh_str data, uint8_t out[GH_SHA1_BYTES])
{
    unsigned len = GH_SHA1_BYTES;
    GH_ASSERT(EVP_Digest(data.ptr, data.len, out, &len, EVP_sha1(), NULL) == 1);
}

void gh_hmac_sha256(struct gh_str key, struct gh_str data, uint8_t out[GH_SHA256_BYTES])
{
    gh_crypto_mac(gh_crypto_library()->hmac_sha256, key, data, out, GH_SHA256_BYTES);
}

/* HKDF-Expand to one block: T(1) = HMAC(key, info | 0x01). The label and its counter come in two
   pieces, which libsodium takes without memory for the sum. */
void gh_derive_key(const uint8_t key[GH_KEY_BYTES], struct gh_str label, uint8_t out[GH_KEY_BYTES])
{
    static const uint8_t COUNTER = 1;
    crypto_auth_hmacsha256_state mac;
    crypto_auth_hmacsha256_init(&mac, key, GH_KEY_BYTES);
    crypto_auth_hmacsha256_update(&mac, (const unsigned char *)label.ptr, label.len);
    crypto_auth_hmacsha256_update(&mac, &COUNTER, 1);
    crypto_auth_hmacsha256_final(&mac, out);
    gh_wipe(&mac, sizeof(mac));
}

void gh_derive_root(struct gh_str secret, struct gh_str label, uint8_t out[GH_KEY_BYTES])
{
    static const char NO_SALT[GH_SHA256_BYTES]; /* RFC 5869 section 2.2: zeros */
    uint8_t extracted[GH_KEY_BYTES];
    gh_hmac_sha256(gh_str_of(NO_SALT, sizeof(NO_SALT)), secret, extracted);
    gh_derive_key(extracted, label, out);
    gh_wipe(extracted, sizeof(extracted));
}

bool gh_secret_eq(struct gh_str a, struct gh_str b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.ptr, b.ptr, a.len) == 0);
}

void gh_wipe(void *memory, size_t count)
{
    if (count)
        sodium_memzero(memory, count);
}
