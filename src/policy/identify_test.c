#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define ROUTES                                                                                     \
    "routes: [{path: /open, upstream: api, access: public}, {path: /mine, upstream: api}, "        \
    "{path: /watched, upstream: api, access: {mode: observe}}, {path: /login, upstream: api}]\n"
#define HOST "Host: localhost\r\n"

/* A request with the lines of `format`, whose %s are tokens. */
static struct gh_verdict run(struct gh_fixture *f, const char *line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static struct gh_verdict run(struct gh_fixture *f, const char *line, const char *format, ...)
{
    char fields[8192], bytes[16384];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fields, sizeof(fields), format, arguments);
    va_end(arguments);
    snprintf(bytes, sizeof(bytes), "%s HTTP/1.1\r\n" HOST "%s\r\n", line, fields);
    return gh_fixture_run(f, bytes);
}

static void open_fixture(struct gh_fixture *f)
{
    gh_fixture_open_identity(f, DEVELOPMENT ROUTES, &gh_fixture_identity);
    assert_non_null(f->policy);
}

static const char *token(struct gh_fixture *f, enum gh_credential kind)
{
    struct gh_subject subject = gh_fixture_subject();
    return gh_fixture_token(f, kind, &subject);
}

static void expect_refused(struct gh_fixture *f, enum gh_reason reason, unsigned status)
{
    if (f->verdict.kind != GH_VERDICT_RESPOND || f->verdict.reason != reason)
        fail_msg("%s", gh_reason_facts(f->verdict.reason)->word.ptr);
    assert_int_equal(f->request.reply.status, status);
    assert_int_equal(f->request.stage, GH_STAGE_IDENTIFY);
    assert_false(f->request.signed_in);
}

static void knows_the_caller_by_cookie_and_by_bearer_token(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    static const char *const PATHS[] = {"GET /mine", "GET /open", "GET /watched"};
    for (size_t i = 0; i < 3; i++) {
        run(&f, PATHS[i], "Cookie: a=b; __Host-gh_access=%s; c=d\r\n",
            token(&f, GH_CREDENTIAL_COOKIE));
        assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
        assert_true(f.request.signed_in);
        assert_true(gh_str_eq(f.request.subject.id, GH_STR(GH_FIXTURE_USER)));
        run(&f, PATHS[i], "Authorization: bearer  %s\r\n", token(&f, GH_CREDENTIAL_BEARER));
        assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
        assert_true(f.request.signed_in);
        assert_true(f.request.own_authorization);
    }
    gh_fixture_close(&f);
}

static void strangers_are_asked_to_sign_in(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    run(&f, "GET /mine?x=1", "Cookie: a=b; gh_access=x\r\nAuthorization: Basic eDp5\r\n");
    expect_refused(&f, GH_REASON_NOT_SIGNED_IN, 401);
    const char *reply = gh_fixture_reply(&f);
    assert_string_equal(gh_fixture_value(&f, reply, "WWW-Authenticate"),
                        "Bearer realm=\"gatehouse\"");
    assert_string_equal(gh_fixture_value(&f, reply, "Content-Type"), "application/problem+json");
    assert_int_equal(gh_fixture_count(reply, "WWW-Authenticate"), 1);
    assert_null(gh_fixture_value(&f, reply, "Location"));
    gh_fixture_close(&f);
}

static void tells_what_is_wrong_with_a_credential(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    run(&f, "GET /mine", "Authorization: Bearer nonsense\r\n");
    expect_refused(&f, GH_REASON_CREDENTIAL_REFUSED, 401);
    assert_non_null(strstr(gh_fixture_value(&f, gh_fixture_reply(&f), "WWW-Authenticate"),
                           "error=\"invalid_token\""));
    run(&f, "GET /mine", "Authorization: Bearer\r\n");
    expect_refused(&f, GH_REASON_CREDENTIAL_REFUSED, 401);
    run(&f, "GET /mine", "Cookie: __Host-gh_access=\r\n");
    expect_refused(&f, GH_REASON_CREDENTIAL_REFUSED, 401);

    struct gh_subject late = gh_fixture_subject();
    late.expires_s = GH_FIXTURE_NOW_S - 3600;
    run(&f, "GET /mine", "Cookie: __Host-gh_access=%s\r\n",
        gh_fixture_token(&f, GH_CREDENTIAL_COOKIE, &late));
    expect_refused(&f, GH_REASON_CREDENTIAL_EXPIRED, 401);
    assert_non_null(
        strstr(gh_fixture_value(&f, gh_fixture_reply(&f), "WWW-Authenticate"), "expired"));

    const char *revoked = token(&f, GH_CREDENTIAL_COOKIE);
    gh_revocations_add(f.revocations, gh_fixture_subject().session_id, GH_FIXTURE_NOW_S + 900,
                       GH_FIXTURE_NOW_S);
    run(&f, "GET /mine", "Cookie: __Host-gh_access=%s\r\n", revoked);
    expect_refused(&f, GH_REASON_CREDENTIAL_REVOKED, 401);
    gh_fixture_close(&f);
}

