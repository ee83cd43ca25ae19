#include "app/config_checks.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "config/render_problems.h"

/* 2026-01-15 */
#define NOW 1768435200

/* A file that nothing is wrong with; a test replaces or adds lines. */
#define HEAD   "version: 1\nhosts: [a.example]\n"
#define TLS    "listen: {address: \"0.0.0.0:8443\", tls: {certificate: c, key: k}}\n"
#define LIMITS "rate_limits: {global: {limit: 100/second, key: client}}\n"
#define API    "upstreams: {api: {servers: [http://10.0.0.5:8000]}}\n"
#define ROUTES "routes: [{path: /**, upstream: api, access: public}]\n"

static void expect(const char *text, const char *expected)
{
    struct test_load test;
    struct gh_root_settings settings;
    test_load_init(&test, NULL);
    if (gh_root_load(&test.load, gh_str_from_c(text), NULL, &settings))
        gh_config_check(&test.load, &settings, NOW);
    assert_string_equal(test_load_problems(&test), expected);
    test_load_done(&test);
}

static void finds_nothing_in_a_sound_file(void **state)
{
    (void)state;
    expect(HEAD TLS LIMITS API ROUTES, "");
}

static void refuses_addresses_that_take_in_each_other(void **state)
{
    (void)state;
    expect(HEAD "listen:\n  - {address: \"0.0.0.0:8443\", tls: {certificate: c, key: k}}\n"
                "  - 127.0.0.1:8443\n  - \"[::1]:8443\"\n  - 127.0.0.1:8080\n"
                "admin_listen: \"[::]:8443\"\n" LIMITS API ROUTES,
           "5:5 127.0.0.1:8443 overlaps another listener: 0.0.0.0 and [::] take in every address | "
           "give one of them another port\n"
           "8:15 [::]:8443 overlaps another listener: 0.0.0.0 and [::] take in every address | "
           "give one of them another port\n");
}

static void warns_of_a_sandbox_that_is_required_and_not_there(void **state)
{
    (void)state;
    expect(HEAD TLS LIMITS API ROUTES "sandbox: {required: true}\n", "");
    expect(
        HEAD TLS LIMITS API ROUTES "sandbox:\n  mode: off\n  required: true\n",
        "9:13 warning: required has no effect here: with this mode nothing is held | write mode: "
        "enforce, or leave it out\n");
}

static void refuses_addresses_that_are_none_or_stand_twice(void **state)
{
    (void)state;
    expect(HEAD "listen:\n  - {address: \"0.0.0.0:8443\", tls: {certificate: c, key: k}}\n"
                "  - 0.0.0.0:99999\n  - 0.0.0.0:8443\n  - unix:/run/a\n  - unix:/run/a\n"
                "admin_listen: 0.0.0.0:8443\n" LIMITS API ROUTES,
           "5:5 \"0.0.0.0:99999\" is no address to listen on | write 127.0.0.1:8080, [::1]:8080 "
           "or unix:/path\n"
           "6:5 the address 0.0.0.0:8443 stands here twice | keep one of them\n"
           "8:5 the address unix:/run/a stands here twice | keep one of them\n"
           "9:15 the address 0.0.0.0:8443 stands here twice | keep one of them\n");
    expect(HEAD "listen: []\n" LIMITS API ROUTES,
           "3:9 there is nothing to listen on | write an address\n"
           "3:9 warning: in production without a TLS listener and without trusted_proxies every "
           "request counts as plain: it is redirected or refused, and Strict-Transport-Security is "
           "never sent | add tls to a listener, or name the proxy that ends TLS in "
           "trusted_proxies\n");
}

static void refuses_h2c_beside_tls(void **state)
{
    (void)state;
    expect(HEAD "listen: {address: \"0.0.0.0:8443\", tls: {certificate: c, key: k}, h2c: true}\n"
                "" LIMITS API ROUTES,
           "3:71 h2c is HTTP/2 without TLS, and this listener has TLS | leave it out: `http2` is "
           "for listeners with `tls`\n");
}

static void warns_of_metrics_for_everyone(void **state)
{
    (void)state;
    expect(HEAD TLS "admin_listen: 0.0.0.0:9090\n" LIMITS API ROUTES,
           "4:15 warning: admin_listen can be reached from other machines, and /metrics asks for "
           "no password | listen on 127.0.0.1, [::1] or a Unix socket\n");
    expect(HEAD TLS "admin_listen: \"[::1]:9090\"\n" LIMITS API ROUTES, "");
    expect(HEAD TLS "admin_listen: unix:/run/admin\n" LIMITS API ROUTES, "");
}

