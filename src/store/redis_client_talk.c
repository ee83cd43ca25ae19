/*
 * What a client of Redis says for itself: the handshake (HELLO with AUTH and SETNAME, SELECT, and
 * PING, which is answered only when commands would be), SUBSCRIBE, the heartbeat; and where each
 * reply belongs.
 */
#include "store/redis_client_state.h"

#include "base/assert.h"

static struct gh_redis *of_heartbeat(struct gh_timer *timer)
{
    return (struct gh_redis *)((char *)timer - offsetof(struct gh_redis, heartbeat_timer));
}

/* ---- Heartbeat ---- */

/* A connection at rest is asked for a sign of life; one with commands has their deadlines. */
static void on_heartbeat(struct gh_timer *timer)
{
    static const struct gh_str ping = GH_STR_INIT("PING");
    struct gh_redis *redis = of_heartbeat(timer);
    uint64_t now_ms = gh_loop_now_ms(redis->loop);
    uint32_t next_ms = redis->options.heartbeat_ms;
    bool silent = now_ms - redis->heard_ms >= next_ms;
    if (redis->unheard >= 2) {
        gh_redis_give_up(redis, GH_REDIS_FAIL_TIMEOUT, "nothing was heard of it");
        return;
    }
    if (redis->unheard == 1) {
        redis->unheard = 2;
        next_ms = 1; /* its answer may be there: not all that has come is read in a turn */
    } else if (silent && gh_redis_is_subscriber(redis)) {
        bool put = gh_redis_queue_put(redis, &ping, 1);
        GH_ASSERT(put);
        redis->unheard = 1;
        gh_loop_task_start(redis->loop, &redis->task);
    } else if (silent && redis->call_count == 0) {
        gh_redis_queue_own(redis, GH_REDIS_CALL_HEARTBEAT, &ping, 1, next_ms);
    }
    gh_timer_start(redis->loop, &redis->heartbeat_timer, next_ms, on_heartbeat);
}

/* ---- Handshake ---- */

static void put_hello(struct gh_redis *redis, uint64_t timeout_ms)
{
    const struct gh_redis_url *url = &redis->url;
    struct gh_str argv[7];
    size_t argc = 0;
    argv[argc++] = GH_STR("HELLO");
    argv[argc++] = GH_STR("2");
    if (url->password.len > 0) {
        argv[argc++] = GH_STR("AUTH");
        argv[argc++] = url->user.len > 0 ? url->user : GH_STR("default");
        argv[argc++] = url->password;
    }
    argv[argc++] = GH_STR("SETNAME");
    argv[argc++] = gh_str_from_c(redis->options.client_name);
    gh_redis_queue_own(redis, GH_REDIS_CALL_HELLO, argv, argc, timeout_ms);
}

static void put_select(struct gh_redis *redis, uint64_t timeout_ms)
{
    char digits[24];
    struct gh_buf number = gh_buf_over(digits, sizeof digits);
    gh_buf_put_u64(&number, redis->url.database);
    const struct gh_str argv[] = {GH_STR("SELECT"), gh_buf_str(&number)};
    gh_redis_queue_own(redis, GH_REDIS_CALL_SELECT, argv, 2, timeout_ms);
}

void gh_redis_greet(struct gh_redis *redis)
{
    static const struct gh_str ping = GH_STR_INIT("PING");
    uint64_t timeout_ms = redis->options.connect_timeout_ms;
    redis->phase = GH_REDIS_PHASE_HANDSHAKE;
    redis->heard_ms = gh_loop_now_ms(redis->loop);
    gh_stream_read_start(&redis->link->stream);
    put_hello(redis, timeout_ms);
    if (redis->url.database > 0)
        put_select(redis, timeout_ms);
    gh_redis_queue_own(redis, GH_REDIS_CALL_READY, &ping, 1, timeout_ms);
    gh_redis_queue_flush(redis);
}

static void become_ready(struct gh_redis *redis)
{
    const struct gh_redis_hooks *hooks = &redis->options.hooks;
    redis->phase = GH_REDIS_PHASE_READY;
    redis->ready_ms = gh_loop_now_ms(redis->loop);
    redis->counters.connects++;
    gh_timer_stop(redis->loop, &redis->timer);
    gh_timer_start(redis->loop, &redis->heartbeat_timer, redis->options.heartbeat_ms, on_heartbeat);
    redis->status = (struct gh_redis_status){
        .state = GH_REDIS_READY, .since_ms = redis->ready_ms, .message = ""};
    if (gh_redis_is_subscriber(redis) && hooks->on_subscribed)
        hooks->on_subscribed(redis->options.context);
    if (redis->status.state == GH_REDIS_READY && redis->phase == GH_REDIS_PHASE_READY &&
        hooks->on_state)
        hooks->on_state(redis->options.context, &redis->status);
}

