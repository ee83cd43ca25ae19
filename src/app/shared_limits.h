/*
 * Rate limits that are shared through Redis, as this process uses them: a client on each worker's
 * loop, and one view of whether they are shared, kept on the control loop.
 *
 * While any worker can't reach Redis, limits are not shared and each node counts alone; that is
 * told once, and once more when all workers have been back for a second.
 */
#ifndef GH_APP_SHARED_LIMITS_H
#define GH_APP_SHARED_LIMITS_H

#include "app/redis_settings.h"
#include "gateway/worker.h"
#include "obs/log.h"

struct gh_shared_limits;

struct gh_shared_limits_options {
    unsigned worker_count;
    struct gh_loop *control;    /* the calling thread's */
    struct gh_log_ring *ring;   /* the control thread's */
    struct gh_metrics *metrics; /* with a row for the control thread behind the workers' */
    struct gh_hash_key secret;  /* random */
};

/*
 * `url` and `settings` as gh_redis_settings_resolve and the file have them; copied. A server that
 * is away is no failure. NULL without memory.
 */
struct gh_shared_limits *gh_shared_limits_new(const struct gh_shared_limits_options *options,
                                              const struct gh_redis_url *url,
                                              const struct gh_redis_settings *settings);
/* For gh_server_options. */
const struct gh_shared_limits_host *gh_shared_limits_host(const struct gh_shared_limits *shared);
/* Who is told of losing and finding Redis again, on the control thread; `what` is why ("no answer
   in time") or empty, `seconds` how long it was lost. */
void gh_shared_limits_tell(struct gh_shared_limits *shared,
                           void (*on_change)(void *context, bool is_shared, struct gh_str what,
                                             uint64_t seconds),
                           void *context);
/* After a reload: another place, or another password, is gone over to. From the control thread. */
void gh_shared_limits_adopt(struct gh_shared_limits *shared, const struct gh_redis_url *url,
                            const struct gh_redis_settings *settings);
/* When no worker runs any more, and before the control loop is closed. NULL is fine. */
void gh_shared_limits_close(struct gh_shared_limits *shared);

/*
 * Asks about one limit and waits for the answer, from any thread that may block and is no event
 * loop's. The key is made on another thread, from the secret of the time. False: nobody decided.
 */
struct gh_shared_question {
    const struct gh_limit_rule *rule;
    struct gh_hash128 (*make_key)(const void *source, struct gh_hash_key secret);
    const void *source;
};
bool gh_shared_limits_decide(struct gh_shared_limits *shared,
                             const struct gh_shared_question *question,
                             struct gh_limit_decision *out_decision);

#endif
