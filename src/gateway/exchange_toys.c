#include "gateway/exchange_toys.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/access_log.h"
#include "gateway/builtin_target.h"
#include "gateway/exchange_parts.h"
#include "gateway/service_call_fill.h"
#include "gateway/websocket.h"

/* ---- The toys ---- */

struct gh_toys gh_toys;
static char trace_text[4096];
static struct gh_snapshot snapshot;
static struct gh_upstream_group *groups[1];
static struct gh_pin pin = {.snapshot = &snapshot, .users = 1};

static void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void trace(const char *format, ...)
{
    size_t len = strlen(trace_text);
    va_list args;
    va_start(args, format);
    vsnprintf(trace_text + len, sizeof(trace_text) - len, format, args);
    va_end(args);
}

void gh_toys_expect(const char *expected)
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

uint64_t gh_worker_wall_us(struct gh_worker *w, uint64_t loop_us)
{
    (void)w, (void)loop_us;
    return 1700000000000000;
}

uint64_t gh_worker_now_s(struct gh_worker *w)
{
    return gh_worker_wall_us(w, 0) / 1000000;
}

struct gh_str gh_worker_date(struct gh_worker *w, uint64_t wall_us)
{
    (void)w, (void)wall_us;
    return GH_STR("now");
}

void gh_worker_service_call_gone(struct gh_worker *w)
{
    w->service_calls--;
    trace("back ");
}

