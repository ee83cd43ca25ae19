/*
 * The exchange against a toy codec and a toy upstream: each cell of its table (how far the request
 * is in x how far the answer is out) for each thing that can happen. Everything it calls outside
 * its own file is replaced here at link time and writes what it was asked into one trace.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/access_log.h"
#include "gateway/builtin_target.h"
#include "gateway/exchange.h"

/* ---- The toys ---- */

static char trace_text[4096];
static struct gh_worker worker;
static struct gh_shared shared;
static struct gh_snapshot snapshot;
static struct gh_upstream_group *groups[1];
static struct gh_pin pin = {.snapshot = &snapshot, .users = 1};
static struct gh_verdict next_verdict;
static enum gh_target_kind next_target;
static bool policy_replaces, upstream_is_full, client_is_full, ready_at_start;
static struct gh_upstream_call *call;
static enum gh_reason logged_reason;

static void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void trace(const char *format, ...)
{
    size_t len = strlen(trace_text);
    va_list args;
    va_start(args, format);
    vsnprintf(trace_text + len, sizeof(trace_text) - len, format, args);
    va_end(args);
}

static void expect_trace(const char *expected)
{
    assert_string_equal(trace_text, expected);
    trace_text[0] = '\0';
}

struct gh_pin *gh_worker_pin(struct gh_worker *w)
{
    (void)w;
    pin.users++;
    return &pin;
}

void gh_worker_unpin(struct gh_worker *w, struct gh_pin *p)
{
    (void)w;
    p->users--;
}

void gh_worker_random(struct gh_worker *w, uint8_t out_bytes[16])
{
    (void)w;
    memset(out_bytes, 7, 16);
}

struct gh_str gh_worker_date(struct gh_worker *w)
{
    (void)w;
    return GH_STR("now");
}

uint64_t gh_loop_now_ms(const struct gh_loop *loop)
{
    (void)loop;
    return 1000;
}

uint64_t gh_loop_now_us(const struct gh_loop *loop)
{
    (void)loop;
    return 1000000;
}

void gh_metric_observe_us(struct gh_metrics *m, unsigned w, gh_metric_id slot, uint64_t us)
{
    (void)m, (void)w, (void)slot, (void)us;
}

void gh_access_log(struct gh_exchange *exchange)
{
    logged_reason = exchange->reason;
    trace("log:%u ", exchange->status);
}

void gh_builtin_target_answer(struct gh_worker *w, struct gh_request *request)
{
    (void)w;
    request->reply.status = 200;
    request->reply.body = GH_STR("ok");
}

bool gh_method_is_idempotent(enum gh_method method)
{
    return method == GH_METHOD_GET;
}

void gh_request_init(struct gh_request *request)
{
    memset(request, 0, sizeof(*request));
}

struct gh_verdict gh_policy_run(struct gh_request *request)
{
    request->target = next_target;
    request->body_bytes_max = 100;
    if (next_verdict.kind == GH_VERDICT_RESPOND)
        request->reply.status = 403;
    return next_verdict;
}

enum gh_reason gh_reason_of_http_error(enum gh_http_error error)
{
    (void)error;
    return GH_REASON_MALFORMED;
}

void gh_policy_refuse(struct gh_request *request, enum gh_stage stage, enum gh_reason reason)
{
    (void)stage;
    request->reply.status = reason == GH_REASON_BODY_TOO_LARGE ? 413
                            : reason == GH_REASON_MALFORMED    ? 400
                                                               : 502;
    request->reply.body = GH_STR("problem");
}

struct gh_str gh_policy_write_upstream_head(const struct gh_request *request)
{
    return request->head->body == GH_BODY_LENGTH ? GH_STR("<L>") : GH_STR("<H>");
}

bool gh_policy_answer(struct gh_request *request, struct gh_response_head *upstream,
                      struct gh_answer_head *out_answer, bool *out_replaced)
{
    *out_replaced = upstream && policy_replaces;
    if (*out_replaced)
        request->reply.status = 500;
    *out_answer = (struct gh_answer_head){
        .status = upstream && !*out_replaced ? upstream->status : request->reply.status};
    return true;
}

