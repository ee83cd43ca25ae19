/*
 * The keeper: one thread that does what has to happen without a request. Its clock is the
 * process's, so that tests can move it; it looks each second, and when there is mail.
 */
#include <stdlib.h>
#include <time.h>

#include "app/identity_state.h"
#include "app/mailer.h"
#include "identity/lease.h"
#include "identity/rotation.h"
#include "identity/unconfirmed.h"
#include "net/fetch.h"
#include "net/loop.h"

#define WORK_BYTES_BLOCK (64u * 1024)
#define WORK_BYTES_MAX   (16u * 1024 * 1024)
#define MAILS_PER_TURN   32
#define KEYS_EVERY_MS    (30u * 1000)
#define PURGE_EVERY_MS   (60u * 1000)
#define PURGE_ROWS       2000
#define PURGE_LATER_US   (3600 * UINT64_C(1000000)) /* more than clocks of nodes are apart */
#define COSTS_EVERY_MS   (60u * 60 * 1000)
#define JWKS_BYTES_MAX   (256u * 1024)
#define JWKS_TIMEOUT_MS  (10u * 1000)
#define JWKS_FRESH_MS    (5u * 60 * 1000)
#define JWKS_RETRY_MS    (30u * 1000)

struct keeper {
    struct gh_identity_host *host;
    struct gh_arena arena; /* of one turn */
    uint64_t keys_at_ms, purge_at_ms, costs_at_ms;
    struct gh_rotation_keeper rotation;
};

/* ---- Mail ---- */

static void send_mails(struct keeper *keeper, const struct gh_identity_settings *settings)
{
    struct gh_mail_way way = {settings, keeper->host->ring, &keeper->host->stop};
    struct gh_mailer mailer = {gh_mailer_send, &way};
    enum gh_identity_result result = GH_IDENTITY_OK;
    for (unsigned i = 0; i < MAILS_PER_TURN && result == GH_IDENTITY_OK; i++) {
        struct gh_identity_call call;
        gh_arena_reset(&keeper->arena);
        gh_identity_host_call(keeper->host, settings, &keeper->arena, &call);
        call.by = GH_STR("");
        result = gh_outbox_step(&call, &mailer);
        gh_identity_host_keys_give(keeper->host, call.keys);
    }
}

/* ---- Keys of other issuers ---- */

static bool fetch_issuer(struct keeper *keeper, struct gh_issuer_state *state)
{
    struct gh_http_fetch request = {
        .url = state->jwks,
        .bytes_max = JWKS_BYTES_MAX,
        .timeout_ms = JWKS_TIMEOUT_MS,
        .stop = &keeper->host->stop,
    };
    unsigned status = 0;
    struct gh_str body, detail = GH_STR("");
    struct gh_arena arena;
    struct gh_token_key_set keys;
    enum gh_err err = gh_http_fetch(&request, &keeper->arena, &status, &body, &detail);
    gh_arena_init(&arena, WORK_BYTES_BLOCK, WORK_BYTES_MAX);
    if (err != GH_OK || status != 200 || !gh_jwks_parse(&arena, body, &keys)) {
        gh_arena_done(&arena);
        gh_log_message(keeper->host->ring, GH_LOG_WARNING,
                       "the keys of %.*s can't be fetched: status %u %.*s",
                       GH_STR_ARG(state->issuer), status, GH_STR_ARG(detail));
        return false;
    }
    pthread_mutex_lock(&keeper->host->lock);
    struct gh_issuer_state old = *state;
    state->arena = arena;
    state->keys = keys;
    state->known = true;
    pthread_mutex_unlock(&keeper->host->lock);
    gh_token_key_set_done(&old.keys);
    gh_arena_done(&old.arena);
    return true;
}

static void forget_issuers(struct gh_identity_host *host)
{
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->issuer_count; i++) {
        gh_token_key_set_done(&host->issuers[i].keys);
        gh_arena_done(&host->issuers[i].arena);
        free((char *)host->issuers[i].jwks.ptr);
        free((char *)host->issuers[i].issuer.ptr);
    }
    host->issuer_count = 0;
    pthread_mutex_unlock(&host->lock);
}

static struct gh_str own_copy(struct gh_str text)
{
    char *copy = malloc(text.len + 1);
    if (!copy)
        return GH_STR("");
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    return gh_str_of(copy, text.len);
}

