/* Votes as entries of a Redis stream: the intake. A vote is in the stream when it is taken, as
   durable as the server's settings make it; counting is the consumer's. */
#include "store.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <hiredis/hiredis.h>

#include "pool.h"

struct store_redis {
    struct pool pool;
    struct redis_url url;
    const char *stream;
    struct timeval timeout;
};

static void close_connection(void *connection)
{
    redisFree(connection);
}

/* One command whose reply must be of this type. */
static bool expect(redisReply *reply, int type)
{
    bool good = reply && reply->type == type;
    freeReplyObject(reply);
    return good;
}

static bool sign_in(redisContext *context, const struct redis_url *url)
{
    if (*url->password && *url->user &&
        !expect(redisCommand(context, "AUTH %s %s", url->user, url->password), REDIS_REPLY_STATUS))
        return false;
    if (*url->password && !*url->user &&
        !expect(redisCommand(context, "AUTH %s", url->password), REDIS_REPLY_STATUS))
        return false;
    return url->database == 0 ||
           expect(redisCommand(context, "SELECT %d", url->database), REDIS_REPLY_STATUS);
}

static redisContext *connect_to(const struct store_redis *store)
{
    const struct redis_url *url = &store->url;
    redisContext *context = *url->path
                                ? redisConnectUnixWithTimeout(url->path, store->timeout)
                                : redisConnectWithTimeout(url->host, url->port, store->timeout);
    if (!context)
        return NULL;
    if (context->err || redisSetTimeout(context, store->timeout) != REDIS_OK ||
        !sign_in(context, url)) {
        redisFree(context);
        return NULL;
    }
    if (!*url->path) /* fails on a Unix socket, and takes the connection with it */
        redisEnableKeepAlive(context);
    return context;
}

/* Between commands the server has nothing to say: a connection that can be read from has ended. To
   see it before a vote is sent spares the voter an answer that nobody knows. */
static bool has_ended(const redisContext *context)
{
    struct pollfd poller = {.fd = context->fd, .events = POLLIN};
    return poll(&poller, 1, 0) != 0;
}

static redisContext *take(struct store_redis *store)
{
    redisContext *context = pool_take(&store->pool);
    if (context && has_ended(context)) {
        redisFree(context);
        context = NULL;
    }
    if (!context)
        context = connect_to(store);
    if (!context)
        pool_give(&store->pool, NULL);
    return context;
}

/* After any fault a new connection: what is left on this one belongs to the old command, or the
   server is one that no longer takes writes. */
static bool give(struct store_redis *store, redisContext *context, bool good)
{
    if (!good) {
        redisFree(context);
        context = NULL;
    }
    pool_give(&store->pool, context);
    return good;
}

static bool cast(void *self, const char *option, const char *voter)
{
    struct store_redis *store = self;
    redisContext *context = take(store);
    if (!context)
        return false;
    redisReply *reply = redisCommand(context, "XADD %s * option %s user %s", store->stream, option,
                                     voter ? voter : "");
    return give(store, context, expect(reply, REDIS_REPLY_STRING));
}

static bool is_ready(void *self)
{
    struct store_redis *store = self;
    redisContext *context = take(store);
    if (!context)
        return false;
    return give(store, context, expect(redisCommand(context, "PING"), REDIS_REPLY_STATUS));
}

static void close_store(void *self)
{
    struct store_redis *store = self;
    pool_done(&store->pool, close_connection);
    explicit_bzero(&store->url, sizeof(store->url));
    free(store);
}

static const struct store_calls calls = {cast, NULL, is_ready, close_store};

bool store_redis_open(const struct settings *settings, struct store *out, char *message,
                      size_t message_size)
{
    struct store_redis *store = calloc(1, sizeof(*store));
    if (!store) {
        snprintf(message, message_size, "out of memory");
        return false;
    }
    pool_init(&store->pool, (size_t)settings->threads);
    store->url = settings->redis;
    store->stream = settings->stream;
    store->timeout = (struct timeval){.tv_sec = settings->store_timeout_ms / 1000,
                                      .tv_usec = settings->store_timeout_ms % 1000 * 1000};
    *out = (struct store){&calls, store};
    return true;
}
