#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

static const char *handover(struct gh_fixture *f, const char *yaml, const char *peer,
                            const char *request)
{
    gh_fixture_open(f, yaml);
    assert_non_null(f->policy);
    gh_fixture_peer(f, peer, false);
    assert_int_equal(gh_fixture_run(f, request).kind, GH_VERDICT_NEXT);
    return gh_fixture_handover(f);
}

static void writes_the_head_again_from_its_parts(void **state)
{
    struct gh_fixture f;
    const char *head = handover(&f, DEVELOPMENT ROUTE_ALL, "192.0.2.1",
                                "POST http://LOCALHOST:8080/a/%2e/b%7e?x=%41 HTTP/1.1\r\n"
                                "Host: LOCALHOST:8080\r\nAccept: */*\r\nContent-Length: 3\r\n\r\n");
    char *trace = strstr(head, "traceparent: "); /* tested in client_test.c */
    assert_non_null(trace);
    assert_string_equal(strchr(trace, '\r'), "\r\nContent-Length: 3\r\n\r\n");
    *trace = 0;
    assert_string_equal(head, "POST /a/b~?x=%41 HTTP/1.1\r\nHost: localhost:8080\r\nAccept: */*\r\n"
                              "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
                              "X-Forwarded-Host: localhost:8080\r\n"
                              "Forwarded: for=192.0.2.1;host=\"localhost:8080\";proto=http\r\n"
                              "X-Request-Id: a0a1a2a3a4a5a6a7a8a9aaabacadaeaf\r\n");
    gh_fixture_close(&f);
}

static void leaves_out_what_is_of_the_clients_connection(void **state)
{
    struct gh_fixture f;
    const char *head = handover(
        &f, DEVELOPMENT ROUTE_ALL, "192.0.2.1",
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close, X-Hop, Upgrade, HTTP2-Settings\r\n"
        "X-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMA\r\nProxy-Connection: close\r\nProxy-Authorization: Basic x\r\n"
        "X-Stay: 1\r\n\r\n");
    static const char *const GONE[] = {"Connection",
                                       "X-Hop",
                                       "Keep-Alive",
                                       "TE",
                                       "Trailer",
                                       "Upgrade",
                                       "HTTP2-Settings",
                                       "Proxy-Connection",
                                       "Proxy-Authorization"};
    for (size_t i = 0; i < sizeof(GONE) / sizeof(GONE[0]); i++)
        if (gh_fixture_count(head, GONE[i]))
            fail_msg("%s was passed on", GONE[i]);
    assert_int_equal(gh_fixture_count(head, "X-Stay"), 1);
    gh_fixture_close(&f);
}

static void connection_can_not_remove_what_the_gateway_sets(void **state)
{
    struct gh_fixture f;
    const char *head =
        handover(&f, DEVELOPMENT ROUTE_ALL "trusted_proxies: [10.0.0.0/8]\n", "10.0.0.1",
                 "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
                 "X-Forwarded-For: 203.0.113.9\r\nX-Request-Id: abc\r\nConnection: "
                 "X-Forwarded-For, X-Forwarded-Proto, X-Request-Id, Host, Content-Length, "
                 "Forwarded, traceparent, X-Forwarded-Host\r\n\r\n");
    static const char *const KEPT[] = {
        "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "Host",
        "Content-Length",  "Forwarded",         "traceparent",  "X-Forwarded-Host"};
    for (size_t i = 0; i < sizeof(KEPT) / sizeof(KEPT[0]); i++)
        if (gh_fixture_count(head, KEPT[i]) != 1)
            fail_msg("%s stands %zu times", KEPT[i], gh_fixture_count(head, KEPT[i]));
    gh_fixture_close(&f);
}

static void quotes_ipv6_in_forwarded(void **state)
{
    struct gh_fixture f;
    const char *head = handover(&f, DEVELOPMENT ROUTE_ALL, "2001:db8::1",
                                "GET / HTTP/1.1\r\nHost: [0::1]\r\n\r\n");
    assert_string_equal(gh_fixture_value(&f, head, "Host"), "[::1]");
    assert_string_equal(gh_fixture_value(&f, head, "X-Forwarded-For"), "2001:db8::1");
    assert_string_equal(gh_fixture_value(&f, head, "Forwarded"),
                        "for=\"[2001:db8::1]\";host=\"[::1]\";proto=http");
    gh_fixture_close(&f);
}

static void frames_the_body_once(void **state)
{
    static const struct {
        const char *lines, *expected;
    } CASES[] = {
        {"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n",
         "Transfer-Encoding: chunked\r\n"},
        {"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n", "Content-Length: 7\r\n"},
        {"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", "Content-Length: 0\r\n"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_fixture f;
        const char *head = handover(&f, DEVELOPMENT ROUTE_ALL, "192.0.2.1", CASES[i].lines);
        assert_non_null(strstr(head, CASES[i].expected));
        assert_int_equal(gh_fixture_count(head, "Content-Length") +
                             gh_fixture_count(head, "Transfer-Encoding"),
                         1);
        gh_fixture_close(&f);
    }
    struct gh_fixture f;
    const char *head = handover(&f, DEVELOPMENT ROUTE_ALL, "192.0.2.1",
                                "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_int_equal(gh_fixture_count(head, "Content-Length"), 0);
    gh_fixture_close(&f);
}

static void never_passes_expect_on(void **state)
{
    struct gh_fixture f;
    const char *head = handover(&f, DEVELOPMENT ROUTE_ALL, "192.0.2.1",
                                "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                                "Content-Length: 7\r\n\r\n");
    assert_int_equal(gh_fixture_count(head, "Expect"), 0);
    gh_fixture_close(&f);
}

#define UPGRADE                                                                                    \
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "          \
    "WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: "          \
    "13\r\n\r\n"

static void upgrades_only_where_the_route_says_so(void **state)
{
    struct gh_fixture f;
    const char *head =
        handover(&f, DEVELOPMENT "routes: [{path: /ws, upstream: api, websocket: true}]\n",
                 "192.0.2.1", UPGRADE);
    assert_string_equal(gh_fixture_value(&f, head, "Connection"), "Upgrade");
    assert_string_equal(gh_fixture_value(&f, head, "Upgrade"), "websocket");
    assert_int_equal(gh_fixture_count(head, "Sec-WebSocket-Key"), 1);
    gh_fixture_close(&f);
    head = handover(&f, DEVELOPMENT ROUTE_ALL, "192.0.2.1", UPGRADE);
    assert_int_equal(gh_fixture_count(head, "Connection"), 0);
    assert_int_equal(gh_fixture_count(head, "Upgrade"), 0);
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_head_again_from_its_parts),
        cmocka_unit_test(leaves_out_what_is_of_the_clients_connection),
        cmocka_unit_test(connection_can_not_remove_what_the_gateway_sets),
        cmocka_unit_test(quotes_ipv6_in_forwarded),
        cmocka_unit_test(frames_the_body_once),
        cmocka_unit_test(never_passes_expect_on),
        cmocka_unit_test(upgrades_only_where_the_route_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
