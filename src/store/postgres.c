#include "store/postgres.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/postgres_ops.h"
#include "store/postgres_pool.h"
#include "store/postgres_room.h"
#include "store/postgres_schema.h"
#include "store/postgres_scrub.h"
#include "store/postgres_sealer.h"
#include "store/postgres_unit.h"

#define CONNECTIONS_DEFAULT 8
#define WAIT_MS_DEFAULT     5000
#define RETRY_MS_DEFAULT    10000
#define MIGRATE_MS          600000 /* a migration of a large table, or waiting for somebody's */
#define SCRUB_MS            60000
#define MESSAGE_BYTES_MAX   4096
#define BACKOFF_MAX_MS      64
#define WARNING_BYTES_MAX   256
#define DROP_EVERY          1024 /* units: then old ids go */

bool gh_postgres_load(void)
{
    return gh_libpq_get() != NULL;
}

const struct gh_tx_ops gh_postgres_tx_ops = {
    .account_insert = gh_postgres_account_insert,
    .account_by_id = gh_postgres_account_by_id,
    .account_by_email = gh_postgres_account_by_email,
    .account_update = gh_postgres_account_update,
    .account_delete = gh_postgres_account_delete,
    .account_page = gh_postgres_account_page,
    .account_count = gh_postgres_account_count,
    .session_insert = gh_postgres_session_insert,
    .session_by_family = gh_postgres_session_by_family,
    .session_by_id = gh_postgres_session_by_id,
    .session_update = gh_postgres_session_update,
    .sessions_of = gh_postgres_sessions_of,
    .ticket_insert = gh_postgres_ticket_insert,
    .ticket_get = gh_postgres_ticket_get,
    .ticket_update = gh_postgres_ticket_update,
    .ticket_delete = gh_postgres_ticket_delete,
    .tickets_delete_of = gh_postgres_tickets_delete_of,
    .recovery_set = gh_postgres_recovery_set,
    .recovery_take = gh_postgres_recovery_take,
    .recovery_count = gh_postgres_recovery_count,
    .throttle_get = gh_postgres_throttle_get,
    .throttle_put = gh_postgres_throttle_put,
    .throttle_delete = gh_postgres_throttle_delete,
    .device_put = gh_postgres_device_put,
    .device_get = gh_postgres_device_get,
    .device_delete = gh_postgres_device_delete,
    .devices_of = gh_postgres_devices_of,
    .devices_delete_of = gh_postgres_devices_delete_of,
    .mail_insert = gh_postgres_mail_insert,
    .mail_take = gh_postgres_mail_take,
    .mail_update = gh_postgres_mail_update,
    .mail_delete = gh_postgres_mail_delete,
    .mail_count = gh_postgres_mail_count,
    .key_insert = gh_postgres_key_insert,
    .key_update = gh_postgres_key_update,
    .key_delete = gh_postgres_key_delete,
    .keys_all = gh_postgres_keys_all,
    .revocation_insert = gh_postgres_revocation_insert,
    .revocations_since = gh_postgres_revocations_since,
    .audit_chains = gh_postgres_audit_chains,
    .audit_own = gh_postgres_audit_own,
    .audit_written = gh_postgres_audit_written,
    .audit_append = gh_postgres_audit_append,
    .audit_page = gh_postgres_audit_page,
    .audit_head = gh_postgres_audit_head,
    .audit_first = gh_postgres_audit_first,
    .audit_last_of = gh_postgres_audit_last_of,
    .audit_drop = gh_postgres_audit_drop,
    .audit_count = gh_postgres_audit_count,
    .pending_put = gh_postgres_pending_put,
    .pending_set = gh_postgres_pending_set,
    .pending_delete = gh_postgres_pending_delete,
    .pending_some = gh_postgres_pending_some,
    .person_key_get = gh_postgres_person_key_get,
    .person_key_insert = gh_postgres_person_key_insert,
    .person_key_delete = gh_postgres_person_key_delete,
    .person_keys_drop_days = gh_postgres_person_keys_drop_days,
    .sealed_page = gh_postgres_sealed_page,
    .sealed_put = gh_postgres_sealed_put,
    .purge = gh_postgres_purge,
};

struct postgres_store {
    struct gh_store store; /* first */
    char *url;
    struct gh_postgres_target target;
    struct gh_postgres_haste haste;
    struct gh_postgres_pool pool;
    struct gh_postgres_sealer *sealer;
    unsigned size, wait_ms, retry_ms;
    char warning[WARNING_BYTES_MAX]; /* NUL behind it; empty: none */
    bool writes, has_pool;
    atomic_uint_fast64_t units, retries, lost_answers, failures;
};

