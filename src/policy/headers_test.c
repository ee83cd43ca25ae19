#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "policy/header_presets.h"
#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define GET "GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n"
#define OK  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"

/* The answer to an upstream's head over https under `yaml`. */
static const char *answer_to(struct gh_fixture *f, const char *yaml, const char *upstream, bool tls)
{
    gh_fixture_open(f, yaml);
    assert_non_null(f->policy);
    gh_fixture_peer(f, "192.0.2.1", tls);
    assert_int_equal(gh_fixture_run(f, GET).kind, GH_VERDICT_NEXT);
    return gh_fixture_answer(f, upstream);
}

static void assert_header(struct gh_fixture *f, const char *answer, const char *name,
                          const char *value)
{
    if (gh_fixture_count(answer, name) != 1)
        fail_msg("%s stands %zu times in\n%s", name, gh_fixture_count(answer, name), answer);
    assert_string_equal(gh_fixture_value(f, answer, name), value);
}

static void preset_api_sends_what_the_specification_says(void **state)
{
    struct gh_fixture f;
    const char *answer = answer_to(&f, PRODUCTION ROUTE_ALL, OK "\r\n", true);
    assert_header(&f, answer, "Strict-Transport-Security", "max-age=63072000; includeSubDomains");
    assert_header(&f, answer, "X-Content-Type-Options", "nosniff");
    assert_header(&f, answer, "X-Frame-Options", "DENY");
    assert_header(&f, answer, "Referrer-Policy", "no-referrer");
    assert_header(&f, answer, "Cross-Origin-Opener-Policy", "same-origin");
    assert_header(&f, answer, "Cross-Origin-Resource-Policy", "same-origin");
    assert_header(&f, answer, "Content-Security-Policy",
                  "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors "
                  "'none'; sandbox");
    assert_header(&f, answer, "X-DNS-Prefetch-Control", "off");
    assert_header(&f, answer, "X-Permitted-Cross-Domain-Policies", "none");
    assert_header(&f, answer, "Cache-Control", "no-store");
    assert_int_equal(gh_fixture_count(answer, "X-XSS-Protection"), 0);
    assert_int_equal(gh_fixture_count(answer, "Content-Security-Policy-Report-Only"), 0);
    const char *permissions = gh_fixture_value(&f, answer, "Permissions-Policy");
    assert_non_null(strstr(permissions, "camera=(), "));
    assert_null(strstr(permissions, "interest-cohort"));
    assert_null(strstr(permissions, "publickey-credentials"));
    gh_fixture_close(&f);
}

static void replaces_and_removes_what_the_backend_says(void **state)
{
    struct gh_fixture f;
    const char *answer =
        answer_to(&f, PRODUCTION ROUTE_ALL,
                  OK "Server: nginx\r\nx-powered-by: Express\r\nX-AspNet-Version: 4\r\n"
                     "X-Generator: x\r\nX-XSS-Protection: 1\r\nX-Frame-Options: ALLOWALL\r\n"
                     "x-frame-options: SAMEORIGIN\r\nContent-Security-Policy: default-src *\r\n"
                     "Strict-Transport-Security: max-age=1\r\nCache-Control: max-age=60\r\n"
                     "Content-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n",
                  true);
    static const char *const GONE[] = {"Server", "X-Powered-By", "X-AspNet-Version", "X-Generator",
                                       "X-XSS-Protection"};
    for (size_t i = 0; i < sizeof(GONE) / sizeof(GONE[0]); i++)
        assert_int_equal(gh_fixture_count(answer, GONE[i]), 0);
    assert_header(&f, answer, "X-Frame-Options", "DENY");
    assert_header(&f, answer, "Strict-Transport-Security", "max-age=63072000; includeSubDomains");
    assert_header(&f, answer, "Cache-Control", "max-age=60");
    assert_header(&f, answer, "Content-Type", "text/plain");
    assert_int_equal(gh_fixture_count(answer, "Content-Security-Policy"), 1);
    assert_int_equal(gh_fixture_count(answer, "Set-Cookie"), 2);
    gh_fixture_close(&f);
}

