/*
 * One loaded configuration, frozen: what requests are judged by and where they go. Made by the
 * app's loader, shared by all workers, freed when the last request that began under it has ended.
 */
#ifndef GH_GATEWAY_SNAPSHOT_H
#define GH_GATEWAY_SNAPSHOT_H

#include <stdatomic.h>

#include "gateway/gate_version.h"
#include "gateway/input_counters.h"
#include "net/stream.h"
#include "policy/settings.h"
#include "upstream/upstream.h"

struct gh_audit_settings;
struct gh_evidence_file;
struct gh_identity_settings;

/* How much of a client's address the access log shows. */
enum gh_log_client { GH_LOG_CLIENT_PREFIX, GH_LOG_CLIENT_FULL, GH_LOG_CLIENT_NONE };

/* One listening address as configured. */
struct gh_listen_settings {
    struct gh_listen_address address;
    struct gh_str text;        /* as written: what a reload compares */
    struct gh_tls_server *tls; /* NULL: plain; a reference is held */
    bool proxy_protocol;
    bool admin;        /* admin_listen: metrics and probes only */
    bool refuse_plain; /* plain requests are refused in production, not redirected */
    bool h2c;          /* plain: HTTP/2 by prior knowledge, beside HTTP/1.1 */
};

struct gh_snapshot {
    atomic_uint references;
    struct gh_arena arena; /* everything below lives here */
    const struct gh_policy *policy;
    struct gh_upstream_group **groups; /* by request->upstream; a reference each */
    size_t group_count;
    struct gh_listen_settings *listens;
    size_t listen_count;
    enum gh_log_client log_client;
    struct gh_input_counters input; /* set by the server */
    /* Of identity, lent to each call of the service; NULL: identity is off. */
    const struct gh_identity_settings *identity;
    const struct gh_audit_settings *audit; /* lent to the thread of the log; NULL with identity */
    bool plain_cookies;                    /* as in the policy's gh_policy_identity */
    /* What tokens are judged by from its first request on (a reference); NULL: as until now. Needed
       where the roles change, whose bits policy and rules must read alike. */
    struct gh_gate_version *gate;
    const struct gh_evidence_file *evidence; /* for the thread that writes it; NULL: none */
    uint64_t generation;                     /* 1, 2, ... by loads */
};

/* A snapshot with one reference and an empty arena; NULL without memory. */
struct gh_snapshot *gh_snapshot_new(void);
void gh_snapshot_ref(struct gh_snapshot *snapshot);
/* Frees it with its groups and TLS contexts when it was the last reference. */
void gh_snapshot_unref(struct gh_snapshot *snapshot);
/* False while an upstream has no server that may be up (for /readyz). */
bool gh_snapshot_is_ready(const struct gh_snapshot *snapshot);

#endif
