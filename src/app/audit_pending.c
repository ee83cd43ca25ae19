#include "app/audit_pending.h"

#include "app/audit_refusals.h"
#include "identity/audit_log.h"
#include "identity/person.h"

struct batch {
    const struct gh_identity *identity;
    const struct gh_window_entry *entries;
    size_t count;
    uint64_t times, now_us;
    size_t invalid;
};

static enum gh_err run(const struct gh_identity *identity, struct gh_arena *arena,
                       gh_store_unit *unit, void *args)
{
    return identity->store->ops->run_bulk(identity->store, unit, args, arena);
}

/* GH_ERR_EXISTS: what was saved then is not under the chain as this process has it now. */
static enum gh_err check_times(struct gh_tx *tx, uint64_t times)
{
    struct gh_audit_own own;
    enum gh_err err = tx->ops->audit_own(tx, &own);
    return err == GH_OK && own.times != times ? GH_ERR_EXISTS : err;
}

/* ---- What is due ---- */

static bool is_any_saved(const struct batch *batch)
{
    size_t i = 0;
    while (i < batch->count && !batch->entries[i].saved)
        i++;
    return i < batch->count;
}

static enum gh_err forget_entry(struct gh_tx *tx, const struct gh_window_entry *entry)
{
    if (!entry->saved)
        return GH_OK;
    enum gh_err err = tx->ops->pending_delete(tx, entry->place);
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static enum gh_err write_unit(struct gh_tx *tx, void *args)
{
    struct batch *batch = args;
    enum gh_err err = is_any_saved(batch) ? check_times(tx, batch->times) : GH_OK;
    batch->invalid = 0;
    for (size_t i = 0; err == GH_OK && i < batch->count; i++) {
        const struct gh_tally_entry *entry = &batch->entries[i].entry;
        struct gh_audit_record record;
        err = gh_audit_refusal_record(tx->arena, entry, batch->now_us, &record);
        if (err == GH_OK)
            err = gh_audit_log_append(tx, batch->identity, &record);
        batch->invalid += err == GH_ERR_INVALID;
        if (err == GH_OK || err == GH_ERR_INVALID)
            err = forget_entry(tx, &batch->entries[i]);
    }
    return err;
}

enum gh_err gh_audit_pending_write(const struct gh_identity *identity, struct gh_arena *arena,
                                   const struct gh_window_entry *entries, size_t count,
                                   uint64_t times, uint64_t now_us, size_t *out_invalid)
{
    struct batch batch = {identity, entries, count, times, now_us, 0};
    enum gh_err err = run(identity, arena, write_unit, &batch);
    if (err == GH_OK)
        *out_invalid = batch.invalid;
    return err;
}

/* ---- What waits ---- */

/* GH_ERR_NOT_FOUND: it is not saved after all. */
static enum gh_err save_count(struct gh_tx *tx, const struct gh_identity *identity, uint64_t place,
                              const struct gh_audit_record *record)
{
    struct gh_audit_record bare = *record;
    struct gh_audit_row row;
    bare.ip_address = bare.user_agent = GH_STR("");
    enum gh_err err = gh_audit_protect(tx->arena, &identity->random, &bare, NULL, NULL, &row);
    return err == GH_OK ? tx->ops->pending_set(tx, place, row.record.metadata) : err;
}

/* Who did it and whom it speaks of are one in a refusal. */
static enum gh_err save_whole(struct gh_tx *tx, const struct gh_identity *identity, uint64_t place,
                              const struct gh_audit_record *record)
{
    struct gh_audit_pending pending = {.place = place};
    struct gh_audit_person person;
    enum gh_err err = gh_person_key(tx, identity, record->actor_id, record->time_us, &person);
    if (err != GH_OK)
        return err;
    err = gh_audit_protect(tx->arena, &identity->random, record, &person, &person, &pending.row);
    gh_wipe(&person, sizeof(person));
    return err == GH_OK ? tx->ops->pending_put(tx, &pending) : err;
}

static enum gh_err save_entry(struct gh_tx *tx, const struct batch *batch,
                              const struct gh_window_entry *entry)
{
    struct gh_audit_record record;
    enum gh_err err = gh_audit_refusal_record(tx->arena, &entry->entry, batch->now_us, &record);
    if (err != GH_OK)
        return err;
    err = entry->saved ? save_count(tx, batch->identity, entry->place, &record) : GH_ERR_NOT_FOUND;
    return err == GH_ERR_NOT_FOUND ? save_whole(tx, batch->identity, entry->place, &record) : err;
}

static enum gh_err save_unit(struct gh_tx *tx, void *args)
{
    const struct batch *batch = args;
    enum gh_err err = check_times(tx, batch->times);
    for (size_t i = 0; err == GH_OK && i < batch->count; i++)
        err = save_entry(tx, batch, &batch->entries[i]);
    return err;
}

enum gh_err gh_audit_pending_save(const struct gh_identity *identity, struct gh_arena *arena,
                                  const struct gh_window_entry *entries, size_t count,
                                  uint64_t times, uint64_t now_us)
{
    struct batch batch = {identity, entries, count, times, now_us, 0};
    return run(identity, arena, save_unit, &batch);
}

/* ---- What an earlier process left ---- */

struct recovery {
    uint32_t chain;
    size_t limit;
    uint64_t now_us;
    struct gh_audit_recovered recovered;
};

/* They are rows already: nothing is opened. */
static enum gh_err append_row(struct gh_tx *tx, struct recovery *recovery,
                              struct gh_audit_pending *pending)
{
    pending->row.record.time_us = recovery->now_us;
    tx->chain = 0; /* whosever it was */
    enum gh_err err = tx->ops->audit_append(tx, &pending->row);
    if (err == GH_OK)
        recovery->recovered.records++;
    else if (err == GH_ERR_INVALID)
        recovery->recovered.damaged++;
    return err == GH_ERR_INVALID ? GH_OK : err;
}

static enum gh_err recover_unit(struct gh_tx *tx, void *args)
{
    struct recovery *recovery = args;
    struct gh_audit_pending *rows;
    size_t count;
    struct gh_audit_own own = {.chain = 0};
    recovery->recovered = (struct gh_audit_recovered){.records = 0};
    enum gh_err err = tx->ops->audit_own(tx, &own);
    if (err != GH_OK)
        return err;
    recovery->recovered.times = own.times;
    tx->chain = recovery->chain;
    err = tx->ops->pending_some(tx, recovery->limit, &rows, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        err = append_row(tx, recovery, &rows[i]);
        tx->chain = recovery->chain;
        if (err == GH_OK)
            err = tx->ops->pending_delete(tx, rows[i].place);
    }
    /* What was there a moment ago somebody else has recovered: nothing of this commits. */
    return err == GH_ERR_NOT_FOUND && recovery->chain ? GH_ERR_EXISTS : err;
}

enum gh_err gh_audit_pending_recover(const struct gh_identity *identity, struct gh_arena *arena,
                                     uint32_t chain, size_t limit, uint64_t now_us,
                                     struct gh_audit_recovered *out_recovered, bool *out_left)
{
    struct recovery recovery = {.chain = chain, .limit = limit, .now_us = now_us};
    enum gh_err err = run(identity, arena, recover_unit, &recovery);
    if (err != GH_OK)
        return err;
    *out_recovered = recovery.recovered;
    *out_left = recovery.recovered.records + recovery.recovered.damaged == limit;
    return GH_OK;
}
