/*
 * What `gatehouse consume` tells over HTTP: `/metrics` for Prometheus, `/healthz` (it runs) and
 * `/readyz` (Redis and the databases are there). One answer for each connection, and few of them.
 */
#ifndef GH_APP_CONSUME_METRICS_H
#define GH_APP_CONSUME_METRICS_H

#include "app/consume_worker.h"

struct gh_consume_metrics;

/* Serves at `address` (as gh_listen_address_parse has it) on the loop's thread. The workers outlive
   it. On failure *out_message, in `arena`, says why. */
GH_MUST_USE enum gh_err gh_consume_metrics_open(struct gh_loop *loop, struct gh_str address,
                                                struct gh_consume_worker *const *workers,
                                                size_t worker_count, struct gh_arena *arena,
                                                struct gh_consume_metrics **out_metrics,
                                                struct gh_str *out_message);
/* Closes what is open; the memory goes when all is closed, on the loop. NULL is fine. */
void gh_consume_metrics_close(struct gh_consume_metrics *metrics);

#endif
