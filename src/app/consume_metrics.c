#include "app/consume_metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/stream.h"

#define CONNECTIONS_MAX   16
#define REQUEST_BYTES_MAX 4096
#define DEADLINE_MS       5000

struct connection {
    struct gh_stream stream;
    struct gh_consume_metrics *metrics; /* NULL: it is free */
    struct gh_timer deadline;
    char request[REQUEST_BYTES_MAX];
    size_t length;
    bool answered;
};

struct gh_consume_metrics {
    struct gh_loop *loop;
    struct gh_listener *listener;
    struct gh_consume_worker *const *workers;
    size_t worker_count;
    struct connection connections[CONNECTIONS_MAX];
    size_t open_count;
    bool closing;
};

/* ---- What is told ---- */

static void put_label(FILE *out, struct gh_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '"' || c == '\\')
            fputc('\\', out);
        if (c == '\n')
            fputs("\\n", out);
        else
            fputc(c, out);
    }
}

static void put_family(const struct gh_consume_metrics *metrics, FILE *out, const char *name,
                       const char *type, const char *help,
                       uint64_t (*value_of)(const struct gh_stream_counts *counts))
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    for (size_t i = 0; i < metrics->worker_count; i++) {
        const struct gh_consume_settings *settings =
            gh_consume_worker_settings(metrics->workers[i]);
        struct gh_stream_counts counts = gh_consume_worker_counts(metrics->workers[i]);
        uint64_t value = value_of(&counts);
        if (value == UINT64_MAX) /* unknown */
            continue;
        fprintf(out, "%s{stream=\"", name);
        put_label(out, settings->stream);
        fputs("\",group=\"", out);
        put_label(out, settings->group);
        fprintf(out, "\"} %" PRIu64 "\n", value);
    }
}

/* X(member, name, type, help) */
#define FAMILIES(X)                                                                                \
    X(lag, "gatehouse_consume_lag", "gauge", "Entries that nobody of the group has taken yet.")    \
    X(pending, "gatehouse_consume_pending", "gauge",                                               \
      "Entries that were taken and not acknowledged yet.")                                         \
    X(applied, "gatehouse_consume_applied_total", "counter",                                       \
      "Entries whose statement took effect.")                                                      \
    X(repeated, "gatehouse_consume_repeated_total", "counter",                                     \
      "Entries that had been applied before, and were only acknowledged.")                         \
    X(parked, "gatehouse_consume_parked_total", "counter", "Entries put aside.")                   \
    X(refusals, "gatehouse_consume_refusals_total", "counter",                                     \
      "Tries of entries that the statement refused.")                                              \
    X(claimed, "gatehouse_consume_claimed_total", "counter",                                       \
      "Entries taken over from consumers that were gone.")                                         \
    X(vanished, "gatehouse_consume_vanished_total", "counter",                                     \
      "Entries deleted from the stream before they were acknowledged.")                            \
    X(batches, "gatehouse_consume_batches_total", "counter", "Transactions.")                      \
    X(failures, "gatehouse_consume_failures_total", "counter",                                     \
      "Times that entries had to wait for the database.")                                          \
    X(redis_is_up, "gatehouse_consume_redis_up", "gauge", "Redis is there.")                       \
    X(database_is_up, "gatehouse_consume_database_up", "gauge", "The database takes entries.")

#define X(member, name, type, help)                                                                \
    static uint64_t get_##member(const struct gh_stream_counts *counts)                            \
    {                                                                                              \
        return counts->member;                                                                     \
    }
FAMILIES(X)
#undef X

static void put_metrics(const struct gh_consume_metrics *metrics, FILE *out)
{
#define X(member, name, type, help) put_family(metrics, out, name, type, help, get_##member);
    FAMILIES(X)
#undef X
}

static bool is_ready(const struct gh_consume_metrics *metrics)
{
    for (size_t i = 0; i < metrics->worker_count; i++) {
        struct gh_stream_counts counts = gh_consume_worker_counts(metrics->workers[i]);
        if (!counts.redis_is_up || !counts.database_is_up)
            return false;
    }
    return true;
}

/* ---- HTTP ---- */

static const char *answer(const struct gh_consume_metrics *metrics, struct gh_str request,
                          FILE *body)
{
    struct gh_str line = gh_str_first(request, gh_str_find(request, GH_STR("\r\n")));
    struct gh_str method = gh_str_first(line, gh_str_find_char(line, ' '));
    struct gh_str rest = gh_str_skip(line, method.len + 1 < line.len ? method.len + 1 : line.len);
    struct gh_str target = gh_str_first(rest, gh_str_find_char(rest, ' '));
    target = gh_str_first(target, gh_str_find_char(target, '?'));
    if (!gh_str_eq(method, GH_STR("GET")))
        return "405 Method Not Allowed\r\nAllow: GET";
    if (gh_str_eq(target, GH_STR("/metrics"))) {
        put_metrics(metrics, body);
        return "200 OK";
    }
    bool is_health = gh_str_eq(target, GH_STR("/healthz"));
    bool is_readiness = gh_str_eq(target, GH_STR("/readyz"));
    bool good = is_health || (is_readiness && is_ready(metrics));
    fputs(good ? "ok\n" : is_readiness ? "not ready\n" : "not found\n", body);
    return good ? "200 OK" : is_readiness ? "503 Service Unavailable" : "404 Not Found";
}

