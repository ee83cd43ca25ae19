#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

/* The status of a request for `host` under `yaml`; 0: it went on. */
static unsigned status_for(const char *yaml, const char *host, const char *path)
{
    struct gh_fixture f;
    char request[512];
    struct gh_buf buf = gh_buf_over(request, sizeof(request));
    gh_buf_format(&buf, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host);
    request[buf.len] = 0;
    gh_fixture_open(&f, yaml);
    assert_non_null(f.policy);
    gh_fixture_peer(&f, "192.0.2.1", true);
    struct gh_verdict verdict = gh_fixture_run(&f, request);
    unsigned status = verdict.kind == GH_VERDICT_NEXT ? 0 : f.request.reply.status;
    gh_fixture_close(&f);
    return status;
}

static void accepts_listed_hosts_in_any_case_with_port_and_final_dot(void **state)
{
    static const char *const HOSTS[] = {"api.example.com", "API.Example.COM:8443",
                                        "api.example.com.", "a.apps.example.com",
                                        "a.b.apps.example.com"};
    for (size_t i = 0; i < sizeof(HOSTS) / sizeof(HOSTS[0]); i++)
        assert_int_equal(status_for(PRODUCTION ROUTE_ALL, HOSTS[i], "/"), 0);
}

static void refuses_hosts_that_are_not_listed(void **state)
{
    static const char *const HOSTS[] = {
        "evil.com",
        "apps.example.com",
        "example.com",
        "xapi.example.com",
        "evilapps.example.com",
        "api.example.com.evil.com",
        "a.apps.example.com.evil.com",
        "localhost",
        "127.0.0.1",
        "[::1]",
    };
    for (size_t i = 0; i < sizeof(HOSTS) / sizeof(HOSTS[0]); i++)
        assert_int_equal(status_for(PRODUCTION ROUTE_ALL, HOSTS[i], "/"), 400);
}

static void says_invalid_host_header_and_reflects_nothing(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL);
    gh_fixture_peer(&f, "192.0.2.1", true);
    gh_fixture_run(&f, "GET / HTTP/1.1\r\nHost: evil.com\r\n\r\n");
    const char *reply = gh_fixture_reply(&f);
    assert_memory_equal(reply, "400\n", 4);
    assert_non_null(strstr(reply, "\"detail\":\"Invalid host header\""));
    assert_null(strstr(reply, "evil"));
    assert_string_equal(gh_fixture_value(&f, reply, "Content-Type"), "application/problem+json");
    gh_fixture_close(&f);
}

static void allows_localhost_and_loopback_in_development(void **state)
{
    static const char CONFIG[] = DEVELOPMENT "hosts: [api.example.com]\n" ROUTE_ALL;
    assert_int_equal(status_for(CONFIG, "localhost:3000", "/"), 0);
    assert_int_equal(status_for(CONFIG, "127.0.0.1:8080", "/"), 0);
    assert_int_equal(status_for(CONFIG, "[::1]:8080", "/"), 0);
    assert_int_equal(status_for(CONFIG, "[0:0::0:1]", "/"), 0);
    assert_int_equal(status_for(CONFIG, "api.example.com", "/"), 0);
    assert_int_equal(status_for(CONFIG, "evil.com", "/"), 400);
}

static void a_star_alone_is_every_host(void **state)
{
    assert_int_equal(status_for("hosts: [\"*\"]\n" ROUTE_ALL, "anything.example", "/"), 0);
}

static void lets_probes_come_by_address(void **state)
{
    assert_int_equal(status_for(PRODUCTION ROUTE_ALL, "10.0.0.5:8080", "/healthz"), 0);
    assert_int_equal(status_for(PRODUCTION ROUTE_ALL, "10.0.0.5:8080", "/readyz"), 0);
    assert_int_equal(status_for(PRODUCTION ROUTE_ALL, "10.0.0.5:8080", "/healthz/x"), 400);
    assert_int_equal(status_for(PRODUCTION ROUTE_ALL, "10.0.0.5:8080", "/health"), 400);
}

