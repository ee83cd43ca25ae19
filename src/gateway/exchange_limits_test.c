/* The exchange parked for an answer about shared limits, whatever comes of the request meanwhile.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/exchange_toys.h"

static struct gh_exchange *begin(enum gh_method method, enum gh_body_kind body)
{
    struct gh_exchange *exchange = gh_toys_begin(method, body);
    gh_toys.asks_limits = true;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("limits? ");
    return exchange;
}

static void nothing_happens_before_the_answer(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_exchange_body_end(exchange);
    gh_exchange_turn(exchange);
    gh_toys_expect("");
    gh_toys_answer_limits();
    gh_toys_expect("decided call:<H> ");
    gh_toys_end(exchange, true);
}

static void a_refusal_goes_out_with_the_answer(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_exchange_body_end(exchange);
    gh_toys.verdict = (struct gh_verdict){GH_VERDICT_RESPOND, GH_REASON_RATE_LIMITED};
    gh_toys_answer_limits();
    gh_toys_expect("decided head:403! ");
    gh_toys_end(exchange, false);
    assert_int_equal(gh_toys.logged_reason, GH_REASON_RATE_LIMITED);
}

static void where_nobody_takes_the_question_it_goes_on_at_once(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_toys.asks_limits = gh_toys.limits_refused = true;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("limits? alone call:<H> ");
    gh_exchange_body_end(exchange);
    gh_toys_end(exchange, true);
}

static void where_the_answer_is_known_it_goes_on_at_once(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_toys.asks_limits = gh_toys.limits_known = true;
    gh_toys.verdict = (struct gh_verdict){GH_VERDICT_RESPOND, GH_REASON_RATE_LIMITED};
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("limits? decided head:403! ");
    gh_exchange_body_end(exchange);
    gh_toys_end(exchange, false);
}

static void a_request_that_is_complete_counts_as_such_while_it_waits(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_exchange_body_end(exchange);
    assert_int_equal(exchange->request_half, GH_REQUEST_COMPLETE); /* its client may half-close */
    gh_toys_answer_limits();
    assert_int_equal(exchange->request_half, GH_REQUEST_COMPLETE);
    gh_toys_expect("decided call:<H> ");
    gh_toys_end(exchange, true);
}

