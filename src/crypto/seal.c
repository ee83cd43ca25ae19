#include "crypto/seal.h"

#include <sodium.h>

#include "base/assert.h"

enum {
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
};
_Static_assert(NONCE_BYTES + TAG_BYTES == GH_SEAL_OVERHEAD, "the header states the overhead");
_Static_assert(GH_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "one key size");

static const struct gh_str NOTHING = {NULL, 0};

struct gh_str gh_seal(struct gh_arena *arena, const struct gh_random *random,
                      const uint8_t key[GH_KEY_BYTES], struct gh_str context, struct gh_str plain)
{
    size_t len;
    if (__builtin_add_overflow(plain.len, (size_t)GH_SEAL_OVERHEAD, &len))
        return NOTHING;
    unsigned char *sealed = gh_arena_alloc(arena, len);
    if (!sealed)
        return NOTHING;
    gh_random_fill(random, sealed, NONCE_BYTES);
    GH_ASSERT(crypto_aead_xchacha20poly1305_ietf_encrypt(
                  sealed + NONCE_BYTES, NULL, (const unsigned char *)plain.ptr, plain.len,
                  (const unsigned char *)context.ptr, context.len, NULL, sealed, key) == 0);
    return gh_str_of((const char *)sealed, len);
}

struct gh_str gh_unseal(struct gh_arena *arena, const uint8_t key[GH_KEY_BYTES],
                        struct gh_str context, struct gh_str sealed)
{
    if (sealed.len < GH_SEAL_OVERHEAD)
        return NOTHING;
    const unsigned char *nonce = (const unsigned char *)sealed.ptr;
    size_t len = sealed.len - GH_SEAL_OVERHEAD;
    unsigned char *plain = gh_arena_alloc(arena, len + 1); /* an empty text has a place too */
    if (!plain || crypto_aead_xchacha20poly1305_ietf_decrypt(
                      plain, NULL, NULL, nonce + NONCE_BYTES, sealed.len - NONCE_BYTES,
                      (const unsigned char *)context.ptr, context.len, nonce, key) != 0)
        return NOTHING;
    plain[len] = '\0';
    return gh_str_of((const char *)plain, len);
}
