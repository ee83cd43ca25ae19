#include "app/audit_export.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/audit_export_plan.h"
#include "app/audit_messages.h"
#include "app/config_file.h"
#include "audit/format.h"
#include "identity/audit_chains.h"
#include "identity/audit_key.h"
#include "net/loop.h"

#define ARENA_BLOCK_BYTES (256u * 1024)
#define ARENA_BYTES_MAX   (64u * 1024 * 1024)
#define TEXTS_BYTES_MAX   (1024u * 1024)
#define RETRY_MIN_MS      1000
#define RETRY_MAX_MS      60000
#define COMPLAIN_MS       60000
#define END_SECONDS       5
#define HOST_NAME_BYTES   128

/* One place, what goes there, and the thread that brings it: nobody waits for another place. */
struct route {
    struct gh_audit_exporter *exporter;
    struct route *next;
    struct gh_arena arena; /* of the destination */
    struct gh_audit_destination destination;
    struct gh_redis_target *redis; /* of the destination; NULL: none */
    bool checkpoints;              /* else records */
    enum gh_audit_export_format format;
    pthread_t thread;
    atomic_bool stop; /* ends a transfer that is under way */
    atomic_bool failing;
    uint64_t retry_at_ms, retry_after_ms, complain_at_ms; /* the thread's */
    bool is_behind;    /* the same: the last turn did not bring all that was there */
    bool wanted;       /* the caller's, in a reload */
    bool is_new;       /* it goes on from no other one */
    uint64_t head_seq; /* of the own chain as it was then */

    /* Under the exporter's lock; changed by the thread alone: */
    struct gh_audit_stretches todo;
    uint64_t number; /* of audit_written: through this one it is in there */
    /* Under the exporter's lock: */
    bool leaving; /* the configuration has it no more */
    bool over;    /* the thread may be joined */
    uint64_t looks;
};

struct gh_audit_exporter {
    struct gh_audit_exporter_options options;
    char host[HOST_NAME_BYTES];
    struct gh_log_ring *ring;
    pthread_mutex_t log_lock;           /* guards the ring */
    struct gh_audit_export_start start; /* of places that are new */
    struct gh_audit_stretches left;     /* of places of checkpoints, at the start of the process */

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t woken, ended;
    struct route *routes; /* changed by the caller's thread alone */
    uint64_t looks;       /* how often there was something new */
    unsigned running;     /* threads */
    bool end;
};

/* ---- Routes ---- */

static void route_free(struct route *route)
{
    if (!route)
        return;
    gh_redis_target_free(route->redis);
    gh_audit_stretches_done(&route->todo);
    gh_arena_done(&route->arena);
    free(route);
}

/* Where it can't be had, delivering fails and says so. */
static void find_redis(struct route *route, const struct gh_audit_settings *settings)
{
    const struct gh_secret_source source = {gh_environment_get, NULL};
    struct gh_arena arena;
    struct gh_redis_url url;
    struct gh_str message;
    if (route->destination.place != GH_AUDIT_PLACE_REDIS || !settings->redis.url.len)
        return;
    gh_arena_init(&arena, 4096, 64 * 1024);
    if (gh_redis_settings_resolve(&settings->redis, settings->production, &source, &arena, &url,
                                  &message))
        route->redis = gh_redis_target_new(&url, &settings->redis);
    gh_arena_done(&arena);
    route->destination.redis = route->redis;
}

/* NULL: no memory, or no destination (which check has told). */
static struct route *route_new(struct gh_audit_exporter *exporter, struct gh_str text,
                               bool checkpoints, enum gh_audit_export_format format)
{
    const char *why;
    struct route *route = calloc(1, sizeof(*route));
    if (!route)
        return NULL;
    gh_arena_init(&route->arena, 4096, 64 * 1024);
    route->exporter = exporter;
    route->checkpoints = checkpoints;
    route->format = format;
    route->wanted = true;
    struct gh_str own = gh_arena_dup(&route->arena, text);
    if (own.ptr && gh_audit_destination_parse(own, &route->arena, &route->destination, &why))
        return route;
    route_free(route);
    return NULL;
}

static void complain_of_file(struct gh_audit_exporter *exporter, const struct route *route)
{
    pthread_mutex_lock(&exporter->log_lock);
    gh_log_message(exporter->ring, GH_LOG_ERROR,
                   "audit: %.*s holds records that this log does not have: it is another's, or "
                   "the store was put back",
                   GH_STR_ARG(route->destination.text));
    gh_log_flush(exporter->ring);
    pthread_mutex_unlock(&exporter->log_lock);
}

