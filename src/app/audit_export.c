#include "app/audit_export.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/audit_messages.h"
#include "app/config_file.h"
#include "audit/chain.h"
#include "audit/format.h"
#include "identity/audit_chains.h"
#include "identity/audit_key.h"
#include "json/writer.h"
#include "net/loop.h"

#define ARENA_BLOCK_BYTES (256u * 1024)
#define ARENA_BYTES_MAX   (64u * 1024 * 1024)
#define TEXTS_BYTES_MAX   (1024u * 1024)
#define RETRY_MIN_MS      1000
#define RETRY_MAX_MS      60000
#define COMPLAIN_MS       60000
#define END_SECONDS       5
#define FILE_TAIL_BYTES   (2 * GH_AUDIT_FORMATTED_BYTES_MAX)
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
    bool wanted;                                          /* the caller's, in a reload */

    /* Under the exporter's lock: */
    struct gh_audit_cursor cursor; /* delivered through; chain 0: the thread finds it */
    bool leaving;                  /* the configuration has it no more */
    bool over;                     /* the thread may be joined */
    uint64_t looks;
};

struct gh_audit_exporter {
    struct gh_audit_exporter_options options;
    char host[HOST_NAME_BYTES];
    struct gh_log_ring *ring;
    pthread_mutex_t log_lock; /* guards the ring */

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

static struct gh_audit_cursor cursor_of(struct route *route)
{
    pthread_mutex_lock(&route->exporter->lock);
    struct gh_audit_cursor cursor = route->cursor;
    pthread_mutex_unlock(&route->exporter->lock);
    return cursor;
}

static void set_cursor(struct route *route, struct gh_audit_cursor cursor)
{
    pthread_mutex_lock(&route->exporter->lock);
    route->cursor = cursor;
    pthread_mutex_unlock(&route->exporter->lock);
}

/* The number in the last whole line of this chain that this process, or one before it, has written.
 */
static uint64_t last_seq_of_file(const struct route *route, uint32_t chain)
{
    uint64_t seq = 0;
    int fd = open(route->destination.path.ptr, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    size_t len = size > 0 && size < FILE_TAIL_BYTES ? (size_t)size : FILE_TAIL_BYTES;
    char *text = size > 0 ? malloc(len) : NULL;
    ssize_t got = text ? pread(fd, text, len, size - (off_t)len) : -1;
    struct gh_str rest = gh_str_of(text, got > 0 ? (size_t)got : 0);
    struct gh_arena arena;
    gh_arena_init(&arena, ARENA_BLOCK_BYTES, 4 * ARENA_BLOCK_BYTES);
    while (rest.len) {
        struct gh_audit_row row;
        struct gh_str line = gh_str_split(&rest, '\n');
        gh_arena_reset(&arena);
        if (gh_audit_parse_line(&arena, line, &row, NULL) == GH_OK && row.record.chain == chain)
            seq = row.record.seq;
    }
    gh_arena_done(&arena);
    free(text);
    if (fd >= 0)
        close(fd);
    return seq;
}

/* The chain that this process writes now. */
struct own {
    uint32_t chain; /* 0: none */
    uint64_t head_seq, checkpoint_seq;
};

static enum gh_err read_own(struct gh_tx *tx, void *args)
{
    struct own *own = args;
    struct gh_audit_row checkpoint;
    uint8_t hash[GH_SHA256_BYTES];
    *own = (struct own){.chain = 0};
    enum gh_err err = gh_audit_chain_of_unit(tx, &own->chain);
    if (err != GH_OK)
        return err == GH_ERR_NOT_FOUND ? GH_OK : err;
    err = tx->ops->audit_head(tx, &own->head_seq, hash);
    if (err == GH_OK)
        err = tx->ops->audit_last_of(tx, GH_AUDIT_AUDIT_CHECKPOINT, 0, &checkpoint);
    if (err == GH_OK)
        own->checkpoint_seq = checkpoint.record.seq;
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
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

static uint64_t first_seq(struct gh_audit_exporter *exporter, const struct route *route,
                          const struct own *own)
{
    uint64_t file_seq = 0;
    if (!route->checkpoints && route->destination.place == GH_AUDIT_PLACE_FILE &&
        route->format != GH_AUDIT_EXPORT_CEF)
        file_seq = last_seq_of_file(route, own->chain);
    if (file_seq && file_seq <= own->head_seq)
        return file_seq;
    if (file_seq)
        complain_of_file(exporter, route);
    const struct gh_audit_cursor *start = &exporter->options.checkpoint;
    uint64_t checkpoint_seq = start->chain == own->chain ? start->seq : own->checkpoint_seq;
    return checkpoint_seq ? checkpoint_seq - 1 : 0;
}

/* The chain that is delivered is the one that this process writes; *out_moved: it goes on with
   another, since it has lost that. False: there is none, or the store can't be read. */
static bool find_cursor(struct route *route, struct gh_arena *arena, bool *out_moved)
{
    struct gh_audit_exporter *exporter = route->exporter;
    struct gh_store *store = exporter->options.identity->store;
    struct own own = {.chain = 0};
    *out_moved = false;
    gh_arena_reset(arena);
    if (store->ops->read(store, read_own, &own, arena) != GH_OK || !own.chain)
        return cursor_of(route).chain != 0;
    *out_moved = cursor_of(route).chain != own.chain;
    if (*out_moved)
        set_cursor(route, (struct gh_audit_cursor){own.chain, first_seq(exporter, route, &own)});
    return true;
}

/* ---- What is delivered ---- */

struct page {
    const struct route *route;
    struct gh_audit_cursor after;
    struct gh_audit_message_page read;
};

static enum gh_err read_page(struct gh_tx *tx, void *args)
{
    struct page *page = args;
    struct gh_audit_query query = {
        .event = page->route->checkpoints ? gh_audit_event_facts(GH_AUDIT_AUDIT_CHECKPOINT)->name
                                          : GH_STR(""),
        .after_seq = page->after.seq,
        .oldest_first = true,
        .limit = GH_AUDIT_MESSAGES_MAX,
        .passed = &page->read.passed,
    };
    tx->chain = page->after.chain;
    return tx->ops->audit_page(tx, &query, &page->read.rows, &page->read.count);
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

static void settle(struct route *route, uint32_t chain, const struct gh_audit_messages *messages)
{
    struct gh_audit_exporter *exporter = route->exporter;
    bool failed = atomic_exchange(&route->failing, false);
    route->retry_after_ms = 0;
    set_cursor(route, (struct gh_audit_cursor){chain, messages->through});
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

/* One page. True: there may be more. */
static bool deliver_page(struct route *route, struct gh_arena *arena)
{
    struct page page = {.route = route, .after = cursor_of(route)};
    struct gh_store *store = route->exporter->options.identity->store;
    struct gh_audit_messages messages = {.through = page.after.seq};
    const struct gh_audit_message_form form = {.place = route->destination.place,
                                               .checkpoints = route->checkpoints,
                                               .format = route->format,
                                               .host = gh_str_from_c(route->exporter->host)};
    struct gh_str detail = GH_STR("");
    gh_arena_reset(arena);
    enum gh_err err = store->ops->read(store, read_page, &page, arena);
    if (err == GH_OK && !page.read.count && !page.read.passed.count)
        return false;
    char *texts = gh_arena_alloc(arena, TEXTS_BYTES_MAX);
    struct gh_buf buf = gh_buf_over(texts, texts ? TEXTS_BYTES_MAX : 0);
    if (err == GH_OK)
        err = texts ? gh_audit_messages_put(&form, &page.read, arena, &buf, &messages)
                    : GH_ERR_MEMORY;
    if (err == GH_OK && messages.count)
        err = gh_audit_deliver(&route->destination, messages.items, messages.count, &route->stop,
                               arena, &detail);
    if (err != GH_OK) {
        complain(route, err, detail);
        return false;
    }
    settle(route, page.after.chain, &messages);
    return true;
}

static void deliver(struct route *route, struct gh_arena *arena, bool at_once)
{
    if (atomic_load(&route->failing) && !at_once && gh_monotonic_now_ms() < route->retry_at_ms)
        return;
    /* What is left of a chain that it has lost comes first. */
    for (bool moved = true; moved && !atomic_load(&route->stop);) {
        if (!cursor_of(route).chain && !find_cursor(route, arena, &moved))
            return;
        while (!atomic_load(&route->stop) && deliver_page(route, arena)) {
        }
        if (atomic_load(&route->failing) || !find_cursor(route, arena, &moved))
            return;
    }
}

static void say_what_is_left(struct route *route)
{
    struct gh_audit_exporter *exporter = route->exporter;
    if (!atomic_load(&route->failing))
        return;
    char chain[GH_AUDIT_CURSOR_LEN + 1] = "";
    struct gh_audit_cursor cursor = cursor_of(route);
    if (cursor.chain > 1)
        snprintf(chain, sizeof(chain), " of chain %u", (unsigned)cursor.chain);
    pthread_mutex_lock(&exporter->log_lock);
    gh_log_message(exporter->ring, GH_LOG_ERROR,
                   "audit: at the end %.*s has the log through record %llu%s only",
                   GH_STR_ARG(route->destination.text), (unsigned long long)cursor.seq, chain);
    gh_log_flush(exporter->ring);
    pthread_mutex_unlock(&exporter->log_lock);
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
    bool moved;
    if (!cursor_of(route).chain) /* at once: where it begins is as of now */
        (void)find_cursor(route, &arena, &moved);
    while (wait(route))
        deliver(route, &arena, false);
    deliver(route, &arena, true); /* nothing, where the route leaves */
    say_what_is_left(route);
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

/* What was there in another format hands over how far it is. */
static void inherit(const struct gh_audit_exporter *exporter, struct route *route)
{
    for (struct route *old = exporter->routes; old; old = old->next)
        if (is_place(old, route->destination.text, route->checkpoints))
            set_cursor(route, cursor_of(old));
}

static enum gh_err start(struct gh_audit_exporter *exporter, struct route *route)
{
    inherit(exporter, route);
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
        err = want_all(exporter, settings);
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
