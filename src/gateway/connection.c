#include "gateway/connection.h"

#include <stdlib.h>

#include "gateway/accept.h"

/* What is read and thrown away after our last word, so that the client sees it and not a reset. */
#define LINGER_MS        2000
#define LINGER_BYTES_MAX (1024u * 1024)
/* A body must average limits.body_rate_min from this age on. */
#define BODY_RATE_GRACE_MS 10000
/* How often a running exchange is looked at for stalls. */
#define STALL_CHECK_MS 1000
/* A tunnel through which nothing goes for so long is ended, unless its route's `timeouts.idle` says
   another time: its peer may be gone without a word. */
#define TUNNEL_IDLE_MS (10 * 60 * 1000)

static void on_timer(struct gh_timer *timer);
static void after_codec(struct gh_connection *connection);

const struct gh_limits_settings *gh_connection_limits(const struct gh_connection *connection)
{
    return gh_policy_limits(connection->worker->pin->snapshot->policy);
}

void gh_connection_set_deadline(struct gh_connection *connection, uint64_t delay_ms)
{
    gh_timer_start(connection->worker->loop, &connection->timer, delay_ms, on_timer);
}

/* ---- The end ---- */

static void release_exchange(struct gh_connection *connection, bool client_gone)
{
    struct gh_exchange *exchange = connection->exchange;
    if (!exchange)
        return;
    connection->exchange = NULL;
    gh_exchange_end(exchange, client_gone);
}

void gh_connection_kill(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_CLOSING)
        return;
    connection->phase = GH_CONNECTION_CLOSING;
    gh_timer_stop(connection->worker->loop, &connection->timer);
    release_exchange(connection, true);
    gh_stream_close(&connection->stream);
}

/* Says the last word and waits a little for the client to have read it (RFC 9112 section 9.6). */
static void linger(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_LINGER || connection->phase == GH_CONNECTION_CLOSING)
        return;
    connection->phase = GH_CONNECTION_LINGER;
    connection->discarded = 0;
    free(connection->pending);
    connection->pending = NULL;
    connection->pending_len = 0;
    gh_stream_shutdown(&connection->stream);
    if (connection->eof) {
        /* Nothing more can come: all that is left is to get our bytes out. */
        if (gh_stream_queued(&connection->stream) == 0) {
            gh_connection_kill(connection);
            return;
        }
    } else {
        gh_stream_read_start(&connection->stream);
    }
    gh_connection_set_deadline(connection, LINGER_MS);
}

static void on_closed(struct gh_stream *stream)
{
    struct gh_connection *connection = (struct gh_connection *)stream;
    struct gh_worker *worker = connection->worker;
    struct gh_shared *shared = worker->shared;
    if (connection->counted == GH_CLIENT_COUNTED)
        gh_client_count_leave(shared->clients, &connection->peer.ip);
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        worker->connections = connection->next;
    if (connection->next)
        connection->next->prev = connection->prev;
    if (connection->turn_wanted) {
        struct gh_connection **link = &worker->turn_list;
        while (*link != connection)
            link = &(*link)->turn_next;
        *link = connection->turn_next;
    }
    gh_listen_slot_release(connection->slot);
    gh_metric_gauge_add(shared->metrics, worker->index, shared->counters.connections, -1);
    free(connection->pending);
    free(connection);
    gh_worker_connection_gone(worker);
}

static void on_error(struct gh_stream *stream, enum gh_err err)
{
    struct gh_connection *connection = (struct gh_connection *)stream;
    struct gh_shared *shared = connection->worker->shared;
    if (connection->phase == GH_CONNECTION_HANDSHAKE && err == GH_ERR_TLS)
        gh_metric_add(shared->metrics, connection->worker->index, shared->counters.tls_failures, 1);
    gh_connection_kill(connection);
}

static void put_on_turn_list(struct gh_connection *connection)
{
    if (connection->turn_wanted)
        return;
    connection->turn_wanted = true;
    connection->turn_next = connection->worker->turn_list;
    connection->worker->turn_list = connection;
}

/* ---- The codec's events ---- */

static const struct gh_exchange_port EXCHANGE_PORT;

