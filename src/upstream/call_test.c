/* One call at a time: keep-alive, framing of bodies, back-pressure, aborts, tunnels. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "upstream/test_client.h"
#include "upstream/test_origin.h"

#define OK(body_len, body)                                                                         \
    "HTTP/1.1 200 OK\r\nContent-Length: " #body_len "\r\nX-Test: yes\r\n\r\n" body

static const char *const ok_plan[] = {READ_HEAD, OK(2, "ok"), AGAIN, NULL};
static const char *const ok_then_hang[] = {READ_HEAD, OK(2, "ok"), HANG, NULL};
static const char *const hang[] = {READ_HEAD, HANG, NULL};

static struct origin origin;
static struct test_client client;
static struct test_call call;

static void assert_answer(const struct test_call *seen, unsigned status, const char *body)
{
    assert_false(seen->failed);
    assert_true(seen->complete);
    assert_int_equal(seen->head_count, 1);
    assert_int_equal(seen->status, status);
    assert_int_equal(seen->answer_len, strlen(body));
    assert_memory_equal(seen->answer, body, strlen(body));
}

static void assert_failure(const struct test_call *seen, enum gh_upstream_failure failure)
{
    assert_true(seen->failed);
    assert_int_equal(seen->failure, failure);
    assert_true(seen->call.over);
    assert_null(seen->call.connection);
}

static void finish(void)
{
    call_done(&call);
    client_close(&client);
    origin_close(&origin);
}

/* Opens both and makes one GET. */
#define GET_FROM(...)                                                                              \
    do {                                                                                           \
        ORIGIN_OPEN(&origin, __VA_ARGS__);                                                         \
        client_open(&client, origin.url);                                                          \
        call_get(&call, &client);                                                                  \
    } while (0)

/* ---- Keep-alive ---- */

static void keeps_a_connection_for_the_next_request(void **state)
{
    GET_FROM(ok_plan);
    for (int i = 0; i < 3; i++) {
        assert_answer(&call, 200, "ok");
        assert_string_equal(call.field, "yes");
        assert_int_equal(call.body_events, 1);
        call_done(&call);
        call_get(&call, &client);
    }
    assert_int_equal(origin.accepted, 1);
    assert_int_equal(origin.heads_read, 4);
    assert_int_equal(call.call.attempts, 1);
    assert_true(call.call.server.len > 10);
    assert_true(call.call.head_us >= call.call.started_us && call.call.started_us > 0);
    finish();
}

static void speaks_to_a_unix_socket(void **state)
{
    char path[64];
    static const char *const *const plans[] = {ok_plan};
    snprintf(path, sizeof path, "/tmp/gh-upstream-test-%d.sock", (int)getpid());
    unlink(path);
    origin_open_unix(&origin, path, plans, 1);
    client_open(&client, origin.url);
    call_get(&call, &client);
    assert_answer(&call, 200, "ok");
    unlink(path);
    finish();
}

static void finds_the_address_of_a_name_that_answers(void **state)
{
    /* localhost may be ::1 first, where nobody listens. */
    char url[64];
    ORIGIN_OPEN(&origin, ok_plan);
    snprintf(url, sizeof url, "http://localhost:%u", origin.port);
    client_open(&client, url);
    assert_int_equal(client.get_err, GH_OK);
    call_get(&call, &client);
    assert_answer(&call, 200, "ok");
    finish();
}

static void does_not_keep_a_connection_that_the_server_closes(void **state)
{
    static const char *const plan[] = {
        READ_HEAD, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", HANG,
        NULL};
    GET_FROM(plan);
    assert_answer(&call, 200, "ok");
    call_done(&call);
    call_get(&call, &client);
    assert_answer(&call, 200, "ok");
    assert_int_equal(origin.accepted, 2);
    finish();
}

static void does_not_keep_a_connection_with_bytes_behind_the_answer(void **state)
{
    static const char *const plan[] = {READ_HEAD, OK(2, "ok") "HTTP/1.1 200 OK\r\n", HANG, NULL};
    GET_FROM(plan, ok_plan);
    assert_answer(&call, 200, "ok");
    call_done(&call);
    call_get(&call, &client);
    assert_answer(&call, 200, "ok");
    assert_int_equal(origin.accepted, 2);
    finish();
}

