#include "store/postgres_pool.h"

#include <sys/random.h>
#include <time.h>

#include "base/assert.h"

#define BACKOFF_FIRST_MS  50
#define BACKOFF_MAX_MS    1000
#define PATIENCE_MS       2000 /* so long units wait for a server that is being restarted */
#define MESSAGE_BYTES_MAX 4096

int64_t gh_postgres_jitter_ms(int64_t ms)
{
    uint32_t chance = 0;
    if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != sizeof(chance))
        return ms;
    return ms / 2 + (int64_t)(chance % (uint64_t)(ms / 2 + 1));
}

void gh_postgres_pool_init(struct gh_postgres_pool *pool, const struct gh_postgres_target *target,
                           unsigned size)
{
    pthread_condattr_t attributes;
    GH_ASSERT(size > 0 && size <= GH_POSTGRES_POOL_MAX);
    *pool = (struct gh_postgres_pool){.target = *target, .size = size, .closed_count = size};
    for (unsigned i = 0; i < size; i++)
        pool->closed[i] = &pool->connections[i];
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void gh_postgres_pool_done(struct gh_postgres_pool *pool)
{
    GH_ASSERT(pool->idle_count + pool->closed_count == pool->size);
    while (pool->idle_count)
        gh_postgres_disconnect(pool->idle[--pool->idle_count]);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
}

/* ---- Connecting; the lock is held but while libpq works ---- */

static int64_t backoff_ms(unsigned failures)
{
    int64_t ms = BACKOFF_FIRST_MS;
    for (unsigned i = 1; i < failures && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    return gh_postgres_jitter_ms(ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

static void note_outcome(struct gh_postgres_pool *pool, enum gh_err err)
{
    int64_t now_ms = gh_postgres_now_ms();
    pool->is_trying = false;
    if (err == GH_OK) {
        pool->failures = 0;
        pool->counts.connects++;
        return;
    }
    pool->counts.connect_failures++;
    if (!pool->failures++)
        pool->failing_since_ms = now_ms;
    pool->retry_at_ms = now_ms + backoff_ms(pool->failures);
}

static struct gh_postgres_connection *connect_one(struct gh_postgres_pool *pool)
{
    struct gh_postgres_connection *connection = pool->closed[--pool->closed_count];
    struct gh_arena arena;
    struct gh_str message;
    pool->is_trying |= pool->failures > 0;
    pthread_mutex_unlock(&pool->lock);
    gh_arena_init(&arena, MESSAGE_BYTES_MAX, 2 * MESSAGE_BYTES_MAX);
    enum gh_err err = gh_postgres_connect(connection, &pool->target, &arena, &message);
    gh_arena_done(&arena);
    pthread_mutex_lock(&pool->lock);
    note_outcome(pool, err);
    pthread_cond_broadcast(&pool->changed);
    if (err == GH_OK)
        return connection;
    pool->closed[pool->closed_count++] = connection;
    return NULL;
}

/* Without the lock, because a server that is silent makes one wait. */
static bool is_up_or_gone(struct gh_postgres_pool *pool, struct gh_postgres_connection *connection)
{
    pthread_mutex_unlock(&pool->lock);
    bool is_up = gh_postgres_is_up(connection);
    if (!is_up)
        gh_postgres_disconnect(connection);
    pthread_mutex_lock(&pool->lock);
    return is_up;
}

static struct gh_postgres_connection *take_idle(struct gh_postgres_pool *pool)
{
    while (pool->idle_count) {
        struct gh_postgres_connection *connection = pool->idle[--pool->idle_count];
        if (is_up_or_gone(pool, connection))
            return connection;
        pool->counts.losses++;
        pool->closed[pool->closed_count++] = connection;
    }
    return NULL;
}

static bool may_connect(const struct gh_postgres_pool *pool, int64_t now_ms)
{
    if (!pool->closed_count)
        return false;
    return !pool->failures || (!pool->is_trying && now_ms >= pool->retry_at_ms);
}

/* Nobody has a connection, and nobody could get one for a while. */
static bool is_given_up(const struct gh_postgres_pool *pool, int64_t now_ms)
{
    return pool->failures && pool->closed_count == pool->size - pool->is_trying &&
           (now_ms - pool->failing_since_ms > PATIENCE_MS ||
            gh_postgres_haste_is_on(pool->target.haste));
}

/* ---- Taking and giving ---- */

static void wait_until(struct gh_postgres_pool *pool, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pool->counts.waiting++;
    pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
    pool->counts.waiting--;
}

/* Who wants a connection; those who come later do not overtake, but for a reader that can have the
   one that a writer can't. */
struct gh_postgres_waiter {
    bool reads;
    struct gh_postgres_waiter *next;
};

/* The last one is for who only reads: what has ended elsewhere must be heard of within a second,
   however long writers take. */
static bool is_one_for(const struct gh_postgres_pool *pool, const struct gh_postgres_waiter *waiter)
{
    unsigned there = pool->idle_count + pool->closed_count;
    return waiter->reads || pool->size == 1 ? there > 0 : there > 1;
}

static bool is_next(const struct gh_postgres_pool *pool, const struct gh_postgres_waiter *waiter)
{
    const struct gh_postgres_waiter *first = pool->first_waiter;
    while (first != waiter && !is_one_for(pool, first))
        first = first->next;
    return first == waiter && is_one_for(pool, waiter);
}

static void enter(struct gh_postgres_pool *pool, struct gh_postgres_waiter *waiter)
{
    struct gh_postgres_waiter **link = &pool->first_waiter;
    while (*link)
        link = &(*link)->next;
    *link = waiter;
}

/* Who is behind may be next now. */
static void leave(struct gh_postgres_pool *pool, struct gh_postgres_waiter *waiter)
{
    struct gh_postgres_waiter **link = &pool->first_waiter;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    pthread_cond_broadcast(&pool->changed);
}

/* One that lies here, or a new one. Others are served meanwhile; who gets none is first again. */
static struct gh_postgres_connection *try_to_take(struct gh_postgres_pool *pool,
                                                  struct gh_postgres_waiter *waiter)
{
    if (!is_next(pool, waiter) || (!pool->idle_count && !may_connect(pool, gh_postgres_now_ms())))
        return NULL;
    leave(pool, waiter);
    struct gh_postgres_connection *connection = take_idle(pool);
    if (!connection && is_one_for(pool, waiter) && may_connect(pool, gh_postgres_now_ms()))
        connection = connect_one(pool);
    waiter->next = pool->first_waiter;
    pool->first_waiter = waiter;
    return connection;
}

static enum gh_err take(struct gh_postgres_pool *pool, struct gh_postgres_waiter *waiter,
                        int64_t deadline_ms, struct gh_postgres_connection **out_connection)
{
    for (bool has_waited = false;; has_waited = true) {
        *out_connection = try_to_take(pool, waiter);
        if (*out_connection)
            return GH_OK;
        int64_t now_ms = gh_postgres_now_ms();
        if (is_given_up(pool, now_ms))
            return GH_ERR_IO;
        if (now_ms >= deadline_ms)
            return pool->failures ? GH_ERR_IO : GH_ERR_FULL;
        if (!has_waited)
            pool->counts.waits++;
        bool is_later = pool->failures && !pool->is_trying && pool->closed_count &&
                        pool->retry_at_ms < deadline_ms;
        wait_until(pool, is_later ? pool->retry_at_ms : deadline_ms);
    }
}

enum gh_err gh_postgres_pool_take(struct gh_postgres_pool *pool, bool reads, int64_t deadline_ms,
                                  struct gh_postgres_connection **out_connection)
{
    deadline_ms = gh_postgres_haste_bound(pool->target.haste, deadline_ms);
    struct gh_postgres_waiter waiter = {.reads = reads};
    pthread_mutex_lock(&pool->lock);
    enter(pool, &waiter);
    enum gh_err err = take(pool, &waiter, deadline_ms, out_connection);
    leave(pool, &waiter);
    pool->counts.refusals += err != GH_OK;
    pthread_mutex_unlock(&pool->lock);
    return err;
}

void gh_postgres_pool_give(struct gh_postgres_pool *pool, struct gh_postgres_connection *connection)
{
    bool is_lost = connection->fault == GH_POSTGRES_LOST;
    if (is_lost)
        gh_postgres_disconnect(connection);
    pthread_mutex_lock(&pool->lock);
    pool->counts.losses += is_lost;
    if (is_lost)
        pool->closed[pool->closed_count++] = connection;
    else
        pool->idle[pool->idle_count++] = connection;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

struct gh_postgres_pool_counts gh_postgres_pool_count(struct gh_postgres_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct gh_postgres_pool_counts counts = pool->counts;
    counts.size_max = pool->size;
    counts.open = pool->size - pool->closed_count;
    counts.in_use = counts.open - pool->idle_count;
    pthread_mutex_unlock(&pool->lock);
    return counts;
}
