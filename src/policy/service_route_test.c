#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define HOST "Host: localhost\r\n"
#define ROUTES                                                                                     \
    "routes: [{path: /api/v1/auth/login, methods: [GET, PUT], upstream: api, access: public}, "    \
    "{path: /api/v1/other/**, upstream: web, access: public}, {path: /x, upstream: api, access: "  \
    "public}]\n"

static void open_fixture(struct gh_fixture *f, const char *yaml)
{
    gh_fixture_open_identity(f, yaml, &gh_fixture_identity);
    if (!f->policy)
        fail_msg("%.*s", GH_STR_ARG(f->load.problems->what));
}

static struct gh_verdict run(struct gh_fixture *f, const char *line, const char *fields)
{
    char bytes[8192];
    snprintf(bytes, sizeof(bytes), "%s HTTP/1.1\r\n" HOST "%s\r\n", line, fields);
    return gh_fixture_run(f, bytes);
}

/* As our own page does. */
static struct gh_verdict log_in(struct gh_fixture *f, const char *fields)
{
    char all[4096];
    snprintf(all, sizeof(all), "Sec-Fetch-Site: same-origin\r\n%s", fields);
    return run(f, "POST /api/v1/auth/login", all);
}

/* ---- Who takes it ---- */

static void endpoints_come_first_where_path_and_method_are_theirs(void **state)
{
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT ROUTES);
    assert_int_equal(log_in(&f, "Content-Length: 0\r\n").kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.target, GH_TARGET_SERVICE);
    assert_int_equal(f.request.endpoint, GH_FIXTURE_LOGIN);
    assert_true(gh_str_eq(f.request.route->pattern, GH_STR("/api/v1/auth/login")));
    assert_int_equal(run(&f, "GET /api/v1/auth/login", "").kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.target, GH_TARGET_UPSTREAM);
    assert_int_equal(run(&f, "GET /api/v1/other/x", "").kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.upstream, 1);
    assert_int_equal(run(&f, "GET /.well-known/jwks.json", "").kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.endpoint, GH_FIXTURE_JWKS);
    assert_int_equal(run(&f, "HEAD /.well-known/jwks.json", "").kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.target, GH_TARGET_SERVICE);
    gh_fixture_close(&f);
}

static void methods_that_nobody_takes_are_told_of_both(void **state)
{
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT ROUTES);
    run(&f, "DELETE /api/v1/auth/login", "");
    assert_int_equal(f.verdict.reason, GH_REASON_METHOD_NOT_ALLOWED);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Allow"),
                        "POST, GET, HEAD, PUT");
    run(&f, "GET /api/v1/auth/logout", "");
    assert_int_equal(f.verdict.reason, GH_REASON_METHOD_NOT_ALLOWED);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Allow"), "POST");
    run(&f, "GET /api/v1/auth/nothing", "");
    assert_int_equal(f.verdict.reason, GH_REASON_NO_ROUTE);
    run(&f, "GET /api/v2/auth/login", "");
    assert_int_equal(f.verdict.reason, GH_REASON_NO_ROUTE);
    run(&f, "GET /x/.well-known/jwks.json", "");
    assert_int_equal(f.verdict.reason, GH_REASON_NO_ROUTE);
    gh_fixture_close(&f);
}

static void parameters_reach_the_service(void **state)
{
    struct gh_fixture f;
    struct gh_subject admin = gh_fixture_subject();
    char fields[4096];
    admin.roles = 2;
    admin.authenticated_s = GH_FIXTURE_NOW_S;
    open_fixture(&f, DEVELOPMENT ROUTES);
    snprintf(fields, sizeof(fields), "Content-Length: 0\r\nAuthorization: Bearer %s\r\n",
             gh_fixture_token(&f, GH_CREDENTIAL_BEARER, &admin));
    assert_int_equal(run(&f, "PATCH /api/v1/admin/users/7/role", fields).kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.endpoint, GH_FIXTURE_ROLE);
    assert_int_equal(f.request.param_count, 1);
    assert_true(gh_str_eq(f.request.params[0].value, GH_STR("7")));
    run(&f, "PATCH /api/v1/admin/users/%2F7/role", fields);
    assert_int_equal(f.verdict.reason, GH_REASON_PATH_ENCODED_SLASH);
    gh_fixture_close(&f);
}