static struct gh_arena *on_begin(void *owner, gh_stream_id stream)
{
    struct gh_connection *connection = owner;
    connection->phase = GH_CONNECTION_HEAD;
    connection->exchange = gh_exchange_begin(connection->worker, &connection->codec.base, stream,
                                             &EXCHANGE_PORT, connection, &connection->peer);
    if (!connection->exchange)
        return NULL;
    gh_connection_set_deadline(connection, gh_connection_limits(connection)->head_timeout_ms);
    return &connection->exchange->arena;
}

static void on_head(void *owner, gh_stream_id stream, struct gh_request_head *head)
{
    (void)stream;
    struct gh_connection *connection = owner;
    uint64_t now_ms = gh_loop_now_ms(connection->worker->loop);
    connection->phase = GH_CONNECTION_EXCHANGE;
    connection->body_started_ms = connection->body_progress_ms = now_ms;
    connection->body_seen = 0;
    connection->discarded = 0;
    connection->stalled_ms = 0;
    connection->discard_checked = false;
    gh_connection_set_deadline(connection, STALL_CHECK_MS);
    gh_exchange_head(connection->exchange, head);
}

static void on_body(void *owner, gh_stream_id stream, struct gh_str bytes)
{
    (void)stream;
    struct gh_connection *connection = owner;
    gh_exchange_body(connection->exchange, bytes);
}

static void on_end(void *owner, gh_stream_id stream)
{
    (void)stream;
    struct gh_connection *connection = owner;
    gh_exchange_body_end(connection->exchange);
}

static void on_codec_error(void *owner, gh_stream_id stream, enum gh_http_error error)
{
    (void)stream;
    struct gh_connection *connection = owner;
    if (connection->exchange)
        gh_exchange_read_error(connection->exchange, error);
}

static void on_stream_over(void *owner, gh_stream_id stream)
{
    (void)stream;
    struct gh_connection *connection = owner;
    release_exchange(connection, false);
    if (connection->phase != GH_CONNECTION_EXCHANGE && connection->phase != GH_CONNECTION_HEAD)
        return;
    connection->phase = GH_CONNECTION_IDLE;
    /* The answer may have ended far from here: what follows from that, closing or the next request
       that waits, is for the end of the turn. */
    struct gh_codec *codec = &connection->codec.base;
    if (codec->ops->wants_close(codec) || connection->pending_len || connection->eof ||
        connection->worker->draining)
        put_on_turn_list(connection);
    gh_connection_set_deadline(connection, gh_connection_limits(connection)->idle_timeout_ms);
}

static void on_output(void *owner, const struct gh_str *slices, size_t count)
{
    struct gh_connection *connection = owner;
    if (!gh_stream_write(&connection->stream, slices, count))
        connection->full = true;
}

const struct gh_codec_events gh_connection_codec_events = {
    .on_begin = on_begin,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_error = on_codec_error,
    .on_closed = on_stream_over,
    .output = on_output,
};

/* ---- The exchange's port ---- */

static void port_input_wanted(void *owner)
{
    put_on_turn_list(owner);
}

static bool port_is_full(const void *owner)
{
    const struct gh_connection *connection = owner;
    return connection->full;
}

static void port_want_turn(void *owner, struct gh_exchange *exchange)
{
    (void)exchange; /* HTTP/1.1: the connection's only one */
    put_on_turn_list(owner);
}

static uint64_t tunnel_idle_ms(const struct gh_connection *connection)
{
    const struct gh_route *route = connection->exchange->request.route;
    return route && route->idle_timeout_ms ? route->idle_timeout_ms : TUNNEL_IDLE_MS;
}

static void port_tunnel_begin(void *owner, struct gh_exchange *exchange)
{
    (void)exchange;
    struct gh_connection *connection = owner;
    connection->phase = GH_CONNECTION_TUNNEL;
    connection->tunnel_bytes = connection->stream.bytes_read + connection->stream.bytes_written;
    gh_connection_set_deadline(connection, tunnel_idle_ms(connection));
    put_on_turn_list(connection); /* for bytes that came behind the request */
}

static void port_tunnel_write(void *owner, struct gh_str bytes)
{
    on_output(owner, &bytes, 1);
}

static void port_tunnel_end(void *owner)
{
    struct gh_connection *connection = owner;
    release_exchange(connection, false);
    linger(connection);
}