static void keeps_the_backends_own_once_when_told_to(void **state)
{
    struct gh_fixture f;
    const char *answer =
        answer_to(&f, PRODUCTION ROUTE_ALL "headers: {on_conflict: keep}\n",
                  OK "X-Frame-Options: SAMEORIGIN\r\nX-Frame-Options: DENY\r\nServer: x\r\n"
                     "Content-Security-Policy: default-src 'self'\r\n"
                     "Content-Security-Policy: img-src a.example\r\n\r\n",
                  true);
    assert_header(&f, answer, "X-Frame-Options", "SAMEORIGIN");
    assert_header(&f, answer, "Content-Security-Policy", "default-src 'self', img-src a.example");
    assert_header(&f, answer, "Referrer-Policy", "no-referrer");
    assert_header(&f, answer, "Cache-Control", "no-store");
    assert_int_equal(gh_fixture_count(answer, "Server"), 0);
    gh_fixture_close(&f);
}

static void sends_hsts_only_where_it_is_meant(void **state)
{
    static const struct {
        const char *yaml;
        bool tls, sent;
    } CASES[] = {
        {"environment: development\n" ROUTE_ALL "hosts: [\"*\"]\n", true, false},
        {PRODUCTION ROUTE_ALL "https: off\n", false, false},
        {PRODUCTION ROUTE_ALL "https: off\n", true, true},
        {PRODUCTION ROUTE_ALL "https: off\nheaders: {hsts: {when: production}}\n", false, true},
        {"environment: development\n" ROUTE_ALL
         "hosts: [\"*\"]\nheaders: {hsts: {when: production}}\n",
         true, false},
        {"environment: development\n" ROUTE_ALL "hosts: [\"*\"]\nheaders: {hsts: {when: always}}\n",
         false, true},
        {PRODUCTION ROUTE_ALL "headers: {hsts: off}\n", true, false},
        {PRODUCTION ROUTE_ALL "https: off\nheaders: {set: {strict-transport-security: "
                              "max-age=9}}\n",
         false, false},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_fixture f;
        const char *answer = answer_to(&f, CASES[i].yaml, OK "\r\n", CASES[i].tls);
        if (gh_fixture_count(answer, "Strict-Transport-Security") != CASES[i].sent)
            fail_msg("case %zu", i);
        gh_fixture_close(&f);
    }
}

static void what_is_set_wins_over_the_preset(void **state)
{
    struct gh_fixture f;
    const char *answer = answer_to(
        &f,
        PRODUCTION ROUTE_ALL
        "headers: {hsts: {value: \"max-age=15552000; includeSubDomains\", when: always}, set: "
        "{Permissions-Policy: \"camera=(), microphone=(), geolocation=()\", "
        "X-XSS-Protection: \"1; mode=block\", referrer-policy: strict-origin-when-cross-origin, "
        "X-DNS-Prefetch-Control: \"\"}, remove: [X-Secret]}\n",
        OK "X-Secret: 1\r\nX-XSS-Protection: 0\r\n\r\n", true);
    assert_header(&f, answer, "Permissions-Policy", "camera=(), microphone=(), geolocation=()");
    assert_header(&f, answer, "X-XSS-Protection", "1; mode=block");
    assert_header(&f, answer, "Referrer-Policy", "strict-origin-when-cross-origin");
    assert_header(&f, answer, "Strict-Transport-Security", "max-age=15552000; includeSubDomains");
    assert_int_equal(gh_fixture_count(answer, "X-DNS-Prefetch-Control"), 0);
    assert_int_equal(gh_fixture_count(answer, "X-Secret"), 0);
    gh_fixture_close(&f);
}

static void opens_a_feature_to_the_site_that_uses_it(void **state)
{
    struct gh_fixture f;
    const char *answer = answer_to(
        &f, PRODUCTION ROUTE_ALL "headers: {permissions: [clipboard-write]}\n", OK "\r\n", true);
    const char *value = gh_fixture_value(&f, answer, "Permissions-Policy");
    assert_non_null(strstr(value, "clipboard-write=(self)"));
    assert_non_null(strstr(value, "clipboard-read=()"));
    gh_fixture_close(&f);
}