static void what_came_of_the_body_meanwhile_goes_upstream(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_body(exchange, GH_STR("abc"));
    gh_exchange_body(exchange, GH_STR("de"));
    gh_toys_expect("");
    assert_int_equal(exchange->body_bytes_in, 0);
    gh_toys_answer_limits();
    gh_toys_expect("decided turn? ");
    assert_int_equal(exchange->body_bytes_in, 5);
    gh_exchange_turn(exchange);
    gh_toys_expect("call:<H>+body up:5|abcde| paid:5 ");
    gh_exchange_body(exchange, GH_STR("f"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("up:1|f| paid:1 up:0|| up-end ");
    gh_toys_end(exchange, true);
}

static void a_whole_body_goes_upstream_with_its_head(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_body(exchange, GH_STR("abc"));
    gh_exchange_body_end(exchange);
    gh_toys_answer_limits();
    gh_toys_expect("decided turn? paid:3 call:<L>abc ");
    assert_int_equal(exchange->request_half, GH_REQUEST_COMPLETE);
    gh_toys_end(exchange, true);
}

static void the_body_of_a_refused_request_is_thrown_away(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_body(exchange, GH_STR("abc"));
    gh_toys.verdict = (struct gh_verdict){GH_VERDICT_RESPOND, GH_REASON_RATE_LIMITED};
    gh_toys_answer_limits();
    gh_toys_expect("decided head:403! paid:3 ");
    gh_exchange_body(exchange, GH_STR("d"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:1 ");
    gh_toys_end(exchange, false);
}

static void a_body_that_is_too_long_is_413_when_it_is_looked_at(void **state)
{
    (void)state;
    static const char LONG[101] = {'x'};
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_body(exchange, gh_str_of(LONG, sizeof(LONG)));
    gh_toys_answer_limits();
    gh_toys_expect("decided turn? paid:101 head:413:problem! ");
    gh_toys_end(exchange, false);
}

static void a_stage_behind_may_ask_for_the_body_that_is_here(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_toys.ask_body_max = 10;
    gh_exchange_body(exchange, GH_STR("abc"));
    gh_exchange_body_end(exchange);
    gh_toys_answer_limits();
    gh_toys_expect("decided paid:3 decided seen:abc call:<L>abc ");
    gh_toys_end(exchange, true);
}

static void a_question_about_the_body_is_asked_when_it_is_complete(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_toys.ask_body_max = 10;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_exchange_body(exchange, GH_STR("abc"));
    gh_toys.asks_limits = true;
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:3 limits? ");
    assert_int_equal(exchange->request_half, GH_REQUEST_COMPLETE);
    gh_toys_answer_limits();
    gh_toys_expect("decided seen:abc call:<L>abc ");
    gh_toys_end(exchange, true);
}

static void the_second_question_waits_with_the_same_body(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_body(exchange, GH_STR("abc"));
    gh_exchange_body_end(exchange);
    gh_toys.asks_again = true;
    gh_toys_answer_limits();
    gh_toys_expect("limits? ");
    assert_int_equal(exchange->request_half, GH_REQUEST_COMPLETE);
    gh_toys_answer_limits();
    gh_toys_expect("decided turn? paid:3 call:<L>abc ");
    assert_int_equal(exchange->body_bytes_in, 3);
    gh_toys_end(exchange, true);
}

static void a_client_that_goes_takes_its_question_back(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_body(exchange, GH_STR("abc"));
    gh_toys_end(exchange, true);
    gh_toys_expect("forget log:0 ");
    assert_int_equal(gh_toys.logged_reason, GH_REASON_CLIENT_GONE);
}

static void a_timeout_meanwhile_takes_it_back_too(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_refuse(exchange, GH_STAGE_READ, GH_REASON_BODY_TIMEOUT);
    gh_toys_expect("forget head:502:problem! ");
    gh_exchange_body(exchange, GH_STR("abc"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:3 ");
    gh_toys_end(exchange, false);
}

static void more_than_is_held_for_any_request_is_503(void **state)
{
    (void)state;
    static char many[GH_EXCHANGE_HELD_BYTES_MAX];
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_body(exchange, gh_str_of(many, sizeof(many)));
    gh_toys_expect("");
    gh_exchange_body(exchange, GH_STR("x"));
    gh_toys_expect("forget head:503:problem! ");
    gh_toys_end(exchange, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_happens_before_the_answer),
        cmocka_unit_test(a_refusal_goes_out_with_the_answer),
        cmocka_unit_test(where_nobody_takes_the_question_it_goes_on_at_once),
        cmocka_unit_test(where_the_answer_is_known_it_goes_on_at_once),
        cmocka_unit_test(a_request_that_is_complete_counts_as_such_while_it_waits),
        cmocka_unit_test(what_came_of_the_body_meanwhile_goes_upstream),
        cmocka_unit_test(a_whole_body_goes_upstream_with_its_head),
        cmocka_unit_test(the_body_of_a_refused_request_is_thrown_away),
        cmocka_unit_test(a_body_that_is_too_long_is_413_when_it_is_looked_at),
        cmocka_unit_test(a_stage_behind_may_ask_for_the_body_that_is_here),
        cmocka_unit_test(a_question_about_the_body_is_asked_when_it_is_complete),
        cmocka_unit_test(the_second_question_waits_with_the_same_body),
        cmocka_unit_test(a_client_that_goes_takes_its_question_back),
        cmocka_unit_test(a_timeout_meanwhile_takes_it_back_too),
        cmocka_unit_test(more_than_is_held_for_any_request_is_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
