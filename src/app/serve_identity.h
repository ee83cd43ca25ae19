/*
 * Identity in a serving process, in the order that a start needs: secrets before anything else,
 * memory before the server is opened, the store after privileges are gone, threads last.
 */
#ifndef GH_APP_SERVE_IDENTITY_H
#define GH_APP_SERVE_IDENTITY_H

#include <stdatomic.h>

#include "app/identity_host.h"
#include "app/loader.h"

struct gh_serve_identity {
    struct gh_identity_host *host; /* NULL: identity is off */
    struct gh_control *control;
    struct gh_log_ring *control_ring;
    atomic_bool replacing_keys; /* a command does */
    struct gh_secrets secrets;
    struct gh_arena arena; /* of the secrets; wiped once the store is open */
    struct gh_service_options service;
};

/*
 * Judges all secrets, also those that only the backend needs. False: *out_message; nothing may be
 * served. *out_warning: what would not do in production (empty: nothing).
 */
bool gh_serve_identity_secrets(struct gh_serve_identity *identity, const struct gh_loaded *loaded,
                               struct gh_str *out_message, struct gh_str *out_warning);
/* Before the server is opened. `cores`: for the lanes. */
GH_MUST_USE enum gh_err gh_serve_identity_new(struct gh_serve_identity *identity,
                                              const struct gh_loaded *loaded,
                                              const struct gh_identity_host_options *options,
                                              unsigned cores);
/* Opens the store; *out_message in `arena`. */
GH_MUST_USE enum gh_err gh_serve_identity_open(struct gh_serve_identity *identity,
                                               const struct gh_loaded *loaded,
                                               struct gh_arena *arena, struct gh_str *out_message);
/* Once the server runs: keys, keeper, control socket. */
GH_MUST_USE enum gh_err gh_serve_identity_start(struct gh_serve_identity *identity,
                                                const struct gh_loaded *loaded,
                                                struct gh_server *server,
                                                struct gh_snapshot *snapshot);
/* False: this configuration can't be taken up by a process that runs on `store`; *out_message says
   why. Else the loaded snapshot carries the rules of its tokens. */
bool gh_serve_identity_prepare(struct gh_serve_identity *identity, struct gh_loaded *loaded,
                               const struct gh_store_settings *store, struct gh_str *out_message);
/* Before the server is closed: nothing is asked of it any more. */
void gh_serve_identity_quiesce(struct gh_serve_identity *identity);
/* After it. */
void gh_serve_identity_close(struct gh_serve_identity *identity);

#endif