/* What HELLO says of the server: names and values in turn. A replica would take no writes. */
static bool is_replica(const struct gh_redis_reply *reply)
{
    for (size_t i = 0; reply->type == GH_REDIS_ARRAY && i + 1 < reply->item_count; i += 2) {
        if (gh_redis_reply_is(&reply->items[i], GH_STR("role")))
            return gh_redis_reply_is(&reply->items[i + 1], GH_STR("replica")) ||
                   gh_redis_reply_is(&reply->items[i + 1], GH_STR("slave"));
    }
    return false;
}

static void subscribe(struct gh_redis *redis)
{
    struct gh_str argv[1 + GH_REDIS_CHANNELS_MAX] = {GH_STR_INIT("SUBSCRIBE")};
    for (size_t i = 0; i < redis->options.channel_count; i++)
        argv[1 + i] = redis->options.channels[i];
    bool put = gh_redis_queue_put(redis, argv, 1 + redis->options.channel_count);
    GH_ASSERT(put); /* checked when it was opened */
    gh_loop_task_start(redis->loop, &redis->task);
}

/* ---- Replies ---- */

static const char *hint_at(enum gh_redis_call_kind kind, enum gh_redis_failure failure)
{
    if (failure != GH_REDIS_FAIL_OTHER)
        return "";
    return kind == GH_REDIS_CALL_HELLO    ? "HELLO (Redis 6 or later, or Valkey, is needed)"
           : kind == GH_REDIS_CALL_SELECT ? "SELECT (is there such a database?)"
                                          : "PING";
}

static void on_own_reply(struct gh_redis *redis, enum gh_redis_call_kind kind,
                         const struct gh_redis_reply *reply)
{
    enum gh_redis_failure failure = gh_redis_reply_failure(reply);
    bool is_hello = kind == GH_REDIS_CALL_HELLO;
    if (failure != GH_REDIS_FAIL_NONE)
        gh_redis_give_up(redis, failure, hint_at(kind, failure));
    else if (is_hello ? reply->type != GH_REDIS_ARRAY : reply->type != GH_REDIS_STATUS)
        gh_redis_give_up(redis, GH_REDIS_FAIL_PROTOCOL, "");
    else if (is_hello && is_replica(reply))
        gh_redis_give_up(redis, GH_REDIS_FAIL_READONLY, "");
    else if (kind == GH_REDIS_CALL_READY && gh_redis_is_subscriber(redis))
        subscribe(redis);
    else if (kind == GH_REDIS_CALL_READY)
        become_ready(redis);
}

/* In a subscriber's connection, after the handshake: ["message", channel, payload] and the like. */
static void on_push(struct gh_redis *redis, const struct gh_redis_reply *reply)
{
    const struct gh_redis_reply *items = reply->items;
    bool is_push = reply->type == GH_REDIS_ARRAY && reply->item_count >= 2;
    if (gh_redis_reply_failure(reply) != GH_REDIS_FAIL_NONE) {
        gh_redis_give_up(redis, gh_redis_reply_failure(reply), "");
    } else if (is_push && reply->item_count == 3 &&
               gh_redis_reply_is(&items[0], GH_STR("message")) &&
               items[1].type == GH_REDIS_STRING && items[2].type == GH_REDIS_STRING) {
        redis->counters.messages++;
        if (redis->options.hooks.on_message)
            redis->options.hooks.on_message(redis->options.context, items[1].text, items[2].text);
    } else if (is_push && gh_redis_reply_is(&items[0], GH_STR("subscribe")) &&
               redis->phase == GH_REDIS_PHASE_HANDSHAKE) {
        if (++redis->subscribed == redis->options.channel_count)
            become_ready(redis);
    } else if (!is_push || !gh_redis_reply_is(&items[0], GH_STR("pong"))) {
        gh_redis_give_up(redis, GH_REDIS_FAIL_PROTOCOL, "");
    }
}

void gh_redis_on_reply(struct gh_redis *redis, const struct gh_redis_reply *reply)
{
    struct gh_redis_call *call = gh_redis_queue_take(redis);
    enum gh_redis_failure failure = gh_redis_reply_failure(reply);
    if (!call && gh_redis_is_subscriber(redis)) {
        on_push(redis, reply);
    } else if (!call) {
        /* Servers say so before they close a connection that they do not want. */
        gh_redis_give_up(redis, failure ? failure : GH_REDIS_FAIL_PROTOCOL, "");
    } else if (call->kind != GH_REDIS_CALL_USER) {
        on_own_reply(redis, call->kind, reply);
    } else {
        gh_redis_queue_answer(redis, call, reply);
        if (gh_redis_failure_facts[failure].gives_up && redis->phase == GH_REDIS_PHASE_READY)
            gh_redis_give_up(redis, failure, "");
    }
}
