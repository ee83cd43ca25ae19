/* How long a call waits for what, and what ends it then. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>

#include "upstream/test_client.h"
#include "upstream/test_origin.h"

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static const char *const hang[] = {READ_HEAD, HANG, NULL};

static struct origin origin;
static struct test_client client;
static struct test_call call;

static void assert_ok(void)
{
    assert_true(call.complete);
    assert_int_equal(call.status, 200);
}

static void assert_failure(enum gh_upstream_failure failure)
{
    assert_true(call.failed);
    assert_int_equal(call.failure, failure);
    assert_null(call.call.connection);
}

static void finish(void)
{
    call_done(&call);
    client_close(&client);
    origin_close(&origin);
}

static void open_with_timeouts(uint64_t response_ms, uint64_t idle_ms)
{
    const char *url = origin.url;
    client_init(&client);
    client.settings.timeouts.response_ms = response_ms;
    client.settings.timeouts.idle_ms = idle_ms;
    client_start(&client, 1, &url);
}

static void gives_up_on_a_server_that_does_not_answer(void **state)
{
    ORIGIN_OPEN(&origin, hang);
    open_with_timeouts(30, 10000);
    call_get(&call, &client);
    assert_failure(GH_UPSTREAM_TIMEOUT);
    assert_int_equal(call.call.attempts, 1);
    finish();
}

static void half_a_head_does_not_prolong_the_wait(void **state)
{
    static const char *const plan[] = {READ_HEAD, "HTTP/1.1 200 OK\r\nX-Test: ", HANG, NULL};
    ORIGIN_OPEN(&origin, plan);
    open_with_timeouts(30, 10000);
    call_get(&call, &client);
    assert_failure(GH_UPSTREAM_TIMEOUT);
    finish();
}

static void a_route_may_wait_less_than_its_upstream(void **state)
{
    ORIGIN_OPEN(&origin, hang);
    open_with_timeouts(10000, 10000);
    call_init(&call, &client);
    call.request.response_timeout_ms = 30;
    call_start(&call);
    call_wait(&call);
    assert_failure(GH_UPSTREAM_TIMEOUT);
    finish();
}

static void a_body_that_stops_coming_is_cut(void **state)
{
    static const char *const plan[] = {READ_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
                                       HANG, NULL};
    ORIGIN_OPEN(&origin, plan);
    open_with_timeouts(10000, 30);
    call_get(&call, &client);
    assert_failure(GH_UPSTREAM_CUT);
    assert_int_equal(call.answer_len, 2);
    finish();
}

static void a_slow_sender_is_not_the_servers_fault(void **state)
{
    static const char *const plan[] = {READ_HEAD, READ_END, OK_ANSWER, HANG, NULL};
    ORIGIN_OPEN(&origin, plan);
    open_with_timeouts(200, 200);
    call_init_post(&call, &client, "");
    call.hold_end = true;
    call_start(&call);
    call_wait_ready(&call, 1);
    poll(NULL, 0, 500);
    assert_false(call.failed);
    call_write(&call, "bodyEND");
    call_end(&call);
    call_wait(&call);
    assert_ok();
    finish();
}

static void a_request_that_the_server_does_not_take_times_out(void **state)
{
    static const char *const plan[] = {READ_HEAD, WAIT_GATE, NULL};
    static char much[1024 * 1024 + 1];
    ORIGIN_OPEN(&origin, plan);
    open_with_timeouts(100, 10000);
    call_init_post(&call, &client, "");
    call.hold_end = true;
    call_start(&call);
    call_wait_ready(&call, 1);
    memset(much, 'x', sizeof much - 1);
    do {
        call_write(&call, much);
    } while (call.took_body);
    call_wait(&call);
    assert_failure(GH_UPSTREAM_TIMEOUT);
    finish();
}

static void a_body_that_keeps_coming_is_not_cut(void **state)
{
    /* Each piece well within the timeout, all of them in more than it. */
    static const char *plan[64] = {READ_HEAD, "HTTP/1.1 200 OK\r\n\r\n"};
    for (size_t i = 2; i < 42; i += 2) {
        plan[i] = "x";
        plan[i + 1] = SHORT_WAIT;
    }
    ORIGIN_OPEN(&origin, plan);
    open_with_timeouts(300, 300);
    call_get(&call, &client);
    assert_ok();
    assert_int_equal(call.answer_len, 20);
    finish();
}

static void a_timeout_of_the_call_before_does_not_hit_the_next(void **state)
{
    static const char *const plan[] = {READ_HEAD, OK_ANSWER, SHORT_WAIT, AGAIN, NULL};
    ORIGIN_OPEN(&origin, plan);
    open_with_timeouts(300, 10000);
    for (int i = 0; i < 20; i++) {
        call_get(&call, &client);
        assert_ok();
        if (i < 19)
            call_done(&call);
    }
    assert_int_equal(origin.accepted, 1);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_up_on_a_server_that_does_not_answer),
        cmocka_unit_test(half_a_head_does_not_prolong_the_wait),
        cmocka_unit_test(a_route_may_wait_less_than_its_upstream),
        cmocka_unit_test(a_body_that_stops_coming_is_cut),
        cmocka_unit_test(a_slow_sender_is_not_the_servers_fault),
        cmocka_unit_test(a_request_that_the_server_does_not_take_times_out),
        cmocka_unit_test(a_body_that_keeps_coming_is_not_cut),
        cmocka_unit_test(a_timeout_of_the_call_before_does_not_hit_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
