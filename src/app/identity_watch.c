/*
 * The watch: where several processes share the store, one thread that reads what the others did.
 * Four times a second the sessions that they ended, so that a logout counts everywhere within a
 * second; once a second whether there are other keys. It does nothing that could keep it from that:
 * what waits for mail servers and issuers is the keeper's.
 *
 * What nodes tell each other through Redis (shared_revocations.h) makes this no rarer. Who dies, or
 * is cut off from Redis, between its commit and its message is heard of here alone, so only these
 * readings tell that nothing is missing, and that counts for a second: read once a second, each
 * reading would have to be there at once, and a slow one would send everybody away.
 */
#include <stdio.h>
#include <time.h>

#include "app/config_file.h"
#include "app/identity_state.h"
#include "app/store_open.h"
#include "net/loop.h"

#define NEWS_EVERY_MS    250
#define KEYS_EVERY_MS    1000
#define TELL_EVERY_MS    (60u * 1000)
#define ROOT_BYTES_MAX   (16u * 1024)
#define WORK_BYTES_BLOCK (64u * 1024)
#define WORK_BYTES_MAX   (256u * 1024 * 1024) /* as many revocations as the table holds */

struct watch {
    struct gh_identity_host *host;
    struct gh_arena arena;
    uint64_t keys_at_ms, told_at_ms;
    uint8_t digest[GH_SHA256_BYTES]; /* of the keys that are the current ones here */
    bool has_digest, blind;
};

/* ---- Sessions ---- */

static void tell_sight(struct watch *watch, uint64_t now_ms)
{
    struct gh_identity_host *host = watch->host;
    bool blind = !gh_revocations_is_current(host->revocations, now_ms);
    if (blind && !watch->blind)
        gh_log_message(host->watch_ring, GH_LOG_ERROR,
                       "which sessions others have ended can't be read from the store: signed-in "
                       "routes answer 503 until it can");
    if (!blind && watch->blind)
        gh_log_message(host->watch_ring, GH_LOG_INFO,
                       "which sessions others have ended is known again");
    watch->blind = blind;
}

static void follow_sessions(struct watch *watch)
{
    struct gh_identity_host *host = watch->host;
    uint64_t begun_ms = gh_monotonic_now_ms();
    enum gh_err err = gh_session_news_read(&host->news, host->identity.store, host->revocations,
                                           gh_wall_now_us(), begun_ms, &watch->arena);
    if (err == GH_OK)
        atomic_store(&host->news_ms, begun_ms);
    tell_sight(watch, gh_monotonic_now_ms());
}

/* ---- Keys ---- */

static void tell_now_and_then(struct watch *watch, const char *what, enum gh_err err)
{
    uint64_t now_ms = gh_monotonic_now_ms();
    if (now_ms < watch->told_at_ms)
        return;
    watch->told_at_ms = now_ms + TELL_EVERY_MS;
    gh_log_message(watch->host->watch_ring, GH_LOG_ERROR, "%s: %s", what, gh_err_text(err));
}

/* A root that was put into its file since the start is known before a key under it is looked at. */
static void learn_roots(struct watch *watch)
{
    const struct gh_secret_source source = {gh_environment_get, NULL};
    struct gh_arena arena;
    gh_arena_init(&arena, ROOT_BYTES_MAX, 4 * ROOT_BYTES_MAX);
    for (size_t i = 0; i < GH_SECRET_ROOTS_MAX && watch->host->root_files[i]; i++) {
        struct gh_str reference = gh_str_from_c(watch->host->root_files[i]), root;
        gh_arena_reset(&arena);
        enum gh_err err = gh_secret_resolve(&arena, &source, reference, &root);
        if (err == GH_OK)
            err = gh_vault_learn_root(watch->host->vault, root);
        (void)err; /* what can't be read any more is no news */
    }
    gh_arena_done(&arena); /* wipes them */
}