/* A file of JSON says itself how far it is. */
static bool tells_its_end(const struct route *route)
{
    return !route->checkpoints && route->destination.place == GH_AUDIT_PLACE_FILE &&
           route->format != GH_AUDIT_EXPORT_CEF;
}

/* ---- What is to be delivered ---- */

/* The thread begins with where the file ends. */
static void begin(struct route *route)
{
    struct gh_audit_exporter *exporter = route->exporter;
    if (!route->is_new || !route->todo.count || !tells_its_end(route))
        return;
    struct gh_audit_stretch *own = &route->todo.items[0];
    uint64_t seq = gh_audit_export_file_seq(route->destination.path.ptr, own->chain);
    if (seq > route->head_seq)
        complain_of_file(exporter, route);
    if (!seq || seq > route->head_seq)
        return;
    pthread_mutex_lock(&exporter->lock);
    own->from = own->after = seq;
    pthread_mutex_unlock(&exporter->lock);
}

/* What this process has written of other chains than that which it is known to write. What can't
   be read now is there the next time. */
static void plan(struct route *route, struct gh_arena *arena)
{
    struct gh_audit_exporter *exporter = route->exporter;
    const struct gh_audit_stretch *open = gh_audit_stretches_open(&route->todo);
    struct gh_audit_export_news news = {.number = route->number,
                                        .open_chain = open ? open->chain : 0};
    bool added = true;
    gh_arena_reset(arena);
    if (gh_audit_export_news_read(exporter->options.identity->store, arena, &news) != GH_OK)
        return;
    for (size_t i = 0; i < news.count && tells_its_end(route); i++)
        gh_audit_export_skip(&news.items[i], route->destination.path.ptr);
    pthread_mutex_lock(&exporter->lock);
    if (news.moved)
        gh_audit_stretches_end(&route->todo, news.open_through);
    for (size_t i = 0; i < news.count && added; i++)
        added = gh_audit_stretches_add(&route->todo, news.items[i].chain, news.items[i].after,
                                       news.items[i].through);
    if (added)
        route->number = news.number;
    pthread_mutex_unlock(&exporter->lock);
}

/* ---- Delivering ---- */

static void complain(struct route *route, enum gh_err err, struct gh_str detail)
{
    struct gh_audit_exporter *exporter = route->exporter;
    uint64_t now_ms = gh_monotonic_now_ms();
    route->retry_after_ms = route->retry_after_ms ? route->retry_after_ms * 2 : RETRY_MIN_MS;
    if (route->retry_after_ms > RETRY_MAX_MS)
        route->retry_after_ms = RETRY_MAX_MS;
    route->retry_at_ms = now_ms + route->retry_after_ms;
    if (atomic_exchange(&route->failing, true) && now_ms < route->complain_at_ms)
        return;
    route->complain_at_ms = now_ms + COMPLAIN_MS;
    pthread_mutex_lock(&exporter->log_lock);
    gh_log_message(exporter->ring, GH_LOG_ERROR,
                   "audit: %s do not reach %.*s: %s %.*s; they are tried again",
                   route->checkpoints ? "checkpoints" : "records",
                   GH_STR_ARG(route->destination.text), gh_err_text(err), GH_STR_ARG(detail));
    gh_log_flush(exporter->ring);
    pthread_mutex_unlock(&exporter->log_lock);
}

static void settle(struct route *route, size_t index, const struct gh_audit_messages *messages)
{
    struct gh_audit_exporter *exporter = route->exporter;
    bool failed = atomic_exchange(&route->failing, false);
    route->retry_after_ms = 0;
    pthread_mutex_lock(&exporter->lock);
    route->todo.items[index].after = messages->through;
    pthread_mutex_unlock(&exporter->lock);
    if (!failed && !messages->left_out)
        return;
    pthread_mutex_lock(&exporter->log_lock);
    if (failed)
        gh_log_message(exporter->ring, GH_LOG_INFO, "audit: %.*s takes the log again",
                       GH_STR_ARG(route->destination.text));
    if (messages->left_out)
        gh_log_message(exporter->ring, GH_LOG_ERROR,
                       "audit: %llu records can't be written for %.*s and are left out there, the "
                       "last is %llu",
                       (unsigned long long)messages->left_out, GH_STR_ARG(route->destination.text),
                       (unsigned long long)messages->left_out_seq);
    gh_log_flush(exporter->ring);
    pthread_mutex_unlock(&exporter->log_lock);
}

