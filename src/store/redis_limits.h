/*
 * Rate limits in Redis or Valkey: the adapter of limit/shared.h for one event loop. Each question
 * is one call of one script (redis_limits.lua), which decides and charges with the server's clock;
 * questions of one turn of the loop go out together.
 *
 * It is ready once a question without limits was answered, so that a server which is there but
 * can't be written to (a replica, a full one) counts as away. Away, it is tried again by itself.
 *
 * A refusal is remembered for as long as it holds, a second at most: who is refused by what other
 * nodes have admitted costs no round trip for each try.
 *
 * Names of keys are hashed with a secret that lies in Redis: the first node proposes it, the others
 * take it over, and whoever asks brings it back when it was lost.
 */
#ifndef GH_STORE_REDIS_LIMITS_H
#define GH_STORE_REDIS_LIMITS_H

#include "limit/shared.h"
#include "obs/metrics.h"
#include "store/redis_client.h"

struct gh_redis_limits;

/* What became of questions: X(NAME, "label"). */
#define GH_REDIS_LIMITS_RESULTS(X)                                                                 \
    X(DECIDED, "decided")                                                                          \
    X(REMEMBERED, "remembered") /* not asked: refused a moment ago */                              \
    X(AWAY, "away")             /* not asked */                                                    \
    X(FULL, "queue_full")       /* not asked */                                                    \
    X(TIMEOUT, "timeout")                                                                          \
    X(LOST, "connection_lost")                                                                     \
    X(ERROR, "error")                                                                              \
    X(OTHER_SECRET, "other_secret") /* others hash with another one: taken over */

enum gh_redis_limits_result {
#define X(id, label) GH_REDIS_LIMITS_##id,
    GH_REDIS_LIMITS_RESULTS(X)
#undef X
        GH_REDIS_LIMITS_RESULT_COUNT
};

struct gh_redis_limits_slots {
    gh_metric_id results[GH_REDIS_LIMITS_RESULT_COUNT];
    gh_metric_id duration; /* of questions that were decided */
    gh_metric_id commands, writes, round_trips, connects;
};
GH_MUST_USE enum gh_err gh_redis_limits_define(struct gh_metrics *metrics,
                                               struct gh_redis_limits_slots *out_slots);

#define GH_REDIS_LIMITS_DEADLINE_MS 50

struct gh_redis_limits_options {
    const struct gh_redis_options *redis; /* its hooks are set here */
    struct gh_hash_key secret;  /* proposed where there is none; the same for all of a process */
    uint32_t deadline_ms;       /* of an answer; 0: GH_REDIS_LIMITS_DEADLINE_MS */
    struct gh_metrics *metrics; /* NULL: nobody counts */
    const struct gh_redis_limits_slots *slots;
    unsigned worker;
    /* Ready, or away and why ("timeout"). Also says so when the first attempt has failed. NULL:
       nobody is told. From the loop; never inside gh_redis_limits_open. */
    void (*on_change)(void *context, bool ready, const char *why);
    void *context;
};

/* As gh_redis_open, whose failures these are. */
GH_MUST_USE enum gh_err gh_redis_limits_open(struct gh_loop *loop,
                                             const struct gh_redis_limits_options *options,
                                             struct gh_arena *arena,
                                             struct gh_redis_limits **out_limits,
                                             struct gh_str *out_message);
/* Questions without an answer are answered inside this call, as undecided; nobody may ask any more.
   NULL is fine. */
void gh_redis_limits_close(struct gh_redis_limits *limits);

struct gh_limit_shared *gh_redis_limits_port(struct gh_redis_limits *limits);

#endif
