/*
 * Access tokens: the input is the claims of a token that really was signed, so that what stands
 * behind the signature is reached. What is accepted has a subject, a session and an end, and can be
 * written and read again; any bytes as a token never pass.
 */
#include "base/assert.h"
#include "session/access_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1700000000u

static const struct gh_str NAMES[] = {GH_STR_INIT("user"), GH_STR_INIT("admin")};
static const struct gh_role_names ROLES = {NAMES, 2};
static const struct gh_token_key KEY = {.alg = GH_TOKEN_HS256,
                                        .secret = GH_STR_INIT("0123456789abcdef0123456789abcdef")};
static const struct gh_token_key_set KEYS = {&KEY, 1};
static const struct gh_jwt_expect EXPECT = {.keys = &KEYS,
                                            .issuer = GH_STR_INIT("https://a.example"),
                                            .audience = GH_STR_INIT("api"),
                                            .now_s = NOW};

static void check_again(struct gh_arena *arena, const struct gh_access_claims *claims)
{
    struct gh_access_claims again;
    struct gh_str token = gh_access_token_make(arena, &KEY, &ROLES, claims);
    if (!token.ptr)
        return; /* longer than we write */
    GH_ASSERT(gh_access_token_read_claims(arena, token, &EXPECT, &ROLES, &again) == GH_JWT_OK);
    GH_ASSERT(gh_str_eq(again.subject.id, claims->subject.id));
    GH_ASSERT(gh_str_eq(again.subject.session_id, claims->subject.session_id));
    GH_ASSERT(gh_str_eq(again.subject.email, claims->subject.email));
    GH_ASSERT(again.subject.roles == claims->subject.roles);
    GH_ASSERT(again.subject.two_factor == claims->subject.two_factor);
    GH_ASSERT(again.subject.must_enrol == claims->subject.must_enrol);
    GH_ASSERT(again.subject.authenticated_s == claims->subject.authenticated_s);
    GH_ASSERT(again.subject.expires_s == claims->subject.expires_s);
    GH_ASSERT(again.issued_s == claims->issued_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str text = gh_str_of((const char *)data, size);
    struct gh_arena arena;
    struct gh_access_claims claims;
    gh_crypto_init();
    gh_arena_init(&arena, 1 << 14, 1 << 22);
    GH_ASSERT(gh_access_token_read_claims(&arena, text, &EXPECT, &ROLES, &claims) != GH_JWT_OK);
    struct gh_str token = gh_jwt_sign(&arena, &KEY, GH_ACCESS_TOKEN_TYP, text);
    if (token.ptr &&
        gh_access_token_read_claims(&arena, token, &EXPECT, &ROLES, &claims) == GH_JWT_OK) {
        GH_ASSERT(claims.subject.id.len && claims.subject.session_id.len && claims.issued_s);
        GH_ASSERT(claims.subject.expires_s > NOW && claims.issued_s <= NOW);
        GH_ASSERT(claims.subject.roles < 4 && claims.subject.issuer.len == 0);
        check_again(&arena, &claims);
    }
    gh_arena_done(&arena);
    return 0;
}