void gh_upstream_call_start(struct gh_upstream_call *c, struct gh_upstreams *upstreams,
                            struct gh_upstream_group *group,
                            const struct gh_upstream_request *request, struct gh_arena *arena,
                            const struct gh_upstream_call_events *events, void *owner)
{
    (void)upstreams, (void)group, (void)arena;
    c->events = events;
    c->owner = owner;
    c->request = *request;
    call = c;
    trace("call:%.*s%s ", GH_STR_ARG(request->head), request->has_body ? "+body" : "");
    if (ready_at_start)
        events->on_ready(c);
}

bool gh_upstream_call_write(struct gh_upstream_call *c, const struct gh_str *slices, size_t count)
{
    (void)c;
    trace("up:");
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < slices[i].len; k++) {
            if (slices[i].ptr[k] == '\r')
                continue;
            trace("%c", slices[i].ptr[k] == '\n' ? '|' : slices[i].ptr[k]);
        }
    }
    trace(" ");
    return !upstream_is_full;
}

void gh_upstream_call_end(struct gh_upstream_call *c)
{
    (void)c;
    trace("up-end ");
}

void gh_upstream_call_pause(struct gh_upstream_call *c)
{
    (void)c;
    trace("pause ");
}

void gh_upstream_call_resume(struct gh_upstream_call *c)
{
    (void)c;
    trace("resume ");
}

void gh_upstream_call_abort(struct gh_upstream_call *c)
{
    (void)c;
    trace("abort ");
}

static void toy_continue(struct gh_codec *codec, gh_stream_id stream)
{
    (void)codec, (void)stream;
    trace("100 ");
}

static void toy_head(struct gh_codec *codec, gh_stream_id stream, const struct gh_answer_head *head,
                     struct gh_str first, bool is_last)
{
    (void)codec, (void)stream;
    trace("head:%u%s%s%.*s%s ", head->status, head->close ? "c" : "", first.len ? ":" : "",
          GH_STR_ARG(first), is_last ? "!" : "");
}

static void toy_body(struct gh_codec *codec, gh_stream_id stream, struct gh_str bytes, bool is_last)
{
    (void)codec, (void)stream;
    trace("body:%.*s%s ", GH_STR_ARG(bytes), is_last ? "!" : "");
}

static void toy_consumed(struct gh_codec *codec, gh_stream_id stream, size_t bytes)
{
    (void)codec, (void)stream;
    trace("paid:%zu ", bytes);
}

static void toy_reset(struct gh_codec *codec, gh_stream_id stream)
{
    (void)codec, (void)stream;
    trace("reset ");
}

static const struct gh_codec_ops TOY_OPS = {
    .write_continue = toy_continue,
    .write_head = toy_head,
    .write_body = toy_body,
    .consumed = toy_consumed,
    .reset = toy_reset,
};
static struct gh_codec codec = {.ops = &TOY_OPS};

static void port_input_wanted(void *owner)
{
    (void)owner;
}

static bool port_is_full(const void *owner)
{
    (void)owner;
    return client_is_full;
}

static void port_want_turn(void *owner, struct gh_exchange *exchange)
{
    (void)owner, (void)exchange;
    trace("turn? ");
}

static void port_tunnel_begin(void *owner, struct gh_exchange *exchange)
{
    (void)owner, (void)exchange;
    trace("tunnel ");
}

static void port_tunnel_write(void *owner, struct gh_str bytes)
{
    (void)owner;
    trace("raw:%.*s ", GH_STR_ARG(bytes));
}

static void port_tunnel_end(void *owner)
{
    (void)owner;
    trace("tunnel-end ");
}

static const struct gh_exchange_port PORT = {
    port_input_wanted, port_is_full,      port_want_turn,
    port_tunnel_begin, port_tunnel_write, port_tunnel_end,
};

static struct gh_request_head head;
static struct gh_peer peer;

