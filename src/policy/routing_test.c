#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define HOST " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static unsigned run(struct gh_fixture *f, const char *request)
{
    return gh_fixture_run(f, request).kind == GH_VERDICT_NEXT ? 0 : f->request.reply.status;
}

static void open_routes(struct gh_fixture *f, const char *yaml)
{
    gh_fixture_open(f, yaml);
    assert_non_null(f->policy);
}

static void answers_404_without_a_route_and_405_with_allow(void **state)
{
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT "routes: [{path: /a, methods: [GET, POST], upstream: web}]\n");
    assert_int_equal(run(&f, "GET /b" HOST), 404);
    assert_int_equal(run(&f, "DELETE /a" HOST), 405);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Allow"), "GET, HEAD, POST");
    assert_int_equal(run(&f, "HEAD /a" HOST), 0);
    assert_int_equal(f.request.target, GH_TARGET_UPSTREAM);
    assert_int_equal(f.request.upstream, 1);
    gh_fixture_close(&f);
}

static void refuses_what_a_backend_could_decode_unless_told_to_keep_it(void **state)
{
    static const struct {
        const char *path;
        enum gh_reason reason;
    } CASES[] = {
        {"/x/a%2fb", GH_REASON_PATH_ENCODED_SLASH},
        {"/x/a%25b", GH_REASON_PATH_ENCODED_PERCENT},
        {"/x/a;b", GH_REASON_PATH_SEMICOLON},
        {"/x/a%3bb", GH_REASON_PATH_SEMICOLON},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_fixture f;
        char request[128];
        struct gh_buf buf = gh_buf_over(request, sizeof(request));
        gh_buf_format(&buf, "GET %s" HOST, CASES[i].path);
        request[buf.len] = 0;
        open_routes(&f, DEVELOPMENT ROUTE_ALL);
        assert_int_equal(run(&f, request), 400);
        assert_int_equal(f.request.verdict.reason, CASES[i].reason);
        gh_fixture_close(&f);
        open_routes(&f, DEVELOPMENT "routes: [{path: /**, upstream: api, encoded: keep}]\n");
        assert_int_equal(run(&f, request), 0);
        gh_fixture_close(&f);
    }
}

static void refuses_paths_that_leave_the_root_or_hide_bytes(void **state)
{
    static const struct {
        const char *path;
        enum gh_reason reason;
    } CASES[] = {
        {"/../etc/passwd", GH_REASON_PATH_ABOVE_ROOT},
        {"/a/%2e%2e/%2E%2e/b", GH_REASON_PATH_ABOVE_ROOT},
        {"/a%00b", GH_REASON_PATH_NUL},
        {"/a%5cb", GH_REASON_PATH_BACKSLASH},
        {"/%c0%ae", GH_REASON_PATH_BAD_UTF8},
        {"/%ff", GH_REASON_PATH_BAD_UTF8},
    };
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT ROUTE_ALL);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char request[128];
        struct gh_buf buf = gh_buf_over(request, sizeof(request));
        gh_buf_format(&buf, "GET %s" HOST, CASES[i].path);
        request[buf.len] = 0;
        assert_int_equal(run(&f, request), 400);
        assert_int_equal(f.request.verdict.reason, CASES[i].reason);
        assert_int_equal(f.request.stage, GH_STAGE_PATH);
    }
    gh_fixture_close(&f);
}

static void routes_a_preflight_by_the_method_it_asks_for(void **state)
{
    static const char PREFLIGHT[] =
        "OPTIONS /a HTTP/1.1\r\nHost: localhost\r\nOrigin: https://a.example\r\n"
        "Access-Control-Request-Method: POST\r\n\r\n";
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT "cors: {origins: [\"https://a.example\"]}\n"
                                "routes: [{path: /a, methods: [POST], upstream: api}]\n");
    assert_int_equal(run(&f, PREFLIGHT), 204);
    gh_fixture_close(&f);
    open_routes(&f, DEVELOPMENT "cors: {origins: [\"https://a.example\"]}\n"
                                "routes: [{path: /a, methods: [GET], upstream: api}]\n");
    assert_int_equal(run(&f, PREFLIGHT), 405);
    gh_fixture_close(&f);
}

static void refuses_a_declared_body_over_the_limit(void **state)
{
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT "limits: {request_body: 100}\nroutes: [{path: /**, upstream: api}, "
                                "{path: /big, upstream: api, request_body: 1KiB}]\n");
    assert_int_equal(run(&f, "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\n\r\n"),
                     413);
    assert_int_equal(run(&f, "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"),
                     0);
    assert_int_equal(
        run(&f, "POST /big HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1024\r\n\r\n"), 0);
    assert_int_equal(
        run(&f, "POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"), 0);
    assert_int_equal(f.request.body_bytes_max, 100);
    gh_fixture_close(&f);
}

