/* What the files of the identity host share; nobody else looks inside. */
#ifndef GH_APP_IDENTITY_STATE_H
#define GH_APP_IDENTITY_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "app/audit_keeper.h"
#include "app/identity_host.h"
#include "app/quota.h"

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

struct gh_identity_host {
    struct gh_identity_host_options options;
    struct gh_revocations *revocations;
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

    pthread_t thread;
    bool running;
    /* The keeper's; changed and read by others under the lock. */
    struct gh_issuer_state issuers[GH_ISSUERS_MAX];
    size_t issuer_count;
    uint64_t epoch; /* of gate rules; under the lock */
};

/* Loads (and rotates) the keys and makes them the current ones; *out_changed: they are others. */
GH_MUST_USE enum gh_err gh_identity_host_load_keys(struct gh_identity_host *host,
                                                   const struct gh_identity_settings *settings,
                                                   bool *out_changed);
/* Tells the workers what tokens are judged by from now on. */
void gh_identity_host_publish(struct gh_identity_host *host,
                              const struct gh_identity_settings *settings);
/* The keeper's thread. */
void *gh_identity_keeper(void *host);
/* Writes a new setup token while there is no admin, removes its file when there is one. */
void gh_identity_setup_token(struct gh_identity_host *host,
                             const struct gh_identity_settings *settings);
/* The file waits for a first admin who is there by now: then it goes with gh_identity_setup_token.
   `arena` is scratch. */
bool gh_identity_setup_is_over(struct gh_identity_host *host, struct gh_arena *arena);

#endif
