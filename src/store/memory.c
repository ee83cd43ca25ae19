#include "store/memory.h"

#include "base/assert.h"
#include "store/memory_rows.h"

/* A record of the log as canonical JSON, and what is made on the way. */
#define SCRATCH_BLOCK_BYTES (16u << 10)
#define SCRATCH_BYTES_MAX   (1u << 20)

static const struct gh_tx_ops TX_OPS = {
    .account_insert = gh_memory_account_insert,
    .account_by_id = gh_memory_account_by_id,
    .account_by_email = gh_memory_account_by_email,
    .account_update = gh_memory_account_update,
    .account_delete = gh_memory_account_delete,
    .account_page = gh_memory_account_page,
    .account_count = gh_memory_account_count,
    .session_insert = gh_memory_session_insert,
    .session_by_family = gh_memory_session_by_family,
    .session_by_id = gh_memory_session_by_id,
    .session_update = gh_memory_session_update,
    .sessions_of = gh_memory_sessions_of,
    .ticket_insert = gh_memory_ticket_insert,
    .ticket_get = gh_memory_ticket_get,
    .ticket_update = gh_memory_ticket_update,
    .ticket_delete = gh_memory_ticket_delete,
    .tickets_delete_of = gh_memory_tickets_delete_of,
    .recovery_set = gh_memory_recovery_set,
    .recovery_take = gh_memory_recovery_take,
    .recovery_count = gh_memory_recovery_count,
    .throttle_get = gh_memory_throttle_get,
    .throttle_put = gh_memory_throttle_put,
    .throttle_delete = gh_memory_throttle_delete,
    .device_put = gh_memory_device_put,
    .device_get = gh_memory_device_get,
    .device_delete = gh_memory_device_delete,
    .devices_of = gh_memory_devices_of,
    .devices_delete_of = gh_memory_devices_delete_of,
    .mail_insert = gh_memory_mail_insert,
    .mail_take = gh_memory_mail_take,
    .mail_update = gh_memory_mail_update,
    .mail_delete = gh_memory_mail_delete,
    .mail_count = gh_memory_mail_count,
    .key_insert = gh_memory_key_insert,
    .key_update = gh_memory_key_update,
    .key_delete = gh_memory_key_delete,
    .keys_all = gh_memory_keys_all,
    .revocation_insert = gh_memory_revocation_insert,
    .revocations_since = gh_memory_revocations_since,
    .audit_chains = gh_memory_audit_chains,
    .audit_own = gh_memory_audit_own,
    .audit_written = gh_memory_audit_written,
    .audit_append = gh_memory_audit_append,
    .audit_page = gh_memory_audit_page,
    .audit_head = gh_memory_audit_head,
    .audit_first = gh_memory_audit_first,
    .audit_last_of = gh_memory_audit_last_of,
    .audit_drop = gh_memory_audit_drop,
    .audit_count = gh_memory_audit_count,
    .pending_put = gh_memory_pending_put,
    .pending_set = gh_memory_pending_set,
    .pending_delete = gh_memory_pending_delete,
    .pending_some = gh_memory_pending_some,
    .person_key_get = gh_memory_person_key_get,
    .person_key_insert = gh_memory_person_key_insert,
    .person_key_delete = gh_memory_person_key_delete,
    .person_keys_drop_days = gh_memory_person_keys_drop_days,
    .sealed_page = gh_memory_sealed_page,
    .sealed_put = gh_memory_sealed_put,
    .purge = gh_memory_purge,
};

/* ---- Transactions: one at a time ---- */

/* The lock is held. */
static enum gh_err run_unit(struct gh_memory_store *store, gh_store_unit *unit, void *args,
                            struct gh_arena *arena, bool is_bulk)
{
    struct gh_memory_tx tx = {
        .tx = {.ops = &TX_OPS, .arena = arena}, .store = store, .is_bulk = is_bulk};
    uint64_t last_key = store->last_key;
    enum gh_err err = unit(&tx.tx, args);
    if (err == GH_OK && store->failures) {
        store->failures--;
        err = store->failure;
    }
    if (err == GH_OK) {
        gh_memory_commit(&store->log);
    } else {
        gh_memory_roll_back(&store->log);
        store->last_key = last_key;
    }
    return err;
}

