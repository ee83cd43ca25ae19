/* See access_token.h. */
#include "session/access_token.h"

#include "base/assert.h"
#include "json/writer.h"
#include "session/claims.h"

/* A cookie holds 4,096 bytes in most browsers: what is longer could not travel. */
#define CLAIMS_BYTES_MAX 3072

struct gh_str gh_access_token_make(struct gh_arena *arena, const struct gh_token_key *key,
                                   const struct gh_role_names *roles,
                                   const struct gh_access_claims *claims)
{
    const struct gh_subject *subject = &claims->subject;
    char memory[CLAIMS_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    GH_ASSERT(subject->id.len && subject->session_id.len && claims->issued_s);
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("iss"), claims->issuer);
    gh_json_put_member(&buf, GH_STR("aud"), claims->audience);
    gh_json_put_member(&buf, GH_STR("sub"), subject->id);
    gh_json_put_member(&buf, GH_STR("sid"), subject->session_id);
    gh_json_put_member_u64(&buf, GH_STR("iat"), claims->issued_s);
    gh_json_put_member_u64(&buf, GH_STR("exp"), subject->expires_s);
    gh_claims_put_subject(&buf, roles, subject);
    if (subject->must_enrol)
        gh_json_put_member_bool(&buf, GH_STR("enrol"), true);
    gh_buf_put_char(&buf, '}');
    if (buf.overflow)
        return (struct gh_str){NULL, 0};
    return gh_jwt_sign(arena, key, GH_ACCESS_TOKEN_TYP, gh_buf_str(&buf));
}

static bool read_claims(const struct gh_jwt *jwt, const struct gh_role_names *roles,
                        struct gh_access_claims *out)
{
    const struct gh_json_doc *claims = &jwt->claims;
    struct gh_subject *subject = &out->subject;
    if (!jwt->subject.len || jwt->issued_s <= 0 || jwt->expires_s <= 0)
        return false;
    if (!gh_claims_text(claims, GH_STR("sid"), &subject->session_id) || !subject->session_id.len ||
        !gh_claims_text(claims, GH_STR("email"), &subject->email) ||
        !gh_claims_time(claims, GH_STR("auth_time"), &subject->authenticated_s) ||
        !gh_claims_bool(claims, GH_STR("enrol"), &subject->must_enrol) ||
        !gh_claims_is_list(claims, GH_STR("amr")) || !gh_claims_is_list(claims, GH_STR("roles")))
        return false;
    subject->id = jwt->subject;
    subject->roles = gh_claims_roles(claims, GH_STR("roles"), roles);
    subject->two_factor = gh_claims_list_has(claims, GH_STR("amr"), GH_STR("otp"));
    subject->expires_s = (uint64_t)jwt->expires_s;
    out->issued_s = (uint64_t)jwt->issued_s;
    return true;
}

enum gh_jwt_status gh_access_token_read_claims(struct gh_arena *arena, struct gh_str token,
                                               const struct gh_jwt_expect *expect,
                                               const struct gh_role_names *roles,
                                               struct gh_access_claims *out_claims)
{
    struct gh_jwt jwt;
    struct gh_jwt_expect stricter = *expect;
    struct gh_access_claims claims = {.issuer = expect->issuer, .audience = expect->audience};
    stricter.typ = GH_ACCESS_TOKEN_TYP;
    stricter.require_exp = true;
    enum gh_jwt_status status = gh_jwt_verify(arena, token, &stricter, &jwt);
    if (status != GH_JWT_OK)
        return status;
    if (!read_claims(&jwt, roles, &claims))
        return GH_JWT_CLAIMS;
    *out_claims = claims;
    return GH_JWT_OK;
}

enum gh_jwt_status gh_access_token_read(struct gh_arena *arena, struct gh_str token,
                                        const struct gh_jwt_expect *expect,
                                        const struct gh_role_names *roles,
                                        struct gh_subject *out_subject)
{
    struct gh_access_claims claims;
    enum gh_jwt_status status = gh_access_token_read_claims(arena, token, expect, roles, &claims);
    if (status == GH_JWT_OK)
        *out_subject = claims.subject;
    return status;
}
