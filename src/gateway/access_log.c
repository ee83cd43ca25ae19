#include "gateway/access_log.h"

#include "gateway/input_counters.h"
#include "gateway/refusal.h"
#include "json/writer.h"
#include "policy/input.h"

/* Longest value of one member; what is longer is cut, not dropped. */
#define VALUE_BYTES_MAX 512

/* The beginning of each member but the first. Names are ours, so that none needs an escape. */
#define MEMBER(name) GH_STR(",\"" name "\":")

static void put_time(struct gh_buf *line, const struct gh_exchange *exchange, uint64_t duration_us)
{
    struct gh_worker *worker = exchange->worker;
    uint64_t wall_us = gh_worker_wall_us(worker, exchange->started_us + duration_us);
    char micros[6];
    for (uint64_t rest = wall_us % 1000000, i = sizeof(micros); i-- > 0; rest /= 10)
        micros[i] = (char)('0' + rest % 10);
    gh_buf_put(line, GH_STR("\"time\":\""));
    gh_buf_put(line, gh_worker_log_date(worker, wall_us));
    gh_buf_put_char(line, '.');
    gh_buf_put(line, gh_str_of(micros, sizeof(micros)));
    gh_buf_put(line, GH_STR("Z\""));
}

static void put_text(struct gh_buf *line, struct gh_str member, struct gh_str value)
{
    gh_buf_put(line, member);
    gh_json_put_string(line, gh_str_first(value, VALUE_BYTES_MAX));
}

static void put_number(struct gh_buf *line, struct gh_str member, uint64_t value)
{
    gh_buf_put(line, member);
    gh_buf_put_u64(line, value);
}

static void put_client(struct gh_buf *line, const struct gh_exchange *exchange)
{
    const struct gh_request *request = &exchange->request;
    struct gh_ip client =
        request->client.family != GH_IP_NONE ? request->client : exchange->peer->ip;
    char memory[64];
    struct gh_buf text = gh_buf_over(memory, sizeof(memory));
    switch (exchange->pin->snapshot->log_client) {
    case GH_LOG_CLIENT_NONE:
        return;
    case GH_LOG_CLIENT_PREFIX:
        client = gh_ip_mask(&client, 24, 64);
        break;
    case GH_LOG_CLIENT_FULL:
        break;
    }
    gh_ip_write(&text, &client);
    put_text(line, MEMBER("client"), gh_buf_str(&text));
}

/* The path as canonicalised, else as sent up to its query. */
static struct gh_str path_of(const struct gh_request *request)
{
    if (request->path.ptr)
        return request->path;
    if (!request->head)
        return GH_STR("");
    struct gh_str target = request->head->target;
    return gh_str_first(target, gh_str_find_char(target, '?'));
}

static struct gh_str protocol_of(const struct gh_request_head *head)
{
    if (head->version_major == 2)
        return GH_STR("HTTP/2.0");
    return head->version_minor ? GH_STR("HTTP/1.1") : GH_STR("HTTP/1.0");
}

static void put_request(struct gh_buf *line, const struct gh_exchange *exchange)
{
    const struct gh_request *request = &exchange->request;
    put_text(line, MEMBER("id"), request->request_id);
    put_client(line, exchange);
    if (request->head) {
        put_text(line, MEMBER("method"), request->head->method_text);
        put_text(line, MEMBER("host"),
                 request->authority.host.ptr ? request->authority.host : request->head->authority);
        put_text(line, MEMBER("path"), path_of(request));
        put_text(line, MEMBER("protocol"), protocol_of(request->head));
    }
    if (request->route)
        put_text(line, MEMBER("route"), request->route->pattern);
    if (request->signed_in)
        put_text(line, MEMBER("user"), request->subject.id);
    if (request->input && request->input->operation)
        put_text(line, MEMBER("operation"), request->input->operation->label);
}

/* The first rule that was broken, and where: never what stood there. */
static void put_violation(struct gh_buf *line, const struct gh_input *input)
{
    const struct gh_input_report *report = &input->checked.report;
    if (!report->count)
        return;
    put_text(line, MEMBER("location"), gh_input_part_name(report->violations[0].part));
    put_text(line, MEMBER("rule"), report->violations[0].rule);
    put_number(line, MEMBER("violations"), report->count);
}