static void closes_an_idle_connection_on_which_bytes_arrive(void **state)
{
    static const char *const plan[] = {READ_HEAD,     OK(2, "ok"), WAIT_GATE,
                                       OK(4, "evil"), HANG,        NULL};
    GET_FROM(plan, ok_plan);
    assert_answer(&call, 200, "ok");
    atomic_store(&origin.gate, true);
    /* The origin's side ends when the client has closed. */
    for (int fd = 0; fd >= 0;) {
        pthread_mutex_lock(&origin.lock);
        fd = origin.connections[0].fd;
        pthread_mutex_unlock(&origin.lock);
        poll(NULL, 0, 1);
    }
    call_done(&call);
    call_get(&call, &client);
    assert_answer(&call, 200, "ok");
    assert_int_equal(origin.accepted, 2);
    finish();
}

static void closes_idle_connections_after_a_while(void **state)
{
    ORIGIN_OPEN(&origin, ok_plan);
    client_init(&client);
    client.settings.timeouts.idle_ms = 32;
    const char *url = origin.url;
    client_start(&client, 1, &url);
    call_get(&call, &client);
    assert_answer(&call, 200, "ok");
    for (int fd = 0; fd >= 0;) {
        pthread_mutex_lock(&origin.lock);
        fd = origin.connections[0].fd;
        pthread_mutex_unlock(&origin.lock);
        poll(NULL, 0, 1);
    }
    finish();
}

/* ---- Framing ---- */

static void joins_the_chunks_of_a_body(void **state)
{
    static const char *const plan[] = {
        READ_HEAD,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n",
        "0\r\nTrailer: x\r\n\r\n", AGAIN, NULL};
    GET_FROM(plan);
    assert_answer(&call, 200, "abcde");
    call_done(&call);
    call_get(&call, &client);
    assert_answer(&call, 200, "abcde");
    assert_int_equal(origin.accepted, 1);
    finish();
}

static void takes_the_end_of_the_connection_as_the_end_of_an_unframed_body(void **state)
{
    static const char *const plan[] = {READ_HEAD, "HTTP/1.1 200 OK\r\n\r\nto the end", NULL};
    GET_FROM(plan);
    assert_answer(&call, 200, "to the end");
    finish();
}

static void expects_no_body_with_204_304_and_head(void **state)
{
    static const char *const plan[] = {
        READ_HEAD, "HTTP/1.1 204 No Content\r\n\r\n",
        READ_HEAD, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        READ_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        HANG,      NULL};
    GET_FROM(plan);
    assert_answer(&call, 204, "");
    call_done(&call);
    call_get(&call, &client);
    assert_answer(&call, 304, "");
    call_done(&call);
    call_init(&call, &client);
    call.request.head = GH_STR("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");
    call.request.method = GH_METHOD_HEAD;
    call_start(&call);
    call_wait(&call);
    assert_answer(&call, 200, "");
    assert_int_equal(origin.accepted, 1);
    finish();
}

static void sends_a_body_and_its_end(void **state)
{
    static const char *const plan[] = {READ_HEAD, READ_END, OK(2, "ok"), AGAIN, NULL};
    ORIGIN_OPEN(&origin, plan);
    client_open(&client, origin.url);
    for (int i = 0; i < 2; i++) {
        call_init_post(&call, &client, "bodyEND");
        call_start(&call);
        call_wait(&call);
        assert_answer(&call, 200, "ok");
        assert_true(call.call.request_sent);
        if (i == 0)
            call_done(&call);
    }
    assert_int_equal(origin.accepted, 1);
    finish();
}

