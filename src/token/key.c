/* See key.h. One JSON Web Key. */
#include "token/key.h"

#include "base/base64.h"

enum {
    SECRET_BYTES_MIN = GH_SHA256_BYTES, /* RFC 7518 section 3.2 */
    NUMBER_BYTES_MAX = 1024,            /* an RSA modulus of 8192 bits */
    KEY_OPS_MAX = 8,                    /* RFC 7517 section 4.3 knows eight */
};

static const struct gh_str NOTHING = {NULL, 0};

static const struct gh_str ALG_NAMES[GH_TOKEN_ALG_COUNT] = {
    [GH_TOKEN_EDDSA] = GH_STR_INIT("EdDSA"),
    [GH_TOKEN_ES256] = GH_STR_INIT("ES256"),
    [GH_TOKEN_RS256] = GH_STR_INIT("RS256"),
    [GH_TOKEN_HS256] = GH_STR_INIT("HS256"),
};

/* What a key of each algorithm is called and made of in JSON; empty: it has no such member. */
static const struct form {
    struct gh_str kty, crv, x, y;
    enum gh_pkey_alg pkey_alg; /* not of HS256 */
} FORMS[GH_TOKEN_ALG_COUNT] = {
    [GH_TOKEN_EDDSA] = {GH_STR_INIT("OKP"), GH_STR_INIT("Ed25519"), GH_STR_INIT("x"),
                        GH_STR_INIT(""), GH_PKEY_ED25519},
    [GH_TOKEN_ES256] = {GH_STR_INIT("EC"), GH_STR_INIT("P-256"), GH_STR_INIT("x"), GH_STR_INIT("y"),
                        GH_PKEY_ES256},
    [GH_TOKEN_RS256] = {GH_STR_INIT("RSA"), GH_STR_INIT(""), GH_STR_INIT("n"), GH_STR_INIT("e"),
                        GH_PKEY_RS256},
    [GH_TOKEN_HS256] = {.kty = GH_STR_INIT("oct"), .x = GH_STR_INIT("k")},
};

struct gh_str gh_token_alg_name(enum gh_token_alg alg)
{
    return ALG_NAMES[alg];
}

bool gh_token_alg_parse(struct gh_str name, enum gh_token_alg *out_alg)
{
    for (unsigned alg = 0; alg < GH_TOKEN_ALG_COUNT; alg++)
        if (gh_str_eq(name, ALG_NAMES[alg])) {
            *out_alg = (enum gh_token_alg)alg;
            return true;
        }
    return false;
}

/* A member that holds bytes in base64url; ptr NULL: it is not there or holds something else. */
static struct gh_str bytes_member(struct gh_arena *arena, const struct gh_json_doc *doc,
                                  const struct gh_json_value *jwk, struct gh_str name)
{
    struct gh_str text = gh_json_string(gh_json_get(doc, jwk, name));
    uint8_t *bytes = text.ptr && text.len <= GH_BASE64URL_LEN(NUMBER_BYTES_MAX)
                         ? gh_arena_alloc(arena, text.len + 1)
                         : NULL;
    size_t len;
    if (!bytes || !gh_base64url_decode(text, bytes, text.len, &len))
        return NOTHING;
    return gh_str_of((const char *)bytes, len);
}

/* The algorithm by kty and crv; an "alg" has to be the same. */
static bool find_alg(const struct gh_json_doc *doc, const struct gh_json_value *jwk,
                     enum gh_token_alg *out_alg)
{
    struct gh_str kty = gh_json_string(gh_json_get(doc, jwk, GH_STR("kty")));
    struct gh_str crv = gh_json_string(gh_json_get(doc, jwk, GH_STR("crv")));
    const struct gh_json_value *alg = gh_json_get(doc, jwk, GH_STR("alg"));
    for (unsigned i = 0; i < GH_TOKEN_ALG_COUNT; i++) {
        const struct form *form = &FORMS[i];
        if (!gh_str_eq(kty, form->kty) || (form->crv.len && !gh_str_eq(crv, form->crv)))
            continue;
        *out_alg = (enum gh_token_alg)i;
        return !alg || gh_str_eq(gh_json_string(alg), ALG_NAMES[i]);
    }
    return false;
}