static const struct gh_exchange_port EXCHANGE_PORT = {
    .input_wanted = port_input_wanted,
    .is_full = port_is_full,
    .want_turn = port_want_turn,
    .tunnel_begin = port_tunnel_begin,
    .tunnel_write = port_tunnel_write,
    .tunnel_end = port_tunnel_end,
};

/* ---- Reading ---- */

/* Keeps what the codec can't take yet; one slice at the most, since reading stops. */
void gh_connection_keep_pending(struct gh_connection *connection, struct gh_str bytes)
{
    gh_stream_read_stop(&connection->stream);
    char *memory = realloc(connection->pending, connection->pending_len + bytes.len);
    if (!memory) {
        gh_connection_kill(connection);
        return;
    }
    memcpy(memory + connection->pending_len, bytes.ptr, bytes.len);
    connection->pending = memory;
    connection->pending_len += bytes.len;
}

static void feed_tunnel(struct gh_connection *connection, struct gh_str bytes)
{
    if (bytes.len && !gh_exchange_tunnel_in(connection->exchange, bytes))
        gh_stream_read_stop(&connection->stream);
}

void gh_connection_feed(struct gh_connection *connection, struct gh_str bytes)
{
    struct gh_codec *codec = &connection->codec.base;
    size_t taken = codec->ops->feed(codec, bytes);
    if (connection->phase == GH_CONNECTION_CLOSING)
        return;
    struct gh_str rest = gh_str_skip(bytes, taken);
    if (codec->ops->wants_close(codec))
        rest.len = 0;
    if (connection->phase == GH_CONNECTION_TUNNEL)
        feed_tunnel(connection, rest);
    else if (rest.len)
        gh_connection_keep_pending(connection, rest);
    after_codec(connection);
}

static void after_codec(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_CLOSING || connection->phase == GH_CONNECTION_TUNNEL)
        return;
    struct gh_codec *codec = &connection->codec.base;
    bool over =
        codec->ops->wants_close(codec) || (connection->phase == GH_CONNECTION_IDLE &&
                                           (connection->eof || connection->worker->draining));
    if (over && (!connection->exchange || connection->phase != GH_CONNECTION_EXCHANGE ||
                 connection->exchange->answer_half >= GH_ANSWER_DONE)) {
        release_exchange(connection, false);
        linger(connection);
    }
}

/* Bytes that nobody wants any more: within a bound they are read, so that the client gets to see
   the answer; then the connection ends. */
static void count_discarded(struct gh_connection *connection, size_t bytes)
{
    connection->discarded += bytes;
    if (connection->discarded <= LINGER_BYTES_MAX)
        return;
    if (connection->phase == GH_CONNECTION_LINGER)
        gh_connection_kill(connection);
    else
        linger(connection);
}

static void on_read(struct gh_stream *stream, struct gh_str bytes)
{
    struct gh_connection *connection = (struct gh_connection *)stream;
    switch (connection->phase) {
    case GH_CONNECTION_CLOSING:
        return;
    case GH_CONNECTION_PROXY_HEADER:
        gh_accept_proxy_header(connection, bytes);
        return;
    case GH_CONNECTION_LINGER:
        count_discarded(connection, bytes.len);
        return;
    case GH_CONNECTION_TUNNEL:
        feed_tunnel(connection, bytes);
        return;
    case GH_CONNECTION_HANDSHAKE:
    case GH_CONNECTION_IDLE:
    case GH_CONNECTION_HEAD:
    case GH_CONNECTION_EXCHANGE:
        break;
    }
    if (connection->pending_len) {
        gh_connection_keep_pending(connection, bytes);
        return;
    }
    if (connection->codec.discard)
        count_discarded(connection, bytes.len);
    if (connection->phase != GH_CONNECTION_CLOSING && connection->phase != GH_CONNECTION_LINGER)
        gh_connection_feed(connection, bytes);
}

static void on_eof(struct gh_stream *stream)
{
    struct gh_connection *connection = (struct gh_connection *)stream;
    connection->eof = true;
    bool request_whole = connection->phase == GH_CONNECTION_EXCHANGE && connection->exchange &&
                         connection->exchange->request_half == GH_REQUEST_COMPLETE;
    /* A client may close its sending side once its request is out, and still wait for the answer.
     */
    if (!request_whole || connection->pending_len)
        gh_connection_kill(connection);
}