static void tokens_of_one_kind_are_no_tokens_of_the_other(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    run(&f, "GET /mine", "Authorization: Bearer %s\r\n", token(&f, GH_CREDENTIAL_COOKIE));
    expect_refused(&f, GH_REASON_CREDENTIAL_REFUSED, 401);
    run(&f, "GET /mine", "Cookie: __Host-gh_access=%s\r\n", token(&f, GH_CREDENTIAL_BEARER));
    expect_refused(&f, GH_REASON_CREDENTIAL_REFUSED, 401);
    gh_fixture_close(&f);
}

static void never_chooses_between_credentials(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    const char *cookie = token(&f, GH_CREDENTIAL_COOKIE), *bearer = token(&f, GH_CREDENTIAL_BEARER);
    run(&f, "GET /mine", "Cookie: __Host-gh_access=%s; __Host-gh_access=%s\r\n", cookie, cookie);
    expect_refused(&f, GH_REASON_CREDENTIAL_AMBIGUOUS, 400);
    run(&f, "GET /mine", "Cookie: __Host-gh_access=%s\r\nCookie: __Host-gh_access=x\r\n", cookie);
    expect_refused(&f, GH_REASON_CREDENTIAL_AMBIGUOUS, 400);
    run(&f, "GET /mine", "Cookie: __Host-gh_access =%s\r\n", cookie);
    expect_refused(&f, GH_REASON_CREDENTIAL_AMBIGUOUS, 400);
    run(&f, "GET /mine", "Cookie: __Host-gh_access=%s\r\nAuthorization: Bearer %s\r\n", cookie,
        bearer);
    expect_refused(&f, GH_REASON_CREDENTIAL_AMBIGUOUS, 400);
    run(&f, "GET /mine", "Authorization: Bearer %s\r\nAuthorization: Bearer %s\r\n", bearer,
        bearer);
    expect_refused(&f, GH_REASON_CREDENTIAL_AMBIGUOUS, 400);
    run(&f, "GET /mine", "Authorization: Basic eDp5\r\nAuthorization: Bearer %s\r\n", bearer);
    expect_refused(&f, GH_REASON_CREDENTIAL_AMBIGUOUS, 400);
    run(&f, "GET /mine", "Cookie: __Host-gh_access=%s\r\nAuthorization: Bearer\t%s\r\n", cookie,
        bearer);
    expect_refused(&f, GH_REASON_CREDENTIAL_AMBIGUOUS, 400);
    assert_non_null(strstr(gh_fixture_value(&f, gh_fixture_reply(&f), "WWW-Authenticate"),
                           "error=\"invalid_request\""));
    /* the same one twice is one */
    run(&f, "GET /mine", "Cookie: __Host-gh_access=%s\r\nAuthorization: Bearer %s\r\n", cookie,
        cookie);
    assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
    /* and a scheme that is not ours is the backend's */
    run(&f, "GET /mine", "Cookie: __Host-gh_access=%s\r\nAuthorization: Basic eDp5\r\n", cookie);
    assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
    assert_false(f.request.own_authorization);
    gh_fixture_close(&f);
}

