/* What the timer of a connection means where HTTP/1.1 is spoken: heads, bodies, answers and tunnels
   that make no progress end here. */
#include "gateway/connection.h"
#include "gateway/service.h"

static bool body_is_stalled(struct gh_connection *connection)
{
    struct gh_exchange *exchange = connection->exchanges;
    struct gh_codec *codec = &connection->codec.base;
    bool ours = connection->codec.request_done || !codec->ops->wants_input(codec) ||
                connection->pending_len;
    return gh_body_pace_is_stalled(&exchange->body_pace, gh_connection_limits(connection),
                                   gh_loop_now_ms(connection->worker->loop),
                                   exchange->body_bytes_in, ours);
}

/* The answer is out; the rest of the body has a check's time to come. */
static void check_discard(struct gh_connection *connection)
{
    struct gh_exchange *exchange = connection->exchanges;
    if (!exchange || exchange->discard_checked) {
        gh_connection_end(connection);
        return;
    }
    exchange->discard_checked = true;
    gh_connection_set_deadline(connection, GH_CONNECTION_CHECK_MS);
}

static void check_exchange(struct gh_connection *connection)
{
    struct gh_exchange *exchange = connection->exchanges;
    if (gh_connection_is_stalled(connection)) {
        gh_connection_kill(connection);
        return;
    }
    if (connection->codec.discard) {
        check_discard(connection);
        return;
    }
    if (exchange && body_is_stalled(connection)) {
        exchange->close_after = true;
        gh_exchange_refuse(exchange, GH_STAGE_READ, GH_REASON_BODY_TIMEOUT);
        gh_connection_end(connection); /* the body will not come: nothing to wait for */
        return;
    }
    if (exchange && exchange->service && gh_service_is_late(exchange->service))
        gh_exchange_refuse_for_now(exchange); /* the call itself goes on to its end */
    if (connection->phase == GH_CONNECTION_EXCHANGE)
        gh_connection_set_deadline(connection, GH_CONNECTION_CHECK_MS);
}

void gh_connection_h1_watch_tunnel(struct gh_connection *connection)
{
    struct gh_exchange *exchange = connection->exchanges;
    exchange->tunnel_bytes = connection->stream.bytes_read + connection->stream.bytes_written;
    gh_connection_set_deadline(connection, gh_connection_tunnel_idle_ms(exchange));
}

/* Two looks an idle time apart that see the same count: nothing went through in between. */
static void check_tunnel(struct gh_connection *connection)
{
    uint64_t bytes = connection->stream.bytes_read + connection->stream.bytes_written;
    if (bytes == connection->exchanges->tunnel_bytes) {
        gh_connection_end(connection);
        return;
    }
    gh_connection_h1_watch_tunnel(connection);
}

static void check_head(struct gh_connection *connection)
{
    if (connection->pending_len) { /* it is here; its client takes the answers before it slowly */
        if (!gh_connection_is_taking(connection, gh_connection_limits(connection)->head_timeout_ms))
            gh_connection_kill(connection);
        return;
    }
    connection->exchanges->close_after = true;
    gh_exchange_refuse(connection->exchanges, GH_STAGE_READ, GH_REASON_HEAD_TIMEOUT);
    gh_connection_end(connection);
}

static void check_idle(struct gh_connection *connection)
{
    if (!gh_connection_is_taking(connection, GH_CONNECTION_LINGER_MS))
        gh_connection_kill(connection);
}

void gh_connection_h1_on_deadline(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_IDLE)
        check_idle(connection);
    else if (connection->phase == GH_CONNECTION_HEAD)
        check_head(connection);
    else if (connection->phase == GH_CONNECTION_TUNNEL)
        check_tunnel(connection);
    else
        check_exchange(connection);
}
