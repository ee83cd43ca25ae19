/* See key.h. Sets of keys, and keys as they are published. */
#include "base/base64.h"
#include "json/writer.h"
#include "token/key.h"

enum {
    THUMBPRINT_INPUT_BYTES_MAX = 1600, /* of an RSA key of 8192 bits: 1366 digits and the rest */
};

static const struct gh_str NOTHING = {NULL, 0};

static bool has_kid(const struct gh_token_key *keys, size_t count, struct gh_str kid)
{
    for (size_t i = 0; i < count; i++)
        if (kid.len && gh_str_eq(keys[i].kid, kid))
            return true;
    return false;
}

/* Reads the keys that we can use; false: they are not objects, too many, or have one kid twice. */
static bool read_keys(struct gh_arena *arena, const struct gh_json_doc *doc,
                      const struct gh_json_value *list, struct gh_token_key *keys, size_t *count)
{
    for (const struct gh_json_value *jwk = gh_json_first(doc, list); jwk;
         jwk = gh_json_after(doc, list, jwk)) {
        struct gh_token_key key;
        if (jwk->kind != GH_JSON_OBJECT)
            return false;
        if (!gh_jwk_parse(arena, doc, jwk, false, &key))
            continue;
        if (*count == GH_TOKEN_SET_KEYS_MAX || has_kid(keys, *count, key.kid)) {
            gh_pkey_unref(key.pkey);
            return false;
        }
        keys[(*count)++] = key;
    }
    return true;
}

bool gh_jwks_parse(struct gh_arena *arena, struct gh_str text, struct gh_token_key_set *out_set)
{
    struct gh_json_doc doc;
    if (gh_json_parse(arena, text, &gh_json_small, &doc, NULL) != GH_JSON_OK)
        return false;
    const struct gh_json_value *list = gh_json_get(&doc, gh_json_root(&doc), GH_STR("keys"));
    struct gh_token_key *keys = list && list->kind == GH_JSON_ARRAY
                                    ? gh_arena_zalloc(arena, GH_TOKEN_SET_KEYS_MAX, sizeof(*keys))
                                    : NULL;
    if (!keys)
        return false;
    struct gh_token_key_set set = {.keys = keys};
    if (!read_keys(arena, &doc, list, keys, &set.count)) {
        gh_token_key_set_done(&set);
        return false;
    }
    *out_set = set;
    return true;
}

void gh_token_key_set_done(struct gh_token_key_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        gh_pkey_unref(set->keys[i].pkey);
    *set = (struct gh_token_key_set){0};
}

static void put_bytes(struct gh_buf *buf, struct gh_str name, struct gh_str bytes)
{
    gh_json_put_name(buf, name);
    gh_buf_put_char(buf, '"');
    gh_base64url_put(buf, (const uint8_t *)bytes.ptr, bytes.len);
    gh_buf_put_char(buf, '"');
}

/* The required members of a public key in the order of their names, as RFC 7638 wants them. */
static bool put_required(struct gh_buf *buf, struct gh_arena *arena, const struct gh_pkey *pkey)
{
    struct gh_str x, y;
    if (gh_pkey_public_numbers(pkey, arena, &x, &y) != GH_OK)
        return false;
    switch (gh_pkey_alg(pkey)) {
    case GH_PKEY_ED25519:
        gh_json_put_member(buf, GH_STR("crv"), GH_STR("Ed25519"));
        gh_json_put_member(buf, GH_STR("kty"), GH_STR("OKP"));
        put_bytes(buf, GH_STR("x"), x);
        break;
    case GH_PKEY_ES256:
        gh_json_put_member(buf, GH_STR("crv"), GH_STR("P-256"));
        gh_json_put_member(buf, GH_STR("kty"), GH_STR("EC"));
        put_bytes(buf, GH_STR("x"), x);
        put_bytes(buf, GH_STR("y"), y);
        break;
    case GH_PKEY_RS256:
        put_bytes(buf, GH_STR("e"), y);
        gh_json_put_member(buf, GH_STR("kty"), GH_STR("RSA"));
        put_bytes(buf, GH_STR("n"), x);
        break;
    }
    return true;
}

void gh_jwks_put(struct gh_buf *buf, struct gh_arena *arena, const struct gh_token_key_set *set)
{
    bool first = true;
    gh_buf_put(buf, GH_STR("{\"keys\":["));
    for (size_t i = 0; i < set->count; i++) {
        const struct gh_token_key *key = &set->keys[i];
        if (!key->pkey)
            continue;
        gh_buf_put(buf, first ? GH_STR("{") : GH_STR(",{"));
        first = false;
        if (!put_required(buf, arena, key->pkey))
            buf->overflow = true;
        gh_json_put_member(buf, GH_STR("use"), GH_STR("sig"));
        gh_json_put_member(buf, GH_STR("alg"), gh_token_alg_name(key->alg));
        if (key->kid.len)
            gh_json_put_member(buf, GH_STR("kid"), key->kid);
        gh_buf_put_char(buf, '}');
    }
    gh_buf_put(buf, GH_STR("]}"));
}

struct gh_str gh_jwk_thumbprint(struct gh_arena *arena, const struct gh_pkey *pkey)
{
    char memory[THUMBPRINT_INPUT_BYTES_MAX];
    struct gh_buf input = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_char(&input, '{');
    bool ok = put_required(&input, arena, pkey);
    gh_buf_put_char(&input, '}');
    char *text =
        ok && !input.overflow ? gh_arena_alloc(arena, GH_BASE64URL_LEN(GH_SHA256_BYTES)) : NULL;
    if (!text)
        return NOTHING;
    uint8_t digest[GH_SHA256_BYTES];
    gh_sha256(gh_buf_str(&input), digest);
    struct gh_buf out = gh_buf_over(text, GH_BASE64URL_LEN(GH_SHA256_BYTES));
    gh_base64url_put(&out, digest, sizeof(digest));
    return gh_buf_str(&out);
}
