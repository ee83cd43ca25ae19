/* Tokens of other issuers: whose they say they are, and what of them counts here. */
#include "base/base64.h"
#include "session/claims.h"
#include "session/gate_state.h"

#define EMAIL_BYTES_MAX 254

static const struct gh_json_limits PAYLOAD_LIMITS = {
    .bytes_max = GH_JWT_BYTES_MAX, .depth_max = 16, .values_max = 1024, .members_max = 128};

struct gh_str gh_gate_named_issuer(struct gh_arena *arena, struct gh_str token)
{
    struct gh_str rest = token, issuer = GH_STR("");
    struct gh_json_doc claims;
    size_t len;
    (void)gh_str_split(&rest, '.');
    if (!rest.ptr)
        return issuer;
    struct gh_str payload = gh_str_split(&rest, '.');
    uint8_t *decoded = gh_arena_alloc(arena, payload.len + 1);
    if (!decoded || !gh_base64url_decode(payload, decoded, payload.len, &len) ||
        gh_json_parse(arena, gh_str_of((const char *)decoded, len), &PAYLOAD_LIMITS, &claims,
                      NULL) != GH_JSON_OK)
        return issuer;
    if (!gh_claims_text(&claims, GH_STR("iss"), &issuer))
        return GH_STR("");
    return issuer;
}

/* Access tokens have a type of their own (RFC 9068), but many issuers write "JWT" or nothing.
   Others (logout+jwt, dpop+jwt, ...) were made for something else. */
static bool is_type_of_access(const struct gh_json_doc *header)
{
    struct gh_str typ;
    if (!gh_claims_text(header, GH_STR("typ"), &typ))
        return false;
    return typ.len == 0 || gh_str_ieq(typ, GH_STR("JWT")) || gh_str_ieq(typ, GH_STR("at+jwt")) ||
           gh_str_ieq(typ, GH_STR("application/at+jwt"));
}

/* Goes into a header field and is shown to people: one address, nothing else. */
static bool is_email(struct gh_str text)
{
    size_t ats = 0;
    if (text.len > EMAIL_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == ',' || c == ';' || c == '<' || c == '>' || c == '"')
            return false;
        ats += c == '@';
    }
    return ats == 1 && text.ptr[0] != '@' && text.ptr[text.len - 1] != '@';
}

static struct gh_str verified_email(const struct gh_json_doc *claims)
{
    struct gh_str email;
    bool verified;
    if (!gh_claims_bool(claims, GH_STR("email_verified"), &verified) || !verified ||
        !gh_claims_text(claims, GH_STR("email"), &email) || !is_email(email))
        return GH_STR("");
    return email;
}

static gh_roles roles_of(const struct gh_json_doc *claims, struct gh_str name,
                         const struct gh_role_names *names)
{
    struct gh_str text;
    gh_roles roles = 0;
    if (name.len == 0)
        return 0;
    if (!gh_claims_text(claims, name, &text))
        return gh_claims_roles(claims, name, names);
    for (struct gh_str rest = text; rest.ptr;)
        roles |= gh_role_bit(names, gh_str_split(&rest, ' '));
    return roles;
}

static bool has_two_factors(const struct gh_json_doc *claims)
{
    struct gh_str amr = GH_STR("amr");
    return gh_claims_list_has(claims, amr, GH_STR("mfa")) ||
           (gh_claims_list_has(claims, amr, GH_STR("pwd")) &&
            gh_claims_list_has(claims, amr, GH_STR("otp")));
}

static bool read_claims(const struct gh_jwt *jwt, const struct gh_gate_issuer *issuer,
                        const struct gh_role_names *roles, struct gh_access_claims *out)
{
    if (!jwt->subject.len || jwt->expires_s <= 0 || !is_type_of_access(&jwt->header))
        return false;
    out->subject = (struct gh_subject){
        .id = jwt->subject,
        .session_id = GH_STR(""),
        .email = verified_email(&jwt->claims),
        .issuer = issuer->issuer,
        .roles = roles_of(&jwt->claims, issuer->roles_claim, roles),
        .two_factor = has_two_factors(&jwt->claims),
        .expires_s = (uint64_t)jwt->expires_s,
    };
    out->issued_s = (uint64_t)jwt->issued_s;
    return gh_claims_time(&jwt->claims, GH_STR("auth_time"), &out->subject.authenticated_s);
}

enum gh_jwt_status gh_gate_read_foreign(struct gh_arena *arena, struct gh_str token,
                                        const struct gh_gate_issuer *issuer,
                                        const struct gh_gate_rules *rules, uint64_t now_s,
                                        struct gh_access_claims *out_claims)
{
    struct gh_jwt jwt;
    struct gh_access_claims claims = {.issuer = issuer->issuer, .audience = issuer->audience};
    struct gh_jwt_expect expect = {.keys = issuer->keys,
                                   .issuer = issuer->issuer,
                                   .audience = issuer->audience,
                                   .now_s = now_s,
                                   .leeway_s = rules->leeway_s,
                                   .require_exp = true};
    enum gh_jwt_status status = gh_jwt_verify(arena, token, &expect, &jwt);
    if (status != GH_JWT_OK)
        return status;
    if (!(issuer->algorithms >> jwt.key->alg & 1))
        return GH_JWT_HEADER;
    if (!read_claims(&jwt, issuer, &rules->roles, &claims))
        return GH_JWT_CLAIMS;
    *out_claims = claims;
    return GH_JWT_OK;
}
