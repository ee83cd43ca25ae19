/* A consumer of one stream on a thread of its own: its statements wait for the database. */
#ifndef GH_APP_CONSUME_WORKER_H
#define GH_APP_CONSUME_WORKER_H

#include "app/consume_settings.h"
#include "obs/log.h"
#include "store/stream_consumer.h"

struct gh_consume_worker;

struct gh_consume_worker_options {
    const struct gh_consume_settings *settings; /* all of these outlive the worker */
    const char *database_url;
    const struct gh_redis_url *redis;
    const char *redis_ca; /* NULL: the system's */
    struct gh_str name;   /* of the consumer in the group */
    struct gh_log *log;
    /* It has ended, after gh_consume_worker_stop. On its thread. */
    void (*ended)(void *context);
    void *context;
};

/* Starts its thread. On failure *out_message, in `arena`, says why. */
GH_MUST_USE enum gh_err gh_consume_worker_start(const struct gh_consume_worker_options *options,
                                                struct gh_arena *arena,
                                                struct gh_consume_worker **out_worker,
                                                struct gh_str *out_message);
/* Finishes what is in hand. From any thread. */
void gh_consume_worker_stop(struct gh_consume_worker *worker);
/* After `ended`: waits for the thread. NULL is fine. */
void gh_consume_worker_free(struct gh_consume_worker *worker);

/* From any thread. */
const struct gh_consume_settings *gh_consume_worker_settings(
    const struct gh_consume_worker *worker);
struct gh_stream_counts gh_consume_worker_counts(struct gh_consume_worker *worker);

#endif