static void without_identity_there_are_no_endpoints(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT ROUTE_ALL);
    log_in(&f, "Content-Length: 0\r\n");
    assert_int_equal(f.request.target, GH_TARGET_UPSTREAM);
    run(&f, "GET /api/v1/authz/auth-request", "");
    assert_int_equal(f.request.target, GH_TARGET_UPSTREAM);
    gh_fixture_close(&f);
}

static void the_admin_listener_does_not_have_them(void **state)
{
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT ROUTES);
    f.peer.admin = true;
    log_in(&f, "Content-Length: 0\r\n");
    assert_int_equal(f.verdict.reason, GH_REASON_NO_ROUTE);
    run(&f, "GET /api/v1/authz/auth-request", "");
    assert_int_equal(f.verdict.reason, GH_REASON_NO_ROUTE);
    gh_fixture_close(&f);
}

static void preflights_of_endpoints_are_answered(void **state)
{
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT
                 "cors: {origins: [\"https://app.example.com\"], methods: [POST], credentials: "
                 "true}\n" ROUTES);
    run(&f, "OPTIONS /api/v1/auth/login",
        "Origin: https://app.example.com\r\nAccess-Control-Request-Method: POST\r\n");
    assert_int_equal(f.verdict.reason, GH_REASON_PREFLIGHT);
    run(&f, "OPTIONS /api/v1/auth/login",
        "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n");
    assert_int_equal(f.verdict.reason, GH_REASON_PREFLIGHT_REFUSED);
    gh_fixture_close(&f);
}

static void answers_have_the_headers_of_an_api(void **state)
{
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT "headers: {preset: spa, set: {X-Team: ours}}\n" ROUTES);
    run(&f, "GET /api/v1/account/profile", "");
    assert_int_equal(f.verdict.reason, GH_REASON_NOT_SIGNED_IN);
    const char *reply = gh_fixture_reply(&f);
    assert_non_null(
        strstr(gh_fixture_value(&f, reply, "Content-Security-Policy"), "default-src 'none'"));
    assert_non_null(strstr(gh_fixture_value(&f, reply, "Content-Security-Policy"), "sandbox"));
    assert_string_equal(gh_fixture_value(&f, reply, "Cache-Control"), "no-store");
    assert_string_equal(gh_fixture_value(&f, reply, "X-Team"), "ours");
    gh_fixture_close(&f);
}

static void the_service_may_let_an_answer_be_cached(void **state)
{
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT ROUTES);
    assert_int_equal(run(&f, "GET /.well-known/jwks.json", "").kind, GH_VERDICT_NEXT);
    f.request.reply = (struct gh_reply){.status = 200, .body = GH_STR("{}")};
    gh_reply_add(&f.request.reply, GH_STR("Cache-Control"), GH_STR("public, max-age=300"));
    const char *reply = gh_fixture_reply(&f);
    assert_int_equal(gh_fixture_count(reply, "Cache-Control"), 1);
    assert_string_equal(gh_fixture_value(&f, reply, "Cache-Control"), "public, max-age=300");
    f.request.reply.field_count = 0;
    reply = gh_fixture_reply(&f);
    assert_int_equal(gh_fixture_count(reply, "Cache-Control"), 1);
    assert_string_equal(gh_fixture_value(&f, reply, "Cache-Control"), "no-store");
    gh_fixture_close(&f);
}

/* ---- Login CSRF ---- */

