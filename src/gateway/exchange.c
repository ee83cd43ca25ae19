#include "gateway/exchange.h"

#include "base/assert.h"
#include "gateway/access_log.h"
#include "gateway/exchange_parts.h"
#include "gateway/exchange_pool.h"
#include "gateway/service.h"
#include "gateway/websocket.h"

static const struct gh_upstream_call_events CALL_EVENTS;

void gh_exchange_enter(struct gh_exchange *exchange)
{
    exchange->busy++;
}

/* Its rules go with its memory: whoever still works with it may read them. */
static void give_back(struct gh_exchange *exchange)
{
    gh_worker_unpin(exchange->worker, exchange->pin);
    gh_exchange_pool_give(exchange->worker, exchange);
}

void gh_exchange_leave(struct gh_exchange *exchange)
{
    if (--exchange->busy == 0 && exchange->ended)
        give_back(exchange);
}

struct gh_exchange *gh_exchange_begin(struct gh_worker *worker, struct gh_codec *codec,
                                      gh_stream_id stream, const struct gh_exchange_port *port,
                                      void *owner, const struct gh_peer *peer)
{
    struct gh_exchange *exchange = gh_exchange_pool_take(worker);
    if (!exchange)
        return NULL;
    exchange->worker = worker;
    exchange->pin = gh_worker_pin(worker);
    exchange->codec = codec;
    exchange->stream = stream;
    exchange->port = port;
    exchange->owner = owner;
    exchange->peer = peer;
    exchange->started_us = gh_loop_now_us(worker->loop);

    struct gh_request *request = &exchange->request;
    gh_request_init(request);
    request->policy = exchange->pin->snapshot->policy;
    request->arena = &exchange->arena;
    request->peer = peer;
    request->limits = worker->shared->limits;
    request->shared_limits = worker->shared_limits;
    request->sanctions = worker->shared->sanctions;
    if (worker->gate && exchange->pin->gate) {
        request->gate = worker->gate;
        request->gate_rules = &exchange->pin->gate->rules;
    }
    request->date = gh_worker_date(worker, gh_worker_wall_us(worker, exchange->started_us));
    gh_worker_random(worker, request->random);
    return exchange;
}

/* ---- Answers ---- */

void gh_exchange_abandon(struct gh_exchange *exchange)
{
    exchange->body_asked = false;
    gh_exchange_forget_limits(exchange);
    if (exchange->service)
        gh_service_forget(exchange->service);
    exchange->service = NULL;
    if (!exchange->call_active)
        return;
    exchange->call_active = false;
    gh_upstream_call_abort(&exchange->call);
}

/* The stream must not look complete; the codec sees to that. */
static void break_off(struct gh_exchange *exchange)
{
    gh_exchange_abandon(exchange);
    exchange->answer_half = GH_ANSWER_FAILED;
    exchange->codec->ops->reset(exchange->codec, exchange->stream);
}

static void finish_answer_head(struct gh_exchange *exchange)
{
    struct gh_answer_head *answer = &exchange->answer;
    /* A client that was not told to send its body may send it or the next request: it can't be
       known which the next bytes are (RFC 9110 section 10.1.1). */
    if (exchange->close_after || exchange->continue_owed || exchange->worker->draining)
        answer->close = true;
    exchange->status = answer->status;
}

void gh_exchange_answer(struct gh_exchange *exchange)
{
    bool replaced;
    exchange->start_wanted = false;
    if (exchange->request_half == GH_REQUEST_READING)
        exchange->request_half = GH_REQUEST_DROPPED;
    if (!gh_policy_answer(&exchange->request, NULL, &exchange->answer, &replaced)) {
        break_off(exchange);
        return;
    }
    finish_answer_head(exchange);
    struct gh_str body = exchange->request.reply.body;
    exchange->body_bytes_out = body.len;
    exchange->answer_half = GH_ANSWER_DONE;
    exchange->codec->ops->write_head(exchange->codec, exchange->stream, &exchange->answer, body,
                                     true);
}

bool gh_exchange_begin_refusal(struct gh_exchange *exchange, enum gh_stage stage,
                               enum gh_reason reason)
{
    exchange->stage = stage;
    exchange->reason = reason;
    if (exchange->answer_half == GH_ANSWER_DONE || exchange->answer_half == GH_ANSWER_FAILED)
        return false;
    if (exchange->answer_half == GH_ANSWER_STREAMING) {
        break_off(exchange);
        return false;
    }
    gh_exchange_abandon(exchange);
    gh_policy_refuse(&exchange->request, stage, reason);
    return true;
}

