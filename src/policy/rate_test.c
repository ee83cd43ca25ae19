#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define GET "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"

static void open_yaml(struct gh_fixture *f, const char *limits_and_routes)
{
    char yaml[2048];
    struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml) - 1);
    gh_buf_format(&buf, DEVELOPMENT "%s", limits_and_routes);
    yaml[buf.len] = '\0';
    gh_fixture_open(f, yaml);
}

static enum gh_verdict_kind run_at(struct gh_fixture *f, uint64_t now_ms, const char *bytes)
{
    gh_fixture_begin(f, bytes);
    f->request.now_ms = now_ms;
    return gh_policy_run(&f->request).kind;
}

static const char *extra(const struct gh_fixture *f, const char *name)
{
    for (size_t i = 0; i < f->request.extra_count; i++) {
        if (gh_str_eq(f->request.extra[i].name, gh_str_from_c(name)))
            return f->request.extra[i].value.ptr;
    }
    return NULL;
}

/* The value is no text with a NUL: compared as a slice. */
static void expect_extra(const struct gh_fixture *f, const char *name, const char *value)
{
    for (size_t i = 0; i < f->request.extra_count; i++) {
        if (gh_str_eq(f->request.extra[i].name, gh_str_from_c(name))) {
            struct gh_str found = f->request.extra[i].value;
            if (!gh_str_eq(found, gh_str_from_c(value)))
                fail_msg("%s: %.*s", name, GH_STR_ARG(found));
            return;
        }
    }
    fail_msg("no %s", name);
}

#define LOGIN                                                                                      \
    "rate_limits: {login: {limit: 5/minute, key: client}}\n"                                       \
    "routes: [{path: /**, upstream: api, rate_limit: login}]\n"

static void the_sixth_login_is_refused_to_the_letter(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_yaml(&f, LOGIN);
    assert_non_null(f.policy);
    static const char *const told[] = {"\"login\";r=4;t=60", "\"login\";r=3;t=57",
                                       "\"login\";r=2;t=54", "\"login\";r=1;t=51",
                                       "\"login\";r=0;t=48"};
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(run_at(&f, 1000 + i * 3000, GET), GH_VERDICT_NEXT);
        expect_extra(&f, "RateLimit", told[i]);
        expect_extra(&f, "RateLimit-Policy", "\"login\";q=5;w=60");
    }
    assert_int_equal(run_at(&f, 19500, GET), GH_VERDICT_RESPOND);
    assert_int_equal(f.request.verdict.reason, GH_REASON_RATE_LIMITED);
    assert_int_equal(f.request.limited_by, 0);
    const char *reply = gh_fixture_reply(&f);
    assert_memory_equal(reply, "429\n", 4);
    assert_string_equal(gh_fixture_value(&f, reply, "Retry-After"), "42"); /* 41.5 rounded up */
    assert_string_equal(gh_fixture_value(&f, reply, "RateLimit"), "\"login\";r=0;t=42");
    assert_string_equal(gh_fixture_value(&f, reply, "RateLimit-Policy"), "\"login\";q=5;w=60");
    assert_string_equal(gh_fixture_value(&f, reply, "Cache-Control"), "no-store");
    assert_string_equal(gh_fixture_value(&f, reply, "Content-Type"), "application/problem+json");
    static const char *const once[] = {"Retry-After", "RateLimit", "RateLimit-Policy",
                                       "Cache-Control", "Content-Type"};
    for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++)
        assert_int_equal(gh_fixture_count(reply, once[i]), 1);
    assert_non_null(strstr(reply, "\"detail\":\"Rate limit exceeded: 5 requests per minute\""));
    assert_non_null(strstr(reply, "http-problem-types#quota-exceeded"));
    assert_non_null(strstr(reply, "\"violated-policies\":[\"login\"]"));
    assert_int_equal(run_at(&f, 60999, GET), GH_VERDICT_RESPOND);
    assert_int_equal(run_at(&f, 61000, GET), GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void expect_detail(const char *limit, const char *detail, const char *policy)
{
    struct gh_fixture f;
    char yaml[256];
    struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml) - 1);
    gh_buf_format(&buf, "rate_limits: {a: {limit: %s}}\nroutes: []\n", limit);
    yaml[buf.len] = '\0';
    open_yaml(&f, yaml);
    assert_non_null(f.policy);
    assert_string_equal(f.policy->rate_policies[0].detail.ptr, detail);
    assert_string_equal(f.policy->rate_policies[0].policy_field.ptr, policy);
    gh_fixture_close(&f);
}

