/*
 * The connections of one worker: per server a pool with the idle ones, newest first. Nothing here
 * is shared between threads.
 */
#ifndef GH_UPSTREAM_POOL_H
#define GH_UPSTREAM_POOL_H

#include "upstream/group.h"

/* Idle connections of one worker to one server; more are closed. A dozen clients of HTTP/2 keep
   some hundreds of them busy at once, in bursts. */
#define GH_POOL_IDLE_MAX 1024

struct gh_pool {
    struct gh_upstreams *upstreams;
    struct gh_server *server;                       /* counted */
    struct gh_upstream_connection *newest, *oldest; /* idle ones */
    unsigned idle_count;
    unsigned connections;  /* connecting, busy and idle */
    unsigned requests;     /* calls that have a connection here */
    uint64_t picked;       /* when it was last chosen, as a number of the worker's choices */
    struct gh_timer timer; /* closes idle connections; armed while there may be some */
};

struct gh_upstreams {
    struct gh_loop *loop;
    unsigned worker;
    uint64_t picks;
    struct gh_pool *pools[GH_UPSTREAM_ALL_SERVERS_MAX]; /* by the server's slot */
};

/* Its own memory, freed when the stream has closed. */
struct gh_upstream_connection {
    struct gh_stream stream;       /* first */
    struct gh_pool *pool;          /* NULL: closing */
    struct gh_upstream_call *call; /* NULL: idle, or closing */
    struct gh_upstream_connection *newer, *older;
    unsigned address;
    bool is_open, is_idle;
    bool reused; /* has served another request before */
    uint64_t idle_since_ms, idle_until_ms;
};

/* The pool for a server, made when it is first used; NULL: out of memory. */
struct gh_pool *gh_upstreams_pool(struct gh_upstreams *upstreams, struct gh_server *server);

/* The most recently used idle connection, given to `call`; NULL: none that was used within
   `max_idle_ms`. */
struct gh_upstream_connection *gh_pool_take_idle(struct gh_pool *pool, uint64_t max_idle_ms,
                                                 struct gh_upstream_call *call);
/* Closes the one that was idle for longest, if any. */
void gh_pool_close_oldest(struct gh_pool *pool);

/* Begins to connect on behalf of `call`, whose `connection` it becomes. */
GH_MUST_USE enum gh_err gh_connection_open(struct gh_pool *pool, unsigned address,
                                           struct gh_upstream_call *call);
/* Takes the connection from its call and keeps it for `idle_ms`, or closes it. */
void gh_connection_release(struct gh_upstream_connection *connection, uint64_t idle_ms);
/* Takes the connection from its call or pool and closes it. No event follows. */
void gh_connection_close(struct gh_upstream_connection *connection);

/* Implemented by connection.c: the events of all streams here. */
extern const struct gh_stream_events gh_connection_events;

#endif