void gh_exchange_refuse(struct gh_exchange *exchange, enum gh_stage stage, enum gh_reason reason)
{
    if (gh_exchange_begin_refusal(exchange, stage, reason))
        gh_exchange_answer(exchange);
}

/* ---- Towards the upstream ---- */

static void pay_back(struct gh_exchange *exchange, size_t bytes)
{
    if (bytes == 0)
        return;
    exchange->codec->ops->consumed(exchange->codec, exchange->stream, bytes);
    exchange->port->input_wanted(exchange->owner, exchange);
}

/* `unpaid` of the bytes are the codec's still; what a stage asked for was paid when it came. */
static void send_body(struct gh_exchange *exchange, struct gh_str bytes, size_t unpaid)
{
    char size_line[20];
    struct gh_buf line = gh_buf_over(size_line, sizeof(size_line));
    struct gh_str slices[3];
    size_t count = 0;
    bool chunked = exchange->request.head->body == GH_BODY_CHUNKED;
    if (chunked) {
        gh_buf_put_hex(&line, bytes.len);
        gh_buf_put(&line, GH_STR("\r\n"));
        slices[count++] = gh_buf_str(&line);
    }
    slices[count++] = bytes;
    if (chunked)
        slices[count++] = GH_STR("\r\n");
    exchange->unpaid += unpaid;
    if (gh_upstream_call_write(&exchange->call, slices, count) && exchange->unpaid) {
        size_t paid = exchange->unpaid;
        exchange->unpaid = 0;
        pay_back(exchange, paid);
    }
}

static void end_body(struct gh_exchange *exchange)
{
    if (exchange->request.head->body == GH_BODY_CHUNKED) {
        struct gh_str last = GH_STR("0\r\n\r\n");
        gh_upstream_call_write(&exchange->call, &last, 1);
    }
    gh_upstream_call_end(&exchange->call);
}

/* What is held, which is then with the caller; its memory stays. */
static struct gh_held_body take_held(struct gh_exchange *exchange)
{
    struct gh_held_body taken = exchange->held;
    exchange->held.len = exchange->held.unpaid = 0;
    return taken;
}

/* The whole body is here: one write carries it with its head, and a retry can repeat it. */
static struct gh_str take_whole_body(struct gh_exchange *exchange)
{
    struct gh_held_body held = take_held(exchange);
    pay_back(exchange, held.unpaid);
    return gh_held_body_str(&held);
}

/* Bytes that a request without a body brings are those of a tunnel that is asked for. */
static bool is_for_tunnel(const struct gh_exchange *exchange)
{
    return exchange->request.head->body == GH_BODY_NONE;
}

void gh_exchange_start_call(struct gh_exchange *exchange)
{
    struct gh_request *request = &exchange->request;
    struct gh_request_head *head = request->head;
    bool has_body = head->body != GH_BODY_NONE;
    bool complete = has_body && exchange->request_half == GH_REQUEST_COMPLETE;
    bool lent = complete && gh_held_body_is_lent(&exchange->held);
    exchange->start_wanted = false;
    if (complete) {
        head->body = GH_BODY_LENGTH;
        head->content_length = exchange->held.len;
    }
    struct gh_str bytes = {0};
    if (!gh_request_is_extended_connect(request) ||
        gh_websocket_challenge(exchange->worker, request))
        bytes = gh_policy_write_upstream_head(request);
    if (!bytes.ptr) {
        gh_exchange_refuse(exchange, GH_STAGE_HANDOVER, GH_REASON_OVERLOADED);
        return;
    }
    struct gh_upstream_request call_request = {
        .head = bytes,
        .method = head->method,
        .body_lent = lent,
        .body = complete ? take_whole_body(exchange) : GH_STR(""),
        .has_body = has_body && !complete,
        .idempotent = gh_method_is_idempotent(head->method),
        .upgrade = head->upgrade_websocket && request->route && request->route->websocket,
        .response_timeout_ms = request->route ? request->route->response_timeout_ms : 0,
        .idle_timeout_ms = request->route ? request->route->idle_timeout_ms : 0,
    };
    exchange->call_active = true;
    gh_upstream_call_start(&exchange->call, exchange->worker->upstreams,
                           exchange->pin->snapshot->groups[request->upstream], &call_request,
                           &exchange->arena, &CALL_EVENTS, exchange);
}

