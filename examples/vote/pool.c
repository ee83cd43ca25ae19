#include "pool.h"

void pool_init(struct pool *pool, size_t places)
{
    *pool = (struct pool){.count = places < POOL_PLACES_MAX ? places : POOL_PLACES_MAX};
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->freed, NULL);
}

void *pool_take(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->count == 0)
        pthread_cond_wait(&pool->freed, &pool->lock);
    void *connection = pool->free[--pool->count];
    pthread_mutex_unlock(&pool->lock);
    return connection;
}

void pool_give(struct pool *pool, void *connection)
{
    pthread_mutex_lock(&pool->lock);
    pool->free[pool->count++] = connection;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

void pool_done(struct pool *pool, void (*close_connection)(void *connection))
{
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->free[i])
            close_connection(pool->free[i]);
    }
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->lock);
}