static enum gh_err store_run(struct gh_store *base, gh_store_unit *unit, void *args,
                             struct gh_arena *arena)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    pthread_mutex_lock(&store->lock);
    enum gh_err err = run_unit(store, unit, args, arena, false);
    pthread_mutex_unlock(&store->lock);
    return err;
}

static enum gh_err store_run_bulk(struct gh_store *base, gh_store_unit *unit, void *args,
                                  struct gh_arena *arena)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    pthread_mutex_lock(&store->lock);
    enum gh_err err = run_unit(store, unit, args, arena, true);
    pthread_mutex_unlock(&store->lock);
    return err;
}

static enum gh_err store_read(struct gh_store *base, gh_store_unit *unit, void *args,
                              struct gh_arena *arena)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    struct gh_memory_tx tx = {
        .tx = {.ops = &TX_OPS, .arena = arena}, .store = store, .read_only = true};
    pthread_mutex_lock(&store->lock);
    enum gh_err err = unit(&tx.tx, args);
    pthread_mutex_unlock(&store->lock);
    return err;
}

static void store_close(struct gh_store *base)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    gh_memory_tables_free(store->tables);
    gh_arena_done(&store->scratch);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static enum gh_err store_scrub(struct gh_store *base)
{
    (void)base; /* what is freed is in no file */
    return GH_OK;
}

static const struct gh_store_ops STORE_OPS = {.run = store_run,
                                              .run_bulk = store_run_bulk,
                                              .read = store_read,
                                              .scrub = store_scrub,
                                              .close = store_close};

struct gh_store *gh_memory_store_open(void)
{
    struct gh_memory_store *store = calloc(1, sizeof(*store));
    if (!store)
        return NULL;
    store->store.ops = &STORE_OPS;
    pthread_mutex_init(&store->lock, NULL);
    gh_arena_init(&store->scratch, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
    gh_memory_tables_init(store->tables, &store->log);
    gh_memory_store_hold(&store->store, 1);
    return &store->store;
}

void gh_memory_store_fail(struct gh_store *base, unsigned count, enum gh_err err)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    pthread_mutex_lock(&store->lock);
    store->failures = count;
    store->failure = err;
    pthread_mutex_unlock(&store->lock);
}

/* ---- Chains ---- */

/* The lock is held. */
static enum gh_audit_holder *holder_of(struct gh_memory_store *store, uint32_t chain)
{
    GH_ASSERT(chain > 0 && chain <= GH_MEMORY_CHAINS_MAX);
    while (store->chain_count < chain)
        store->chains[store->chain_count++] = GH_AUDIT_HELD_BY_NOBODY;
    return &store->chains[chain - 1];
}

void gh_memory_store_hold(struct gh_store *base, uint32_t chain)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    pthread_mutex_lock(&store->lock);
    if (store->own_chain)
        *holder_of(store, store->own_chain) = GH_AUDIT_HELD_BY_NOBODY;
    *holder_of(store, chain) = GH_AUDIT_HELD_HERE;
    store->own_chain = chain;
    gh_written_take(&store->written, chain, gh_memory_last_seq(store, chain));
    pthread_mutex_unlock(&store->lock);
}

void gh_memory_store_restart(struct gh_store *base)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    pthread_mutex_lock(&store->lock);
    memset(&store->written, 0, sizeof(store->written));
    gh_written_take(&store->written, store->own_chain, gh_memory_last_seq(store, store->own_chain));
    pthread_mutex_unlock(&store->lock);
}

static void set_holder(struct gh_store *base, uint32_t chain, enum gh_audit_holder holder)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    pthread_mutex_lock(&store->lock);
    GH_ASSERT(chain != store->own_chain);
    *holder_of(store, chain) = holder;
    pthread_mutex_unlock(&store->lock);
}

void gh_memory_store_hold_elsewhere(struct gh_store *store, uint32_t chain)
{
    set_holder(store, chain, GH_AUDIT_HELD_BY_ANOTHER);
}

void gh_memory_store_give_up(struct gh_store *store, uint32_t chain)
{
    set_holder(store, chain, GH_AUDIT_HELD_BY_NOBODY);
}
