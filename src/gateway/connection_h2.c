/*
 * HTTP/2 on a connection: its codec's events are calls of many exchanges, found by their stream
 * ids. What one of them does (a timeout, an upstream that breaks off, the end of its session) ends
 * its stream and no other. A connection that brings much work takes turns with the others.
 */
#include "gateway/connection_h2.h"

#include <stdlib.h>

#include "gateway/h2_slots.h"
#include "gateway/refusal.h"

/* Requests that a connection may begin in one turn of the loop. */
#define REQUESTS_PER_TURN 128
/* Requests at once that one connection has for itself; each one more counts like a connection of
   its client, or a few connections would have the work done of some thousands. */
#define STREAMS_OF_CONNECTION 16
/* Input is taken in slices, so that the bound above is kept: hundreds of small requests are in a
   few kilobytes. Bodies come in larger frames, and are not cut for it. */
#define HEADS_SLICE_BYTES  4096
#define BODIES_SLICE_BYTES (16u * 1024)
/* One line in the log for the failures of so long a time, by worker. */
#define WARNING_PACE_MS 60000

/* ---- Streams ---- */

static struct gh_exchange *find(struct gh_connection *connection, gh_stream_id stream)
{
    return gh_stream_table_find(&connection->h2->streams, stream);
}

static void count_stream(const struct gh_connection *connection, int64_t change)
{
    const struct gh_shared *shared = connection->worker->shared;
    unsigned worker = connection->worker->index;
    connection->worker->stream_count += (size_t)change;
    gh_metric_gauge_add(shared->metrics, worker, shared->counters.http2_streams, change);
    if (change > 0)
        gh_metric_add(shared->metrics, worker, shared->counters.http2_streams_total, 1);
}

/* As many requests at once as connections are possible: each needs one to its upstream. */
static bool has_room(const struct gh_connection *connection, struct gh_exchange *exchange)
{
    const struct gh_shared *shared = connection->worker->shared;
    if (connection->worker->stream_count > shared->connections_max)
        return false;
    if (connection->counted != GH_CLIENT_COUNTED ||
        connection->h2->streams.count <= STREAMS_OF_CONNECTION)
        return true;
    enum gh_client_entry entry =
        gh_client_count_enter(shared->clients, &connection->peer.ip,
                              gh_connection_limits(connection)->connections_per_client);
    exchange->client_counted = entry == GH_CLIENT_COUNTED;
    return entry != GH_CLIENT_REFUSED;
}

static void leave_turns(struct gh_connection_h2 *h2, struct gh_exchange *exchange)
{
    struct gh_exchange **link = &h2->turns;
    while (*link && *link != exchange)
        link = &(*link)->turn_next;
    if (*link)
        *link = exchange->turn_next;
}

/* The client has gone, or the stream: what was not answered by then is not answered any more. */
static void end_exchange(struct gh_connection *connection, struct gh_exchange *exchange)
{
    struct gh_connection_h2 *h2 = connection->h2;
    gh_stream_table_remove(&h2->streams, exchange->stream);
    gh_connection_unlink(connection, exchange);
    if (exchange->turn_wanted)
        leave_turns(h2, exchange);
    if (h2->head == exchange)
        h2->head = NULL;
    count_stream(connection, -1);
    if (exchange->client_counted)
        gh_client_count_leave(connection->worker->shared->clients, &connection->peer.ip);
    bool cut = h2->failure != GH_H2_FAILURE_NONE && exchange->answer_half != GH_ANSWER_DONE;
    if (cut && exchange->reason == GH_REASON_UNDECIDED) {
        exchange->stage = GH_STAGE_READ;
        exchange->reason = GH_REASON_HTTP2_ERROR;
    }
    gh_exchange_end(exchange, true);
}

/* ---- Failures of the connection ---- */

static const char *failure_word(enum gh_h2_failure failure)
{
    static const char *const WORDS[GH_H2_FAILURE_COUNT] = {
#define X(name, word) [GH_H2_FAILURE_##name] = (word),
        GH_H2_FAILURES(X)
#undef X
    };
    return WORDS[failure];
}

