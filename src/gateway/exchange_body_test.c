/* The exchange while the request's body is still coming in: each state of the answer for each thing
   that can happen. exchange_test.c has the other half of the table. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/exchange_toys.h"
#include "policy/input.h"

/* ---- Request being read ---- */

static void a_body_that_is_complete_in_its_turn_goes_in_one_piece(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_head(exchange, &gh_toys.head);
    gh_exchange_body(exchange, GH_STR("ab"));
    gh_exchange_body(exchange, GH_STR("cd"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("turn? paid:4 call:<L>abcd ");
    gh_exchange_turn(exchange);
    gh_toys_expect("");
    gh_toys_end(exchange, true);
}

static void begin_post_of(size_t bytes, unsigned version)
{
    gh_toys.head.content_length = bytes;
    gh_toys.head.version_major = (uint8_t)version;
}

static void a_body_in_one_piece_is_lent_to_the_call(void **state)
{
    (void)state;
    const struct gh_str body = GH_STR("abcd");
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_LENGTH);
    begin_post_of(body.len, 1);
    gh_exchange_head(exchange, &gh_toys.head);
    gh_exchange_body(exchange, body);
    gh_exchange_body_end(exchange);
    gh_toys_expect("turn? paid:4 call:<L>abcd ");
    assert_true(gh_toys.call->request.body_lent);
    assert_ptr_equal(gh_toys.call->request.body.ptr, body.ptr);
    gh_toys_end(exchange, true);
}

/* Of HTTP/2 the end may come much later, of pieces the first is not the caller's any more. */
static void a_body_that_is_not_whole_yet_is_never_lent(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_LENGTH);
    begin_post_of(4, 2);
    gh_exchange_head(exchange, &gh_toys.head);
    char bytes[] = "abcd";
    gh_exchange_body(exchange, gh_str_of(bytes, 4));
    memset(bytes, 'x', 4);
    gh_exchange_body_end(exchange);
    gh_toys_expect("turn? paid:4 call:<L>abcd ");
    assert_false(gh_toys.call->request.body_lent);
    gh_toys_end(exchange, true);

    exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_LENGTH);
    begin_post_of(8, 1);
    gh_exchange_head(exchange, &gh_toys.head);
    memcpy(bytes, "abcd", 4);
    gh_exchange_body(exchange, gh_str_of(bytes, 4));
    memcpy(bytes, "efgh", 4);
    gh_exchange_body(exchange, gh_str_of(bytes, 4));
    memset(bytes, 'x', 4);
    gh_exchange_body_end(exchange);
    gh_toys_expect("turn? paid:8 call:<L>abcdefgh ");
    assert_false(gh_toys.call->request.body_lent);
    gh_toys_end(exchange, true);
}

static void a_body_too_long_to_be_held_flows_from_its_first_byte(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_LENGTH);
    begin_post_of(GH_EXCHANGE_HELD_BYTES_MAX + 1, 1);
    gh_exchange_head(exchange, &gh_toys.head);
    gh_exchange_body(exchange, GH_STR("ab"));
    gh_toys_expect("call:<L>+body up:ab paid:2 ");
    gh_toys_end(exchange, true);
}

