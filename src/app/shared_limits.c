#include "app/shared_limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/redis_target.h"
#include "base/assert.h"
#include "store/redis_limits.h"

#define MESSAGE_BYTES_MAX 4096
#define WHY_BYTES_MAX     160
/* So that a server which comes and goes is not told of each time. */
#define HOLD_MS 1000

/* One worker's. */
struct part {
    struct gh_limit_shared port; /* first */
    struct gh_shared_limits *shared;
    unsigned index;
    struct gh_redis_limits *limits; /* the loop's thread; NULL: closed */
    struct gh_loop *loop;           /* under the lock; NULL: it takes no questions */
    bool known, ready;              /* under the lock */
};

struct gh_shared_limits {
    struct gh_shared_limits_options options;
    struct gh_shared_limits_host host;
    struct gh_redis_limits_slots slots;
    gh_metric_id up_slot;
    struct part *parts;
    atomic_uint next; /* part to be asked by a thread */

    pthread_mutex_t lock; /* guards `target` and what says so in parts */
    struct gh_redis_target *target;
    char why[WHY_BYTES_MAX]; /* of the last loss */

    /* The control thread's. */
    bool up, announced, lost;
    uint64_t lost_ms;
    struct gh_timer hold;
    void (*on_change)(void *context, bool is_shared, struct gh_str what, uint64_t seconds);
    void *context;
};

/* ---- Is it shared: the control thread ---- */

struct view {
    bool up, away; /* all reach it; somebody knows that he does not */
    char why[WHY_BYTES_MAX];
};

static void look_at(struct gh_shared_limits *shared, struct view *out_view)
{
    unsigned open = 0, ready = 0, away = 0;
    pthread_mutex_lock(&shared->lock);
    for (unsigned i = 0; i < shared->options.worker_count; i++) {
        const struct part *part = &shared->parts[i];
        open += part->loop != NULL;
        ready += part->loop && part->ready;
        away += part->loop && part->known && !part->ready;
    }
    memcpy(out_view->why, shared->why, sizeof(out_view->why));
    pthread_mutex_unlock(&shared->lock);
    out_view->up = open && ready == open;
    out_view->away = away > 0;
}

static void set_up(struct gh_shared_limits *shared, bool up)
{
    if (up == shared->up)
        return;
    shared->up = up;
    gh_metric_gauge_add(shared->options.metrics, shared->options.worker_count, shared->up_slot,
                        up ? 1 : -1);
}

static void tell(struct gh_shared_limits *shared, struct gh_str what, uint64_t seconds)
{
    if (shared->on_change)
        shared->on_change(shared->context, !shared->lost, what, seconds);
}

static void on_held(struct gh_timer *timer)
{
    struct gh_shared_limits *shared =
        (struct gh_shared_limits *)((char *)timer - offsetof(struct gh_shared_limits, hold));
    uint64_t seconds = (gh_loop_now_ms(shared->options.control) - shared->lost_ms) / 1000;
    shared->lost = false;
    gh_log_message(shared->options.ring, GH_LOG_INFO,
                   "redis is back: rate limits are shared again, after %llu s",
                   (unsigned long long)seconds);
    tell(shared, GH_STR(""), seconds);
}

static void lose(struct gh_shared_limits *shared, const char *why)
{
    shared->lost = shared->announced = true;
    shared->lost_ms = gh_loop_now_ms(shared->options.control);
    gh_log_message(shared->options.ring, GH_LOG_WARNING,
                   "redis is away (%s): this process limits alone until it is back", why);
    tell(shared, gh_str_from_c(why), 0);
}

static void look(void *arg)
{
    struct gh_shared_limits *shared = arg;
    struct view view;
    look_at(shared, &view);
    set_up(shared, view.up);
    if (view.away && !shared->lost)
        lose(shared, view.why);
    if (!view.up) {
        gh_timer_stop(shared->options.control, &shared->hold);
        return;
    }
    if (shared->lost && !gh_timer_is_armed(&shared->hold))
        gh_timer_start(shared->options.control, &shared->hold, HOLD_MS, on_held);
    if (!shared->lost && !shared->announced)
        gh_log_message(shared->options.ring, GH_LOG_INFO, "rate limits are shared through redis");
    shared->announced = true;
}

/* A look that finds no room is made up for by the next. */
static void post_look(struct gh_shared_limits *shared)
{
    if (gh_loop_post(shared->options.control, look, shared) != GH_OK)
        return;
}

static void on_change(void *context, bool ready, const char *why)
{
    struct part *part = context;
    struct gh_shared_limits *shared = part->shared;
    pthread_mutex_lock(&shared->lock);
    part->known = true;
    part->ready = ready;
    if (!ready)
        snprintf(shared->why, sizeof(shared->why), "%s", why);
    pthread_mutex_unlock(&shared->lock);
    post_look(shared);
}

/* ---- A worker's port ---- */