static struct gh_exchange *begin(enum gh_method method, enum gh_body_kind body)
{
    memset(&worker, 0, sizeof(worker));
    worker.shared = &shared;
    snapshot.groups = groups;
    trace_text[0] = '\0';
    next_verdict = (struct gh_verdict){GH_VERDICT_NEXT, GH_REASON_UNDECIDED};
    next_target = GH_TARGET_UPSTREAM;
    policy_replaces = upstream_is_full = client_is_full = false;
    ready_at_start = true;
    head = (struct gh_request_head){.method = method, .body = body};
    struct gh_exchange *exchange = gh_exchange_begin(&worker, &codec, 1, &PORT, NULL, &peer);
    assert_non_null(exchange);
    return exchange;
}

static void end(struct gh_exchange *exchange, bool client_gone)
{
    gh_exchange_end(exchange, client_gone);
    gh_exchange_pool_free(&worker);
    assert_int_equal(pin.users, 1);
}

static struct gh_exchange *begin_get(void)
{
    struct gh_exchange *exchange = begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_exchange_head(exchange, &head);
    gh_exchange_body_end(exchange);
    expect_trace("call:<H> ");
    return exchange;
}

/* A chunked upload of which one part is in and which the upstream is taking. */
static struct gh_exchange *begin_upload(void)
{
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_head(exchange, &head);
    gh_exchange_body(exchange, GH_STR("abc"));
    expect_trace("turn? ");
    gh_exchange_turn(exchange);
    expect_trace("call:<H>+body up:3|abc| paid:3 ");
    return exchange;
}

static void upstream_head(unsigned status)
{
    struct gh_response_head response = {.status = status};
    call->events->on_head(call, &response);
}

/* ---- Request complete ---- */

static void head_and_first_body_bytes_leave_together(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_get();
    upstream_head(200);
    expect_trace("turn? ");
    call->events->on_body(call, GH_STR("xy"), true);
    expect_trace("head:200:xy! ");
    end(exchange, false);
    expect_trace("log:200 ");
}

static void a_head_without_body_bytes_leaves_at_the_end_of_the_turn(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_get();
    upstream_head(200);
    gh_exchange_turn(exchange);
    call->events->on_body(call, GH_STR("e1"), false);
    call->events->on_body(call, GH_STR("e2"), true);
    expect_trace("turn? head:200 body:e1 body:e2! ");
    end(exchange, false);
}

static void a_failure_before_the_head_is_a_problem_document(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_get();
    call->events->on_failure(call, GH_UPSTREAM_UNREACHABLE);
    expect_trace("head:502:problem! ");
    end(exchange, false);
    assert_int_equal(logged_reason, GH_REASON_UPSTREAM_UNREACHABLE);
}

static void a_cut_while_the_head_is_held_is_a_whole_502(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_get();
    upstream_head(200);
    call->events->on_failure(call, GH_UPSTREAM_CUT);
    expect_trace("turn? head:502:problem! ");
    gh_exchange_turn(exchange);
    expect_trace("");
    end(exchange, false);
}

static void a_cut_while_streaming_never_looks_complete(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_get();
    upstream_head(200);
    call->events->on_body(call, GH_STR("half"), false);
    call->events->on_failure(call, GH_UPSTREAM_CUT);
    expect_trace("turn? head:200:half reset ");
    end(exchange, false);
    assert_int_equal(logged_reason, GH_REASON_UPSTREAM_CUT);
}

static void a_client_that_goes_aborts_the_call(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_get();
    end(exchange, true);
    expect_trace("abort log:0 ");
    assert_int_equal(logged_reason, GH_REASON_CLIENT_GONE);
}

static void a_slow_client_pauses_the_upstream_and_resumes_it(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_get();
    upstream_head(200);
    client_is_full = true;
    call->events->on_body(call, GH_STR("big"), false);
    expect_trace("turn? head:200:big pause ");
    client_is_full = false;
    gh_exchange_client_drained(exchange);
    gh_exchange_client_drained(exchange);
    expect_trace("resume ");
    end(exchange, true);
}

static void a_scrubbed_answer_drops_the_upstreams_body(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_get();
    policy_replaces = true;
    upstream_head(500);
    expect_trace("abort head:500! ");
    end(exchange, false);
}

/* ---- Request being read ---- */