static void warns_of_production_without_tls(void **state)
{
    (void)state;
    static const char warning[] =
        "3:9 warning: in production without a TLS listener and without trusted_proxies every "
        "request counts as plain: it is redirected or refused, and Strict-Transport-Security is "
        "never sent | add tls to a listener, or name the proxy that ends TLS in "
        "trusted_proxies\n";
    expect(HEAD "listen: [ \"0.0.0.0:8080\" ]\n" LIMITS API ROUTES, warning);
    expect(HEAD "listen: 0.0.0.0:8080\ntrusted_proxies: [10.0.0.0/8]\n" LIMITS API ROUTES, "");
    expect(HEAD "listen: 0.0.0.0:8080\nenvironment: development\n" LIMITS API ROUTES, "");
    expect(HEAD "listen: 0.0.0.0:8080\nhttps: off\n" LIMITS API ROUTES,
           "4:8 warning: https.mode is off in production: passwords and cookies may travel in "
           "clear | leave it at enforce\n");
}

static void warns_of_hsts_that_browsers_ignore(void **state)
{
    (void)state;
    expect(HEAD "listen: 0.0.0.0:8080\nenvironment: development\nheaders: {hsts: {when: "
                "always}}\n" LIMITS API ROUTES,
           "5:24 warning: Strict-Transport-Security will be sent, but browsers heed it only over "
           "https | serve TLS, or name trusted_proxies\n");
}

static void warns_of_trusted_networks_full_of_strangers(void **state)
{
    (void)state;
    expect(HEAD TLS
           "trusted_proxies: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 127.0.0.1, "
           "203.0.113.7, 198.51.100.0/24, \"fd00::/8\", \"2001:db8:1::/48\", unix]\n" LIMITS API
               ROUTES,
           "");
    expect(HEAD TLS "trusted_proxies:\n  - 8.0.0.0/6\n  - 203.0.0.0/16\n  - 2001:db8::/32\n"
                    "  - 172.0.0.0/8\n" LIMITS API ROUTES,
           "5:5 warning: trusted_proxies has 8.0.0.0/6, which is wider than any private network: "
           "every host in it can choose the client address it claims | name only the addresses of "
           "your own proxies\n"
           "6:5 warning: trusted_proxies has 203.0.0.0/16, which is wider than any private "
           "network: every host in it can choose the client address it claims | name only the "
           "addresses of your own proxies\n"
           "7:5 warning: trusted_proxies has 2001:db8::/32, which is wider than any private "
           "network: every host in it can choose the client address it claims | name only the "
           "addresses of your own proxies\n"
           "8:5 warning: trusted_proxies has 172.0.0.0/8, which is wider than any private network: "
           "every host in it can choose the client address it claims | name only the addresses of "
           "your own proxies\n");
}

static void warns_of_any_host_unless_a_proxy_checks_it(void **state)
{
    (void)state;
    expect("version: 1\nhosts: [\"*\"]\n" TLS LIMITS API ROUTES,
           "2:9 warning: hosts has \"*\": any Host is believed | list your hosts, unless a proxy "
           "in front checks them (then name it in trusted_proxies)\n");
    expect("version: 1\nhosts: {mode: off, allow: [a.example]}\n" TLS LIMITS API ROUTES,
           "2:15 warning: hosts.mode is off in production: any Host is believed | leave it at "
           "enforce\n");
    expect("version: 1\nhosts: [\"*\"]\ntrusted_proxies: [10.0.0.0/8]\n" TLS LIMITS API ROUTES, "");
}

static void looks_at_every_server_of_an_upstream(void **state)
{
    (void)state;
    expect(HEAD TLS LIMITS "upstreams:\n  api:\n    servers:\n      - http://8.8.8.8\n"
                           "      - http://api.example.com:8000\n      - https://api.example.com\n"
                           "      - http://localhost:1\n      - http://api:1\n"
                           "      - http://a.svc.cluster.local\n      - unix:/run/api\n"
                           "      - ftp://x\n" ROUTES,
           "8:9 warning: http://8.8.8.8 is outside your network and is spoken to in clear | use "
           "https\n"
           "9:9 warning: http://api.example.com:8000 is outside your network and is spoken to in "
           "clear | use https\n"
           "15:9 \"ftp://x\" is no server's address | a server is http://host:port, "
           "https://host:port or unix:/path\n");
    expect(HEAD TLS LIMITS "upstreams: {api: {servers: []}}\n" ROUTES,
           "5:13 the upstream \"api\" has no servers | write its servers\n");
}

