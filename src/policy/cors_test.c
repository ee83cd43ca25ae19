#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define CORS                                                                                       \
    "cors: {origins: [\"https://app.example.com\", \"https://*.apps.example\"], methods: [GET, "   \
    "POST], headers: [Content-Type, Authorization, Accept], credentials: true}\n"
#define PREFLIGHT "OPTIONS /x HTTP/1.1\r\nHost: localhost\r\n"
#define GET       "GET /x HTTP/1.1\r\nHost: localhost\r\n"

static void open_cors(struct gh_fixture *f, const char *cors)
{
    char yaml[1024];
    struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml));
    gh_buf_format(&buf, DEVELOPMENT ROUTE_ALL "%s", cors);
    yaml[buf.len] = 0;
    gh_fixture_open(f, yaml);
    assert_non_null(f->policy);
}

static void answers_an_allowed_preflight_itself(void **state)
{
    struct gh_fixture f;
    open_cors(&f, CORS);
    gh_fixture_run(&f, PREFLIGHT "Origin: https://app.example.com\r\n"
                                 "Access-Control-Request-Method: POST\r\n"
                                 "Access-Control-Request-Headers: content-type, "
                                 "AUTHORIZATION\r\n\r\n");
    const char *reply = gh_fixture_reply(&f);
    assert_memory_equal(reply, "204\n", 4);
    assert_string_equal(gh_fixture_value(&f, reply, "Access-Control-Allow-Origin"),
                        "https://app.example.com");
    assert_string_equal(gh_fixture_value(&f, reply, "Access-Control-Allow-Methods"), "GET, POST");
    assert_string_equal(gh_fixture_value(&f, reply, "Access-Control-Allow-Headers"),
                        "Content-Type, Authorization, Accept");
    assert_string_equal(gh_fixture_value(&f, reply, "Access-Control-Max-Age"), "600");
    assert_string_equal(gh_fixture_value(&f, reply, "Access-Control-Allow-Credentials"), "true");
    assert_string_equal(gh_fixture_value(&f, reply, "Vary"),
                        "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    static const char *const ONCE[] = {"Access-Control-Allow-Origin",
                                       "Vary",
                                       "X-Frame-Options",
                                       "Cache-Control",
                                       "Date",
                                       "X-Request-Id"};
    for (size_t i = 0; i < sizeof(ONCE) / sizeof(ONCE[0]); i++)
        assert_int_equal(gh_fixture_count(reply, ONCE[i]), 1);
    gh_fixture_close(&f);
}

static void refuses_a_preflight_without_a_single_access_control_field(void **state)
{
    static const char *const LINES[] = {
        "Origin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: null\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: https://app.example.com.evil.com\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: https://APP.example.com\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: http://app.example.com\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: https://app.example.com:8443\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: https://app.example.com/\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: https://apps.example\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: https://evilapps.example\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: https://x_.apps.example\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: https://x`.apps.example\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: https://.apps.example\r\nAccess-Control-Request-Method: GET\r\n",
        "Origin: https://app.example.com\r\nAccess-Control-Request-Method: DELETE\r\n",
        "Origin: https://app.example.com\r\nAccess-Control-Request-Method: post\r\n",
        "Origin: https://app.example.com\r\nAccess-Control-Request-Method: GET\r\n"
        "Access-Control-Request-Headers: x-evil\r\n",
        "Origin: https://app.example.com\r\nAccess-Control-Request-Method: GET\r\n"
        "Access-Control-Request-Headers: accept, a b\r\n",
        "Origin: https://app.example.com\r\nOrigin: https://app.example.com\r\n"
        "Access-Control-Request-Method: GET\r\n",
    };
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        struct gh_fixture f;
        char request[512];
        struct gh_buf buf = gh_buf_over(request, sizeof(request));
        gh_buf_format(&buf, PREFLIGHT "%s\r\n", LINES[i]);
        request[buf.len] = 0;
        open_cors(&f, CORS);
        gh_fixture_run(&f, request);
        const char *reply = gh_fixture_reply(&f);
        if (f.request.reply.status != 403 || strstr(reply, "Access-Control-Allow"))
            fail_msg("%s was answered %s", LINES[i], reply);
        assert_string_equal(
            gh_fixture_value(&f, reply, "Vary"),
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
        assert_int_equal(gh_fixture_count(reply, "Vary"), 1);
        gh_fixture_close(&f);
    }
}

static void allows_whole_labels_below_a_wildcard(void **state)
{
    struct gh_fixture f;
    open_cors(&f, CORS);
    gh_fixture_run(&f, PREFLIGHT "Origin: https://a.b-1.apps.example\r\n"
                                 "Access-Control-Request-Method: GET\r\n\r\n");
    assert_int_equal(f.request.reply.status, 204);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Access-Control-Allow-Origin"),
                        "https://a.b-1.apps.example");
    gh_fixture_close(&f);
}

static void refuses_every_preflight_when_nothing_is_configured(void **state)
{
    struct gh_fixture f;
    open_cors(&f, "");
    gh_fixture_run(&f, PREFLIGHT "Origin: https://app.example.com\r\n"
                                 "Access-Control-Request-Method: GET\r\n\r\n");
    assert_int_equal(f.request.reply.status, 403);
    gh_fixture_close(&f);
}