static void a_body_that_is_complete_in_its_turn_goes_in_one_piece(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_head(exchange, &head);
    gh_exchange_body(exchange, GH_STR("ab"));
    gh_exchange_body(exchange, GH_STR("cd"));
    gh_exchange_body_end(exchange);
    expect_trace("turn? paid:4 call:<L>abcd ");
    gh_exchange_turn(exchange);
    expect_trace("");
    end(exchange, true);
}

static void a_longer_body_is_streamed_in_chunks(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_upload();
    gh_exchange_body(exchange, GH_STR("0123456789abcdef"));
    gh_exchange_body_end(exchange);
    expect_trace("up:10|0123456789abcdef| paid:16 up:0|| up-end ");
    end(exchange, true);
}

static void body_bytes_wait_until_the_upstream_is_connected(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    ready_at_start = false;
    gh_exchange_head(exchange, &head);
    gh_exchange_body(exchange, GH_STR("ab"));
    gh_exchange_turn(exchange);
    gh_exchange_body(exchange, GH_STR("cd"));
    gh_exchange_body_end(exchange);
    expect_trace("turn? call:<H>+body ");
    call->events->on_ready(call);
    expect_trace("up:4|abcd| paid:4 up:0|| up-end ");
    end(exchange, true);
}

static void a_slow_upstream_is_not_paid_for(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_upload();
    upstream_is_full = true;
    gh_exchange_body(exchange, GH_STR("xx"));
    expect_trace("up:2|xx| ");
    call->events->on_drain(call);
    expect_trace("paid:2 ");
    end(exchange, true);
}

static void a_bad_chunk_in_the_first_turn_sends_nothing_upstream(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_head(exchange, &head);
    gh_exchange_body(exchange, GH_STR("ab"));
    gh_exchange_read_error(exchange, GH_HTTP_ERROR_CHUNK);
    expect_trace("turn? head:400c:problem! ");
    gh_exchange_turn(exchange);
    expect_trace("");
    end(exchange, false);
}

static void a_bad_chunk_later_aborts_the_call_without_completing_it(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_upload();
    gh_exchange_read_error(exchange, GH_HTTP_ERROR_CHUNK);
    expect_trace("abort head:400c:problem! ");
    end(exchange, false);
}

static void a_bad_chunk_after_the_answer_began_breaks_it_off(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_upload();
    upstream_head(200);
    call->events->on_body(call, GH_STR("early"), false);
    gh_exchange_read_error(exchange, GH_HTTP_ERROR_CHUNK);
    expect_trace("turn? head:200:early abort reset ");
    end(exchange, false);
}

static void a_body_over_its_limit_is_413_and_never_completed(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_upload();
    char much[101];
    memset(much, 'm', sizeof(much));
    gh_exchange_body(exchange, gh_str_of(much, sizeof(much)));
    expect_trace("paid:101 abort head:413:problem! ");
    gh_exchange_body(exchange, GH_STR("more"));
    gh_exchange_body_end(exchange);
    expect_trace("paid:4 ");
    end(exchange, false);
}

static void an_early_whole_answer_lets_the_rest_of_the_body_go_by(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_upload();
    upstream_head(200);
    call->events->on_body(call, GH_STR("done"), true);
    gh_exchange_body(exchange, GH_STR("late"));
    gh_exchange_body_end(exchange);
    expect_trace("turn? head:200:done! paid:4 ");
    end(exchange, false);
}

static void a_stalled_body_is_refused_and_the_call_aborted(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_upload();
    exchange->close_after = true;
    gh_exchange_refuse(exchange, GH_STAGE_READ, GH_REASON_BODY_TIMEOUT);
    expect_trace("abort head:502c:problem! ");
    end(exchange, false);
}

static void the_client_is_told_to_continue_only_when_nothing_refused_it(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_POST, GH_BODY_LENGTH);
    head.expect_continue = true;
    gh_exchange_head(exchange, &head);
    expect_trace("turn? 100 ");
    end(exchange, true);

    exchange = begin(GH_METHOD_POST, GH_BODY_LENGTH);
    head.expect_continue = true;
    next_verdict = (struct gh_verdict){GH_VERDICT_RESPOND, GH_REASON_BODY_TOO_LARGE};
    gh_exchange_head(exchange, &head);
    expect_trace("head:403c! ");
    end(exchange, false);
}

