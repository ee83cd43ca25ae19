/*
 * See jws.h. The order of checks: form, header, key, signature; the payload is decoded before the
 * signature is looked at, but read by nobody.
 */
#include "token/jws.h"

#include "base/base64.h"
#include "json/writer.h"

enum {
    HEADER_BYTES_MAX = 512,             /* of ours: alg, typ, and a kid of 64 escaped bytes */
    SECRET_BYTES_MIN = GH_SHA256_BYTES, /* RFC 7518 section 3.2 */
};

static const struct gh_str NOTHING = {NULL, 0};

static const struct gh_json_limits HEADER_LIMITS = {
    .bytes_max = 4096, .depth_max = 8, .values_max = 64, .members_max = 32};

/* The three parts of a token, as they stand in it. */
struct parts {
    struct gh_str header, payload, signature;
    struct gh_str input; /* what is signed */
};

static bool split(struct gh_str token, struct parts *parts)
{
    struct gh_str rest = token;
    if (token.len > GH_JWT_BYTES_MAX)
        return false;
    parts->header = gh_str_split(&rest, '.');
    if (!rest.ptr)
        return false;
    parts->payload = gh_str_split(&rest, '.');
    parts->signature = rest;
    parts->input = gh_str_first(token, parts->header.len + 1 + parts->payload.len);
    return rest.ptr && gh_str_find_char(rest, '.') == rest.len;
}

static struct gh_str decode(struct gh_arena *arena, struct gh_str text)
{
    size_t len;
    uint8_t *bytes = gh_arena_alloc(arena, text.len + 1);
    if (!bytes || !gh_base64url_decode(text, bytes, text.len, &len))
        return NOTHING;
    return gh_str_of((const char *)bytes, len);
}

/* Members that change what is signed, bring a key along, or say that it is no JWS of ours. */
static bool has_refused_member(const struct gh_json_doc *header)
{
    static const struct gh_str NAMES[] = {
        GH_STR_INIT("crit"), GH_STR_INIT("b64"), GH_STR_INIT("jku"), GH_STR_INIT("jwk"),
        GH_STR_INIT("x5u"),  GH_STR_INIT("x5c"), GH_STR_INIT("enc"), GH_STR_INIT("zip"),
    };
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (gh_json_get(header, gh_json_root(header), NAMES[i]))
            return true;
    return false;
}

/* RFC 7515 section 4.1.9: a media type, of which "application/" may be left out. */
static struct gh_str short_type(struct gh_str typ)
{
    struct gh_str prefix = GH_STR("application/");
    struct gh_str rest = gh_str_skip(typ, prefix.len);
    return gh_str_ieq(gh_str_first(typ, prefix.len), prefix) &&
                   gh_str_find_char(rest, '/') == rest.len
               ? rest
               : typ;
}

static bool typ_is(const struct gh_json_doc *header, struct gh_str expected)
{
    const struct gh_json_value *typ = gh_json_get(header, gh_json_root(header), GH_STR("typ"));
    struct gh_str text = gh_json_string(typ);
    if (typ && !text.ptr)
        return false;
    return expected.len == 0 || (typ && gh_str_ieq(short_type(text), short_type(expected)));
}

/* The key that the header names; without a name, the only one. */
static enum gh_jwt_status find_key(const struct gh_json_doc *header,
                                   const struct gh_token_key_set *keys,
                                   const struct gh_token_key **out_key)
{
    const struct gh_json_value *member = gh_json_get(header, gh_json_root(header), GH_STR("kid"));
    struct gh_str kid = gh_json_string(member);
    if (member && !kid.ptr)
        return GH_JWT_HEADER;
    const struct gh_token_key *found = NULL;
    if (!member)
        found = keys->count == 1 ? &keys->keys[0] : NULL;
    for (size_t i = 0; member && i < keys->count && !found; i++)
        if (kid.len && gh_str_eq(keys->keys[i].kid, kid))
            found = &keys->keys[i];
    *out_key = found;
    return found ? GH_JWT_OK : GH_JWT_UNKNOWN_KEY;
}

static enum gh_jwt_status check_header(const struct gh_json_doc *header, struct gh_str typ,
                                       const struct gh_token_key_set *keys,
                                       const struct gh_token_key **out_key)
{
    const struct gh_json_value *root = gh_json_root(header);
    enum gh_token_alg alg;
    if (!root || root->kind != GH_JSON_OBJECT)
        return GH_JWT_MALFORMED;
    if (!gh_token_alg_parse(gh_json_string(gh_json_get(header, root, GH_STR("alg"))), &alg) ||
        has_refused_member(header) || !typ_is(header, typ))
        return GH_JWT_HEADER;
    enum gh_jwt_status status = find_key(header, keys, out_key);
    if (status == GH_JWT_OK && (*out_key)->alg != alg)
        return GH_JWT_HEADER;
    return status;
}

