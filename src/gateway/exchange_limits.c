/*
 * A question about shared limits: until it is answered the exchange is parked. What comes of the
 * request's body meanwhile is kept, and given again as if it came then; what the client sends is
 * bounded by the codec, which is not paid for it.
 */
#include "gateway/exchange_parts.h"

#include "base/assert.h"

/* Room that was outgrown, and the last room. */
#define PARKED_COPIES_MAX 2

/* What has come meanwhile. May end the exchange. */
static void unpark(struct gh_exchange *exchange, bool ended)
{
    struct gh_str bytes = gh_held_body_str(&exchange->parked);
    exchange->parked = (struct gh_held_body){0};
    if (bytes.len)
        gh_exchange_body(exchange, bytes);
    if (!exchange->ended && ended)
        gh_exchange_body_end(exchange);
    if (!exchange->ended)
        exchange->port->input_wanted(exchange->owner, exchange);
}

static void on_answered(struct gh_limit_ask *ask)
{
    struct gh_exchange *exchange = ask->owner;
    bool ended = exchange->parked_end;
    GH_ASSERT(exchange->limits_asked);
    exchange->limits_asked = exchange->parked_end = false;
    exchange->request.limits_known = true;
    if (ended)
        exchange->request_half = GH_REQUEST_READING;
    gh_exchange_enter(exchange);
    gh_exchange_run_stages(exchange);
    if (!exchange->ended && (ended || exchange->parked.len))
        unpark(exchange, ended);
    gh_exchange_leave(exchange);
}

bool gh_exchange_ask_limits(struct gh_exchange *exchange)
{
    struct gh_request *request = &exchange->request;
    struct gh_limit_ask *ask = request->limit_ask;
    ask->answered = on_answered;
    ask->owner = exchange;
    switch (request->shared_limits->ops->ask(request->shared_limits, ask)) {
    case GH_LIMIT_NOT_ASKED:
        ask->decided = false;
        break;
    case GH_LIMIT_ANSWERED:
        break;
    case GH_LIMIT_ASKED:
        exchange->limits_asked = true;
        return false;
    }
    request->limits_known = true;
    return true;
}

void gh_exchange_forget_limits(struct gh_exchange *exchange)
{
    struct gh_request *request = &exchange->request;
    if (!exchange->limits_asked)
        return;
    exchange->limits_asked = false;
    request->shared_limits->ops->forget(request->shared_limits, request->limit_ask);
}

void gh_exchange_park_body(struct gh_exchange *exchange, struct gh_str bytes)
{
    struct gh_held_body *parked = &exchange->parked;
    if (!parked->len)
        exchange->arena.allocated_max += PARKED_COPIES_MAX * GH_EXCHANGE_HELD_BYTES_MAX;
    if (bytes.len > GH_EXCHANGE_HELD_BYTES_MAX - parked->len ||
        gh_held_body_add(parked, &exchange->arena, bytes, 0, GH_EXCHANGE_HELD_BYTES_MAX) !=
            GH_HOLD_OK)
        gh_exchange_refuse_for_now(exchange);
}

void gh_exchange_park_end(struct gh_exchange *exchange)
{
    exchange->request_half = GH_REQUEST_COMPLETE;
    exchange->parked_end = true;
}