static bool part_ready(struct gh_limit_shared *port, struct gh_hash_key *out_secret)
{
    struct part *part = (struct part *)port;
    if (!part->limits)
        return false;
    struct gh_limit_shared *inner = gh_redis_limits_port(part->limits);
    return inner->ops->ready(inner, out_secret);
}

static enum gh_limit_asked part_ask(struct gh_limit_shared *port, struct gh_limit_ask *ask)
{
    struct part *part = (struct part *)port;
    if (!part->limits)
        return GH_LIMIT_NOT_ASKED;
    struct gh_limit_shared *inner = gh_redis_limits_port(part->limits);
    return inner->ops->ask(inner, ask);
}

static void part_forget(struct gh_limit_shared *port, struct gh_limit_ask *ask)
{
    struct part *part = (struct part *)port;
    if (!part->limits)
        return;
    struct gh_limit_shared *inner = gh_redis_limits_port(part->limits);
    inner->ops->forget(inner, ask);
}

static const struct gh_limit_shared_ops PART_OPS = {part_ready, part_ask, part_forget};

/* On the loop's thread, or before it runs. */
static enum gh_err connect_part(struct part *part, struct gh_loop *loop)
{
    struct gh_shared_limits *shared = part->shared;
    struct gh_arena arena;
    struct gh_str message;
    gh_arena_init(&arena, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX);
    pthread_mutex_lock(&shared->lock);
    struct gh_redis_options redis = {
        .url = &shared->target->url,
        .ca_path = shared->target->ca,
        .client_name = "gatehouse-limits",
    };
    struct gh_redis_limits_options options = {
        .redis = &redis,
        .secret = shared->options.secret,
        .deadline_ms = shared->target->timeout_ms,
        .metrics = shared->options.metrics,
        .slots = &shared->slots,
        .worker = part->index,
        .on_change = on_change,
        .context = part,
    };
    part->known = part->ready = false;
    enum gh_err err = gh_redis_limits_open(loop, &options, &arena, &part->limits, &message);
    if (err != GH_OK) {
        part->limits = NULL;
        snprintf(shared->why, sizeof(shared->why), "%.*s", GH_STR_ARG(message));
    }
    pthread_mutex_unlock(&shared->lock);
    gh_arena_done(&arena);
    if (err != GH_OK)
        on_change(part, false, shared->why);
    return err;
}

/* A bad file of authorities is no reason not to serve: it is told as Redis being away. */
static enum gh_err host_open(void *context, unsigned worker, struct gh_loop *loop,
                             struct gh_limit_shared **out_port)
{
    struct gh_shared_limits *shared = context;
    struct part *part = &shared->parts[worker];
    pthread_mutex_lock(&shared->lock);
    part->loop = loop;
    pthread_mutex_unlock(&shared->lock);
    *out_port = &part->port;
    return connect_part(part, loop) == GH_ERR_MEMORY ? GH_ERR_MEMORY : GH_OK;
}

static void host_close(void *context, unsigned worker)
{
    struct gh_shared_limits *shared = context;
    struct part *part = &shared->parts[worker];
    pthread_mutex_lock(&shared->lock);
    part->loop = NULL; /* from now on nobody posts to it */
    pthread_mutex_unlock(&shared->lock);
    gh_redis_limits_close(part->limits); /* what it answers may forget what it has asked */
    part->limits = NULL;
}

/* ---- Asking from other threads ---- */

struct errand {
    struct gh_limit_ask ask; /* first */
    struct part *part;
    const struct gh_shared_question *question;
    pthread_mutex_t lock;
    pthread_cond_t done_changed;
    bool done;
};

static void finish(struct gh_limit_ask *ask)
{
    struct errand *errand = ask->owner;
    pthread_mutex_lock(&errand->lock);
    errand->done = true;
    pthread_cond_signal(&errand->done_changed);
    pthread_mutex_unlock(&errand->lock); /* its memory is gone with that */
}

static void run_errand(void *arg)
{
    struct errand *errand = arg;
    const struct gh_shared_question *question = errand->question;
    struct gh_limit_shared *port = &errand->part->port;
    enum gh_limit_asked asked = GH_LIMIT_NOT_ASKED;
    struct gh_hash_key secret;
    errand->ask =
        (struct gh_limit_ask){.count = 1, .together = 1, .answered = finish, .owner = errand};
    if (part_ready(port, &secret)) {
        errand->ask.charges[0] =
            (struct gh_limit_charge){question->rule, question->make_key(question->source, secret)};
        asked = part_ask(port, &errand->ask);
    }
    if (asked != GH_LIMIT_ASKED) /* else its memory may be gone already */
        finish(&errand->ask);
}

