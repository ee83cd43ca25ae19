#include "store/redis_limits.h"

#include <stdlib.h>

#include "base/assert.h"
#include "store/redis_limits_wire.h"
#include "store/redis_script.h"

/* Between two looks at a server that takes commands and can't carry them out. */
#define RETRY_MS 1000
/* Refusals that are remembered, and for how long: the count may be deleted by hand. */
#define REFUSALS    1024
#define REMEMBER_MS 1000

/* Of one limit. */
struct refusal {
    struct gh_hash128 key;
    uint64_t until_ms;     /* when it would be admitted again */
    uint64_t ask_after_ms; /* not remembered from then on */
};

struct gh_redis_limits {
    struct gh_limit_shared port; /* first */
    struct gh_redis_limits_options options;
    struct gh_loop *loop;
    struct gh_redis *redis;
    struct gh_redis_script script;
    struct gh_hash_key secret;
    struct gh_timer retry;
    bool ready, told, closing;
    bool secret_taken; /* over from Redis, and not used yet */
    struct gh_redis_counters counted;
    struct refusal refusals[REFUSALS]; /* by key; a later one takes the place */
};

/* ---- Metrics ---- */

enum gh_err gh_redis_limits_define(struct gh_metrics *metrics,
                                   struct gh_redis_limits_slots *out_slots)
{
    static const struct gh_str RESULTS[GH_REDIS_LIMITS_RESULT_COUNT] = {
#define X(id, label) [GH_REDIS_LIMITS_##id] = GH_STR_INIT(label),
        GH_REDIS_LIMITS_RESULTS(X)
#undef X
    };
    const struct {
        enum gh_metric_kind kind;
        const char *name, *help;
        gh_metric_id *slot;
    } plain[] = {
        {GH_METRIC_HISTOGRAM, "gatehouse_shared_limits_duration_seconds",
         "From a question about shared limits to its answer.", &out_slots->duration},
        {GH_METRIC_COUNTER, "gatehouse_shared_limits_commands_total",
         "Commands sent to Redis for shared limits.", &out_slots->commands},
        {GH_METRIC_COUNTER, "gatehouse_shared_limits_writes_total",
         "Writes to Redis that carried these commands.", &out_slots->writes},
        {GH_METRIC_COUNTER, "gatehouse_shared_limits_round_trips_total",
         "Such writes that were answered to the end.", &out_slots->round_trips},
        {GH_METRIC_COUNTER, "gatehouse_shared_limits_connects_total",
         "Connections to Redis that were made for shared limits.", &out_slots->connects},
    };
    enum gh_err err =
        gh_metrics_define(metrics, GH_METRIC_COUNTER, "gatehouse_shared_limits_total",
                          "Questions about shared limits by what became of them; all but decided "
                          "and remembered ones were decided "
                          "by this process's own table.",
                          "result", RESULTS, GH_REDIS_LIMITS_RESULT_COUNT, out_slots->results);
    for (size_t i = 0; err == GH_OK && i < sizeof(plain) / sizeof(plain[0]); i++)
        err = gh_metrics_define(metrics, plain[i].kind, plain[i].name, plain[i].help, NULL, NULL, 1,
                                plain[i].slot);
    return err;
}

static void count(const struct gh_redis_limits *limits, enum gh_redis_limits_result result)
{
    const struct gh_redis_limits_options *options = &limits->options;
    if (options->metrics)
        gh_metric_add(options->metrics, options->worker, options->slots->results[result], 1);
}

/* What the client has counted since. */
static void publish(struct gh_redis_limits *limits)
{
    const struct gh_redis_limits_options *options = &limits->options;
    if (!options->metrics)
        return;
    const struct gh_redis_counters *now = gh_redis_counters(limits->redis);
    struct gh_redis_counters *before = &limits->counted;
    const struct {
        gh_metric_id slot;
        uint64_t now, before;
    } counters[] = {
        {options->slots->commands, now->commands, before->commands},
        {options->slots->writes, now->batches, before->batches},
        {options->slots->round_trips, now->round_trips, before->round_trips},
        {options->slots->connects, now->connects, before->connects},
    };
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        if (counters[i].now != counters[i].before)
            gh_metric_add(options->metrics, options->worker, counters[i].slot,
                          counters[i].now - counters[i].before);
    }
    *before = *now;
}

/* ---- Is it there? ---- */

static void set_ready(struct gh_redis_limits *limits, bool ready, const char *why)
{
    if (limits->closing || (limits->told && limits->ready == ready))
        return;
    limits->ready = ready;
    limits->told = true;
    if (limits->options.on_change)
        limits->options.on_change(limits->options.context, ready, why);
}

static void probe(struct gh_redis_limits *limits);