static void put_observed(struct gh_buf *line, const struct gh_request *request)
{
    if (request->observed_count == 0)
        return;
    gh_buf_put(line, MEMBER("observed"));
    gh_buf_put_char(line, '[');
    for (size_t i = 0; i < request->observed_count; i++) {
        if (i)
            gh_buf_put_char(line, ',');
        gh_json_put_string(line, gh_reason_facts(request->observed_reason[i])->word);
    }
    gh_buf_put_char(line, ']');
}

static void put_outcome(struct gh_buf *line, const struct gh_exchange *exchange,
                        uint64_t duration_us)
{
    const struct gh_upstream_call *call = &exchange->call;
    put_number(line, MEMBER("status"), exchange->status);
    put_number(line, MEMBER("bytes_in"), exchange->body_bytes_in);
    put_number(line, MEMBER("bytes_out"), exchange->body_bytes_out);
    put_number(line, MEMBER("duration_us"), duration_us);
    if (call->server.len) {
        put_text(line, MEMBER("upstream"), call->server);
        if (call->head_us >= call->started_us && call->started_us)
            put_number(line, MEMBER("upstream_us"), call->head_us - call->started_us);
        if (call->attempts > 1)
            put_number(line, MEMBER("attempts"), call->attempts);
        if (call->error)
            put_text(line, MEMBER("upstream_error"), gh_str_from_c(call->error));
    }
    if (exchange->reason != GH_REASON_UNDECIDED) {
        put_text(line, MEMBER("stage"), gh_stage_name(exchange->stage));
        /* Told apart from a request that came with a revoked token. */
        put_text(line, MEMBER("reason"),
                 exchange->session_revoked ? GH_STR("session_revoked")
                                           : gh_reason_facts(exchange->reason)->word);
    }
    put_observed(line, &exchange->request);
    if (exchange->request.input)
        put_violation(line, exchange->request.input);
}

static void count(const struct gh_exchange *exchange, uint64_t duration_us)
{
    const struct gh_shared *shared = exchange->worker->shared;
    const struct gh_counters *counters = &shared->counters;
    unsigned worker = exchange->worker->index;
    unsigned class = exchange->status / 100;
    gh_metric_add(shared->metrics, worker,
                  counters->requests[class < GH_STATUS_CLASSES ? class : 0], 1);
    gh_metric_observe_us(shared->metrics, worker, counters->duration, duration_us);
    if (exchange->reason != GH_REASON_UNDECIDED && exchange->reason != GH_REASON_BUILT_IN)
        gh_metric_add(shared->metrics, worker, counters->refusals[exchange->reason], 1);
    for (size_t i = 0; i < exchange->request.observed_count; i++) {
        gh_metric_add(shared->metrics, worker,
                      counters->observed[exchange->request.observed_reason[i]], 1);
    }
    if (exchange->request.input)
        gh_input_count(exchange);
    if (exchange->body_bytes_in)
        gh_metric_add(shared->metrics, worker, counters->bytes_in, exchange->body_bytes_in);
    if (exchange->body_bytes_out)
        gh_metric_add(shared->metrics, worker, counters->bytes_out, exchange->body_bytes_out);
}

/* Escapes made the line too long: what is needed to find the request, without its text. */
static void write_short(struct gh_buf *line, const struct gh_exchange *exchange,
                        uint64_t duration_us)
{
    *line = gh_buf_over(line->ptr, line->cap);
    gh_buf_put_char(line, '{');
    put_time(line, exchange, duration_us);
    put_text(line, MEMBER("id"), exchange->request.request_id);
    put_client(line, exchange);
    gh_buf_put(line, GH_STR(",\"cut\":true"));
    put_outcome(line, exchange, duration_us);
    gh_buf_put_char(line, '}');
}

void gh_access_log(struct gh_exchange *exchange)
{
    char memory[GH_LOG_LINE_BYTES_MAX] __attribute__((uninitialized)); /* wiping it costs more */
    struct gh_buf line = gh_buf_over(memory, sizeof(memory));
    uint64_t duration_us = gh_loop_now_us(exchange->worker->loop) - exchange->started_us;

    gh_buf_put_char(&line, '{');
    put_time(&line, exchange, duration_us);
    put_request(&line, exchange);
    put_outcome(&line, exchange, duration_us);
    gh_buf_put_char(&line, '}');
    if (line.overflow)
        write_short(&line, exchange, duration_us);
    count(exchange, duration_us);
    gh_refusal_note(exchange);
    gh_log_line(exchange->worker->log, gh_buf_str(&line));
}
