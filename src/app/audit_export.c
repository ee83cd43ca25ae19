#include "app/audit_export.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/audit_destination.h"
#include "audit/chain.h"
#include "audit/format.h"
#include "identity/audit_key.h"
#include "json/writer.h"
#include "net/loop.h"

#define ARENA_BLOCK_BYTES (256u * 1024)
#define ARENA_BYTES_MAX   (64u * 1024 * 1024)
#define TEXTS_BYTES_MAX   (1024u * 1024)
#define ROWS_MAX          128
/* A webhook takes so much in one POST. */
#define POST_BYTES_MAX  (512u * 1024)
#define RETRY_MIN_MS    1000
#define RETRY_MAX_MS    60000
#define COMPLAIN_MS     60000
#define END_SECONDS     5
#define FILE_TAIL_BYTES (2 * GH_AUDIT_FORMATTED_BYTES_MAX)
#define HOST_NAME_BYTES 128

/* One place and what goes there. */
struct route {
    struct gh_audit_destination destination;
    bool checkpoints; /* else records */
    enum gh_audit_export_format format;
    uint64_t cursor; /* delivered through */
    uint64_t retry_at_ms, retry_after_ms, complain_at_ms;
    bool failing;
};

/* Where things go under one configuration. */
struct plan {
    struct gh_arena arena;
    struct route routes[GH_AUDIT_EXPORTS_MAX];
    size_t count;
};

struct gh_audit_exporter {
    struct gh_audit_exporter_options options;
    struct gh_log_ring *ring; /* the thread's */
    char host[HOST_NAME_BYTES];
    pthread_t thread;
    atomic_bool stop_transfers;
    atomic_uint failing;

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t woken;
    struct plan *plan; /* the thread's while it works; changed by it alone */
    struct plan *next; /* of a reload; NULL: none */
    bool look, end, ended;
};

/* ---- Plans ---- */

static void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    gh_arena_done(&plan->arena);
    free(plan);
}

static bool plan_add(struct plan *plan, struct gh_str text, bool checkpoints,
                     enum gh_audit_export_format format)
{
    const char *why;
    if (plan->count == GH_AUDIT_EXPORTS_MAX)
        return true; /* check told so */
    struct route *route = &plan->routes[plan->count];
    struct gh_str own = gh_arena_dup(&plan->arena, text);
    *route = (struct route){.checkpoints = checkpoints, .format = format};
    if (!own.ptr || !gh_audit_destination_parse(own, &plan->arena, &route->destination, &why))
        return false;
    plan->count++;
    return true;
}

static struct plan *plan_new(const struct gh_audit_settings *settings)
{
    const struct gh_str *notes = settings->checkpoint.exports.items;
    const struct gh_audit_export_settings *exports = settings->exports.items;
    struct plan *plan = calloc(1, sizeof(*plan));
    bool good = plan != NULL;
    if (plan)
        gh_arena_init(&plan->arena, 4096, 256 * 1024);
    for (size_t i = 0; good && i < settings->checkpoint.exports.count; i++)
        good = plan_add(plan, notes[i], true, GH_AUDIT_EXPORT_FITTING);
    for (size_t i = 0; good && i < settings->exports.count; i++)
        good = plan_add(plan, exports[i].to, false, exports[i].format);
    if (good)
        return plan;
    plan_free(plan);
    return NULL;
}

/* The number in the last whole line of what this process, or one before it, has written. */
static uint64_t last_seq_of_file(const struct route *route)
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
        if (gh_audit_parse_line(&arena, line, &row, NULL) == GH_OK)
            seq = row.record.seq;
    }
    gh_arena_done(&arena);
    free(text);
    if (fd >= 0)
        close(fd);
    return seq;
}

