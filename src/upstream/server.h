/*
 * One server of an upstream as all workers share it: where it is, and whether it is up. Kept over
 * reloads while some group, pool or check refers to it.
 *
 * Two things can say that a server is down: the prober's checks, and failed connections (three in a
 * row; then a back-off of 1 s, doubled up to 30 s, after each of which one request may try it).
 */
#ifndef GH_UPSTREAM_SERVER_H
#define GH_UPSTREAM_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "upstream/server_url.h"
#include "upstream/upstream.h"

#define GH_SERVER_ADDRESSES_MAX  8
#define GH_SERVER_FAILURES_MAX   3
#define GH_SERVER_BACKOFF_MS_MIN 1000
#define GH_SERVER_BACKOFF_MS_MAX 30000

struct gh_server {
    struct gh_upstream_groups *groups;
    unsigned slot;           /* its index in every worker's table of pools */
    unsigned refs;           /* under the lock of `groups` */
    atomic_uint group_count; /* groups that use it now; 0: it is only being wound up */
    struct gh_arena arena;   /* of the texts */
    struct gh_server_url url;
    struct gh_upstream_settings settings; /* health and ca; other members are not set */
    struct gh_str upstream_name;
    struct gh_tls_client *tls; /* NULL: plain */
    bool probing;              /* the prober's thread only */

    pthread_mutex_t address_lock; /* guards the next two; held to copy them, never longer */
    struct gh_ip addresses[GH_SERVER_ADDRESSES_MAX];
    unsigned address_count;
    atomic_uint preferred; /* index of the address that answered last */

    atomic_bool probe_down;
    atomic_uint failures, backoff_ms;
    _Atomic uint64_t down_until_ms; /* 0: connections succeed */
};

enum gh_server_state {
    GH_SERVER_DOWN,
    GH_SERVER_TRIAL, /* down by failed connections, and the back-off has passed */
    GH_SERVER_UP,
};

GH_MUST_USE enum gh_err gh_server_init(struct gh_server *server, struct gh_str upstream_name,
                                       struct gh_str url,
                                       const struct gh_upstream_settings *settings,
                                       struct gh_arena *arena, struct gh_str *out_message);
void gh_server_done(struct gh_server *server);

/* Looks the name up and takes over its addresses; blocks. Returns getaddrinfo's error, 0 for none;
   on failure the addresses stay as they were. */
int gh_server_resolve(struct gh_server *server);

unsigned gh_server_address_count(struct gh_server *server);
/* Connects to address number `address` (counted round). */
GH_MUST_USE enum gh_err gh_server_connect(struct gh_server *server, unsigned address,
                                          struct gh_stream *stream, struct gh_loop *loop,
                                          const struct gh_stream_events *events);

enum gh_server_state gh_server_state(const struct gh_server *server, uint64_t now_ms);
/* True for the one caller that may try a server in state TRIAL. */
bool gh_server_claim_trial(struct gh_server *server, uint64_t now_ms);
/* A connection to `address` came to be. */
void gh_server_note_open(struct gh_server *server, unsigned address);
/* No connection came to be, at any address. */
void gh_server_note_failure(struct gh_server *server, uint64_t now_ms, bool was_trial);

#endif
