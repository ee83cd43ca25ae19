/* The exchange parked: for a body that a stage asks for, and for the answer of the identity
   service. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "gateway/exchange_toys.h"

/* An exchange whose stages ask for a body of at most 10 bytes, its head given. */
static struct gh_exchange *begin_asked(enum gh_body_kind body, uint64_t content_length)
{
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, body);
    gh_toys.ask_body_max = 10;
    gh_toys.head.content_length = content_length;
    gh_exchange_head(exchange, &gh_toys.head);
    return exchange;
}

/* ---- ASK BODY ---- */

static void no_upstream_is_called_before_the_whole_body_was_seen(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_asked(GH_BODY_CHUNKED, 0);
    gh_toys_expect("");
    gh_exchange_body(exchange, GH_STR("abc"));
    gh_toys_expect("paid:3 ");
    gh_exchange_turn(exchange);
    gh_toys_expect("");
    gh_exchange_body(exchange, GH_STR("de"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:2 seen:abcde call:<L>abcde ");
    assert_true(exchange->request.head->content_length == 5);
    gh_toys_end(exchange, true);
}

static void a_body_with_a_length_is_seen_too(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_asked(GH_BODY_LENGTH, 10);
    gh_exchange_body(exchange, GH_STR("0123456789"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:10 seen:0123456789 call:<L>0123456789 ");
    gh_toys_end(exchange, true);
}

static void a_request_without_a_body_does_not_wait(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_asked(GH_BODY_NONE, 0);
    gh_toys_expect("seen: call:<H> ");
    gh_exchange_body_end(exchange);
    gh_toys_expect("");
    gh_toys_end(exchange, true);
}

static void an_empty_body_is_known_when_it_ends(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_asked(GH_BODY_LENGTH, 0);
    gh_exchange_body_end(exchange);
    gh_toys_expect("seen: call:<L> ");
    gh_toys_end(exchange, true);
}

static void a_length_over_the_cap_is_413_before_any_100(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_LENGTH);
    gh_toys.ask_body_max = 10;
    gh_toys.head.content_length = 11;
    gh_toys.head.expect_continue = true;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("head:413c:problem! ");
    gh_toys_end(exchange, false);
    assert_int_equal(gh_toys.logged_reason, GH_REASON_BODY_TOO_LARGE);
}

static void a_chunked_body_over_the_cap_is_413(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_asked(GH_BODY_CHUNKED, 0);
    gh_exchange_body(exchange, GH_STR("01234567"));
    gh_exchange_body(exchange, GH_STR("89a"));
    gh_exchange_body(exchange, GH_STR("more"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:8 paid:3 head:413:problem! paid:4 ");
    gh_toys_end(exchange, false);
}

static void the_client_that_waits_is_told_to_continue_once(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_LENGTH);
    gh_toys.ask_body_max = 10;
    gh_toys.head.content_length = 2;
    gh_toys.head.expect_continue = true;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("100 ");
    gh_exchange_body(exchange, GH_STR("hi"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:2 seen:hi call:<L>hi ");
    gh_toys_end(exchange, true);
}

static void a_refusal_after_the_body_was_seen_calls_nobody(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_asked(GH_BODY_CHUNKED, 0);
    gh_toys.verdict = (struct gh_verdict){GH_VERDICT_RESPOND, GH_REASON_RATE_LIMITED};
    gh_exchange_body(exchange, GH_STR("x"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:1 seen:x head:403! ");
    gh_toys_end(exchange, false);
    assert_int_equal(gh_toys.logged_reason, GH_REASON_RATE_LIMITED);
}

static void bodies_over_the_budget_of_the_process_are_503(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_asked(GH_BODY_LENGTH, 8);
    gh_toys.shared.held_bodies.max = 7;
    gh_exchange_body(exchange, GH_STR("01234567"));
    gh_toys_expect("paid:8 head:503:problem! ");
    assert_true(gh_str_eq(exchange->request.reply.fields[0].value, GH_STR("1")));
    gh_exchange_body_end(exchange);
    gh_toys_expect("");
    gh_toys_end(exchange, false);
    assert_int_equal(gh_toys.logged_reason, GH_REASON_OVERLOADED);
}

/* Another request of the client, its head given. */
static struct gh_exchange *begin_more(gh_stream_id stream, uint8_t client)
{
    struct gh_exchange *exchange = gh_toys_begin_stream(stream);
    exchange->request.client = (struct gh_ip){.family = GH_IP_V4, .bytes = {192, 0, 2, client}};
    gh_exchange_head(exchange, &gh_toys.head);
    return exchange;
}

static void bodies_over_their_clients_share_are_503_when_the_budget_is_scarce(void **state)
{
    (void)state;
    struct gh_exchange *first = begin_asked(GH_BODY_LENGTH, 8);
    struct gh_body_budget *budget = &gh_toys.shared.held_bodies;
    assert_int_equal(gh_client_count_open((struct gh_hash_key){1, 2}, &budget->clients), GH_OK);
    budget->max = 128;
    struct gh_exchange *ones[9];
    for (gh_stream_id i = 0; i < 9; i++) {
        ones[i] = begin_more(i + 3, 1);
        gh_exchange_body(ones[i], GH_STR("x"));
        assert_int_equal(ones[i]->answer_half, i < 8 ? GH_ANSWER_NONE : GH_ANSWER_DONE);
    }
    assert_int_equal(ones[8]->status, 503);
    assert_int_equal(budget->taken, 64);
    struct gh_exchange *other = begin_more(12, 2);
    gh_exchange_body(other, GH_STR("x"));
    assert_int_equal(other->answer_half, GH_ANSWER_NONE);
    for (size_t i = 0; i < 9; i++)
        gh_exchange_end(ones[i], true);
    assert_int_equal(budget->taken, 8);
    gh_exchange_end(other, true);
    gh_client_count_close(budget->clients);
    gh_toys_end(first, true);
}

static void a_body_goes_upstream_from_where_it_is_held(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_asked(GH_BODY_LENGTH, 8);
    gh_toys.shared.held_bodies.max = 8;
    gh_exchange_body(exchange, GH_STR("01234567"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:8 seen:01234567 call:<L>01234567 ");
    assert_int_equal(gh_toys.shared.held_bodies.taken, 8);
    assert_ptr_equal(exchange->call.request.body.ptr, exchange->held.ptr);
    gh_toys_end(exchange, true);
}

static void a_client_that_goes_gives_its_share_of_the_budget_back(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_asked(GH_BODY_LENGTH, 8);
    gh_exchange_body(exchange, GH_STR("0123"));
    assert_int_equal(gh_toys.shared.held_bodies.taken, 8);
    gh_toys_end(exchange, true);
    gh_toys_expect("paid:4 log:0 ");
    assert_int_equal(gh_toys.shared.held_bodies.taken, 0);
}

static void a_stalled_body_that_was_asked_for_is_refused(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_asked(GH_BODY_CHUNKED, 0);
    gh_exchange_body(exchange, GH_STR("x"));
    exchange->close_after = true;
    gh_exchange_refuse(exchange, GH_STAGE_READ, GH_REASON_BODY_TIMEOUT);
    gh_exchange_body(exchange, GH_STR("y"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:1 head:502c:problem! paid:1 ");
    gh_toys_end(exchange, false);
}

static void a_bad_chunk_in_a_body_that_was_asked_for_is_400(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_asked(GH_BODY_CHUNKED, 0);
    gh_exchange_body(exchange, GH_STR("x"));
    gh_exchange_read_error(exchange, GH_HTTP_ERROR_CHUNK);
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:1 head:400c:problem! ");
    gh_toys_end(exchange, false);
}

/* ---- The identity service ---- */

static struct gh_exchange *begin_service(void)
{
    struct gh_exchange *exchange = begin_asked(GH_BODY_LENGTH, 2);
    gh_toys.target = GH_TARGET_SERVICE;
    gh_exchange_body(exchange, GH_STR("{}"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:2 seen:{} data ");
    return exchange;
}

static void the_answer_of_a_lane_comes_back_over_the_loop(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_service();
    gh_toys_run_lane();
    gh_toys_expect("handle:{} ");
    gh_toys_run_loop();
    gh_toys_expect("head:201:answer! back ");
    gh_toys_end(exchange, false);
    assert_int_equal(gh_toys.logged_reason, GH_REASON_BUILT_IN);
}

static void endpoints_that_hash_have_their_own_lane(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_NONE);
    gh_toys.target = GH_TARGET_SERVICE;
    exchange->request.endpoint = 1;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("hash ");
    gh_toys_run_lane();
    gh_toys_run_loop();
    gh_toys_expect("handle: head:201:answer! back ");
    gh_toys_end(exchange, false);
}

static void a_full_lane_is_503_and_says_when_to_come_back(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_NONE);
    gh_toys.target = GH_TARGET_SERVICE;
    gh_toys.lane_is_full = true;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("head:503:problem! ");
    assert_true(gh_str_eq(exchange->request.reply.fields[0].value, GH_STR("1")));
    assert_int_equal(gh_toys.worker.service_calls, 0);
    gh_toys_end(exchange, false);
    assert_int_equal(gh_toys.logged_reason, GH_REASON_OVERLOADED);
}

static void no_memory_for_a_call_is_503(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_NONE);
    gh_toys.target = GH_TARGET_SERVICE;
    gh_toys.fill_fails = true;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("head:503:problem! ");
    gh_toys_end(exchange, false);
}

static void an_answer_that_can_not_be_kept_is_503(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_service();
    gh_toys.copy_fails = true;
    gh_toys_run_lane();
    gh_toys_run_loop();
    gh_toys_expect("handle:{} head:503:problem! back ");
    gh_toys_end(exchange, false);
}

static void a_full_loop_loses_no_answer(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_service();
    gh_toys.loop_full_times = 3;
    gh_toys_run_lane();
    gh_toys_run_loop();
    gh_toys_expect("handle:{} head:201:answer! back ");
    gh_toys_end(exchange, false);
}

static void a_call_whose_client_goes_still_completes_under_its_settings(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_service();
    assert_int_equal(gh_toys_pin_users(), 3);
    gh_toys_end(exchange, true);
    gh_toys_expect("log:0 ");
    assert_int_equal(gh_toys.logged_reason, GH_REASON_CLIENT_GONE);
    assert_int_equal(gh_toys_pin_users(), 2);
    gh_toys_run_lane();
    gh_toys_run_loop();
    gh_toys_expect("handle:{} back ");
    assert_int_equal(gh_toys_pin_users(), 1);
}

static void calls_that_nobody_waits_for_are_counted_until_they_are_back(void **state)
{
    (void)state;
    struct gh_service_left *left = calloc(1, sizeof(*left));
    struct gh_exchange *exchange = begin_service();
    exchange->service_left = left;
    assert_int_equal(left->calls, 0);
    gh_toys_end(exchange, true);
    assert_int_equal(left->calls, 1);
    gh_toys_run_lane();
    gh_toys_run_loop();
    assert_int_equal(left->calls, 0);
    gh_service_left_drop(left);
}

static void a_call_outlives_the_connection_that_counts_it(void **state)
{
    (void)state;
    struct gh_service_left *left = calloc(1, sizeof(*left));
    struct gh_exchange *exchange = begin_service();
    exchange->service_left = left;
    gh_toys_end(exchange, true);
    gh_service_left_drop(left);
    gh_toys_run_lane();
    gh_toys_run_loop(); /* which frees it: the sanitizer looks */
    gh_toys_expect("log:0 handle:{} back ");
}

static void a_late_answer_does_not_reach_the_next_request_in_the_same_memory(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_service();
    gh_exchange_end(exchange, true);
    struct gh_codec *codec = exchange->codec;
    struct gh_exchange *next =
        gh_exchange_begin(&gh_toys.worker, codec, 2, exchange->port, NULL, exchange->peer);
    assert_ptr_equal(next, exchange);
    gh_toys.ask_body_max = 0;
    gh_toys.head.body = GH_BODY_NONE;
    gh_exchange_head(next, &gh_toys.head);
    gh_toys_expect("log:0 data ");
    gh_toys.lane[0].fn(gh_toys.lane[0].arg); /* the first one's */
    gh_toys.loop[0].fn(gh_toys.loop[0].arg);
    gh_toys_expect("handle:{} back ");
    assert_int_equal(next->answer_half, GH_ANSWER_NONE);
    gh_toys.lane[0] = gh_toys.lane[1];
    gh_toys.lane_count = 1;
    gh_toys.loop_count = 0;
    gh_toys_run_lane();
    gh_toys_run_loop();
    gh_toys_expect("handle: head:201:answer! back ");
    gh_toys_end(next, false);
}

static void a_call_that_was_refused_meanwhile_is_not_answered_twice(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_service();
    gh_exchange_refuse(exchange, GH_STAGE_READ, GH_REASON_BODY_TIMEOUT);
    gh_toys_expect("head:502:problem! ");
    gh_toys_run_lane();
    gh_toys_run_loop();
    gh_toys_expect("handle:{} back ");
    gh_toys_end(exchange, false);
}

static void a_gateway_without_identity_answers_503(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_toys.target = GH_TARGET_SERVICE;
    gh_toys.shared.service = NULL;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("head:503:problem! ");
    gh_toys_end(exchange, false);
}

static void the_gate_is_lent_only_with_rules(void **state)
{
    (void)state;
    static char gate;
    static struct gh_gate_version version;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_GET, GH_BODY_NONE);
    assert_null(exchange->request.gate);
    struct gh_pin *pin = exchange->pin;
    gh_toys.worker.gate = (struct gh_gate *)&gate;
    for (int i = 0; i < 2; i++) {
        struct gh_exchange *other =
            gh_exchange_begin(&gh_toys.worker, exchange->codec, 2, exchange->port, NULL, NULL);
        assert_ptr_equal(other->request.gate, i ? gh_toys.worker.gate : NULL);
        assert_ptr_equal(other->request.gate_rules, i ? &version.rules : NULL);
        gh_exchange_head(other, &gh_toys.head);
        assert_true(other->request.now_s == 1700000000);
        gh_exchange_end(other, true);
        pin->gate = &version;
    }
    pin->gate = NULL;
    gh_toys_end(exchange, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_upstream_is_called_before_the_whole_body_was_seen),
        cmocka_unit_test(a_body_with_a_length_is_seen_too),
        cmocka_unit_test(a_request_without_a_body_does_not_wait),
        cmocka_unit_test(an_empty_body_is_known_when_it_ends),
        cmocka_unit_test(a_length_over_the_cap_is_413_before_any_100),
        cmocka_unit_test(a_chunked_body_over_the_cap_is_413),
        cmocka_unit_test(the_client_that_waits_is_told_to_continue_once),
        cmocka_unit_test(a_refusal_after_the_body_was_seen_calls_nobody),
        cmocka_unit_test(bodies_over_the_budget_of_the_process_are_503),
        cmocka_unit_test(bodies_over_their_clients_share_are_503_when_the_budget_is_scarce),
        cmocka_unit_test(a_body_goes_upstream_from_where_it_is_held),
        cmocka_unit_test(a_client_that_goes_gives_its_share_of_the_budget_back),
        cmocka_unit_test(a_stalled_body_that_was_asked_for_is_refused),
        cmocka_unit_test(a_bad_chunk_in_a_body_that_was_asked_for_is_400),
        cmocka_unit_test(the_answer_of_a_lane_comes_back_over_the_loop),
        cmocka_unit_test(endpoints_that_hash_have_their_own_lane),
        cmocka_unit_test(a_full_lane_is_503_and_says_when_to_come_back),
        cmocka_unit_test(no_memory_for_a_call_is_503),
        cmocka_unit_test(an_answer_that_can_not_be_kept_is_503),
        cmocka_unit_test(a_full_loop_loses_no_answer),
        cmocka_unit_test(a_call_whose_client_goes_still_completes_under_its_settings),
        cmocka_unit_test(calls_that_nobody_waits_for_are_counted_until_they_are_back),
        cmocka_unit_test(a_call_outlives_the_connection_that_counts_it),
        cmocka_unit_test(a_late_answer_does_not_reach_the_next_request_in_the_same_memory),
        cmocka_unit_test(a_call_that_was_refused_meanwhile_is_not_answered_twice),
        cmocka_unit_test(a_gateway_without_identity_answers_503),
        cmocka_unit_test(the_gate_is_lent_only_with_rules),
    };
    return cmocka_run_group_tests_name("exchange_ask", tests, NULL, NULL);
}
