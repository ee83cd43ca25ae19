#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define TRUSTING "trusted_proxies: [10.0.0.0/8]\n"

static const char *handover(struct gh_fixture *f, const char *config, const char *peer,
                            const char *request)
{
    gh_fixture_open(f, config);
    assert_non_null(f->policy);
    gh_fixture_peer(f, peer, false);
    assert_int_equal(gh_fixture_run(f, request).kind, GH_VERDICT_NEXT);
    return gh_fixture_handover(f);
}

static void deletes_what_an_untrusted_client_says_about_addresses(void **state)
{
    static const char *const NAMES[] = {
        "Forwarded",        "X-Real-IP",         "True-Client-IP",  "CF-Connecting-IP",
        "X-Client-IP",      "X-Forwarded-Port",  "X_Forwarded_For", "X.Forwarded.For",
        "x-forwarded-user", "X_Real_IP",         "True.Client.IP",  "Cf_Connecting_Ip",
        "X-FORWARDED-TLS",  "X-Original-URL",    "X_Rewrite_URL",   "X-HTTP-Method-Override",
        "X-HTTP-Method",    "X.Method.Override", "Proxy",           "X-User-Id",
        "X_User_Email",     "X.User.Roles",      "x-session-ID",    "X_Request_Id",
        "X_HTTP_METHOD",    "x.user_id",
    };
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        struct gh_fixture f;
        char request[256];
        struct gh_buf buf = gh_buf_over(request, sizeof(request));
        gh_buf_format(&buf, "GET / HTTP/1.1\r\nHost: localhost\r\n%s: forged\r\n\r\n", NAMES[i]);
        request[buf.len] = 0;
        const char *head = handover(&f, DEVELOPMENT ROUTE_ALL TRUSTING, "192.0.2.1", request);
        if (strstr(head, "forged"))
            fail_msg("%s was passed on", NAMES[i]);
        gh_fixture_close(&f);
    }
}

static void keeps_names_that_only_look_alike(void **state)
{
    struct gh_fixture f;
    const char *head = handover(&f, DEVELOPMENT ROUTE_ALL, "192.0.2.1",
                                "GET / HTTP/1.1\r\nHost: localhost\r\nX-User-Identity: a\r\n"
                                "Proxies: b\r\nX-Forwarder: c\r\nFrom: d\r\nX: e\r\n\r\n");
    assert_int_equal(gh_fixture_count(head, "X-User-Identity"), 1);
    assert_int_equal(gh_fixture_count(head, "Proxies"), 1);
    assert_int_equal(gh_fixture_count(head, "X-Forwarder"), 1);
    assert_int_equal(gh_fixture_count(head, "From"), 1);
    assert_int_equal(gh_fixture_count(head, "X"), 1);
    gh_fixture_close(&f);
}

static void deletes_identity_and_aliases_even_from_a_trusted_proxy(void **state)
{
    struct gh_fixture f;
    const char *head =
        handover(&f, DEVELOPMENT ROUTE_ALL TRUSTING, "10.1.1.1",
                 "GET / HTTP/1.1\r\nHost: localhost\r\nX-User-Id: forged\r\nX_Forwarded_For: "
                 "forged\r\nX-Original-URL: forged\r\nX-Real-IP: 203.0.113.9\r\n\r\n");
    assert_null(strstr(head, "forged"));
    assert_string_equal(gh_fixture_value(&f, head, "X-Real-IP"), "203.0.113.9");
    gh_fixture_close(&f);
}

static void believes_only_a_trusted_socket_about_the_client(void **state)
{
    static const char REQUEST[] = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: "
                                  "6.6.6.6, 203.0.113.9, 10.2.2.2\r\nX-Forwarded-Proto: "
                                  "https\r\n\r\n";
    struct gh_fixture f;
    const char *head = handover(&f, DEVELOPMENT ROUTE_ALL TRUSTING, "10.1.1.1", REQUEST);
    assert_string_equal(gh_fixture_value(&f, head, "X-Forwarded-For"), "203.0.113.9");
    assert_string_equal(gh_fixture_value(&f, head, "X-Forwarded-Proto"), "https");
    assert_true(f.request.https);
    gh_fixture_close(&f);
    head = handover(&f, DEVELOPMENT ROUTE_ALL TRUSTING, "192.0.2.1", REQUEST);
    assert_string_equal(gh_fixture_value(&f, head, "X-Forwarded-For"), "192.0.2.1");
    assert_string_equal(gh_fixture_value(&f, head, "X-Forwarded-Proto"), "http");
    assert_false(f.request.https);
    gh_fixture_close(&f);
}

static void trusts_a_unix_socket_only_when_told_to(void **state)
{
    static const char REQUEST[] =
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
    struct gh_fixture f;
    const char *head = handover(&f, DEVELOPMENT ROUTE_ALL TRUSTING, NULL, REQUEST);
    assert_string_equal(gh_fixture_value(&f, head, "X-Forwarded-For"), "unknown");
    gh_fixture_close(&f);
    head = handover(&f, DEVELOPMENT ROUTE_ALL "trusted_proxies: [unix]\n", NULL, REQUEST);
    assert_string_equal(gh_fixture_value(&f, head, "X-Forwarded-For"), "203.0.113.9");
    gh_fixture_close(&f);
}