/* ---- Units ---- */

struct work {
    struct postgres_store *store;
    enum gh_postgres_kind kind;
    gh_store_unit *unit;
    void *args;
    struct gh_arena *arena;
    int64_t until_ms;
    unsigned tries;
    bool has_caught_up; /* what was committed before its first try is sealed */
};

static void pause_ms(int64_t ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void back_off(unsigned tries)
{
    int64_t ms = tries < 6 ? (int64_t)1 << tries : BACKOFF_MAX_MS;
    pause_ms(gh_postgres_jitter_ms(ms));
}

static enum gh_err take(const struct work *work, struct gh_postgres_connection **out_connection)
{
    int64_t until_ms = gh_postgres_now_ms() + work->store->wait_ms;
    if (until_ms > work->until_ms)
        until_ms = work->until_ms;
    return gh_postgres_pool_take(&work->store->pool, work->kind == GH_POSTGRES_READ, until_ms,
                                 out_connection);
}

/* The answer to the COMMIT was lost. GH_ERR_IO with GH_POSTGRES_TRY_AGAIN: it never happened; with
   GH_POSTGRES_DONE: what came of it is not known. */
static enum gh_err settle(struct work *work, const struct gh_postgres_unit_id *id,
                          enum gh_postgres_next *out_next)
{
    struct gh_postgres_connection *connection;
    bool committed = false;
    atomic_fetch_add(&work->store->lost_answers, 1);
    for (unsigned tries = 0;; tries++) {
        enum gh_err err = take(work, &connection);
        if (err == GH_OK) {
            err = gh_postgres_unit_settle(connection, id, &committed);
            gh_postgres_pool_give(&work->store->pool, connection);
        }
        if (err == GH_OK) {
            *out_next = committed ? GH_POSTGRES_DONE : GH_POSTGRES_TRY_AGAIN;
            return committed ? GH_OK : GH_ERR_IO;
        }
        if (gh_postgres_haste_is_late(&work->store->haste, work->until_ms))
            break;
        back_off(tries);
    }
    *out_next = GH_POSTGRES_DONE;
    return GH_ERR_IO;
}

static enum gh_err try_once(struct work *work, enum gh_postgres_next *out_next)
{
    struct postgres_store *store = work->store;
    struct gh_postgres_unit_id id;
    struct gh_postgres_tx tx = {
        .tx = {.ops = &gh_postgres_tx_ops, .arena = work->arena},
        .sealer = store->sealer,
        .kind = work->kind,
        .has_caught_up = work->has_caught_up,
    };
    *out_next = GH_POSTGRES_DONE;
    enum gh_err err = take(work, &tx.connection);
    if (err != GH_OK)
        return err;
    err = gh_postgres_unit_try(&tx, work->unit, work->args, &id, out_next);
    bool drops = tx.wrote && *out_next == GH_POSTGRES_DONE && err == GH_OK &&
                 atomic_fetch_add(&store->units, 1) % DROP_EVERY == DROP_EVERY - 1;
    if (drops)
        gh_postgres_unit_drop_old(tx.connection);
    gh_postgres_pool_give(&store->pool, tx.connection);
    if (*out_next == GH_POSTGRES_SETTLE)
        err = settle(work, &id, out_next);
    if (tx.entered)
        gh_postgres_sealer_leave(store->sealer, tx.entered,
                                 *out_next == GH_POSTGRES_DONE && err == GH_OK ? tx.appended : 0);
    return err;
}

/* Before the next try; false: it can't be. */
static bool prepare_next(struct work *work, enum gh_postgres_next next)
{
    if (next == GH_POSTGRES_SEAL) {
        work->has_caught_up =
            work->store->sealer && gh_postgres_sealer_catch_up(work->store->sealer) == GH_OK;
        return work->has_caught_up;
    }
    atomic_fetch_add(&work->store->retries, 1);
    back_off(work->tries);
    return true;
}

static enum gh_err run_until_done(struct work *work)
{
    work->until_ms = gh_postgres_now_ms() + work->store->retry_ms;
    for (;; work->tries++) {
        enum gh_postgres_next next;
        enum gh_err err = try_once(work, &next);
        if (next == GH_POSTGRES_DONE)
            return err;
        if (gh_postgres_haste_is_late(&work->store->haste, work->until_ms) ||
            !prepare_next(work, next))
            return err;
    }
}

static enum gh_err run(struct gh_store *base, enum gh_postgres_kind kind, gh_store_unit *unit,
                       void *args, struct gh_arena *arena)
{
    struct postgres_store *store = (struct postgres_store *)base;
    struct work work = {.store = store, .kind = kind, .unit = unit, .args = args, .arena = arena};
    if (kind != GH_POSTGRES_READ && !store->writes)
        return GH_ERR_INVALID;
    enum gh_err err = run_until_done(&work);
    if (err == GH_ERR_IO || err == GH_ERR_FULL)
        atomic_fetch_add(&store->failures, 1);
    return err;
}

static enum gh_err store_run(struct gh_store *store, gh_store_unit *unit, void *args,
                             struct gh_arena *arena)
{
    return run(store, GH_POSTGRES_RUN, unit, args, arena);
}

static enum gh_err store_run_bulk(struct gh_store *base, gh_store_unit *unit, void *args,
                                  struct gh_arena *arena)
{
    struct postgres_store *store = (struct postgres_store *)base;
    if (!store->writes)
        return GH_ERR_INVALID;
    return gh_postgres_sealer_run(store->sealer, unit, args, arena);
}

static enum gh_err store_read(struct gh_store *store, gh_store_unit *unit, void *args,
                              struct gh_arena *arena)
{
    return run(store, GH_POSTGRES_READ, unit, args, arena);
}

/* On a connection of its own: what it does takes longer than a unit may. */
static enum gh_err store_scrub(struct gh_store *base)
{
    struct postgres_store *store = (struct postgres_store *)base;
    struct gh_postgres_connection connection;
    struct gh_postgres_target patient = store->target;
    struct gh_arena arena;
    struct gh_str message;
    if (!store->writes)
        return GH_ERR_INVALID;
    patient.statement_ms = SCRUB_MS;
    gh_arena_init(&arena, MESSAGE_BYTES_MAX, 2 * MESSAGE_BYTES_MAX);
    enum gh_err err = gh_postgres_connect(&connection, &patient, &arena, &message);
    gh_arena_done(&arena);
    if (err != GH_OK)
        return GH_ERR_IO;
    err = gh_postgres_scrub(&connection);
    gh_postgres_disconnect(&connection);
    return err;
}

static void store_hurry(struct gh_store *base)
{
    struct postgres_store *store = (struct postgres_store *)base;
    gh_postgres_haste_begin(&store->haste);
    if (store->sealer)
        gh_postgres_sealer_look_up(store->sealer);
}

static void store_close(struct gh_store *base)
{
    struct postgres_store *store = (struct postgres_store *)base;
    if (store->sealer)
        gh_postgres_sealer_close(store->sealer);
    if (store->has_pool)
        gh_postgres_pool_done(&store->pool);
    if (store->url)
        explicit_bzero(store->url, strlen(store->url));
    free(store->url);
    free(store);
}

static const struct gh_store_ops STORE_OPS = {.run = store_run,
                                              .run_bulk = store_run_bulk,
                                              .read = store_read,
                                              .scrub = store_scrub,
                                              .hurry = store_hurry,
                                              .close = store_close};

static void add_sealing(struct gh_postgres_sealer *sealer, struct gh_postgres_counts *counts)
{
    const struct gh_postgres_sealing sealing = gh_postgres_sealer_count(sealer);
    counts->unsealed = sealing.waiting;
    counts->unsealed_ms = sealing.waiting_ms;
    counts->batches = sealing.batches;
    counts->sealed = sealing.records;
    counts->foreign_chains = sealing.foreign_chains;
    counts->lost_chains = sealing.lost_chains;
}

bool gh_postgres_counts_of(struct gh_store *base, struct gh_postgres_counts *out_counts)
{
    if (base->ops != &STORE_OPS)
        return false;
    struct postgres_store *store = (struct postgres_store *)base;
    struct gh_postgres_pool_counts pool = gh_postgres_pool_count(&store->pool);
    *out_counts = (struct gh_postgres_counts){
        .connections_max = pool.size_max,
        .connections = pool.open,
        .in_use = pool.in_use,
        .waiting = pool.waiting,
        .waits = pool.waits,
        .refusals = pool.refusals,
        .connects = pool.connects,
        .connect_failures = pool.connect_failures,
        .losses = pool.losses,
        .retries = atomic_load(&store->retries),
        .lost_answers = atomic_load(&store->lost_answers),
        .failures = atomic_load(&store->failures),
        .seals = store->sealer != NULL,
    };
    if (store->sealer)
        add_sealing(store->sealer, out_counts);
    return true;
}

/* ---- Opening ---- */

static unsigned size_of(const struct gh_postgres_options *options)
{
    unsigned size = options->connection_count ? options->connection_count : CONNECTIONS_DEFAULT;
    return size < GH_POSTGRES_POOL_MAX ? size : GH_POSTGRES_POOL_MAX;
}

static void keep_warning(struct postgres_store *store, struct gh_postgres_connection *connection,
                         struct gh_arena *arena)
{
    struct gh_str warning;
    gh_postgres_check_room(connection, store->size + 1, true, arena, &warning);
    snprintf(store->warning, sizeof(store->warning), "%.*s", GH_STR_ARG(warning));
}

static enum gh_err open_schema(struct postgres_store *store, struct gh_arena *arena,
                               struct gh_str *out_message)
{
    struct gh_postgres_connection connection;
    struct gh_postgres_target patient = store->target;
    patient.statement_ms = MIGRATE_MS;
    enum gh_err err = gh_postgres_connect(&connection, &patient, arena, out_message);
    if (err != GH_OK)
        return err;
    err = gh_postgres_schema_open(&connection, store->writes, arena, out_message);
    if (err == GH_OK && store->writes)
        keep_warning(store, &connection, arena);
    gh_postgres_disconnect(&connection);
    return err;
}

static enum gh_err open_all(struct postgres_store *store, const struct gh_postgres_options *options,
                            struct gh_arena *arena, struct gh_str *out_message)
{
    store->url = strndup(options->url.ptr, options->url.len);
    if (!store->url)
        return GH_ERR_MEMORY;
    store->target = (struct gh_postgres_target){.url = store->url,
                                                .statement_ms = options->statement_ms,
                                                .connect_s = options->connect_s,
                                                .haste = &store->haste};
    enum gh_err err = open_schema(store, arena, out_message);
    if (err != GH_OK)
        return err;
    gh_postgres_pool_init(&store->pool, &store->target, store->size);
    store->has_pool = true;
    if (!options->writes)
        return GH_OK;
    const struct gh_postgres_sealer_options sealing = {.target = store->target,
                                                       .patience_ms = store->retry_ms};
    return gh_postgres_sealer_open(&sealing, arena, &store->sealer, out_message);
}

enum gh_err gh_postgres_open(const struct gh_postgres_options *options, struct gh_arena *arena,
                             struct gh_store **out_store, struct gh_str *out_message)
{
    struct gh_str message = GH_STR("out of memory");
    struct postgres_store *store = calloc(1, sizeof(*store));
    if (!store) {
        *out_message = message;
        return GH_ERR_MEMORY;
    }
    store->store.ops = &STORE_OPS;
    store->store.shared = true;
    store->writes = options->writes;
    store->size = size_of(options);
    store->wait_ms = options->wait_ms ? options->wait_ms : WAIT_MS_DEFAULT;
    store->retry_ms = options->retry_ms ? options->retry_ms : RETRY_MS_DEFAULT;
    enum gh_err err = open_all(store, options, arena, &message);
    if (err == GH_OK) {
        *out_store = &store->store;
        return GH_OK;
    }
    store_close(&store->store);
    *out_message = gh_arena_format(arena, "store postgresql: %.*s", GH_STR_ARG(message));
    return err;
}

struct gh_str gh_postgres_warning_of(struct gh_store *base)
{
    const struct postgres_store *store = (const struct postgres_store *)base;
    return base->ops == &STORE_OPS ? gh_str_from_c(store->warning) : GH_STR("");
}

enum gh_err gh_postgres_probe(const struct gh_postgres_options *options, struct gh_arena *arena,
                              struct gh_str *out_warning, struct gh_str *out_message)
{
    struct gh_postgres_connection connection;
    struct gh_str message = GH_STR("out of memory");
    struct gh_postgres_target target = {.statement_ms = options->statement_ms,
                                        .connect_s = options->connect_s};
    char *url = strndup(options->url.ptr, options->url.len);
    target.url = url;
    enum gh_err err = GH_ERR_MEMORY;
    if (url)
        err = gh_postgres_connect(&connection, &target, arena, &message);
    if (err == GH_OK) {
        gh_postgres_check_room(&connection, size_of(options) + 1, false, arena, out_warning);
        gh_postgres_disconnect(&connection);
    } else {
        *out_message = gh_arena_format(arena, "store postgresql: %.*s", GH_STR_ARG(message));
    }
    if (url)
        explicit_bzero(url, strlen(url));
    free(url);
    return err;
}
