/* What came of a request's body while the upstream, or a stage, does not take it yet. */
#include "gateway/exchange_parts.h"

static void hold_copy(struct gh_exchange *exchange, struct gh_str bytes)
{
    const struct gh_request *request = &exchange->request;
    struct gh_held_body *held = &exchange->held;
    bool asked = exchange->body_asked;
    size_t max = asked ? request->ask_body_max : GH_EXCHANGE_HELD_BYTES_MAX;
    size_t expected = 0;
    if (request->head->body == GH_BODY_LENGTH && request->head->content_length <= max)
        expected = (size_t)request->head->content_length;
    enum gh_hold result = GH_HOLD_NO_MEMORY;
    if (asked) /* it is ours now; what bounds it is not the codec */
        exchange->codec->ops->consumed(exchange->codec, exchange->stream, bytes.len);
    if (bytes.len <= max - held->len)
        result = gh_held_body_add(held, &exchange->arena, bytes, expected, max);
    if (result != GH_HOLD_OK)
        gh_exchange_refuse_for_now(exchange);
    else if (!asked)
        held->unpaid += bytes.len;
}

/* The whole body in one piece, which HTTP/1.1 calls complete before it lets go of the bytes. */
static bool is_whole_body(const struct gh_exchange *exchange, struct gh_str bytes)
{
    const struct gh_request_head *head = exchange->request.head;
    return exchange->start_wanted && head->version_major == 1 && head->body == GH_BODY_LENGTH &&
           head->content_length == bytes.len;
}

void gh_exchange_hold(struct gh_exchange *exchange, struct gh_str bytes)
{
    if (!is_whole_body(exchange, bytes)) {
        hold_copy(exchange, bytes);
        return;
    }
    gh_held_body_lend(&exchange->held, bytes);
    exchange->held.unpaid = bytes.len;
}