static void details_are_plain_english(void **state)
{
    (void)state;
    expect_detail("1/second", "Rate limit exceeded: 1 request per second", "\"a\";q=1;w=1");
    expect_detail("3/hour", "Rate limit exceeded: 3 requests per hour", "\"a\";q=3;w=3600");
    expect_detail("1000/day", "Rate limit exceeded: 1000 requests per day", "\"a\";q=1000;w=86400");
}

static void global_applies_everywhere_but_with_an_empty_list(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_yaml(&f, "rate_limits: {global: {limit: 3/minute}, login: {limit: 1/minute}}\n"
                  "routes: [{path: /x, upstream: api}, {path: /login, upstream: api, rate_limit: "
                  "login}, {path: /g, upstream: api, rate_limit: global}, {path: /free, upstream: "
                  "api, rate_limit: []}]\n");
    assert_non_null(f.policy);
    const struct gh_route *routes = f.policy->routes;
    assert_int_equal(routes[0].rate_limit_count, 1);
    assert_int_equal(routes[1].rate_limit_count, 2);
    assert_int_equal(routes[2].rate_limit_count, 1);
    assert_int_equal(routes[3].rate_limit_count, 0);
    /* One count for the whole gateway, not per route. */
    assert_int_equal(run_at(&f, 0, GET), GH_VERDICT_NEXT);
    assert_int_equal(run_at(&f, 0, "GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                     GH_VERDICT_NEXT);
    expect_extra(&f, "RateLimit", "\"login\";r=0;t=60, \"global\";r=1;t=60");
    expect_extra(&f, "RateLimit-Policy", "\"login\";q=1;w=60, \"global\";q=3;w=60");
    /* A refused login costs nothing of the global limit. */
    for (int i = 0; i < 5; i++)
        assert_int_equal(run_at(&f, 1, "GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                         GH_VERDICT_RESPOND);
    const char *reply = gh_fixture_reply(&f);
    assert_string_equal(gh_fixture_value(&f, reply, "RateLimit"), "\"login\";r=0;t=60");
    assert_int_equal(run_at(&f, 2, "GET /g HTTP/1.1\r\nHost: localhost\r\n\r\n"), GH_VERDICT_NEXT);
    assert_int_equal(run_at(&f, 2, GET), GH_VERDICT_RESPOND);
    assert_int_equal(run_at(&f, 2, "GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                     GH_VERDICT_RESPOND);
    reply = gh_fixture_reply(&f);
    assert_string_equal(gh_fixture_value(&f, reply, "RateLimit"),
                        "\"login\";r=0;t=60, \"global\";r=0;t=60");
    assert_non_null(strstr(reply, "\"violated-policies\":[\"login\",\"global\"]"));
    for (int i = 0; i < 20; i++)
        assert_int_equal(run_at(&f, 2, "GET /free HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                         GH_VERDICT_NEXT);
    assert_null(extra(&f, "RateLimit"));
    gh_fixture_close(&f);
}

static void a_burst_is_silent_until_it_refuses(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_yaml(&f, "rate_limits: {global: {limit: 100/second, burst: 3}}\n" ROUTE_ALL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run_at(&f, 5, GET), GH_VERDICT_NEXT);
        assert_null(extra(&f, "RateLimit"));
        assert_null(extra(&f, "RateLimit-Policy"));
    }
    assert_int_equal(run_at(&f, 5, GET), GH_VERDICT_RESPOND);
    const char *reply = gh_fixture_reply(&f);
    assert_string_equal(gh_fixture_value(&f, reply, "Retry-After"), "1");
    assert_string_equal(gh_fixture_value(&f, reply, "RateLimit"), "\"global\";r=0;t=1");
    assert_int_equal(run_at(&f, 15, GET), GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void observe_counts_and_lets_pass(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_yaml(&f, "rate_limits: {global: {limit: 2/minute, mode: observe}, off: {limit: 1/minute, "
                  "mode: off}}\nroutes: [{path: /**, upstream: api, rate_limit: off}]\n");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(run_at(&f, 5, GET), GH_VERDICT_NEXT);
        assert_int_equal(f.request.observed_count, i >= 2 ? 1 : 0);
        if (i >= 2) {
            assert_int_equal(f.request.observed[0], GH_STAGE_RATE);
            assert_int_equal(f.request.observed_reason[0], GH_REASON_RATE_LIMITED);
        }
        assert_null(extra(&f, "RateLimit"));
    }
    gh_fixture_close(&f);
}

static void clients_count_by_address_and_by_64_bits_of_ipv6(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_yaml(&f, "rate_limits: {global: {limit: 1/minute}}\n" ROUTE_ALL);
    static const struct {
        const char *ip;
        enum gh_verdict_kind kind;
    } cases[] = {
        {"192.0.2.1", GH_VERDICT_NEXT},
        {"192.0.2.1", GH_VERDICT_RESPOND},
        {"192.0.2.2", GH_VERDICT_NEXT},
        {"2001:db8:1:1::1", GH_VERDICT_NEXT},
        {"2001:db8:1:1:ffff::9", GH_VERDICT_RESPOND},
        {"2001:db8:1:2::1", GH_VERDICT_NEXT},
        {"::ffff:192.0.2.2", GH_VERDICT_RESPOND},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gh_fixture_peer(&f, cases[i].ip, false);
        assert_int_equal(run_at(&f, 5, GET), cases[i].kind);
    }
    gh_fixture_close(&f);
}

#define WITH(path, lines) "GET " path " HTTP/1.1\r\nHost: localhost\r\n" lines "\r\n"

static void keys_can_be_headers_routes_and_combinations(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_yaml(&f, "rate_limits:\n"
                  "  by_key: {limit: 1/minute, key: \"header:X-Api-Key\"}\n"
                  "  by_both: {limit: 1/minute, key: [route, \"header:Authorization\"]}\n"
                  "routes:\n"
                  "  - {path: /k, upstream: api, rate_limit: by_key}\n"
                  "  - {path: /a/**, upstream: api, rate_limit: by_both}\n"
                  "  - {path: /b/**, upstream: api, rate_limit: by_both}\n");
    assert_non_null(f.policy);
    assert_int_equal(run_at(&f, 5, WITH("/k", "x-api-key: one\r\n")), GH_VERDICT_NEXT);
    assert_int_equal(run_at(&f, 5, WITH("/k", "X-API-KEY: one\r\n")), GH_VERDICT_RESPOND);
    assert_int_equal(run_at(&f, 5, WITH("/k", "x-api-key: two\r\n")), GH_VERDICT_NEXT);
    /* Without it all count together, whoever they are. */
    assert_int_equal(run_at(&f, 5, WITH("/k", "")), GH_VERDICT_NEXT);
    gh_fixture_peer(&f, "192.0.2.9", false);
    assert_int_equal(run_at(&f, 5, WITH("/k", "")), GH_VERDICT_RESPOND);
    assert_int_equal(run_at(&f, 5, WITH("/k", "x-api-key:\r\n")), GH_VERDICT_RESPOND);

    /* One who counts by the first line and one who reads the last would see two clients. */
    assert_int_equal(run_at(&f, 5, WITH("/k", "x-api-key: new\r\nX-Api-Key: one\r\n")),
                     GH_VERDICT_RESPOND);
    assert_int_equal(run_at(&f, 5, WITH("/k", "x-api-key: new\r\n")), GH_VERDICT_NEXT);

    assert_int_equal(run_at(&f, 5, WITH("/a/1", "authorization: x\r\n")), GH_VERDICT_NEXT);
    assert_int_equal(run_at(&f, 5, WITH("/a/2", "authorization: x\r\n")), GH_VERDICT_RESPOND);
    assert_int_equal(run_at(&f, 5, WITH("/b/1", "authorization: x\r\n")), GH_VERDICT_NEXT);
    assert_int_equal(run_at(&f, 5, WITH("/b/1", "authorization: y\r\n")), GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void a_dry_run_charges_nothing_and_none_needs_no_table(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_yaml(&f, "rate_limits: {global: {limit: 2/minute}}\n" ROUTE_ALL);
    for (int i = 0; i < 5; i++) {
        gh_fixture_begin(&f, GET);
        f.request.dry_run = true;
        assert_int_equal(gh_policy_run(&f.request).kind, GH_VERDICT_NEXT);
        expect_extra(&f, "RateLimit", "\"global\";r=2;t=0");
        gh_fixture_begin(&f, GET);
        f.request.limits = NULL;
        assert_int_equal(gh_policy_run(&f.request).kind, GH_VERDICT_NEXT);
    }
    gh_fixture_close(&f);
}

static uint64_t shape_of(const char *settings)
{
    struct gh_fixture f;
    char yaml[256];
    struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml) - 1);
    gh_buf_format(&buf, "rate_limits: {%s}\nroutes: []\n", settings);
    yaml[buf.len] = '\0';
    open_yaml(&f, yaml);
    assert_non_null(f.policy);
    uint64_t shape = f.policy->rate_policies[0].shape;
    gh_fixture_close(&f);
    return shape;
}

static void a_changed_policy_counts_afresh_and_an_unchanged_one_goes_on(void **state)
{
    (void)state;
    uint64_t shape = shape_of("a: {limit: 5/minute}");
    assert_true(shape == shape_of("a: {key: client, limit: 5/minute, mode: observe}"));
    static const char *const others[] = {
        "b: {limit: 5/minute}",
        "a: {limit: 6/minute}",
        "a: {limit: 5/hour}",
        "a: {limit: 5/minute, burst: 5}",
        "a: {limit: 5/minute, key: route}",
        "a: {limit: 5/minute, key: [client, route]}",
        "a: {limit: 5/minute, key: \"header:client\"}",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(shape == shape_of(others[i]));
}

static void refuses_settings_that_mean_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *problem;
    } cases[] = {
        {"a: {limit: 5/minute, key: clinet}", "did you mean \"client\"?"},
        {"a: {limit: 5/minute, key: usr}", "did you mean \"user\"?"},
        {"a: {limit: 5/minute, key: \"body:\"}", "names no field"},
        {"a: {limit: 5/minute, key: \"body:user[email]\"}", "is a field within another"},
        {"a: {limit: 5/minute, key: \"body:email[]\"}", "is a field within another"},
        {"a: {limit: 5/minute, key: \"body:a]\"}", "is a field within another"},
        {"a: {limit: 5/minute, key: \"header:\"}", "is no field name"},
        {"a: {limit: 5/minute, key: \"header:a b\"}", "is no field name"},
        {"a: {limit: 5/minute, key: []}", "a key has 1 to 4 parts"},
        {"a: {limit: 5/minute, key: [client, client, client, client, client]}", "1 to 4 parts"},
        {"a: {key: client}", "limit"},
        {"a: {limit: 0/minute}", "0"},
        {"a: {limit: 5000000000/minute}", "can't be counted"},
        {"a: {limit: 1/day, burst: 1000000}", "a burst must come back"},
        {"a: {limit: 5/minute, burst: 0}", "burst"},
        {"a b: {limit: 5/minute}", "is no name for a rate limit"},
        {"a: {limit: 5/minute, burts: 3}", "did you mean \"burst\"?"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gh_fixture f;
        char yaml[256];
        struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml) - 1);
        gh_buf_format(&buf, "rate_limits: {%s}\nroutes: []\n", cases[i].settings);
        yaml[buf.len] = '\0';
        open_yaml(&f, yaml);
        assert_null(f.policy);
        if (!gh_fixture_has_problem(&f, GH_CONFIG_ERROR, cases[i].problem))
            fail_msg("%s: %.*s", cases[i].settings, GH_STR_ARG(f.load.problems->what));
        gh_fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sixth_login_is_refused_to_the_letter),
        cmocka_unit_test(details_are_plain_english),
        cmocka_unit_test(global_applies_everywhere_but_with_an_empty_list),
        cmocka_unit_test(a_burst_is_silent_until_it_refuses),
        cmocka_unit_test(observe_counts_and_lets_pass),
        cmocka_unit_test(clients_count_by_address_and_by_64_bits_of_ipv6),
        cmocka_unit_test(keys_can_be_headers_routes_and_combinations),
        cmocka_unit_test(a_dry_run_charges_nothing_and_none_needs_no_table),
        cmocka_unit_test(a_changed_policy_counts_afresh_and_an_unchanged_one_goes_on),
        cmocka_unit_test(refuses_settings_that_mean_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