/* Floods come in numbers: each is counted, one of a minute is logged. */
static void tell_failure(struct gh_worker *worker, enum gh_h2_failure failure)
{
    uint64_t now_ms = gh_loop_now_ms(worker->loop);
    gh_metric_add(worker->shared->metrics, worker->index,
                  worker->shared->counters.http2_failures[failure], 1);
    if (now_ms < worker->http2_warning_ms) {
        worker->http2_unsaid++;
        return;
    }
    gh_log_message(worker->log, GH_LOG_WARNING,
                   "a connection of HTTP/2 was ended with %s; %u more since the last such line",
                   failure_word(failure), worker->http2_unsaid);
    worker->http2_warning_ms = now_ms + WARNING_PACE_MS;
    worker->http2_unsaid = 0;
}

static void release(struct gh_connection *connection, bool client_gone)
{
    (void)client_gone; /* whatever ended it: no stream outlives its connection */
    struct gh_connection_h2 *h2 = connection->h2;
    if (!h2)
        return;
    h2->failure = gh_h2_codec_failure(h2->codec);
    if (h2->failure != GH_H2_FAILURE_NONE)
        tell_failure(connection->worker, h2->failure);
    if (h2->failure == GH_H2_FAILURE_CALM)
        gh_refusal_note_flood(connection->worker, &connection->peer.ip,
                              gh_str_from_c(gh_h2_codec_flood(h2->codec)));
    h2->codec->ops->done(h2->codec); /* which closes its streams */
    while (connection->exchanges)
        end_exchange(connection, connection->exchanges);
    connection->h2 = NULL;
    gh_service_left_drop(h2->left);
    gh_h2_slots_give(connection->worker->http2_slots, h2->slot);
    free(h2);
    const struct gh_shared *shared = connection->worker->shared;
    gh_metric_gauge_add(shared->metrics, connection->worker->index,
                        shared->counters.http2_connections, -1);
}

static void cut_tunnel(struct gh_connection *connection, struct gh_exchange *exchange)
{
    struct gh_codec *codec = connection->h2->codec;
    codec->ops->reset(codec, exchange->stream);
}

/* ---- The codec's events ---- */

static const struct gh_exchange_port EXCHANGE_PORT;

static void leave_idle(struct gh_connection *connection)
{
    if (connection->phase != GH_CONNECTION_IDLE)
        return;
    connection->phase = GH_CONNECTION_EXCHANGE;
    connection->output_pace.since_ms = 0;
    gh_link_pace_begin(&connection->h2->link_pace, gh_loop_now_ms(connection->worker->loop),
                       gh_h2_codec_data_sent(connection->h2->codec));
    gh_connection_set_deadline(connection, GH_CONNECTION_CHECK_MS);
}

static struct gh_arena *on_begin(void *owner, gh_stream_id stream)
{
    struct gh_connection *connection = owner;
    struct gh_connection_h2 *h2 = connection->h2;
    struct gh_exchange *exchange = gh_exchange_begin(connection->worker, h2->codec, stream,
                                                     &EXCHANGE_PORT, connection, &connection->peer);
    if (!exchange)
        return NULL;
    exchange->service_left = h2->left;
    gh_connection_link(connection, exchange);
    count_stream(connection, 1);
    h2->begun++;
    h2->head = exchange;
    if (!gh_stream_table_put(&h2->streams, stream, exchange)) {
        end_exchange(connection, exchange);
        return NULL;
    }
    leave_idle(connection);
    gh_connection_want_turn(connection);
    return &exchange->arena;
}

static void on_head(void *owner, gh_stream_id stream, struct gh_request_head *head)
{
    struct gh_connection *connection = owner;
    struct gh_exchange *exchange = find(connection, stream);
    if (!exchange)
        return;
    connection->h2->head = NULL;
    uint64_t now_ms = gh_loop_now_ms(connection->worker->loop);
    gh_body_pace_begin(&exchange->body_pace, now_ms);
    exchange->tunnel_looked_ms = now_ms;
    if (has_room(connection, exchange))
        gh_exchange_head(exchange, head);
    else
        gh_exchange_turn_away(exchange, head);
}

static void on_body(void *owner, gh_stream_id stream, struct gh_str bytes)
{
    struct gh_connection *connection = owner;
    struct gh_exchange *exchange = find(connection, stream);
    connection->h2->body_seen = true;
    if (exchange)
        gh_exchange_body(exchange, bytes);
}

static void on_end(void *owner, gh_stream_id stream)
{
    struct gh_exchange *exchange = find(owner, stream);
    if (exchange)
        gh_exchange_body_end(exchange);
}

