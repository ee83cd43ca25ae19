/* What is sent again, what never is, and what that says about a server. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>

#include "upstream/group.h"
#include "upstream/test_client.h"
#include "upstream/test_origin.h"

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static const char *const ok_plan[] = {READ_HEAD, OK_ANSWER, AGAIN, NULL};
/* Serves one request and dies under the second. */
static const char *const stale[] = {READ_HEAD, OK_ANSWER, READ_HEAD, RESET, NULL};
static const char *const stale_fin[] = {READ_HEAD, OK_ANSWER, READ_HEAD, NULL};
static const char *const dies[] = {READ_HEAD, NULL};
static const char *const takes_body[] = {READ_HEAD, READ_END, OK_ANSWER, AGAIN, NULL};

static struct origin origins[3];
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
}

static void get_again(void)
{
    call_done(&call);
    call_get(&call, &client);
}

static void finish(unsigned origin_count)
{
    call_done(&call);
    client_close(&client);
    for (unsigned i = 0; i < origin_count; i++)
        origin_close(&origins[i]);
}

/* A client of `count` origins that are open, and of `dead_count` ports where nobody listens. */
static void open_client(unsigned count, unsigned dead_count)
{
    static char dead[3][64];
    const char *urls[6];
    for (unsigned i = 0; i < dead_count; i++) {
        snprintf(dead[i], sizeof dead[i], "http://127.0.0.1:%u", unused_port());
        urls[i] = dead[i];
    }
    for (unsigned i = 0; i < count; i++)
        urls[dead_count + i] = origins[i].url;
    client_init(&client);
    client_start(&client, count + dead_count, urls);
}

/* ---- Kept connections that died ---- */

static void replaces_a_stale_connection_without_the_owner_noticing(void **state)
{
    ORIGIN_OPEN(&origins[0], stale, stale_fin, ok_plan);
    open_client(1, 0);
    call_get(&call, &client);
    for (int i = 0; i < 2; i++) {
        get_again();
        assert_ok();
        assert_int_equal(call.call.attempts, 2);
        assert_int_equal(call.ready_count, 2);
        assert_int_equal(call.head_count, 1);
    }
    assert_int_equal(origins[0].accepted, 3);
    finish(1);
}

static void never_repeats_a_request_that_may_have_had_an_effect(void **state)
{
    static const char *const plan[] = {READ_HEAD, OK_ANSWER, READ_HEAD, READ_END, RESET, NULL};
    ORIGIN_OPEN(&origins[0], plan, ok_plan);
    open_client(1, 0);
    call_get(&call, &client);
    call_done(&call);
    call_init_post(&call, &client, "bodyEND");
    call_start(&call);
    call_wait(&call);
    assert_failure(GH_UPSTREAM_UNREACHABLE);
    assert_int_equal(origins[0].accepted, 1);
    finish(1);
}

static void never_repeats_even_a_bodiless_one_that_is_not_idempotent(void **state)
{
    ORIGIN_OPEN(&origins[0], stale, ok_plan);
    open_client(1, 0);
    call_get(&call, &client);
    call_done(&call);
    call_init(&call, &client);
    call.request.idempotent = false;
    call_start(&call);
    call_wait(&call);
    assert_failure(GH_UPSTREAM_UNREACHABLE);
    assert_int_equal(origins[0].accepted, 1);
    finish(1);
}

static void never_repeats_when_a_body_byte_was_given(void **state)
{
    static const char *const plan[] = {READ_HEAD, READ_END, RESET, NULL};
    ORIGIN_OPEN(&origins[0], plan, ok_plan);
    ORIGIN_OPEN(&origins[1], plan, ok_plan);
    open_client(2, 0);
    call_init_post(&call, &client, "bodyEND");
    call.request.idempotent = true;
    call_start(&call);
    call_wait(&call);
    assert_failure(GH_UPSTREAM_UNREACHABLE);
    assert_int_equal(call.call.attempts, 1);
    finish(2);
}

