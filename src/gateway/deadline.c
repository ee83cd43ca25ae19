/*
 * The deadlines of a client connection: what its one timer means in each phase. Heads, bodies,
 * answers and tunnels that make no progress end here; how, is in connection.c.
 */
#include "gateway/connection.h"
#include "gateway/service.h"

/* A body must average limits.body_rate_min from this age on. */
#define BODY_RATE_GRACE_MS 10000
/* A tunnel through which nothing goes for so long is ended, unless its route's `timeouts.idle` says
   another time: its peer may be gone without a word. */
#define TUNNEL_IDLE_MS (10 * 60 * 1000)

/* True when the request's body has stopped coming, or comes too slowly to be honest. */
static bool body_is_stalled(struct gh_connection *connection, uint64_t now_ms)
{
    const struct gh_limits_settings *limits = gh_connection_limits(connection);
    const struct gh_exchange *exchange = connection->exchange;
    struct gh_codec *codec = &connection->codec.base;
    if (connection->codec.request_done || !codec->ops->wants_input(codec) ||
        connection->pending_len) {
        connection->body_progress_ms = now_ms; /* we are the ones who wait */
        return false;
    }
    if (exchange->body_bytes_in != connection->body_seen) {
        connection->body_seen = exchange->body_bytes_in;
        connection->body_progress_ms = now_ms;
    }
    uint64_t age_ms = now_ms - connection->body_started_ms;
    if (now_ms - connection->body_progress_ms >= limits->body_timeout_ms)
        return true;
    return limits->body_rate_min && age_ms > BODY_RATE_GRACE_MS &&
           exchange->body_bytes_in / (age_ms / 1000) < limits->body_rate_min;
}

/* True when the client has taken nothing of what waits for it for body_timeout. */
static bool client_is_stalled(struct gh_connection *connection, uint64_t now_ms)
{
    size_t queued = gh_stream_queued(&connection->stream);
    if (queued == 0 || queued != connection->stalled_queue || connection->stalled_ms == 0) {
        connection->stalled_queue = queued;
        connection->stalled_ms = queued ? now_ms : 0;
        return false;
    }
    return now_ms - connection->stalled_ms >= gh_connection_limits(connection)->body_timeout_ms;
}

/* True: the client is slow, but takes what waits for it; we look again after `delay_ms`. */
static bool is_still_taking(struct gh_connection *connection, uint64_t delay_ms)
{
    if (gh_stream_queued(&connection->stream) == 0 ||
        client_is_stalled(connection, gh_loop_now_ms(connection->worker->loop)))
        return false;
    gh_connection_set_deadline(connection, delay_ms);
    return true;
}

static void check_exchange(struct gh_connection *connection)
{
    uint64_t now_ms = gh_loop_now_ms(connection->worker->loop);
    if (client_is_stalled(connection, now_ms)) {
        gh_connection_kill(connection);
        return;
    }
    if (connection->codec.discard) {
        /* The answer is out; the rest of the body had a check's time to come. */
        if (connection->discard_checked)
            gh_connection_end(connection);
        else
            gh_connection_set_deadline(connection, GH_CONNECTION_CHECK_MS);
        connection->discard_checked = true;
        return;
    }
    if (connection->exchange && body_is_stalled(connection, now_ms)) {
        connection->exchange->close_after = true;
        gh_exchange_refuse(connection->exchange, GH_STAGE_READ, GH_REASON_BODY_TIMEOUT);
        gh_connection_end(connection); /* the body will not come: nothing to wait for */
        return;
    }
    if (connection->exchange && connection->exchange->service &&
        gh_service_is_late(connection->exchange->service))
        gh_exchange_refuse_for_now(connection->exchange); /* the call itself goes on to its end */
    gh_connection_set_deadline(connection, GH_CONNECTION_CHECK_MS);
}

static uint64_t tunnel_idle_ms(const struct gh_connection *connection)
{
    const struct gh_route *route = connection->exchange->request.route;
    return route && route->idle_timeout_ms ? route->idle_timeout_ms : TUNNEL_IDLE_MS;
}

void gh_connection_watch_tunnel(struct gh_connection *connection)
{
    connection->tunnel_bytes = connection->stream.bytes_read + connection->stream.bytes_written;
    gh_connection_set_deadline(connection, tunnel_idle_ms(connection));
}

/* Two looks an idle time apart that see the same count: nothing went through in between. */
static void check_tunnel(struct gh_connection *connection)
{
    uint64_t bytes = connection->stream.bytes_read + connection->stream.bytes_written;
    if (bytes == connection->tunnel_bytes) {
        gh_connection_end(connection);
        return;
    }
    gh_connection_watch_tunnel(connection);
}

static void check_head(struct gh_connection *connection)
{
    if (connection->pending_len) { /* it is here; its client takes the answers before it slowly */
        if (!is_still_taking(connection, gh_connection_limits(connection)->head_timeout_ms))
            gh_connection_kill(connection);
        return;
    }
    connection->exchange->close_after = true;
    gh_exchange_refuse(connection->exchange, GH_STAGE_READ, GH_REASON_HEAD_TIMEOUT);
    gh_connection_end(connection);
}

void gh_connection_on_deadline(struct gh_timer *timer)
{
    struct gh_connection *connection =
        (struct gh_connection *)((char *)timer - offsetof(struct gh_connection, timer));
    switch (connection->phase) {
    case GH_CONNECTION_HEAD:
        check_head(connection);
        return;
    case GH_CONNECTION_EXCHANGE:
        check_exchange(connection);
        return;
    case GH_CONNECTION_PROXY_HEADER:
    case GH_CONNECTION_HANDSHAKE:
        gh_connection_kill(connection);
        return;
    case GH_CONNECTION_IDLE:
    case GH_CONNECTION_LINGER:
        if (!is_still_taking(connection, GH_CONNECTION_LINGER_MS))
            gh_connection_kill(connection);
        return;
    case GH_CONNECTION_TUNNEL:
        check_tunnel(connection);
        return;
    case GH_CONNECTION_CLOSING:
        return;
    }
}