static void where_nobody_need_sign_in_a_bad_credential_means_a_stranger(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    static const char *const FIELDS[] = {
        "",
        "Cookie: __Host-gh_access=nonsense\r\n",
        "Cookie: __Host-gh_access=a; __Host-gh_access=b\r\n",
        "Authorization: Bearer nonsense\r\n",
        "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        "Cookie: __Host-gh_access=a\r\nAuthorization: Bearer b\r\n",
    };
    for (size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]); i++) {
        run(&f, "GET /open", "%s", FIELDS[i]);
        assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
        assert_false(f.request.signed_in);
        assert_int_equal(gh_fixture_count(gh_fixture_handover(&f), "X-User-Id"), 0);
    }
    gh_fixture_close(&f);
}

static void an_old_session_does_not_keep_anybody_from_signing_in(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    run(&f, "POST /api/v1/auth/login",
        "Content-Length: 0\r\nSec-Fetch-Site: same-origin\r\nCookie: __Host-gh_access=old\r\n");
    assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.target, GH_TARGET_SERVICE);
    run(&f, "POST /api/v1/auth/logout",
        "Content-Length: 0\r\nSec-Fetch-Site: same-origin\r\nCookie: __Host-gh_access=old\r\n");
    expect_refused(&f, GH_REASON_CREDENTIAL_REFUSED, 401);
    gh_fixture_close(&f);
}

#define NAVIGATION "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"

static void pages_are_led_to_the_login_page_and_back(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    run(&f, "GET /mine?a=1&b=%20/x", NAVIGATION);
    expect_refused(&f, GH_REASON_LOGIN_REDIRECT, 303);
    const char *reply = gh_fixture_reply(&f);
    assert_string_equal(gh_fixture_value(&f, reply, "Location"),
                        "/login?return_to=/mine%3Fa%3D1%26b%3D%2520/x");
    assert_string_equal(gh_fixture_value(&f, reply, "Cache-Control"), "no-store");
    gh_fixture_close(&f);
}

static void only_pages_are_led_there(void **state)
{
    static const struct {
        const char *line, *fields;
    } CASES[] = {
        {"GET /mine", "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"},
        {"GET /mine", "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n"},
        {"GET /mine", "Sec-Fetch-Mode: navigate\r\n"},
        {"GET /mine", "Sec-Fetch-Dest: document\r\n"},
        {"GET /mine", NAVIGATION "Sec-Fetch-Mode: navigate\r\n"},
        {"GET /mine", "Accept: text/html\r\nUpgrade-Insecure-Requests: 1\r\n"},
        {"POST /mine", NAVIGATION "Content-Length: 0\r\n"},
        {"HEAD /mine", NAVIGATION},
        {"GET /login", NAVIGATION}, /* would go round for ever */
    };
    struct gh_fixture f;
    open_fixture(&f);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        run(&f, CASES[i].line, "%s", CASES[i].fields);
        expect_refused(&f, GH_REASON_NOT_SIGNED_IN, 401);
    }
    gh_fixture_close(&f);
}

static void the_way_back_is_short_and_stays_on_the_site(void **state)
{
    struct gh_fixture f;
    struct gh_policy_identity identity = gh_fixture_identity;
    identity.login_url = GH_STR("https://id.example/sign?in=1#/form");
    gh_fixture_open_identity(&f, DEVELOPMENT "routes: [{path: /**, upstream: api}]\n", &identity);
    run(&f, "GET //evil.example/x", NAVIGATION);
    expect_refused(&f, GH_REASON_LOGIN_REDIRECT, 303);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Location"),
                        "https://id.example/sign?in=1&return_to=/evil.example/x#/form");
    char line[8192];
    memset(line, 'a', sizeof(line));
    memcpy(line, "GET /x?", 7);
    line[3000] = 0;
    run(&f, line, NAVIGATION);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Location"),
                        "https://id.example/sign?in=1&return_to=/x#/form");
    memcpy(line, "GET /xx", 7);
    run(&f, line, NAVIGATION);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Location"),
                        "https://id.example/sign?in=1&return_to=/#/form");
    gh_fixture_close(&f);
}