static void repeats_an_idempotent_one_whose_body_has_not_begun(void **state)
{
    ORIGIN_OPEN(&origins[0], dies, takes_body);
    ORIGIN_OPEN(&origins[1], takes_body);
    open_client(2, 0);
    call_init_post(&call, &client, "");
    call.request.idempotent = true;
    call.hold_end = true;
    call_start(&call);
    call_wait_ready(&call, 2);
    call_write(&call, "bodyEND");
    call_end(&call);
    call_wait(&call);
    assert_ok();
    assert_int_equal(call.call.attempts, 2);
    finish(2);
}

static void start_lent(bool idempotent)
{
    call_init_post(&call, &client, NULL);
    call.request.has_body = false;
    call.request.idempotent = idempotent;
    call.lent_body = "bodyEND";
    call_start(&call);
    call_wait(&call);
}

static void keeps_a_lent_body_for_a_connection_that_is_yet_to_come(void **state)
{
    ORIGIN_OPEN(&origins[0], takes_body);
    open_client(1, 1);
    for (int i = 0; i < 3; i++) { /* the last ones go out on the kept connection at once */
        start_lent(false);
        assert_ok();
        call_done(&call);
    }
    assert_int_equal(origins[0].accepted, 1);
    start_lent(false);
    finish(1);
}

static void keeps_a_lent_body_of_a_request_that_may_be_sent_again(void **state)
{
    static const char *const plan[] = {READ_HEAD, READ_END, OK_ANSWER, READ_HEAD, NULL};
    ORIGIN_OPEN(&origins[0], plan, takes_body);
    open_client(1, 0);
    start_lent(true);
    assert_ok();
    call_done(&call);
    start_lent(true);
    assert_ok();
    assert_int_equal(call.call.attempts, 2);
    finish(1);
}

static void takes_no_old_connection_for_a_request_that_cannot_be_repeated(void **state)
{
    ORIGIN_OPEN(&origins[0], ok_plan);
    open_client(1, 0);
    call_get(&call, &client);
    /* Longer than REUSE_ONCE_MS of call.c. */
    poll(NULL, 0, 1600);
    call_done(&call);
    call_init(&call, &client);
    call.request.idempotent = false;
    call_start(&call);
    call_wait(&call);
    assert_ok();
    assert_int_equal(origins[0].accepted, 2);
    finish(1);
}

/* ---- Fresh connections ---- */

static void does_not_repeat_on_the_only_server_after_a_fresh_connection_died(void **state)
{
    ORIGIN_OPEN(&origins[0], dies);
    open_client(1, 0);
    call_get(&call, &client);
    assert_failure(GH_UPSTREAM_UNREACHABLE);
    assert_int_equal(origins[0].accepted, 1);
    finish(1);
}

static void tries_at_most_three_times(void **state)
{
    for (int i = 0; i < 3; i++)
        ORIGIN_OPEN(&origins[i], dies);
    open_client(3, 1);
    call_get(&call, &client);
    assert_failure(GH_UPSTREAM_UNREACHABLE);
    assert_int_equal(call.call.attempts, 3);
    finish(3);
}

static void goes_to_another_server_when_one_refuses(void **state)
{
    ORIGIN_OPEN(&origins[0], takes_body);
    open_client(1, 1);
    call_init_post(&call, &client, "bodyEND");
    call_start(&call);
    call_wait(&call);
    assert_ok();
    assert_int_equal(call.call.attempts, 2);
    assert_int_equal(call.ready_count, 1);
    finish(1);
}

static void says_unreachable_when_the_only_server_refuses(void **state)
{
    open_client(0, 1);
    call_get(&call, &client);
    assert_failure(GH_UPSTREAM_UNREACHABLE);
    assert_int_equal(call.ready_count, 0);
    finish(0);
}