static void another_site_can_not_sign_a_browser_in(void **state)
{
    static const struct {
        const char *fields;
        bool passes;
    } CASES[] = {
        {"", false}, /* a browser of old, perhaps */
        {"Sec-Fetch-Site: same-origin\r\n", true},
        {"Origin: http://localhost\r\n", true},
        {"Sec-Fetch-Site: cross-site\r\nOrigin: https://app.example.com\r\n", true},
        {"Sec-Fetch-Site: cross-site\r\n", false},
        {"Sec-Fetch-Site: cross-site\r\nOrigin: https://evil.example\r\n", false},
        {"Sec-Fetch-Site: same-site\r\n", false},
        {"Origin: https://evil.example\r\n", false},
        {"Origin: null\r\n", false},
        {"Cookie: __Host-gh_access=x\r\n", false},
        {"Cookie: __Secure-gh_refresh=x\r\n", false},
    };
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT
                 "rate_limits: {signup: {limit: 100/minute}}\n"
                 "cors: {origins: [\"https://app.example.com\"], credentials: true}\n" ROUTES);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char fields[512];
        snprintf(fields, sizeof(fields), "Content-Length: 0\r\n%s", CASES[i].fields);
        struct gh_verdict verdict = run(&f, "POST /api/v1/auth/login", fields);
        if ((verdict.kind == GH_VERDICT_NEXT) != CASES[i].passes)
            fail_msg("%s", CASES[i].fields);
        if (!CASES[i].passes)
            assert_int_equal(verdict.reason, GH_REASON_CROSS_SITE);
    }
    gh_fixture_close(&f);
}

/* ---- Bodies ---- */

#define JSON "Content-Type: application/json\r\n"

static void asks_for_the_body_of_an_endpoint_once(void **state)
{
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT ROUTES);
    log_in(&f, JSON "Content-Length: 10\r\n");
    assert_int_equal(f.verdict.kind, GH_VERDICT_ASK);
    assert_int_equal(f.request.ask, GH_ASK_BODY);
    assert_int_equal(f.request.ask_body_max, 1024);
    f.request.body = GH_STR("{\"a\":\"b\"} ");
    f.request.body_known = true;
    assert_int_equal(gh_policy_run(&f.request).kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.ask, GH_ASK_NOTHING);
    assert_int_equal(f.request.target, GH_TARGET_SERVICE);
    log_in(&f, JSON "Transfer-Encoding: chunked\r\n");
    assert_int_equal(f.verdict.kind, GH_VERDICT_ASK);
    log_in(&f, "");
    assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
    assert_true(f.request.body_known);
    assert_int_equal(f.request.body.len, 0);
    gh_fixture_close(&f);
}

static void refuses_bodies_that_are_too_large_or_no_json(void **state)
{
    static const struct {
        const char *fields;
        unsigned status;
    } CASES[] = {
        {JSON "Content-Length: 1025\r\n", 413},
        {"Content-Length: 10\r\n", 415},
        {"Content-Type: text/plain\r\nContent-Length: 10\r\n", 415},
        {"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n", 415},
        {"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 10\r\n", 415},
        {"Content-Type: application/jsonx\r\nContent-Length: 10\r\n", 415},
        {"Content-Type: application/problem+json\r\nContent-Length: 10\r\n", 415},
        {JSON JSON "Content-Length: 10\r\n", 415},
        {JSON "Content-Encoding: gzip\r\nContent-Length: 10\r\n", 415},
        {"Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n", 415},
    };
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT "rate_limits: {signup: {limit: 100/minute}}\n" ROUTES);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        log_in(&f, CASES[i].fields);
        assert_int_equal(f.verdict.kind, GH_VERDICT_RESPOND);
        if (f.request.reply.status != CASES[i].status)
            fail_msg("%s: %u", CASES[i].fields, f.request.reply.status);
    }
    log_in(&f, "Content-Type: Application/JSON ; charset=utf-8\r\nContent-Length: 1024\r\n");
    assert_int_equal(f.verdict.kind, GH_VERDICT_ASK);
    gh_fixture_close(&f);
}

static void strangers_do_not_make_us_hold_a_body(void **state)
{
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT ROUTES);
    run(&f, "PATCH /api/v1/admin/users/7/role", JSON "Content-Length: 10\r\n");
    assert_int_equal(f.verdict.kind, GH_VERDICT_RESPOND);
    assert_int_equal(f.verdict.reason, GH_REASON_NOT_SIGNED_IN);
    gh_fixture_close(&f);
}

/* ---- Limits ---- */

