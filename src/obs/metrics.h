/*
 * Metrics in Prometheus' text form. Counters are plain per-worker slots (no shared cache line is
 * written on the hot path); a scrape sums them. Label sets are bounded by construction: labels come
 * from tables in the code or from the configuration, never from a request.
 *
 * A family is one metric name with one label dimension whose values are known when it is defined
 * (none, a fixed list, or a list that grows with the configuration up to a cap).
 */
#ifndef GH_OBS_METRICS_H
#define GH_OBS_METRICS_H

#include <stdio.h>

#include "base/err.h"
#include "base/str.h"

enum gh_metric_kind { GH_METRIC_COUNTER, GH_METRIC_GAUGE, GH_METRIC_HISTOGRAM };

struct gh_metrics;

/* A slot to count in: `gh_metric_add(metrics, worker, slots[label_index], 1)`. */
typedef uint32_t gh_metric_id;

/* Cells over all families (a counter takes one, a histogram 20), and workers. */
#define GH_METRICS_SLOTS_MAX   16384
#define GH_METRICS_WORKERS_MAX 256
/* Label values of one family, "other" not counted. */
#define GH_METRICS_LABELS_MAX  256
#define GH_METRICS_SOURCES_MAX 16

/* `worker_count` rows of slots, 1 to GH_METRICS_WORKERS_MAX. Memory is touched as it is used. */
GH_MUST_USE enum gh_err gh_metrics_open(unsigned worker_count, struct gh_metrics **out_metrics);
void gh_metrics_close(struct gh_metrics *metrics);

/*
 * Defines a family, or finds the one of that name (so that a reload defines again and keeps its
 * values; new label values are appended under the cap, over it they share the last slot, named
 * "other"). `label_name` NULL: no labels. Not on the hot path; takes a lock.
 * `out_slots` is an array: one slot per label value (one when there are no labels).
 * GH_ERR_INVALID: the name is in use for another kind or label. GH_ERR_FULL: no room for another
 * family. `name` and `label_name` must be literals or live as long as `metrics`; others are copied.
 */
GH_MUST_USE enum gh_err gh_metrics_define(struct gh_metrics *metrics, enum gh_metric_kind kind,
                                          const char *name, const char *help,
                                          const char *label_name, const struct gh_str *labels,
                                          size_t label_count, gh_metric_id *out_slots);

/* From the worker's own thread. Counters only grow. */
void gh_metric_add(struct gh_metrics *metrics, unsigned worker, gh_metric_id slot, uint64_t amount);
/* A gauge: any worker may add and subtract; the sum over workers is its value. */
void gh_metric_gauge_add(struct gh_metrics *metrics, unsigned worker, gh_metric_id slot,
                         int64_t amount);
/* A histogram of seconds, observed in microseconds; buckets 100 us to 60 s. */
void gh_metric_observe_us(struct gh_metrics *metrics, unsigned worker, gh_metric_id slot,
                          uint64_t microseconds);

/* Writes all families in Prometheus' text exposition format 0.0.4. */
void gh_metrics_write(struct gh_metrics *metrics, FILE *out);
/* A callback that writes further families at each scrape (process memory, upstream health). */
typedef void gh_metrics_source(void *context, FILE *out);
/* At most GH_METRICS_SOURCES_MAX; no lock is held while it runs. */
void gh_metrics_add_source(struct gh_metrics *metrics, gh_metrics_source *source, void *context);

#endif
