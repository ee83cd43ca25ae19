#include "identity/rotation.h"

#include "base/assert.h"
#include "identity/lease.h"

/* Of a slice: some 3 ms (measured: 20 us for a value in SQLite, reading and crypto included). */
#define SLICE_ROWS      128
#define SLICES_PER_TURN 16
#define KEEP_EVERY_US   (600 * 1000000ull)
/* Of several processes one goes over all values in an hour; it may still be at it then. */
#define LEASE_US (3600 * 1000000ull)

#define FIELD_OF(also, id, table, column, key, type, row, field) field,
static const char *const FIELDS[] = {GH_SEALED_COLUMNS(FIELD_OF, )};
#undef FIELD_OF

/* ---- One slice ---- */

struct slice {
    const struct gh_rotation *rotation;
    struct gh_sealed_row *rows;
    size_t count;
    struct gh_str *anew; /* of each row; ptr NULL: it stays as it is */
    bool writes;
};

static enum gh_err read_slice(struct gh_tx *tx, void *args)
{
    struct slice *slice = args;
    const struct gh_rotation *rotation = slice->rotation;
    return tx->ops->sealed_page(tx, rotation->column,
                                gh_str_of(rotation->after, rotation->after_len), SLICE_ROWS,
                                &slice->rows, &slice->count);
}

static enum gh_err write_slice(struct gh_tx *tx, void *args)
{
    const struct slice *slice = args;
    enum gh_err err = GH_OK;
    for (size_t i = 0; err == GH_OK && i < slice->count; i++) {
        if (!slice->anew[i].ptr)
            continue;
        err = tx->ops->sealed_put(tx, slice->rotation->column, &slice->rows[i], slice->anew[i]);
        if (err == GH_ERR_NOT_FOUND)
            err = GH_OK; /* another one is there by now, sealed when it came */
    }
    return err;
}

/* False: no key of ours opens it. */
static bool seal_anew(struct slice *slice, size_t i, struct gh_arena *arena)
{
    const struct gh_rotation *rotation = slice->rotation;
    const struct gh_sealed_row *row = &slice->rows[i];
    const char *field = FIELDS[rotation->column];
    struct gh_str plain = gh_vault_open_field(rotation->vault, arena, field, row->row, row->sealed);
    if (!plain.ptr)
        return false;
    slice->anew[i] = gh_vault_seal(rotation->vault, arena, field, row->row, plain);
    gh_wipe((char *)plain.ptr, plain.len);
    slice->writes = true;
    return slice->anew[i].ptr != NULL;
}

static void go_behind(struct gh_rotation *rotation, const struct slice *slice)
{
    if (slice->count == SLICE_ROWS) {
        struct gh_str key = slice->rows[slice->count - 1].key;
        GH_ASSERT(key.len <= sizeof(rotation->after));
        memcpy(rotation->after, key.ptr, key.len);
        rotation->after_len = key.len;
        return;
    }
    rotation->after_len = 0;
    if (rotation->column + 1 == GH_SEALED_COLUMN_COUNT)
        rotation->over = true;
    else
        rotation->column++;
}

void gh_rotation_init(struct gh_rotation *rotation, struct gh_vault *vault, struct gh_store *store,
                      uint64_t now_us)
{
    *rotation = (struct gh_rotation){.vault = vault, .store = store, .begun_us = now_us};
}

enum gh_err gh_rotation_step(struct gh_rotation *rotation, struct gh_arena *arena)
{
    struct slice slice = {.rotation = rotation};
    uint64_t renewed = 0, unreadable = 0;
    gh_arena_reset(arena);
    enum gh_err err = rotation->store->ops->read(rotation->store, read_slice, &slice, arena);
    if (err != GH_OK)
        return err;
    slice.anew = gh_arena_zalloc(arena, slice.count + 1, sizeof(*slice.anew));
    if (!slice.anew)
        return GH_ERR_MEMORY;
    uint32_t sealing_id = gh_vault_state(rotation->vault).sealing_id;
    for (size_t i = 0; i < slice.count; i++) {
        if (gh_vault_key_id(slice.rows[i].sealed) == sealing_id)
            continue;
        bool good = rotation->count_only || seal_anew(&slice, i, arena);
        renewed += good;
        unreadable += !good;
    }
    if (slice.writes)
        err = rotation->store->ops->run_bulk(rotation->store, write_slice, &slice, arena);
    if (err != GH_OK)
        return err;
    rotation->renewed += renewed;
    rotation->unreadable += unreadable;
    go_behind(rotation, &slice);
    return GH_OK;
}

