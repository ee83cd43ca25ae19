/*
 * HTTP/1.1 on a connection: its codec's events are calls of one exchange at a time. Bytes that the
 * codec can't take yet (the next request, a body that nobody takes) wait, and reading stops.
 */
#include "gateway/connection.h"

#include <stdlib.h>

/* One read can hold thousands of small requests. They are taken in slices, so that answers that
   pile up stop the next ones. */
#define FEED_SLICE_BYTES 4096
/* Requests answered at once, in a row, before the other connections have their turn. */
#define REQUESTS_PER_TURN 64

static void after_codec(struct gh_connection *connection);

/* ---- The end ---- */

/* HTTP/1.0 without a length: the end of the connection says that the answer is complete. */
static bool is_ended_by_close(const struct gh_connection *connection)
{
    const struct gh_h1_codec *codec = &connection->codec;
    return codec->head_written && !codec->answer_has_length && !codec->answer_chunked &&
           !codec->answer_no_body && codec->state != GH_H1_TUNNEL;
}

static void release(struct gh_connection *connection, bool client_gone)
{
    struct gh_exchange *exchange = connection->exchanges;
    if (client_gone && is_ended_by_close(connection) && gh_stream_queued(&connection->stream) > 0)
        connection->cut = true;
    if (!exchange)
        return;
    gh_connection_unlink(connection, exchange);
    if (exchange->answer_half != GH_ANSWER_DONE && !exchange->tunnel)
        connection->cut = is_ended_by_close(connection);
    gh_exchange_end(exchange, client_gone);
}

static void cut_tunnel(struct gh_connection *connection, struct gh_exchange *exchange)
{
    (void)exchange; /* its only one */
    gh_connection_kill(connection);
}

/* ---- The codec's events ---- */

static const struct gh_exchange_port EXCHANGE_PORT;

static struct gh_arena *on_begin(void *owner, gh_stream_id stream)
{
    struct gh_connection *connection = owner;
    connection->phase = GH_CONNECTION_HEAD;
    struct gh_exchange *exchange =
        gh_exchange_begin(connection->worker, &connection->codec.base, stream, &EXCHANGE_PORT,
                          connection, &connection->peer);
    if (!exchange)
        return NULL;
    gh_connection_link(connection, exchange);
    gh_connection_set_deadline(connection, gh_connection_limits(connection)->head_timeout_ms);
    return &exchange->arena;
}

static void on_head(void *owner, gh_stream_id stream, struct gh_request_head *head)
{
    (void)stream;
    struct gh_connection *connection = owner;
    struct gh_exchange *exchange = connection->exchanges;
    connection->phase = GH_CONNECTION_EXCHANGE;
    connection->discarded = 0;
    connection->output_pace.since_ms = 0;
    gh_body_pace_begin(&exchange->body_pace, gh_loop_now_ms(connection->worker->loop));
    gh_connection_set_deadline(connection, GH_CONNECTION_CHECK_MS);
    gh_exchange_head(exchange, head);
}

static void on_body(void *owner, gh_stream_id stream, struct gh_str bytes)
{
    (void)stream;
    struct gh_connection *connection = owner;
    gh_exchange_body(connection->exchanges, bytes);
}

static void on_end(void *owner, gh_stream_id stream)
{
    (void)stream;
    struct gh_connection *connection = owner;
    gh_exchange_body_end(connection->exchanges);
}

static void on_codec_error(void *owner, gh_stream_id stream, enum gh_http_error error)
{
    (void)stream;
    struct gh_connection *connection = owner;
    if (connection->exchanges)
        gh_exchange_read_error(connection->exchanges, error);
}

static void on_stream_over(void *owner, gh_stream_id stream)
{
    (void)stream;
    struct gh_connection *connection = owner;
    release(connection, false);
    if (connection->phase != GH_CONNECTION_EXCHANGE && connection->phase != GH_CONNECTION_HEAD)
        return;
    connection->phase = GH_CONNECTION_IDLE;
    /* The answer may have ended far from here: what follows from that, closing or the next request
       that waits, is for the end of the turn. */
    struct gh_codec *codec = &connection->codec.base;
    if (codec->ops->wants_close(codec) || connection->pending_len || connection->eof ||
        connection->worker->draining)
        gh_connection_want_turn(connection);
    gh_connection_set_deadline(connection, gh_connection_limits(connection)->idle_timeout_ms);
}