static void a_route_overlays_the_files_headers(void **state)
{
    struct gh_fixture f;
    const char *answer = answer_to(
        &f,
        PRODUCTION "headers: {set: {X-One: \"1\", X-Two: \"2\"}}\n"
                   "routes: [{path: /**, upstream: api, headers: {preset: spa, set: {X-Two: "
                   "\"3\"}}}]\n",
        OK "\r\n", true);
    assert_header(&f, answer, "X-One", "1");
    assert_header(&f, answer, "X-Two", "3");
    assert_header(&f, answer, "Origin-Agent-Cluster", "?1");
    gh_fixture_close(&f);
}

static void preset_spa_reports_the_strict_policy_beside_a_baseline(void **state)
{
    struct gh_fixture f;
    const char *answer =
        answer_to(&f, PRODUCTION ROUTE_ALL "headers: {preset: spa}\n", OK "\r\n", true);
    assert_header(&f, answer, "Content-Security-Policy",
                  "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
    assert_header(
        &f, answer, "Content-Security-Policy-Report-Only",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src "
        "'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'; upgrade-insecure-requests; "
        "require-trusted-types-for 'script'; report-uri /csp-report; report-to csp");
    assert_header(&f, answer, "Reporting-Endpoints", "csp=\"/csp-report\"");
    gh_fixture_close(&f);
}

static void enforces_own_directives_in_their_order_with_nothing_added(void **state)
{
    struct gh_fixture f;
    const char *answer =
        answer_to(&f,
                  PRODUCTION ROUTE_ALL
                  "csp:\n  directives:\n    script-src: [\"'self'\", \"'unsafe-inline'\"]\n"
                  "    default-src: \"'self'\"\n    img-src: [\"'self'\", \"data:\", \"https:\"]\n"
                  "    upgrade-insecure-requests: []\n",
                  OK "\r\n", true);
    assert_header(&f, answer, "Content-Security-Policy",
                  "script-src 'self' 'unsafe-inline'; default-src 'self'; img-src 'self' data: "
                  "https:; upgrade-insecure-requests");
    assert_int_equal(gh_fixture_count(answer, "Content-Security-Policy-Report-Only"), 0);
    assert_int_equal(gh_fixture_count(answer, "Reporting-Endpoints"), 0);
    gh_fixture_close(&f);
}

static void report_only_takes_the_baseline_from_own_directives(void **state)
{
    struct gh_fixture f;
    const char *answer = answer_to(
        &f,
        PRODUCTION ROUTE_ALL "csp: {mode: report_only, directives: {default-src: [\"'self'\"], "
                             "frame-ancestors: [\"https://a.example\"]}}\n",
        OK "\r\n", true);
    assert_header(&f, answer, "Content-Security-Policy",
                  "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors "
                  "https://a.example");
    assert_header(&f, answer, "Content-Security-Policy-Report-Only",
                  "default-src 'self'; frame-ancestors https://a.example; report-uri /csp-report; "
                  "report-to csp");
    gh_fixture_close(&f);
}

static void takes_a_csp_that_is_set_as_it_is(void **state)
{
    struct gh_fixture f;
    const char *answer = answer_to(
        &f,
        PRODUCTION ROUTE_ALL
        "headers: {preset: spa, set: {Content-Security-Policy: \"default-src 'self'\"}}\n",
        OK "\r\n", true);
    assert_header(&f, answer, "Content-Security-Policy", "default-src 'self'");
    assert_int_equal(gh_fixture_count(answer, "Content-Security-Policy-Report-Only"), 0);
    gh_fixture_close(&f);
}

static void csp_off_leaves_the_backends_own(void **state)
{
    struct gh_fixture f;
    const char *answer = answer_to(&f, PRODUCTION ROUTE_ALL "csp: {mode: off}\n",
                                   OK "Content-Security-Policy: default-src 'self'\r\n\r\n", true);
    assert_header(&f, answer, "Content-Security-Policy", "default-src 'self'");
    gh_fixture_close(&f);
}

static void preset_off_adds_and_removes_nothing(void **state)
{
    struct gh_fixture f;
    const char *answer = answer_to(&f, PRODUCTION ROUTE_ALL "headers: {preset: off}\n",
                                   OK "Server: x\r\nX-Frame-Options: SAMEORIGIN\r\n\r\n", true);
    assert_header(&f, answer, "Server", "x");
    assert_header(&f, answer, "X-Frame-Options", "SAMEORIGIN");
    assert_int_equal(gh_fixture_count(answer, "Content-Security-Policy"), 0);
    assert_int_equal(gh_fixture_count(answer, "Strict-Transport-Security"), 0);
    gh_fixture_close(&f);
}

static void stands_once_on_every_kind_of_answer(void **state)
{
    static const char *const UPSTREAMS[] = {OK "\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n",
                                            "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n",
                                            "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
                                            "HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n"};
    for (size_t i = 0; i < sizeof(UPSTREAMS) / sizeof(UPSTREAMS[0]); i++) {
        struct gh_fixture f;
        const char *answer = answer_to(&f, PRODUCTION ROUTE_ALL, UPSTREAMS[i], true);
        assert_header(&f, answer, "X-Content-Type-Options", "nosniff");
        assert_header(&f, answer, "Content-Security-Policy",
                      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors "
                      "'none'; sandbox");
        assert_header(&f, answer, "Cache-Control", "no-store");
        assert_int_equal(gh_fixture_count(answer, "Date"), 1);
        assert_int_equal(gh_fixture_count(answer, "X-Request-Id"), 1);
        gh_fixture_close(&f);
    }
}

static void refusals_are_never_cacheable_whatever_is_set(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL
                    "headers: {set: {Cache-Control: \"public, max-age=60\"}}\n");
    assert_non_null(f.policy);
    gh_fixture_peer(&f, "192.0.2.1", true);
    gh_fixture_run(&f, "GET / HTTP/1.1\r\nHost: evil.com\r\n\r\n");
    assert_header(&f, gh_fixture_reply(&f), "Cache-Control", "no-store");
    gh_fixture_close(&f);
    const char *answer = answer_to(&f, PRODUCTION ROUTE_ALL "headers: {preset: owasp}\n",
                                   OK "Cache-Control: public\r\n\r\n", true);
    assert_header(&f, answer, "Cache-Control", "no-store, max-age=0");
    gh_fixture_run(&f, "GET / HTTP/1.1\r\nHost: evil.com\r\n\r\n");
    assert_header(&f, gh_fixture_reply(&f), "Cache-Control", "no-store, max-age=0");
    gh_fixture_close(&f);
}

