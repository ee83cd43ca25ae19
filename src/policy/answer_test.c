#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define GET "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"

static const char *answer_to(struct gh_fixture *f, const char *yaml, const char *request,
                             const char *upstream)
{
    gh_fixture_open(f, yaml);
    assert_non_null(f->policy);
    assert_int_equal(gh_fixture_run(f, request).kind, GH_VERDICT_NEXT);
    return gh_fixture_answer(f, upstream);
}

static void drops_hop_by_hop_and_nominated_fields(void **state)
{
    struct gh_fixture f;
    const char *answer = answer_to(
        &f, DEVELOPMENT ROUTE_ALL, GET,
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
        "Trailer: X-T\r\nUpgrade: h2c\r\nProxy-Authenticate: x\r\nTransfer-Encoding: chunked\r\n"
        "X-Stay: 1\r\n\r\n");
    static const char *const GONE[] = {"Connection",       "X-Hop",   "Keep-Alive",
                                       "Trailer",          "Upgrade", "Proxy-Authenticate",
                                       "Transfer-Encoding"};
    for (size_t i = 0; i < sizeof(GONE) / sizeof(GONE[0]); i++)
        assert_int_equal(gh_fixture_count(answer, GONE[i]), 0);
    assert_int_equal(gh_fixture_count(answer, "X-Stay"), 1);
    gh_fixture_close(&f);
}