/* ---- No upstream ---- */

static void a_refusal_by_a_stage_is_answered_at_once(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_GET, GH_BODY_NONE);
    next_verdict = (struct gh_verdict){GH_VERDICT_RESPOND, GH_REASON_HOST_UNKNOWN};
    gh_exchange_head(exchange, &head);
    gh_exchange_body_end(exchange);
    expect_trace("head:403! ");
    end(exchange, false);
    assert_int_equal(logged_reason, GH_REASON_HOST_UNKNOWN);
}

static void a_built_in_answers_without_an_upstream(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_GET, GH_BODY_NONE);
    next_target = GH_TARGET_HEALTHZ;
    gh_exchange_head(exchange, &head);
    expect_trace("head:200:ok! ");
    end(exchange, false);
}

static void a_head_that_can_not_be_read_is_answered_and_closed(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_exchange_read_error(exchange, GH_HTTP_ERROR_MALFORMED);
    expect_trace("head:400c:problem! ");
    end(exchange, false);
}

static void a_draining_worker_closes_after_the_answer(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_get();
    worker.draining = true;
    upstream_head(200);
    call->events->on_body(call, GH_STR(""), true);
    expect_trace("turn? head:200c! ");
    end(exchange, false);
}

/* ---- Tunnels ---- */

static struct gh_exchange *begin_tunnel(void)
{
    struct gh_exchange *exchange = begin_get();
    upstream_head(101);
    expect_trace("head:101 tunnel ");
    return exchange;
}

static void after_101_bytes_pass_raw_both_ways(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_tunnel();
    call->events->on_body(call, GH_STR("down"), false);
    assert_true(gh_exchange_tunnel_in(exchange, GH_STR("up")));
    expect_trace("raw:down up:up ");
    upstream_is_full = true;
    assert_false(gh_exchange_tunnel_in(exchange, GH_STR("up")));
    call->events->on_body(call, GH_STR(""), true);
    expect_trace("up:up tunnel-end ");
    end(exchange, false);
}

static void a_tunnel_whose_upstream_breaks_is_ended(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_tunnel();
    call->events->on_failure(call, GH_UPSTREAM_CUT);
    expect_trace("tunnel-end ");
    assert_false(gh_exchange_tunnel_in(exchange, GH_STR("late")));
    end(exchange, false);
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
        cmocka_unit_test(a_body_that_is_complete_in_its_turn_goes_in_one_piece),
        cmocka_unit_test(a_longer_body_is_streamed_in_chunks),
        cmocka_unit_test(body_bytes_wait_until_the_upstream_is_connected),
        cmocka_unit_test(a_slow_upstream_is_not_paid_for),
        cmocka_unit_test(a_bad_chunk_in_the_first_turn_sends_nothing_upstream),
        cmocka_unit_test(a_bad_chunk_later_aborts_the_call_without_completing_it),
        cmocka_unit_test(a_bad_chunk_after_the_answer_began_breaks_it_off),
        cmocka_unit_test(a_body_over_its_limit_is_413_and_never_completed),
        cmocka_unit_test(an_early_whole_answer_lets_the_rest_of_the_body_go_by),
        cmocka_unit_test(a_stalled_body_is_refused_and_the_call_aborted),
        cmocka_unit_test(the_client_is_told_to_continue_only_when_nothing_refused_it),
        cmocka_unit_test(a_refusal_by_a_stage_is_answered_at_once),
        cmocka_unit_test(a_built_in_answers_without_an_upstream),
        cmocka_unit_test(a_head_that_can_not_be_read_is_answered_and_closed),
        cmocka_unit_test(a_draining_worker_closes_after_the_answer),
        cmocka_unit_test(after_101_bytes_pass_raw_both_ways),
        cmocka_unit_test(a_tunnel_whose_upstream_breaks_is_ended),
    };
    return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
