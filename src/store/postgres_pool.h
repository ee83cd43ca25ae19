/*
 * A bounded pool of connections. Whoever runs a unit takes one and gives it back; they are made
 * when they are needed and thrown away when they are lost; who has to wait gets one in turn. After
 * a failure to connect one thread tries again at a time, in steps that grow to a second.
 */
#ifndef GH_STORE_POSTGRES_POOL_H
#define GH_STORE_POSTGRES_POOL_H

#include <pthread.h>

#include "store/postgres_connection.h"

#define GH_POSTGRES_POOL_MAX 64

struct gh_postgres_pool_counts {
    unsigned size_max, open, in_use, waiting; /* just now */
    uint64_t waits;                           /* nobody had one to spare at once */
    uint64_t refusals;                        /* and none within the deadline */
    uint64_t connects, connect_failures;
    uint64_t losses; /* connections that were lost in use, or while they lay here */
};

struct gh_postgres_waiter;

struct gh_postgres_pool {
    struct gh_postgres_target target;
    unsigned size;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct gh_postgres_connection connections[GH_POSTGRES_POOL_MAX];
    struct gh_postgres_connection *idle[GH_POSTGRES_POOL_MAX], *closed[GH_POSTGRES_POOL_MAX];
    unsigned idle_count, closed_count;
    struct gh_postgres_waiter *first_waiter; /* in the order of their coming */
    bool is_trying;                          /* somebody connects, after a failure */
    unsigned failures;                       /* to connect, in a row */
    int64_t failing_since_ms, retry_at_ms;
    struct gh_postgres_pool_counts counts;
};

/* Connects nothing yet. `target` and what it points to must live as long; `size` at most
   GH_POSTGRES_POOL_MAX. */
void gh_postgres_pool_init(struct gh_postgres_pool *pool, const struct gh_postgres_target *target,
                           unsigned size);
/* All must have been given back. */
void gh_postgres_pool_done(struct gh_postgres_pool *pool);

/* `reads`: it may be the last one, too. GH_ERR_FULL: all were in use until the deadline; GH_ERR_IO:
   the server can't be reached; at once when it could not for some seconds. */
GH_MUST_USE enum gh_err gh_postgres_pool_take(struct gh_postgres_pool *pool, bool reads,
                                              int64_t deadline_ms,
                                              struct gh_postgres_connection **out_connection);
void gh_postgres_pool_give(struct gh_postgres_pool *pool,
                           struct gh_postgres_connection *connection);
struct gh_postgres_pool_counts gh_postgres_pool_count(struct gh_postgres_pool *pool);

/* A part of `ms`, half of it at least, by chance: so that those who failed together do not come
   back together. */
int64_t gh_postgres_jitter_ms(int64_t ms);

#endif