static bool take_keys(struct watch *watch, const struct gh_identity_settings *settings)
{
    struct gh_identity_host *host = watch->host;
    bool changed = false;
    learn_roots(watch);
    gh_arena_reset(&watch->arena);
    enum gh_err err =
        gh_vault_refresh(host->vault, host->identity.store, gh_wall_now_us(), &watch->arena);
    if (err == GH_ERR_INVALID)
        tell_now_and_then(watch,
                          "another process has replaced the root key, and this one does not know "
                          "the new one: nothing is stored until it was started with it",
                          err);
    if (err == GH_OK)
        err = gh_identity_host_load_keys(host, settings, &changed);
    if (err != GH_OK)
        return false;
    return !changed || gh_identity_host_publish(host, settings);
}

static void follow_keys(struct watch *watch)
{
    struct gh_identity_host *host = watch->host;
    uint8_t digest[GH_SHA256_BYTES];
    uint64_t now_ms = gh_monotonic_now_ms();
    if (now_ms < watch->keys_at_ms)
        return;
    watch->keys_at_ms = now_ms + KEYS_EVERY_MS;
    gh_arena_reset(&watch->arena);
    enum gh_err err = gh_identity_keys_digest(host->identity.store, &watch->arena, digest);
    if (err != GH_OK || (watch->has_digest && memcmp(digest, watch->digest, sizeof(digest)) == 0))
        return;
    struct gh_snapshot *snapshot = gh_identity_host_snapshot(host);
    watch->has_digest = take_keys(watch, snapshot->identity);
    memcpy(watch->digest, digest, sizeof(digest));
    gh_snapshot_unref(snapshot);
}

/* ---- The thread ---- */

static bool wait(struct gh_identity_host *host)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += NEWS_EVERY_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&host->lock);
    if (!atomic_load(&host->stop) && !host->read_back)
        pthread_cond_timedwait(&host->watch_woken, &host->lock, &until);
    host->read_back = false;
    pthread_mutex_unlock(&host->lock);
    return !atomic_load(&host->stop);
}

void gh_identity_watch_read_back(void *context)
{
    struct gh_identity_host *host = context;
    pthread_mutex_lock(&host->lock);
    host->read_back = true;
    pthread_cond_signal(&host->watch_woken);
    pthread_mutex_unlock(&host->lock);
}

static void *watch_main(void *arg)
{
    struct watch watch = {.host = arg};
    gh_arena_init(&watch.arena, WORK_BYTES_BLOCK, WORK_BYTES_MAX);
    do {
        follow_sessions(&watch);
        follow_keys(&watch);
        gh_log_flush(watch.host->watch_ring);
    } while (wait(watch.host));
    gh_arena_done(&watch.arena);
    return NULL;
}

static void write_metrics(void *context, FILE *out)
{
    struct gh_identity_host *host = context;
    uint64_t known_ms = atomic_load(&host->news_ms), now_ms = gh_monotonic_now_ms();
    uint64_t age_ms = known_ms && now_ms > known_ms ? now_ms - known_ms : 0;
    fprintf(out,
            "# HELP gatehouse_revocations_age_seconds For how long nothing was heard of sessions "
            "that other processes end.\n"
            "# TYPE gatehouse_revocations_age_seconds gauge\n"
            "gatehouse_revocations_age_seconds %llu.%03llu\n",
            (unsigned long long)(age_ms / 1000), (unsigned long long)(age_ms % 1000));
}

enum gh_err gh_identity_watch_start(struct gh_identity_host *host)
{
    pthread_condattr_t monotonic;
    if (!host->identity.store->shared)
        return GH_OK;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&host->watch_woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    host->watching = pthread_create(&host->watch, NULL, watch_main, host) == 0;
    if (!host->watching) {
        pthread_cond_destroy(&host->watch_woken);
        return GH_ERR_MEMORY;
    }
    gh_metrics_add_source(host->options.metrics, write_metrics, host);
    gh_metrics_add_source(host->options.metrics, gh_store_write_metrics, host->identity.store);
    return GH_OK;
}

void gh_identity_watch_stop(struct gh_identity_host *host)
{
    if (!host->watching)
        return;
    pthread_mutex_lock(&host->lock);
    pthread_cond_signal(&host->watch_woken);
    pthread_mutex_unlock(&host->lock);
    pthread_join(host->watch, NULL);
    pthread_cond_destroy(&host->watch_woken);
    host->watching = false;
}
