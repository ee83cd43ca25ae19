#include "gateway/connection.h"

#include <stdlib.h>

#include "gateway/accept.h"

/* What is read and thrown away after our last word, so that the client sees it and not a reset. */
#define LINGER_BYTES_MAX (1024u * 1024)

const struct gh_limits_settings *gh_connection_limits(const struct gh_connection *connection)
{
    return gh_policy_limits(connection->worker->pin->snapshot->policy);
}

struct gh_codec_limits gh_connection_codec_limits(const struct gh_connection *connection)
{
    const struct gh_limits_settings *limits = gh_connection_limits(connection);
    return (struct gh_codec_limits){
        .head_bytes_max = limits->request_head,
        .target_bytes_max = limits->target_length,
        .field_count_max = limits->header_count,
    };
}

void gh_connection_set_deadline(struct gh_connection *connection, uint64_t delay_ms)
{
    gh_timer_start(connection->worker->loop, &connection->timer, delay_ms,
                   gh_connection_on_deadline);
}

static bool is_over(const struct gh_connection *connection)
{
    return connection->phase == GH_CONNECTION_CLOSING || connection->phase == GH_CONNECTION_LINGER;
}

/* ---- Its exchanges ---- */

void gh_connection_link(struct gh_connection *connection, struct gh_exchange *exchange)
{
    exchange->prev = NULL;
    exchange->next = connection->exchanges;
    if (exchange->next)
        exchange->next->prev = exchange;
    connection->exchanges = exchange;
}

void gh_connection_unlink(struct gh_connection *connection, struct gh_exchange *exchange)
{
    if (exchange->prev)
        exchange->prev->next = exchange->next;
    else
        connection->exchanges = exchange->next;
    if (exchange->next)
        exchange->next->prev = exchange->prev;
}

/* ---- The end ---- */

void gh_connection_kill(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_CLOSING)
        return;
    connection->phase = GH_CONNECTION_CLOSING;
    gh_timer_stop(connection->worker->loop, &connection->timer);
    connection->protocol->release(connection, true);
    if (connection->cut)
        gh_stream_reset(&connection->stream);
    else
        gh_stream_close(&connection->stream);
}

void gh_connection_cut_tunnel(struct gh_connection *connection, struct gh_exchange *exchange)
{
    connection->protocol->cut_tunnel(connection, exchange);
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
    /* After its end nothing more can come: all that is left is to get our bytes out. */
    bool is_done = connection->eof && gh_stream_queued(&connection->stream) == 0;
    if (!is_done || gh_stream_is_tls(&connection->stream))
        gh_stream_shutdown(&connection->stream);
    if (connection->eof && gh_stream_queued(&connection->stream) == 0) {
        gh_connection_kill(connection);
        return;
    }
    if (!connection->eof)
        gh_stream_read_start(&connection->stream);
    gh_connection_set_deadline(connection, GH_CONNECTION_LINGER_MS);
}

void gh_connection_end(struct gh_connection *connection)
{
    connection->protocol->release(connection, false);
    linger(connection);
}

void gh_connection_discard(struct gh_connection *connection, size_t bytes)
{
    connection->discarded += bytes;
    if (connection->discarded <= LINGER_BYTES_MAX)
        return;
    if (connection->phase == GH_CONNECTION_LINGER)
        gh_connection_kill(connection);
    else
        linger(connection);
}

static void leave_turn_list(struct gh_connection *connection)
{
    struct gh_connection **link = &connection->worker->turn_list;
    while (*link != connection)
        link = &(*link)->turn_next;
    *link = connection->turn_next;
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
    if (connection->turn_wanted)
        leave_turn_list(connection);
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

/* ---- Bytes ---- */

bool gh_connection_write(struct gh_connection *connection, const struct gh_str *slices,
                         size_t count)
{
    if (!gh_stream_write(&connection->stream, slices, count))
        connection->full = true;
    return !connection->full;
}

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

static void on_read(struct gh_stream *stream, struct gh_str bytes)
{
    struct gh_connection *connection = (struct gh_connection *)stream;
    switch (connection->phase) {
    case GH_CONNECTION_CLOSING:
        return;
    case GH_CONNECTION_PROXY_HEADER:
        gh_accept_proxy_header(connection, bytes);
        return;
    case GH_CONNECTION_PREFACE:
        gh_accept_preface(connection, bytes);
        return;
    case GH_CONNECTION_LINGER:
        gh_connection_discard(connection, bytes.len);
        return;
    case GH_CONNECTION_HANDSHAKE:
    case GH_CONNECTION_IDLE:
    case GH_CONNECTION_HEAD:
    case GH_CONNECTION_EXCHANGE:
    case GH_CONNECTION_TUNNEL:
        break;
    }
    connection->protocol->on_read(connection, bytes);
}

static void on_eof(struct gh_stream *stream)
{
    struct gh_connection *connection = (struct gh_connection *)stream;
    connection->eof = true;
    if (connection->phase == GH_CONNECTION_PREFACE) {
        gh_connection_kill(connection);
    } else if (connection->phase == GH_CONNECTION_LINGER) {
        if (gh_stream_queued(&connection->stream) == 0)
            gh_connection_kill(connection);
    } else {
        connection->protocol->on_eof(connection);
    }
}

static void on_drain(struct gh_stream *stream)
{
    struct gh_connection *connection = (struct gh_connection *)stream;
    connection->full = false;
    if (connection->phase != GH_CONNECTION_LINGER)
        connection->protocol->on_drain(connection);
    else if (connection->eof)
        gh_connection_kill(connection);
    else /* all is out: now it has to read */
        gh_connection_set_deadline(connection, GH_CONNECTION_LINGER_MS);
}

const struct gh_stream_events gh_connection_stream_events = {
    .on_open = gh_accept_on_open,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};

/* ---- Turns ---- */

void gh_connection_want_turn(struct gh_connection *connection)
{
    if (connection->turn_wanted)
        return;
    connection->turn_wanted = true;
    connection->turn_next = connection->worker->turn_list;
    connection->worker->turn_list = connection;
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
        if (!is_over(connection))
            connection->protocol->turn(connection);
        connection = next;
    }
}

void gh_connection_drain(struct gh_connection *connection)
{
    if (!is_over(connection))
        connection->protocol->drain(connection);
}

void gh_connection_renew(struct gh_connection *connection)
{
    if (connection->protocol->renew && !is_over(connection))
        connection->protocol->renew(connection);
}
