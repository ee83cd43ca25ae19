/* Commands of a client of Redis: encoded into one buffer, which is written at the end of the turn,
   and a ring of those that wait for their answers. */
#include "store/redis_client_state.h"

#include <stdlib.h>

#include "base/assert.h"
#include "crypto/hash.h"

static struct gh_redis_call *call_at(struct gh_redis *redis, size_t index)
{
    return &redis->calls[(redis->call_first + index) % redis->options.calls_max];
}

/* ---- Adding ---- */

enum gh_err gh_redis_queue_admit(struct gh_redis *redis, size_t argc)
{
    if (argc == 0 || argc > GH_REDIS_ARGUMENTS_MAX || gh_redis_is_subscriber(redis))
        return GH_ERR_INVALID;
    if (redis->status.state != GH_REDIS_READY) {
        redis->counters.failures[GH_REDIS_FAIL_AWAY]++;
        /* The server has said so itself. */
        bool refused = gh_redis_failure_facts[redis->status.failure].word != NULL;
        return refused ? GH_ERR_REFUSED : GH_ERR_CLOSED;
    }
    if (redis->call_count == redis->options.calls_max) {
        redis->counters.failures[GH_REDIS_FAIL_FULL]++;
        return GH_ERR_FULL;
    }
    return GH_OK;
}

enum gh_err gh_redis_queue_no_room(struct gh_redis *redis)
{
    if (redis->output.len == 0)
        return GH_ERR_INVALID;
    redis->counters.failures[GH_REDIS_FAIL_FULL]++;
    return GH_ERR_FULL;
}

void gh_redis_put_argument(struct gh_buf *out, struct gh_str argument)
{
    gh_buf_put_char(out, '$');
    gh_buf_put_u64(out, argument.len);
    gh_buf_put(out, GH_STR("\r\n"));
    gh_buf_put(out, argument);
    gh_buf_put(out, GH_STR("\r\n"));
}

bool gh_redis_queue_put(struct gh_redis *redis, const struct gh_str *argv, size_t argc)
{
    struct gh_buf *out = &redis->output;
    size_t before = out->len;
    gh_buf_put_char(out, '*');
    gh_buf_put_u64(out, argc);
    gh_buf_put(out, GH_STR("\r\n"));
    for (size_t i = 0; i < argc; i++)
        gh_redis_put_argument(out, argv[i]);
    if (!out->overflow)
        return true;
    out->len = before;
    out->overflow = false;
    return false;
}

/* Sees to it that the timer runs no later than the call is due. */
static void watch(struct gh_redis *redis, uint64_t due_ms);

void gh_redis_queue_add(struct gh_redis *redis, const struct gh_redis_call *call)
{
    GH_ASSERT(redis->call_count < redis->options.calls_max);
    *call_at(redis, redis->call_count++) = *call;
    redis->call_unwritten++;
    if (call->kind == GH_REDIS_CALL_USER)
        redis->counters.commands++;
    watch(redis, call->due_ms);
    gh_loop_task_start(redis->loop, &redis->task);
}

void gh_redis_queue_own(struct gh_redis *redis, enum gh_redis_call_kind kind,
                        const struct gh_str *argv, size_t argc, uint64_t timeout_ms)
{
    /* Called while the queue is empty, or nearly, and it is never so small. */
    bool put = gh_redis_queue_put(redis, argv, argc);
    GH_ASSERT(put);
    gh_redis_queue_add(redis, &(struct gh_redis_call){
                                  .kind = kind,
                                  .due_ms = gh_loop_now_ms(redis->loop) + timeout_ms,
                              });
}

enum gh_err gh_redis_call(struct gh_redis *redis, const struct gh_str *argv, size_t argc,
                          uint32_t timeout_ms, gh_redis_answer_fn *callback, void *context)
{
    enum gh_err err = gh_redis_queue_admit(redis, argc);
    if (err != GH_OK)
        return err;
    if (!gh_redis_queue_put(redis, argv, argc))
        return gh_redis_queue_no_room(redis);
    gh_redis_queue_add(redis, &(struct gh_redis_call){
                                  .callback = callback,
                                  .context = context,
                                  .due_ms = gh_loop_now_ms(redis->loop) + timeout_ms,
                              });
    return GH_OK;
}

void gh_redis_cancel(struct gh_redis *redis, const void *context)
{
    for (size_t i = 0; i < redis->call_count; i++) {
        struct gh_redis_call *call = call_at(redis, i);
        if (call->kind == GH_REDIS_CALL_USER && call->context == context)
            call->callback = NULL;
    }
}

/* ---- Writing ---- */

void gh_redis_queue_flush(struct gh_redis *redis)
{
    struct gh_buf *out = &redis->output;
    if (!redis->link || out->len == 0 || redis->paused)
        return;
    struct gh_str bytes = gh_buf_str(out);
    redis->paused = !gh_stream_write(&redis->link->stream, &bytes, 1);
    if (redis->phase == GH_REDIS_PHASE_HANDSHAKE)
        gh_wipe(out->ptr, out->len); /* it holds the password */
    out->len = 0;
    if (redis->call_unwritten == 0)
        return;
    struct gh_redis_call *last = call_at(redis, redis->call_count - 1);
    redis->call_unwritten = 0;
    if (redis->phase != GH_REDIS_PHASE_READY || last->kind != GH_REDIS_CALL_USER)
        return;
    last->ends_batch = true;
    last->written_us = gh_loop_now_us(redis->loop);
    redis->counters.batches++;
}

/* ---- Answers ---- */

