/* The gateway's own metrics: their slots, defined once. docs/metrics.md lists what they mean. */
#ifndef GH_GATEWAY_COUNTERS_H
#define GH_GATEWAY_COUNTERS_H

#include "http/h2_codec.h"
#include "obs/metrics.h"
#include "policy/request.h"

/* 1xx to 5xx, and requests that got no answer. */
#define GH_STATUS_CLASSES 6

/* What became of the credentials that the gate was shown. */
enum gh_gate_count { GH_GATE_HITS, GH_GATE_VERIFIED, GH_GATE_REFUSED, GH_GATE_COUNT };

struct gh_counters {
    gh_metric_id connections; /* gauge: open now */
    gh_metric_id connections_total;
    gh_metric_id connections_refused;
    gh_metric_id requests[GH_STATUS_CLASSES]; /* by class of status */
    gh_metric_id refusals[GH_REASON_COUNT];   /* answered by the gateway, by reason */
    gh_metric_id observed[GH_REASON_COUNT];   /* let pass in observe mode */
    gh_metric_id duration;            /* histogram: head read to last byte handed to the socket */
    gh_metric_id upstream_duration;   /* histogram: until the upstream's head */
    gh_metric_id bytes_in, bytes_out; /* bodies */
    gh_metric_id csp_reports;
    gh_metric_id tls_failures;
    gh_metric_id http2_connections, http2_streams; /* gauges: open now */
    gh_metric_id http2_kept_bytes;                 /* gauge */
    gh_metric_id http2_connections_total, http2_streams_total;
    gh_metric_id http2_failures[GH_H2_FAILURE_COUNT]; /* connections that ended by an error */
    gh_metric_id gate[GH_GATE_COUNT];
};

GH_MUST_USE enum gh_err gh_counters_define(struct gh_metrics *metrics,
                                           struct gh_counters *out_counters);

#endif
