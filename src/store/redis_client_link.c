/* The connection of a client of Redis: looked up, connected, lost, and after a pause made anew. */
#include "store/redis_client_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#define ATTEMPT_SHIFT_MAX 16 /* of the backoff; far above any use */

static struct gh_redis *of_timer(struct gh_timer *timer)
{
    return (struct gh_redis *)((char *)timer - offsetof(struct gh_redis, timer));
}

/* ---- Losing ---- */

void gh_redis_drop_link(struct gh_redis *redis)
{
    struct gh_redis_link *link = redis->link;
    redis->link = NULL;
    redis->subscribed = 0;
    redis->unheard = 0;
    redis->address_count = redis->address_next = 0; /* the next attempt looks the name up again */
    gh_timer_stop(redis->loop, &redis->timer);
    gh_timer_stop(redis->loop, &redis->heartbeat_timer);
    if (!link)
        return;
    link->redis = NULL;
    gh_stream_close(&link->stream);
}

/* Full jitter: anything up to the bound, so that many clients do not come back together. */
static uint64_t pause_ms(const struct gh_redis *redis)
{
    unsigned shift = redis->attempt < ATTEMPT_SHIFT_MAX ? redis->attempt : ATTEMPT_SHIFT_MAX;
    uint64_t bound = (uint64_t)redis->options.backoff_min_ms << shift, random;
    if (bound > redis->options.backoff_max_ms)
        bound = redis->options.backoff_max_ms;
    gh_random_fill(redis->options.random, &random, sizeof random);
    return random % (bound + 1);
}

static void on_pause_over(struct gh_timer *timer)
{
    gh_redis_connect(of_timer(timer));
}

static void say(struct gh_redis *redis, enum gh_redis_failure failure, const char *detail)
{
    const char *text = gh_redis_failure_facts[failure].text;
    snprintf(redis->message, sizeof redis->message, "%.*s: %s%s%s", GH_STR_ARG(redis->url.text),
             text, *detail ? ": " : "", detail);
    redis->status.failure = failure;
    redis->status.message = redis->message;
}

void gh_redis_give_up(struct gh_redis *redis, enum gh_redis_failure failure, const char *detail)
{
    uint64_t now_ms = gh_loop_now_ms(redis->loop);
    GH_ASSERT(redis->phase != GH_REDIS_PHASE_CLOSED);
    /* Who connects but does not last is no better than who can't be connected to. */
    if (redis->phase == GH_REDIS_PHASE_READY &&
        now_ms - redis->ready_ms >= redis->options.backoff_max_ms)
        redis->attempt = 0;
    say(redis, failure, detail); /* before the stream goes, whose text the detail may be */
    gh_redis_drop_link(redis);
    redis->counters.losses[failure]++;
    redis->phase = GH_REDIS_PHASE_PAUSE;
    gh_timer_start(redis->loop, &redis->timer, pause_ms(redis), on_pause_over);
    redis->attempt++;
    bool changed = redis->status.state != GH_REDIS_AWAY;
    if (changed) {
        redis->status.state = GH_REDIS_AWAY;
        redis->status.since_ms = now_ms;
        if (redis->options.hooks.on_state)
            redis->options.hooks.on_state(redis->options.context, &redis->status);
    }
    gh_redis_queue_fail(redis, failure);
}

/* ---- The stream ---- */

static struct gh_redis_link *of_stream(struct gh_stream *stream)
{
    return (struct gh_redis_link *)((char *)stream - offsetof(struct gh_redis_link, stream));
}

static void try_address(struct gh_redis *redis);

static void on_open(struct gh_stream *stream)
{
    struct gh_redis_link *link = of_stream(stream);
    if (link->redis)
        gh_redis_greet(link->redis);
}

static void on_read(struct gh_stream *stream, struct gh_str bytes)
{
    struct gh_redis_link *link = of_stream(stream);
    const struct gh_redis_reply *reply;
    enum gh_redis_read read = GH_REDIS_READ_MORE;
    if (!link->redis)
        return;
    link->redis->heard_ms = gh_loop_now_ms(link->redis->loop);
    link->redis->unheard = 0;
    gh_redis_reader_feed(link->reader, bytes);
    /* An answer may make the client give this connection up. */
    while (link->redis &&
           (read = gh_redis_reader_next(link->reader, &reply)) == GH_REDIS_READ_REPLY)
        gh_redis_on_reply(link->redis, reply);
    if (link->redis && read == GH_REDIS_READ_BROKEN)
        gh_redis_give_up(link->redis, gh_redis_reader_failure(link->reader),
                         gh_redis_reader_problem(link->reader));
}

static void on_eof(struct gh_stream *stream)
{
    struct gh_redis_link *link = of_stream(stream);
    if (link->redis)
        gh_redis_give_up(link->redis, GH_REDIS_FAIL_CLOSED, "");
}

