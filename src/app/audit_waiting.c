#include "app/audit_waiting.h"

bool gh_audit_waiting_open(struct gh_audit_waiting *waiting, size_t kinds_max,
                           struct gh_hash_key key)
{
    *waiting = (struct gh_audit_waiting){.window = gh_window_new(kinds_max, key)};
    return waiting->window;
}

void gh_audit_waiting_close(struct gh_audit_waiting *waiting)
{
    gh_window_free(waiting->window);
    waiting->window = NULL;
}

/* ---- Whose it is ---- */

static enum gh_err read_own(struct gh_tx *tx, void *args)
{
    return tx->ops->audit_own(tx, args);
}

/* What is saved is with the chain that it had, or with the one that it has again. */
static void lose(struct gh_audit_waiting *waiting)
{
    gh_window_disown_saved(waiting->window);
    waiting->recovered = false;
}

/* Where that can't be read the units that write look themselves. */
static void look(struct gh_audit_waiting *waiting, struct gh_arena *arena)
{
    struct gh_store *store = waiting->identity->store;
    struct gh_audit_own own;
    if (waiting->recovered && store->ops->read(store, read_own, &own, arena) == GH_OK &&
        own.times != waiting->times)
        lose(waiting);
}

/* ---- What was saved before ---- */

enum gh_err gh_audit_waiting_recover_chain(struct gh_audit_waiting *waiting, struct gh_arena *arena,
                                           uint32_t chain, uint64_t now_us,
                                           struct gh_audit_recovered *out_recovered)
{
    enum gh_err err = GH_OK;
    *out_recovered = (struct gh_audit_recovered){.records = 0};
    for (bool left = true; left && err == GH_OK;) {
        struct gh_audit_recovered part;
        gh_arena_reset(arena);
        err = gh_audit_pending_recover(waiting->identity, arena, chain, GH_AUDIT_WAITING_BATCH,
                                       now_us, &part, &left);
        if (err != GH_OK)
            break;
        out_recovered->times = part.times; /* the last part's: then nothing was left */
        out_recovered->records += part.records;
        out_recovered->damaged += part.damaged;
    }
    return err == GH_ERR_EXISTS && chain ? GH_OK : err;
}

/* Before anything else is saved, which would take its places. */
enum gh_err gh_audit_waiting_recover(struct gh_audit_waiting *waiting, struct gh_arena *arena,
                                     uint64_t now_us, struct gh_audit_recovered *out_recovered)
{
    *out_recovered = (struct gh_audit_recovered){.records = 0};
    gh_arena_reset(arena);
    look(waiting, arena);
    if (waiting->recovered)
        return GH_OK;
    enum gh_err err = gh_audit_waiting_recover_chain(waiting, arena, 0, now_us, out_recovered);
    waiting->recovered = err == GH_OK;
    waiting->times = out_recovered->times;
    return err;
}

/* ---- What is due ---- */

static void count_written(const struct gh_window_entry *entries, size_t count,
                          struct gh_audit_waiting_written *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct gh_tally_entry *entry = &entries[i].entry;
        bool nameless = !entry->client.len && !entry->reason.len;
        if (nameless)
            out->overflow += entry->count;
        else
            out->coalesced += entry->count - 1;
    }
}

enum gh_err gh_audit_waiting_write(struct gh_audit_waiting *waiting, struct gh_arena *arena,
                                   uint64_t now_us, bool all,
                                   struct gh_audit_waiting_written *out_written)
{
    struct gh_window_entry entries[GH_AUDIT_WAITING_BATCH];
    size_t count = gh_window_due(waiting->window, now_us, all, entries, GH_AUDIT_WAITING_BATCH);
    *out_written = (struct gh_audit_waiting_written){.more = count == GH_AUDIT_WAITING_BATCH};
    if (!count)
        return GH_OK;
    gh_arena_reset(arena);
    enum gh_err err = gh_audit_pending_write(waiting->identity, arena, entries, count,
                                             waiting->times, now_us, &out_written->invalid);
    if (err == GH_ERR_EXISTS) { /* the rest is written without what was saved */
        lose(waiting);
        out_written->more = true;
        return GH_OK;
    }
    if (err != GH_OK)
        return err;
    count_written(entries, count, out_written);
    gh_window_written(waiting->window, now_us);
    return GH_OK;
}

/* ---- What waits ---- */

enum gh_err gh_audit_waiting_save(struct gh_audit_waiting *waiting, struct gh_arena *arena,
                                  uint64_t now_us, bool now)
{
    struct gh_window_entry entries[GH_AUDIT_WAITING_BATCH];
    size_t count = GH_AUDIT_WAITING_BATCH;
    bool soon = now_us < waiting->save_us && waiting->save_us - now_us <= GH_AUDIT_WAITING_SAVE_US;
    if (!waiting->recovered || (soon && !now))
        return GH_OK;
    while (count == GH_AUDIT_WAITING_BATCH) {
        count = gh_window_unsaved(waiting->window, entries, GH_AUDIT_WAITING_BATCH);
        if (!count)
            return GH_OK;
        waiting->save_us = now_us + GH_AUDIT_WAITING_SAVE_US;
        gh_arena_reset(arena);
        enum gh_err err =
            gh_audit_pending_save(waiting->identity, arena, entries, count, waiting->times, now_us);
        if (err == GH_ERR_EXISTS) { /* again, behind what is there */
            lose(waiting);
            return GH_OK;
        }
        if (err != GH_OK)
            return err;
        gh_window_saved(waiting->window);
    }
    return GH_OK;
}