/* ---- The keys ---- */

static enum gh_err is_left(struct gh_vault *vault, struct gh_store *store, struct gh_arena *arena,
                           bool *out_left)
{
    struct gh_rotation rotation;
    enum gh_err err = gh_rotation_has_retired(store, arena, out_left);
    if (err != GH_OK || !*out_left)
        return err;
    gh_rotation_init(&rotation, vault, store, 0);
    rotation.count_only = true;
    while (err == GH_OK && !rotation.over && !rotation.renewed)
        err = gh_rotation_step(&rotation, arena);
    *out_left = rotation.renewed > 0;
    return err;
}

/* Is there an end to come to first? What an earlier root's rotation has left is left to this one.
 */
static bool is_due(const struct gh_vault *vault, bool left, bool root_changes)
{
    struct gh_vault_state state = gh_vault_state(vault);
    return !left || state.sealing_made_us < state.root_since_us || root_changes;
}

enum gh_err gh_rotation_announce(struct gh_vault *vault, struct gh_store *store, struct gh_str root,
                                 uint64_t now_us, struct gh_arena *arena, bool *out_waits)
{
    bool left = false;
    *out_waits = false;
    if (!store->shared)
        return GH_OK;
    enum gh_err err = gh_vault_refresh(vault, store, now_us, arena);
    if (err == GH_OK)
        err = is_left(vault, store, arena, &left);
    if (err != GH_OK || !is_due(vault, left, gh_vault_is_other_root(vault, root)))
        return err;
    err = gh_vault_announce(vault, store, root, now_us, arena);
    *out_waits = err == GH_OK;
    return err;
}

static enum gh_err begin_shared(struct gh_vault *vault, struct gh_store *store, uint64_t now_us,
                                struct gh_arena *arena, bool *out_root_changed)
{
    bool changed = false;
    enum gh_err err = gh_vault_activate(vault, store, now_us, arena, &changed);
    if (err == GH_ERR_NOT_FOUND)
        err = gh_vault_refresh(vault, store, now_us, arena);
    if (err == GH_OK)
        *out_root_changed = changed;
    return err;
}

enum gh_err gh_rotation_begin(struct gh_vault *vault, struct gh_store *store, struct gh_str root,
                              uint64_t now_us, struct gh_arena *arena, bool *out_root_changed)
{
    bool left = false, changed = false;
    if (store->shared)
        return begin_shared(vault, store, now_us, arena, out_root_changed);
    enum gh_err err = root.ptr ? gh_vault_set_root(vault, store, root, now_us, arena, &changed)
                               : gh_vault_refresh(vault, store, now_us, arena);
    if (err == GH_OK)
        err = is_left(vault, store, arena, &left);
    if (err == GH_OK && is_due(vault, left, changed))
        err = gh_vault_renew_field_key(vault, store, now_us, arena);
    if (err == GH_OK)
        *out_root_changed = changed;
    return err;
}

struct retired {
    uint64_t settled_us; /* retired before this; drops these */
    bool has;
    unsigned dropped;
};

static enum gh_err look_for_retired(struct gh_tx *tx, void *args)
{
    struct retired *retired = args;
    struct gh_key_row *rows;
    size_t count;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    retired->has = false;
    for (size_t i = 0; err == GH_OK && i < count; i++)
        retired->has |= rows[i].purpose == GH_KEY_FIELD && rows[i].retired_us;
    return err;
}

enum gh_err gh_rotation_has_retired(struct gh_store *store, struct gh_arena *arena, bool *out_has)
{
    struct retired retired = {.has = false};
    enum gh_err err = store->ops->read(store, look_for_retired, &retired, arena);
    if (err == GH_OK)
        *out_has = retired.has;
    return err;
}

