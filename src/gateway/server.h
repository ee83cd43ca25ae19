/*
 * The server: workers on their threads, started, reloaded, drained and ended from the control
 * thread. A reload never closes a listener whose address stays (closing one of several
 * SO_REUSEPORT sockets resets what waits in its backlog).
 */
#ifndef GH_GATEWAY_SERVER_H
#define GH_GATEWAY_SERVER_H

#include "gateway/service.h"
#include "gateway/worker.h"

struct gh_server;

struct gh_server_options {
    unsigned worker_count;
    struct gh_log *log;
    struct gh_metrics *metrics;
    struct gh_limit_table *limits;
    const struct gh_shared_limits_host *limits_host; /* NULL: not shared; outlives the server */
    struct gh_sanctions *sanctions;                  /* NULL: none; outlives the server */
    struct gh_hash_key hash_key;
    uint64_t connections_max;   /* of the process */
    size_t held_body_bytes_max; /* bodies held for stages, in all; 0: 64 MiB */
    /* Both NULL: identity is off. Revocations outlive the server, the options are copied. */
    const struct gh_service_options *service;
    const struct gh_revocations *revocations;
    struct gh_tally *const *tallies; /* one for each worker; outlive the server; NULL: no audit */
    struct gh_loop *control;         /* the loop of the calling thread */
    void (*on_ended)(void *owner);   /* on the control loop, when the last worker has ended */
    void *owner;
};

/*
 * Opens the listening sockets of `snapshot` (a reference is taken over). No thread runs yet, so
 * that privileges can be dropped in between. On failure *out_message says what to do.
 */
GH_MUST_USE enum gh_err gh_server_open(const struct gh_server_options *options,
                                       struct gh_snapshot *snapshot, struct gh_arena *arena,
                                       struct gh_server **out_server, struct gh_str *out_message);
/* Starts the lanes and the worker threads. These wait, so that rights can be given up by all
   threads at once before the first connection is taken. */
GH_MUST_USE enum gh_err gh_server_start(struct gh_server *server);
/* Lets them begin. */
void gh_server_answer(struct gh_server *server);

/*
 * Makes `snapshot` (a reference is taken over) current on all workers: new listeners are opened
 * first; if one fails nothing changes and *out_message says why.
 */
GH_MUST_USE enum gh_err gh_server_reload(struct gh_server *server, struct gh_snapshot *snapshot,
                                         struct gh_arena *arena, struct gh_str *out_message);
/*
 * Makes `version` (a reference is taken over) what new requests' tokens are judged by, on all
 * workers. From any thread, also before the start; the server is not to be closed meanwhile.
 */
void gh_server_set_gate_rules(struct gh_server *server, struct gh_gate_version *version);
/* Stops accepting, lets requests finish until `deadline_ms` of the control loop's clock (all loops
   read the same), then cuts; on_ended follows. */
void gh_server_drain(struct gh_server *server, uint64_t deadline_ms);
/* After on_ended (or instead of start): joins the threads and frees all. */
void gh_server_close(struct gh_server *server);

#endif
