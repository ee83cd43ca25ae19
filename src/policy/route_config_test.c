#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

/* One route, written as a flow map. */
static void open_route(struct gh_fixture *f, const char *before, const char *route)
{
    char yaml[1024];
    struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml) - 1);
    gh_buf_format(&buf, "%sroutes: [{%s}]\n", before, route);
    yaml[buf.len] = '\0';
    gh_fixture_open(f, yaml);
}

static void a_bare_route_inherits_what_the_file_says(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_route(&f,
               PRODUCTION "limits: {request_body: 2MiB}\ncors: {mode: observe, origins: "
                          "[https://a.example]}\n",
               "path: /**, upstream: web");
    assert_non_null(f.policy);
    const struct gh_route *route = &f.policy->routes[0];
    assert_int_equal(route->target, GH_TARGET_UPSTREAM);
    assert_int_equal(route->upstream, 1);
    assert_int_equal(route->methods.len, 0);
    assert_int_equal(route->request_body_max, 2 << 20);
    assert_int_equal(route->response_timeout_ms, 0);
    assert_int_equal(route->idle_timeout_ms, 0);
    assert_int_equal(route->encoded, GH_ENCODED_REFUSE);
    assert_int_equal(route->cors_mode, GH_MODE_OBSERVE);
    assert_int_equal(route->cross_site_mode, GH_MODE_ENFORCE);
    assert_true(route->scrub_errors);
    assert_false(route->websocket);
    assert_ptr_equal(route->block, f.policy->block);
    gh_fixture_close(&f);
}

static void a_route_can_say_everything_itself(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_route(&f, PRODUCTION "cors: {mode: observe, origins: [https://a.example]}\n",
               "path: \"/a/{id}\", methods: [PATCH, GET], upstream: api, access: public, "
               "request_body: 4KiB, timeouts: {response: 3s, idle: 5m}, websocket: true, encoded: "
               "keep, errors: pass, headers: {preset: spa}, csp: {mode: off}, "
               "cors: {mode: enforce}, cross_site: {mode: off}");
    assert_non_null(f.policy);
    const struct gh_route *route = &f.policy->routes[0];
    assert_string_equal(route->methods.ptr, "GET, HEAD, PATCH");
    assert_int_equal(route->request_body_max, 4096);
    assert_int_equal(route->response_timeout_ms, 3000);
    assert_int_equal(route->idle_timeout_ms, 300000);
    assert_int_equal(route->encoded, GH_ENCODED_KEEP);
    assert_int_equal(route->cors_mode, GH_MODE_ENFORCE);
    assert_int_equal(route->cross_site_mode, GH_MODE_OFF);
    assert_false(route->scrub_errors);
    assert_true(route->websocket);
    assert_ptr_not_equal(route->block, f.policy->block);
    const struct gh_route_settings *settings = f.settings.routes.items;
    assert_true(settings->access.given && settings->headers_given && settings->csp_given);
    assert_int_equal(settings->headers.preset, GH_PRESET_SPA);
    gh_fixture_close(&f);
}

static void errors_pass_in_development_unless_scrubbed(void **state)
{
    (void)state;
    static const struct {
        const char *route;
        bool scrub;
    } cases[] = {{"path: /, upstream: api", false},
                 {"path: /, upstream: api, errors: scrub", true},
                 {"path: /, upstream: api, errors: pass", false}};
    for (size_t i = 0; i < 3; i++) {
        struct gh_fixture f;
        open_route(&f, DEVELOPMENT, cases[i].route);
        assert_non_null(f.policy);
        assert_int_equal(f.policy->routes[0].scrub_errors, cases[i].scrub);
        gh_fixture_close(&f);
    }
}