static void on_error(void *owner, gh_stream_id stream, enum gh_http_error error)
{
    struct gh_connection *connection = owner;
    struct gh_exchange *exchange = find(connection, stream);
    if (!exchange)
        return;
    if (connection->h2->head == exchange)
        connection->h2->head = NULL;
    gh_exchange_read_error(exchange, error);
}

static void on_stream_over(void *owner, gh_stream_id stream)
{
    struct gh_connection *connection = owner;
    struct gh_exchange *exchange = find(connection, stream);
    if (!exchange)
        return;
    connection->h2->failure = gh_h2_codec_failure(connection->h2->codec);
    end_exchange(connection, exchange);
    gh_connection_want_turn(connection);
    if (connection->exchanges || connection->phase != GH_CONNECTION_EXCHANGE)
        return;
    gh_connection_h2_begin_idle(connection);
}

static bool on_output(void *owner, const struct gh_str *slices, size_t count)
{
    return gh_connection_write(owner, slices, count);
}

static void on_stream_drained(void *owner, gh_stream_id stream)
{
    struct gh_exchange *exchange = find(owner, stream);
    if (exchange)
        gh_exchange_client_drained(exchange);
}

/* What the streams say in a turn of the loop leaves at its end, together; also when that is now. */
static void on_output_due(void *owner)
{
    struct gh_connection *connection = owner;
    gh_connection_want_turn(connection);
    gh_worker_turn_again(connection->worker);
}

static const struct gh_codec_events CODEC_EVENTS = {
    .on_begin = on_begin,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_error = on_error,
    .on_closed = on_stream_over,
    .output = on_output,
    .on_drained = on_stream_drained,
};

/* ---- Memory for what is not taken ---- */

/* Proxies speak for many clients, which have no share each. */
static bool charge_room(void *owner, size_t bytes)
{
    struct gh_connection *connection = owner;
    struct gh_shared *shared = connection->worker->shared;
    const struct gh_ip *client = connection->h2->is_one_client ? &connection->peer.ip : NULL;
    bool had_room = gh_body_budget_charge_for(&shared->kept_answers, client, bytes,
                                              &connection->h2->kept_counted);
    gh_metric_gauge_add(shared->metrics, connection->worker->index,
                        shared->counters.http2_kept_bytes, (int64_t)bytes);
    gh_worker_pace_reads(connection->worker);
    return had_room;
}

static void give_room(void *owner, size_t bytes)
{
    struct gh_connection *connection = owner;
    struct gh_shared *shared = connection->worker->shared;
    size_t *left = &connection->h2->kept_counted;
    size_t counted = bytes < *left ? bytes : *left;
    *left -= counted;
    gh_body_budget_give_for(&shared->kept_answers, &connection->peer.ip, bytes, counted);
    gh_metric_gauge_add(shared->metrics, connection->worker->index,
                        shared->counters.http2_kept_bytes, -(int64_t)bytes);
}

static const struct gh_h2_room ROOM = {charge_room, give_room};

/* ---- The exchanges' port ---- */

static void port_input_wanted(void *owner, struct gh_exchange *exchange)
{
    (void)exchange;
    gh_connection_want_turn(owner);
}

static bool port_is_full(const void *owner, const struct gh_exchange *exchange)
{
    (void)owner;
    return exchange->codec->ops->is_full(exchange->codec, exchange->stream);
}

static void port_want_turn(void *owner, struct gh_exchange *exchange)
{
    struct gh_connection *connection = owner;
    exchange->turn_next = connection->h2->turns;
    connection->h2->turns = exchange;
    gh_connection_want_turn(connection);
}

static void port_tunnel_end(void *owner, struct gh_exchange *exchange)
{
    struct gh_connection *connection = owner;
    exchange->answer_half = GH_ANSWER_DONE;
    exchange->codec->ops->write_body(exchange->codec, exchange->stream, GH_STR(""), true);
    gh_connection_want_turn(connection);
}

/* Its bytes are body bytes both ways. */
static void port_tunnel_begin(void *owner, struct gh_exchange *exchange)
{
    struct gh_connection *connection = owner;
    exchange->tunnel_looked_ms = gh_loop_now_ms(connection->worker->loop);
}

