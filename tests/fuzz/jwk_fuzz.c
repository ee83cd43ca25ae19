/*
 * JSON Web Keys and sets of them. Properties: what is taken is a public key with a short kid; what
 * was taken can be published, and is read again as the same key with the same thumbprint; kids are
 * there once. Signatures of such keys are refused, not crashed on.
 */
#include "base/assert.h"
#include "crypto/hash.h"
#include "token/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 8192, PUBLISHED_BYTES_MAX = 1 << 17 };

static void check_key(const struct gh_token_key *key)
{
    GH_ASSERT(key->alg != GH_TOKEN_HS256 && key->pkey && key->secret.len == 0);
    GH_ASSERT(!gh_pkey_is_private(key->pkey));
    GH_ASSERT(key->kid.len <= GH_TOKEN_KID_BYTES_MAX);
    GH_ASSERT(!gh_pkey_verify(key->pkey, GH_STR("data"), GH_STR("")));
}

static void check_set(struct gh_arena *arena, const struct gh_token_key_set *set)
{
    static char memory[PUBLISHED_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    struct gh_token_key_set again;
    GH_ASSERT(set->count <= GH_TOKEN_SET_KEYS_MAX);
    for (size_t i = 0; i < set->count; i++) {
        check_key(&set->keys[i]);
        for (size_t j = 0; j < i; j++)
            GH_ASSERT(set->keys[i].kid.len == 0 || !gh_str_eq(set->keys[i].kid, set->keys[j].kid));
    }
    gh_jwks_put(&buf, arena, set);
    GH_ASSERT(!buf.overflow && gh_jwks_parse(arena, gh_buf_str(&buf), &again));
    GH_ASSERT(again.count == set->count);
    for (size_t i = 0; i < set->count; i++) {
        struct gh_str print = gh_jwk_thumbprint(arena, set->keys[i].pkey);
        GH_ASSERT(again.keys[i].alg == set->keys[i].alg);
        GH_ASSERT(gh_str_eq(again.keys[i].kid, set->keys[i].kid));
        GH_ASSERT(print.ptr && gh_str_eq(gh_jwk_thumbprint(arena, again.keys[i].pkey), print));
    }
    gh_token_key_set_done(&again);
}

static void check_single(struct gh_arena *arena, struct gh_str text)
{
    struct gh_json_doc doc;
    struct gh_token_key key;
    if (gh_json_parse(arena, text, &gh_json_small, &doc, NULL) != GH_JSON_OK ||
        !gh_jwk_parse(arena, &doc, gh_json_root(&doc), true, &key))
        return;
    if (key.alg == GH_TOKEN_HS256)
        GH_ASSERT(!key.pkey && key.secret.len >= 32);
    else
        check_key(&key);
    gh_pkey_unref(key.pkey);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX)
        return 0;
    gh_crypto_init();
    struct gh_arena arena;
    struct gh_token_key_set set;
    struct gh_str text = {(const char *)data, size};
    gh_arena_init(&arena, 1 << 16, 1 << 26);
    check_single(&arena, text);
    if (gh_jwks_parse(&arena, text, &set)) {
        check_set(&arena, &set);
        gh_token_key_set_done(&set);
    }
    gh_arena_done(&arena);
    return 0;
}