static void observes_without_refusing(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT "hosts: {mode: observe, allow: [a.example]}\n" ROUTE_ALL);
    assert_int_equal(gh_fixture_run(&f, "GET / HTTP/1.1\r\nHost: evil.com\r\n\r\n").kind,
                     GH_VERDICT_NEXT);
    assert_int_equal(f.request.observed_count, 1);
    assert_int_equal(f.request.observed[0], GH_STAGE_HOST);
    assert_int_equal(f.request.observed_reason[0], GH_REASON_HOST_UNKNOWN);
    gh_fixture_close(&f);
}

static int pair_for(const void *server, struct gh_str host)
{
    (void)server;
    return gh_str_eq(host, GH_STR("b.example")) ? 1 : 0;
}

static void refuses_a_host_of_another_certificate_with_421(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT "hosts: [a.example, b.example]\n" ROUTE_ALL);
    gh_fixture_peer(&f, "192.0.2.1", true);
    f.peer.tls_pair = 0;
    f.peer.tls_pair_for = pair_for;
    assert_int_equal(gh_fixture_run(&f, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").kind,
                     GH_VERDICT_NEXT);
    gh_fixture_run(&f, "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
    assert_int_equal(f.request.reply.status, 421);
    gh_fixture_close(&f);
}

static void takes_hosts_from_the_environment(void **state)
{
    static const char *const ENV[] = {"ALLOWED_HOSTS", "one.example, *.two.example", NULL};
    struct gh_fixture f;
    gh_fixture_open_env(&f, ROUTE_ALL, ENV);
    assert_non_null(f.policy);
    assert_true(gh_host_set_contains(&f.policy->hosts, GH_STR("one.example")));
    assert_true(gh_host_set_contains(&f.policy->hosts, GH_STR("x.two.example")));
    assert_false(gh_host_set_contains(&f.policy->hosts, GH_STR("two.example")));
    gh_fixture_close(&f);
}

static void refuses_to_load_bad_patterns(void **state)
{
    static const char *const PATTERNS[] = {"Api.example.com",
                                           "api.example.com:443",
                                           "*example.com",
                                           "a.*.com",
                                           "http://a.example",
                                           "*.",
                                           "a..b"};
    for (size_t i = 0; i < sizeof(PATTERNS) / sizeof(PATTERNS[0]); i++) {
        struct gh_fixture f;
        char yaml[256];
        struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml));
        gh_buf_format(&buf, "hosts: [\"%s\"]\n" ROUTE_ALL, PATTERNS[i]);
        yaml[buf.len] = 0;
        gh_fixture_open(&f, yaml);
        if (f.policy)
            fail_msg("%s was accepted", PATTERNS[i]);
        gh_fixture_close(&f);
    }
}

static void requires_hosts_in_production(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, ROUTE_ALL);
    assert_null(f.policy);
    assert_true(gh_fixture_has_problem(&f, GH_CONFIG_ERROR, "hosts is required"));
    gh_fixture_close(&f);
}

/* ---- https ---- */

static void redirects_plain_get_to_the_same_host(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL "public_url: https://api.example.com\n");
    gh_fixture_run(&f, "GET /a/./b?x=1&y=%20 HTTP/1.1\r\nHost: x.apps.example.com:8080\r\n\r\n");
    const char *reply = gh_fixture_reply(&f);
    assert_memory_equal(reply, "308\n", 4);
    assert_string_equal(gh_fixture_value(&f, reply, "Location"),
                        "https://x.apps.example.com/a/b?x=1&y=%20");
    assert_string_equal(gh_fixture_value(&f, reply, "X-Frame-Options"), "DENY");
    assert_int_equal(gh_fixture_count(reply, "Cache-Control"), 1);
    gh_fixture_close(&f);
}

static void names_the_port_where_https_is_not_on_443(void **state)
{
    static const char *const CONFIGS[] = {
        PRODUCTION ROUTE_ALL "https: {port: 8443}\n",
        PRODUCTION ROUTE_ALL "public_url: \"https://api.example.com:8443\"\n",
    };
    for (size_t i = 0; i < 2; i++) {
        struct gh_fixture f;
        gh_fixture_open(&f, CONFIGS[i]);
        gh_fixture_run(&f, "HEAD / HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
        assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Location"),
                            "https://api.example.com:8443/");
        gh_fixture_close(&f);
    }
}