static void on_call_ready(struct gh_upstream_call *call)
{
    struct gh_exchange *exchange = call->owner;
    exchange->call_ready = true;
    if (!call->request.has_body)
        return;
    if (exchange->held.len) {
        struct gh_held_body held = take_held(exchange);
        send_body(exchange, gh_held_body_str(&held), held.unpaid);
    }
    if (exchange->call_active && exchange->request_half == GH_REQUEST_COMPLETE)
        end_body(exchange);
}

static void on_call_drain(struct gh_upstream_call *call)
{
    struct gh_exchange *exchange = call->owner;
    size_t paid = exchange->unpaid;
    exchange->unpaid = 0;
    if (exchange->tunnel && paid == 0) /* HTTP/1.1: nobody is paid for a tunnel's bytes */
        exchange->port->input_wanted(exchange->owner, exchange);
    pay_back(exchange, paid);
}

/* ---- From the upstream ---- */

void gh_exchange_want_turn(struct gh_exchange *exchange)
{
    if (exchange->turn_wanted)
        return;
    exchange->turn_wanted = true;
    exchange->port->want_turn(exchange->owner, exchange);
}

static void on_call_head(struct gh_upstream_call *call, struct gh_response_head *head)
{
    struct gh_exchange *exchange = call->owner;
    bool replaced = false;
    gh_metric_observe_us(exchange->worker->shared->metrics, exchange->worker->index,
                         exchange->worker->shared->counters.upstream_duration,
                         call->head_us - call->started_us);
    if (!gh_policy_answer(&exchange->request, head, &exchange->answer, &replaced)) {
        gh_exchange_refuse(exchange, GH_STAGE_HANDOVER, GH_REASON_UPSTREAM_BAD_RESPONSE);
        return;
    }
    if (replaced) {
        exchange->reason = exchange->request.verdict.reason;
        exchange->stage = exchange->request.stage;
        gh_exchange_abandon(exchange);
        gh_exchange_answer(exchange);
        return;
    }
    if (head->status == 101)
        exchange->answer.tunnel = true;
    else if (exchange->request.input)
        gh_exchange_answer_copy_begin(exchange, head);
    if (!exchange->answer.tunnel && is_for_tunnel(exchange))
        pay_back(exchange, take_held(exchange).unpaid); /* there is none: they are nothing */
    exchange->answer_half = GH_ANSWER_HELD;
    if (exchange->answer.tunnel)
        gh_exchange_turn(exchange);
    else
        gh_exchange_want_turn(exchange);
}

/* Its client has ended it. */
static void end_tunnel(struct gh_exchange *exchange)
{
    gh_exchange_abandon(exchange);
    exchange->port->tunnel_end(exchange->owner, exchange);
}

/* A client of HTTP/2 may have sent bytes before, and ended its side of the stream. */
static void begin_tunnel(struct gh_exchange *exchange)
{
    exchange->port->tunnel_begin(exchange->owner, exchange);
    if (!exchange->ended && exchange->call_active && exchange->held.len) {
        struct gh_held_body held = take_held(exchange);
        send_body(exchange, gh_held_body_str(&held), held.unpaid);
    }
    if (!exchange->ended && gh_request_is_extended_connect(&exchange->request) &&
        exchange->request_half == GH_REQUEST_COMPLETE)
        end_tunnel(exchange);
}

/* The held head, with what there is of the body. May end the exchange. */
static void write_held_head(struct gh_exchange *exchange, struct gh_str first, bool is_last)
{
    gh_exchange_enter(exchange);
    finish_answer_head(exchange);
    exchange->answer_half = is_last ? GH_ANSWER_DONE : GH_ANSWER_STREAMING;
    if (exchange->answer.tunnel) {
        exchange->tunnel = true;
        exchange->codec->ops->write_head(exchange->codec, exchange->stream, &exchange->answer,
                                         GH_STR(""), false);
        if (!exchange->ended)
            begin_tunnel(exchange);
    } else {
        exchange->codec->ops->write_head(exchange->codec, exchange->stream, &exchange->answer,
                                         first, is_last);
    }
    gh_exchange_leave(exchange);
}