static void port_tunnel_write(void *owner, struct gh_exchange *exchange, struct gh_str bytes)
{
    (void)owner;
    exchange->codec->ops->write_body(exchange->codec, exchange->stream, bytes, false);
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

/* Returns what was not taken: the codec can't now, or it is the others' turn. */
static struct gh_str feed_slices(struct gh_connection *connection, struct gh_str bytes)
{
    struct gh_connection_h2 *h2 = connection->h2;
    struct gh_codec *codec = h2->codec;
    gh_h2_codec_set_now(codec, gh_loop_now_ms(connection->worker->loop));
    gh_h2_codec_set_lingering(codec, h2->left->calls);
    while (bytes.len && h2->begun < REQUESTS_PER_TURN && !codec->ops->wants_close(codec)) {
        struct gh_str slice =
            gh_str_first(bytes, h2->body_seen ? BODIES_SLICE_BYTES : HEADS_SLICE_BYTES);
        h2->body_seen = false;
        size_t taken = codec->ops->feed(codec, slice);
        bytes = gh_str_skip(bytes, taken);
        if (taken < slice.len)
            break;
    }
    return bytes;
}

static void feed(struct gh_connection *connection, struct gh_str bytes)
{
    struct gh_codec *codec = connection->h2->codec;
    struct gh_str rest = feed_slices(connection, bytes);
    if (codec->ops->wants_close(codec))
        rest.len = 0;
    if (rest.len)
        gh_connection_keep_pending(connection, rest);
    if (connection->phase == GH_CONNECTION_CLOSING)
        return;
    if (rest.len)
        gh_connection_want_turn(connection);
    gh_connection_h2_see_to_end(connection);
    gh_connection_h2_watch_idle(connection);
}

static void on_read(struct gh_connection *connection, struct gh_str bytes)
{
    if (connection->pending_len) {
        gh_connection_keep_pending(connection, bytes);
        return;
    }
    feed(connection, bytes);
}

/* Without its frames nothing goes on: not even an answer, whose window it would have to open. */
static void on_eof(struct gh_connection *connection)
{
    if (connection->phase == GH_CONNECTION_IDLE && gh_stream_queued(&connection->stream) > 0)
        gh_connection_end(connection);
    else if (!connection->pending_len)
        gh_connection_kill(connection);
}

/* ---- Going on ---- */

static void on_drain(struct gh_connection *connection)
{
    struct gh_codec *codec = connection->h2->codec;
    codec->ops->on_writable(codec);
    gh_connection_want_turn(connection);
}

static void run_turns(struct gh_connection_h2 *h2)
{
    while (h2->turns) {
        struct gh_exchange *exchange = h2->turns;
        h2->turns = exchange->turn_next;
        gh_exchange_turn(exchange);
    }
}

/* Gives the codec what waits, as far as it takes it now. */
static void feed_pending(struct gh_connection *connection)
{
    char *bytes = connection->pending;
    size_t len = connection->pending_len;
    connection->pending = NULL;
    connection->pending_len = 0;
    feed(connection, gh_str_of(bytes, len));
    free(bytes);
}

static bool is_over(const struct gh_connection *connection)
{
    return connection->phase == GH_CONNECTION_CLOSING || connection->phase == GH_CONNECTION_LINGER;
}

/* The timer may begin again with each request, and has not come to it. */
static void see_to_farewell(struct gh_connection *connection)
{
    const struct gh_connection_h2 *h2 = connection->h2;
    if (!gh_connection_h2_see_to_renewal(connection) && h2->farewell == GH_H2_SAID_SOON &&
        gh_loop_now_ms(connection->worker->loop) - h2->farewell_ms >= GH_CONNECTION_GRACE_MS)
        gh_connection_h2_say_farewell(connection);
}

static void turn(struct gh_connection *connection)
{
    struct gh_connection_h2 *h2 = connection->h2;
    struct gh_codec *codec = h2->codec;
    h2->begun = 0;
    run_turns(h2);
    see_to_farewell(connection);
    if (connection->pending_len && codec->ops->wants_input(codec))
        feed_pending(connection);
    if (!is_over(connection)) {
        gh_h2_codec_flush(codec);
        gh_connection_h2_see_to_end(connection);
    }
    if (is_over(connection))
        return;
    if (connection->pending_len) { /* of which more is taken when the others had their turn */
        if (codec->ops->wants_input(codec))
            gh_worker_turn_again(connection->worker);
    } else if (connection->eof) {
        on_eof(connection);
    } else {
        gh_stream_read_start(&connection->stream);
    }
}

/* ---- The end ---- */

void gh_connection_h2_see_to_end(struct gh_connection *connection)
{
    struct gh_codec *codec = connection->h2->codec;
    if (codec->ops->wants_close(codec))
        gh_connection_end(connection);
}

void gh_connection_h2_say_farewell(struct gh_connection *connection)
{
    struct gh_connection_h2 *h2 = connection->h2;
    gh_h2_codec_drain(h2->codec);
    h2->farewell = h2->farewell == GH_H2_STAYS ? GH_H2_SAID_SOON : GH_H2_SAID_NOW;
    gh_connection_want_turn(connection);
}

static void drain(struct gh_connection *connection)
{
    if (connection->h2->farewell != GH_H2_STAYS)
        return;
    connection->h2->farewell_ms = gh_loop_now_ms(connection->worker->loop);
    gh_connection_h2_say_farewell(connection);
    gh_connection_set_deadline(connection, GH_CONNECTION_GRACE_MS);
}

bool gh_connection_h2_see_to_renewal(struct gh_connection *connection)
{
    struct gh_connection_h2 *h2 = connection->h2;
    if (!h2->renewal_ms || gh_loop_now_ms(connection->worker->loop) < h2->renewal_ms)
        return false;
    h2->renewal_ms = 0;
    bool begins = h2->farewell == GH_H2_STAYS;
    drain(connection);
    return begins;
}

/* Reloads that follow each other put nothing off. */
static void renew(struct gh_connection *connection)
{
    struct gh_connection_h2 *h2 = connection->h2;
    uint32_t random[4];
    if (h2->renewal_ms || h2->farewell != GH_H2_STAYS)
        return;
    gh_worker_random(connection->worker, (uint8_t *)random);
    h2->renewal_ms = gh_loop_now_ms(connection->worker->loop) + random[0] % GH_CONNECTION_RENEW_MS;
    gh_connection_h2_watch_renewal(connection);
}

static const struct gh_connection_protocol PROTOCOL = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .turn = turn,
    .on_deadline = gh_connection_h2_on_deadline,
    .drain = drain,
    .renew = renew,
    .cut_tunnel = cut_tunnel,
    .release = release,
};

