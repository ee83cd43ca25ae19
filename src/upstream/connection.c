/* The events of a connection: to its call, or, when it is idle, its end. */
#include "upstream/call.h"

#include <stdlib.h>

static struct gh_upstream_connection *connection_of(struct gh_stream *stream)
{
    return (struct gh_upstream_connection *)stream;
}

static void on_open(struct gh_stream *stream)
{
    struct gh_upstream_connection *connection = connection_of(stream);
    if (!connection->call)
        return;
    connection->is_open = true;
    gh_server_note_open(connection->pool->server, connection->address);
    gh_stream_read_start(stream);
    gh_call_on_open(connection->call);
}

static void on_read(struct gh_stream *stream, struct gh_str bytes)
{
    struct gh_upstream_connection *connection = connection_of(stream);
    if (connection->call)
        gh_call_on_read(connection->call, bytes);
    else /* bytes that nobody asked for would be taken for the next answer */
        gh_connection_close(connection);
}

static void on_eof(struct gh_stream *stream)
{
    struct gh_upstream_connection *connection = connection_of(stream);
    if (connection->call)
        gh_call_on_eof(connection->call);
    else
        gh_connection_close(connection);
}

static void on_drain(struct gh_stream *stream)
{
    struct gh_upstream_call *call = connection_of(stream)->call;
    if (!call)
        return;
    call->activity_ms = gh_loop_now_ms(call->upstreams->loop);
    call->events->on_drain(call);
}

static void on_error(struct gh_stream *stream, enum gh_err err)
{
    struct gh_upstream_connection *connection = connection_of(stream);
    if (connection->call)
        gh_call_on_error(connection->call, err);
    else
        gh_connection_close(connection);
}

static void on_closed(struct gh_stream *stream)
{
    free(connection_of(stream));
}

const struct gh_stream_events gh_connection_events = {
    .on_open = on_open,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};
