#include "session/access_token.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW          1700000000u
#define ISS_AUD      "\"iss\":\"https://api.example.com\",\"aud\":\"api\","
#define TIMES        "\"iat\":1699999999,\"exp\":1700000900"

static struct gh_arena arena;
static const struct gh_str NAMES[] = {GH_STR_INIT("user"), GH_STR_INIT("admin")};
static const struct gh_role_names ROLES = {NAMES, 2};
static const struct gh_token_key KEY = {.alg = GH_TOKEN_HS256,
                                        .secret = GH_STR_INIT("0123456789abcdef0123456789abcdef")};
static const struct gh_token_key_set KEYS = {&KEY, 1};

static int open_arena(void **state)
{
    gh_arena_init(&arena, 1 << 14, 1 << 22);
    return 0;
}

static int close_arena(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

static struct gh_jwt_expect expect(void)
{
    return (struct gh_jwt_expect){.keys = &KEYS,
                                  .issuer = GH_STR("https://api.example.com"),
                                  .audience = GH_STR("api"),
                                  .now_s = NOW};
}

static struct gh_access_claims claims_of_jane(void)
{
    return (struct gh_access_claims){
        .subject = {.id = GH_STR("00112233-4455-4677-8899-aabbccddeeff"),
                    .session_id = GH_STR("11112233-4455-4677-8899-aabbccddeeff"),
                    .email = GH_STR("jane\"<x>@example.com"),
                    .roles = 3,
                    .two_factor = true,
                    .must_enrol = true,
                    .authenticated_s = NOW - 50,
                    .expires_s = NOW + 900},
        .issuer = GH_STR("https://api.example.com"),
        .audience = GH_STR("api"),
        .issued_s = NOW,
    };
}

static void reads_what_was_written(void **state)
{
    struct gh_access_claims claims = claims_of_jane(), read;
    struct gh_jwt_expect wanted = expect();
    struct gh_str token = gh_access_token_make(&arena, &KEY, &ROLES, &claims);
    assert_non_null(token.ptr);
    assert_int_equal(gh_access_token_read_claims(&arena, token, &wanted, &ROLES, &read), GH_JWT_OK);
    assert_true(gh_str_eq(read.subject.id, claims.subject.id));
    assert_true(gh_str_eq(read.subject.session_id, claims.subject.session_id));
    assert_true(gh_str_eq(read.subject.email, claims.subject.email));
    assert_int_equal(read.subject.issuer.len, 0);
    assert_true(read.subject.roles == 3);
    assert_true(read.subject.two_factor && read.subject.must_enrol);
    assert_int_equal(read.subject.authenticated_s, NOW - 50);
    assert_int_equal(read.subject.expires_s, NOW + 900);
    assert_int_equal(read.issued_s, NOW);
}

static void says_no_more_than_there_is(void **state)
{
    struct gh_access_claims claims = claims_of_jane();
    struct gh_jwt_expect wanted = expect();
    struct gh_subject read;
    claims.subject.email = GH_STR("");
    claims.subject.roles = 0;
    claims.subject.two_factor = claims.subject.must_enrol = false;
    struct gh_str token = gh_access_token_make(&arena, &KEY, &ROLES, &claims);
    assert_int_equal(gh_access_token_read(&arena, token, &wanted, &ROLES, &read), GH_JWT_OK);
    assert_int_equal(read.email.len, 0);
    assert_true(read.roles == 0);
    assert_false(read.two_factor || read.must_enrol);
}

static enum gh_jwt_status read_claims(const char *text, const char *typ,
                                      struct gh_subject *out_subject)
{
    struct gh_jwt_expect wanted = expect();
    struct gh_str token = gh_jwt_sign(&arena, &KEY, gh_str_from_c(typ), gh_str_from_c(text));
    assert_non_null(token.ptr);
    return gh_access_token_read(&arena, token, &wanted, &ROLES, out_subject);
}

static void roles_that_are_gone_are_left_out(void **state)
{
    struct gh_subject read;
    assert_int_equal(read_claims("{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\","
                                 "\"roles\":[\"editor\",\"admin\",\"\",\"ADMIN\"]}",
                                 "at+jwt", &read),
                     GH_JWT_OK);
    assert_true(read.roles == 2);
    assert_false(read.two_factor);
    assert_int_equal(read.authenticated_s, 0);
}

static void refuses_another_type_of_token(void **state)
{
    static const char *const typs[] = {"", "JWT", "at+jws", "logout+jwt", "application/jwt"};
    struct gh_subject read = {.roles = 77};
    for (size_t i = 0; i < COUNT(typs); i++)
        assert_int_equal(
            read_claims("{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\"}", typs[i], &read),
            GH_JWT_HEADER);
    assert_true(read.roles == 77);
    assert_int_equal(
        read_claims("{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\"}", "application/at+jwt", &read),
        GH_JWT_OK);
}

static void refuses_claims_that_are_missing_or_bent(void **state)
{
    static const char *const bad[] = {
        "{" ISS_AUD TIMES ",\"sub\":\"u\"}",
        "{" ISS_AUD TIMES ",\"sid\":\"s\"}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"\"}",
        "{" ISS_AUD TIMES ",\"sub\":\"\",\"sid\":\"s\"}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":7}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":null}",
        "{" ISS_AUD TIMES ",\"sub\":7,\"sid\":\"s\"}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\\n\",\"sid\":\"s\"}",
        "{" ISS_AUD "\"iat\":1699999999,\"sub\":\"u\",\"sid\":\"s\"}",
        "{" ISS_AUD "\"exp\":1700000900,\"sub\":\"u\",\"sid\":\"s\"}",
        "{" ISS_AUD "\"iat\":\"1699999999\",\"exp\":1700000900,\"sub\":\"u\",\"sid\":\"s\"}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\",\"roles\":\"admin\"}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\",\"roles\":[\"user\",1]}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\",\"amr\":\"otp\"}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\",\"amr\":{\"otp\":\"otp\"}}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\",\"email\":[\"a@b\"]}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\",\"auth_time\":-1}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\",\"auth_time\":\"1\"}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\",\"enrol\":0}",
        "{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\",\"enrol\":\"true\"}",
        "{\"iss\":\"https://api.example.org\",\"aud\":\"api\"," TIMES
        ",\"sub\":\"u\",\"sid\":\"s\"}",
        "{\"iss\":\"https://api.example.com\",\"aud\":\"apis\"," TIMES
        ",\"sub\":\"u\",\"sid\":\"s\"}",
        "{\"iss\":\"https://api.example.com\"," TIMES ",\"sub\":\"u\",\"sid\":\"s\"}",
        "{\"aud\":\"api\"," TIMES ",\"sub\":\"u\",\"sid\":\"s\"}",
    };
    struct gh_subject read;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (read_claims(bad[i], "at+jwt", &read) != GH_JWT_CLAIMS)
            fail_msg("%s", bad[i]);
    /* A claim that is there twice. */
    assert_int_equal(read_claims("{" ISS_AUD TIMES ",\"sub\":\"u\",\"sid\":\"s\",\"sid\":\"t\"}",
                                 "at+jwt", &read),
                     GH_JWT_MALFORMED);
}

static void makes_nothing_when_there_is_no_room(void **state)
{
    static char long_text[4000];
    struct gh_access_claims claims = claims_of_jane();
    memset(long_text, 'a', sizeof(long_text));
    claims.subject.email = gh_str_of(long_text, sizeof(long_text));
    assert_null(gh_access_token_make(&arena, &KEY, &ROLES, &claims).ptr);
    claims = claims_of_jane();
    struct gh_arena small;
    gh_arena_init(&small, 16, 64);
    assert_null(gh_access_token_make(&small, &KEY, &ROLES, &claims).ptr);
    gh_arena_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(says_no_more_than_there_is),
        cmocka_unit_test(roles_that_are_gone_are_left_out),
        cmocka_unit_test(refuses_another_type_of_token),
        cmocka_unit_test(refuses_claims_that_are_missing_or_bent),
        cmocka_unit_test(makes_nothing_when_there_is_no_room),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
