/* See jwt.h. The claims; the signature is jws.c's. */
#include "token/jwt.h"

#include "base/num.h"
#include "token/jws.h"

static const struct gh_json_limits CLAIMS_LIMITS = {
    .bytes_max = GH_JWT_BYTES_MAX, .depth_max = 16, .values_max = 1024, .members_max = 128};

struct gh_str gh_jwt_status_text(enum gh_jwt_status status)
{
    switch (status) {
    case GH_JWT_OK:
        return GH_STR("valid");
    case GH_JWT_MALFORMED:
        return GH_STR("not a signed token");
    case GH_JWT_HEADER:
        return GH_STR("a header that is not accepted");
    case GH_JWT_UNKNOWN_KEY:
        return GH_STR("an unknown key");
    case GH_JWT_SIGNATURE:
        return GH_STR("a wrong signature");
    case GH_JWT_EXPIRED:
        return GH_STR("expired");
    case GH_JWT_NOT_YET:
        return GH_STR("not valid yet");
    case GH_JWT_CLAIMS:
        return GH_STR("claims that are not accepted");
    }
    return GH_STR("");
}

struct claim_time {
    bool present;
    uint64_t seconds;
};

/* RFC 7519 section 2, NumericDate: seconds that may have a fraction, which is cut. */
static bool read_seconds(const struct gh_json_value *value, uint64_t *out_seconds)
{
    int64_t whole;
    if (gh_json_int64(value, &whole)) {
        *out_seconds = (uint64_t)whole;
        return whole >= 0;
    }
    if (value->kind != GH_JSON_NUMBER || gh_str_find_char(value->text, 'e') < value->text.len ||
        gh_str_find_char(value->text, 'E') < value->text.len)
        return false;
    struct gh_str rest = value->text;
    return gh_num_parse_u64(gh_str_split(&rest, '.'), INT64_MAX, out_seconds);
}

static bool read_time(const struct gh_json_doc *doc, struct gh_str name, struct claim_time *out)
{
    const struct gh_json_value *value = gh_json_get(doc, gh_json_root(doc), name);
    out->present = value != NULL;
    out->seconds = 0;
    return !value || read_seconds(value, &out->seconds);
}

static bool is_later(struct claim_time time, const struct gh_jwt_expect *expect)
{
    return time.present && time.seconds > expect->now_s &&
           time.seconds - expect->now_s > expect->leeway_s;
}

static enum gh_jwt_status check_times(const struct gh_json_doc *claims,
                                      const struct gh_jwt_expect *expect, struct gh_jwt *jwt)
{
    struct claim_time expires, issued, not_before;
    if (!read_time(claims, GH_STR("exp"), &expires) || !read_time(claims, GH_STR("iat"), &issued) ||
        !read_time(claims, GH_STR("nbf"), &not_before) || (expect->require_exp && !expires.present))
        return GH_JWT_CLAIMS;
    /* RFC 7519 section 4.1.4: on or after it. */
    if (expires.present && expect->now_s >= expires.seconds &&
        expect->now_s - expires.seconds >= expect->leeway_s)
        return GH_JWT_EXPIRED;
    if (is_later(issued, expect) || is_later(not_before, expect))
        return GH_JWT_NOT_YET;
    jwt->issued_s = (int64_t)issued.seconds;
    jwt->expires_s = (int64_t)expires.seconds;
    return GH_JWT_OK;
}

static bool issuer_fits(const struct gh_json_doc *claims, struct gh_str expected)
{
    const struct gh_json_value *issuer = gh_json_get(claims, gh_json_root(claims), GH_STR("iss"));
    struct gh_str text = gh_json_string(issuer);
    if (issuer && !text.ptr)
        return false;
    return expected.len == 0 || gh_str_eq(text, expected);
}

/* A string or an array of strings (RFC 7519 section 4.1.3), one of which has to be `expected`. */
static bool audience_fits(const struct gh_json_doc *claims, struct gh_str expected)
{
    const struct gh_json_value *audience = gh_json_get(claims, gh_json_root(claims), GH_STR("aud"));
    bool found = expected.len == 0;
    if (!audience)
        return found;
    if (audience->kind != GH_JSON_ARRAY)
        return audience->kind == GH_JSON_STRING && (found || gh_str_eq(audience->text, expected));
    for (const struct gh_json_value *one = gh_json_first(claims, audience); one;
         one = gh_json_after(claims, audience, one)) {
        if (one->kind != GH_JSON_STRING)
            return false;
        found |= gh_str_eq(one->text, expected);
    }
    return found;
}

/* A subject travels on in headers and logs: none with control characters in it. */
static bool subject_fits(const struct gh_json_doc *claims, struct gh_str *out_subject)
{
    const struct gh_json_value *subject = gh_json_get(claims, gh_json_root(claims), GH_STR("sub"));
    struct gh_str text = gh_json_string(subject);
    *out_subject = subject ? text : GH_STR("");
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return false;
    return !subject || text.len > 0;
}

static bool parse_claims(struct gh_arena *arena, struct gh_str text, struct gh_json_doc *out_doc)
{
    if (gh_json_parse(arena, text, &CLAIMS_LIMITS, out_doc, NULL) != GH_JSON_OK)
        return false;
    const struct gh_json_value *root = gh_json_root(out_doc);
    return root && root->kind == GH_JSON_OBJECT;
}

enum gh_jwt_status gh_jwt_verify(struct gh_arena *arena, struct gh_str token,
                                 const struct gh_jwt_expect *expect, struct gh_jwt *out_jwt)
{
    struct gh_jws jws;
    struct gh_jwt jwt = {0};
    enum gh_jwt_status status = gh_jws_verify(arena, token, expect->keys, expect->typ, &jws);
    if (status != GH_JWT_OK)
        return status;
    if (!parse_claims(arena, jws.payload, &jwt.claims))
        return GH_JWT_MALFORMED;
    status = check_times(&jwt.claims, expect, &jwt);
    if (status != GH_JWT_OK)
        return status;
    if (!issuer_fits(&jwt.claims, expect->issuer) ||
        !audience_fits(&jwt.claims, expect->audience) || !subject_fits(&jwt.claims, &jwt.subject))
        return GH_JWT_CLAIMS;
    jwt.key = jws.key;
    jwt.header = jws.header;
    *out_jwt = jwt;
    return GH_JWT_OK;
}

struct gh_str gh_jwt_sign(struct gh_arena *arena, const struct gh_token_key *key, struct gh_str typ,
                          struct gh_str claims)
{
    return gh_jws_sign(arena, key, typ, claims);
}