static void keeps_a_request_id_of_a_trusted_proxy_only(void **state)
{
    static const char REQUEST[] =
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: abc.DEF_1-2\r\n\r\n";
    struct gh_fixture f;
    const char *head = handover(&f, DEVELOPMENT ROUTE_ALL TRUSTING, "10.1.1.1", REQUEST);
    assert_string_equal(gh_fixture_value(&f, head, "X-Request-Id"), "abc.DEF_1-2");
    gh_fixture_close(&f);
    head = handover(&f, DEVELOPMENT ROUTE_ALL TRUSTING, "192.0.2.1", REQUEST);
    assert_string_equal(gh_fixture_value(&f, head, "X-Request-Id"),
                        "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
    gh_fixture_close(&f);
}

static void makes_its_own_request_id_when_the_given_one_is_odd(void **state)
{
    static const char *const LINES[] = {"X-Request-Id: a b", "X-Request-Id: a\"b",
                                        "X-Request-Id:", "X-Request-Id: a\r\nX-Request-Id: a"};
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        struct gh_fixture f;
        char request[256];
        struct gh_buf buf = gh_buf_over(request, sizeof(request));
        gh_buf_format(&buf, "GET / HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", LINES[i]);
        request[buf.len] = 0;
        const char *head = handover(&f, DEVELOPMENT ROUTE_ALL TRUSTING, "10.1.1.1", request);
        assert_int_equal(gh_fixture_count(head, "X-Request-Id"), 1);
        assert_int_equal(strlen(gh_fixture_value(&f, head, "X-Request-Id")), 32);
        gh_fixture_close(&f);
    }
}

#define TRACE "0af7651916cd43dd8448eb211c80319c"

static void carries_a_valid_trace_on_with_itself_as_parent(void **state)
{
    struct gh_fixture f;
    const char *head = handover(&f, DEVELOPMENT ROUTE_ALL, "192.0.2.1",
                                "GET / HTTP/1.1\r\nHost: localhost\r\ntraceparent: 00-" TRACE
                                "-b7ad6b7169203331-01\r\ntracestate: vendor=1\r\n\r\n");
    const char *trace = gh_fixture_value(&f, head, "traceparent");
    assert_int_equal(strlen(trace), 55);
    assert_memory_equal(trace, "00-" TRACE "-", 36);
    assert_null(strstr(trace, "b7ad6b7169203331"));
    assert_string_equal(trace + 52, "-01");
    assert_string_equal(gh_fixture_value(&f, head, "tracestate"), "vendor=1");
    gh_fixture_close(&f);
}

static void begins_a_trace_when_the_given_one_is_malformed(void **state)
{
    static const char *const TRACES[] = {
        "00-" TRACE "-b7ad6b7169203331",
        "00-" TRACE "-b7ad6b7169203331-01-more",
        "ff-" TRACE "-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "",
    };
    for (size_t i = 0; i < sizeof(TRACES) / sizeof(TRACES[0]); i++) {
        struct gh_fixture f;
        char request[256];
        struct gh_buf buf = gh_buf_over(request, sizeof(request));
        gh_buf_format(&buf,
                      "GET / HTTP/1.1\r\nHost: localhost\r\ntraceparent: %s\r\ntracestate: "
                      "vendor=1\r\n\r\n",
                      TRACES[i]);
        request[buf.len] = 0;
        const char *head = handover(&f, DEVELOPMENT ROUTE_ALL, "192.0.2.1", request);
        const char *trace = gh_fixture_value(&f, head, "traceparent");
        assert_int_equal(strlen(trace), 55);
        assert_memory_equal(trace, "00-a0a1a2a3", 11);
        assert_int_equal(gh_fixture_count(head, "traceparent"), 1);
        assert_int_equal(gh_fixture_count(head, "tracestate"), 0);
        gh_fixture_close(&f);
    }
}

static void refuses_networks_that_are_none(void **state)
{
    static const char *const NETWORKS[] = {"10.0.0.1/8", "10.0.0.0/33", "localhost", "0x0a.0.0.1"};
    for (size_t i = 0; i < sizeof(NETWORKS) / sizeof(NETWORKS[0]); i++) {
        struct gh_fixture f;
        char yaml[256];
        struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml));
        gh_buf_format(&buf, DEVELOPMENT ROUTE_ALL "trusted_proxies: [%s]\n", NETWORKS[i]);
        yaml[buf.len] = 0;
        gh_fixture_open(&f, yaml);
        assert_null(f.policy);
        assert_true(gh_fixture_has_problem(&f, GH_CONFIG_ERROR, "is no network"));
        gh_fixture_close(&f);
    }
}

static void warns_when_everyone_is_trusted(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT ROUTE_ALL "trusted_proxies: [\"0.0.0.0/0\"]\n");
    assert_non_null(f.policy);
    assert_true(gh_fixture_has_problem(&f, GH_CONFIG_WARNING, "believes everyone"));
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deletes_what_an_untrusted_client_says_about_addresses),
        cmocka_unit_test(keeps_names_that_only_look_alike),
        cmocka_unit_test(deletes_identity_and_aliases_even_from_a_trusted_proxy),
        cmocka_unit_test(believes_only_a_trusted_socket_about_the_client),
        cmocka_unit_test(trusts_a_unix_socket_only_when_told_to),
        cmocka_unit_test(keeps_a_request_id_of_a_trusted_proxy_only),
        cmocka_unit_test(makes_its_own_request_id_when_the_given_one_is_odd),
        cmocka_unit_test(carries_a_valid_trace_on_with_itself_as_parent),
        cmocka_unit_test(begins_a_trace_when_the_given_one_is_malformed),
        cmocka_unit_test(refuses_networks_that_are_none),
        cmocka_unit_test(warns_when_everyone_is_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