static bool issuers_are_those_of(const struct gh_identity_host *host,
                                 const struct gh_identity_settings *settings)
{
    const struct gh_issuer_settings *issuers = settings->issuers.items;
    if (host->issuer_count != settings->issuers.count)
        return false;
    for (size_t i = 0; i < host->issuer_count; i++)
        if (!gh_str_eq(host->issuers[i].issuer, issuers[i].issuer) ||
            !gh_str_eq(host->issuers[i].jwks, issuers[i].jwks))
            return false;
    return true;
}

static void take_issuers(struct gh_identity_host *host, const struct gh_identity_settings *settings)
{
    const struct gh_issuer_settings *issuers = settings->issuers.items;
    forget_issuers(host);
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < settings->issuers.count && i < GH_ISSUERS_MAX; i++) {
        struct gh_issuer_state *state = &host->issuers[host->issuer_count++];
        *state = (struct gh_issuer_state){.issuer = own_copy(issuers[i].issuer),
                                          .jwks = own_copy(issuers[i].jwks)};
        gh_arena_init(&state->arena, WORK_BYTES_BLOCK, WORK_BYTES_MAX);
    }
    pthread_mutex_unlock(&host->lock);
}

/* True: some keys are others now. */
static bool keep_issuers(struct keeper *keeper, const struct gh_identity_settings *settings,
                         uint64_t now_ms)
{
    struct gh_identity_host *host = keeper->host;
    bool changed = false;
    if (!issuers_are_those_of(host, settings)) {
        take_issuers(host, settings);
        changed = true;
    }
    for (size_t i = 0; i < host->issuer_count; i++) {
        struct gh_issuer_state *state = &host->issuers[i];
        if (now_ms < state->next_ms)
            continue;
        gh_arena_reset(&keeper->arena);
        bool fetched = fetch_issuer(keeper, state);
        state->next_ms = now_ms + (fetched ? JWKS_FRESH_MS : JWKS_RETRY_MS);
        changed |= fetched;
    }
    return changed;
}

/* ---- Turns ---- */

struct purging {
    uint64_t now_us, removed;
};

static enum gh_err purge(struct gh_tx *tx, void *args)
{
    struct purging *purging = args;
    return tx->ops->purge(tx, purging->now_us, PURGE_ROWS, &purging->removed);
}

/* Of several processes one does what is done for all; `every_ms`: how often it is done. */
static bool is_mine(struct keeper *keeper, enum gh_lease lease, uint64_t every_ms)
{
    gh_arena_reset(&keeper->arena);
    return gh_lease_take(keeper->host->identity.store, lease, gh_wall_now_us(),
                         every_ms * 1000 * 9 / 10, &keeper->arena);
}

static void clear_away(struct keeper *keeper)
{
    struct gh_store *store = keeper->host->identity.store;
    struct purging purging = {.now_us = gh_wall_now_us(), .removed = PURGE_ROWS};
    enum gh_err err = GH_OK;
    if (store->shared) /* what has run out by this clock alone is left to those who still use it */
        purging.now_us -= PURGE_LATER_US;
    if (!is_mine(keeper, GH_LEASE_PURGE, PURGE_EVERY_MS))
        return;
    /* in short units, for as long as there is a full one to remove */
    while (err == GH_OK && purging.removed >= PURGE_ROWS && !atomic_load(&keeper->host->stop)) {
        gh_arena_reset(&keeper->arena);
        err = store->ops->run_bulk(store, purge, &purging, &keeper->arena);
    }
    if (err != GH_OK)
        gh_log_message(keeper->host->ring, GH_LOG_WARNING, "the store could not be tidied: %s",
                       gh_err_text(err));
}

static void count_hash_costs(struct keeper *keeper)
{
    struct gh_identity *identity = &keeper->host->identity;
    enum gh_err err = gh_hash_costs_count(&identity->hash_costs, identity->store, &keeper->arena,
                                          UINT64_MAX, &keeper->host->stop);
    if (err != GH_OK && err != GH_ERR_CLOSED)
        gh_log_message(keeper->host->ring, GH_LOG_WARNING,
                       "password hashes could not be counted: %s", gh_err_text(err));
}