static void who_guesses_tokens_is_slowed_down(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    struct gh_subject subject = gh_fixture_subject();
    for (unsigned i = 0; i < 21; i++) {
        char forged[4096];
        subject.expires_s++; /* none is the one before */
        snprintf(forged, sizeof(forged), "%s",
                 gh_fixture_token(&f, GH_CREDENTIAL_BEARER, &subject));
        memcpy(strrchr(forged, '.') + 1, "AAAA", 4);
        run(&f, "GET /mine", "Authorization: Bearer %s\r\n", forged);
        assert_int_equal(f.request.reply.status, i < 20 ? 401 : 429);
    }
    expect_refused(&f, GH_REASON_CREDENTIAL_BUDGET, 429);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Retry-After"), "60");
    run(&f, "GET /open", "Authorization: Bearer a.b.c\r\n");
    assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void without_keys_nobody_is_believed(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    char bytes[4096];
    snprintf(bytes, sizeof(bytes),
             "GET /mine HTTP/1.1\r\n" HOST "Cookie: __Host-gh_access=%s\r\n\r\n",
             token(&f, GH_CREDENTIAL_COOKIE));
    gh_fixture_begin(&f, bytes);
    f.request.gate = NULL;
    f.verdict = gh_policy_run(&f.request);
    expect_refused(&f, GH_REASON_IDENTITY_UNAVAILABLE, 503);
    assert_non_null(gh_fixture_value(&f, gh_fixture_reply(&f), "Retry-After"));
    gh_fixture_close(&f);
}

static void begin_with_token(struct gh_fixture *f, const char *target)
{
    char bytes[4096];
    snprintf(bytes, sizeof(bytes), "GET %s HTTP/1.1\r\n" HOST "Cookie: __Host-gh_access=%s\r\n\r\n",
             target, token(f, GH_CREDENTIAL_COOKIE));
    gh_fixture_begin(f, bytes);
    f->verdict = gh_policy_run(&f->request);
}

static void who_hears_of_no_logout_lets_nobody_in(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    gh_revocations_share(f.revocations, 1000);
    begin_with_token(&f, "/mine");
    expect_refused(&f, GH_REASON_IDENTITY_UNAVAILABLE, 503);
    assert_non_null(gh_fixture_value(&f, gh_fixture_reply(&f), "Retry-After"));
    run(&f, "GET /mine", "Accept: */*\r\n");
    expect_refused(&f, GH_REASON_NOT_SIGNED_IN, 401);
    begin_with_token(&f, "/open");
    assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
    assert_false(f.request.signed_in);
    gh_revocations_learned(f.revocations, f.request.now_ms - 1000);
    begin_with_token(&f, "/mine");
    assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
    assert_true(f.request.signed_in);
    gh_fixture_close(&f);
}

static void observed_access_lets_strangers_pass_and_notes_them(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    run(&f, "GET /watched", "Cookie: __Host-gh_access=nonsense\r\n");
    assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.observed_count, 1);
    assert_int_equal(f.request.observed[0], GH_STAGE_IDENTIFY);
    assert_int_equal(f.request.observed_reason[0], GH_REASON_CREDENTIAL_REFUSED);
    assert_int_equal(f.request.extra_count, 0);
    gh_fixture_close(&f);
}

static void built_ins_ask_nobody(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    run(&f, "GET /healthz", "Cookie: __Host-gh_access=a; __Host-gh_access=b\r\n");
    assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
    run(&f, "POST /csp-report", "Content-Length: 0\r\n");
    assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_caller_by_cookie_and_by_bearer_token),
        cmocka_unit_test(strangers_are_asked_to_sign_in),
        cmocka_unit_test(tells_what_is_wrong_with_a_credential),
        cmocka_unit_test(tokens_of_one_kind_are_no_tokens_of_the_other),
        cmocka_unit_test(never_chooses_between_credentials),
        cmocka_unit_test(where_nobody_need_sign_in_a_bad_credential_means_a_stranger),
        cmocka_unit_test(an_old_session_does_not_keep_anybody_from_signing_in),
        cmocka_unit_test(pages_are_led_to_the_login_page_and_back),
        cmocka_unit_test(only_pages_are_led_there),
        cmocka_unit_test(the_way_back_is_short_and_stays_on_the_site),
        cmocka_unit_test(who_guesses_tokens_is_slowed_down),
        cmocka_unit_test(without_keys_nobody_is_believed),
        cmocka_unit_test(who_hears_of_no_logout_lets_nobody_in),
        cmocka_unit_test(observed_access_lets_strangers_pass_and_notes_them),
        cmocka_unit_test(built_ins_ask_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