/* "name": "X", "value": "Y" pairs of headers_add.json; written for that file, no JSON reader. */
static void preset_owasp_is_the_projects_proposal_to_the_letter(void **state)
{
    FILE *file = fopen("../shared/conformance/owasp-secure-headers/headers_add.json", "r");
    if (!file)
        file = fopen("../../shared/conformance/owasp-secure-headers/headers_add.json", "r");
    if (!file) {
        print_message("no conformance data here\n");
        skip();
    }
    struct gh_fixture f;
    const char *answer =
        answer_to(&f, PRODUCTION ROUTE_ALL "headers: {preset: owasp}\n", OK "\r\n", true);
    char line[4096], name[256] = "", value[4096];
    size_t compared = 0;
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, " \"name\": \"%255[^\"]\"", name) == 1)
            continue;
        if (sscanf(line, " \"value\": \"%4095[^\n]", value) != 1 ||
            strcmp(name, "Clear-Site-Data") == 0)
            continue;
        value[strlen(value) - 1] = 0; /* the closing quote */
        assert_header(&f, answer, name, value);
        compared++;
    }
    fclose(file);
    assert_int_equal(compared, 12);
    gh_fixture_close(&f);
}

static void refuses_to_load_headers_that_would_break_the_message(void **state)
{
    static const char *const SETS[] = {
        "{\"X Y\": a}",           "{X-A: \"a\\r\\nX-B: b\"}",
        "{X-A: \"a\\n\"}",        "{Content-Length: 5}",
        "{Transfer-Encoding: x}", "{Vary: Origin}",
        "{Connection: close}",    "{Access-Control-Allow-Origin: \"*\"}",
        "{X-A: \"\\x01\"}",       "{X-A: \"\\u00e9\"}",
    };
    for (size_t i = 0; i < sizeof(SETS) / sizeof(SETS[0]); i++) {
        struct gh_fixture f;
        char yaml[256];
        struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml));
        gh_buf_format(&buf, PRODUCTION ROUTE_ALL "headers: {set: %s}\n", SETS[i]);
        yaml[buf.len] = 0;
        gh_fixture_open(&f, yaml);
        if (f.policy)
            fail_msg("%s was accepted", SETS[i]);
        gh_fixture_close(&f);
    }
}

