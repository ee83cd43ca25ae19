/*
 * The audit log's own thread. Ten times a second it takes what the workers have counted, writes
 * what is due, looks at new records (rules for anomalies, metrics), signs checkpoints, drops what
 * is too old. What can't be written is kept, bounded and counted, until it can.
 */
#ifndef GH_APP_AUDIT_KEEPER_H
#define GH_APP_AUDIT_KEEPER_H

#include "app/audit_settings.h"
#include "audit/tally.h"
#include "gateway/snapshot.h"
#include "identity/identity.h"
#include "limit/sanction.h"
#include "obs/log.h"
#include "obs/metrics.h"

struct gh_audit_keeper;

struct gh_audit_keeper_options {
    unsigned worker_count;
    struct gh_log *log;
    struct gh_metrics *metrics;
    struct gh_sanctions *sanctions; /* what the rules put; outlives the keeper */
    struct gh_hash_key hash_key;
    /* The snapshot whose settings hold: a reference for the caller. */
    struct gh_snapshot *(*snapshot)(void *context);
    void *context;
};

/* Memory only. NULL without it. */
struct gh_audit_keeper *gh_audit_keeper_new(const struct gh_audit_keeper_options *options);
/* One for each worker; they live as long as the keeper. */
struct gh_tally *const *gh_audit_keeper_tallies(const struct gh_audit_keeper *keeper);
/* Loads the signing key, making the first; *out_message says what is wrong. */
GH_MUST_USE enum gh_err gh_audit_keeper_open(struct gh_audit_keeper *keeper,
                                             const struct gh_identity *identity,
                                             struct gh_arena *arena, struct gh_str *out_message);
/* With `metrics` and `sanctions`; the snapshot is asked for from now on. */
GH_MUST_USE enum gh_err gh_audit_keeper_start(struct gh_audit_keeper *keeper);
/* What happened to the process. `metadata` has at most so many bytes and is copied. From any
   thread. */
#define GH_AUDIT_NOTICE_BYTES_MAX 256
void gh_audit_keeper_note(struct gh_audit_keeper *keeper, enum gh_audit_event event,
                          enum gh_audit_outcome outcome, struct gh_str metadata);
/* The configuration was read again: taken up, or refused. From any thread. */
void gh_audit_keeper_reloaded(struct gh_audit_keeper *keeper, bool taken_up);
/* Writes all that is there, signs it, delivers it, and ends the thread. Nobody notes any more. */
void gh_audit_keeper_stop(struct gh_audit_keeper *keeper);
void gh_audit_keeper_free(struct gh_audit_keeper *keeper); /* NULL is fine */

#endif
