/*
 * Sessions that end, told between the nodes through Redis: a thread with a loop of its own, so that
 * neither a request nor a reload holds up what is heard, and nobody who ends a session waits.
 *
 * It only makes a logout count sooner. The store is read as often as without it (identity_watch.c):
 * what was never published is found there alone, and only the store says that nothing is missing.
 */
#ifndef GH_APP_SHARED_REVOCATIONS_H
#define GH_APP_SHARED_REVOCATIONS_H

#include "app/redis_settings.h"
#include "crypto/hash.h"
#include "obs/log.h"
#include "obs/metrics.h"
#include "session/revocation.h"
#include "session/subject.h"

struct gh_shared_revocations;

struct gh_shared_revocations_options {
    struct gh_log *log;
    struct gh_metrics *metrics;
    unsigned row; /* of metrics; others may count there, too, but not these */
};

/* `url` and `settings` as gh_redis_settings_resolve and the file have them; copied. Does nothing
   yet. NULL without memory. */
struct gh_shared_revocations *gh_shared_revocations_new(
    const struct gh_shared_revocations_options *options, const struct gh_redis_url *url,
    const struct gh_redis_settings *settings);
/* When nobody uses it any more. NULL is fine. */
void gh_shared_revocations_free(struct gh_shared_revocations *shared);

struct gh_shared_revocations_host {
    uint8_t secret[GH_KEY_BYTES]; /* the same in all processes over one store, and nowhere else */
    struct gh_revocations *revocations;
    /* What was published before now may have been missed: read the store at once. From its own
       thread; must not block. */
    void (*read_back)(void *context);
    void *context;
};
/* Starts the thread; a server that is away is no failure. Defines the metrics, which are only there
   where this runs. */
GH_MUST_USE enum gh_err gh_shared_revocations_start(struct gh_shared_revocations *shared,
                                                    const struct gh_shared_revocations_host *host);
/* Ends it; what is told from now on is told to nobody. */
void gh_shared_revocations_stop(struct gh_shared_revocations *shared);

/* These have ended, and the store has them: from any thread, which does not wait. `until_s` as for
   gh_revocations_add. */
void gh_shared_revocations_publish(struct gh_shared_revocations *shared,
                                   const struct gh_id *session_ids, size_t count, uint64_t until_s);
/* After a reload: another place, or another password, is gone over to. */
void gh_shared_revocations_adopt(struct gh_shared_revocations *shared,
                                 const struct gh_redis_url *url,
                                 const struct gh_redis_settings *settings);

#endif
