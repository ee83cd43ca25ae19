#include "app/root_config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "config/render_problems.h"

#define NOW 1768435200 /* 2026-01-15 */

/* SPEC section 2, without what is not available yet. */
static const char EXAMPLE[] =
    "version: 1\n"
    "environment: production\n"
    "listen:\n"
    "  - address: 0.0.0.0:8443\n"
    "    tls: {certificate: tls.crt, key: tls.key}\n"
    "  - address: 0.0.0.0:8080\n"
    "  - address: unix:/run/gatehouse.sock\n"
    "public_url: https://api.example.com\n"
    "https: {mode: enforce, port: 443}\n"
    "admin_listen: 127.0.0.1:9090\n"
    "log: {client: prefix}\n"
    "hosts: [api.example.com, \"*.example.com\"]\n"
    "trusted_proxies: [10.0.0.0/8]\n"
    "upstreams:\n"
    "  api:\n"
    "    servers: [http://10.0.0.5:8000, http://10.0.0.6:8000]\n"
    "    balance: least_requests\n"
    "    health: {path: /health, interval: 5s}\n"
    "    timeouts: {connect: 2s, response: 30s, idle: 60s}\n"
    "headers:\n"
    "  preset: api\n"
    "  hsts: {value: \"max-age=63072000; includeSubDomains\", when: https}\n"
    "  on_conflict: replace\n"
    "  set: {Permissions-Policy: \"camera=(), microphone=(), geolocation=()\"}\n"
    "  remove: [Server, X-Powered-By]\n"
    "csp:\n"
    "  mode: report_only\n"
    "  directives:\n"
    "    default-src: [\"'self'\"]\n"
    "    connect-src: [\"'self'\", \"https://*.supabase.co\"]\n"
    "cors:\n"
    "  origins: [https://app.example.com]\n"
    "  methods: [GET, POST]\n"
    "  headers: [Content-Type, Authorization, Accept]\n"
    "  expose: [RateLimit, RateLimit-Policy]\n"
    "  credentials: true\n"
    "  max_age: 10m\n"
    "limits:\n"
    "  request_body: 1MiB\n"
    "  request_head: 16KiB\n"
    "  header_count: 100\n"
    "  target_length: 8KiB\n"
    "  head_timeout: 10s\n"
    "  body_timeout: 30s\n"
    "  connections_per_client: 256\n"
    "rate_limits:\n"
    "  global:  {limit: 100/second, burst: 200, key: client}\n"
    "  login:   {limit: 5/minute,  key: client}\n"
    "redis: ${REDIS_URL:-}\n"
    "security_txt: {contact: \"mailto:security@example.com\", expires: 2026-12-30}\n"
    "routes:\n"
    "  - path: /health\n"
    "    upstream: api\n"
    "    access: public\n"
    "  - path: /api/v1/users/{user_id}/**\n"
    "    methods: [GET, PATCH]\n"
    "    upstream: api\n"
    "    rate_limit: global\n"
    "  - path: /**\n"
    "    upstream: api\n"
    "    headers: {preset: spa}\n";

static void loads_the_example_of_the_documentation(void **state)
{
    (void)state;
    struct test_load test;
    struct gh_root_settings s;
    test_load_init(&test, NULL);
    bool loaded = gh_root_load(&test.load, gh_str_from_c(EXAMPLE), NULL, &s);
    assert_string_equal(test_load_problems(&test), "");
    assert_true(loaded);
    const struct gh_listener_settings *listeners = s.listeners.items;
    assert_int_equal(s.listeners.count, 3);
    assert_int_equal(listeners[0].tls.count, 1);
    const struct gh_tls_pair_settings *pair = listeners[0].tls.items;
    assert_string_equal(pair->certificate.ptr, "tls.crt");
    assert_string_equal(pair->key.ptr, "tls.key");
    assert_int_equal(listeners[1].tls.count, 0);
    assert_int_equal(s.policy.tls_port, 8443);
    assert_true(s.policy.csp_given && s.policy.cors_given);
    assert_int_equal(s.policy.limits.request_body, 1048576);
    assert_int_equal(s.policy.routes.count, 3);
    assert_int_equal(s.upstreams.count, 1);
    assert_int_equal(s.log.client, GH_LOG_CLIENT_PREFIX);
    assert_non_null(gh_root_compile(&test.load, &s, NOW));
    assert_string_equal(test_load_problems(&test), "");
    test_load_done(&test);
}