static void swallows_interim_answers(void **state)
{
    static const char *const plan[] = {
        READ_HEAD, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\n" OK(2, "ok"), AGAIN, NULL};
    GET_FROM(plan);
    assert_answer(&call, 200, "ok");
    finish();
}

/* ---- Early answers ---- */

static void hands_on_an_early_answer_and_never_reuses_the_connection(void **state)
{
    static const char *const early[] = {
        READ_HEAD, "HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno", HANG, NULL};
    ORIGIN_OPEN(&origin, early, ok_plan);
    client_open(&client, origin.url);
    call_init_post(&call, &client, "half");
    call.hold_end = true;
    call_start(&call);
    call_wait(&call);
    assert_answer(&call, 413, "no");
    call_write(&call, " of it"); /* ignored */
    call_end(&call);
    call_done(&call);
    call_get(&call, &client);
    assert_answer(&call, 200, "ok");
    assert_int_equal(origin.accepted, 2);
    finish();
}

static void an_answer_that_began_early_spoils_the_connection_even_when_the_request_ends(
    void **state)
{
    static const char *const early[] = {
        READ_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", READ_END, "ok", HANG, NULL};
    ORIGIN_OPEN(&origin, early, ok_plan);
    client_open(&client, origin.url);
    call_init_post(&call, &client, "");
    call.hold_end = true;
    call_start(&call);
    call_wait_head(&call);
    call_write(&call, "bodyEND");
    call_end(&call);
    call_wait(&call);
    assert_answer(&call, 200, "ok");
    call_done(&call);
    call_get(&call, &client);
    assert_int_equal(origin.accepted, 2);
    finish();
}

/* ---- Back-pressure ---- */

static void a_paused_answer_waits_in_the_socket_and_never_times_out(void **state)
{
    static const char *const plan[] = {
        READ_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n", SEND_MUCH, HANG, NULL};
    ORIGIN_OPEN(&origin, plan);
    client_init(&client);
    client.settings.timeouts.idle_ms = 300;
    const char *url = origin.url;
    client_start(&client, 1, &url);
    call_init(&call, &client);
    call.pause_in_head = true;
    call_start(&call);
    call_wait_head(&call);
    /* Three times the idle timeout: what must not happen has had its chance. */
    uint64_t before = UINT64_MAX;
    for (int i = 0; i < 90 || before != atomic_load(&origin.sent); i++) {
        before = atomic_load(&origin.sent);
        poll(NULL, 0, 10);
    }
    pthread_mutex_lock(&client.lock);
    bool failed = call.failed;
    size_t seen = call.answer_len;
    pthread_mutex_unlock(&client.lock);
    assert_false(failed);
    assert_true(seen <= GH_STREAM_READ_BYTES);
    assert_true(before < ORIGIN_MUCH_BYTES);
    call_resume(&call);
    call_wait(&call);
    assert_true(call.complete);
    assert_int_equal(call.answer_len, ORIGIN_MUCH_BYTES);
    finish();
}

static void tells_when_the_server_takes_body_bytes_again(void **state)
{
    static const char *const plan[] = {READ_HEAD, WAIT_GATE, READ_END, OK(2, "ok"), HANG, NULL};
    ORIGIN_OPEN(&origin, plan);
    client_open(&client, origin.url);
    call_init_post(&call, &client, "");
    call.hold_end = true;
    call_start(&call);
    call_wait_ready(&call, 1);
    /* However much the kernel takes, at some time it does not. */
    char *much = calloc(1, 1024 * 1024 + 1);
    memset(much, 'x', 1024 * 1024);
    do {
        call_write(&call, much);
    } while (call.took_body);
    free(much);
    assert_int_equal(call.drain_count, 0);
    atomic_store(&origin.gate, true);
    call_wait_drain(&call);
    call_write(&call, "END");
    call_end(&call);
    call_wait(&call);
    assert_answer(&call, 200, "ok");
    assert_int_equal(call.drain_count, 1);
    finish();
}

/* ---- Tunnels ---- */

#define SWITCHING                                                                                  \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, "           \
    "Upgrade\r\n"                                                                                  \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

static void becomes_a_tunnel_after_101(void **state)
{
    static const char *const plan[] = {READ_HEAD, SWITCHING "first", READ_END, "last", NULL};
    ORIGIN_OPEN(&origin, plan);
    client_open(&client, origin.url);
    call_init(&call, &client);
    call.request.upgrade = true;
    call_start(&call);
    call_wait_body(&call, 5);
    call_write(&call, "raw END");
    call_wait(&call);
    assert_answer(&call, 101, "firstlast");
    finish();
}

static void a_tunnel_has_no_idle_timeout(void **state)
{
    static const char *const plan[] = {READ_HEAD, SWITCHING, WAIT_GATE, "late", NULL};
    ORIGIN_OPEN(&origin, plan);
    client_init(&client);
    client.settings.timeouts.idle_ms = client.settings.timeouts.response_ms = 30;
    const char *url = origin.url;
    client_start(&client, 1, &url);
    call_init(&call, &client);
    call.request.upgrade = true;
    call_start(&call);
    call_wait_head(&call);
    poll(NULL, 0, 120);
    atomic_store(&origin.gate, true);
    call_wait(&call);
    assert_answer(&call, 101, "late");
    finish();
}

static void refuses_101_that_was_not_asked_for(void **state)
{
    static const char *const plan[] = {READ_HEAD, SWITCHING, HANG, NULL};
    GET_FROM(plan);
    assert_failure(&call, GH_UPSTREAM_BAD_RESPONSE);
    assert_int_equal(call.head_count, 0);
    finish();
}

static void refuses_101_to_something_else_than_websocket(void **state)
{
    static const char *const h2c[] = {
        READ_HEAD, "HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", HANG, NULL};
    static const char *const no_accept[] = {
        READ_HEAD, "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", HANG,
        NULL};
    static const char *const no_connection[] = {
        READ_HEAD, "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n", HANG,
        NULL};
    ORIGIN_OPEN(&origin, h2c, no_accept, no_connection);
    client_open(&client, origin.url);
    for (int i = 0; i < 3; i++) {
        call_init(&call, &client);
        call.request.upgrade = true;
        call_start(&call);
        call_wait(&call);
        assert_failure(&call, GH_UPSTREAM_BAD_RESPONSE);
        if (i < 2)
            call_done(&call);
    }
    finish();
}

/* ---- Aborts ---- */

static void abort_at(enum abort_place place, const char *const *plan)
{
    const char *const *plans[] = {plan, ok_plan};
    origin_open(&origin, plans, 2);
    client_open(&client, origin.url);
    call_init(&call, &client);
    call.abort_place = place;
    call_start(&call);
    if (place == ABORT_IN_READY)
        call_wait_ready(&call, 1);
    else if (place == ABORT_IN_HEAD)
        call_wait_head(&call);
    else
        call_wait_body(&call, 2);
    call_done(&call);
    struct test_call next;
    call_get(&next, &client);
    assert_answer(&next, 200, "ok");
    assert_false(call.failed);
    call_done(&next);
    call_init(&call, &client);
    finish();
}

static void may_be_aborted_inside_on_ready(void **state)
{
    abort_at(ABORT_IN_READY, hang);
}

static void may_be_aborted_inside_on_head(void **state)
{
    abort_at(ABORT_IN_HEAD, ok_then_hang);
}

static void may_be_aborted_inside_on_body(void **state)
{
    static const char *const plan[] = {
        READ_HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n",
        HANG, NULL};
    abort_at(ABORT_IN_BODY, plan);
    assert_int_equal(call.body_events, 0);
}

static void may_be_aborted_inside_the_last_on_body(void **state)
{
    abort_at(ABORT_IN_LAST, ok_plan);
}

static void may_be_aborted_while_connecting_waiting_and_reading(void **state)
{
    static const char *const half[] = {READ_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
                                       HANG, NULL};
    ORIGIN_OPEN(&origin, hang, hang, half, ok_plan);
    client_open(&client, origin.url);
    call_init(&call, &client);
    call_start(&call);
    call_abort(&call); /* most likely before on_open */
    call_done(&call);
    call_init(&call, &client);
    call_start(&call);
    call_wait_ready(&call, 1);
    call_abort(&call);
    call_abort(&call);
    assert_null(call.call.connection);
    call_done(&call);
    call_init(&call, &client);
    call_start(&call);
    call_abort(&call);
    assert_false(call.complete || call.failed);
    finish();
}

static void a_call_that_was_never_started_may_be_aborted(void **state)
{
    struct gh_upstream_call never = {0};
    gh_upstream_call_abort(&never);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_a_connection_for_the_next_request),
        cmocka_unit_test(speaks_to_a_unix_socket),
        cmocka_unit_test(finds_the_address_of_a_name_that_answers),
        cmocka_unit_test(does_not_keep_a_connection_that_the_server_closes),
        cmocka_unit_test(does_not_keep_a_connection_with_bytes_behind_the_answer),
        cmocka_unit_test(closes_an_idle_connection_on_which_bytes_arrive),
        cmocka_unit_test(closes_idle_connections_after_a_while),
        cmocka_unit_test(joins_the_chunks_of_a_body),
        cmocka_unit_test(takes_the_end_of_the_connection_as_the_end_of_an_unframed_body),
        cmocka_unit_test(expects_no_body_with_204_304_and_head),
        cmocka_unit_test(sends_a_body_and_its_end),
        cmocka_unit_test(swallows_interim_answers),
        cmocka_unit_test(hands_on_an_early_answer_and_never_reuses_the_connection),
        cmocka_unit_test(
            an_answer_that_began_early_spoils_the_connection_even_when_the_request_ends),
        cmocka_unit_test(a_paused_answer_waits_in_the_socket_and_never_times_out),
        cmocka_unit_test(tells_when_the_server_takes_body_bytes_again),
        cmocka_unit_test(becomes_a_tunnel_after_101),
        cmocka_unit_test(a_tunnel_has_no_idle_timeout),
        cmocka_unit_test(refuses_101_that_was_not_asked_for),
        cmocka_unit_test(refuses_101_to_something_else_than_websocket),
        cmocka_unit_test(may_be_aborted_inside_on_ready),
        cmocka_unit_test(may_be_aborted_inside_on_head),
        cmocka_unit_test(may_be_aborted_inside_on_body),
        cmocka_unit_test(may_be_aborted_inside_the_last_on_body),
        cmocka_unit_test(may_be_aborted_while_connecting_waiting_and_reading),
        cmocka_unit_test(a_call_that_was_never_started_may_be_aborted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