static enum gh_err read_head(struct gh_tx *tx, void *args)
{
    uint64_t *head_seq = args;
    uint8_t hash[GH_SHA256_BYTES];
    enum gh_err err = tx->ops->audit_head(tx, head_seq, hash);
    if (err == GH_ERR_NOT_FOUND)
        *head_seq = 0;
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static uint64_t first_cursor(const struct gh_audit_exporter *exporter, const struct route *route,
                             struct gh_arena *arena)
{
    struct gh_store *store = exporter->options.identity->store;
    uint64_t checkpoint_seq = exporter->options.checkpoint_seq, head_seq, file_seq = 0;
    if (!route->checkpoints && route->destination.place == GH_AUDIT_PLACE_FILE &&
        route->format != GH_AUDIT_EXPORT_CEF)
        file_seq = last_seq_of_file(route);
    if (file_seq && store->ops->read(store, read_head, &head_seq, arena) == GH_OK) {
        if (file_seq <= head_seq)
            return file_seq;
        gh_log_message(exporter->ring, GH_LOG_ERROR,
                       "audit: %.*s holds records that this log does not have: it is another's, or "
                       "the store was put back",
                       GH_STR_ARG(route->destination.text));
    }
    return checkpoint_seq ? checkpoint_seq - 1 : 0;
}

/* Places that were there before go on. */
static void plan_begin(struct gh_audit_exporter *exporter, struct plan *plan,
                       const struct plan *old, struct gh_arena *arena)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct route *route = &plan->routes[i];
        const struct route *same = NULL;
        for (size_t k = 0; old && k < old->count && !same; k++)
            if (old->routes[k].checkpoints == route->checkpoints &&
                gh_str_eq(old->routes[k].destination.text, route->destination.text))
                same = &old->routes[k];
        route->cursor = same ? same->cursor : first_cursor(exporter, route, arena);
    }
}

/* ---- What is delivered ---- */

struct page {
    const struct route *route;
    struct gh_audit_row *rows;
    size_t count;
};

static enum gh_err read_page(struct gh_tx *tx, void *args)
{
    struct page *page = args;
    struct gh_audit_query query = {
        .event = page->route->checkpoints ? gh_audit_event_facts(GH_AUDIT_AUDIT_CHECKPOINT)->name
                                          : GH_STR(""),
        .after_seq = page->route->cursor,
        .oldest_first = true,
        .limit = ROWS_MAX,
    };
    return tx->ops->audit_page(tx, &query, &page->rows, &page->count);
}

static bool is_syslog(const struct route *route)
{
    return route->destination.place != GH_AUDIT_PLACE_FILE &&
           route->destination.place != GH_AUDIT_PLACE_WEBHOOK;
}

static enum gh_err put_syslog(const struct gh_audit_exporter *exporter, const struct route *route,
                              struct gh_arena *arena, struct gh_buf *buf,
                              const struct gh_audit_row *row)
{
    char memory[GH_AUDIT_LINE_BYTES_MAX];
    struct gh_buf line = gh_buf_over(memory, sizeof(memory));
    struct gh_audit_syslog_origin origin = {.host = gh_str_from_c(exporter->host),
                                            .pid = (uint64_t)getpid()};
    if (route->format == GH_AUDIT_EXPORT_CEF)
        return gh_audit_put_syslog_cef(buf, row, NULL, &origin);
    enum gh_err err = gh_audit_put_line(arena, &line, row, (struct gh_str){NULL, 0});
    return err == GH_OK ? gh_audit_put_syslog(buf, row, &origin, gh_buf_str(&line)) : err;
}

/* One row as this place has it. */
static enum gh_err put_row(const struct gh_audit_exporter *exporter, const struct route *route,
                           struct gh_arena *arena, struct gh_buf *buf,
                           const struct gh_audit_row *row)
{
    bool is_file = route->destination.place == GH_AUDIT_PLACE_FILE;
    if (route->checkpoints && is_file) {
        struct gh_str note = gh_audit_note_of(arena, row->record.metadata);
        gh_buf_put(buf, note);
        gh_buf_put_char(buf, '\n'); /* an empty line between them */
        return note.ptr ? GH_OK : GH_ERR_INVALID;
    }
    if (is_syslog(route))
        return put_syslog(exporter, route, arena, buf, row);
    if (route->format != GH_AUDIT_EXPORT_CEF)
        return gh_audit_put_line(arena, buf, row, (struct gh_str){NULL, 0});
    enum gh_err err = gh_audit_put_cef(buf, row, NULL);
    gh_buf_put_char(buf, '\n');
    return err;
}