static void the_services_own_limits_hold_until_the_file_says_otherwise(void **state)
{
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT ROUTES);
    for (unsigned i = 0; i < 6; i++)
        log_in(&f, "Content-Length: 0\r\n");
    assert_int_equal(f.verdict.reason, GH_REASON_RATE_LIMITED);
    assert_non_null(strstr(gh_fixture_reply(&f), "Rate limit exceeded: 5 requests per minute"));
    gh_fixture_close(&f);
    open_fixture(&f, DEVELOPMENT "rate_limits: {signup: {limit: 2/hour}}\n" ROUTES);
    for (unsigned i = 0; i < 3; i++)
        log_in(&f, "Content-Length: 0\r\n");
    assert_int_equal(f.verdict.reason, GH_REASON_RATE_LIMITED);
    assert_non_null(strstr(gh_fixture_reply(&f), "2 requests per hour"));
    gh_fixture_close(&f);
}

static void global_holds_for_endpoints_too(void **state)
{
    struct gh_fixture f;
    open_fixture(&f, DEVELOPMENT "rate_limits: {global: {limit: 2/minute}}\n" ROUTES);
    for (unsigned i = 0; i < 3; i++)
        run(&f, "GET /.well-known/jwks.json", "");
    assert_int_equal(f.verdict.reason, GH_REASON_RATE_LIMITED);
    gh_fixture_close(&f);
}

/* ---- For `check` ---- */

static void names_the_routes_that_it_takes_requests_from(void **state)
{
    static const struct {
        const char *path;
        size_t endpoint;
        bool shadowed;
    } CASES[] = {
        {"/api/v1/auth/login", GH_FIXTURE_LOGIN, true},
        {"/api/v1/auth/logout", GH_FIXTURE_LOGIN, false},
        {"/api/v1/auth/{action}", GH_FIXTURE_LOGIN, true},
        {"/api/v1/auth/**", GH_FIXTURE_LOGIN, true},
        {"/api/v1/admin/users/7/role", GH_FIXTURE_ROLE, true},
        {"/api/v1/admin/users/7", GH_FIXTURE_ROLE, false},
        {"/api/v1/admin/**", GH_FIXTURE_ROLE, true},
        {"/api/v1/**", GH_FIXTURE_LOGIN, false}, /* the rest is meant */
        {"/**", GH_FIXTURE_LOGIN, false},
        {"/api/v1x/auth/login", GH_FIXTURE_LOGIN, false},
        {"/.well-known/jwks.json", GH_FIXTURE_JWKS, true},
        {"/.well-known/**", GH_FIXTURE_JWKS, false},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_route route = {.pattern = gh_str_from_c(CASES[i].path), .method_mask = ~0u};
        if (gh_identity_shadows(&gh_fixture_identity, CASES[i].endpoint, &route) !=
            CASES[i].shadowed)
            fail_msg("%s", CASES[i].path);
        route.method_mask = 1u << GH_METHOD_DELETE;
        assert_false(gh_identity_shadows(&gh_fixture_identity, CASES[i].endpoint, &route));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_come_first_where_path_and_method_are_theirs),
        cmocka_unit_test(methods_that_nobody_takes_are_told_of_both),
        cmocka_unit_test(parameters_reach_the_service),
        cmocka_unit_test(without_identity_there_are_no_endpoints),
        cmocka_unit_test(the_admin_listener_does_not_have_them),
        cmocka_unit_test(preflights_of_endpoints_are_answered),
        cmocka_unit_test(answers_have_the_headers_of_an_api),
        cmocka_unit_test(the_service_may_let_an_answer_be_cached),
        cmocka_unit_test(another_site_can_not_sign_a_browser_in),
        cmocka_unit_test(asks_for_the_body_of_an_endpoint_once),
        cmocka_unit_test(refuses_bodies_that_are_too_large_or_no_json),
        cmocka_unit_test(strangers_do_not_make_us_hold_a_body),
        cmocka_unit_test(the_services_own_limits_hold_until_the_file_says_otherwise),
        cmocka_unit_test(global_holds_for_endpoints_too),
        cmocka_unit_test(names_the_routes_that_it_takes_requests_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
