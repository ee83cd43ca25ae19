/*
 * A consumer of a Redis stream: reads entries with a consumer group, has them applied by a sink
 * (stream_sink.h), acknowledges them after the commit. Once in effect for each entry, whatever dies
 * when.
 *
 * Entries that were delivered and not acknowledged come again: its own when it starts or was cut
 * off, those of consumers that are gone when they have been idle for a while. One that the
 * statement refuses is tried again after a pause, then parked with the reason and acknowledged.
 * While the database is away nothing is read, and what was read waits.
 *
 * On a loop's thread, which waits for the database: a loop of its own.
 */
#ifndef GH_STORE_STREAM_CONSUMER_H
#define GH_STORE_STREAM_CONSUMER_H

#include "store/redis_client.h"
#include "store/stream_sink.h"

struct gh_stream_consumer;

/* What happened so far; gauges are as of the latest look, some seconds ago at most. */
struct gh_stream_counts {
    uint64_t applied;  /* entries whose statement took effect */
    uint64_t repeated; /* that had been applied before: acknowledged only */
    uint64_t parked;
    uint64_t refusals; /* tries that the statement refused */
    uint64_t claimed;  /* of consumers that were gone */
    uint64_t vanished; /* deleted from the stream before they were acknowledged */
    uint64_t batches;  /* transactions */
    uint64_t failures; /* of the database: each time that entries have to wait for it */
    uint64_t lag;      /* gauge: entries behind the group's last one; UINT64_MAX: unknown */
    uint64_t pending;  /* gauge: delivered to somebody and not acknowledged */
    bool database_is_up, redis_is_up;
};

struct gh_stream_consumer_options {
    const struct gh_redis_url *url;
    const char *redis_ca;              /* NULL: the system's */
    struct gh_str stream, group, name; /* `name`: of this consumer in the group */
    const struct gh_str *fields;       /* for $1, $2, ... */
    size_t field_count;
    size_t batch;       /* entries in a transaction; 0: 256 */
    unsigned tries_max; /* 0: 5 */
    uint64_t claim_ms;  /* entries of another consumer idle for so long are taken over; 0: 30 s;
                           longer than GH_STREAM_TRIAL_PAUSE_MAX_MS, or refused entries wander */
    uint64_t keep_ms;   /* what was applied is remembered for so long; 0: 7 days */
    struct gh_stream_sink *sink;
    /* Told in words, once each time that something changes; `is_error`. */
    void (*tell)(void *context, bool is_error, const char *text);
    /* It has ended after gh_stream_consumer_stop. */
    void (*ended)(void *context);
    void *context;
};

/* Texts, the URL and the sink outlive it. Errors as those of gh_redis_open. */
GH_MUST_USE enum gh_err gh_stream_consumer_open(struct gh_loop *loop,
                                                const struct gh_stream_consumer_options *options,
                                                struct gh_arena *arena,
                                                struct gh_stream_consumer **out_consumer,
                                                struct gh_str *out_message);
/* Ends what is in hand (applies and acknowledges it), takes no more; then `ended` is called. */
void gh_stream_consumer_stop(struct gh_stream_consumer *consumer);
/* After `ended`. NULL is fine. */
void gh_stream_consumer_free(struct gh_stream_consumer *consumer);
struct gh_stream_counts gh_stream_consumer_counts(const struct gh_stream_consumer *consumer);

#endif