static void pass_tunnel_bytes(struct gh_exchange *exchange, struct gh_str bytes, bool is_last)
{
    if (bytes.len)
        exchange->port->tunnel_write(exchange->owner, exchange, bytes);
    if (is_last)
        exchange->port->tunnel_end(exchange->owner, exchange);
}

static void pass_body(struct gh_exchange *exchange, struct gh_str bytes, bool is_last)
{
    if (exchange->answer_half == GH_ANSWER_HELD) {
        write_held_head(exchange, bytes, is_last);
        return;
    }
    if (is_last)
        exchange->answer_half = GH_ANSWER_DONE;
    exchange->codec->ops->write_body(exchange->codec, exchange->stream, bytes, is_last);
}

static void on_call_body(struct gh_upstream_call *call, struct gh_str bytes, bool is_last)
{
    struct gh_exchange *exchange = call->owner;
    exchange->body_bytes_out += bytes.len;
    if (is_last)
        exchange->call_active = false;
    else if (bytes.len == 0)
        return;
    gh_exchange_enter(exchange);
    if (exchange->answer_copy)
        gh_exchange_answer_copy_add(exchange, bytes);
    if (exchange->tunnel)
        pass_tunnel_bytes(exchange, bytes, is_last);
    else
        pass_body(exchange, bytes, is_last);
    if (is_last && exchange->answer_copy)
        gh_exchange_answer_copy_judge(exchange);
    /* Ended or over: there is no call to pause. */
    if (exchange->call_active && !exchange->call_paused &&
        exchange->port->is_full(exchange->owner, exchange)) {
        exchange->call_paused = true;
        gh_upstream_call_pause(call);
    }
    gh_exchange_leave(exchange);
}

static enum gh_reason reason_of_failure(enum gh_upstream_failure failure)
{
    switch (failure) {
    case GH_UPSTREAM_BAD_RESPONSE:
        return GH_REASON_UPSTREAM_BAD_RESPONSE;
    case GH_UPSTREAM_UNREACHABLE:
        return GH_REASON_UPSTREAM_UNREACHABLE;
    case GH_UPSTREAM_NO_SERVER:
    case GH_UPSTREAM_BUSY:
        return GH_REASON_UPSTREAM_UNAVAILABLE;
    case GH_UPSTREAM_TIMEOUT:
        return GH_REASON_UPSTREAM_TIMEOUT;
    case GH_UPSTREAM_CUT:
        return GH_REASON_UPSTREAM_CUT;
    }
    return GH_REASON_UPSTREAM_BAD_RESPONSE;
}

/* Over HTTP/2 an end and a break-off differ (RFC 8441 section 5). */
static void fail_tunnel(struct gh_exchange *exchange)
{
    if (gh_request_is_extended_connect(&exchange->request))
        break_off(exchange);
    else
        exchange->port->tunnel_end(exchange->owner, exchange);
}

static void on_call_failure(struct gh_upstream_call *call, enum gh_upstream_failure failure)
{
    struct gh_exchange *exchange = call->owner;
    exchange->call_active = false;
    if (exchange->tunnel) {
        exchange->reason = reason_of_failure(failure);
        exchange->stage = GH_STAGE_HANDOVER;
        fail_tunnel(exchange);
        return;
    }
    enum gh_reason reason = reason_of_failure(failure);
    /* Known to be cut before a byte of it was written: the client gets a whole 502 instead. */
    if (reason == GH_REASON_UPSTREAM_CUT && exchange->answer_half == GH_ANSWER_HELD)
        reason = GH_REASON_UPSTREAM_BAD_RESPONSE;
    gh_exchange_refuse(exchange, GH_STAGE_HANDOVER, reason);
}

static const struct gh_upstream_call_events CALL_EVENTS = {
    .on_ready = on_call_ready,
    .on_head = on_call_head,
    .on_body = on_call_body,
    .on_drain = on_call_drain,
    .on_failure = on_call_failure,
};

/* ---- From the client ---- */

void gh_exchange_head(struct gh_exchange *exchange, struct gh_request_head *head)
{
    exchange->request.head = head;
    exchange->request.draining = exchange->worker->draining;
    exchange->continue_owed = head->expect_continue;
    gh_exchange_run_stages(exchange);
}

void gh_exchange_turn_away(struct gh_exchange *exchange, struct gh_request_head *head)
{
    exchange->request.head = head;
    gh_exchange_refuse_for_now(exchange);
}