static void on_retry(struct gh_timer *timer)
{
    struct gh_redis_limits *limits =
        (struct gh_redis_limits *)((char *)timer - offsetof(struct gh_redis_limits, retry));
    if (gh_redis_is_ready(limits->redis))
        probe(limits);
}

/* The server answers, and can't do what it is asked. */
static void be_unable(struct gh_redis_limits *limits, const char *why)
{
    if (limits->closing)
        return;
    set_ready(limits, false, why);
    gh_timer_start(limits->loop, &limits->retry, RETRY_MS, on_retry);
}

/* Of an answer that is none. The connection may be gone with it, which on_state tells. */
static void be_refused(struct gh_redis_limits *limits, enum gh_err err,
                       const struct gh_redis_reply *reply)
{
    enum gh_redis_failure failure = reply ? gh_redis_reply_failure(reply) : GH_REDIS_FAIL_NONE;
    if (reply && !gh_redis_failure_facts[failure].gives_up)
        be_unable(limits, gh_redis_failure_facts[failure].label);
    else if (!reply && err == GH_ERR_MEMORY)
        be_unable(limits, "no memory");
}

static void on_probed(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_redis_limits *limits = context;
    if (err != GH_OK) {
        be_refused(limits, err, reply);
        return;
    }
    switch (gh_redis_limits_read(reply, NULL, &limits->secret)) {
    case GH_REDIS_LIMITS_SAID_NOTHING:
        be_unable(limits, "a strange answer");
        return;
    case GH_REDIS_LIMITS_SAID_DECISIONS:
        limits->secret_taken = false;
        set_ready(limits, true, "");
        return;
    case GH_REDIS_LIMITS_SAID_SECRET: /* nothing was written yet */
        limits->secret_taken = !limits->secret_taken;
        if (limits->secret_taken)
            probe(limits);
        else
            be_unable(limits, "its secret changes");
        return;
    }
}

static enum gh_err call(struct gh_redis_limits *limits, const struct gh_limit_ask *ask,
                        gh_redis_answer_fn *answered, void *context)
{
    struct gh_redis_limits_call call;
    gh_redis_limits_write(ask, limits->secret, &call);
    return gh_redis_script_call(limits->redis, &limits->script, call.keys, call.key_count,
                                call.arguments, call.argument_count, limits->options.deadline_ms,
                                answered, context);
}

static void probe(struct gh_redis_limits *limits)
{
    gh_timer_stop(limits->loop, &limits->retry);
    if (call(limits, NULL, on_probed, limits) != GH_OK && gh_redis_is_ready(limits->redis))
        be_unable(limits, "the queue is full");
}

static void on_state(void *context, const struct gh_redis_status *status)
{
    struct gh_redis_limits *limits = context;
    publish(limits);
    if (status->state == GH_REDIS_READY) {
        probe(limits);
        return;
    }
    gh_timer_stop(limits->loop, &limits->retry);
    if (status->state == GH_REDIS_AWAY)
        set_ready(limits, false, status->message);
}

/* ---- The port ---- */

static struct gh_redis_limits *limits_of(struct gh_limit_shared *shared)
{
    return (struct gh_redis_limits *)shared;
}

static bool is_ready(struct gh_limit_shared *shared, struct gh_hash_key *out_secret)
{
    struct gh_redis_limits *limits = limits_of(shared);
    *out_secret = limits->secret;
    if (limits->ready && gh_redis_is_ready(limits->redis))
        return true;
    count(limits, GH_REDIS_LIMITS_AWAY);
    return false;
}

/* ---- Refusals ---- */

static struct refusal *place_of(struct gh_redis_limits *limits, struct gh_hash128 key)
{
    return &limits->refusals[key.lo % REFUSALS];
}

static void remember(struct gh_redis_limits *limits, const struct gh_limit_ask *ask)
{
    uint64_t now_ms = gh_loop_now_ms(limits->loop);
    for (size_t i = 0; i < ask->together; i++) {
        uint64_t wait_ms = ask->decisions[i].retry_after_ms;
        if (!ask->decisions[i].allowed)
            *place_of(limits, ask->charges[i].key) = (struct refusal){
                .key = ask->charges[i].key,
                .until_ms = now_ms + wait_ms,
                .ask_after_ms = now_ms + (wait_ms < REMEMBER_MS ? wait_ms : REMEMBER_MS),
            };
    }
}

/* True: one of those that are charged together refuses still. Of the others it is not known what is
   left, nor is that told with a refusal. */
static bool recall(struct gh_redis_limits *limits, struct gh_limit_ask *ask)
{
    uint64_t now_ms = gh_loop_now_ms(limits->loop);
    bool refused = false;
    for (size_t i = 0; i < ask->together; i++) {
        const struct gh_hash128 key = ask->charges[i].key;
        const struct refusal *refusal = place_of(limits, key);
        bool holds = refusal->key.lo == key.lo && refusal->key.hi == key.hi &&
                     refusal->ask_after_ms > now_ms;
        uint64_t wait_ms = holds ? refusal->until_ms - now_ms : 0;
        ask->decisions[i] = (struct gh_limit_decision){
            .allowed = !holds, .retry_after_ms = wait_ms, .reset_ms = wait_ms};
        refused |= holds;
    }
    ask->decided = refused;
    ask->admitted = false;
    ask->decided_count = ask->together;
    return refused;
}

