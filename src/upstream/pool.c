#include "upstream/pool.h"

#include <stdlib.h>

#include "base/assert.h"

enum gh_err gh_upstreams_open(struct gh_loop *loop, unsigned worker,
                              struct gh_upstreams **out_upstreams)
{
    struct gh_upstreams *upstreams = calloc(1, sizeof *upstreams);
    if (!upstreams)
        return GH_ERR_MEMORY;
    upstreams->loop = loop;
    upstreams->worker = worker;
    *out_upstreams = upstreams;
    return GH_OK;
}

/* Closes what is idle; nothing else may be left. */
static void pool_free(struct gh_pool *pool)
{
    while (pool->oldest)
        gh_connection_close(pool->oldest);
    GH_ASSERT(pool->connections == 0 && pool->requests == 0);
    gh_timer_stop(pool->upstreams->loop, &pool->timer);
    pool->upstreams->pools[pool->server->slot] = NULL;
    gh_server_unref(pool->server);
    free(pool);
}

void gh_upstreams_close(struct gh_upstreams *upstreams)
{
    if (!upstreams)
        return;
    for (size_t i = 0; i < GH_UPSTREAM_ALL_SERVERS_MAX; i++) {
        if (upstreams->pools[i])
            pool_free(upstreams->pools[i]);
    }
    free(upstreams);
}

void gh_upstreams_sweep(struct gh_upstreams *upstreams)
{
    for (size_t i = 0; i < GH_UPSTREAM_ALL_SERVERS_MAX; i++) {
        struct gh_pool *pool = upstreams->pools[i];
        if (pool && !pool->requests && atomic_load(&pool->server->group_count) == 0)
            pool_free(pool);
    }
}

struct gh_pool *gh_upstreams_pool(struct gh_upstreams *upstreams, struct gh_server *server)
{
    struct gh_pool *pool = upstreams->pools[server->slot];
    if (pool) {
        GH_ASSERT(pool->server == server);
        return pool;
    }
    pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    gh_server_ref(server);
    pool->upstreams = upstreams;
    pool->server = server;
    upstreams->pools[server->slot] = pool;
    return pool;
}

/* ---- Idle connections ---- */

static void idle_remove(struct gh_pool *pool, struct gh_upstream_connection *connection)
{
    if (connection->newer)
        connection->newer->older = connection->older;
    else
        pool->newest = connection->older;
    if (connection->older)
        connection->older->newer = connection->newer;
    else
        pool->oldest = connection->newer;
    connection->newer = connection->older = NULL;
    connection->is_idle = false;
    pool->idle_count--;
}

static void idle_add(struct gh_pool *pool, struct gh_upstream_connection *connection)
{
    connection->newer = NULL;
    connection->older = pool->newest;
    if (pool->newest)
        pool->newest->newer = connection;
    else
        pool->oldest = connection;
    pool->newest = connection;
    connection->is_idle = true;
    pool->idle_count++;
}

/* Groups of one server may differ in how long they keep connections, so all are looked at. */
static void close_expired(struct gh_timer *timer)
{
    struct gh_pool *pool = (struct gh_pool *)((char *)timer - offsetof(struct gh_pool, timer));
    uint64_t now = gh_loop_now_ms(pool->upstreams->loop), next = UINT64_MAX;
    for (struct gh_upstream_connection *at = pool->oldest, *newer; at; at = newer) {
        newer = at->newer;
        if (at->idle_until_ms <= now)
            gh_connection_close(at);
        else if (at->idle_until_ms < next)
            next = at->idle_until_ms;
    }
    if (next != UINT64_MAX)
        gh_timer_start(pool->upstreams->loop, &pool->timer, next - now, close_expired);
}

struct gh_upstream_connection *gh_pool_take_idle(struct gh_pool *pool, uint64_t max_idle_ms,
                                                 struct gh_upstream_call *call)
{
    struct gh_upstream_connection *connection = pool->newest;
    if (!connection)
        return NULL;
    uint64_t now = gh_loop_now_ms(pool->upstreams->loop);
    if (now - connection->idle_since_ms > max_idle_ms || now >= connection->idle_until_ms)
        return NULL;
    idle_remove(pool, connection);
    pool->requests++;
    connection->reused = true;
    connection->call = call;
    call->connection = connection;
    return connection;
}

void gh_pool_close_oldest(struct gh_pool *pool)
{
    if (pool->oldest)
        gh_connection_close(pool->oldest);
}

static void detach(struct gh_upstream_connection *connection)
{
    if (!connection->call)
        return;
    connection->call->connection = NULL;
    connection->call = NULL;
    connection->pool->requests--;
}

void gh_connection_release(struct gh_upstream_connection *connection, uint64_t idle_ms)
{
    struct gh_pool *pool = connection->pool;
    const struct gh_stream *stream = &connection->stream;
    bool is_wanted = pool->idle_count < GH_POOL_IDLE_MAX &&
                     atomic_load_explicit(&pool->server->group_count, memory_order_relaxed) > 0;
    if (!is_wanted || stream->eof || stream->failed || stream->write_failed || stream->closing) {
        gh_connection_close(connection);
        return;
    }
    detach(connection);
    connection->idle_since_ms = gh_loop_now_ms(pool->upstreams->loop);
    connection->idle_until_ms = connection->idle_since_ms + idle_ms;
    idle_add(pool, connection);
    /* Reading goes on, so that a server's FIN is seen before the connection is used again. */
    gh_stream_read_start(&connection->stream);
    if (!gh_timer_is_armed(&pool->timer) || pool->timer.due_ms > connection->idle_until_ms)
        gh_timer_start(pool->upstreams->loop, &pool->timer, idle_ms, close_expired);
}

void gh_connection_close(struct gh_upstream_connection *connection)
{
    struct gh_pool *pool = connection->pool;
    if (!pool)
        return;
    detach(connection);
    if (connection->is_idle)
        idle_remove(pool, connection);
    pool->connections--;
    connection->pool = NULL;
    gh_stream_close(&connection->stream);
}

enum gh_err gh_connection_open(struct gh_pool *pool, unsigned address,
                               struct gh_upstream_call *call)
{
    struct gh_upstream_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return GH_ERR_MEMORY;
    connection->address = address;
    enum gh_err err = gh_server_connect(pool->server, address, &connection->stream,
                                        pool->upstreams->loop, &gh_connection_events);
    if (err) {
        free(connection);
        return err;
    }
    connection->pool = pool;
    connection->call = call;
    call->connection = connection;
    pool->connections++;
    pool->requests++;
    return GH_OK;
}
