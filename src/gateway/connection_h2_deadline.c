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

/* Nothing else can come before the rest of a head: it is the connection that has stalled. */
static bool head_is_late(const struct gh_connection *connection)
{
    const struct gh_connection_h2 *h2 = connection->h2;
    return h2->head && !connection->pending_len &&
           gh_loop_now_ms(connection->worker->loop) - h2->head_started_ms >=
               gh_connection_limits(connection)->head_timeout_ms;
}

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
    if (head_is_late(connection)) {
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
    else if (connection->phase == GH_CONNECTION_EXCHANGE)
        check_all(connection);
    else if (!gh_connection_is_taking(connection, GH_CONNECTION_LINGER_MS))
        say_goodbye(connection);
}