static enum gh_err drop(struct gh_tx *tx, void *args)
{
    struct retired *retired = args;
    struct gh_key_row *rows;
    size_t count;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    retired->dropped = 0;
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        if (rows[i].purpose != GH_KEY_FIELD || !rows[i].retired_us ||
            rows[i].retired_us > retired->settled_us)
            continue;
        err = tx->ops->key_delete(tx, rows[i].id);
        retired->dropped++;
    }
    return err;
}

enum gh_err gh_rotation_drop_retired(const struct gh_rotation *rotation, struct gh_arena *arena,
                                     unsigned *out_dropped)
{
    uint64_t since_us = gh_vault_state(rotation->vault).sealing_since_us;
    uint64_t settle_us =
        rotation->store->shared ? GH_ROTATION_SETTLE_SHARED_US : GH_ROTATION_SETTLE_US;
    *out_dropped = 0;
    if (!rotation->over || rotation->renewed || rotation->unreadable ||
        rotation->begun_us < settle_us || since_us > rotation->begun_us - settle_us)
        return GH_OK;
    struct retired retired = {.settled_us = rotation->begun_us - settle_us};
    enum gh_err err = rotation->store->ops->run_bulk(rotation->store, drop, &retired, arena);
    if (err == GH_OK)
        *out_dropped = retired.dropped;
    return err;
}

struct retiring {
    uint64_t now_us;
    bool retired;
};

static enum gh_err retire_audit_key(struct gh_tx *tx, void *args)
{
    struct retiring *retiring = args;
    struct gh_key_row *rows;
    size_t count;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    retiring->retired = false;
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        if (rows[i].purpose != GH_KEY_AUDIT || rows[i].retired_us)
            continue;
        rows[i].retired_us = retiring->now_us;
        err = tx->ops->key_update(tx, &rows[i]);
        retiring->retired = true;
    }
    struct gh_audit_row row = {.record = {.time_us = retiring->now_us,
                                          .event = GH_AUDIT_SECRET_ROTATED,
                                          .metadata = GH_STR("{\"purpose\":\"audit\"}")}};
    return err == GH_OK && retiring->retired ? tx->ops->audit_append(tx, &row) : err;
}

enum gh_err gh_rotation_retire_audit_key(struct gh_store *store, uint64_t now_us,
                                         struct gh_arena *arena, bool *out_retired)
{
    struct retiring retiring = {.now_us = now_us};
    enum gh_err err = store->ops->run(store, retire_audit_key, &retiring, arena);
    if (err == GH_OK)
        *out_retired = retiring.retired;
    return err;
}

/* ---- Without being told to ---- */

static enum gh_err end_pass(struct gh_rotation_keeper *keeper, struct gh_arena *arena)
{
    unsigned dropped;
    keeper->busy = false;
    gh_arena_reset(arena);
    return gh_rotation_drop_retired(&keeper->pass, arena, &dropped);
}

enum gh_err gh_rotation_keep(struct gh_rotation_keeper *keeper, struct gh_vault *vault,
                             struct gh_store *store, uint64_t now_us, struct gh_arena *arena)
{
    enum gh_err err = GH_OK;
    gh_arena_reset(arena);
    if (!keeper->busy) {
        if (now_us < keeper->next_us)
            return GH_OK;
        keeper->next_us = now_us + KEEP_EVERY_US;
        err = gh_rotation_has_retired(store, arena, &keeper->busy);
        if (err == GH_OK && keeper->busy)
            keeper->busy = gh_lease_take(store, GH_LEASE_ROTATION, now_us, LEASE_US, arena);
        if (err == GH_OK && keeper->busy)
            err = gh_vault_refresh(vault, store, now_us, arena);
        if (err != GH_OK || !keeper->busy)
            return err;
        gh_rotation_init(&keeper->pass, vault, store, now_us);
    }
    for (unsigned i = 0; i < SLICES_PER_TURN && err == GH_OK && !keeper->pass.over; i++)
        err = gh_rotation_step(&keeper->pass, arena);
    return err == GH_OK && keeper->pass.over ? end_pass(keeper, arena) : err;
}
