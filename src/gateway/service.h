/*
 * Requests to the identity service on their way: from a worker to a lane, where the port answers
 * them, and back. What comes back finds its exchange by a pointer that only the worker's thread
 * follows, and that is cut when the client goes: the call still completes, its answer is dropped.
 */
#ifndef GH_GATEWAY_SERVICE_H
#define GH_GATEWAY_SERVICE_H

#include "gateway/worker.h"
#include "net/lane.h"
#include "obs/metrics.h"
#include "policy/service_call.h"

/* Memory of one call at the most: the copied request, what answering it takes, the answer. */
#define GH_SERVICE_CALL_BYTES_MAX (16u * 1024 * 1024)

struct gh_service_options {
    struct gh_service_port port;
    struct gh_lane_options lanes[GH_SERVICE_LANE_COUNT];
};

/* Owned by the server, shared by all workers. */
struct gh_service {
    struct gh_service_options options;
    struct gh_lane *lanes[GH_SERVICE_LANE_COUNT];
    gh_metric_id durations[GH_SERVICE_LANE_COUNT];
};

struct gh_exchange;
struct gh_service_job;

/*
 * Calls that go on though nobody waits for them any more, of one connection: who resets its streams
 * has not had less work done. Zeroed on the heap by its owner, who gives it up with
 * gh_service_left_drop.
 */
struct gh_service_left {
    size_t calls;
    bool dropped; /* the last call frees it */
};
void gh_service_left_drop(struct gh_service_left *left);

/* Lanes are opened later, when threads may start. */
GH_MUST_USE enum gh_err gh_service_open(const struct gh_service_options *options,
                                        struct gh_metrics *metrics,
                                        struct gh_service **out_service);
GH_MUST_USE enum gh_err gh_service_start(struct gh_service *service);
/* After all workers have ended. NULL is fine. */
void gh_service_close(struct gh_service *service);

/*
 * Posts the exchange's request; gh_exchange_service_done follows on the worker's thread, unless
 * gh_service_forget comes before. GH_ERR_FULL: too many wait; GH_ERR_MEMORY.
 */
GH_MUST_USE enum gh_err gh_service_begin(struct gh_exchange *exchange,
                                         struct gh_service_job **out_job);
/* Nobody waits for the answer any more. */
void gh_service_forget(struct gh_service_job *job);
/* True: it has taken so long (30 s, more than a hook may) that its client is told to come again. */
bool gh_service_is_late(const struct gh_service_job *job);

#endif