/* ---- Questions ---- */

static enum gh_redis_limits_result result_of(enum gh_err err, const struct gh_redis_reply *reply)
{
    if (err == GH_ERR_TIMEOUT)
        return GH_REDIS_LIMITS_TIMEOUT;
    return reply ? GH_REDIS_LIMITS_ERROR : GH_REDIS_LIMITS_LOST;
}

static enum gh_redis_limits_result take(struct gh_redis_limits *limits, struct gh_limit_ask *ask,
                                        const struct gh_redis_reply *reply)
{
    switch (gh_redis_limits_read(reply, ask, &limits->secret)) {
    case GH_REDIS_LIMITS_SAID_NOTHING:
        be_unable(limits, "a strange answer");
        return GH_REDIS_LIMITS_ERROR;
    case GH_REDIS_LIMITS_SAID_DECISIONS:
        if (!ask->admitted)
            remember(limits, ask);
        break;
    case GH_REDIS_LIMITS_SAID_SECRET:
        return GH_REDIS_LIMITS_OTHER_SECRET;
    }
    return GH_REDIS_LIMITS_DECIDED;
}

static void on_answer(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_limit_ask *ask = context;
    struct gh_redis_limits *limits = ask->adapter;
    const struct gh_redis_limits_options *options = &limits->options;
    enum gh_redis_limits_result result = result_of(err, reply);
    ask->decided = false;
    if (err == GH_OK)
        result = take(limits, ask, reply);
    else
        be_refused(limits, err, reply);
    count(limits, result);
    if (ask->decided && options->metrics)
        gh_metric_observe_us(options->metrics, options->worker, options->slots->duration,
                             gh_loop_now_us(limits->loop) - ask->asked_us);
    publish(limits);
    ask->answered(ask);
}

static enum gh_limit_asked ask(struct gh_limit_shared *shared, struct gh_limit_ask *question)
{
    struct gh_redis_limits *limits = limits_of(shared);
    GH_ASSERT(question->count && question->together <= question->count);
    if (recall(limits, question)) {
        count(limits, GH_REDIS_LIMITS_REMEMBERED);
        return GH_LIMIT_ANSWERED;
    }
    question->adapter = limits;
    question->asked_us = gh_loop_now_us(limits->loop);
    enum gh_err err = call(limits, question, on_answer, question);
    if (err == GH_OK)
        return GH_LIMIT_ASKED;
    count(limits, err == GH_ERR_FULL ? GH_REDIS_LIMITS_FULL : GH_REDIS_LIMITS_AWAY);
    return GH_LIMIT_NOT_ASKED;
}

static void forget(struct gh_limit_shared *shared, struct gh_limit_ask *question)
{
    gh_redis_cancel(limits_of(shared)->redis, question);
}

static const struct gh_limit_shared_ops OPS = {is_ready, ask, forget};

/* ---- Life ---- */

enum gh_err gh_redis_limits_open(struct gh_loop *loop,
                                 const struct gh_redis_limits_options *options,
                                 struct gh_arena *arena, struct gh_redis_limits **out_limits,
                                 struct gh_str *out_message)
{
    struct gh_redis_limits *limits = calloc(1, sizeof(*limits));
    *out_message = GH_STR("out of memory");
    if (!limits)
        return GH_ERR_MEMORY;
    limits->port.ops = &OPS;
    limits->options = *options;
    limits->loop = loop;
    limits->secret = options->secret;
    if (!limits->options.deadline_ms)
        limits->options.deadline_ms = GH_REDIS_LIMITS_DEADLINE_MS;
    gh_redis_script_init(&limits->script, gh_str_from_c(gh_redis_limits_script));
    struct gh_redis_options redis = *options->redis;
    redis.hooks = (struct gh_redis_hooks){.on_state = on_state};
    redis.context = limits;
    enum gh_err err = gh_redis_open(loop, &redis, arena, &limits->redis, out_message);
    if (err != GH_OK) {
        free(limits);
        return err;
    }
    *out_limits = limits;
    return GH_OK;
}

void gh_redis_limits_close(struct gh_redis_limits *limits)
{
    if (!limits)
        return;
    limits->closing = true;
    limits->ready = false;
    gh_timer_stop(limits->loop, &limits->retry);
    gh_redis_close(limits->redis);
    free(limits);
}

struct gh_limit_shared *gh_redis_limits_port(struct gh_redis_limits *limits)
{
    return &limits->port;
}