static bool on_output(void *owner, const struct gh_str *slices, size_t count)
{
    return gh_connection_write(owner, slices, count);
}

static void on_drained(void *owner, gh_stream_id stream)
{
    (void)owner;
    (void)stream; /* this codec keeps nothing */
}

static const struct gh_codec_events CODEC_EVENTS = {
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

static void port_input_wanted(void *owner, struct gh_exchange *exchange)
{
    (void)exchange;
    gh_connection_want_turn(owner);
}

static bool port_is_full(const void *owner, const struct gh_exchange *exchange)
{
    (void)exchange;
    const struct gh_connection *connection = owner;
    return connection->full;
}

static void port_want_turn(void *owner, struct gh_exchange *exchange)
{
    (void)exchange;
    gh_connection_want_turn(owner);
}

static void port_tunnel_begin(void *owner, struct gh_exchange *exchange)
{
    (void)exchange;
    struct gh_connection *connection = owner;
    connection->phase = GH_CONNECTION_TUNNEL;
    gh_connection_h1_watch_tunnel(connection);
    gh_connection_want_turn(connection); /* for bytes that came behind the request */
}

static void port_tunnel_write(void *owner, struct gh_exchange *exchange, struct gh_str bytes)
{
    (void)exchange;
    (void)gh_connection_write(owner, &bytes, 1);
}

static void port_tunnel_end(void *owner, struct gh_exchange *exchange)
{
    (void)exchange;
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

static void feed_tunnel(struct gh_connection *connection, struct gh_str bytes)
{
    if (!bytes.len || gh_exchange_tunnel_in(connection->exchanges, bytes))
        return;
    gh_stream_read_stop(&connection->stream);
    if (connection->stream.write_failed) /* told at the end of reading, which will not come now */
        gh_connection_kill(connection);
}

static bool is_before_head_end(const struct gh_connection *connection)
{
    return connection->codec.state == GH_H1_IDLE || connection->codec.state == GH_H1_HEAD;
}

/* What to feed at once where a head is to come: none of what stands behind it, so that a body that
   was read with its head is fed in one piece. */
static struct gh_str head_slice(struct gh_str bytes)
{
    const struct gh_str head_end = GH_STR("\r\n\r\n");
    struct gh_str slice = gh_str_first(bytes, FEED_SLICE_BYTES);
    if (slice.len == bytes.len)
        return slice;
    return gh_str_first(slice, gh_str_find(slice, head_end) + head_end.len);
}

/* Returns what was not taken: not yet, not as long as earlier answers pile up, or not before the
   others had their turn. */
static struct gh_str feed_slices(struct gh_connection *connection, struct gh_str bytes)
{
    struct gh_codec *codec = &connection->codec.base;
    unsigned answered = 0;
    while (bytes.len && connection->phase != GH_CONNECTION_CLOSING &&
           codec->ops->wants_input(codec) && answered < REQUESTS_PER_TURN) {
        struct gh_str slice = bytes;
        if (is_before_head_end(connection)) {
            if (connection->full)
                break;
            slice = head_slice(bytes);
        }
        size_t taken = codec->ops->feed(codec, slice); /* to the end of a request at most */
        bytes = gh_str_skip(bytes, taken);
        if (connection->codec.state == GH_H1_IDLE)
            answered++;
    }
    return bytes;
}

/* Keeps what was not taken. What the codec would take now goes on in the next turn of the loop; it
   begins at once, and what else has come is seen to before. */
static void keep_rest(struct gh_connection *connection, struct gh_str rest)
{
    const struct gh_codec *codec = &connection->codec.base;
    gh_connection_keep_pending(connection, rest);
    if (connection->phase == GH_CONNECTION_CLOSING || connection->full ||
        !codec->ops->wants_input(codec))
        return;
    gh_connection_want_turn(connection);
    gh_worker_turn_again(connection->worker);
}

/* Gives bytes to the codec, keeps what it can't take, sees to the end of the connection. */
static void feed(struct gh_connection *connection, struct gh_str bytes)
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
        keep_rest(connection, rest);
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
    if (over && (!connection->exchanges || connection->phase != GH_CONNECTION_EXCHANGE ||
                 connection->exchanges->answer_half >= GH_ANSWER_DONE)) {
        gh_connection_end(connection);
    }
}

static void on_read(struct gh_connection *connection, struct gh_str bytes)
{
    if (connection->phase == GH_CONNECTION_TUNNEL) {
        feed_tunnel(connection, bytes);
        return;
    }
    if (connection->pending_len) {
        gh_connection_keep_pending(connection, bytes);
        return;
    }
    if (connection->codec.discard)
        gh_connection_discard(connection, bytes.len);
    if (connection->phase != GH_CONNECTION_CLOSING && connection->phase != GH_CONNECTION_LINGER)
        feed(connection, bytes);
}

/* A client may close its sending side once its requests are out, and still wait for the answers,
   or be slow to take them. */
static void on_eof(struct gh_connection *connection)
{
    enum gh_connection_phase phase = connection->phase;
    bool request_whole = phase == GH_CONNECTION_EXCHANGE && connection->exchanges &&
                         connection->exchanges->request_half == GH_REQUEST_COMPLETE;
    bool waits = connection->pending_len && phase != GH_CONNECTION_PROXY_HEADER;
    if (request_whole || waits)
        return;
    if (phase == GH_CONNECTION_IDLE && gh_stream_queued(&connection->stream) > 0)
        gh_connection_end(connection);
    else
        gh_connection_kill(connection);
}

/* ---- Going on ---- */

static void on_drain(struct gh_connection *connection)
{
    if (connection->exchanges)
        gh_exchange_client_drained(connection->exchanges);
    if (connection->pending_len)
        gh_connection_want_turn(connection);
}

/* Gives the codec what it could not take before, as far as it takes it now. */
static void feed_pending(struct gh_connection *connection)
{
    char *bytes = connection->pending;
    size_t len = connection->pending_len;
    connection->pending = NULL;
    connection->pending_len = 0;
    feed(connection, gh_str_of(bytes, len));
    free(bytes);
}

static void turn_tunnel(struct gh_connection *connection)
{
    struct gh_str rest = gh_str_of(connection->pending, connection->pending_len);
    connection->pending_len = 0;
    gh_stream_read_start(&connection->stream);
    feed_tunnel(connection, rest);
    if (connection->eof) /* it went before the tunnel began; nobody will tell again */
        gh_connection_kill(connection);
}

static void turn(struct gh_connection *connection)
{
    if (connection->exchanges && connection->exchanges->turn_wanted)
        gh_exchange_turn(connection->exchanges);
    if (connection->phase == GH_CONNECTION_TUNNEL) {
        turn_tunnel(connection);
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
        on_eof(connection);
    else
        gh_stream_read_start(&connection->stream);
}

static void drain(struct gh_connection *connection)
{
    bool idle = connection->phase == GH_CONNECTION_IDLE && connection->pending_len == 0;
    if (idle || connection->phase == GH_CONNECTION_PREFACE)
        gh_connection_set_deadline(connection, GH_CONNECTION_GRACE_MS);
}

const struct gh_connection_protocol gh_connection_h1 = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .turn = turn,
    .on_deadline = gh_connection_h1_on_deadline,
    .drain = drain,
    .cut_tunnel = cut_tunnel,
    .release = release,
};

void gh_connection_h1_begin(struct gh_connection *connection)
{
    const struct gh_codec_limits limits = gh_connection_codec_limits(connection);
    gh_h1_codec_init(&connection->codec, &CODEC_EVENTS, connection, &limits);
}