static void several_certificates_stand_in_a_list(void **state)
{
    (void)state;
    struct test_load test;
    struct gh_root_settings s;
    test_load_init(&test, NULL);
    assert_true(gh_root_load(&test.load,
                             GH_STR("version: 1\nlisten:\n  - address: 0.0.0.0:1\n    tls:\n"
                                    "      - {certificate: a, key: b}\n"
                                    "      - {certificate: c, key: d}\n"
                                    "    proxy_protocol: true\n    plain: refuse\n"
                                    "  - {address: \"0.0.0.0:2\", h2c: true, http2: false}\n"),
                             NULL, &s));
    const struct gh_listener_settings *listeners = s.listeners.items;
    assert_int_equal(listeners[0].tls.count, 2);
    assert_true(listeners[0].proxy_protocol);
    assert_int_equal(listeners[0].plain, GH_PLAIN_REFUSE);
    assert_true(listeners[0].http2 && !listeners[0].h2c);
    assert_true(listeners[1].h2c && !listeners[1].http2);
    assert_false(s.policy.csp_given || s.policy.cors_given);
    test_load_done(&test);
}

static void the_environment_wins_where_it_is_named(void **state)
{
    (void)state;
    static const char *const environment[] = {
        "ENVIRONMENT",          "development",  "ALLOWED_HOSTS",
        "a.example, b.example", "CORS_ORIGINS", "http://localhost:3000",
        "MAX_REQUEST_SIZE",     "1048577",      NULL};
    struct test_load test;
    struct gh_root_settings s;
    test_load_init(&test, environment);
    assert_true(gh_root_load(&test.load, GH_STR("version: 1\nhosts: [x.example]\n"), NULL, &s));
    assert_int_equal(s.policy.environment, GH_DEVELOPMENT);
    assert_int_equal(s.policy.hosts.allow.count, 2);
    assert_true(s.policy.cors_given);
    assert_int_equal(s.policy.cors.origins.count, 1);
    assert_int_equal(s.policy.limits.request_body, 1048577);
    test_load_done(&test);
}

static void listen_takes_the_place_of_the_file_s_listeners(void **state)
{
    (void)state;
    struct test_load test;
    struct gh_root_settings s;
    test_load_init(&test, NULL);
    assert_true(gh_root_load(&test.load, gh_str_from_c(EXAMPLE), "127.0.0.1:1", &s));
    const struct gh_listener_settings *listeners = s.listeners.items;
    assert_int_equal(s.listeners.count, 1);
    assert_true(gh_str_eq(listeners[0].address, GH_STR("127.0.0.1:1")));
    assert_int_equal(s.policy.tls_port, 0);
    test_load_done(&test);
}

static void an_upstream_alone_has_safe_defaults(void **state)
{
    (void)state;
    struct test_load test;
    struct gh_root_settings s;
    test_load_init(&test, NULL);
    bool loaded = gh_root_load_upstream(&test.load, "http://127.0.0.1:8000", NULL, &s);
    assert_string_equal(test_load_problems(&test), "");
    assert_true(loaded);
    assert_int_equal(s.policy.environment, GH_DEVELOPMENT);
    const struct gh_listener_settings *listeners = s.listeners.items;
    assert_true(gh_str_eq(listeners[0].address, GH_STR("127.0.0.1:8080")));
    assert_int_equal(s.policy.limits.request_body, 1048576);
    const struct gh_rate_settings *rates = s.policy.rate_limits.items;
    assert_int_equal(rates[0].limit.count, 100);
    assert_int_equal(rates[0].limit.window_ms, 1000);
    assert_int_equal(rates[0].burst, 200);
    const struct gh_upstream_settings *upstreams = s.upstreams.items;
    assert_true(gh_str_eq(((struct gh_str *)upstreams[0].servers.items)[0],
                          GH_STR("http://127.0.0.1:8000")));
    assert_int_equal(s.policy.routes.count, 1);
    assert_non_null(gh_root_compile(&test.load, &s, NOW));
    assert_string_equal(test_load_problems(&test), "");
    test_load_done(&test);
}

static void an_upstream_on_the_command_line_is_taken_to_the_letter(void **state)
{
    (void)state;
    static const char *const texts[] = {"it's: [odd", "${HOME}", "x # y", "$${A}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct test_load test;
        struct gh_root_settings s;
        test_load_init(&test, NULL);
        assert_true(gh_root_load_upstream(&test.load, texts[i], "127.0.0.1:0", &s));
        const struct gh_upstream_settings *upstreams = s.upstreams.items;
        assert_true(
            gh_str_eq(((struct gh_str *)upstreams[0].servers.items)[0], gh_str_from_c(texts[i])));
        assert_null(gh_root_compile(&test.load, &s, NOW)); /* it is no URL */
        test_load_done(&test);
    }
}

