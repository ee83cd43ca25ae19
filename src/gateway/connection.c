#include "gateway/connection.h"

#include <stdlib.h>

#include "gateway/accept.h"

/* What is read and thrown away after our last word, so that the client sees it and not a reset. */
#define LINGER_BYTES_MAX (1024u * 1024)
/* One read can hold thousands of small requests. They are taken in slices, so that answers that
   pile up stop the next ones. */
#define FEED_SLICE_BYTES 4096

static void after_codec(struct gh_connection *connection);

const struct gh_limits_settings *gh_connection_limits(const struct gh_connection *connection)
{
    return gh_policy_limits(connection->worker->pin->snapshot->policy);
}

void gh_connection_set_deadline(struct gh_connection *connection, uint64_t delay_ms)
{
    gh_timer_start(connection->worker->loop, &connection->timer, delay_ms,
                   gh_connection_on_deadline);
}

/* ---- The end ---- */

/* HTTP/1.0 without a length: the end of the connection says that the answer is complete. */
static bool is_ended_by_close(const struct gh_connection *connection)
{
    const struct gh_h1_codec *codec = &connection->codec;
    return codec->head_written && !codec->answer_has_length && !codec->answer_chunked &&
           !codec->answer_no_body && codec->state != GH_H1_TUNNEL;
}

static void release_exchange(struct gh_connection *connection, bool client_gone)
{
    struct gh_exchange *exchange = connection->exchange;
    if (!exchange)
        return;
    connection->exchange = NULL;
    if (exchange->answer_half != GH_ANSWER_DONE && !exchange->tunnel)
        connection->cut = is_ended_by_close(connection);
    gh_exchange_end(exchange, client_gone);
}

void gh_connection_kill(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_CLOSING)
        return;
    connection->phase = GH_CONNECTION_CLOSING;
    gh_timer_stop(connection->worker->loop, &connection->timer);
    release_exchange(connection, true);
    if (connection->cut ||
        (is_ended_by_close(connection) && gh_stream_queued(&connection->stream) > 0))
        gh_stream_reset(&connection->stream);
    else
        gh_stream_close(&connection->stream);
}

/* Says the last word and waits a little for the client to have read it (RFC 9112 section 9.6). */
static void linger(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_LINGER || connection->phase == GH_CONNECTION_CLOSING)
        return;
    if (connection->cut) {
        gh_connection_kill(connection);
        return;
    }
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
    gh_connection_set_deadline(connection, GH_CONNECTION_LINGER_MS);
}