static void hands_on_options_that_are_no_preflights(void **state)
{
    struct gh_fixture f;
    open_cors(&f, CORS);
    assert_int_equal(gh_fixture_run(&f, PREFLIGHT "\r\n").kind, GH_VERDICT_NEXT);
    assert_int_equal(gh_fixture_run(&f, PREFLIGHT "Origin: https://app.example.com\r\n\r\n").kind,
                     GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void decorates_answers_for_an_allowed_origin(void **state)
{
    struct gh_fixture f;
    open_cors(&f, CORS);
    gh_fixture_run(&f, GET "Origin: https://app.example.com\r\n\r\n");
    const char *answer =
        gh_fixture_answer(&f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                              "Access-Control-Allow-Origin: *\r\nVary: Accept-Encoding\r\n\r\n");
    assert_int_equal(gh_fixture_count(answer, "Access-Control-Allow-Origin"), 1);
    assert_string_equal(gh_fixture_value(&f, answer, "Access-Control-Allow-Origin"),
                        "https://app.example.com");
    assert_string_equal(gh_fixture_value(&f, answer, "Access-Control-Expose-Headers"),
                        "RateLimit, RateLimit-Policy, Retry-After, X-Request-Id");
    assert_string_equal(gh_fixture_value(&f, answer, "Vary"), "Accept-Encoding, Origin");
    gh_fixture_close(&f);
}

static void varies_on_origin_even_without_one(void **state)
{
    static const struct {
        const char *upstream, *vary;
    } CASES[] = {
        {"", "Origin"},
        {"Vary: origin, Accept\r\n", "origin, Accept"},
        {"Vary: *\r\n", "*"},
        {"Vary: Accept\r\nVary: Cookie\r\n", "Accept, Cookie, Origin"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_fixture f;
        char head[256];
        struct gh_buf buf = gh_buf_over(head, sizeof(head));
        gh_buf_format(&buf, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n%s\r\n", CASES[i].upstream);
        head[buf.len] = 0;
        open_cors(&f, CORS);
        gh_fixture_run(&f, GET "\r\n");
        const char *answer = gh_fixture_answer(&f, head);
        assert_int_equal(gh_fixture_count(answer, "Vary"), 1);
        assert_string_equal(gh_fixture_value(&f, answer, "Vary"), CASES[i].vary);
        assert_int_equal(gh_fixture_count(answer, "Access-Control-Allow-Origin"), 0);
        gh_fixture_close(&f);
    }
}

static void a_foreign_origin_passes_without_access_control_fields(void **state)
{
    struct gh_fixture f;
    open_cors(&f, CORS);
    assert_int_equal(gh_fixture_run(&f, GET "Origin: https://evil.example\r\n\r\n").kind,
                     GH_VERDICT_NEXT);
    const char *answer = gh_fixture_answer(
        &f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAccess-Control-Allow-Origin: "
            "https://evil.example\r\nAccess-Control-Allow-Credentials: true\r\n\r\n");
    assert_null(strstr(answer, "Access-Control"));
    gh_fixture_close(&f);
}

static void refusals_from_routing_on_carry_cors_too(void **state)
{
    static const char YAML[] =
        DEVELOPMENT CORS "routes: [{path: /x, methods: [POST], upstream: api, request_body: 10}]\n";
    static const struct {
        const char *request;
        unsigned status;
    } CASES[] = {
        {GET "Origin: https://app.example.com\r\n\r\n", 405},
        {"GET /none HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example.com\r\n\r\n", 404},
        {"POST /x HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example.com\r\n"
         "Content-Length: 11\r\n\r\n",
         413},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_fixture f;
        gh_fixture_open(&f, YAML);
        assert_non_null(f.policy);
        gh_fixture_run(&f, CASES[i].request);
        const char *reply = gh_fixture_reply(&f);
        assert_int_equal(f.request.reply.status, CASES[i].status);
        assert_string_equal(gh_fixture_value(&f, reply, "Access-Control-Allow-Origin"),
                            "https://app.example.com");
        assert_string_equal(gh_fixture_value(&f, reply, "Vary"), "Origin");
        gh_fixture_close(&f);
    }
}

static void refusals_before_routing_carry_none(void **state)
{
    struct gh_fixture f;
    open_cors(&f, CORS);
    gh_fixture_run(&f, "GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: "
                       "https://app.example.com\r\n\r\n");
    assert_int_equal(f.request.reply.status, 400);
    assert_null(strstr(gh_fixture_reply(&f), "Access-Control"));
    gh_fixture_close(&f);
}

static void echoes_what_was_asked_under_a_star_with_credentials(void **state)
{
    struct gh_fixture f;
    open_cors(&f, "cors: {origins: [\"https://a.example\"], methods: [\"*\"], headers: [\"*\"], "
                  "credentials: true}\n");
    assert_true(gh_fixture_has_problem(&f, GH_CONFIG_WARNING, "with credentials"));
    gh_fixture_run(&f, PREFLIGHT "Origin: https://a.example\r\nAccess-Control-Request-Method: "
                                 "PUT\r\nAccess-Control-Request-Headers: x-one,x-two\r\n\r\n");
    const char *reply = gh_fixture_reply(&f);
    assert_string_equal(gh_fixture_value(&f, reply, "Access-Control-Allow-Methods"), "PUT");
    assert_string_equal(gh_fixture_value(&f, reply, "Access-Control-Allow-Headers"), "x-one,x-two");
    assert_null(strstr(reply, ": *"));
    gh_fixture_close(&f);
}

static void names_authorization_beside_a_literal_star(void **state)
{
    struct gh_fixture f;
    open_cors(&f, "cors: {origins: [\"*\"], methods: [\"*\"], headers: [\"*\"]}\n");
    gh_fixture_run(&f, PREFLIGHT "Origin: https://a.example\r\nAccess-Control-Request-Method: "
                                 "PUT\r\nAccess-Control-Request-Headers: authorization\r\n\r\n");
    const char *reply = gh_fixture_reply(&f);
    assert_string_equal(gh_fixture_value(&f, reply, "Access-Control-Allow-Origin"), "*");
    assert_string_equal(gh_fixture_value(&f, reply, "Access-Control-Allow-Headers"),
                        "*, Authorization");
    assert_int_equal(gh_fixture_count(reply, "Access-Control-Allow-Credentials"), 0);
    gh_fixture_close(&f);
}

static void leaves_cors_to_the_backend_when_off(void **state)
{
    struct gh_fixture f;
    open_cors(&f, "cors: {mode: off}\n");
    assert_int_equal(gh_fixture_run(&f, PREFLIGHT "Origin: https://a.example\r\n"
                                                  "Access-Control-Request-Method: GET\r\n\r\n")
                         .kind,
                     GH_VERDICT_NEXT);
    const char *answer = gh_fixture_answer(&f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                                               "Access-Control-Allow-Origin: *\r\n\r\n");
    assert_string_equal(gh_fixture_value(&f, answer, "Access-Control-Allow-Origin"), "*");
    assert_int_equal(gh_fixture_count(answer, "Vary"), 0);
    gh_fixture_close(&f);
}

static void observes_a_refused_preflight_and_hands_it_on(void **state)
{
    struct gh_fixture f;
    open_cors(&f, "cors: {mode: observe, origins: [\"https://app.example.com\"]}\n");
    gh_fixture_run(&f, PREFLIGHT "Origin: https://evil.example\r\n"
                                 "Access-Control-Request-Method: GET\r\n\r\n");
    assert_int_equal(f.verdict.kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.observed_count, 1);
    assert_int_equal(f.request.observed[0], GH_STAGE_CORS);
    gh_fixture_close(&f);
}

static void refuses_to_load_origins_that_browsers_never_send(void **state)
{
    static const char *const ORIGINS[] = {"null",
                                          "https://a.example/",
                                          "https://a.example/x",
                                          "https://A.example",
                                          "a.example",
                                          "https://a.example:443",
                                          "http://a.example:80",
                                          "https://",
                                          "https://a.*.b",
                                          "https://*a.example",
                                          "https://u@a.example",
                                          "//a.example",
                                          "https://a.example?x"};
    for (size_t i = 0; i < sizeof(ORIGINS) / sizeof(ORIGINS[0]); i++) {
        struct gh_fixture f;
        char yaml[256];
        struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml));
        gh_buf_format(&buf, DEVELOPMENT ROUTE_ALL "cors: {origins: [\"%s\"]}\n", ORIGINS[i]);
        yaml[buf.len] = 0;
        gh_fixture_open(&f, yaml);
        if (f.policy)
            fail_msg("%s was accepted", ORIGINS[i]);
        gh_fixture_close(&f);
    }
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT ROUTE_ALL "cors: {origins: [\"*\"], credentials: true}\n");
    assert_null(f.policy);
    assert_true(gh_fixture_has_problem(&f, GH_CONFIG_ERROR, "credentials"));
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_an_allowed_preflight_itself),
        cmocka_unit_test(refuses_a_preflight_without_a_single_access_control_field),
        cmocka_unit_test(allows_whole_labels_below_a_wildcard),
        cmocka_unit_test(refuses_every_preflight_when_nothing_is_configured),
        cmocka_unit_test(hands_on_options_that_are_no_preflights),
        cmocka_unit_test(decorates_answers_for_an_allowed_origin),
        cmocka_unit_test(varies_on_origin_even_without_one),
        cmocka_unit_test(a_foreign_origin_passes_without_access_control_fields),
        cmocka_unit_test(refusals_from_routing_on_carry_cors_too),
        cmocka_unit_test(refusals_before_routing_carry_none),
        cmocka_unit_test(echoes_what_was_asked_under_a_star_with_credentials),
        cmocka_unit_test(names_authorization_beside_a_literal_star),
        cmocka_unit_test(leaves_cors_to_the_backend_when_off),
        cmocka_unit_test(observes_a_refused_preflight_and_hands_it_on),
        cmocka_unit_test(refuses_to_load_origins_that_browsers_never_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