/* One page; *out_more: there may be another. False: it could not be delivered. */
static bool deliver_page(struct route *route, struct gh_arena *arena, size_t index, bool *out_more)
{
    const struct gh_audit_stretch stretch = route->todo.items[index];
    struct gh_audit_message_page page;
    struct gh_audit_messages messages = {.through = stretch.after};
    const struct gh_audit_message_form form = {.place = route->destination.place,
                                               .checkpoints = route->checkpoints,
                                               .format = route->format,
                                               .host = gh_str_from_c(route->exporter->host)};
    struct gh_str detail = GH_STR("");
    *out_more = false;
    if (stretch.after >= stretch.through)
        return true;
    gh_arena_reset(arena);
    enum gh_err err = gh_audit_export_page_read(route->exporter->options.identity->store, arena,
                                                &stretch, route->checkpoints, &page);
    if (err == GH_OK && !page.count && !page.passed.count)
        return true;
    char *texts = gh_arena_alloc(arena, TEXTS_BYTES_MAX);
    struct gh_buf buf = gh_buf_over(texts, texts ? TEXTS_BYTES_MAX : 0);
    if (err == GH_OK)
        err = texts ? gh_audit_messages_put(&form, &page, arena, &buf, &messages) : GH_ERR_MEMORY;
    if (err == GH_OK && messages.count)
        err = gh_audit_deliver(&route->destination, messages.items, messages.count, &route->stop,
                               arena, &detail);
    if (err != GH_OK) {
        complain(route, err, detail);
        return false;
    }
    settle(route, index, &messages);
    *out_more = true;
    return true;
}

/* A page of the next one. True: all has been delivered. */
static bool deliver_next(struct route *route, struct gh_arena *arena, bool *out_failed)
{
    size_t index = gh_audit_stretches_next(&route->todo);
    bool more = true;
    if (index == route->todo.count)
        return true;
    *out_failed = atomic_load(&route->stop) || !deliver_page(route, arena, index, &more);
    if (*out_failed)
        return false;
    if (more) {
        plan(route, arena); /* its end may be nearer than was thought: that chain may be lost */
        return false;
    }
    if (route->todo.items[index].through == GH_AUDIT_STRETCH_OPEN)
        return true;
    pthread_mutex_lock(&route->exporter->lock);
    gh_audit_stretches_remove(&route->todo, index);
    pthread_mutex_unlock(&route->exporter->lock);
    return false;
}

static void deliver(struct route *route, struct gh_arena *arena, bool at_once)
{
    plan(route, arena);
    route->is_behind = true;
    if (atomic_load(&route->failing) && !at_once && gh_monotonic_now_ms() < route->retry_at_ms)
        return;
    for (bool failed = false; !deliver_next(route, arena, &failed);)
        if (failed)
            return;
    route->is_behind = false;
    atomic_store(&route->failing, false); /* what it would not take is not there any more */
}

static bool has_all_of(const struct route *route, struct gh_arena *arena,
                       const struct gh_audit_stretch *stretch)
{
    struct gh_audit_message_page page;
    if (stretch->after >= stretch->through)
        return true;
    gh_arena_reset(arena);
    return gh_audit_export_page_read(route->exporter->options.identity->store, arena, stretch,
                                     route->checkpoints, &page) == GH_OK &&
           !page.count && !page.passed.count;
}

/* At the end of the process, whether the place fails or only the time ran out. */
static void say_what_is_left(struct route *route, struct gh_arena *arena)
{
    struct gh_audit_exporter *exporter = route->exporter;
    pthread_mutex_lock(&exporter->lock);
    bool leaving = route->leaving;
    pthread_mutex_unlock(&exporter->lock);
    if (!route->is_behind || (leaving && !atomic_load(&route->failing)))
        return;
    for (size_t i = 0; i < route->todo.count; i++) {
        const struct gh_audit_stretch *stretch = &route->todo.items[i];
        char chain[GH_AUDIT_CURSOR_LEN + 1] = "";
        if (has_all_of(route, arena, stretch))
            continue;
        if (stretch->chain > 1)
            snprintf(chain, sizeof(chain), " of chain %u", (unsigned)stretch->chain);
        pthread_mutex_lock(&exporter->log_lock);
        gh_log_message(exporter->ring, GH_LOG_ERROR,
                       "audit: at the end %.*s has the log through record %llu%s only",
                       GH_STR_ARG(route->destination.text), (unsigned long long)stretch->after,
                       chain);
        gh_log_flush(exporter->ring);
        pthread_mutex_unlock(&exporter->log_lock);
    }
}

/* ---- Threads ---- */

/* Waits for something to do, a second at most. False: the end of this route, or of all. */
static bool wait(struct route *route)
{
    struct gh_audit_exporter *exporter = route->exporter;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&exporter->lock);
    if (route->looks == exporter->looks && !route->leaving && !exporter->end)
        pthread_cond_timedwait(&exporter->woken, &exporter->lock, &until);
    route->looks = exporter->looks;
    bool go_on = !route->leaving && !exporter->end;
    pthread_mutex_unlock(&exporter->lock);
    return go_on;
}