struct gh_redis_call *gh_redis_queue_take(struct gh_redis *redis)
{
    if (redis->call_count == redis->call_unwritten)
        return NULL;
    struct gh_redis_call *call = call_at(redis, 0);
    redis->call_first = (redis->call_first + 1) % redis->options.calls_max;
    redis->call_count--;
    if (call->ends_batch) {
        redis->counters.round_trips++;
        redis->counters.round_trip_us += gh_loop_now_us(redis->loop) - call->written_us;
    }
    return call;
}

static void finish(struct gh_redis_call *call, enum gh_err err, const struct gh_redis_reply *reply)
{
    gh_redis_answer_fn *callback = call->callback;
    free(call->tail);
    call->tail = NULL;
    call->callback = NULL;
    if (callback)
        callback(call->context, err, reply);
}

/* The script again, whole, and so that the server knows it next time. */
static bool send_script(struct gh_redis *redis, const struct gh_redis_call *call)
{
    struct gh_buf *out = &redis->output;
    size_t before = out->len;
    gh_buf_put_char(out, '*');
    gh_buf_put_u64(out, 2 + call->tail_count);
    gh_buf_put(out, GH_STR("\r\n"));
    gh_redis_put_argument(out, GH_STR("EVAL"));
    gh_redis_put_argument(out, call->script->text);
    gh_buf_put(out, gh_str_of(call->tail, call->tail_len));
    if (out->overflow) {
        out->len = before;
        out->overflow = false;
        return false;
    }
    struct gh_redis_call again = *call;
    again.ends_batch = false;
    gh_redis_queue_add(redis, &again);
    redis->counters.commands--; /* still the same */
    return true;
}

void gh_redis_queue_answer(struct gh_redis *redis, struct gh_redis_call *call,
                           const struct gh_redis_reply *reply)
{
    enum gh_redis_failure failure = gh_redis_reply_failure(reply);
    struct gh_redis_call taken = *call; /* its place may be taken again */
    call->tail = NULL;
    if (failure == GH_REDIS_FAIL_NOSCRIPT && taken.callback && taken.script) {
        if (send_script(redis, &taken))
            return;
        failure = GH_REDIS_FAIL_FULL;
        reply = NULL;
    }
    if (failure != GH_REDIS_FAIL_NONE && taken.callback)
        redis->counters.failures[failure]++;
    finish(&taken, gh_redis_failure_facts[failure].err, reply);
}

void gh_redis_queue_fail(struct gh_redis *redis, enum gh_redis_failure failure)
{
    redis->output.len = 0;
    redis->call_unwritten = 0;
    redis->paused = false;
    gh_timer_stop(redis->loop, &redis->call_timer);
    /* None can be added meanwhile: the state is not READY any more. */
    while (redis->call_count > 0) {
        struct gh_redis_call *call = call_at(redis, 0);
        redis->call_first = (redis->call_first + 1) % redis->options.calls_max;
        redis->call_count--;
        if (call->kind == GH_REDIS_CALL_USER && call->due_ms != UINT64_MAX)
            redis->counters.failures[failure]++;
        finish(call, gh_redis_failure_facts[failure].err, NULL);
    }
}

/* ---- Deadlines ---- */

static struct gh_redis *of_call_timer(struct gh_timer *timer)
{
    return (struct gh_redis *)((char *)timer - offsetof(struct gh_redis, call_timer));
}

/* Tells the calls behind the oldest that are overdue; their answers are dropped when they come. */
static void tell_overdue(struct gh_redis *redis, uint64_t now_ms)
{
    for (size_t i = 0; i < redis->call_count; i++) {
        struct gh_redis_call *call = call_at(redis, i);
        if (call->due_ms > now_ms)
            continue;
        call->due_ms = UINT64_MAX;
        if (call->kind == GH_REDIS_CALL_USER)
            redis->counters.failures[GH_REDIS_FAIL_TIMEOUT]++;
        finish(call, GH_ERR_TIMEOUT, NULL);
    }
}

static uint64_t next_due_ms(struct gh_redis *redis)
{
    uint64_t next_ms = UINT64_MAX;
    for (size_t i = 0; i < redis->call_count; i++) {
        if (call_at(redis, i)->due_ms < next_ms)
            next_ms = call_at(redis, i)->due_ms;
    }
    return next_ms;
}

static void on_call_timer(struct gh_timer *timer)
{
    struct gh_redis *redis = of_call_timer(timer);
    uint64_t now_ms = gh_loop_now_ms(redis->loop);
    /* A turn of the loop does not read all that has come: after a long one the answer may be there.
       So what is overdue is looked at again a turn later. */
    bool judging = redis->overdue_seen;
    redis->overdue_seen = !judging && next_due_ms(redis) <= now_ms;
    if (judging && redis->call_count > 0 && call_at(redis, 0)->due_ms <= now_ms) {
        gh_redis_give_up(redis, GH_REDIS_FAIL_TIMEOUT, "");
        return;
    }
    if (judging)
        tell_overdue(redis, now_ms);
    uint64_t next_ms = next_due_ms(redis);
    if (next_ms != UINT64_MAX)
        watch(redis, next_ms > now_ms ? next_ms : now_ms + 1); /* not in this turn again */
}

static void watch(struct gh_redis *redis, uint64_t due_ms)
{
    uint64_t now_ms = gh_loop_now_ms(redis->loop);
    if (gh_timer_is_armed(&redis->call_timer) && redis->call_timer_due_ms <= due_ms)
        return;
    redis->call_timer_due_ms = due_ms;
    gh_timer_start(redis->loop, &redis->call_timer, due_ms > now_ms ? due_ms - now_ms : 0,
                   on_call_timer);
}
