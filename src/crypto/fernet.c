/*
 * A token is base64url of: version (1 byte), time (8), initialization vector (16), ciphertext of
 * AES-128-CBC with PKCS #7 padding (16 or a multiple), HMAC-SHA256 of all before it (32).
 */
#include "crypto/fernet.h"

#include <openssl/evp.h>

#include "base/assert.h"
#include "base/base64.h"
#include "crypto/hash.h"

enum {
    VERSION = 0x80,
    HALF_KEY_BYTES = 16,
    BLOCK_BYTES = 16,
    IV_AT = 1 + 8,
    CIPHERTEXT_AT = IV_AT + BLOCK_BYTES,
    MAC_BYTES = GH_SHA256_BYTES,
    TOKEN_BYTES_MIN = CIPHERTEXT_AT + BLOCK_BYTES + MAC_BYTES,
    TOKEN_BYTES_MAX = 64 * 1024, /* over any field that we hold */
};

static const struct gh_str NOTHING = {NULL, 0};

/* Padding may be left out, as some do; other than what fills up the last group it can't be. */
static bool decode(struct gh_str text, uint8_t *out, size_t cap, size_t *out_len)
{
    size_t len = text.len;
    while (len && text.ptr[len - 1] == '=')
        len--;
    if (len != text.len && (text.len % 4 != 0 || text.len - len > 2))
        return false;
    return gh_base64url_decode(gh_str_first(text, len), out, cap, out_len);
}

bool gh_fernet_key_parse(struct gh_str text, struct gh_fernet_key *out_key)
{
    struct gh_fernet_key key;
    size_t len = 0;
    bool whole = decode(text, key.bytes, sizeof(key.bytes), &len) && len == sizeof(key.bytes);
    if (whole)
        *out_key = key;
    gh_wipe(&key, sizeof(key));
    return whole;
}

bool gh_fernet_looks_like(struct gh_str text)
{
    /* 0x80, and the upper bytes of a time before the year 2106 */
    return gh_str_starts_with(text, GH_STR("gAAAAA")) &&
           text.len >= GH_BASE64URL_LEN(TOKEN_BYTES_MIN);
}

static bool is_authentic(const struct gh_fernet_key *key, struct gh_str raw)
{
    uint8_t mac[MAC_BYTES];
    struct gh_str signed_part = gh_str_first(raw, raw.len - MAC_BYTES);
    gh_hmac_sha256(gh_str_of((const char *)key->bytes, HALF_KEY_BYTES), signed_part, mac);
    bool equal = gh_secret_eq(gh_str_of((const char *)mac, sizeof(mac)),
                              gh_str_skip(raw, raw.len - MAC_BYTES));
    gh_wipe(mac, sizeof(mac));
    return equal;
}

/* False: the padding is none, which only the one who holds the key can have made. */
static bool decrypt(const struct gh_fernet_key *key, const uint8_t *raw, size_t ciphertext_len,
                    uint8_t *out, size_t *out_len)
{
    int head = 0, tail = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    GH_ASSERT(context && EVP_DecryptInit_ex2(context, EVP_aes_128_cbc(),
                                             key->bytes + HALF_KEY_BYTES, raw + IV_AT, NULL) == 1);
    bool good = EVP_DecryptUpdate(context, out, &head, raw + CIPHERTEXT_AT, (int)ciphertext_len) &&
                EVP_DecryptFinal_ex(context, out + head, &tail) == 1;
    EVP_CIPHER_CTX_free(context);
    if (good)
        *out_len = (size_t)head + (size_t)tail;
    return good;
}

static struct gh_str open_raw(struct gh_arena *arena, const struct gh_fernet_key *key,
                              struct gh_str raw)
{
    size_t ciphertext_len = raw.len - CIPHERTEXT_AT - MAC_BYTES, len = 0;
    /* A block more than the text is what OpenSSL may touch; the last byte is for a NUL. */
    uint8_t *plain = gh_arena_alloc(arena, ciphertext_len + BLOCK_BYTES + 1);
    if (!plain || !decrypt(key, (const uint8_t *)raw.ptr, ciphertext_len, plain, &len))
        return NOTHING;
    plain[len] = '\0';
    return gh_str_of((const char *)plain, len);
}

struct gh_str gh_fernet_open(struct gh_arena *arena, const struct gh_fernet_key *keys, size_t count,
                             struct gh_str token)
{
    size_t len = 0;
    if (token.len > GH_BASE64URL_LEN(TOKEN_BYTES_MAX))
        return NOTHING;
    uint8_t *raw = gh_arena_alloc(arena, token.len + 1);
    if (!raw || !decode(token, raw, token.len, &len) || len < TOKEN_BYTES_MIN ||
        raw[0] != VERSION || (len - CIPHERTEXT_AT - MAC_BYTES) % BLOCK_BYTES != 0)
        return NOTHING;
    struct gh_str text = gh_str_of((const char *)raw, len);
    for (size_t i = 0; i < count; i++)
        if (is_authentic(&keys[i], text))
            return open_raw(arena, &keys[i], text);
    return NOTHING;
}
