#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

/* As the codec of HTTP/2 tells it: an upgrade without its fields of HTTP/1.1. */
#define ASKED(path)                                                                                \
    "GET " path " HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Version: 13\r\n"                    \
    "Sec-WebSocket-Key: the client's own\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
#define SWITCHING(accept)                                                                          \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" accept     \
    "Sec-WebSocket-Protocol: chat\r\n\r\n"
#define ROUTES                                                                                     \
    "routes: [{path: /ws, upstream: api, websocket: true}, {path: /, upstream: api, "              \
    "websocket: true}, {path: /plain, upstream: api}]\n"

static struct gh_verdict run(struct gh_fixture *f, const char *request)
{
    gh_fixture_begin(f, request);
    f->head.version_major = 2;
    f->head.version_minor = 0;
    f->head.upgrade_websocket = true;
    struct gh_verdict verdict = gh_policy_run(&f->request);
    f->request.websocket_key = GH_STR("our key");
    f->request.websocket_accept = GH_STR("the proof");
    return verdict;
}

static void open_and_run(struct gh_fixture *f, const char *request)
{
    gh_fixture_open(f, DEVELOPMENT ROUTES);
    assert_non_null(f->policy);
    assert_int_equal(run(f, request).kind, GH_VERDICT_NEXT);
}

static void is_an_upgrade_for_the_backend_with_a_key_of_ours(void **state)
{
    struct gh_fixture f;
    open_and_run(&f, ASKED("/ws"));
    const char *head = gh_fixture_handover(&f);
    assert_memory_equal(head, "GET /ws HTTP/1.1\r\n", 18);
    assert_string_equal(gh_fixture_value(&f, head, "Connection"), "Upgrade");
    assert_string_equal(gh_fixture_value(&f, head, "Upgrade"), "websocket");
    assert_int_equal(gh_fixture_count(head, "Sec-WebSocket-Key"), 1);
    assert_string_equal(gh_fixture_value(&f, head, "Sec-WebSocket-Key"), "our key");
    assert_string_equal(gh_fixture_value(&f, head, "Sec-WebSocket-Version"), "13");
    gh_fixture_close(&f);
}

static void a_switch_is_told_without_what_is_http_1s(void **state)
{
    struct gh_fixture f;
    open_and_run(&f, ASKED("/ws"));
    const char *answer = gh_fixture_answer(&f, SWITCHING("Sec-WebSocket-Accept: the proof\r\n"));
    assert_memory_equal(answer, "200\n", 4);
    assert_string_equal(gh_fixture_value(&f, answer, "Sec-WebSocket-Protocol"), "chat");
    assert_int_equal(gh_fixture_count(answer, "Connection"), 0);
    assert_int_equal(gh_fixture_count(answer, "Upgrade"), 0);
    assert_int_equal(gh_fixture_count(answer, "Sec-WebSocket-Accept"), 0);
    gh_fixture_close(&f);
}

static void a_switch_that_proves_nothing_is_502(void **state)
{
    static const char *const ANSWERS[] = {
        SWITCHING(""),
        SWITCHING("Sec-WebSocket-Accept: the Proof\r\n"),
        SWITCHING("Sec-WebSocket-Accept: the proof\r\nSec-WebSocket-Accept: the proof\r\n"),
        "HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: the proof\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(ANSWERS) / sizeof(ANSWERS[0]); i++) {
        struct gh_fixture f;
        open_and_run(&f, ASKED("/ws"));
        assert_memory_equal(gh_fixture_answer(&f, ANSWERS[i]), "502\n", 4);
        gh_fixture_close(&f);
    }
}

static void no_plain_answer_is_taken_for_a_tunnel(void **state)
{
    struct gh_fixture f;
    open_and_run(&f, ASKED("/ws"));
    assert_memory_equal(gh_fixture_answer(&f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
                        "502\n", 4);
    gh_fixture_close(&f);
    open_and_run(&f, ASKED("/"));
    assert_memory_equal(
        gh_fixture_answer(&f, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n"), "404\n", 4);
    gh_fixture_close(&f);
}

static void is_a_refused_connect_everywhere_else(void **state)
{
    static const char *const REQUESTS[] = {ASKED("/plain"), ASKED("/healthz"), ASKED("/health"),
                                           ASKED("/.well-known/security.txt")};
    for (size_t i = 0; i < sizeof(REQUESTS) / sizeof(REQUESTS[0]); i++) {
        struct gh_fixture f;
        gh_fixture_open(&f, DEVELOPMENT ROUTES);
        assert_int_equal(run(&f, REQUESTS[i]).kind, GH_VERDICT_RESPOND);
        assert_true(f.request.reply.status == 405 || f.request.reply.status == 404);
        gh_fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_an_upgrade_for_the_backend_with_a_key_of_ours),
        cmocka_unit_test(a_switch_is_told_without_what_is_http_1s),
        cmocka_unit_test(a_switch_that_proves_nothing_is_502),
        cmocka_unit_test(no_plain_answer_is_taken_for_a_tunnel),
        cmocka_unit_test(is_a_refused_connect_everywhere_else),
    };
    return cmocka_run_group_tests_name("extended_connect", tests, NULL, NULL);
}
