#include "gateway/accept.h"

#include <stdlib.h>

#include "http/h2_codec.h"
#include "http/proxy_protocol.h"

static int tls_pair_for(const void *tls_server, struct gh_str host)
{
    return gh_tls_server_pair_for(tls_server, host);
}

static void begin_h1(struct gh_connection *connection)
{
    gh_connection_h1_begin(connection);
    connection->phase = GH_CONNECTION_IDLE;
}

static void begin_h2(struct gh_connection *connection)
{
    connection->phase = GH_CONNECTION_IDLE;
    gh_connection_h2_begin(connection);
}

/* Plain or after the handshake: requests may come. */
static void begin_http(struct gh_connection *connection)
{
    struct gh_stream *stream = &connection->stream;
    gh_connection_set_deadline(connection, gh_connection_limits(connection)->head_timeout_ms);
    if (gh_stream_is_tls(stream)) {
        connection->peer.tls = true;
        connection->peer.tls_pair = gh_stream_tls_pair(stream);
        connection->peer.tls_server = gh_stream_tls_server(stream);
        connection->peer.tls_pair_for = tls_pair_for;
    }
    if (gh_stream_is_tls(stream) && gh_str_eq(gh_stream_alpn(stream), GH_STR("h2")))
        begin_h2(connection);
    else if (connection->slot->h2c && !connection->slot->tls)
        connection->phase = GH_CONNECTION_PREFACE;
    else
        begin_h1(connection);
    if (connection->phase != GH_CONNECTION_CLOSING)
        gh_stream_read_start(stream);
}

static void take_first_bytes(struct gh_connection *connection, struct gh_str bytes)
{
    if (connection->phase == GH_CONNECTION_PREFACE)
        gh_accept_preface(connection, bytes);
    else
        connection->protocol->on_read(connection, bytes);
}

static void begin_transport(struct gh_connection *connection, struct gh_str leftover)
{
    if (!connection->slot->tls) {
        begin_http(connection);
        if (leftover.len)
            take_first_bytes(connection, leftover);
        return;
    }
    connection->phase = GH_CONNECTION_HANDSHAKE;
    if (gh_stream_start_tls(&connection->stream, connection->slot->tls, leftover) != GH_OK)
        gh_connection_kill(connection);
    else if (connection->phase == GH_CONNECTION_HANDSHAKE)
        gh_stream_read_start(&connection->stream);
}

void gh_accept_on_open(struct gh_stream *stream)
{
    begin_http((struct gh_connection *)stream);
}

/* Of what came, no more is kept than a header can have. */
void gh_accept_proxy_header(struct gh_connection *connection, struct gh_str bytes)
{
    struct gh_proxy_protocol header = {0};
    size_t len = 0, before = connection->pending_len;
    gh_connection_keep_pending(connection,
                               gh_str_first(bytes, GH_PROXY_PROTOCOL_BYTES_MAX - before));
    if (connection->phase == GH_CONNECTION_CLOSING)
        return;
    struct gh_str kept = gh_str_of(connection->pending, connection->pending_len);
    switch (gh_proxy_protocol_parse(kept, &header, &len)) {
    case GH_PROXY_PROTOCOL_ERROR:
        gh_connection_kill(connection);
        return;
    case GH_PROXY_PROTOCOL_MORE:
        gh_stream_read_start(&connection->stream);
        return;
    case GH_PROXY_PROTOCOL_DONE:
        break;
    }
    if (!header.is_local) {
        connection->peer.ip = header.source;
        connection->peer.port = header.source_port;
        connection->peer.tls = header.tls;
    }
    free(connection->pending);
    connection->pending = NULL;
    connection->pending_len = 0;
    begin_transport(connection, gh_str_skip(bytes, len - before));
}

/* Prior knowledge (RFC 9113 section 3.3): nothing but the whole preface is HTTP/2, and HTTP/1.1 is
   read from the first byte on that it can't begin with. */
void gh_accept_preface(struct gh_connection *connection, struct gh_str bytes)
{
    const struct gh_str preface = GH_STR(GH_H2_PREFACE);
    gh_connection_keep_pending(connection, bytes);
    if (connection->phase == GH_CONNECTION_CLOSING)
        return;
    struct gh_str all = gh_str_of(connection->pending, connection->pending_len);
    bool agrees = gh_str_starts_with(preface, gh_str_first(all, preface.len));
    gh_stream_read_start(&connection->stream);
    if (agrees && all.len < preface.len)
        return;
    connection->pending = NULL;
    connection->pending_len = 0;
    if (agrees)
        begin_h2(connection);
    else
        begin_h1(connection);
    if (connection->phase != GH_CONNECTION_CLOSING)
        connection->protocol->on_read(connection, all);
    free((char *)all.ptr);
}

static struct gh_stream *on_accept(void *owner, struct gh_listener *listener)
{
    (void)listener;
    struct gh_listen_slot *slot = owner;
    struct gh_worker *worker = slot->worker;
    struct gh_shared *shared = worker->shared;
    struct gh_connection *connection = NULL;
    if (worker->connection_count < shared->connections_max)
        connection = calloc(1, sizeof(*connection));
    if (!connection) {
        gh_metric_add(shared->metrics, worker->index, shared->counters.connections_refused, 1);
        return NULL;
    }
    connection->worker = worker;
    connection->slot = slot;
    connection->protocol = &gh_connection_h1;
    connection->peer.tls_pair = -1;
    connection->peer.admin = slot->admin;
    connection->peer.refuse_plain = slot->refuse_plain;
    connection->next = worker->connections;
    if (connection->next)
        connection->next->prev = connection;
    worker->connections = connection;
    worker->connection_count++;
    slot->connections++;
    return &connection->stream;
}

static void on_accepted(void *owner, struct gh_listener *listener, struct gh_stream *stream,
                        const struct gh_ip *peer, uint16_t peer_port)
{
    (void)listener;
    struct gh_listen_slot *slot = owner;
    struct gh_connection *connection = (struct gh_connection *)stream;
    struct gh_shared *shared = connection->worker->shared;
    gh_metric_gauge_add(shared->metrics, connection->worker->index, shared->counters.connections,
                        1);
    gh_metric_add(shared->metrics, connection->worker->index, shared->counters.connections_total,
                  1);
    connection->phase = GH_CONNECTION_IDLE;
    connection->peer.ip = *peer;
    connection->peer.port = peer_port;
    const struct gh_limits_settings *limits = gh_connection_limits(connection);
    /* Proxies speak for many clients: they are not counted as one. */
    if (peer->family != GH_IP_NONE && !slot->proxy_protocol && !slot->admin &&
        !gh_policy_is_trusted_proxy(connection->worker->pin->snapshot->policy, peer)) {
        connection->counted =
            gh_client_count_enter(shared->clients, peer, limits->connections_per_client);
        if (connection->counted == GH_CLIENT_REFUSED) {
            gh_metric_add(shared->metrics, connection->worker->index,
                          shared->counters.connections_refused, 1);
            gh_connection_kill(connection);
            return;
        }
    }
    gh_connection_set_deadline(connection, limits->head_timeout_ms);
    if (slot->proxy_protocol) {
        connection->phase = GH_CONNECTION_PROXY_HEADER;
        gh_stream_read_start(stream);
    } else {
        begin_transport(connection, GH_STR(""));
    }
}

const struct gh_listener_events gh_accept_listener_events = {
    .on_accept = on_accept,
    .on_accepted = on_accepted,
};