/* The rows as messages in `buf`, as many as find room; a webhook gets one array of them. */
static enum gh_err put_page(const struct gh_audit_exporter *exporter, const struct page *page,
                            struct gh_arena *arena, struct gh_buf *buf,
                            struct gh_str messages[ROWS_MAX], size_t *out_count)
{
    bool is_hook = page->route->destination.place == GH_AUDIT_PLACE_WEBHOOK;
    size_t count = 0;
    while (count < page->count) {
        if (is_hook)
            gh_buf_put_char(buf, count ? ',' : '[');
        size_t begin = buf->len;
        bool is_full =
            buf->cap - begin < GH_AUDIT_FORMATTED_BYTES_MAX || (is_hook && begin > POST_BYTES_MAX);
        if (is_full) {
            buf->len = begin - is_hook; /* there is one before it */
            break;
        }
        enum gh_err err = put_row(exporter, page->route, arena, buf, &page->rows[count]);
        if (err != GH_OK)
            return err;
        messages[count++] = gh_str_of(buf->ptr + begin, buf->len - begin);
    }
    if (is_hook) {
        gh_buf_put_char(buf, ']');
        messages[0] = gh_buf_str(buf);
    }
    *out_count = count;
    return GH_OK;
}

/* ---- Delivering ---- */

static void complain(struct gh_audit_exporter *exporter, struct route *route, enum gh_err err,
                     struct gh_str detail)
{
    uint64_t now_ms = gh_monotonic_now_ms();
    route->retry_after_ms = route->retry_after_ms ? route->retry_after_ms * 2 : RETRY_MIN_MS;
    if (route->retry_after_ms > RETRY_MAX_MS)
        route->retry_after_ms = RETRY_MAX_MS;
    route->retry_at_ms = now_ms + route->retry_after_ms;
    if (!route->failing || now_ms >= route->complain_at_ms) {
        route->complain_at_ms = now_ms + COMPLAIN_MS;
        gh_log_message(exporter->ring, GH_LOG_ERROR,
                       "audit: %s do not reach %.*s: %s %.*s; they are tried again",
                       route->checkpoints ? "checkpoints" : "records",
                       GH_STR_ARG(route->destination.text), gh_err_text(err), GH_STR_ARG(detail));
    }
    route->failing = true;
}

static void settle(struct gh_audit_exporter *exporter, struct route *route)
{
    if (route->failing)
        gh_log_message(exporter->ring, GH_LOG_INFO, "audit: %.*s takes the log again",
                       GH_STR_ARG(route->destination.text));
    route->failing = false;
    route->retry_after_ms = 0;
}

/* One page to one place. True: there may be more. */
static bool deliver_page(struct gh_audit_exporter *exporter, struct route *route,
                         struct gh_arena *arena)
{
    struct page page = {.route = route};
    struct gh_store *store = exporter->options.identity->store;
    struct gh_str messages[ROWS_MAX], detail = GH_STR("");
    size_t count = 0;
    gh_arena_reset(arena);
    enum gh_err err = store->ops->read(store, read_page, &page, arena);
    if (err == GH_OK && !page.count)
        return false;
    char *texts = gh_arena_alloc(arena, TEXTS_BYTES_MAX);
    struct gh_buf buf = gh_buf_over(texts, texts ? TEXTS_BYTES_MAX : 0);
    if (err == GH_OK)
        err = texts ? put_page(exporter, &page, arena, &buf, messages, &count) : GH_ERR_MEMORY;
    if (err == GH_OK)
        err = gh_audit_deliver(&route->destination, messages, count, &exporter->stop_transfers,
                               arena, &detail);
    if (err != GH_OK) {
        complain(exporter, route, err, detail);
        return false;
    }
    settle(exporter, route);
    route->cursor = page.rows[count - 1].record.seq;
    return true;
}

static void deliver_all(struct gh_audit_exporter *exporter, struct gh_arena *arena, bool at_once)
{
    struct plan *plan = exporter->plan;
    unsigned failing = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct route *route = &plan->routes[i];
        if (route->failing && !at_once && gh_monotonic_now_ms() < route->retry_at_ms) {
            failing++;
            continue;
        }
        while (!atomic_load(&exporter->stop_transfers) && deliver_page(exporter, route, arena)) {
        }
        failing += route->failing;
    }
    atomic_store(&exporter->failing, failing);
    gh_log_flush(exporter->ring);
}

