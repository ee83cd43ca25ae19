/*
 * A worker: one thread with one event loop, and everything that its connections share. No other
 * thread touches what hangs below a worker; the server talks to it through gh_loop_post.
 */
#ifndef GH_GATEWAY_WORKER_H
#define GH_GATEWAY_WORKER_H

#include "audit/tally.h"
#include "gateway/body_budget.h"
#include "gateway/client_count.h"
#include "gateway/counters.h"
#include "gateway/snapshot.h"
#include "obs/log.h"
#include "policy/request.h"

struct gh_connection;
struct gh_exchange;
struct gh_h2_slots;
struct gh_service;

/* Who gives each worker its port to shared limits. `open` comes before the worker's thread runs,
   `close` on that thread, after its last request. */
struct gh_shared_limits_host {
    void *context;
    enum gh_err (*open)(void *context, unsigned worker, struct gh_loop *loop,
                        struct gh_limit_shared **out_port);
    void (*close)(void *context, unsigned worker);
};

/* What all workers share; owned by the server. */
struct gh_shared {
    struct gh_metrics *metrics;
    struct gh_counters counters;
    struct gh_limit_table *limits;
    const struct gh_shared_limits_host *limits_host; /* NULL: limits are this process's own */
    struct gh_sanctions *sanctions;                  /* NULL: there never are any */
    struct gh_client_count *clients;
    uint64_t connections_max;              /* of each worker */
    struct gh_body_budget held_bodies;     /* owns its count of clients */
    struct gh_body_budget kept_answers;    /* the same, of answers to clients of HTTP/2 */
    struct gh_client_count *judged_bodies; /* those that come in pieces; NULL: nobody counts */
    struct gh_hash_key hash_key;
    /* Both NULL: identity is off. */
    struct gh_service *service;
    const struct gh_revocations *revocations;
    struct gh_tally *const *tallies; /* by worker; NULL: nothing is audited */
};

/* A snapshot and the rules of tokens as one worker uses them: requests count here without touching
   shared memory, and see one pair of them from beginning to end. */
struct gh_pin {
    struct gh_snapshot *snapshot;
    struct gh_gate_version *gate; /* NULL: none yet */
    size_t users;                 /* exchanges, and 1 while it is the worker's current one */
};

/* One listening address on this worker. */
struct gh_listen_slot {
    struct gh_listen_slot *next;
    struct gh_worker *worker;
    struct gh_listener *listener;
    struct gh_str text; /* own copy */
    struct gh_tls_server *tls;
    bool proxy_protocol, admin, refuse_plain, h2c;
    size_t connections; /* a closed slot is freed with its last connection */
    bool closed;
};

#define GH_WORKER_RANDOM_BYTES 4096

struct gh_worker {
    unsigned index;
    struct gh_shared *shared;
    struct gh_loop *loop;
    struct gh_upstreams *upstreams;
    struct gh_h2_slots *http2_slots;
    struct gh_log_ring *log;
    struct gh_pin *pin; /* the current snapshot */
    struct gh_listen_slot *listen_slots;

    struct gh_connection *connections; /* all open ones, a list */
    size_t connection_count;
    size_t stream_count;                /* of HTTP/2, open now */
    struct gh_exchange *free_exchanges; /* with their arenas' first blocks */
    size_t free_exchange_count;
    struct gh_connection *turn_list; /* with something to do at the end of this turn */
    struct gh_loop_task turn_again;  /* has the loop not wait before the next turn */

    struct gh_limit_shared *shared_limits; /* NULL: limits are this process's own */

    struct gh_gate *gate;   /* NULL: identity is off */
    struct gh_tally *tally; /* of what the audit log is told; NULL as well */
    struct gh_gate_counts gate_counted;
    struct gh_timer session_timer;
    uint64_t revocations_seen; /* their version when streams were last looked at */
    size_t service_calls;      /* on their way; the worker ends after them */

    uint64_t http2_warning_ms; /* from when on a failure of HTTP/2 is logged again */
    unsigned http2_unsaid;     /* those since the last line */

    bool draining;
    struct gh_timer drain_timer;
    void (*on_drained)(struct gh_worker *worker); /* the last connection has gone */

    uint8_t random[GH_WORKER_RANDOM_BYTES]; /* from the kernel, used once */
    size_t random_left;
    /* The wall clock of a millisecond of the loop, and gh_loop_now_us() then. */
    uint64_t wall_ms, wall_us, wall_loop_us;
    uint64_t date_second;
    char date[32];     /* IMF-fixdate of date_second */
    char log_date[20]; /* the same second as "2026-01-31T23:59:59" */
    size_t date_len, log_date_len;
};

/* Opens loop, pools and log ring. The thread is the server's. */
GH_MUST_USE enum gh_err gh_worker_open(struct gh_worker *worker, unsigned index,
                                       struct gh_shared *shared, struct gh_log *log);
/* After the loop has ended. */
void gh_worker_close(struct gh_worker *worker);

/* Makes `snapshot` (a reference is taken over) the one that new requests begin under. */
GH_MUST_USE enum gh_err gh_worker_adopt(struct gh_worker *worker, struct gh_snapshot *snapshot);
/* The same for what tokens are judged by, the snapshot staying. */
GH_MUST_USE enum gh_err gh_worker_adopt_gate(struct gh_worker *worker,
                                             struct gh_gate_version *version);
struct gh_pin *gh_worker_pin(struct gh_worker *worker);
void gh_worker_unpin(struct gh_worker *worker, struct gh_pin *pin);

/* Starts to listen on `fd` (taken over). */
GH_MUST_USE enum gh_err gh_worker_listen(struct gh_worker *worker,
                                         const struct gh_listen_settings *settings, int fd);
/* The slot of a listening address, or NULL. */
struct gh_listen_slot *gh_worker_find_listen(struct gh_worker *worker, struct gh_str text);
void gh_worker_stop_listening(struct gh_worker *worker, struct gh_listen_slot *slot);
void gh_listen_slot_release(struct gh_listen_slot *slot);

/* Closes listeners and idle connections; answers under way say "Connection: close". At
   `deadline_ms` of the loop's clock the rest is cut. */
void gh_worker_drain(struct gh_worker *worker, uint64_t deadline_ms);
/* Called by connections when they have gone. */
void gh_worker_connection_gone(struct gh_worker *worker);
/* A call of the service has come back. */
void gh_worker_service_call_gone(struct gh_worker *worker);

/* Reads are small while there is little room for answers that are kept: one read of each may come
   over it. Called when some is taken, and in each turn. */
void gh_worker_pace_reads(struct gh_worker *worker);

/* There is work left that others shall not wait for: the next turn begins at once. */
void gh_worker_turn_again(struct gh_worker *worker);

/* 16 fresh random bytes. */
void gh_worker_random(struct gh_worker *worker, uint8_t out_bytes[16]);
/* The wall clock when gh_loop_now_us() said `loop_us`, in this turn of the loop: reading both
   clocks for each request would cost more than its route. */
uint64_t gh_worker_wall_us(struct gh_worker *worker, uint64_t loop_us);
/* The same at the beginning of this turn, or a millisecond of it, in seconds. */
uint64_t gh_worker_now_s(struct gh_worker *worker);
/* The Date field's value at `wall_us` (RFC 9110 section 5.6.7). */
struct gh_str gh_worker_date(struct gh_worker *worker, uint64_t wall_us);
/* The second of `wall_us` as logs write it, without zone: "2026-01-31T23:59:59". */
struct gh_str gh_worker_log_date(struct gh_worker *worker, uint64_t wall_us);

#endif