static bool is_signed_by(const struct gh_token_key *key, struct gh_str input,
                         struct gh_str signature)
{
    if (key->alg != GH_TOKEN_HS256)
        return gh_pkey_verify(key->pkey, input, signature);
    uint8_t mac[GH_SHA256_BYTES];
    if (key->secret.len < SECRET_BYTES_MIN)
        return false;
    gh_hmac_sha256(key->secret, input, mac);
    return gh_secret_eq(gh_str_of((const char *)mac, sizeof(mac)), signature);
}

enum gh_jwt_status gh_jws_verify(struct gh_arena *arena, struct gh_str token,
                                 const struct gh_token_key_set *keys, struct gh_str typ,
                                 struct gh_jws *out_jws)
{
    struct parts parts;
    struct gh_jws jws = {0};
    uint8_t signature[GH_PKEY_SIGNATURE_BYTES_MAX];
    size_t signature_len;
    if (!split(token, &parts) ||
        !gh_base64url_decode(parts.signature, signature, sizeof(signature), &signature_len))
        return GH_JWT_MALFORMED;
    struct gh_str header = decode(arena, parts.header);
    jws.payload = decode(arena, parts.payload);
    if (!header.ptr || !jws.payload.ptr ||
        gh_json_parse(arena, header, &HEADER_LIMITS, &jws.header, NULL) != GH_JSON_OK)
        return GH_JWT_MALFORMED;
    enum gh_jwt_status status = check_header(&jws.header, typ, keys, &jws.key);
    if (status != GH_JWT_OK)
        return status;
    if (!is_signed_by(jws.key, parts.input, gh_str_of((const char *)signature, signature_len)))
        return GH_JWT_SIGNATURE;
    *out_jws = jws;
    return GH_JWT_OK;
}

/* ---- signing ---- */

static void put_header(struct gh_buf *buf, const struct gh_token_key *key, struct gh_str typ)
{
    gh_buf_put_char(buf, '{');
    gh_json_put_member(buf, GH_STR("alg"), gh_token_alg_name(key->alg));
    if (typ.len)
        gh_json_put_member(buf, GH_STR("typ"), typ);
    if (key->kid.len)
        gh_json_put_member(buf, GH_STR("kid"), key->kid);
    gh_buf_put_char(buf, '}');
}

/* The length of the signature of `input`; 0: the key can't sign. */
static size_t sign(const struct gh_token_key *key, struct gh_str input,
                   uint8_t out[GH_PKEY_SIGNATURE_BYTES_MAX])
{
    size_t len = 0;
    if (key->alg != GH_TOKEN_HS256)
        return gh_pkey_sign(key->pkey, input, out, &len) == GH_OK ? len : 0;
    if (key->secret.len < SECRET_BYTES_MIN)
        return 0;
    gh_hmac_sha256(key->secret, input, out);
    return GH_SHA256_BYTES;
}

struct gh_str gh_jws_sign(struct gh_arena *arena, const struct gh_token_key *key, struct gh_str typ,
                          struct gh_str payload)
{
    char header_memory[HEADER_BYTES_MAX];
    uint8_t signature[GH_PKEY_SIGNATURE_BYTES_MAX];
    struct gh_buf header = gh_buf_over(header_memory, sizeof(header_memory));
    put_header(&header, key, typ);
    if (header.overflow || payload.len > GH_JWT_BYTES_MAX)
        return NOTHING;
    size_t cap = GH_BASE64URL_LEN(header.len) + 1 + GH_BASE64URL_LEN(payload.len) + 1 +
                 GH_BASE64URL_LEN(sizeof(signature));
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return NOTHING;
    struct gh_buf token = gh_buf_over(memory, cap);
    gh_base64url_put(&token, (const uint8_t *)header.ptr, header.len);
    gh_buf_put_char(&token, '.');
    gh_base64url_put(&token, (const uint8_t *)payload.ptr, payload.len);
    size_t signature_len = sign(key, gh_buf_str(&token), signature);
    gh_buf_put_char(&token, '.');
    gh_base64url_put(&token, signature, signature_len);
    /* Longer ones would be refused when they come back. */
    return signature_len && token.len <= GH_JWT_BYTES_MAX ? gh_buf_str(&token) : NOTHING;
}