static void says_its_own_request_id_and_one_date(void **state)
{
    struct gh_fixture f;
    const char *answer =
        answer_to(&f, DEVELOPMENT ROUTE_ALL, GET,
                  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Request-Id: backend\r\nDate: Mon, 01 "
                  "Jan 2024 00:00:00 GMT\r\n\r\n");
    assert_int_equal(gh_fixture_count(answer, "X-Request-Id"), 1);
    assert_string_equal(gh_fixture_value(&f, answer, "X-Request-Id"),
                        "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
    assert_int_equal(gh_fixture_count(answer, "Date"), 1);
    assert_string_equal(gh_fixture_value(&f, answer, "Date"), "Mon, 01 Jan 2024 00:00:00 GMT");
    gh_fixture_close(&f);
}

static void replaces_an_upstreams_error_in_production_with_its_status(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION ROUTE_ALL);
    gh_fixture_peer(&f, "192.0.2.1", true);
    gh_fixture_run(&f, "GET /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
    const char *answer =
        gh_fixture_answer(&f, "HTTP/1.1 507 Oops\r\nContent-Length: 9\r\nX-Trace: secret\r\n"
                              "Retry-After: 17\r\n\r\n");
    assert_memory_equal(answer, "507\n", 4);
    assert_null(strstr(answer, "secret"));
    assert_string_equal(gh_fixture_value(&f, answer, "Content-Type"), "application/problem+json");
    assert_string_equal(gh_fixture_value(&f, answer, "Retry-After"), "17");
    assert_non_null(strstr(answer, "\"status\":507"));
    assert_non_null(strstr(answer, "\"request_id\":\"a0a1a2a3"));
    assert_int_equal(f.request.verdict.reason, GH_REASON_UPSTREAM_ERROR_SCRUBBED);
    gh_fixture_close(&f);
}

static void passes_errors_in_development_and_where_told(void **state)
{
    static const char UPSTREAM[] = "HTTP/1.1 500 Oops\r\nContent-Length: 9\r\nX-Trace: s\r\n\r\n";
    struct gh_fixture f;
    const char *answer = answer_to(&f, DEVELOPMENT ROUTE_ALL, GET, UPSTREAM);
    assert_int_equal(gh_fixture_count(answer, "X-Trace"), 1);
    gh_fixture_close(&f);
    answer = answer_to(&f, DEVELOPMENT "routes: [{path: /**, upstream: api, errors: scrub}]\n", GET,
                       UPSTREAM);
    assert_int_equal(gh_fixture_count(answer, "X-Trace"), 0);
    gh_fixture_close(&f);
}

static void answers_health_and_root_where_the_upstream_does_not(void **state)
{
    static const struct {
        const char *path, *body;
    } CASES[] = {{"/health", "{\"status\":\"ok\"}"}, {"/", "{\"name\":\"api\",\"status\":\"ok\"}"}};
    for (size_t i = 0; i < 2; i++) {
        struct gh_fixture f;
        char request[128];
        struct gh_buf buf = gh_buf_over(request, sizeof(request));
        gh_buf_format(&buf, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", CASES[i].path);
        request[buf.len] = 0;
        const char *answer = answer_to(&f, DEVELOPMENT ROUTE_ALL, request,
                                       "HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n");
        assert_memory_equal(answer, "200\n", 4);
        assert_non_null(strstr(answer, CASES[i].body));
        gh_fixture_close(&f);
        answer = answer_to(&f, DEVELOPMENT ROUTE_ALL, request,
                           "HTTP/1.1 503 Ill\r\nContent-Length: 0\r\n\r\n");
        assert_memory_equal(answer, "503\n", 4);
        gh_fixture_close(&f);
        gh_fixture_open(&f, DEVELOPMENT "routes: [{path: /api/**, upstream: api}]\n");
        assert_int_equal(gh_fixture_run(&f, request).kind, GH_VERDICT_RESPOND);
        assert_non_null(strstr(gh_fixture_reply(&f), CASES[i].body));
        gh_fixture_close(&f);
    }
}

#define UPGRADE                                                                                    \
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"         \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
#define SWITCHING                                                                                  \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"            \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nServer: x\r\nSet-Cookie: a=b\r\n\r\n"

static void passes_the_fields_of_a_handshake_only(void **state)
{
    struct gh_fixture f;
    const char *answer =
        answer_to(&f, DEVELOPMENT "routes: [{path: /ws, upstream: api, websocket: true}]\n",
                  UPGRADE, SWITCHING);
    assert_memory_equal(answer, "101\n", 4);
    assert_string_equal(gh_fixture_value(&f, answer, "Connection"), "Upgrade");
    assert_string_equal(gh_fixture_value(&f, answer, "Upgrade"), "websocket");
    assert_int_equal(gh_fixture_count(answer, "Sec-WebSocket-Accept"), 1);
    assert_int_equal(gh_fixture_count(answer, "Set-Cookie"), 0);
    assert_int_equal(gh_fixture_count(answer, "Server"), 0);
    gh_fixture_close(&f);
}

static void refuses_an_upgrade_that_nobody_asked_for(void **state)
{
    struct gh_fixture f;
    const char *answer = answer_to(&f, DEVELOPMENT ROUTE_ALL, UPGRADE, SWITCHING);
    assert_memory_equal(answer, "502\n", 4);
    gh_fixture_close(&f);
    answer = answer_to(&f, DEVELOPMENT "routes: [{path: /**, upstream: api, websocket: true}]\n",
                       GET, SWITCHING);
    assert_memory_equal(answer, "502\n", 4);
    gh_fixture_close(&f);
}

static void tells_head_the_length_that_get_would_have(void **state)
{
    struct gh_fixture f;
    struct gh_response_head upstream = {.status = 200, .content_length = 1234};
    struct gh_field items[1];
    gh_fields_init(&upstream.fields, items, 1);
    gh_fields_add(&upstream.fields, GH_STR("Content-Length"), GH_STR("1234"));
    gh_fixture_open(&f, DEVELOPMENT ROUTE_ALL);
    gh_fixture_run(&f, "HEAD /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    struct gh_answer_head answer;
    bool replaced;
    assert_true(gh_policy_answer(&f.request, &upstream, &answer, &replaced));
    assert_int_equal(answer.body, GH_BODY_LENGTH);
    assert_int_equal(answer.content_length, 1234);
    gh_fixture_close(&f);
}

static void refuses_a_head_that_could_not_be_read(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT ROUTE_ALL);
    gh_fixture_begin(&f, GET);
    f.request.head = NULL;
    gh_policy_refuse(&f.request, GH_STAGE_READ, GH_REASON_METHOD_REFUSED);
    const char *reply = gh_fixture_reply(&f);
    assert_memory_equal(reply, "405\n", 4);
    assert_int_equal(gh_fixture_count(reply, "Allow"), 1);
    assert_int_equal(gh_fixture_count(reply, "X-Request-Id"), 1);
    assert_string_equal(gh_fixture_value(&f, reply, "X-Content-Type-Options"), "nosniff");
    gh_fixture_close(&f);
}

static void tells_when_to_come_back_with_503(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT ROUTE_ALL);
    gh_fixture_run(&f, GET);
    gh_policy_refuse(&f.request, GH_STAGE_HANDOVER, GH_REASON_UPSTREAM_UNAVAILABLE);
    assert_int_equal(gh_fixture_count(gh_fixture_reply(&f), "Retry-After"), 1);
    gh_fixture_close(&f);
}

static void fails_cleanly_when_the_arena_is_full(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT ROUTE_ALL);
    gh_fixture_run(&f, GET);
    struct gh_arena empty;
    gh_arena_init(&empty, 64, 0);
    f.request.arena = &empty;
    struct gh_answer_head answer;
    bool replaced;
    gh_policy_refuse(&f.request, GH_STAGE_HANDOVER, GH_REASON_OVERLOADED);
    assert_false(gh_policy_answer(&f.request, NULL, &answer, &replaced));
    assert_null(gh_policy_write_upstream_head(&f.request).ptr);
    gh_arena_done(&empty);
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drops_hop_by_hop_and_nominated_fields),
        cmocka_unit_test(says_its_own_request_id_and_one_date),
        cmocka_unit_test(replaces_an_upstreams_error_in_production_with_its_status),
        cmocka_unit_test(passes_errors_in_development_and_where_told),
        cmocka_unit_test(answers_health_and_root_where_the_upstream_does_not),
        cmocka_unit_test(passes_the_fields_of_a_handshake_only),
        cmocka_unit_test(refuses_an_upgrade_that_nobody_asked_for),
        cmocka_unit_test(tells_head_the_length_that_get_would_have),
        cmocka_unit_test(refuses_a_head_that_could_not_be_read),
        cmocka_unit_test(tells_when_to_come_back_with_503),
        cmocka_unit_test(fails_cleanly_when_the_arena_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