static void a_server_that_speaks_no_tls_is_unreachable_over_https(void **state)
{
    static const char *const plan[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", HANG, NULL};
    char url[64];
    ORIGIN_OPEN(&origins[0], plan);
    snprintf(url, sizeof url, "https://127.0.0.1:%u", origins[0].port);
    client_open(&client, url);
    assert_int_equal(client.get_err, GH_OK);
    call_get(&call, &client);
    assert_failure(GH_UPSTREAM_UNREACHABLE);
    assert_int_equal(call.ready_count, 0);
    finish(1);
}

static void a_tls_handshake_that_hangs_times_out(void **state)
{
    static const char *const plan[] = {HANG, NULL};
    char url[64];
    const char *urls[] = {url};
    ORIGIN_OPEN(&origins[0], plan);
    snprintf(url, sizeof url, "https://127.0.0.1:%u", origins[0].port);
    client_init(&client);
    client.settings.timeouts.connect_ms = 30;
    client_start(&client, 1, urls);
    call_get(&call, &client);
    assert_failure(GH_UPSTREAM_TIMEOUT);
    finish(1);
}

/* ---- Servers that are down ---- */

static void a_server_that_refused_three_times_is_left_alone(void **state)
{
    open_client(0, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(gh_upstream_group_is_up(client.group));
        call_get(&call, &client);
        assert_failure(GH_UPSTREAM_UNREACHABLE);
        call_done(&call);
    }
    assert_false(gh_upstream_group_is_up(client.group));
    call_get(&call, &client);
    assert_failure(GH_UPSTREAM_NO_SERVER);
    assert_int_equal(call.call.attempts, 0);
    finish(0);
}

static void one_request_finds_out_after_the_back_off_and_brings_it_back(void **state)
{
    ORIGIN_OPEN(&origins[0], ok_plan);
    open_client(1, 0);
    struct gh_server *server = client.group->servers[0];
    for (int i = 0; i < 3; i++)
        gh_server_note_failure(server, 1, false);
    /* Down since long ago by the loop's clock, so that the back-off has passed. */
    assert_false(gh_upstream_group_is_up(client.group));
    call_get(&call, &client);
    assert_ok();
    assert_true(gh_upstream_group_is_up(client.group));
    finish(1);
}

static void is_busy_when_all_connections_are_taken(void **state)
{
    static const char *const hang[] = {READ_HEAD, HANG, NULL};
    struct test_call first;
    const char *urls[] = {origins[0].url};
    ORIGIN_OPEN(&origins[0], hang, ok_plan);
    client_init(&client);
    client.settings.connections_max = 1;
    client_start(&client, 1, urls);
    call_init(&first, &client);
    call_start(&first);
    call_wait_ready(&first, 1);
    call_get(&call, &client);
    assert_failure(GH_UPSTREAM_BUSY);
    call_abort(&first);
    get_again();
    assert_ok();
    get_again();
    assert_ok();
    assert_int_equal(origins[0].accepted, 2);
    call_done(&first);
    finish(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_a_stale_connection_without_the_owner_noticing),
        cmocka_unit_test(never_repeats_a_request_that_may_have_had_an_effect),
        cmocka_unit_test(never_repeats_even_a_bodiless_one_that_is_not_idempotent),
        cmocka_unit_test(never_repeats_when_a_body_byte_was_given),
        cmocka_unit_test(repeats_an_idempotent_one_whose_body_has_not_begun),
        cmocka_unit_test(keeps_a_lent_body_for_a_connection_that_is_yet_to_come),
        cmocka_unit_test(keeps_a_lent_body_of_a_request_that_may_be_sent_again),
        cmocka_unit_test(takes_no_old_connection_for_a_request_that_cannot_be_repeated),
        cmocka_unit_test(does_not_repeat_on_the_only_server_after_a_fresh_connection_died),
        cmocka_unit_test(tries_at_most_three_times),
        cmocka_unit_test(goes_to_another_server_when_one_refuses),
        cmocka_unit_test(says_unreachable_when_the_only_server_refuses),
        cmocka_unit_test(a_server_that_speaks_no_tls_is_unreachable_over_https),
        cmocka_unit_test(a_tls_handshake_that_hangs_times_out),
        cmocka_unit_test(a_server_that_refused_three_times_is_left_alone),
        cmocka_unit_test(one_request_finds_out_after_the_back_off_and_brings_it_back),
        cmocka_unit_test(is_busy_when_all_connections_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
