/* What the timer of a connection means where HTTP/2 is spoken: each stream's body, answer and
   tunnel are looked at once a second; between requests it is time to go. */
#include "gateway/connection_h2.h"
#include "gateway/service.h"

/* Unpaid bytes from which a stream's window may be shut: the codec opens it again by halves. */
#define STREAM_SHUT_BYTES (GH_H2_STREAM_WINDOW_BYTES / 2)

static size_t unpaid_of(const struct gh_exchange *exchange)
{
    return exchange->unpaid + exchange->held.unpaid + exchange->parked.len;
}

static bool body_is_stalled(struct gh_connection *connection, struct gh_exchange *exchange,
                            bool window_shut)
{
    bool ours = exchange->request_half != GH_REQUEST_READING || connection->pending_len ||
                window_shut || unpaid_of(exchange) >= STREAM_SHUT_BYTES;
    return gh_body_pace_is_stalled(&exchange->body_pace, gh_connection_limits(connection),
                                   gh_loop_now_ms(connection->worker->loop),
                                   exchange->body_bytes_in, ours);
}

/* True when the client takes nothing of this answer, though it may take others: not when those
   were only first, on a link that carries no more. */
static bool answer_is_stalled(struct gh_connection *connection, struct gh_exchange *exchange,
                              bool moving)
{
    size_t unsent = gh_h2_codec_unsent(exchange->codec, exchange->stream);
    bool its_turn_comes = moving && !gh_h2_codec_is_window_shut(exchange->codec, exchange->stream);
    return gh_output_pace_is_stalled(&exchange->output_pace, gh_connection_limits(connection),
                                     gh_loop_now_ms(connection->worker->loop),
                                     its_turn_comes ? 0 : unsent,
                                     exchange->body_bytes_out - unsent);
}

/* Two looks an idle time apart that see the same count: nothing went through in between. */
static void check_tunnel(struct gh_connection *connection, struct gh_exchange *exchange)
{
    uint64_t now_ms = gh_loop_now_ms(connection->worker->loop);
    uint64_t bytes = exchange->body_bytes_in + exchange->body_bytes_out;
    if (now_ms - exchange->tunnel_looked_ms < gh_connection_tunnel_idle_ms(exchange))
        return;
    if (bytes == exchange->tunnel_bytes) {
        exchange->port->tunnel_end(exchange->owner, exchange);
        return;
    }
    exchange->tunnel_bytes = bytes;
    exchange->tunnel_looked_ms = now_ms;
}

/* May end the exchange, and no other. */
static void check_exchange(struct gh_connection *connection, struct gh_exchange *exchange,
                           bool window_shut, bool moving)
{
    const struct gh_request_head *head = exchange->request.head;
    if (answer_is_stalled(connection, exchange, moving))
        exchange->codec->ops->reset(exchange->codec, exchange->stream);
    else if (exchange->tunnel)
        check_tunnel(connection, exchange);
    else if (head && head->body != GH_BODY_NONE && exchange->answer_half < GH_ANSWER_DONE &&
             body_is_stalled(connection, exchange, window_shut))
        gh_exchange_refuse(exchange, GH_STAGE_READ, GH_REASON_BODY_TIMEOUT);
    else if (exchange->service && gh_service_is_late(exchange->service))
        gh_exchange_refuse_for_now(exchange); /* the call itself goes on to its end */
}

static uint64_t left_ms(uint64_t now_ms, uint64_t since_ms, uint64_t allowed_ms)
{
    return now_ms - since_ms < allowed_ms ? allowed_ms - (now_ms - since_ms) : 0;
}

/* Nothing else can come before the rest of a head, or of any other frame: it is the connection that
   has stalled. */
static uint64_t frame_left_ms(const struct gh_connection *connection)
{
    uint64_t since_ms;
    if (connection->pending_len || !gh_h2_codec_is_cut(connection->h2->codec, &since_ms))
        return UINT64_MAX;
    return left_ms(gh_loop_now_ms(connection->worker->loop), since_ms,
                   gh_connection_limits(connection)->head_timeout_ms);
}

/* ---- Between requests ---- */