static void drop_unconfirmed(struct keeper *keeper, const struct gh_identity_settings *settings)
{
    enum gh_identity_result result = GH_IDENTITY_OK;
    struct gh_id cursor = {.text = ""};
    bool more = settings->verify_email;
    while (more && result == GH_IDENTITY_OK && !atomic_load(&keeper->host->stop)) {
        struct gh_identity_call call;
        gh_arena_reset(&keeper->arena);
        gh_identity_host_call(keeper->host, settings, &keeper->arena, &call);
        result = gh_unconfirmed_drop(&call, &cursor, &more);
        gh_identity_host_keys_give(keeper->host, call.keys);
    }
    if (result != GH_IDENTITY_OK)
        gh_log_message(keeper->host->ring, GH_LOG_WARNING,
                       "accounts that nobody confirmed could not be removed");
}

static bool keep_keys(struct keeper *keeper, const struct gh_identity_settings *settings)
{
    bool changed = false;
    enum gh_err err = gh_identity_host_load_keys(keeper->host, settings, &changed);
    if (err != GH_OK)
        gh_log_message(keeper->host->ring, GH_LOG_ERROR, "the signing keys can't be read: %s",
                       gh_err_text(err));
    else if (changed)
        gh_log_message(keeper->host->ring, GH_LOG_INFO, "signing keys were rotated");
    return changed;
}

/* What `secrets rotate` has left. */
static void keep_fields(struct keeper *keeper)
{
    struct gh_identity_host *host = keeper->host;
    bool busy = keeper->rotation.busy;
    enum gh_err err = gh_rotation_keep(&keeper->rotation, host->vault, host->identity.store,
                                       gh_wall_now_us(), &keeper->arena);
    if (err != GH_OK && !busy)
        gh_log_message(host->ring, GH_LOG_WARNING, "sealed values can't be sealed anew: %s",
                       gh_err_text(err));
}

static void turn(struct keeper *keeper, struct gh_snapshot *snapshot, bool adopted)
{
    const struct gh_identity_settings *settings = snapshot->identity;
    uint64_t now_ms = gh_monotonic_now_ms();
    bool changed = adopted;
    if (now_ms >= keeper->keys_at_ms || adopted) {
        keeper->keys_at_ms = now_ms + KEYS_EVERY_MS;
        changed |= keep_keys(keeper, settings);
    }
    changed |= keep_issuers(keeper, settings, now_ms);
    if (changed && !gh_identity_host_publish(keeper->host, settings))
        gh_log_message(keeper->host->ring, GH_LOG_ERROR,
                       "no memory for new keys: the old ones stay");
    if (now_ms >= keeper->purge_at_ms) {
        keeper->purge_at_ms = now_ms + PURGE_EVERY_MS;
        clear_away(keeper);
    }
    if (now_ms >= keeper->costs_at_ms || atomic_load(&keeper->host->identity.hash_costs.stale)) {
        keeper->costs_at_ms = now_ms + COSTS_EVERY_MS;
        if (is_mine(keeper, GH_LEASE_UNCONFIRMED, COSTS_EVERY_MS))
            drop_unconfirmed(keeper, settings);
        count_hash_costs(keeper);
    }
    if (gh_wall_now_us() >= keeper->host->setup_at_us ||
        gh_identity_setup_is_over(keeper->host, &keeper->arena))
        gh_identity_setup_token(keeper->host, settings);
    keep_fields(keeper);
    (void)gh_identity_scrub(&keeper->host->identity); /* one that a reader held up */
    send_mails(keeper, settings);
    gh_log_flush(keeper->host->ring);
}

/* Waits for a second, or until something changed. False: the end. */
static bool wait(struct gh_identity_host *host, struct gh_snapshot **out_snapshot)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&host->lock);
    if (!host->look && !atomic_load(&host->stop))
        pthread_cond_timedwait(&host->woken, &host->lock, &until);
    host->look = false;
    bool go_on = !atomic_load(&host->stop);
    *out_snapshot = host->snapshot;
    gh_snapshot_ref(*out_snapshot);
    pthread_mutex_unlock(&host->lock);
    return go_on;
}

void *gh_identity_keeper(void *arg)
{
    struct keeper keeper = {.host = arg};
    struct gh_snapshot *snapshot;
    uint64_t generation = 0;
    gh_arena_init(&keeper.arena, WORK_BYTES_BLOCK, WORK_BYTES_MAX);
    while (wait(keeper.host, &snapshot)) {
        turn(&keeper, snapshot, generation && generation != snapshot->generation);
        generation = snapshot->generation;
        gh_snapshot_unref(snapshot);
    }
    gh_snapshot_unref(snapshot);
    forget_issuers(keeper.host);
    gh_arena_done(&keeper.arena);
    return NULL;
}