static void say_what_is_left(struct gh_audit_exporter *exporter)
{
    for (size_t i = 0; i < exporter->plan->count; i++)
        if (exporter->plan->routes[i].failing)
            gh_log_message(exporter->ring, GH_LOG_ERROR,
                           "audit: at the end %.*s has the log through record %llu only",
                           GH_STR_ARG(exporter->plan->routes[i].destination.text),
                           (unsigned long long)exporter->plan->routes[i].cursor);
    gh_log_flush(exporter->ring);
}

/* ---- The thread ---- */

/* Waits for something to do, a second at most. False: the end. */
static bool wait(struct gh_audit_exporter *exporter, struct gh_arena *arena)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&exporter->lock);
    if (!exporter->look && !exporter->end)
        pthread_cond_timedwait(&exporter->woken, &exporter->lock, &until);
    exporter->look = false;
    bool go_on = !exporter->end;
    struct plan *next = exporter->next;
    exporter->next = NULL;
    pthread_mutex_unlock(&exporter->lock);
    if (next) {
        plan_begin(exporter, next, exporter->plan, arena);
        plan_free(exporter->plan);
        exporter->plan = next;
    }
    return go_on;
}

static void *export(void *arg)
{
    struct gh_audit_exporter *exporter = arg;
    struct gh_arena arena;
    gh_arena_init(&arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    plan_begin(exporter, exporter->plan, NULL, &arena);
    while (wait(exporter, &arena))
        deliver_all(exporter, &arena, false);
    deliver_all(exporter, &arena, true);
    say_what_is_left(exporter);
    gh_arena_done(&arena);
    pthread_mutex_lock(&exporter->lock);
    exporter->ended = true;
    pthread_cond_signal(&exporter->woken);
    pthread_mutex_unlock(&exporter->lock);
    return NULL;
}

enum gh_err gh_audit_exporter_open(const struct gh_audit_exporter_options *options,
                                   const struct gh_audit_settings *settings,
                                   struct gh_audit_exporter **out_exporter)
{
    struct gh_audit_exporter *exporter = calloc(1, sizeof(*exporter));
    if (!exporter)
        return GH_ERR_MEMORY;
    exporter->options = *options;
    exporter->plan = plan_new(settings);
    enum gh_err err =
        exporter->plan ? gh_log_ring_open(options->log, &exporter->ring) : GH_ERR_MEMORY;
    gethostname(exporter->host, sizeof(exporter->host) - 1);
    pthread_mutex_init(&exporter->lock, NULL);
    pthread_cond_init(&exporter->woken, NULL);
    if (err == GH_OK && pthread_create(&exporter->thread, NULL, export, exporter) != 0)
        err = GH_ERR_MEMORY;
    if (err != GH_OK) {
        plan_free(exporter->plan);
        free(exporter);
        return err;
    }
    *out_exporter = exporter;
    return GH_OK;
}

void gh_audit_exporter_set(struct gh_audit_exporter *exporter,
                           const struct gh_audit_settings *settings)
{
    struct plan *plan = plan_new(settings);
    if (!plan)
        return;
    pthread_mutex_lock(&exporter->lock);
    struct plan *unseen = exporter->next;
    exporter->next = plan;
    pthread_mutex_unlock(&exporter->lock);
    plan_free(unseen);
}

void gh_audit_exporter_wake(struct gh_audit_exporter *exporter)
{
    pthread_mutex_lock(&exporter->lock);
    exporter->look = true;
    pthread_cond_signal(&exporter->woken);
    pthread_mutex_unlock(&exporter->lock);
}

unsigned gh_audit_exporter_failing(struct gh_audit_exporter *exporter)
{
    return atomic_load(&exporter->failing);
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
    pthread_cond_signal(&exporter->woken);
    while (!exporter->ended &&
           pthread_cond_timedwait(&exporter->woken, &exporter->lock, &until) != ETIMEDOUT) {
    }
    pthread_mutex_unlock(&exporter->lock);
    atomic_store(&exporter->stop_transfers, true);
    pthread_join(exporter->thread, NULL);
    plan_free(exporter->plan);
    plan_free(exporter->next);
    pthread_cond_destroy(&exporter->woken);
    pthread_mutex_destroy(&exporter->lock);
    free(exporter);
}