uint64_t gh_wall_now_us(void)
{
    return 1700000000000000;
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

/* None of the toys' requests is judged by a document when its stages run; a test may say later that
   it is. */
void gh_exchange_input_begin(struct gh_exchange *exchange)
{
    assert_null(exchange->request.input);
}

bool gh_exchange_input_feed(struct gh_exchange *exchange, struct gh_str bytes)
{
    (void)bytes;
    if (gh_toys.input_is_full)
        gh_exchange_refuse_for_now(exchange);
    return !gh_toys.input_is_full;
}

bool gh_exchange_input_finish(struct gh_exchange *exchange)
{
    (void)exchange;
    return false;
}

void gh_exchange_answer_copy_begin(struct gh_exchange *exchange,
                                   const struct gh_response_head *head)
{
    static char copy; /* never looked into */
    (void)head;
    if (gh_toys.answer_is_observed)
        exchange->answer_copy = (struct gh_answer_copy *)&copy;
}

void gh_exchange_answer_copy_add(struct gh_exchange *exchange, struct gh_str bytes)
{
    (void)exchange;
    (void)bytes;
}

void gh_exchange_answer_copy_judge(struct gh_exchange *exchange)
{
    assert_ptr_equal(exchange->pin->snapshot, &snapshot);
    trace("judge:%zu ", pin.users);
}

void gh_exchange_input_end(struct gh_exchange *exchange)
{
    (void)exchange;
}

void gh_access_log(struct gh_exchange *exchange)
{
    gh_toys.logged_reason = exchange->reason;
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

bool gh_websocket_challenge(struct gh_worker *w, struct gh_request *request)
{
    (void)w;
    request->websocket_key = GH_STR("key");
    trace("key ");
    return true;
}

void gh_request_init(struct gh_request *request)
{
    memset(request, 0, sizeof(*request));
}

struct gh_verdict gh_policy_run(struct gh_request *request)
{
    request->target = gh_toys.target;
    request->body_bytes_max = 100;
    if (gh_toys.asks_limits && (!request->limits_known || gh_toys.asks_again)) {
        gh_toys.asks_again &= !request->limits_known;
        request->limits_known = false;
        static struct gh_limit_ask ask;
        ask.decided = true;
        request->limit_ask = &ask;
        request->ask = GH_ASK_LIMITS;
        return (struct gh_verdict){GH_VERDICT_ASK, GH_REASON_UNDECIDED};
    }
    if (request->limits_known)
        trace(request->limit_ask->decided ? "decided " : "alone ");
    if (gh_toys.ask_body_max && !request->body_known) {
        request->ask = GH_ASK_BODY;
        request->ask_body_max = gh_toys.ask_body_max;
        return (struct gh_verdict){GH_VERDICT_ASK, GH_REASON_UNDECIDED};
    }
    if (request->body_known)
        trace("seen:%.*s ", GH_STR_ARG(request->body));
    if (gh_toys.verdict.kind == GH_VERDICT_RESPOND)
        request->reply.status = 403;
    return gh_toys.verdict;
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
                            : reason == GH_REASON_OVERLOADED   ? 503
                                                               : 502;
    request->reply.body = GH_STR("problem");
    request->reply.field_count = 1;
    request->reply.fields[0] =
        (struct gh_field){.name = GH_STR("Retry-After"), .value = GH_STR("5")};
}

struct gh_str gh_policy_write_upstream_head(const struct gh_request *request)
{
    return request->head->body == GH_BODY_LENGTH ? GH_STR("<L>") : GH_STR("<H>");
}

bool gh_policy_answer(struct gh_request *request, struct gh_response_head *upstream,
                      struct gh_answer_head *out_answer, bool *out_replaced)
{
    *out_replaced = upstream && gh_toys.policy_replaces;
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
    gh_toys.call = c;
    trace("call:%.*s%.*s%s ", GH_STR_ARG(request->head), GH_STR_ARG(request->body),
          request->has_body ? "+body" : "");
    if (gh_toys.ready_at_start)
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
    return !gh_toys.upstream_is_full;
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

/* ---- Shared limits ---- */

static enum gh_limit_asked toy_ask(struct gh_limit_shared *shared, struct gh_limit_ask *ask)
{
    (void)shared;
    trace("limits? ");
    if (gh_toys.limits_refused)
        return GH_LIMIT_NOT_ASKED;
    if (gh_toys.limits_known)
        return GH_LIMIT_ANSWERED;
    gh_toys.question = ask;
    return GH_LIMIT_ASKED;
}

static void toy_forget(struct gh_limit_shared *shared, struct gh_limit_ask *ask)
{
    (void)shared;
    assert_ptr_equal(ask, gh_toys.question);
    gh_toys.question = NULL;
    trace("forget ");
}

static const struct gh_limit_shared_ops TOY_LIMITS_OPS = {.ask = toy_ask, .forget = toy_forget};
static struct gh_limit_shared toy_limits = {&TOY_LIMITS_OPS};

void gh_toys_answer_limits(void)
{
    struct gh_limit_ask *ask = gh_toys.question;
    assert_non_null(ask);
    gh_toys.question = NULL;
    ask->answered(ask);
}

/* ---- The service's surroundings ---- */

enum gh_err gh_lane_post(struct gh_lane *lane, void (*fn)(void *arg), void *arg)
{
    (void)lane;
    if (gh_toys.lane_is_full)
        return GH_ERR_FULL;
    gh_toys.lane[gh_toys.lane_count++] = (struct gh_toys_job){fn, arg};
    trace("%s ", lane == gh_toys.shared.service->lanes[GH_SERVICE_HASH] ? "hash" : "data");
    return GH_OK;
}

enum gh_err gh_loop_post(struct gh_loop *loop, gh_loop_fn *fn, void *arg)
{
    (void)loop;
    if (gh_toys.loop_full_times) {
        gh_toys.loop_full_times--;
        return GH_ERR_FULL;
    }
    gh_toys.loop[gh_toys.loop_count++] = (struct gh_toys_job){fn, arg};
    return GH_OK;
}

static void run_jobs(struct gh_toys_job *jobs, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        jobs[i].fn(jobs[i].arg);
    *count = 0;
}

void gh_toys_run_lane(void)
{
    run_jobs(gh_toys.lane, &gh_toys.lane_count);
}

void gh_toys_run_loop(void)
{
    run_jobs(gh_toys.loop, &gh_toys.loop_count);
}

size_t gh_toys_pin_users(void)
{
    return pin.users;
}

enum gh_err gh_service_call_fill(struct gh_service_call *call, const struct gh_request *request,
                                 const struct gh_snapshot *s)
{
    (void)s;
    if (gh_toys.fill_fails)
        return GH_ERR_MEMORY;
    call->body = gh_arena_dup(&call->arena, request->body.ptr ? request->body : GH_STR(""));
    return GH_OK;
}

enum gh_err gh_service_reply_copy(struct gh_request *request, const struct gh_reply *reply)
{
    if (gh_toys.copy_fails)
        return GH_ERR_MEMORY;
    request->reply.status = reply->status;
    request->reply.field_count = 0;
    request->reply.body = gh_arena_dup(request->arena, reply->body);
    return GH_OK;
}

static void toy_handle(void *context, struct gh_service_call *c)
{
    (void)context;
    trace("handle:%.*s ", GH_STR_ARG(c->body));
    c->reply.status = 201;
    c->reply.body = gh_arena_dup(&c->arena, GH_STR("answer"));
}

static enum gh_service_lane toy_lane(void *context, size_t endpoint)
{
    (void)context;
    return endpoint == 1 ? GH_SERVICE_HASH : GH_SERVICE_DATA;
}

static char hash_lane, data_lane; /* told apart by their addresses only */
static struct gh_service service = {
    .options.port = {NULL, toy_handle, toy_lane},
    .lanes = {[GH_SERVICE_HASH] = (struct gh_lane *)&hash_lane,
              [GH_SERVICE_DATA] = (struct gh_lane *)&data_lane},
};

/* ---- The codec and its connection ---- */

/* Of the first ones nothing is said. */
static void trace_stream(gh_stream_id stream)
{
    if (stream > 2)
        trace("%u/", stream);
}

static void toy_continue(struct gh_codec *codec, gh_stream_id stream)
{
    (void)codec;
    trace_stream(stream);
    trace("100 ");
}

static void toy_head(struct gh_codec *codec, gh_stream_id stream, const struct gh_answer_head *head,
                     struct gh_str first, bool is_last)
{
    (void)codec;
    trace_stream(stream);
    trace("head:%u%s%s%.*s%s ", head->status, head->close ? "c" : "", first.len ? ":" : "",
          GH_STR_ARG(first), is_last ? "!" : "");
}

static void toy_body(struct gh_codec *codec, gh_stream_id stream, struct gh_str bytes, bool is_last)
{
    (void)codec;
    trace_stream(stream);
    trace("body:%.*s%s ", GH_STR_ARG(bytes), is_last ? "!" : "");
    if (is_last && gh_toys.ends_when_answered)
        gh_exchange_end(gh_toys.ends_when_answered, false);
}

static void toy_consumed(struct gh_codec *codec, gh_stream_id stream, size_t bytes)
{
    (void)codec;
    trace_stream(stream);
    trace("paid:%zu ", bytes);
}

static void toy_reset(struct gh_codec *codec, gh_stream_id stream)
{
    (void)codec;
    trace_stream(stream);
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

static void port_input_wanted(void *owner, struct gh_exchange *exchange)
{
    (void)owner, (void)exchange;
}

static bool port_is_full(const void *owner, const struct gh_exchange *exchange)
{
    (void)owner, (void)exchange;
    return gh_toys.client_is_full;
}

static void port_want_turn(void *owner, struct gh_exchange *exchange)
{
    (void)owner, (void)exchange;
    trace("turn? ");
}

static void port_tunnel_begin(void *owner, struct gh_exchange *exchange)
{
    (void)owner;
    trace_stream(exchange->stream);
    trace("tunnel ");
}

static void port_tunnel_write(void *owner, struct gh_exchange *exchange, struct gh_str bytes)
{
    (void)owner;
    trace_stream(exchange->stream);
    trace("raw:%.*s ", GH_STR_ARG(bytes));
}

static void port_tunnel_end(void *owner, struct gh_exchange *exchange)
{
    (void)owner;
    trace_stream(exchange->stream);
    trace("tunnel-end ");
}

static const struct gh_exchange_port PORT = {
    port_input_wanted, port_is_full,      port_want_turn,
    port_tunnel_begin, port_tunnel_write, port_tunnel_end,
};

static struct gh_peer peer;

struct gh_exchange *gh_toys_begin(enum gh_method method, enum gh_body_kind body)
{
    memset(&gh_toys, 0, sizeof(gh_toys));
    gh_toys.shared.held_bodies.max = 1000;
    gh_toys.shared.service = &service;
    gh_toys.worker.shared = &gh_toys.shared;
    gh_toys.worker.shared_limits = &toy_limits;
    snapshot.groups = groups;
    trace_text[0] = '\0';
    gh_toys.verdict = (struct gh_verdict){GH_VERDICT_NEXT, GH_REASON_UNDECIDED};
    gh_toys.target = GH_TARGET_UPSTREAM;
    gh_toys.ready_at_start = true;
    gh_toys.head = (struct gh_request_head){.method = method, .body = body};
    return gh_toys_begin_stream(1);
}

struct gh_exchange *gh_toys_begin_stream(gh_stream_id stream)
{
    struct gh_exchange *exchange =
        gh_exchange_begin(&gh_toys.worker, &codec, stream, &PORT, NULL, &peer);
    assert_non_null(exchange);
    return exchange;
}

void gh_toys_end(struct gh_exchange *exchange, bool client_gone)
{
    gh_exchange_end(exchange, client_gone);
    assert_null(gh_toys.question);
    gh_exchange_pool_free(&gh_toys.worker);
    assert_int_equal(pin.users, 1 + gh_toys.worker.service_calls);
    assert_int_equal(gh_toys.shared.held_bodies.taken, 0);
}

struct gh_exchange *gh_toys_begin_get(void)
{
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_exchange_head(exchange, &gh_toys.head);
    gh_exchange_body_end(exchange);
    gh_toys_expect("call:<H> ");
    return exchange;
}

struct gh_exchange *gh_toys_begin_upload(void)
{
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_POST, GH_BODY_CHUNKED);
    gh_exchange_head(exchange, &gh_toys.head);
    gh_exchange_body(exchange, GH_STR("abc"));
    gh_toys_expect("turn? ");
    gh_exchange_turn(exchange);
    gh_toys_expect("call:<H>+body up:3|abc| paid:3 ");
    return exchange;
}

void gh_toys_upstream_head(unsigned status)
{
    struct gh_response_head response = {.status = status};
    gh_toys.call->events->on_head(gh_toys.call, &response);
}