/* ---- The beginning ---- */

/* By what a PROXY header said, where there is one. Who comes by a Unix socket and has no address is
   hardly ever a client itself. */
static bool is_one_client(const struct gh_connection *connection)
{
    const struct gh_ip *ip = &connection->peer.ip;
    return ip->family != GH_IP_NONE &&
           !gh_policy_is_trusted_proxy(connection->worker->pin->snapshot->policy, ip);
}

void gh_connection_h2_begin(struct gh_connection *connection)
{
    const struct gh_codec_limits limits = gh_connection_codec_limits(connection);
    const struct gh_shared *shared = connection->worker->shared;
    unsigned worker = connection->worker->index;
    struct gh_connection_h2 *h2 = calloc(1, sizeof(*h2));
    struct gh_service_left *left = calloc(1, sizeof(*left));
    void *slot = gh_h2_slots_take(connection->worker->http2_slots); /* NULL: it costs more */
    if (!h2 || !left ||
        gh_h2_codec_open(&CODEC_EVENTS, connection, &limits, slot, &h2->codec) != GH_OK) {
        gh_h2_slots_give(connection->worker->http2_slots, slot);
        free(left);
        free(h2);
        gh_connection_kill(connection);
        return;
    }
    h2->slot = slot;
    h2->left = left;
    h2->failure = GH_H2_FAILURE_NONE;
    connection->h2 = h2;
    gh_h2_codec_count_kept(h2->codec, &ROOM);
    h2->is_one_client = is_one_client(connection);
    if (h2->is_one_client)
        gh_h2_codec_honour_priorities(h2->codec);
    gh_h2_codec_gather(h2->codec, on_output_due);
    connection->protocol = &PROTOCOL;
    gh_metric_gauge_add(shared->metrics, worker, shared->counters.http2_connections, 1);
    gh_metric_add(shared->metrics, worker, shared->counters.http2_connections_total, 1);
    if (connection->worker->draining)
        drain(connection);
}