void gh_connection_end(struct gh_connection *connection)
{
    release_exchange(connection, false);
    linger(connection);
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
    gh_connection_set_deadline(connection, GH_CONNECTION_CHECK_MS);
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

static bool on_output(void *owner, const struct gh_str *slices, size_t count)
{
    struct gh_connection *connection = owner;
    if (!gh_stream_write(&connection->stream, slices, count))
        connection->full = true;
    return !connection->full;
}

static void on_drained(void *owner, gh_stream_id stream)
{
    (void)owner; /* HTTP/1.1 keeps nothing back */
    (void)stream;
}

const struct gh_codec_events gh_connection_codec_events = {
    .on_begin = on_begin,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_error = on_codec_error,
    .on_closed = on_stream_over,
    .output = on_output,
    .on_drained = on_drained,
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

static void port_tunnel_begin(void *owner, struct gh_exchange *exchange)
{
    (void)exchange;
    struct gh_connection *connection = owner;
    connection->phase = GH_CONNECTION_TUNNEL;
    gh_connection_watch_tunnel(connection);
    put_on_turn_list(connection); /* for bytes that came behind the request */
}

static void port_tunnel_write(void *owner, struct gh_str bytes)
{
    (void)on_output(owner, &bytes, 1);
}

static void port_tunnel_end(void *owner)
{
    gh_connection_end(owner);
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
    if (connection->stream.write_failed) { /* told at the end of reading, which will not come now */
        gh_connection_kill(connection);
        return;
    }
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

static bool is_before_head_end(const struct gh_connection *connection)
{
    return connection->codec.state == GH_H1_IDLE || connection->codec.state == GH_H1_HEAD;
}

/* Returns what was not taken: not yet, or not as long as earlier answers pile up. */
static struct gh_str feed_slices(struct gh_connection *connection, struct gh_str bytes)
{
    struct gh_codec *codec = &connection->codec.base;
    while (bytes.len && connection->phase != GH_CONNECTION_CLOSING) {
        struct gh_str slice = bytes;
        if (is_before_head_end(connection)) {
            if (connection->full)
                break;
            slice = gh_str_first(bytes, FEED_SLICE_BYTES);
        }
        size_t taken = codec->ops->feed(codec, slice);
        bytes = gh_str_skip(bytes, taken);
        if (taken < slice.len)
            break;
    }
    return bytes;
}

void gh_connection_feed(struct gh_connection *connection, struct gh_str bytes)
{
    struct gh_codec *codec = &connection->codec.base;
    struct gh_str rest = feed_slices(connection, bytes);
    if (connection->phase == GH_CONNECTION_CLOSING)
        return;
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
    bool over = codec->ops->wants_close(codec) ||
                (connection->phase == GH_CONNECTION_IDLE && connection->pending_len == 0 &&
                 (connection->eof || connection->worker->draining));
    if (over && (!connection->exchange || connection->phase != GH_CONNECTION_EXCHANGE ||
                 connection->exchange->answer_half >= GH_ANSWER_DONE)) {
        gh_connection_end(connection);
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

/* A client may close its sending side once its requests are out, and still wait for the answers,
   or be slow to take them. */
static void see_to_eof(struct gh_connection *connection)
{
    enum gh_connection_phase phase = connection->phase;
    bool request_whole = phase == GH_CONNECTION_EXCHANGE && connection->exchange &&
                         connection->exchange->request_half == GH_REQUEST_COMPLETE;
    bool answered = phase == GH_CONNECTION_IDLE || phase == GH_CONNECTION_LINGER;
    bool waits = connection->pending_len && phase != GH_CONNECTION_PROXY_HEADER;
    if (request_whole || waits)
        return;
    if (answered && gh_stream_queued(&connection->stream) > 0)
        linger(connection);
    else
        gh_connection_kill(connection);
}

static void on_eof(struct gh_stream *stream)
{
    struct gh_connection *connection = (struct gh_connection *)stream;
    connection->eof = true;
    see_to_eof(connection);
}

static void on_drain(struct gh_stream *stream)
{
    struct gh_connection *connection = (struct gh_connection *)stream;
    connection->full = false;
    if (connection->phase == GH_CONNECTION_LINGER) {
        if (connection->eof)
            gh_connection_kill(connection);
        else
            gh_connection_set_deadline(
                connection, GH_CONNECTION_LINGER_MS); /* all is out: now it has to read */
        return;
    }
    if (connection->exchange)
        gh_exchange_client_drained(connection->exchange);
    if (connection->pending_len)
        put_on_turn_list(connection);
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
        if (connection->eof) /* it went before the tunnel began; nobody will tell again */
            gh_connection_kill(connection);
        return;
    }
    struct gh_codec *codec = &connection->codec.base;
    if (connection->phase != GH_CONNECTION_CLOSING && connection->pending_len &&
        codec->ops->wants_input(codec) && !codec->ops->wants_close(codec))
        feed_pending(connection);
    after_codec(connection);
    if (connection->phase == GH_CONNECTION_CLOSING || connection->phase == GH_CONNECTION_LINGER ||
        connection->pending_len)
        return;
    if (connection->eof)
        see_to_eof(connection);
    else
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

void gh_connection_drain(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_IDLE && connection->pending_len == 0)
        gh_connection_set_deadline(connection, GH_CONNECTION_GRACE_MS);
}

const struct gh_stream_events gh_connection_stream_events = {
    .on_open = gh_accept_on_open,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};
