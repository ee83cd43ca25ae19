/*
 * The request's way through the stages and to whoever answers it. Where a stage must see the body,
 * or the identity service has to answer, the exchange is parked here.
 */
#include "gateway/exchange_parts.h"

#include "base/assert.h"
#include "gateway/builtin_target.h"
#include "gateway/service.h"
#include "gateway/service_call_fill.h"

/* A full lane is through in about a second; a full gateway says its own. */
#define RETRY_AFTER_S GH_STR("1")
/* Outgrown room, the last room, and the copy that goes upstream with its head. */
#define ASKED_BODY_COPIES_MAX 4

void gh_exchange_refuse_for_now(struct gh_exchange *exchange)
{
    if (!gh_exchange_begin_refusal(exchange, GH_STAGE_HANDOVER, GH_REASON_OVERLOADED))
        return;
    struct gh_reply *reply = &exchange->request.reply;
    for (size_t i = 0; i < reply->field_count; i++) {
        if (gh_str_eq(reply->fields[i].name, GH_STR("Retry-After")))
            reply->fields[i].value = RETRY_AFTER_S;
    }
    gh_exchange_answer(exchange);
}

/* "100 Continue", if the client waits for it. */
static void want_body(struct gh_exchange *exchange)
{
    if (!exchange->continue_owed)
        return;
    exchange->continue_owed = false;
    exchange->codec->ops->write_continue(exchange->codec, exchange->stream);
}

static void begin_service(struct gh_exchange *exchange)
{
    exchange->arena.allocated_max += GH_SERVICE_CALL_BYTES_MAX; /* for the copied answer */
    if (!exchange->worker->shared->service ||
        gh_service_begin(exchange, &exchange->service) != GH_OK)
        gh_exchange_refuse_for_now(exchange);
}

void gh_exchange_service_done(struct gh_exchange *exchange, const struct gh_reply *reply)
{
    exchange->service = NULL;
    exchange->reason = GH_REASON_BUILT_IN;
    gh_exchange_enter(exchange);
    if (gh_service_reply_copy(&exchange->request, reply) == GH_OK)
        gh_exchange_answer(exchange);
    else
        gh_exchange_refuse(exchange, GH_STAGE_HANDOVER, GH_REASON_OVERLOADED);
    gh_exchange_leave(exchange);
}

/* It can't be whole at the end of this turn, and nothing judges it: what came of it need not be
   held until then. */
static bool is_long_body(const struct gh_exchange *exchange)
{
    const struct gh_request *request = &exchange->request;
    return request->head->body == GH_BODY_LENGTH && !request->input &&
           request->head->content_length > GH_EXCHANGE_HELD_BYTES_MAX;
}

static void hand_over_to_upstream(struct gh_exchange *exchange)
{
    if (exchange->request.head->body == GH_BODY_NONE ||
        exchange->request_half == GH_REQUEST_COMPLETE) {
        gh_exchange_start_call(exchange);
        return;
    }
    if (is_long_body(exchange)) {
        want_body(exchange);
        gh_exchange_start_call(exchange);
        return;
    }
    exchange->start_wanted = true;
    gh_exchange_input_begin(exchange);
    gh_exchange_want_turn(exchange);
    want_body(exchange);
}

/* A stage must see the body. True: there is none, and so it is known already. */
static bool ask_body(struct gh_exchange *exchange)
{
    struct gh_request *request = &exchange->request;
    struct gh_body_budget *budget = &exchange->worker->shared->held_bodies;
    GH_ASSERT(request->ask == GH_ASK_BODY && !request->body_known);
    if (request->head->body == GH_BODY_NONE) {
        request->body = GH_STR("");
        request->body_known = true;
        return true;
    }
    if (request->head->body == GH_BODY_LENGTH &&
        request->head->content_length > request->ask_body_max) {
        gh_exchange_refuse(exchange, GH_STAGE_SIZE, GH_REASON_BODY_TOO_LARGE);
        return false;
    }
    size_t max = request->ask_body_max < budget->max ? request->ask_body_max : budget->max;
    exchange->arena.allocated_max += ASKED_BODY_COPIES_MAX * max;
    exchange->held.budget = budget;
    exchange->held.client = &request->client;
    exchange->body_asked = true;
    gh_exchange_input_begin(exchange);
    want_body(exchange);
    return false;
}

/* A report is read where the audit log is told of it, else only counted. True: it is here, or
   nobody reads it. */
static bool have_report(struct gh_exchange *exchange)
{
    struct gh_request *request = &exchange->request;
    if (request->target != GH_TARGET_CSP_REPORT || !exchange->worker->tally || request->body_known)
        return true;
    request->ask = GH_ASK_BODY;
    request->ask_body_max = (size_t)request->body_bytes_max;
    return ask_body(exchange);
}

/* True: the stages can go on at once. */
static bool get_fact(struct gh_exchange *exchange)
{
    switch (exchange->request.ask) {
    case GH_ASK_NOTHING:
        break;
    case GH_ASK_BODY:
        return ask_body(exchange);
    case GH_ASK_LIMITS:
        return gh_exchange_ask_limits(exchange);
    }
    GH_ASSERT(!"a stage asks for something");
    return false;
}

static void hand_over(struct gh_exchange *exchange)
{
    struct gh_request *request = &exchange->request;
    exchange->reason = GH_REASON_UNDECIDED;
    if (request->target == GH_TARGET_UPSTREAM) {
        hand_over_to_upstream(exchange);
    } else if (request->target == GH_TARGET_SERVICE) {
        begin_service(exchange);
    } else {
        gh_builtin_target_answer(exchange->worker, request);
        exchange->reason = GH_REASON_BUILT_IN;
        gh_exchange_answer(exchange);
    }
}

void gh_exchange_run_stages(struct gh_exchange *exchange)
{
    struct gh_request *request = &exchange->request;
    struct gh_verdict verdict;
    request->now_ms = gh_loop_now_ms(exchange->worker->loop);
    request->now_s = gh_worker_now_s(exchange->worker);
    do {
        verdict = gh_policy_run(request);
    } while (verdict.kind == GH_VERDICT_ASK && get_fact(exchange));
    if (verdict.kind == GH_VERDICT_ASK)
        return;
    exchange->stage = request->stage;
    exchange->reason = verdict.reason;
    GH_ASSERT(verdict.kind == GH_VERDICT_NEXT || verdict.kind == GH_VERDICT_RESPOND);
    if (verdict.kind == GH_VERDICT_RESPOND) {
        /* A Host that can be read two ways is as bad as a length that can. */
        exchange->close_after |= verdict.reason == GH_REASON_HOST_MALFORMED;
        gh_exchange_answer(exchange);
        return;
    }
    if (have_report(exchange))
        hand_over(exchange);
}
