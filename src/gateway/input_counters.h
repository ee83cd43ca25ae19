/* What is counted of requests and answers that a document judges (stage 14). */
#ifndef GH_GATEWAY_INPUT_COUNTERS_H
#define GH_GATEWAY_INPUT_COUNTERS_H

#include "obs/metrics.h"
#include "openapi/check.h"
#include "policy/policy.h"

struct gh_exchange;
struct gh_worker;

/* Slots by gh_input_operation.number; all NULL: no route has `input`. */
struct gh_input_counters {
    gh_metric_id *checked, *violations;               /* requests */
    gh_metric_id *answers_checked, *answers_violated; /* answers */
    gh_metric_id *rules;                              /* by rule */
};

/* For a snapshot's policy; the arrays live in `arena`. */
GH_MUST_USE enum gh_err gh_input_counters_define(struct gh_metrics *metrics,
                                                 const struct gh_policy *policy,
                                                 struct gh_arena *arena,
                                                 struct gh_input_counters *out_counters);
/* A request that is over. */
void gh_input_count(const struct gh_exchange *exchange);
/* An answer that was looked at; `report` is empty when it is as declared. */
void gh_input_count_answer(const struct gh_exchange *exchange,
                           const struct gh_input_report *report);

#endif