static void takes_the_body_limit_from_the_environment(void **state)
{
    static const char *const ENV[] = {"MAX_REQUEST_SIZE", "1048576", NULL};
    struct gh_fixture f;
    gh_fixture_open_env(&f, DEVELOPMENT ROUTE_ALL "limits: {request_body: 5}\n", ENV);
    assert_non_null(f.policy);
    assert_int_equal(gh_policy_limits(f.policy)->request_body, 1048576);
    gh_fixture_close(&f);
}

static void the_admin_listener_serves_metrics_and_probes_only(void **state)
{
    struct gh_fixture f;
    open_routes(&f, "hosts: [api.example.com]\n" ROUTE_ALL);
    f.peer.admin = true;
    assert_int_equal(run(&f, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n\r\n"), 0);
    assert_int_equal(f.request.target, GH_TARGET_METRICS);
    assert_int_equal(run(&f, "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n\r\n"), 0);
    assert_int_equal(f.request.target, GH_TARGET_READYZ);
    assert_int_equal(run(&f, "GET / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n\r\n"), 404);
    assert_int_equal(run(&f, "GET /api HTTP/1.1\r\nHost: api.example.com\r\n\r\n"), 404);
    gh_fixture_close(&f);
}

static void metrics_are_not_on_the_public_listener(void **state)
{
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT "routes: [{path: /a, upstream: api}]\n");
    assert_int_equal(run(&f, "GET /metrics" HOST), 404);
    gh_fixture_close(&f);
}

static void serves_security_txt_only_when_configured(void **state)
{
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT ROUTE_ALL
                "security_txt: {contact: \"mailto:s@example.com\", expires: 2027-06-30}\n");
    assert_int_equal(run(&f, "GET /.well-known/security.txt" HOST), 200);
    assert_non_null(strstr(gh_fixture_reply(&f), "\nContact: mailto:s@example.com\nExpires: "
                                                 "2027-06-30T00:00:00Z\n"));
    assert_int_equal(run(&f, "POST /.well-known/security.txt" HOST), 405);
    gh_fixture_close(&f);
    open_routes(&f, DEVELOPMENT ROUTE_ALL);
    assert_int_equal(run(&f, "GET /.well-known/security.txt" HOST), 404);
    gh_fixture_close(&f);
}

static void refuses_security_txt_without_what_rfc_9116_requires(void **state)
{
    static const char *const VALUES[] = {"{contact: \"mailto:s@example.com\"}",
                                         "{expires: 2027-06-30}",
                                         "{contact: s@example.com, expires: 2027-06-30}",
                                         "{contact: \"mailto:s@e.com\", expires: soon}",
                                         "{contact: \"mailto:s\\nx\", expires: 2027-06-30}"};
    for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
        struct gh_fixture f;
        char yaml[256];
        struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml));
        gh_buf_format(&buf, DEVELOPMENT ROUTE_ALL "security_txt: %s\n", VALUES[i]);
        yaml[buf.len] = 0;
        gh_fixture_open(&f, yaml);
        if (f.policy)
            fail_msg("%s was accepted", VALUES[i]);
        gh_fixture_close(&f);
    }
}

static void reports_are_taken_by_post_and_answered_204_even_when_refused(void **state)
{
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT ROUTE_ALL);
    assert_int_equal(run(&f, "POST /csp-report HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                             "10\r\n\r\n"),
                     0);
    assert_int_equal(f.request.target, GH_TARGET_CSP_REPORT);
    assert_int_equal(f.request.body_bytes_max, 65536);
    assert_int_equal(run(&f, "GET /csp-report" HOST), 405);
    assert_int_equal(run(&f, "POST /csp-report HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                             "65537\r\n\r\n"),
                     204);
    for (unsigned i = 0; i < 59; i++)
        assert_int_equal(run(&f, "POST /csp-report" HOST), 0);
    assert_int_equal(run(&f, "POST /csp-report" HOST), 204);
    assert_int_equal(f.request.verdict.reason, GH_REASON_RATE_LIMITED);
    assert_int_equal(gh_fixture_count(gh_fixture_reply(&f), "RateLimit"), 0);
    gh_fixture_close(&f);
}

static void challenge_tokens_can_be_no_paths(void **state)
{
    static const char *const PATHS[] = {
        "/.well-known/acme-challenge/", "/.well-known/acme-challenge/a/b",
        "/.well-known/acme-challenge/a.b", "/.well-known/acme-challenge/a%2fb"};
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT ROUTE_ALL "https: {acme_directory: /var/acme}\n");
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        char request[128];
        struct gh_buf buf = gh_buf_over(request, sizeof(request));
        gh_buf_format(&buf, "GET %s" HOST, PATHS[i]);
        request[buf.len] = 0;
        assert_int_equal(run(&f, request), 404);
    }
    gh_fixture_close(&f);
}

