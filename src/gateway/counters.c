#include "gateway/counters.h"

static enum gh_err define_by_reason(struct gh_metrics *metrics, const char *name, const char *help,
                                    gh_metric_id *out_slots)
{
    struct gh_str words[GH_REASON_COUNT];
    for (unsigned i = 0; i < GH_REASON_COUNT; i++)
        words[i] = gh_reason_facts((enum gh_reason)i)->word;
    return gh_metrics_define(metrics, GH_METRIC_COUNTER, name, help, "reason", words,
                             GH_REASON_COUNT, out_slots);
}

static enum gh_err define_requests(struct gh_metrics *metrics, gh_metric_id *out_slots)
{
    static const struct gh_str CLASSES[GH_STATUS_CLASSES] = {
        GH_STR_INIT("none"), GH_STR_INIT("1xx"), GH_STR_INIT("2xx"),
        GH_STR_INIT("3xx"),  GH_STR_INIT("4xx"), GH_STR_INIT("5xx"),
    };
    return gh_metrics_define(metrics, GH_METRIC_COUNTER, "gatehouse_requests_total",
                             "Requests by class of the answer's status.", "status", CLASSES,
                             GH_STATUS_CLASSES, out_slots);
}

static enum gh_err define_gate(struct gh_metrics *metrics, gh_metric_id *out_slots)
{
    static const struct gh_str RESULTS[GH_GATE_COUNT] = {
        [GH_GATE_HITS] = GH_STR_INIT("cached"),
        [GH_GATE_VERIFIED] = GH_STR_INIT("verified"),
        [GH_GATE_REFUSED] = GH_STR_INIT("refused"),
    };
    return gh_metrics_define(metrics, GH_METRIC_COUNTER, "gatehouse_credentials_total",
                             "Access tokens shown to us: known from the cache, verified afresh, "
                             "refused.",
                             "result", RESULTS, GH_GATE_COUNT, out_slots);
}

static enum gh_err define_http2_failures(struct gh_metrics *metrics, gh_metric_id *out_slots)
{
    static const struct gh_str CODES[GH_H2_FAILURE_COUNT] = {
#define X(name, word) [GH_H2_FAILURE_##name] = GH_STR_INIT(word),
        GH_H2_FAILURES(X)
#undef X
    };
    return gh_metrics_define(metrics, GH_METRIC_COUNTER, "gatehouse_http2_errors_total",
                             "Connections of HTTP/2 that were ended for an error or a flood.",
                             "code", CODES, GH_H2_FAILURE_COUNT, out_slots);
}

enum gh_err gh_counters_define(struct gh_metrics *metrics, struct gh_counters *out_counters)
{
    const struct {
        enum gh_metric_kind kind;
        const char *name, *help;
        gh_metric_id *slot;
    } plain[] = {
        {GH_METRIC_GAUGE, "gatehouse_connections", "Client connections open now.",
         &out_counters->connections},
        {GH_METRIC_COUNTER, "gatehouse_connections_total", "Client connections accepted.",
         &out_counters->connections_total},
        {GH_METRIC_COUNTER, "gatehouse_connections_refused_total",
         "Client connections closed at once, over a cap.", &out_counters->connections_refused},
        {GH_METRIC_HISTOGRAM, "gatehouse_request_duration_seconds",
         "From the request's head to the end of the answer.", &out_counters->duration},
        {GH_METRIC_HISTOGRAM, "gatehouse_upstream_duration_seconds",
         "From the start of the upstream call to the head of its answer.",
         &out_counters->upstream_duration},
        {GH_METRIC_COUNTER, "gatehouse_request_body_bytes_total", "Decoded request body bytes.",
         &out_counters->bytes_in},
        {GH_METRIC_COUNTER, "gatehouse_response_body_bytes_total", "Response body bytes.",
         &out_counters->bytes_out},
        {GH_METRIC_COUNTER, "gatehouse_csp_reports_total", "Reports sent to the CSP endpoint.",
         &out_counters->csp_reports},
        {GH_METRIC_COUNTER, "gatehouse_tls_failures_total", "TLS handshakes that failed.",
         &out_counters->tls_failures},
        {GH_METRIC_GAUGE, "gatehouse_http2_connections",
         "Client connections open now that speak HTTP/2.", &out_counters->http2_connections},
        {GH_METRIC_COUNTER, "gatehouse_http2_connections_total",
         "Client connections that have spoken HTTP/2.", &out_counters->http2_connections_total},
        {GH_METRIC_GAUGE, "gatehouse_http2_streams", "Streams of HTTP/2 open now.",
         &out_counters->http2_streams},
        {GH_METRIC_GAUGE, "gatehouse_http2_kept_bytes",
         "Memory of answers that their clients of HTTP/2 have not taken yet.",
         &out_counters->http2_kept_bytes},
        {GH_METRIC_COUNTER, "gatehouse_http2_streams_total", "Streams of HTTP/2 begun.",
         &out_counters->http2_streams_total},
    };
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        enum gh_err err = gh_metrics_define(metrics, plain[i].kind, plain[i].name, plain[i].help,
                                            NULL, NULL, 1, plain[i].slot);
        if (err != GH_OK)
            return err;
    }
    enum gh_err err = define_requests(metrics, out_counters->requests);
    if (err == GH_OK)
        err = define_by_reason(metrics, "gatehouse_refusals_total",
                               "Requests answered by the gateway itself, by reason.",
                               out_counters->refusals);
    if (err == GH_OK)
        err = define_by_reason(metrics, "gatehouse_observed_total",
                               "Requests that a control in observe mode would have refused.",
                               out_counters->observed);
    if (err == GH_OK)
        err = define_gate(metrics, out_counters->gate);
    if (err == GH_OK)
        err = define_http2_failures(metrics, out_counters->http2_failures);
    return err;
}
