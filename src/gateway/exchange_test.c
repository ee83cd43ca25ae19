/* The exchange when the request is complete, or there is no upstream to ask: each state of the
   answer for each thing that can happen. exchange_body_test.c has the other half of the table. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/exchange_toys.h"
#include "policy/input.h"

/* ---- Request complete ---- */

static void head_and_first_body_bytes_leave_together(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_get();
    gh_toys_upstream_head(200);
    gh_toys_expect("turn? ");
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("xy"), true);
    gh_toys_expect("head:200:xy! ");
    gh_toys_end(exchange, false);
    gh_toys_expect("log:200 ");
}

static void a_head_without_body_bytes_leaves_at_the_end_of_the_turn(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_get();
    gh_toys_upstream_head(200);
    gh_exchange_turn(exchange);
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("e1"), false);
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("e2"), true);
    gh_toys_expect("turn? head:200 body:e1 body:e2! ");
    gh_toys_end(exchange, false);
}

static void a_failure_before_the_head_is_a_problem_document(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_get();
    gh_toys.call->events->on_failure(gh_toys.call, GH_UPSTREAM_UNREACHABLE);
    gh_toys_expect("head:502:problem! ");
    gh_toys_end(exchange, false);
    assert_int_equal(gh_toys.logged_reason, GH_REASON_UPSTREAM_UNREACHABLE);
}

static void a_cut_while_the_head_is_held_is_a_whole_502(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_get();
    gh_toys_upstream_head(200);
    gh_toys.call->events->on_failure(gh_toys.call, GH_UPSTREAM_CUT);
    gh_toys_expect("turn? head:502:problem! ");
    gh_exchange_turn(exchange);
    gh_toys_expect("");
    gh_toys_end(exchange, false);
}

static void a_cut_while_streaming_never_looks_complete(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_get();
    gh_toys_upstream_head(200);
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("half"), false);
    gh_toys.call->events->on_failure(gh_toys.call, GH_UPSTREAM_CUT);
    gh_toys_expect("turn? head:200:half reset ");
    gh_toys_end(exchange, false);
    assert_int_equal(gh_toys.logged_reason, GH_REASON_UPSTREAM_CUT);
}

static void a_client_that_goes_aborts_the_call(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_get();
    gh_toys_end(exchange, true);
    gh_toys_expect("abort log:0 ");
    assert_int_equal(gh_toys.logged_reason, GH_REASON_CLIENT_GONE);
}

static void a_slow_client_pauses_the_upstream_and_resumes_it(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_get();
    gh_toys_upstream_head(200);
    gh_toys.client_is_full = true;
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("big"), false);
    gh_toys_expect("turn? head:200:big pause ");
    gh_toys.client_is_full = false;
    gh_exchange_client_drained(exchange);
    gh_exchange_client_drained(exchange);
    gh_toys_expect("resume ");
    gh_toys_end(exchange, true);
}

static void a_scrubbed_answer_drops_the_upstreams_body(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_get();
    gh_toys.policy_replaces = true;
    gh_toys_upstream_head(500);
    gh_toys_expect("abort head:500! ");
    gh_toys_end(exchange, false);
}

/* ---- No upstream ---- */

/* A reload may have left this exchange as the last one that is pinned to its rules. */
static void an_answer_that_ends_its_exchange_is_judged_by_the_rules_it_began_under(void **state)
{
    (void)state;
    static struct gh_input input;
    struct gh_exchange *exchange = gh_toys_begin_get();
    exchange->request.input = &input;
    gh_toys.answer_is_observed = true;
    gh_toys_upstream_head(200);
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("{"), false);
    gh_toys.ends_when_answered = exchange;
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("}"), true);
    gh_toys_expect("turn? head:200:{ body:}! log:200 judge:2 ");
    assert_int_equal(gh_toys_pin_users(), 1);
    gh_exchange_pool_free(&gh_toys.worker);
}

static void a_refusal_by_a_stage_is_answered_at_once(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_toys.verdict = (struct gh_verdict){GH_VERDICT_RESPOND, GH_REASON_HOST_UNKNOWN};
    gh_exchange_head(exchange, &gh_toys.head);
    gh_exchange_body_end(exchange);
    gh_toys_expect("head:403! ");
    gh_toys_end(exchange, false);
    assert_int_equal(gh_toys.logged_reason, GH_REASON_HOST_UNKNOWN);
}

static void a_built_in_answers_without_an_upstream(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_toys.target = GH_TARGET_HEALTHZ;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("head:200:ok! ");
    gh_toys_end(exchange, false);
}

static void a_head_that_can_not_be_read_is_answered_and_closed(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_exchange_read_error(exchange, GH_HTTP_ERROR_MALFORMED);
    gh_toys_expect("head:400c:problem! ");
    gh_toys_end(exchange, false);
}

static void a_draining_worker_closes_after_the_answer(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_get();
    gh_toys.worker.draining = true;
    gh_toys_upstream_head(200);
    gh_toys.call->events->on_body(gh_toys.call, GH_STR(""), true);
    gh_toys_expect("turn? head:200c! ");
    gh_toys_end(exchange, false);
}

/* ---- Tunnels ---- */

static struct gh_exchange *begin_tunnel(void)
{
    struct gh_exchange *exchange = gh_toys_begin_get();
    gh_toys_upstream_head(101);
    gh_toys_expect("head:101 tunnel ");
    return exchange;
}

static void after_101_bytes_pass_raw_both_ways(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_tunnel();
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("down"), false);
    assert_true(gh_exchange_tunnel_in(exchange, GH_STR("up")));
    gh_toys_expect("raw:down up:up ");
    gh_toys.upstream_is_full = true;
    assert_false(gh_exchange_tunnel_in(exchange, GH_STR("up")));
    gh_toys.call->events->on_body(gh_toys.call, GH_STR(""), true);
    gh_toys_expect("up:up tunnel-end ");
    gh_toys_end(exchange, false);
}

static void a_tunnel_whose_upstream_breaks_is_ended(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_tunnel();
    gh_toys.call->events->on_failure(gh_toys.call, GH_UPSTREAM_CUT);
    gh_toys_expect("tunnel-end ");
    assert_false(gh_exchange_tunnel_in(exchange, GH_STR("late")));
    gh_toys_end(exchange, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_and_first_body_bytes_leave_together),
        cmocka_unit_test(a_head_without_body_bytes_leaves_at_the_end_of_the_turn),
        cmocka_unit_test(a_failure_before_the_head_is_a_problem_document),
        cmocka_unit_test(a_cut_while_the_head_is_held_is_a_whole_502),
        cmocka_unit_test(a_cut_while_streaming_never_looks_complete),
        cmocka_unit_test(a_client_that_goes_aborts_the_call),
        cmocka_unit_test(a_slow_client_pauses_the_upstream_and_resumes_it),
        cmocka_unit_test(a_scrubbed_answer_drops_the_upstreams_body),
        cmocka_unit_test(an_answer_that_ends_its_exchange_is_judged_by_the_rules_it_began_under),
        cmocka_unit_test(a_refusal_by_a_stage_is_answered_at_once),
        cmocka_unit_test(a_built_in_answers_without_an_upstream),
        cmocka_unit_test(a_head_that_can_not_be_read_is_answered_and_closed),
        cmocka_unit_test(a_draining_worker_closes_after_the_answer),
        cmocka_unit_test(after_101_bytes_pass_raw_both_ways),
        cmocka_unit_test(a_tunnel_whose_upstream_breaks_is_ended),
    };
    return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