static void respond(struct connection *connection)
{
    char *body = NULL, head[256];
    size_t body_length = 0;
    FILE *out = open_memstream(&body, &body_length);
    connection->answered = true;
    if (!out) {
        gh_stream_close(&connection->stream);
        return;
    }
    const char *status =
        answer(connection->metrics, gh_str_of(connection->request, connection->length), out);
    bool written = fclose(out) == 0;
    int head_length = snprintf(head, sizeof(head),
                               "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; "
                               "charset=utf-8\r\nContent-Length: %zu\r\n"
                               "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
                               status, body_length);
    const struct gh_str slices[] = {gh_str_of(head, (size_t)head_length),
                                    gh_str_of(body, body_length)};
    if (written) {
        (void)gh_stream_write(&connection->stream, slices, body_length ? 2 : 1);
        gh_stream_shutdown(&connection->stream); /* the peer's end, or the deadline, closes it */
    } else {
        gh_stream_close(&connection->stream);
    }
    free(body);
}

/* ---- Connections ---- */

static struct connection *of_stream(struct gh_stream *stream)
{
    return (struct connection *)((char *)stream - offsetof(struct connection, stream));
}

static void free_when_done(struct gh_consume_metrics *metrics)
{
    if (metrics->closing && !metrics->open_count)
        free(metrics);
}

static void on_deadline(struct gh_timer *timer)
{
    struct connection *connection =
        (struct connection *)((char *)timer - offsetof(struct connection, deadline));
    gh_stream_close(&connection->stream);
}

static void on_read(struct gh_stream *stream, struct gh_str bytes)
{
    struct connection *connection = of_stream(stream);
    if (connection->answered)
        return;
    if (bytes.len > sizeof(connection->request) - connection->length) {
        gh_stream_close(stream);
        return;
    }
    memcpy(connection->request + connection->length, bytes.ptr, bytes.len);
    connection->length += bytes.len;
    struct gh_str request = gh_str_of(connection->request, connection->length);
    if (gh_str_find(request, GH_STR("\r\n\r\n")) < request.len)
        respond(connection);
}

static void on_eof(struct gh_stream *stream)
{
    gh_stream_close(stream);
}

static void on_drain(struct gh_stream *stream)
{
    (void)stream; /* all is sent */
}

static void on_error(struct gh_stream *stream, enum gh_err err)
{
    (void)err;
    gh_stream_close(stream);
}

static void on_closed(struct gh_stream *stream)
{
    struct connection *connection = of_stream(stream);
    struct gh_consume_metrics *metrics = connection->metrics;
    gh_timer_stop(metrics->loop, &connection->deadline);
    connection->metrics = NULL;
    metrics->open_count--;
    free_when_done(metrics);
}

static const struct gh_stream_events EVENTS = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};

static struct gh_stream *on_accept(void *owner, struct gh_listener *listener)
{
    struct gh_consume_metrics *metrics = owner;
    (void)listener;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &metrics->connections[i];
        if (connection->metrics)
            continue;
        *connection = (struct connection){.metrics = metrics};
        metrics->open_count++;
        gh_timer_start(metrics->loop, &connection->deadline, DEADLINE_MS, on_deadline);
        return &connection->stream;
    }
    return NULL;
}

static void on_accepted(void *owner, struct gh_listener *listener, struct gh_stream *stream,
                        const struct gh_ip *peer, uint16_t peer_port)
{
    (void)owner, (void)listener, (void)peer, (void)peer_port;
    gh_stream_read_start(stream);
}

static const struct gh_listener_events LISTENER_EVENTS = {
    .on_accept = on_accept,
    .on_accepted = on_accepted,
};

/* ---- Life ---- */

static enum gh_err listen_at(struct gh_consume_metrics *metrics, struct gh_str text,
                             struct gh_arena *arena, struct gh_str *out_message)
{
    struct gh_listen_address address;
    int fd;
    *out_message = GH_STR("it is no address");
    if (!gh_listen_address_parse(text, arena, &address))
        return GH_ERR_INVALID;
    enum gh_err err = gh_listen_address_check(&address, arena, out_message);
    if (err == GH_OK)
        err = gh_listen_socket_open(&address, arena, &fd, out_message);
    if (err != GH_OK)
        return err;
    *out_message = GH_STR("the listener can't be opened");
    return gh_listener_open(metrics->loop, fd, address.path != NULL, &LISTENER_EVENTS, metrics,
                            &EVENTS, &metrics->listener);
}

enum gh_err gh_consume_metrics_open(struct gh_loop *loop, struct gh_str address,
                                    struct gh_consume_worker *const *workers, size_t worker_count,
                                    struct gh_arena *arena, struct gh_consume_metrics **out_metrics,
                                    struct gh_str *out_message)
{
    struct gh_consume_metrics *metrics = calloc(1, sizeof(*metrics));
    *out_message = GH_STR("out of memory");
    if (!metrics)
        return GH_ERR_MEMORY;
    metrics->loop = loop;
    metrics->workers = workers;
    metrics->worker_count = worker_count;
    enum gh_err err = listen_at(metrics, address, arena, out_message);
    if (err == GH_OK)
        *out_metrics = metrics;
    else
        free(metrics);
    return err;
}

void gh_consume_metrics_close(struct gh_consume_metrics *metrics)
{
    if (!metrics)
        return;
    metrics->closing = true;
    gh_listener_close(metrics->listener);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (metrics->connections[i].metrics)
            gh_stream_close(&metrics->connections[i].stream);
    free_when_done(metrics);
}