static void expect_problems(const char *text, const char *expected)
{
    struct test_load test;
    struct gh_root_settings s;
    test_load_init(&test, NULL);
    assert_int_equal(gh_root_load(&test.load, gh_str_from_c(text), NULL, &s), *expected == '\0');
    assert_string_equal(test_load_problems(&test), expected);
    test_load_done(&test);
}

static void refuses_what_comes_later(void **state)
{
    (void)state;
    expect_problems("version: 1\nredis: redis://cache\n\nroutes: [{path: /a, site: b}]\n",
                    "4:21 site is not available yet | leave it out; it comes with a later "
                    "version\n");
    expect_problems("version: 1\nredis:\nstore: ${DATABASE_URL:-}\nidentity: ~\n", "");
}

static void refuses_another_version_and_none(void **state)
{
    (void)state;
    expect_problems("version: 2\n", "1:10 version: must be 1, found 2\n");
    expect_problems("hosts: [a.example]\n",
                    "1:1 missing key \"version\" | The version of this format: write `version: "
                    "1`.\n");
    expect_problems("", "1:1 missing key \"version\" | The version of this format: write "
                        "`version: 1`.\n");
}

static void names_the_nearest_key_in_every_table(void **state)
{
    (void)state;
    expect_problems("version: 1\n"
                    "enviroment: production\n"
                    "lisen: []\n"
                    "hsots: [a]\n"
                    "listen:\n"
                    "  - adress: 0.0.0.0:1\n"
                    "    address: 0.0.0.0:1\n"
                    "    tls: {certifcate: a, certificate: a, key: b}\n"
                    "https: {mdoe: off}\n"
                    "cors: {orgins: [], credentails: true}\n"
                    "limits: {request_bdy: 1}\n"
                    "headers: {prest: api, hsts: {vlaue: x}}\n"
                    "csp: {directive: {}}\n"
                    "upstreams:\n"
                    "  api:\n"
                    "    servers: [http://a]\n"
                    "    healt: {path: /}\n"
                    "    timeouts: {conect: 1s}\n"
                    "rate_limits: {global: {limit: 1/second, brust: 2}}\n"
                    "log: {clinet: none}\n"
                    "routes:\n"
                    "  - path: /\n"
                    "    upstream: api\n"
                    "    acces: public\n"
                    "    ratelimit: x\n",
                    "2:1 unknown key \"enviroment\" | did you mean \"environment\"?\n"
                    "3:1 unknown key \"lisen\" | did you mean \"listen\"?\n"
                    "4:1 unknown key \"hsots\" | did you mean \"hosts\"?\n"
                    "6:5 unknown key \"adress\" in listen | did you mean \"address\"?\n"
                    "8:11 unknown key \"certifcate\" in tls | did you mean \"certificate\"?\n"
                    "9:9 unknown key \"mdoe\" in https | did you mean \"mode\"?\n"
                    "10:8 unknown key \"orgins\" in cors | did you mean \"origins\"?\n"
                    "10:20 unknown key \"credentails\" in cors | did you mean \"credentials\"?\n"
                    "11:10 unknown key \"request_bdy\" in limits | did you mean "
                    "\"request_body\"?\n"
                    "12:11 unknown key \"prest\" in headers | did you mean \"preset\"?\n"
                    "12:30 unknown key \"vlaue\" in hsts | did you mean \"value\"?\n"
                    "13:7 unknown key \"directive\" in csp | did you mean \"directives\"?\n"
                    "17:5 unknown key \"healt\" in upstream | did you mean \"health\"?\n"
                    "18:16 unknown key \"conect\" in timeouts | did you mean \"connect\"?\n"
                    "19:41 unknown key \"brust\" in rate_limits | did you mean \"burst\"?\n"
                    "20:7 unknown key \"clinet\" in log | did you mean \"client\"?\n"
                    "24:5 unknown key \"acces\" in routes | did you mean \"access\"?\n"
                    "25:5 unknown key \"ratelimit\" in routes | did you mean \"rate_limit\"?\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_the_example_of_the_documentation),
        cmocka_unit_test(several_certificates_stand_in_a_list),
        cmocka_unit_test(the_environment_wins_where_it_is_named),
        cmocka_unit_test(listen_takes_the_place_of_the_file_s_listeners),
        cmocka_unit_test(an_upstream_alone_has_safe_defaults),
        cmocka_unit_test(an_upstream_on_the_command_line_is_taken_to_the_letter),
        cmocka_unit_test(refuses_what_comes_later),
        cmocka_unit_test(refuses_another_version_and_none),
        cmocka_unit_test(names_the_nearest_key_in_every_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