static void *export(void *arg)
{
    struct route *route = arg;
    struct gh_audit_exporter *exporter = route->exporter;
    struct gh_arena arena;
    gh_arena_init(&arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    begin(route);
    while (wait(route))
        deliver(route, &arena, false);
    deliver(route, &arena, true); /* nothing, where the route leaves */
    say_what_is_left(route, &arena);
    gh_arena_done(&arena);
    pthread_mutex_lock(&exporter->lock);
    route->over = true;
    exporter->running--;
    pthread_cond_signal(&exporter->ended);
    pthread_mutex_unlock(&exporter->lock);
    return NULL;
}

/* ---- The list ---- */

static bool is_place(const struct route *route, struct gh_str text, bool checkpoints)
{
    return !route->leaving && route->checkpoints == checkpoints &&
           gh_str_eq(route->destination.text, text);
}

/* What was there in another format hands over how far it is. False: there was none; or no memory,
   and it begins as a new one. */
static bool inherit(struct gh_audit_exporter *exporter, struct route *route)
{
    bool inherited = false;
    pthread_mutex_lock(&exporter->lock);
    for (struct route *old = exporter->routes; old && !inherited; old = old->next) {
        if (!is_place(old, route->destination.text, route->checkpoints))
            continue;
        inherited = gh_audit_stretches_copy(&route->todo, &old->todo);
        route->number = old->number;
    }
    pthread_mutex_unlock(&exporter->lock);
    return inherited;
}

/* As of now, the own chain first. False: no memory. */
static bool begin_new(const struct gh_audit_exporter *exporter, struct route *route)
{
    const struct gh_audit_export_start *from = &exporter->start;
    const struct gh_audit_stretches *left = &exporter->left;
    bool good = !from->chain || gh_audit_stretches_add(&route->todo, from->chain, from->after,
                                                       GH_AUDIT_STRETCH_OPEN);
    for (size_t i = 0; good && route->checkpoints && i < left->count; i++)
        good = gh_audit_stretches_add(&route->todo, left->items[i].chain, left->items[i].after,
                                      left->items[i].through);
    route->number = from->number;
    route->head_seq = from->head_seq;
    route->is_new = true;
    return good;
}

static enum gh_err start(struct gh_audit_exporter *exporter, struct route *route)
{
    if (!inherit(exporter, route) && !begin_new(exporter, route)) {
        route_free(route);
        return GH_ERR_MEMORY;
    }
    pthread_mutex_lock(&exporter->lock);
    bool started = pthread_create(&route->thread, NULL, export, route) == 0;
    if (started) {
        exporter->running++;
        route->next = exporter->routes;
        exporter->routes = route;
    }
    pthread_mutex_unlock(&exporter->lock);
    if (!started)
        route_free(route);
    return started ? GH_OK : GH_ERR_MEMORY;
}

/* Keeps the route that is there, or starts one. */
static enum gh_err want(struct gh_audit_exporter *exporter,
                        const struct gh_audit_settings *settings, struct gh_str text,
                        bool checkpoints, enum gh_audit_export_format format)
{
    for (struct route *route = exporter->routes; route; route = route->next)
        if (!route->wanted && route->format == format && is_place(route, text, checkpoints)) {
            route->wanted = true;
            return GH_OK;
        }
    struct route *route = route_new(exporter, text, checkpoints, format);
    if (!route)
        return GH_ERR_MEMORY;
    find_redis(route, settings);
    return start(exporter, route);
}

/* Takes those out of the list that have ended. */
static void reap(struct gh_audit_exporter *exporter)
{
    struct route *ended = NULL;
    pthread_mutex_lock(&exporter->lock);
    for (struct route **at = &exporter->routes; *at;) {
        struct route *route = *at;
        if (!route->over) {
            at = &route->next;
            continue;
        }
        *at = route->next;
        route->next = ended;
        ended = route;
    }
    pthread_mutex_unlock(&exporter->lock);
    while (ended) {
        struct route *route = ended;
        ended = route->next;
        pthread_join(route->thread, NULL);
        route_free(route);
    }
}

/* Nobody waits for them: what they are at is broken off, or ends by its own time limit. */
static void dismiss_unwanted(struct gh_audit_exporter *exporter)
{
    pthread_mutex_lock(&exporter->lock);
    for (struct route *route = exporter->routes; route; route = route->next)
        if (!route->wanted) {
            route->leaving = true;
            atomic_store(&route->stop, true);
        }
    pthread_cond_broadcast(&exporter->woken);
    pthread_mutex_unlock(&exporter->lock);
}

static enum gh_err want_all(struct gh_audit_exporter *exporter,
                            const struct gh_audit_settings *settings)
{
    const struct gh_str *notes = settings->checkpoint.exports.items;
    const struct gh_audit_export_settings *exports = settings->exports.items;
    enum gh_err err = GH_OK;
    size_t count = 0; /* check told of those over the most */
    for (size_t i = 0; i < settings->checkpoint.exports.count && err == GH_OK; i++)
        if (count++ < GH_AUDIT_EXPORTS_MAX)
            err = want(exporter, settings, notes[i], true, GH_AUDIT_EXPORT_FITTING);
    for (size_t i = 0; i < settings->exports.count && err == GH_OK; i++)
        if (count++ < GH_AUDIT_EXPORTS_MAX)
            err = want(exporter, settings, exports[i].to, false, exports[i].format);
    return err;
}

/* ---- Beginning and end ---- */

/* Where it can't be read, places that are new go on from where others began: more, not less. */
static enum gh_err read_start(struct gh_audit_exporter *exporter, struct gh_audit_stretches *left)
{
    struct gh_arena arena;
    gh_arena_init(&arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    enum gh_err err = gh_audit_export_start_read(exporter->options.identity->store, &arena,
                                                 &exporter->start, left);
    gh_arena_done(&arena);
    return err;
}

enum gh_err gh_audit_exporter_open(const struct gh_audit_exporter_options *options,
                                   const struct gh_audit_settings *settings,
                                   struct gh_audit_exporter **out_exporter)
{
    struct gh_audit_exporter *exporter = calloc(1, sizeof(*exporter));
    if (!exporter)
        return GH_ERR_MEMORY;
    exporter->options = *options;
    gethostname(exporter->host, sizeof(exporter->host) - 1);
    pthread_mutex_init(&exporter->log_lock, NULL);
    pthread_mutex_init(&exporter->lock, NULL);
    pthread_cond_init(&exporter->woken, NULL);
    pthread_cond_init(&exporter->ended, NULL);
    enum gh_err err = gh_log_ring_open(options->log, &exporter->ring);
    if (err == GH_OK)
        err = read_start(exporter, &exporter->left);
    if (err == GH_OK)
        err = want_all(exporter, settings);
    gh_audit_stretches_done(&exporter->left);
    if (err != GH_OK) {
        gh_audit_exporter_close(exporter);
        return err;
    }
    *out_exporter = exporter;
    return GH_OK;
}

void gh_audit_exporter_set(struct gh_audit_exporter *exporter,
                           const struct gh_audit_settings *settings)
{
    reap(exporter);
    enum gh_err unread = read_start(exporter, NULL);
    (void)unread;
    for (struct route *route = exporter->routes; route; route = route->next)
        route->wanted = false;
    if (want_all(exporter, settings) == GH_OK)
        dismiss_unwanted(exporter);
}

void gh_audit_exporter_wake(struct gh_audit_exporter *exporter)
{
    pthread_mutex_lock(&exporter->lock);
    exporter->looks++;
    pthread_cond_broadcast(&exporter->woken);
    pthread_mutex_unlock(&exporter->lock);
}

unsigned gh_audit_exporter_failing(struct gh_audit_exporter *exporter)
{
    unsigned failing = 0;
    pthread_mutex_lock(&exporter->lock);
    for (const struct route *route = exporter->routes; route; route = route->next)
        failing += !route->leaving && atomic_load(&route->failing);
    pthread_mutex_unlock(&exporter->lock);
    return failing;
}

void gh_audit_exporter_close(struct gh_audit_exporter *exporter)
{
    struct timespec until;
    if (!exporter)
        return;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += END_SECONDS;
    pthread_mutex_lock(&exporter->lock);
    exporter->end = true;
    pthread_cond_broadcast(&exporter->woken);
    while (exporter->running &&
           pthread_cond_timedwait(&exporter->ended, &exporter->lock, &until) != ETIMEDOUT) {
    }
    for (struct route *route = exporter->routes; route; route = route->next)
        atomic_store(&route->stop, true);
    while (exporter->running)
        pthread_cond_wait(&exporter->ended, &exporter->lock);
    pthread_mutex_unlock(&exporter->lock);
    reap(exporter);
    pthread_cond_destroy(&exporter->ended);
    pthread_cond_destroy(&exporter->woken);
    pthread_mutex_destroy(&exporter->lock);
    pthread_mutex_destroy(&exporter->log_lock);
    free(exporter);
}