static void built_in_paths_can_be_moved_and_switched_off(void **state)
{
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT "builtin: {healthz: /live, readyz: \"\"}\n"
                                "routes: [{path: /a, upstream: api}]\n");
    assert_int_equal(run(&f, "GET /live" HOST), 0);
    assert_int_equal(f.request.target, GH_TARGET_HEALTHZ);
    assert_int_equal(run(&f, "GET /healthz" HOST), 404);
    assert_int_equal(run(&f, "GET /readyz" HOST), 404);
    gh_fixture_close(&f);
}

static void answers_options_for_the_whole_server(void **state)
{
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT ROUTE_ALL);
    assert_int_equal(run(&f, "OPTIONS *" HOST), 204);
    gh_fixture_close(&f);
}

static void applies_global_everywhere_but_where_a_route_wants_none(void **state)
{
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT "rate_limits: {global: {limit: 2/minute, key: client}}\n"
                                "routes: [{path: /a, upstream: api}, {path: /free, upstream: api, "
                                "rate_limit: []}]\n");
    assert_int_equal(run(&f, "GET /a" HOST), 0);
    assert_int_equal(run(&f, "GET /a" HOST), 0);
    assert_int_equal(run(&f, "GET /a" HOST), 429);
    const char *reply = gh_fixture_reply(&f);
    assert_int_equal(gh_fixture_count(reply, "Cache-Control"), 1);
    assert_int_equal(gh_fixture_count(reply, "Retry-After"), 1);
    assert_non_null(strstr(reply, "Rate limit exceeded: 2 requests per minute"));
    assert_int_equal(run(&f, "GET /free" HOST), 0);
    gh_fixture_close(&f);
}

struct steps {
    size_t count;
    bool said_route;
};

static void on_step(void *context, enum gh_stage stage, struct gh_verdict verdict,
                    struct gh_str why)
{
    struct steps *steps = context;
    steps->count++;
    assert_true(why.len > 0);
    if (stage == GH_STAGE_ROUTE && verdict.kind == GH_VERDICT_NEXT)
        steps->said_route = gh_str_eq(why, GH_STR("taken by /u/{id} with id = 7"));
}

static void explains_each_stage_and_charges_nothing(void **state)
{
    struct gh_fixture f;
    open_routes(&f, DEVELOPMENT "rate_limits: {global: {limit: 1/minute, key: client}}\n"
                                "routes: [{path: \"/u/{id}\", upstream: api}]\n");
    for (unsigned i = 0; i < 3; i++) {
        struct steps steps = {0};
        gh_fixture_begin(&f, "GET /u/7" HOST);
        f.request.limits = NULL;
        f.request.dry_run = true;
        assert_int_equal(gh_policy_explain(&f.request, on_step, &steps).kind, GH_VERDICT_NEXT);
        assert_int_equal(steps.count, 11);
        assert_true(steps.said_route);
    }
    struct steps steps = {0};
    gh_fixture_begin(&f, "GET /none" HOST);
    assert_int_equal(gh_policy_explain(&f.request, on_step, &steps).kind, GH_VERDICT_RESPOND);
    assert_int_equal(steps.count, 5);
    gh_fixture_close(&f);
}

static void a_resumed_run_goes_on_where_it_stopped(void **state)
{
    struct gh_fixture f;
    open_routes(&f,
                DEVELOPMENT "rate_limits: {global: {limit: 1/minute, key: client}}\n" ROUTE_ALL);
    assert_int_equal(run(&f, "GET /a" HOST), 0);
    assert_int_equal(gh_policy_run(&f.request).kind, GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_404_without_a_route_and_405_with_allow),
        cmocka_unit_test(refuses_what_a_backend_could_decode_unless_told_to_keep_it),
        cmocka_unit_test(refuses_paths_that_leave_the_root_or_hide_bytes),
        cmocka_unit_test(routes_a_preflight_by_the_method_it_asks_for),
        cmocka_unit_test(refuses_a_declared_body_over_the_limit),
        cmocka_unit_test(takes_the_body_limit_from_the_environment),
        cmocka_unit_test(the_admin_listener_serves_metrics_and_probes_only),
        cmocka_unit_test(metrics_are_not_on_the_public_listener),
        cmocka_unit_test(serves_security_txt_only_when_configured),
        cmocka_unit_test(refuses_security_txt_without_what_rfc_9116_requires),
        cmocka_unit_test(reports_are_taken_by_post_and_answered_204_even_when_refused),
        cmocka_unit_test(challenge_tokens_can_be_no_paths),
        cmocka_unit_test(built_in_paths_can_be_moved_and_switched_off),
        cmocka_unit_test(answers_options_for_the_whole_server),
        cmocka_unit_test(applies_global_everywhere_but_where_a_route_wants_none),
        cmocka_unit_test(explains_each_stage_and_charges_nothing),
        cmocka_unit_test(a_resumed_run_goes_on_where_it_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
