/* What the files of the identity host share; nobody else looks inside. */
#ifndef GH_APP_IDENTITY_STATE_H
#define GH_APP_IDENTITY_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "app/audit_keeper.h"
#include "app/identity_host.h"
#include "app/quota.h"
#include "identity/session_news.h"

/* The keys of a moment; kept while somebody works with them. */
struct gh_keys_version {
    atomic_uint references;
    struct gh_arena arena;
    struct gh_identity_keys keys;
};

/* What is known of another issuer's keys. */
struct gh_issuer_state {
    struct gh_str issuer, jwks; /* own copies: the settings may change */
    struct gh_arena arena;      /* of `keys` */
    struct gh_token_key_set keys;
    bool known;
    uint64_t next_ms; /* when to ask again */
};
#define GH_ISSUERS_MAX 8

/* Where several processes share the store: what each of them has ended is known to all within a
   second (SPEC section 3, stage 12); who has not heard of it for longer lets nobody in. */
#define GH_REVOCATIONS_AGE_MAX_MS 1000
/* How far their clocks may be apart, either way. */
#define GH_CLOCKS_APART_S 10

struct gh_identity_host {
    struct gh_identity_host_options options;
    struct gh_revocations *revocations;
    struct gh_session_news news; /* of the starting thread, then of the watch */
    struct gh_service_port port;
    struct gh_api api;
    struct gh_arena api_arena; /* of what requests to it are judged by */
    struct gh_identity identity;
    struct gh_vault *vault;
    struct gh_audit_keeper *audit;
    struct gh_server *server;
    char *setup_path;         /* of the setup token's file; NULL: there is no place for one */
    uint64_t setup_at_us;     /* when to renew it; the starting thread's, then the keeper's */
    bool setup_waits;         /* that file is there, for the first admin; as setup_at_us */
    struct gh_log_ring *ring; /* of the keeper; of the starting thread until it runs */

    pthread_mutex_t lock; /* guards the rest */
    struct gh_keys_version *keys;
    struct gh_quota_rules quotas;
    struct gh_snapshot *snapshot; /* a reference; its identity settings hold */
    pthread_cond_t woken;
    bool look;        /* the keeper shall look at once */
    atomic_bool stop; /* set under the lock; ends transfers, too */

    pthread_mutex_t loading; /* held while keys are read and made the current ones, or published;
                                taken before `lock` */
    pthread_t thread;
    bool running;
    pthread_t watch; /* identity_watch.c; only where the store is shared */
    bool watching;
    pthread_cond_t watch_woken;
    bool read_back; /* the watch shall read the store at once; under the lock */
    struct gh_log_ring *watch_ring;
    char *root_files[GH_SECRET_ROOTS_MAX]; /* references to roots, for the watch; NULL: no more */
    atomic_uint_fast64_t news_ms; /* when the last reading that succeeded began; 0: never */
    /* The keeper's; changed and read by others under the lock. */
    struct gh_issuer_state issuers[GH_ISSUERS_MAX];
    size_t issuer_count;
    uint64_t epoch; /* of gate rules; under the lock */
};

/* Loads (and rotates) the keys and makes them the current ones; *out_changed: they are others. */
GH_MUST_USE enum gh_err gh_identity_host_load_keys(struct gh_identity_host *host,
                                                   const struct gh_identity_settings *settings,
                                                   bool *out_changed);
/* Tells the workers what tokens are judged by from now on. False: no memory, nothing changed. */
bool gh_identity_host_publish(struct gh_identity_host *host,
                              const struct gh_identity_settings *settings);
/* The keeper's thread. */
void *gh_identity_keeper(void *host);
/* The thread that follows what other processes do to the store; none where there are no others. */
GH_MUST_USE enum gh_err gh_identity_watch_start(struct gh_identity_host *host);
/* Sessions that others ended may have been missed: they are read at once. From any thread. */
void gh_identity_watch_read_back(void *host);
/* Once host->stop is set. */
void gh_identity_watch_stop(struct gh_identity_host *host);
/* Writes a new setup token while there is no admin, removes its file when there is one. */
void gh_identity_setup_token(struct gh_identity_host *host,
                             const struct gh_identity_settings *settings);
/* The file waits for a first admin who is there by now: then it goes with gh_identity_setup_token.
   `arena` is scratch. */
bool gh_identity_setup_is_over(struct gh_identity_host *host, struct gh_arena *arena);

#endif
