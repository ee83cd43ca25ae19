/*
 * A fixed number of places for connections. A thread takes one, uses it alone, and gives it back.
 *
 * There are as many places as threads, so taking one does not wait in practice.
 */
#ifndef VOTE_POOL_H
#define VOTE_POOL_H

#include <pthread.h>
#include <stddef.h>

enum { POOL_PLACES_MAX = 64 };

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    size_t count;
    void *free[POOL_PLACES_MAX]; /* the last `count` given back; NULL: not connected */
};

void pool_init(struct pool *pool, size_t places);
/* A connection that may be NULL: the taker opens it then, or gives NULL back. */
void *pool_take(struct pool *pool);
void pool_give(struct pool *pool, void *connection);
/* When nobody has taken any: closes what is connected. */
void pool_done(struct pool *pool, void (*close_connection)(void *connection));

#endif