void gh_exchange_body(struct gh_exchange *exchange, struct gh_str bytes)
{
    const struct gh_request *request = &exchange->request;
    if (exchange->limits_asked && exchange->request_half == GH_REQUEST_READING) {
        gh_exchange_park_body(exchange, bytes);
        return;
    }
    exchange->body_bytes_in += bytes.len;
    bool wanted = exchange->start_wanted || exchange->call_active || exchange->body_asked;
    if (exchange->request_half != GH_REQUEST_READING || !wanted) {
        exchange->codec->ops->consumed(exchange->codec, exchange->stream, bytes.len);
        return;
    }
    if (exchange->tunnel) { /* of a client of HTTP/2: its bytes are its stream's body */
        send_body(exchange, bytes, bytes.len);
        return;
    }
    if (is_for_tunnel(exchange)) { /* which has not begun: what the upstream got behind the head
                                      now, it would read as another request */
        if (exchange->answer_half == GH_ANSWER_NONE)
            gh_exchange_hold(exchange, bytes);
        else
            exchange->codec->ops->consumed(exchange->codec, exchange->stream, bytes.len);
        return;
    }
    if (exchange->body_bytes_in > request->body_bytes_max ||
        (exchange->body_asked && exchange->body_bytes_in > request->ask_body_max)) {
        exchange->codec->ops->consumed(exchange->codec, exchange->stream, bytes.len);
        exchange->request_half = GH_REQUEST_DROPPED;
        gh_exchange_refuse(exchange, GH_STAGE_SIZE, GH_REASON_BODY_TOO_LARGE);
        return;
    }
    if (request->input && !gh_exchange_input_feed(exchange, bytes))
        return;
    if (exchange->call_ready)
        send_body(exchange, bytes, bytes.len);
    else
        gh_exchange_hold(exchange, bytes);
}

void gh_exchange_body_end(struct gh_exchange *exchange)
{
    if (exchange->request_half != GH_REQUEST_READING)
        return;
    if (exchange->limits_asked) {
        gh_exchange_park_end(exchange);
        return;
    }
    exchange->request_half = GH_REQUEST_COMPLETE;
    if (exchange->tunnel) {
        end_tunnel(exchange);
        return;
    }
    if (exchange->body_asked) {
        exchange->body_asked = false;
        exchange->request.body = gh_held_body_str(&exchange->held);
        exchange->request.body_known = true;
        gh_exchange_run_stages(exchange);
        return;
    }
    bool wanted = exchange->start_wanted || exchange->call_active;
    if (wanted && exchange->request.input && !gh_exchange_input_finish(exchange))
        return;
    if (exchange->start_wanted) {
        gh_exchange_start_call(exchange);
    } else if (exchange->call_active && exchange->call_ready && exchange->call.request.has_body) {
        end_body(exchange);
    }
}

void gh_exchange_read_error(struct gh_exchange *exchange, enum gh_http_error error)
{
    exchange->close_after = true;
    exchange->request_half = GH_REQUEST_DROPPED;
    gh_exchange_refuse(exchange, GH_STAGE_READ, gh_reason_of_http_error(error));
}

void gh_exchange_turn(struct gh_exchange *exchange)
{
    exchange->turn_wanted = false;
    if (exchange->start_wanted)
        gh_exchange_start_call(exchange);
    else if (exchange->answer_half == GH_ANSWER_HELD)
        write_held_head(exchange, GH_STR(""), false);
}

void gh_exchange_client_drained(struct gh_exchange *exchange)
{
    if (exchange->call_paused && exchange->call_active) {
        exchange->call_paused = false;
        gh_upstream_call_resume(&exchange->call);
    }
}

bool gh_exchange_tunnel_in(struct gh_exchange *exchange, struct gh_str bytes)
{
    exchange->body_bytes_in += bytes.len;
    return exchange->call_active && gh_upstream_call_write(&exchange->call, &bytes, 1);
}

void gh_exchange_end(struct gh_exchange *exchange, bool client_gone)
{
    gh_exchange_abandon(exchange);
    gh_held_body_release(&exchange->held);
    if (exchange->request.input)
        gh_exchange_input_end(exchange);
    if (client_gone && exchange->answer_half != GH_ANSWER_DONE &&
        exchange->reason == GH_REASON_UNDECIDED)
        exchange->reason = GH_REASON_CLIENT_GONE;
    gh_access_log(exchange);
    exchange->ended = true;
    if (exchange->busy == 0)
        give_back(exchange);
}
