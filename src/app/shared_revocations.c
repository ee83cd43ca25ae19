#include "app/shared_revocations.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/redis_target.h"
#include "store/redis_revocations.h"

#define MESSAGE_BYTES_MAX 4096
/* So that a server which comes and goes is not told of each time. */
#define HOLD_MS 1000
/* Each time it listens again the store is read: whoever breaks the connection again and again (a
   message over all bounds does) brings about no more readings than there are anyway. */
#define BACKOFF_MIN_MS 500
/* Sessions that may wait for the thread: more than it ever lets wait while it runs at all. */
#define WAITING_MAX 4096

struct gh_shared_revocations {
    struct gh_shared_revocations_options options;
    struct gh_shared_revocations_host host;
    struct gh_redis_revocations_slots slots;
    gh_metric_id up_slot;
    struct gh_log_ring *ring; /* the thread's */
    struct gh_loop *loop;
    pthread_t thread;

    pthread_mutex_t lock; /* guards these */
    struct gh_redis_target *target;
    struct gh_revocation_note *waiting;
    size_t waiting_count;
    uint64_t without_room; /* calls that found not enough */
    bool running, posted;

    /* The thread's. */
    struct gh_redis_revocations *redis; /* NULL: it can't be opened, or was closed */
    bool up, announced, lost;
    uint64_t lost_ms;
    struct gh_timer hold;
};

/* ---- Is it there? ---- */

static void set_up(struct gh_shared_revocations *shared, bool up)
{
    if (up == shared->up)
        return;
    shared->up = up;
    gh_metric_gauge_add(shared->options.metrics, shared->options.row, shared->up_slot, up ? 1 : -1);
}

static void on_held(struct gh_timer *timer)
{
    struct gh_shared_revocations *shared =
        (struct gh_shared_revocations *)((char *)timer -
                                         offsetof(struct gh_shared_revocations, hold));
    shared->lost = false;
    gh_log_message(shared->ring, GH_LOG_INFO,
                   "redis is back: sessions that end are published again, after %llu s",
                   (unsigned long long)((gh_loop_now_ms(shared->loop) - shared->lost_ms) / 1000));
}

static void on_change(void *context, bool up, const char *why)
{
    struct gh_shared_revocations *shared = context;
    set_up(shared, up);
    if (!up) {
        gh_timer_stop(shared->loop, &shared->hold);
        if (!shared->lost) {
            shared->lost = true;
            shared->lost_ms = gh_loop_now_ms(shared->loop);
            gh_log_message(shared->ring, GH_LOG_WARNING,
                           "redis is away (%s): which sessions others end is read from the store "
                           "only",
                           why);
        }
    } else if (shared->lost) {
        gh_timer_start(shared->loop, &shared->hold, HOLD_MS, on_held);
    } else if (!shared->announced) {
        gh_log_message(shared->ring, GH_LOG_INFO, "sessions that end are published through redis");
    }
    shared->announced = true;
}

static void on_listening(void *context)
{
    struct gh_shared_revocations *shared = context;
    shared->host.read_back(shared->host.context);
}

/* ---- The thread ---- */

/* A bad file of authorities is no reason not to serve: it is told as Redis being away. */
static void connect_redis(struct gh_shared_revocations *shared)
{
    char why[160];
    struct gh_arena arena;
    struct gh_str message;
    gh_arena_init(&arena, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX);
    pthread_mutex_lock(&shared->lock);
    struct gh_redis_options redis = {
        .url = &shared->target->url,
        .ca_path = shared->target->ca,
        .client_name = "gatehouse-revocations",
        .backoff_min_ms = BACKOFF_MIN_MS,
    };
    struct gh_redis_revocations_options options = {
        .redis = &redis,
        .secret = shared->host.secret,
        .revocations = shared->host.revocations,
        .metrics = shared->options.metrics,
        .slots = &shared->slots,
        .worker = shared->options.row,
        .on_listening = on_listening,
        .on_change = on_change,
        .context = shared,
    };
    enum gh_err err =
        gh_redis_revocations_open(shared->loop, &options, &arena, &shared->redis, &message);
    if (err != GH_OK)
        shared->redis = NULL;
    pthread_mutex_unlock(&shared->lock);
    if (err != GH_OK) {
        snprintf(why, sizeof(why), "%.*s", GH_STR_ARG(message));
        on_change(shared, false, why);
    }
    gh_arena_done(&arena);
}

/* Up to `max` of those that wait; 0: none are left, and the next one posts again. */
static size_t take_some(struct gh_shared_revocations *shared, struct gh_revocation_note *out_notes,
                        size_t max, uint64_t *out_without_room)
{
    pthread_mutex_lock(&shared->lock);
    size_t some = shared->waiting_count < max ? shared->waiting_count : max;
    shared->waiting_count -= some; /* in any order */
    memcpy(out_notes, shared->waiting + shared->waiting_count, some * sizeof(*out_notes));
    *out_without_room = shared->without_room;
    shared->without_room = 0;
    if (!some)
        shared->posted = false;
    pthread_mutex_unlock(&shared->lock);
    return some;
}