static void refuses_other_methods_in_clear(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL);
    gh_fixture_run(&f, "POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 3\r\n\r\n");
    assert_int_equal(f.request.reply.status, 403);
    assert_int_equal(f.request.verdict.reason, GH_REASON_HTTPS_REQUIRED);
    gh_fixture_close(&f);
}

static void a_listener_may_refuse_instead_of_redirecting(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL);
    f.peer.refuse_plain = true;
    gh_fixture_run(&f, "GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
    assert_int_equal(f.request.reply.status, 403);
    gh_fixture_close(&f);
}

static void does_not_redirect_what_a_trusted_proxy_calls_https(void **state)
{
    static const char REQUEST[] =
        "GET / HTTP/1.1\r\nHost: api.example.com\r\nX-Forwarded-Proto: https\r\n\r\n";
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL "trusted_proxies: [10.0.0.0/8]\n");
    gh_fixture_peer(&f, "10.0.0.1", false);
    assert_int_equal(gh_fixture_run(&f, REQUEST).kind, GH_VERDICT_NEXT);
    gh_fixture_peer(&f, "192.0.2.1", false);
    gh_fixture_run(&f, REQUEST);
    assert_int_equal(f.request.reply.status, 308);
    gh_fixture_close(&f);
}

static void exempts_probes_and_challenges_from_https(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL "https: {acme_directory: /var/acme}\n");
    gh_fixture_run(&f, "GET /healthz HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n");
    assert_int_equal(f.request.target, GH_TARGET_HEALTHZ);
    gh_fixture_run(&f, "GET /.well-known/acme-challenge/tok_en-1 HTTP/1.1\r\nHost: "
                       "api.example.com\r\n\r\n");
    assert_int_equal(f.request.target, GH_TARGET_ACME);
    assert_true(gh_str_eq(f.request.acme_token, GH_STR("tok_en-1")));
    gh_fixture_close(&f);
}

static void sends_https_of_other_hosts_to_public_url_only_when_told(void **state)
{
    static const char REQUEST[] = "GET /p?q HTTP/1.1\r\nHost: x.apps.example.com\r\n\r\n";
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL "public_url: https://api.example.com/\n");
    gh_fixture_peer(&f, "192.0.2.1", true);
    assert_int_equal(gh_fixture_run(&f, REQUEST).kind, GH_VERDICT_NEXT);
    gh_fixture_close(&f);
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL
                    "public_url: https://api.example.com/\nhttps: {canonical: true}\n");
    gh_fixture_peer(&f, "192.0.2.1", true);
    gh_fixture_run(&f, REQUEST);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Location"),
                        "https://api.example.com/p?q");
    gh_fixture_close(&f);
}

static void never_redirects_in_development(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT ROUTE_ALL);
    assert_int_equal(gh_fixture_run(&f, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").kind,
                     GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_listed_hosts_in_any_case_with_port_and_final_dot),
        cmocka_unit_test(refuses_hosts_that_are_not_listed),
        cmocka_unit_test(says_invalid_host_header_and_reflects_nothing),
        cmocka_unit_test(allows_localhost_and_loopback_in_development),
        cmocka_unit_test(a_star_alone_is_every_host),
        cmocka_unit_test(lets_probes_come_by_address),
        cmocka_unit_test(observes_without_refusing),
        cmocka_unit_test(refuses_a_host_of_another_certificate_with_421),
        cmocka_unit_test(takes_hosts_from_the_environment),
        cmocka_unit_test(refuses_to_load_bad_patterns),
        cmocka_unit_test(requires_hosts_in_production),
        cmocka_unit_test(redirects_plain_get_to_the_same_host),
        cmocka_unit_test(names_the_port_where_https_is_not_on_443),
        cmocka_unit_test(refuses_other_methods_in_clear),
        cmocka_unit_test(a_listener_may_refuse_instead_of_redirecting),
        cmocka_unit_test(does_not_redirect_what_a_trusted_proxy_calls_https),
        cmocka_unit_test(exempts_probes_and_challenges_from_https),
        cmocka_unit_test(sends_https_of_other_hosts_to_public_url_only_when_told),
        cmocka_unit_test(never_redirects_in_development),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