static void a_longer_body_is_streamed_in_chunks(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_upload();
    gh_exchange_body(exchange, GH_STR("0123456789abcdef"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("up:10|0123456789abcdef| paid:16 up:0|| up-end ");
    gh_toys_end(exchange, true);
}

static void body_bytes_wait_until_the_upstream_is_connected(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_toys.ready_at_start = false;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_exchange_body(exchange, GH_STR("ab"));
    gh_exchange_turn(exchange);
    gh_exchange_body(exchange, GH_STR("cd"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("turn? call:<H>+body ");
    gh_toys.call->events->on_ready(gh_toys.call);
    gh_toys_expect("up:4|abcd| paid:4 up:0|| up-end ");
    gh_toys_end(exchange, true);
}

static void a_slow_upstream_is_not_paid_for(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_upload();
    gh_toys.upstream_is_full = true;
    gh_exchange_body(exchange, GH_STR("xx"));
    gh_toys_expect("up:2|xx| ");
    gh_toys.call->events->on_drain(gh_toys.call);
    gh_toys_expect("paid:2 ");
    gh_toys_end(exchange, true);
}

static void a_bad_chunk_in_the_first_turn_sends_nothing_upstream(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_head(exchange, &gh_toys.head);
    gh_exchange_body(exchange, GH_STR("ab"));
    gh_exchange_read_error(exchange, GH_HTTP_ERROR_CHUNK);
    gh_toys_expect("turn? head:400c:problem! ");
    gh_exchange_turn(exchange);
    gh_toys_expect("");
    gh_toys_end(exchange, false);
}

static void a_bad_chunk_later_aborts_the_call_without_completing_it(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_upload();
    gh_exchange_read_error(exchange, GH_HTTP_ERROR_CHUNK);
    gh_toys_expect("abort head:400c:problem! ");
    gh_toys_end(exchange, false);
}

static void a_bad_chunk_after_the_answer_began_breaks_it_off(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_upload();
    gh_toys_upstream_head(200);
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("early"), false);
    gh_exchange_read_error(exchange, GH_HTTP_ERROR_CHUNK);
    gh_toys_expect("turn? head:200:early abort reset ");
    gh_toys_end(exchange, false);
}

/* A body that flows on while it is judged; the next piece of it finds no memory. */
static void lose_memory(struct gh_exchange *exchange)
{
    static struct gh_input input;
    exchange->request.input = &input;
    gh_toys.input_is_full = true;
    gh_exchange_body(exchange, GH_STR("more"));
}

static void a_piece_without_memory_is_503_before_the_answer(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_upload();
    lose_memory(exchange);
    gh_toys_expect("abort head:503:problem! ");
    gh_toys_end(exchange, false);
    assert_int_equal(gh_toys.logged_reason, GH_REASON_OVERLOADED);
}

static void a_piece_without_memory_after_the_answer_began_breaks_it_off(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_upload();
    gh_toys_upstream_head(200);
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("early"), false);
    lose_memory(exchange);
    gh_toys_expect("turn? head:200:early abort reset ");
    gh_exchange_refuse_for_now(exchange); /* once more: it is broken off already */
    gh_exchange_body(exchange, GH_STR("late"));
    gh_toys_expect("paid:4 ");
    gh_toys_end(exchange, false);
    assert_int_equal(gh_toys.logged_reason, GH_REASON_OVERLOADED);
}

static void no_memory_after_the_answer_leaves_it_whole(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_upload();
    gh_toys_upstream_head(200);
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("done"), true);
    gh_exchange_refuse_for_now(exchange);
    gh_toys_expect("turn? head:200:done! ");
    gh_toys_end(exchange, false);
}

static void a_body_over_its_limit_is_413_and_never_completed(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_upload();
    char much[101];
    memset(much, 'm', sizeof(much));
    gh_exchange_body(exchange, gh_str_of(much, sizeof(much)));
    gh_toys_expect("paid:101 abort head:413:problem! ");
    gh_exchange_body(exchange, GH_STR("more"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("paid:4 ");
    gh_toys_end(exchange, false);
}

static void an_early_whole_answer_lets_the_rest_of_the_body_go_by(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_upload();
    gh_toys_upstream_head(200);
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("done"), true);
    gh_exchange_body(exchange, GH_STR("late"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("turn? head:200:done! paid:4 ");
    gh_toys_end(exchange, false);
}

static void a_stalled_body_is_refused_and_the_call_aborted(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin_upload();
    exchange->close_after = true;
    gh_exchange_refuse(exchange, GH_STAGE_READ, GH_REASON_BODY_TIMEOUT);
    gh_toys_expect("abort head:502c:problem! ");
    gh_toys_end(exchange, false);
}

static void the_client_is_told_to_continue_only_when_nothing_refused_it(void **state)
{
    (void)state;
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_LENGTH);
    gh_toys.head.expect_continue = true;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("turn? 100 ");
    gh_toys_end(exchange, true);

    exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_LENGTH);
    gh_toys.head.expect_continue = true;
    gh_toys.verdict = (struct gh_verdict){GH_VERDICT_RESPOND, GH_REASON_BODY_TOO_LARGE};
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("head:403c! ");
    gh_toys_end(exchange, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_is_complete_in_its_turn_goes_in_one_piece),
        cmocka_unit_test(a_body_in_one_piece_is_lent_to_the_call),
        cmocka_unit_test(a_body_that_is_not_whole_yet_is_never_lent),
        cmocka_unit_test(a_body_too_long_to_be_held_flows_from_its_first_byte),
        cmocka_unit_test(a_longer_body_is_streamed_in_chunks),
        cmocka_unit_test(body_bytes_wait_until_the_upstream_is_connected),
        cmocka_unit_test(a_slow_upstream_is_not_paid_for),
        cmocka_unit_test(a_bad_chunk_in_the_first_turn_sends_nothing_upstream),
        cmocka_unit_test(a_bad_chunk_later_aborts_the_call_without_completing_it),
        cmocka_unit_test(a_bad_chunk_after_the_answer_began_breaks_it_off),
        cmocka_unit_test(a_piece_without_memory_is_503_before_the_answer),
        cmocka_unit_test(a_piece_without_memory_after_the_answer_began_breaks_it_off),
        cmocka_unit_test(no_memory_after_the_answer_leaves_it_whole),
        cmocka_unit_test(a_body_over_its_limit_is_413_and_never_completed),
        cmocka_unit_test(an_early_whole_answer_lets_the_rest_of_the_body_go_by),
        cmocka_unit_test(a_stalled_body_is_refused_and_the_call_aborted),
        cmocka_unit_test(the_client_is_told_to_continue_only_when_nothing_refused_it),
    };
    return cmocka_run_group_tests_name("exchange_body", tests, NULL, NULL);
}
