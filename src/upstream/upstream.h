/*
 * Upstreams: pools of backend servers, and the client side of HTTP/1.1.
 *
 * Per worker there is one `struct gh_upstreams` with keep-alive connections to each server. A call
 * is one request on its way: it picks a server, takes or opens a connection, sends the head it was
 * given, and reports the answer. All bytes of the answer are checked by http/h1_head and h1_body;
 * whatever is malformed or can be read two ways ends in GH_UPSTREAM_BAD_RESPONSE.
 */
#ifndef GH_UPSTREAM_UPSTREAM_H
#define GH_UPSTREAM_UPSTREAM_H

#include "config/config.h"
#include "http/h1_body.h"
#include "http/h1_head.h"
#include "net/loop.h"
#include "net/stream.h"
#include "obs/metrics.h"

enum gh_upstream_balance { GH_BALANCE_LEAST_REQUESTS, GH_BALANCE_ROUND_ROBIN };

/* As bound from the file by gh_upstream_table. */
struct gh_upstream_settings {
    struct gh_config_list servers; /* of struct gh_str: http://h:p, https://h:p, unix:/path */
    enum gh_upstream_balance balance;
    struct {
        struct gh_str path; /* empty: no active checks */
        uint64_t interval_ms, timeout_ms;
        uint64_t fails, passes; /* in a row until down, until up */
    } health;
    struct {
        uint64_t connect_ms, response_ms, idle_ms;
    } timeouts;
    uint64_t connections_max; /* per server and worker; 0: no bound */
    struct gh_str ca;         /* path of a CA bundle; empty: the system's */
};
extern const struct gh_config_table gh_upstream_table;

/* Most servers of one upstream, and of all together. */
#define GH_UPSTREAM_SERVERS_MAX     64
#define GH_UPSTREAM_ALL_SERVERS_MAX 1024

/* What is wrong with one entry of `servers`, in words for the operator; NULL: nothing. */
const char *gh_upstream_server_problem(struct gh_str url);

/* What is shared by all workers about one upstream's servers: health, addresses. Kept over reloads
   when the upstream's servers and health settings did not change. */
struct gh_upstream_group;
struct gh_upstream_groups; /* all of them, with the prober; owned by the app */

/* `metrics` may be NULL; else gh_upstream_groups_write_metrics becomes a source of it, so that no
   scrape may follow gh_upstream_groups_close. */
GH_MUST_USE enum gh_err gh_upstream_groups_open(struct gh_loop *prober_loop,
                                                struct gh_metrics *metrics,
                                                struct gh_upstream_groups **out_groups);
/* On the prober's thread, before its loop is stopped; groups still counted stay usable. */
void gh_upstream_groups_close(struct gh_upstream_groups *groups);
/*
 * The group for settings, made or found again (counted; give back with unref). Resolves names.
 * On failure *out_message (in `arena`) says what is wrong. Called off the worker loops, on the
 * prober's thread. Names are resolved again every 30 s by a thread of their own.
 */
GH_MUST_USE enum gh_err gh_upstream_group_get(struct gh_upstream_groups *groups, struct gh_str name,
                                              const struct gh_upstream_settings *settings,
                                              struct gh_arena *arena,
                                              struct gh_upstream_group **out_group,
                                              struct gh_str *out_message);
/* From any thread. */
void gh_upstream_group_unref(struct gh_upstream_group *group);
/* True when at least one server is not known to be down (readiness). */
bool gh_upstream_group_is_up(const struct gh_upstream_group *group);

/* The pools of one worker; pools are made when a group is first used and dropped when their group
   is gone. */
struct gh_upstreams;
GH_MUST_USE enum gh_err gh_upstreams_open(struct gh_loop *loop, unsigned worker,
                                          struct gh_upstreams **out_upstreams);
/* Closes idle connections; calls under way must have ended. */
void gh_upstreams_close(struct gh_upstreams *upstreams);
/* Drops pools whose group no snapshot uses any more (call after a reload). */
void gh_upstreams_sweep(struct gh_upstreams *upstreams);

enum gh_upstream_failure {
    GH_UPSTREAM_BAD_RESPONSE, /* malformed, ambiguous, or cut before its head: 502 */
    GH_UPSTREAM_UNREACHABLE,  /* refused, reset before an answer, TLS failure: 502 */
    GH_UPSTREAM_NO_SERVER,    /* none healthy: 503 */
    GH_UPSTREAM_BUSY,         /* connections_max reached: 503 */
    GH_UPSTREAM_TIMEOUT,      /* connect or response timeout: 504 */
    GH_UPSTREAM_CUT,          /* broke off after the head: the answer can't be finished */
};