static void refuses_two_policies_in_one_place(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL
                    "headers: {set: {content-security-policy: \"default-src 'self'\"}}\n"
                    "csp: {mode: enforce}\n");
    assert_null(f.policy);
    assert_true(gh_fixture_has_problem(&f, GH_CONFIG_ERROR, "although there is a csp section"));
    gh_fixture_close(&f);
}

static void warns_of_directives_and_keywords_that_browsers_ignore(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL
                    "csp: {directives: {defualt-src: [\"'self'\"], img-src: [self]}}\n");
    assert_non_null(f.policy);
    assert_true(gh_fixture_has_problem(&f, GH_CONFIG_WARNING, "defualt-src"));
    assert_true(gh_fixture_has_problem(&f, GH_CONFIG_WARNING, "did you mean \"default-src\""));
    assert_true(gh_fixture_has_problem(&f, GH_CONFIG_WARNING, "\"self\" without quotes"));
    gh_fixture_close(&f);
}

static void refuses_sources_that_would_end_the_directive(void **state)
{
    static const char *const SOURCES[] = {"a.example; script-src *", "a.example, default-src *",
                                          "a b", "\\n"};
    for (size_t i = 0; i < sizeof(SOURCES) / sizeof(SOURCES[0]); i++) {
        struct gh_fixture f;
        char yaml[256];
        struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml));
        gh_buf_format(&buf, PRODUCTION ROUTE_ALL "csp: {directives: {img-src: [\"%s\"]}}\n",
                      SOURCES[i]);
        yaml[buf.len] = 0;
        gh_fixture_open(&f, yaml);
        assert_null(f.policy);
        gh_fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preset_api_sends_what_the_specification_says),
        cmocka_unit_test(replaces_and_removes_what_the_backend_says),
        cmocka_unit_test(keeps_the_backends_own_once_when_told_to),
        cmocka_unit_test(sends_hsts_only_where_it_is_meant),
        cmocka_unit_test(what_is_set_wins_over_the_preset),
        cmocka_unit_test(opens_a_feature_to_the_site_that_uses_it),
        cmocka_unit_test(a_route_overlays_the_files_headers),
        cmocka_unit_test(preset_spa_reports_the_strict_policy_beside_a_baseline),
        cmocka_unit_test(enforces_own_directives_in_their_order_with_nothing_added),
        cmocka_unit_test(report_only_takes_the_baseline_from_own_directives),
        cmocka_unit_test(takes_a_csp_that_is_set_as_it_is),
        cmocka_unit_test(csp_off_leaves_the_backends_own),
        cmocka_unit_test(preset_off_adds_and_removes_nothing),
        cmocka_unit_test(stands_once_on_every_kind_of_answer),
        cmocka_unit_test(refusals_are_never_cacheable_whatever_is_set),
        cmocka_unit_test(preset_owasp_is_the_projects_proposal_to_the_letter),
        cmocka_unit_test(refuses_to_load_headers_that_would_break_the_message),
        cmocka_unit_test(refuses_two_policies_in_one_place),
        cmocka_unit_test(warns_of_directives_and_keywords_that_browsers_ignore),
        cmocka_unit_test(refuses_sources_that_would_end_the_directive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
