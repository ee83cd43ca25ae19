/*
 * Identity as it runs in this process: its store, keys and mail, the port that the gateway calls,
 * and a keeper thread for what has to happen without a request (mail, key rotation, issuers' keys,
 * clearing away what has run out).
 */
#ifndef GH_APP_IDENTITY_HOST_H
#define GH_APP_IDENTITY_HOST_H

#include "app/root_config.h"
#include "app/secrets.h"
#include "app/shared_limits.h"
#include "app/shared_revocations.h"
#include "gateway/server.h"
#include "identity/identity.h"

struct gh_identity_host;

struct gh_identity_host_options {
    struct gh_log *log;
    struct gh_limit_table *limits;
    struct gh_shared_limits *shared_limits;           /* NULL: limits are this process's own */
    struct gh_shared_revocations *shared_revocations; /* NULL: others read the store only */
    struct gh_hash_key hash_key;
    struct gh_metrics *metrics;
    struct gh_sanctions *sanctions;
    unsigned worker_count;
};

/* Memory only, so that the server can be opened with its port. NULL without memory. */
struct gh_identity_host *gh_identity_host_new(const struct gh_identity_host_options *options);
const struct gh_service_port *gh_identity_host_port(const struct gh_identity_host *host);
struct gh_revocations *gh_identity_host_revocations(const struct gh_identity_host *host);
/* Where the workers note what the audit log is told; they outlive the server. */
struct gh_tally *const *gh_identity_host_tallies(const struct gh_identity_host *host);
/* The identity itself, for commands that run in this process; after open. */
struct gh_identity *gh_identity_host_identity(struct gh_identity_host *host);
/* Its vault, for those who replace keys. */
struct gh_vault *gh_identity_host_vault(struct gh_identity_host *host);
const struct gh_identity_keys *gh_identity_host_keys_take(struct gh_identity_host *host);
void gh_identity_host_keys_give(struct gh_identity_host *host, const struct gh_identity_keys *keys);

/*
 * Opens the store, brings its schema up, unlocks the keys, and makes what a first start needs. The
 * log names the file of the setup token while there is no admin. `secrets` is read during the call
 * only. On failure *out_message says what to do.
 */
GH_MUST_USE enum gh_err gh_identity_host_open(struct gh_identity_host *host,
                                              const struct gh_root_settings *settings,
                                              const struct gh_identity_settings *identity,
                                              const struct gh_secrets *secrets,
                                              struct gh_arena *arena, struct gh_str *out_message);
/* What tokens are judged by now, under `settings`: one reference for the caller. NULL without
   memory. */
struct gh_gate_version *gh_identity_host_gate(struct gh_identity_host *host,
                                              const struct gh_identity_settings *settings);
/* Gives the server its first keys and starts the keeper. `snapshot` holds the settings. */
GH_MUST_USE enum gh_err gh_identity_host_start(struct gh_identity_host *host,
                                               struct gh_server *server,
                                               struct gh_snapshot *snapshot);
/* After a reload: the settings of `snapshot` hold from now on. */
void gh_identity_host_adopt(struct gh_identity_host *host, struct gh_snapshot *snapshot,
                            const struct gh_config_map *rate_limits);
/* The configuration was read again, and taken up or refused: for the audit log. */
void gh_identity_host_reloaded(struct gh_identity_host *host, bool taken_up);
/* Redis was lost, or limits are shared again: for the audit log. */
void gh_identity_host_limits_changed(struct gh_identity_host *host, bool is_shared,
                                     struct gh_str what, uint64_t seconds);
/* The snapshot whose settings hold: a reference for the caller. */
struct gh_snapshot *gh_identity_host_snapshot(struct gh_identity_host *host);
/* Ends the keeper, which asks things of the server, and writes the audit log to its end; before the
   server is closed. */
void gh_identity_host_stop(struct gh_identity_host *host);
/* Closes the store; no call is under way any more. NULL is fine. */
void gh_identity_host_close(struct gh_identity_host *host);

/* A call by the operator, not by a request: now, with the keys of now (give them back). */
void gh_identity_host_call(struct gh_identity_host *host,
                           const struct gh_identity_settings *settings, struct gh_arena *arena,
                           struct gh_identity_call *out_call);

#endif