struct gh_upstream_call;
struct gh_upstream_call_events {
    /* The head was written and body bytes may follow. May be called again after a retry, but only
       when no body byte was given yet. */
    void (*on_ready)(struct gh_upstream_call *call);
    /* The final head (1xx but 101 are swallowed). Lives in the arena given at start. After 101 the
       call is a tunnel: on_body gives raw bytes, gh_upstream_call_write sends them. */
    void (*on_head)(struct gh_upstream_call *call, struct gh_response_head *head);
    /* Decoded body bytes, lent for the call. `is_last`: the answer is complete with them (they may
       be empty); the connection has gone back to its pool or is closing, and the call is over.
       Comes once for every answer, also for one without a body, and at the end of a tunnel. After
       a pause, what was read already (at most GH_STREAM_READ_BYTES) may still come. */
    void (*on_body)(struct gh_upstream_call *call, struct gh_str bytes, bool is_last);
    /* The connection takes body bytes again after a write said it was full. */
    void (*on_drain)(struct gh_upstream_call *call);
    /* The call is over. */
    void (*on_failure)(struct gh_upstream_call *call, enum gh_upstream_failure failure);
};

struct gh_upstream_connection;

/* Longest response head, most field lines in it, and most interim (1xx) answers before it. */
#define GH_UPSTREAM_HEAD_BYTES_MAX (64 * 1024)
#define GH_UPSTREAM_FIELDS_MAX     200
#define GH_UPSTREAM_INTERIM_MAX    8
#define GH_UPSTREAM_ATTEMPTS_MAX   3

struct gh_upstream_request {
    struct gh_str head; /* complete bytes of the request head, borrowed until the call is over */
    enum gh_method method;
    struct gh_str body; /* all of it, to leave in one write with the head; borrowed as the head */
    bool body_lent;     /* `body` is there during gh_upstream_call_start only */
    bool has_body;      /* body bytes will follow through gh_upstream_call_write; `body` is empty */
    bool idempotent;    /* may be sent again to another server when nothing came back */
    bool upgrade;       /* a 101 answer is allowed */
    uint64_t response_timeout_ms; /* 0: the upstream's own */
    uint64_t idle_timeout_ms;     /* between parts of the answer; 0: the upstream's own */
};

/* One request under way; memory of the owner, valid until it is over or aborted. */
struct gh_upstream_call {
    const struct gh_upstream_call_events *events;
    void *owner;
    struct gh_arena *arena;
    struct gh_upstream_group *group;
    struct gh_upstreams *upstreams;
    struct gh_upstream_request request;
    struct gh_upstream_connection *connection; /* NULL: not (or no longer) connected */
    struct gh_str server; /* host:port of the server that took it, for the log */
    unsigned attempts;
    bool request_sent; /* the whole request was handed to the connection */
    bool body_started, answered, over;
    struct gh_timer timer;
    uint64_t started_us, connected_us, head_us; /* for the log; 0: not reached */
    const char *error; /* for the log: why the last connection failed; NULL: none did */

    /* The rest is the module's own. */
    bool ended;      /* the owner has no more body bytes */
    bool ready;      /* the request's head was written to the connection there is now */
    bool body_lost;  /* body bytes came while there was no connection for them */
    bool paused;     /* by the owner */
    bool got_bytes;  /* something came back: never sent again */
    bool tunnel;     /* after 101 */
    bool keep;       /* the connection may serve another request after this answer */
    bool fresh_only; /* a kept connection failed: the next attempt opens one */
    bool trial;      /* the server was down, and this request finds out whether it still is */
    unsigned server_index, interim_count;
    unsigned address, addresses_left; /* of the server, to try in this attempt */
    uint64_t tried;                   /* servers (bits) that failed this request */
    uint64_t connect_due_ms, activity_ms;
    struct gh_h1_body body;
    char *head_bytes; /* a head that did not come in one piece */
    size_t head_len, head_cap, head_scanned;
};

/* Starts; the callbacks may run before it returns. Keep-alive connections that the server closed
   meanwhile are replaced without the owner noticing (when the request may be sent again). */
void gh_upstream_call_start(struct gh_upstream_call *call, struct gh_upstreams *upstreams,
                            struct gh_upstream_group *group,
                            const struct gh_upstream_request *request, struct gh_arena *arena,
                            const struct gh_upstream_call_events *events, void *owner);
/* Bytes of the body as they shall stand on the wire (the owner frames chunks), after on_ready.
   False: pause until on_drain, or the connection is gone and a callback will tell. Ignored once the
   call is over. */
bool gh_upstream_call_write(struct gh_upstream_call *call, const struct gh_str *slices,
                            size_t count);
/* The request is complete. */
void gh_upstream_call_end(struct gh_upstream_call *call);
/* Stops and starts reading the answer (back-pressure from the client). */
void gh_upstream_call_pause(struct gh_upstream_call *call);
void gh_upstream_call_resume(struct gh_upstream_call *call);
/* Gives up: the connection is closed, no callback follows. Safe in any state, also inside
   callbacks, and after the call is over. */
void gh_upstream_call_abort(struct gh_upstream_call *call);

/* For a metrics source: one line per server, healthy or not. */
void gh_upstream_groups_write_metrics(void *groups, FILE *out);

#endif
