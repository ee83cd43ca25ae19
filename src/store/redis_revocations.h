/*
 * Sessions that ended, told to other processes of the same system through a channel of Redis or
 * Valkey, and heard from them. It makes a logout count elsewhere sooner, and nothing more: what is
 * published while somebody is away is lost to them, so the store is what everybody has to read, and
 * only who has read it knows that nothing is missing (session/revocation.h). Hence publishing never
 * waits, and fails without a word but in the metrics.
 *
 * Channel and MAC come from a secret of the deployment: two systems on one Redis don't hear each
 * other, and whoever has no more than Redis can say nothing that counts.
 */
#ifndef GH_STORE_REDIS_REVOCATIONS_H
#define GH_STORE_REDIS_REVOCATIONS_H

#include "obs/metrics.h"
#include "session/revocation.h"
#include "store/redis_client.h"
#include "store/redis_revocations_wire.h"

struct gh_redis_revocations;

/* Messages by what became of them: X(NAME, "label"). */
#define GH_REDIS_REVOCATIONS_RESULTS(X)                                                            \
    X(PUBLISHED, "published")                                                                      \
    X(UNPUBLISHED, "unpublished") /* Redis was away, or refused, or the queue was full */          \
    X(RECEIVED, "received")       /* and taken: also one's own */                                  \
    X(REFUSED, "refused")         /* malformed, or without the right MAC */

enum gh_redis_revocations_result {
#define X(id, label) GH_REDIS_REVOCATIONS_##id,
    GH_REDIS_REVOCATIONS_RESULTS(X)
#undef X
        GH_REDIS_REVOCATIONS_RESULT_COUNT
};

struct gh_redis_revocations_slots {
    gh_metric_id results[GH_REDIS_REVOCATIONS_RESULT_COUNT];
};
GH_MUST_USE enum gh_err gh_redis_revocations_define(struct gh_metrics *metrics,
                                                    struct gh_redis_revocations_slots *out_slots);

struct gh_redis_revocations_options {
    const struct gh_redis_options *redis; /* its hooks and channels are set here */
    const uint8_t *secret;                /* GH_KEY_BYTES, the same in all processes; copied */
    struct gh_revocations *revocations;   /* where what is heard goes */
    struct gh_metrics *metrics;           /* NULL: nobody counts */
    const struct gh_redis_revocations_slots *slots;
    unsigned worker;
    /* Listening, for the first time or again: what was published before was missed, and has to be
       read from the store. */
    void (*on_listening)(void *context);
    /* It publishes and listens, or one of them fails and why; also when the first attempt has. */
    void (*on_change)(void *context, bool up, const char *why);
    void *context; /* hooks come from the loop, never inside gh_redis_revocations_open */
};

/* As gh_redis_open, whose failures these are. */
GH_MUST_USE enum gh_err gh_redis_revocations_open(
    struct gh_loop *loop, const struct gh_redis_revocations_options *options,
    struct gh_arena *arena, struct gh_redis_revocations **out_revocations,
    struct gh_str *out_message);
/* What has no answer yet counts as unpublished. NULL is fine. */
void gh_redis_revocations_close(struct gh_redis_revocations *revocations);

/* Any number; as few messages as they fit. On the loop's thread. */
void gh_redis_revocations_publish(struct gh_redis_revocations *revocations,
                                  const struct gh_revocation_note *notes, size_t count);
/* NUL-terminated, for tests and those who give rights to it. */
const char *gh_redis_revocations_channel(const struct gh_redis_revocations *revocations);

#endif