static void on_drain(struct gh_stream *stream)
{
    struct gh_redis_link *link = of_stream(stream);
    if (!link->redis)
        return;
    link->redis->paused = false;
    gh_redis_queue_flush(link->redis);
}

static void on_error(struct gh_stream *stream, enum gh_err err)
{
    struct gh_redis_link *link = of_stream(stream);
    struct gh_redis *redis = link->redis;
    if (!redis)
        return;
    const char *tls_error = gh_stream_tls_error(stream);
    if (err == GH_ERR_TLS || *tls_error) {
        gh_redis_give_up(redis, GH_REDIS_FAIL_TLS, tls_error);
    } else if (redis->phase != GH_REDIS_PHASE_CONNECT) {
        gh_redis_give_up(redis, GH_REDIS_FAIL_CLOSED, "");
    } else if (redis->address_next < redis->address_count) {
        redis->link = NULL;
        link->redis = NULL;
        gh_stream_close(stream);
        try_address(redis);
    } else {
        gh_redis_give_up(redis, GH_REDIS_FAIL_CONNECT, gh_err_text(err));
    }
}

static void on_closed(struct gh_stream *stream)
{
    struct gh_redis_link *link = of_stream(stream);
    gh_redis_reader_close(link->reader);
    free(link);
}

static const struct gh_stream_events EVENTS = {
    .on_open = on_open,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};

/* ---- Connecting ---- */

static enum gh_err open_link(struct gh_redis *redis, const struct gh_ip *ip)
{
    struct gh_redis_link *link = calloc(1, sizeof *link);
    if (!link)
        return GH_ERR_MEMORY;
    enum gh_err err = gh_redis_reader_open(redis->options.reply_bytes_max, &link->reader);
    if (err == GH_OK)
        err = gh_stream_connect(&link->stream, redis->loop, &EVENTS, ip, redis->url.port,
                                redis->url.path.len ? redis->url.path.ptr : NULL, redis->tls,
                                redis->url.host.ptr);
    if (err != GH_OK) {
        gh_redis_reader_close(link->reader);
        free(link);
        return err;
    }
    link->redis = redis;
    redis->link = link;
    return GH_OK;
}

/* Each address once; a name may have one that nobody answers at, as localhost often has. */
static void try_address(struct gh_redis *redis)
{
    GH_ASSERT(redis->address_next < redis->address_count);
    enum gh_err err = open_link(redis, &redis->addresses[redis->address_next++]);
    if (err != GH_OK)
        gh_redis_give_up(redis, GH_REDIS_FAIL_CONNECT, gh_err_text(err));
}

static void begin_connecting(struct gh_redis *redis)
{
    redis->phase = GH_REDIS_PHASE_CONNECT;
    redis->address_next = 0;
    try_address(redis);
}

static void on_looked_up(void *context, const struct gh_ip *addresses, size_t count,
                         const char *problem)
{
    struct gh_redis *redis = context;
    redis->lookup = NULL;
    redis->address_count = count;
    memcpy(redis->addresses, addresses, count * sizeof *addresses);
    /* Too late for its attempt: it serves the next one. */
    if (redis->phase != GH_REDIS_PHASE_LOOKUP)
        return;
    if (count == 0)
        gh_redis_give_up(redis, GH_REDIS_FAIL_LOOKUP, problem);
    else
        begin_connecting(redis);
}

static void look_up(struct gh_redis *redis)
{
    redis->phase = GH_REDIS_PHASE_LOOKUP;
    /* One at a time, however long it takes. */
    if (redis->lookup)
        return;
    enum gh_err err =
        gh_lookup_start(redis->loop, redis->url.host.ptr, on_looked_up, redis, &redis->lookup);
    if (err != GH_OK)
        gh_redis_give_up(redis, GH_REDIS_FAIL_LOOKUP, gh_err_text(err));
}

static void on_attempt_overdue(struct gh_timer *timer)
{
    struct gh_redis *redis = of_timer(timer);
    const char *at = redis->phase == GH_REDIS_PHASE_LOOKUP    ? "while its name was looked up"
                     : redis->phase == GH_REDIS_PHASE_CONNECT ? "while it was connected to"
                                                              : "after it was connected to";
    gh_redis_give_up(redis, GH_REDIS_FAIL_TIMEOUT, at);
}

void gh_redis_connect(struct gh_redis *redis)
{
    bool is_name = redis->url.path.len == 0 && redis->url.ip.family == GH_IP_NONE;
    gh_timer_start(redis->loop, &redis->timer, redis->options.connect_timeout_ms,
                   on_attempt_overdue);
    if (!is_name) {
        redis->addresses[0] = redis->url.ip;
        redis->address_count = 1;
        begin_connecting(redis);
    } else if (redis->address_count > 0 && !redis->lookup) {
        begin_connecting(redis);
    } else {
        look_up(redis);
    }
}