static uint64_t idle_left_ms(const struct gh_connection *connection)
{
    const struct gh_connection_h2 *h2 = connection->h2;
    uint64_t since_ms = h2->idle_since_ms;
    uint64_t allowed_ms = gh_connection_limits(connection)->idle_timeout_ms;
    if (h2->farewell != GH_H2_STAYS) {
        since_ms = h2->farewell_ms > since_ms ? h2->farewell_ms : since_ms;
        allowed_ms = GH_CONNECTION_GRACE_MS;
    }
    uint64_t now_ms = gh_loop_now_ms(connection->worker->loop);
    uint64_t idle_ms = left_ms(now_ms, since_ms, allowed_ms);
    uint64_t frame_ms = frame_left_ms(connection);
    return idle_ms < frame_ms ? idle_ms : frame_ms;
}

/* Until something has to be seen to. */
static void set_idle_deadline(struct gh_connection *connection)
{
    uint64_t wait_ms = idle_left_ms(connection), now_ms = gh_loop_now_ms(connection->worker->loop);
    uint64_t renewal_ms = connection->h2->renewal_ms;
    if (renewal_ms && renewal_ms < now_ms + wait_ms)
        wait_ms = renewal_ms > now_ms ? renewal_ms - now_ms : 0;
    gh_connection_set_deadline(connection, wait_ms);
}

void gh_connection_h2_watch_renewal(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_IDLE && connection->h2->greeted)
        set_idle_deadline(connection);
}

void gh_connection_h2_begin_idle(struct gh_connection *connection)
{
    connection->phase = GH_CONNECTION_IDLE;
    connection->h2->idle_since_ms = gh_loop_now_ms(connection->worker->loop);
    set_idle_deadline(connection);
}

/* Before its SETTINGS a client has the time of a head, which runs already. */
void gh_connection_h2_watch_idle(struct gh_connection *connection)
{
    struct gh_connection_h2 *h2 = connection->h2;
    uint64_t since_ms;
    if (connection->phase != GH_CONNECTION_IDLE && connection->phase != GH_CONNECTION_EXCHANGE)
        return; /* it has ended */
    bool greets = !h2->greeted && gh_h2_codec_is_greeted(h2->codec);
    h2->greeted = h2->greeted || greets; /* also by what comes during its first requests */
    if (connection->phase != GH_CONNECTION_IDLE)
        return;
    if (greets) {
        gh_connection_h2_begin_idle(connection);
    } else if (h2->greeted && gh_h2_codec_is_cut(h2->codec, &since_ms)) {
        set_idle_deadline(connection);
    }
}

/* A frame that was waited for may have come whole meanwhile. */
static bool may_stay_idle(struct gh_connection *connection)
{
    if (!connection->h2->greeted || idle_left_ms(connection) == 0)
        return false;
    set_idle_deadline(connection);
    return true;
}

/* ---- With requests ---- */

static void say_goodbye(struct gh_connection *connection)
{
    while (connection->h2->farewell != GH_H2_SAID_NOW)
        gh_connection_h2_say_farewell(connection);
    gh_h2_codec_flush(connection->h2->codec);
    gh_connection_end(connection);
}

static void check_all(struct gh_connection *connection)
{
    struct gh_connection_h2 *h2 = connection->h2;
    if (frame_left_ms(connection) == 0) {
        if (h2->head)
            gh_exchange_refuse(h2->head, GH_STAGE_READ, GH_REASON_HEAD_TIMEOUT);
        say_goodbye(connection);
        return;
    }
    bool window_shut = gh_h2_codec_is_input_shut(h2->codec);
    bool moving = gh_link_pace_is_moving(&h2->link_pace, gh_connection_limits(connection),
                                         gh_loop_now_ms(connection->worker->loop),
                                         gh_h2_codec_data_sent(h2->codec));
    struct gh_exchange *next;
    for (struct gh_exchange *exchange = connection->exchanges; exchange; exchange = next) {
        next = exchange->next;
        check_exchange(connection, exchange, window_shut, moving);
    }
    if (h2->farewell == GH_H2_SAID_SOON)
        gh_connection_h2_say_farewell(connection);
    if (connection->phase == GH_CONNECTION_EXCHANGE)
        gh_connection_set_deadline(connection, GH_CONNECTION_CHECK_MS);
}

void gh_connection_h2_on_deadline(struct gh_connection *connection)
{
    if (gh_connection_is_stalled(connection))
        gh_connection_kill(connection);
    else if (gh_connection_h2_see_to_renewal(connection))
        return; /* its grace has begun */
    else if (connection->phase == GH_CONNECTION_EXCHANGE)
        check_all(connection);
    else if (!gh_connection_is_taking(connection, GH_CONNECTION_LINGER_MS) &&
             !may_stay_idle(connection))
        say_goodbye(connection);
}