static void on_drain(struct gh_stream *stream)
{
    struct gh_connection *connection = (struct gh_connection *)stream;
    connection->full = false;
    if (connection->phase == GH_CONNECTION_LINGER) {
        if (connection->eof)
            gh_connection_kill(connection);
        return;
    }
    if (connection->exchange)
        gh_exchange_client_drained(connection->exchange);
}

/* Gives the codec what it could not take before, as far as it takes it now. */
static void feed_pending(struct gh_connection *connection)
{
    char *bytes = connection->pending;
    size_t len = connection->pending_len;
    connection->pending = NULL;
    connection->pending_len = 0;
    gh_connection_feed(connection, gh_str_of(bytes, len));
    free(bytes);
}

static void turn(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_CLOSING || connection->phase == GH_CONNECTION_LINGER)
        return;
    if (connection->exchange && connection->exchange->turn_wanted)
        gh_exchange_turn(connection->exchange);
    if (connection->phase == GH_CONNECTION_TUNNEL) {
        struct gh_str rest = gh_str_of(connection->pending, connection->pending_len);
        connection->pending_len = 0;
        gh_stream_read_start(&connection->stream);
        feed_tunnel(connection, rest);
        return;
    }
    struct gh_codec *codec = &connection->codec.base;
    if (connection->phase != GH_CONNECTION_CLOSING && connection->pending_len &&
        codec->ops->wants_input(codec) && !codec->ops->wants_close(codec))
        feed_pending(connection);
    after_codec(connection);
    if (connection->phase != GH_CONNECTION_CLOSING && connection->phase != GH_CONNECTION_LINGER &&
        connection->pending_len == 0 && !connection->eof)
        gh_stream_read_start(&connection->stream);
}

void gh_connection_turn_all(struct gh_worker *worker)
{
    struct gh_connection *connection = worker->turn_list;
    worker->turn_list = NULL;
    /* Closing frees a connection only in a later turn, so the list stays whole meanwhile; what is
       put on the list now is done in the next turn. */
    while (connection) {
        struct gh_connection *next = connection->turn_next;
        connection->turn_wanted = false;
        turn(connection);
        connection = next;
    }
}

/* ---- Deadlines ---- */

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
            linger(connection);
        else
            gh_connection_set_deadline(connection, STALL_CHECK_MS);
        connection->discard_checked = true;
        return;
    }
    if (connection->exchange && body_is_stalled(connection, now_ms)) {
        connection->exchange->close_after = true;
        gh_exchange_refuse(connection->exchange, GH_STAGE_READ, GH_REASON_BODY_TIMEOUT);
        release_exchange(connection, false);
        linger(connection); /* the body will not come: nothing to wait for */
        return;
    }
    gh_connection_set_deadline(connection, STALL_CHECK_MS);
}

/* Two looks an idle time apart that see the same count: nothing went through in between. */
static void check_tunnel(struct gh_connection *connection)
{
    uint64_t bytes = connection->stream.bytes_read + connection->stream.bytes_written;
    if (bytes == connection->tunnel_bytes) {
        port_tunnel_end(connection);
        return;
    }
    connection->tunnel_bytes = bytes;
    gh_connection_set_deadline(connection, tunnel_idle_ms(connection));
}

static void on_timer(struct gh_timer *timer)
{
    struct gh_connection *connection =
        (struct gh_connection *)((char *)timer - offsetof(struct gh_connection, timer));
    switch (connection->phase) {
    case GH_CONNECTION_HEAD:
        connection->exchange->close_after = true;
        gh_exchange_refuse(connection->exchange, GH_STAGE_READ, GH_REASON_HEAD_TIMEOUT);
        after_codec(connection);
        return;
    case GH_CONNECTION_EXCHANGE:
        check_exchange(connection);
        return;
    case GH_CONNECTION_PROXY_HEADER:
    case GH_CONNECTION_HANDSHAKE:
    case GH_CONNECTION_IDLE:
    case GH_CONNECTION_LINGER:
        gh_connection_kill(connection);
        return;
    case GH_CONNECTION_TUNNEL:
        check_tunnel(connection);
        return;
    case GH_CONNECTION_CLOSING:
        return;
    }
}

void gh_connection_drain(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_IDLE && connection->pending_len == 0)
        linger(connection);
}

const struct gh_stream_events gh_connection_stream_events = {
    .on_open = gh_accept_on_open,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};