/* RFC 7517 section 4.3: each value once; "verify" has to be among them. */
static bool key_ops_allow_verifying(const struct gh_json_doc *doc, const struct gh_json_value *ops)
{
    struct gh_str seen[KEY_OPS_MAX];
    size_t count = 0;
    bool verify = false;
    if (ops->kind != GH_JSON_ARRAY || ops->count > KEY_OPS_MAX)
        return false;
    for (const struct gh_json_value *op = gh_json_first(doc, ops); op;
         op = gh_json_after(doc, ops, op)) {
        seen[count] = gh_json_string(op);
        if (!seen[count].ptr)
            return false;
        for (size_t i = 0; i < count; i++)
            if (gh_str_eq(seen[i], seen[count]))
                return false;
        verify |= gh_str_eq(seen[count++], GH_STR("verify"));
    }
    return verify;
}

static bool is_for_signatures(const struct gh_json_doc *doc, const struct gh_json_value *jwk)
{
    const struct gh_json_value *use = gh_json_get(doc, jwk, GH_STR("use"));
    const struct gh_json_value *ops = gh_json_get(doc, jwk, GH_STR("key_ops"));
    return (!use || gh_str_eq(gh_json_string(use), GH_STR("sig"))) &&
           (!ops || key_ops_allow_verifying(doc, ops));
}

static bool has_private_member(const struct gh_json_doc *doc, const struct gh_json_value *jwk)
{
    static const struct gh_str NAMES[] = {
        GH_STR_INIT("d"),  GH_STR_INIT("p"),  GH_STR_INIT("q"),   GH_STR_INIT("dp"),
        GH_STR_INIT("dq"), GH_STR_INIT("qi"), GH_STR_INIT("oth"), GH_STR_INIT("k"),
    };
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (gh_json_get(doc, jwk, NAMES[i]))
            return true;
    return false;
}

/* A kid in memory of ours; empty: there is none. */
static bool read_kid(struct gh_arena *arena, const struct gh_json_doc *doc,
                     const struct gh_json_value *jwk, struct gh_str *out_kid)
{
    const struct gh_json_value *kid = gh_json_get(doc, jwk, GH_STR("kid"));
    *out_kid = GH_STR("");
    if (!kid)
        return true;
    struct gh_str text = gh_json_string(kid);
    if (!text.ptr || text.len == 0 || text.len > GH_TOKEN_KID_BYTES_MAX)
        return false;
    *out_kid = gh_arena_dup(arena, text);
    return out_kid->ptr != NULL;
}

static bool read_secret(struct gh_arena *arena, const struct gh_json_doc *doc,
                        const struct gh_json_value *jwk, struct gh_token_key *key)
{
    key->secret = bytes_member(arena, doc, jwk, FORMS[GH_TOKEN_HS256].x);
    return key->secret.ptr && key->secret.len >= SECRET_BYTES_MIN;
}

static bool read_numbers(struct gh_arena *arena, const struct gh_json_doc *doc,
                         const struct gh_json_value *jwk, struct gh_token_key *key)
{
    const struct form *form = &FORMS[key->alg];
    if (has_private_member(doc, jwk))
        return false;
    struct gh_str x = bytes_member(arena, doc, jwk, form->x);
    struct gh_str y = form->y.len ? bytes_member(arena, doc, jwk, form->y) : GH_STR("");
    if (x.ptr && y.ptr)
        key->pkey = gh_pkey_from_public(form->pkey_alg, x, y);
    return key->pkey != NULL;
}

bool gh_jwk_parse(struct gh_arena *arena, const struct gh_json_doc *doc,
                  const struct gh_json_value *jwk, bool allow_secret, struct gh_token_key *out_key)
{
    struct gh_token_key key = {0};
    if (!jwk || jwk->kind != GH_JSON_OBJECT || !find_alg(doc, jwk, &key.alg) ||
        !is_for_signatures(doc, jwk) || !read_kid(arena, doc, jwk, &key.kid))
        return false;
    if (key.alg == GH_TOKEN_HS256 ? !allow_secret || !read_secret(arena, doc, jwk, &key)
                                  : !read_numbers(arena, doc, jwk, &key))
        return false;
    *out_key = key;
    return true;
}