/* To the next part that takes it. */
static bool send_errand(struct gh_shared_limits *shared, struct errand *errand)
{
    unsigned count = shared->options.worker_count;
    unsigned first = atomic_fetch_add(&shared->next, 1) % count;
    bool sent = false;
    pthread_mutex_lock(&shared->lock); /* a loop that is there stays there meanwhile */
    for (unsigned i = 0; i < count && !sent; i++) {
        errand->part = &shared->parts[(first + i) % count];
        sent = errand->part->loop && errand->part->ready &&
               gh_loop_post(errand->part->loop, run_errand, errand) == GH_OK;
    }
    pthread_mutex_unlock(&shared->lock);
    return sent;
}

bool gh_shared_limits_decide(struct gh_shared_limits *shared,
                             const struct gh_shared_question *question,
                             struct gh_limit_decision *out_decision)
{
    struct errand errand = {.question = question};
    pthread_mutex_init(&errand.lock, NULL);
    pthread_cond_init(&errand.done_changed, NULL);
    bool sent = send_errand(shared, &errand);
    /* The loop answers within the timeout of Redis, and when it ends. */
    pthread_mutex_lock(&errand.lock);
    while (sent && !errand.done)
        pthread_cond_wait(&errand.done_changed, &errand.lock);
    pthread_mutex_unlock(&errand.lock);
    pthread_cond_destroy(&errand.done_changed);
    pthread_mutex_destroy(&errand.lock);
    *out_decision = errand.ask.decisions[0];
    return sent && errand.ask.decided;
}

/* ---- Life ---- */

static enum gh_err define_metrics(struct gh_shared_limits *shared)
{
    static const struct gh_str USES[] = {GH_STR_INIT("limits")};
    enum gh_err err = gh_redis_limits_define(shared->options.metrics, &shared->slots);
    if (err == GH_OK)
        err = gh_metrics_define(shared->options.metrics, GH_METRIC_GAUGE, "gatehouse_redis_up",
                                "1: Redis is used; 0: it is away, and each node is on its own.",
                                "use", USES, 1, &shared->up_slot);
    return err;
}

struct gh_shared_limits *gh_shared_limits_new(const struct gh_shared_limits_options *options,
                                              const struct gh_redis_url *url,
                                              const struct gh_redis_settings *settings)
{
    struct gh_shared_limits *shared = calloc(1, sizeof(*shared));
    if (!shared)
        return NULL;
    shared->options = *options;
    shared->host = (struct gh_shared_limits_host){shared, host_open, host_close};
    pthread_mutex_init(&shared->lock, NULL);
    shared->parts = calloc(options->worker_count, sizeof(*shared->parts));
    shared->target = gh_redis_target_new(url, settings);
    if (!shared->parts || !shared->target || define_metrics(shared) != GH_OK) {
        gh_shared_limits_close(shared);
        return NULL;
    }
    for (unsigned i = 0; i < options->worker_count; i++)
        shared->parts[i] = (struct part){.port.ops = &PART_OPS, .shared = shared, .index = i};
    return shared;
}

const struct gh_shared_limits_host *gh_shared_limits_host(const struct gh_shared_limits *shared)
{
    return &shared->host;
}

void gh_shared_limits_tell(struct gh_shared_limits *shared,
                           void (*change)(void *context, bool is_shared, struct gh_str what,
                                          uint64_t seconds),
                           void *context)
{
    shared->on_change = change;
    shared->context = context;
}

static void reconnect(void *arg)
{
    struct part *part = arg;
    if (!part->loop) /* it has ended meanwhile; only its own thread changes that */
        return;
    /* What waits is answered, and decided here; an answer may have others forgotten. */
    gh_redis_limits_close(part->limits);
    part->limits = NULL;
    if (connect_part(part, part->loop) == GH_OK) /* else it is told as away */
        post_look(part->shared);
}

void gh_shared_limits_adopt(struct gh_shared_limits *shared, const struct gh_redis_url *url,
                            const struct gh_redis_settings *settings)
{
    struct gh_redis_target *target = gh_redis_target_new(url, settings);
    if (!target || gh_redis_target_is_same(target, shared->target)) {
        gh_redis_target_free(target);
        return;
    }
    pthread_mutex_lock(&shared->lock);
    struct gh_redis_target *old = shared->target;
    shared->target = target;
    for (unsigned i = 0; i < shared->options.worker_count; i++) {
        struct part *part = &shared->parts[i];
        if (part->loop && gh_loop_post(part->loop, reconnect, part) != GH_OK)
            gh_log_message(shared->options.ring, GH_LOG_ERROR,
                           "worker %u keeps its old connection to redis", i);
    }
    pthread_mutex_unlock(&shared->lock);
    gh_redis_target_free(old);
    gh_log_message(shared->options.ring, GH_LOG_INFO, "redis: its settings are new");
}

void gh_shared_limits_close(struct gh_shared_limits *shared)
{
    if (!shared)
        return;
    gh_timer_stop(shared->options.control, &shared->hold);
    gh_redis_target_free(shared->target);
    free(shared->parts);
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}