/* All that has come by now, so that what ends together goes out together. */
static void send_waiting(void *arg)
{
    struct gh_shared_revocations *shared = arg;
    struct gh_revocation_note notes[GH_REVOCATION_NOTES_MAX];
    uint64_t unpublished;
    size_t some;
    do {
        some = take_some(shared, notes, GH_REVOCATION_NOTES_MAX, &unpublished);
        if (some && shared->redis)
            gh_redis_revocations_publish(shared->redis, notes, some);
        else if (some)
            unpublished++;
        gh_metric_add(shared->options.metrics, shared->options.row,
                      shared->slots.results[GH_REDIS_REVOCATIONS_UNPUBLISHED], unpublished);
    } while (some);
}

static void reconnect(void *arg)
{
    struct gh_shared_revocations *shared = arg;
    gh_redis_revocations_close(shared->redis);
    connect_redis(shared);
}

static void end(void *arg)
{
    struct gh_shared_revocations *shared = arg;
    gh_redis_revocations_close(shared->redis);
    shared->redis = NULL;
    gh_timer_stop(shared->loop, &shared->hold);
    gh_loop_stop(shared->loop);
}

static void on_turn(void *arg)
{
    gh_log_flush(((struct gh_shared_revocations *)arg)->ring);
}

static void *run(void *arg)
{
    struct gh_shared_revocations *shared = arg;
    connect_redis(shared);
    gh_loop_run(shared->loop);
    gh_log_flush(shared->ring);
    return NULL;
}

/* ---- From other threads ---- */

void gh_shared_revocations_publish(struct gh_shared_revocations *shared,
                                   const struct gh_id *session_ids, size_t count, uint64_t until_s)
{
    pthread_mutex_lock(&shared->lock);
    size_t room = shared->running ? WAITING_MAX - shared->waiting_count : 0;
    size_t taken = count < room ? count : room;
    for (size_t i = 0; i < taken; i++)
        shared->waiting[shared->waiting_count++] =
            (struct gh_revocation_note){session_ids[i], until_s};
    shared->without_room += taken < count;
    if (shared->running && count && !shared->posted)
        shared->posted = gh_loop_post(shared->loop, send_waiting, shared) == GH_OK;
    pthread_mutex_unlock(&shared->lock);
}

void gh_shared_revocations_adopt(struct gh_shared_revocations *shared,
                                 const struct gh_redis_url *url,
                                 const struct gh_redis_settings *settings)
{
    struct gh_redis_target *target = gh_redis_target_new(url, settings);
    pthread_mutex_lock(&shared->lock);
    if (target && !gh_redis_target_is_same(target, shared->target)) {
        struct gh_redis_target *old = shared->target;
        shared->target = target;
        target = old;
        /* Only these two are ever posted, the other one once at a time: there is room. */
        if (shared->running && gh_loop_post(shared->loop, reconnect, shared) != GH_OK)
            shared->without_room++;
    }
    pthread_mutex_unlock(&shared->lock);
    gh_redis_target_free(target);
}

/* ---- Life ---- */

struct gh_shared_revocations *gh_shared_revocations_new(
    const struct gh_shared_revocations_options *options, const struct gh_redis_url *url,
    const struct gh_redis_settings *settings)
{
    struct gh_shared_revocations *shared = calloc(1, sizeof(*shared));
    if (!shared)
        return NULL;
    shared->options = *options;
    pthread_mutex_init(&shared->lock, NULL);
    shared->waiting = calloc(WAITING_MAX, sizeof(*shared->waiting));
    shared->target = gh_redis_target_new(url, settings);
    if (!shared->waiting || !shared->target ||
        gh_log_ring_open(options->log, &shared->ring) != GH_OK) {
        gh_shared_revocations_free(shared);
        return NULL;
    }
    return shared;
}

static enum gh_err define_metrics(struct gh_shared_revocations *shared)
{
    static const struct gh_str USES[] = {GH_STR_INIT("revocations")};
    enum gh_err err = gh_redis_revocations_define(shared->options.metrics, &shared->slots);
    if (err == GH_OK)
        err = gh_metrics_define(shared->options.metrics, GH_METRIC_GAUGE, "gatehouse_redis_up",
                                "1: Redis is used; 0: it is away, and each node is on its own.",
                                "use", USES, 1, &shared->up_slot);
    return err;
}

enum gh_err gh_shared_revocations_start(struct gh_shared_revocations *shared,
                                        const struct gh_shared_revocations_host *host)
{
    shared->host = *host;
    enum gh_err err = define_metrics(shared);
    if (err == GH_OK)
        err = gh_loop_open(&shared->loop);
    if (err != GH_OK)
        return err;
    gh_loop_on_turn(shared->loop, on_turn, shared);
    pthread_mutex_lock(&shared->lock);
    shared->running = pthread_create(&shared->thread, NULL, run, shared) == 0;
    pthread_mutex_unlock(&shared->lock);
    if (shared->running)
        return GH_OK;
    gh_loop_close(shared->loop);
    return GH_ERR_MEMORY;
}

void gh_shared_revocations_stop(struct gh_shared_revocations *shared)
{
    pthread_mutex_lock(&shared->lock);
    bool stops = shared->running && gh_loop_post(shared->loop, end, shared) == GH_OK;
    shared->running = shared->running && !stops;
    pthread_mutex_unlock(&shared->lock);
    if (!stops)
        return;
    pthread_join(shared->thread, NULL);
    gh_loop_close(shared->loop);
}

void gh_shared_revocations_free(struct gh_shared_revocations *shared)
{
    if (!shared)
        return;
    gh_shared_revocations_stop(shared);
    gh_redis_target_free(shared->target);
    free(shared->waiting);
    gh_wipe(&shared->host.secret, sizeof(shared->host.secret));
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}