static void warns_of_what_nothing_uses(void **state)
{
    (void)state;
    expect(HEAD TLS
           "rate_limits:\n  global: {limit: 100/second, key: client}\n"
           "  login: {limit: 5/minute, key: client}\n  odd: {limit: 5/minute, key: "
           "client}\n  used: {limit: 5/minute, key: client}\n"
           "upstreams: {api: {servers: [http://10.0.0.5]}, old: {servers: [http://10.0.0.6]}}\n"
           "routes: [{path: /**, upstream: api, rate_limit: used}]\n",
           "7:3 warning: no route uses the rate limit \"odd\" | name it in a route's rate_limit, "
           "or leave it out\n"
           "9:48 warning: no route uses the upstream \"old\" | name it in a route, or leave it "
           "out\n");
}

static void warns_of_routes_without_limits(void **state)
{
    (void)state;
    expect(HEAD TLS API ROUTES, "0:0 warning: 1 of 1 routes have no rate limit | add rate_limits: "
                                "{global: {limit: 100/second, burst: 200, key: client}}\n");
    expect(HEAD TLS LIMITS API "routes:\n  - {path: /**, upstream: api}\n"
                               "  - {path: /free, upstream: api, rate_limit: []}\n",
           "8:46 warning: the route /free has no rate limit | leave rate_limit out to have the "
           "global limit\n");
}

static void warns_of_huge_bodies(void **state)
{
    (void)state;
    expect(HEAD TLS LIMITS API "limits: {request_body: 2GiB}\n"
                               "routes: [{path: /**, upstream: api, request_body: 3GiB}]\n",
           "6:24 warning: request_body over 1 GiB: a single client can fill the backend | set it "
           "on the route that needs it\n"
           "7:51 warning: request_body over 1 GiB: a single client can fill the backend | upload "
           "in parts\n");
}

static void looks_at_the_date_of_security_txt(void **state)
{
    (void)state;
#define SECURITY(date)                                                                             \
    HEAD TLS LIMITS API ROUTES "security_txt: {contact: \"mailto:a@b.example\", expires: " date    \
                               "}\n"
    expect(SECURITY("2026-01-15"), "");
    expect(SECURITY("2027-01-15"), "");
    expect(SECURITY("2026-01-14"), "7:56 warning: security_txt.expires is past: nobody believes "
                                   "the file any more | look through the file and set a new "
                                   "date\n");
    expect(SECURITY("2027-01-17"), "7:56 warning: security_txt.expires is more than a year ahead | "
                                   "set a date within a year\n");
    expect(SECURITY("2024-02-29T10:00:00Z"),
           "7:56 warning: security_txt.expires is past: nobody believes the file any more | look "
           "through the file and set a new date\n");
}

static void refuses_passwords_written_out_in_urls(void **state)
{
    (void)state;
    struct test_load test;
    struct gh_root_settings settings;
    test_load_init(&test, NULL);
    static const char text[] =
        HEAD TLS LIMITS "upstreams:\n  api:\n    servers: [http://u:hunter2@10.0.0.5]\n" ROUTES
                        "redis: redis://:hunter2@cache\n";
    assert_false(gh_root_load(&test.load, gh_str_from_c(text), NULL, &settings));
    assert_string_equal(test_load_problems(&test),
                        "7:15 a password is written out in a URL | take it from the environment: "
                        "${NAME}\n"
                        "9:8 a password is written out in a URL | take it from the environment: "
                        "${NAME}\n");
    test_load_done(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_nothing_in_a_sound_file),
        cmocka_unit_test(refuses_addresses_that_are_none_or_stand_twice),
        cmocka_unit_test(refuses_h2c_beside_tls),
        cmocka_unit_test(warns_of_metrics_for_everyone),
        cmocka_unit_test(warns_of_production_without_tls),
        cmocka_unit_test(refuses_addresses_that_take_in_each_other),
        cmocka_unit_test(warns_of_a_sandbox_that_is_required_and_not_there),
        cmocka_unit_test(warns_of_hsts_that_browsers_ignore),
        cmocka_unit_test(warns_of_trusted_networks_full_of_strangers),
        cmocka_unit_test(warns_of_any_host_unless_a_proxy_checks_it),
        cmocka_unit_test(looks_at_every_server_of_an_upstream),
        cmocka_unit_test(warns_of_what_nothing_uses),
        cmocka_unit_test(warns_of_routes_without_limits),
        cmocka_unit_test(warns_of_huge_bodies),
        cmocka_unit_test(looks_at_the_date_of_security_txt),
        cmocka_unit_test(refuses_passwords_written_out_in_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