static void refuses_what_can_not_be_carried_out(void **state)
{
    (void)state;
    static const struct {
        const char *route, *problem;
    } cases[] = {
        {"upstream: api", "path"},
        {"path: /", "has no upstream"},
        {"path: /, upstream: apu", "did you mean \"api\"?"},
        {"path: /, upstream: backend", "upstreams has no \"backend\""},
        {"path: /, upstream: api, rate_limit: logni", "did you mean \"login\"?"},
        {"path: /, upstream: api, rate_limit: [login, other]", "rate_limits has no \"other\""},
        {"path: /, upstream: api, methods: [get]", "\"get\" is no method for a route"},
        {"path: /, upstream: api, methods: [PROPFIND]", "\"PROPFIND\" is no method"},
        {"path: /, upstream: api, methods: [TRACE]", "\"TRACE\" is no method"},
        {"path: /, upstream: api, methods: [CONNECT]", "\"CONNECT\" is no method"},
        {"path: /, upstream: api, access: signed_in", "identity is not enabled"},
        {"path: /, upstream: api, access: {role: admin}", "identity is not enabled"},
        {"path: /, upstream: api, access: [public]", "this is no access rule"},
        {"path: /, upstream: api, access: publik", "did you mean \"public\"?"},
        {"path: /, upstream: api, site: ./dist", "not available yet"},
        {"path: /, upstream: api, input: {openapi: a.yaml}", "was not read"},
        {"path: /, upstream: api, input: {mode: observe}", "input names no document"},
        {"path: /, upstream: api, input: {openapi: a.yaml, undeclared: maybe}", "maybe"},
        {"path: /, upstream: api, input: {openapi: a.yaml, undeclared: {path: refuse}}", "path"},
        {"path: /, upstream: api, input: {openapi: a.yaml, violations: 0}", "violations"},
        {"path: /, upstream: api, input: {openapi: a.yaml, depth: 1000}", "depth"},
        {"path: /, upstream: api, encoded: maybe", "maybe"},
        {"path: /, upstream: api, errors: \"\"", "errors"},
        {"path: /, upstream: api, cors: {mode: sometimes}", "sometimes"},
        {"path: /, upstream: api, cors: {origins: []}", "unknown key \"origins\""},
        {"path: /, upstream: api, timeouts: {connect: 3s}", "unknown key \"connect\""},
        {"path: /, upstream: api, websockets: true", "did you mean \"websocket\"?"},
        {"path: api, upstream: api", "it must begin with /"},
        {"path: \"/a/{id\", upstream: api", "is a whole segment"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gh_fixture f;
        open_route(&f, DEVELOPMENT "rate_limits: {login: {limit: 5/minute}}\n", cases[i].route);
        assert_null(f.policy);
        if (!gh_fixture_has_problem(&f, GH_CONFIG_ERROR, cases[i].problem))
            fail_msg("%s: %.*s", cases[i].route, GH_STR_ARG(f.load.problems->what));
        assert_int_equal(f.load.problems->place.line > 0, true);
        gh_fixture_close(&f);
    }
}

static void refuses_more_rate_limits_than_one_decision_takes(void **state)
{
    (void)state;
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT
                    "rate_limits: {global: {limit: 1/day}, a: {limit: 1/day}, b: {limit: 1/day}, "
                    "c: {limit: 1/day}, d: {limit: 1/day}, e: {limit: 1/day}, f: {limit: 1/day}, "
                    "g: {limit: 1/day}, h: {limit: 1/day}}\n"
                    "routes: [{path: /7, upstream: api, rate_limit: [a, b, c, d, e, f, g, a]}, "
                    "{path: /8, upstream: api, rate_limit: [a, b, c, d, e, f, g, h]}]\n");
    assert_null(f.policy);
    assert_int_equal(f.load.error_count, 1);
    assert_true(gh_fixture_has_problem(&f, GH_CONFIG_ERROR, "at most 8 rate limits"));
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bare_route_inherits_what_the_file_says),
        cmocka_unit_test(a_route_can_say_everything_itself),
        cmocka_unit_test(errors_pass_in_development_unless_scrubbed),
        cmocka_unit_test(refuses_what_can_not_be_carried_out),
        cmocka_unit_test(refuses_more_rate_limits_than_one_decision_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
