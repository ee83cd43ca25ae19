/* What a connection's one timer means where its protocol does not matter: before there is one, and
   after our last word. */
#include "gateway/connection.h"

/* Unless its route's `timeouts.idle` says another time: its peer may be gone without a word. */
#define TUNNEL_IDLE_MS (10 * 60 * 1000)

bool gh_connection_is_stalled(struct gh_connection *connection)
{
    size_t queued = gh_stream_queued(&connection->stream);
    return gh_output_pace_is_stalled(&connection->output_pace, gh_connection_limits(connection),
                                     gh_loop_now_ms(connection->worker->loop), queued,
                                     connection->stream.bytes_written - queued);
}

bool gh_connection_is_taking(struct gh_connection *connection, uint64_t delay_ms)
{
    if (gh_stream_queued(&connection->stream) == 0 || gh_connection_is_stalled(connection))
        return false;
    gh_connection_set_deadline(connection, delay_ms);
    return true;
}

uint64_t gh_connection_tunnel_idle_ms(const struct gh_exchange *exchange)
{
    const struct gh_route *route = exchange->request.route;
    return route && route->idle_timeout_ms ? route->idle_timeout_ms : TUNNEL_IDLE_MS;
}

void gh_connection_on_deadline(struct gh_timer *timer)
{
    struct gh_connection *connection =
        (struct gh_connection *)((char *)timer - offsetof(struct gh_connection, timer));
    switch (connection->phase) {
    case GH_CONNECTION_IDLE:
    case GH_CONNECTION_HEAD:
    case GH_CONNECTION_EXCHANGE:
    case GH_CONNECTION_TUNNEL:
        connection->protocol->on_deadline(connection);
        return;
    case GH_CONNECTION_PROXY_HEADER:
    case GH_CONNECTION_HANDSHAKE:
    case GH_CONNECTION_PREFACE:
        gh_connection_kill(connection);
        return;
    case GH_CONNECTION_LINGER:
        if (!gh_connection_is_taking(connection, GH_CONNECTION_LINGER_MS))
            gh_connection_kill(connection);
        return;
    case GH_CONNECTION_CLOSING:
        return;
    }
}
