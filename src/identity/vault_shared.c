/*
 * The vault over a store that other processes write, too: how a new field key, and a new root with
 * it, comes to all of them before anything is sealed under it, and how one that has missed it finds
 * it. See docs/decisions/0015.
 */
#include "base/assert.h"
#include "identity/vault_state.h"

/* An announced key whose process has gone before it sealed is in nobody's way for longer. */
#define ABANDONED_US (600 * 1000000ull)
#define CATCH_UP_US  1000000ull

/* A root in no list; wipe it. */
static struct gh_vault_root root_of(const struct gh_vault *vault, struct gh_str root,
                                    uint64_t now_us)
{
    struct gh_vault_root out = {.since_us = now_us};
    if (root.ptr)
        gh_derive_root(root, GH_VAULT_WRAP_LABEL, out.wrap);
    else
        memcpy(out.wrap, vault->preferred->wrap, GH_KEY_BYTES);
    return out;
}

bool gh_vault_is_other_root(const struct gh_vault *vault, struct gh_str root)
{
    struct gh_vault_root other = root_of(vault, root, 0);
    bool is_other = !gh_vault_same_root(&other, vault->wrapping);
    gh_wipe(&other, sizeof(other));
    return is_other;
}

/* `changing` is held. */
static enum gh_err learn(struct gh_vault *vault, const struct gh_vault_root *root)
{
    const struct gh_vault_root *known = vault->roots;
    while (known && !gh_vault_same_root(known, root))
        known = known->older;
    if (known)
        return GH_OK;
    struct gh_vault_root *made = gh_vault_make_root(root->wrap, root->since_us);
    if (made)
        gh_vault_add_root(vault, made);
    return made ? GH_OK : GH_ERR_MEMORY;
}

enum gh_err gh_vault_learn_root(struct gh_vault *vault, struct gh_str root)
{
    struct gh_vault_root other = root_of(vault, root, 0);
    pthread_mutex_lock(&vault->changing);
    enum gh_err err = learn(vault, &other);
    pthread_mutex_unlock(&vault->changing);
    gh_wipe(&other, sizeof(other));
    return err;
}

/* ---- Announcing ---- */

struct announcing {
    const struct gh_vault *vault;
    const struct gh_vault_root *root;
    struct gh_key_row row; /* what was announced */
    uint8_t fresh[GH_KEY_BYTES], bytes[GH_KEY_BYTES];
};

/* Ours to go on with, in the way (GH_ERR_EXISTS), or left by somebody: then it goes, as it has
   sealed nothing. *out_taken: it is the one. */
static enum gh_err look_at_announced(struct gh_tx *tx, struct announcing *announcing,
                                     const struct gh_key_row *row, bool *out_taken)
{
    const struct gh_vault_root *root;
    uint64_t since_us, now_us = announcing->row.created_us;
    struct gh_str key = {NULL, 0};
    *out_taken = false;
    if (!row->retired_us)
        key = gh_vault_unwrap_by(announcing->vault, tx->arena, gh_vault_key_use(GH_KEY_FIELD),
                                 row->wrapped, &root, &since_us);
    if (key.ptr && key.len == GH_KEY_BYTES && gh_vault_same_root(root, announcing->root)) {
        memcpy(announcing->bytes, key.ptr, GH_KEY_BYTES);
        announcing->row.id = row->id;
        *out_taken = true;
    }
    if (key.ptr)
        gh_wipe((char *)key.ptr, key.len);
    if (*out_taken)
        return GH_OK;
    uint64_t age_us = now_us > row->created_us ? now_us - row->created_us : 0;
    return row->retired_us || age_us > ABANDONED_US ? tx->ops->key_delete(tx, row->id)
                                                    : GH_ERR_EXISTS;
}

static enum gh_err announce(struct gh_tx *tx, void *args)
{
    struct announcing *announcing = args;
    struct gh_key_row *rows, *row = &announcing->row;
    size_t count;
    bool taken = false;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    const struct gh_key_row *sealing = err == GH_OK ? gh_vault_sealing_row(rows, count) : NULL;
    if (err == GH_OK && !sealing)
        return GH_ERR_INVALID;
    for (size_t i = 0; err == GH_OK && !taken && i < count; i++)
        if (rows[i].purpose == GH_KEY_FIELD && rows[i].id > sealing->id)
            err = look_at_announced(tx, announcing, &rows[i], &taken);
    if (err != GH_OK || taken)
        return err;
    row->id = 0;
    memcpy(announcing->bytes, announcing->fresh, GH_KEY_BYTES);
    row->wrapped = gh_vault_wrap_under(announcing->vault, announcing->root, tx->arena,
                                       gh_vault_key_use(GH_KEY_FIELD),
                                       gh_str_of((char *)announcing->bytes, GH_KEY_BYTES));
    return row->wrapped.ptr ? tx->ops->key_insert(tx, row, &row->id) : GH_ERR_MEMORY;
}

/* The root that it is wrapped under opens from now on, here. */
static enum gh_err take_announced(struct gh_vault *vault, const struct announcing *announcing)
{
    enum gh_err err = learn(vault, announcing->root);
    if (err != GH_OK)
        return err;
    if (!gh_vault_add_field_key(vault, &announcing->row,
                                gh_str_of((const char *)announcing->bytes, GH_KEY_BYTES),
                                announcing->row.created_us))
        return GH_ERR_MEMORY;
    vault->announced = (uint32_t)announcing->row.id;
    return GH_OK;
}

enum gh_err gh_vault_announce(struct gh_vault *vault, struct gh_store *store, struct gh_str root,
                              uint64_t now_us, struct gh_arena *arena)
{
    struct gh_vault_root target = root_of(vault, root, now_us);
    struct announcing announcing = {
        .vault = vault,
        .root = &target,
        .row = {.purpose = GH_KEY_FIELD, .created_us = now_us},
    };
    gh_random_fill(&vault->random, announcing.fresh, GH_KEY_BYTES);
    pthread_mutex_lock(&vault->changing);
    vault->announced = 0;
    enum gh_err err = store->ops->run(store, announce, &announcing, arena);
    if (err == GH_OK)
        err = take_announced(vault, &announcing);
    pthread_mutex_unlock(&vault->changing);
    gh_wipe(&announcing, sizeof(announcing));
    gh_wipe(&target, sizeof(target));
    return err;
}

/* ---- Activating ---- */

struct activating {
    const struct gh_vault *vault;
    uint64_t id, now_us;
    bool refused, root_changed;
};

static enum gh_err compare_roots(struct gh_tx *tx, struct activating *activating,
                                 const struct gh_key_row *before, const struct gh_key_row *after)
{
    const char *use = gh_vault_key_use(GH_KEY_FIELD);
    const struct gh_vault_root *old_root, *new_root;
    uint64_t since_us;
    struct gh_str old = gh_vault_unwrap_by(activating->vault, tx->arena, use, before->wrapped,
                                           &old_root, &since_us),
                  new = gh_vault_unwrap_by(activating->vault, tx->arena, use, after->wrapped,
                                           &new_root, &since_us);
    bool opened = old.ptr && new.ptr;
    activating->root_changed = opened && !gh_vault_same_root(old_root, new_root);
    if (old.ptr)
        gh_wipe((char *)old.ptr, old.len);
    if (new.ptr)
        gh_wipe((char *)new.ptr, new.len);
    return opened ? GH_OK : GH_ERR_INVALID;
}

/* What is older than the one that seals now; what was announced in between has sealed nothing. */
static enum gh_err retire_older(struct gh_tx *tx, const struct activating *activating,
                                struct gh_key_row *rows, size_t count, uint64_t sealing_id)
{
    enum gh_err err = GH_OK;
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        struct gh_key_row *row = &rows[i];
        if (row->purpose != GH_KEY_FIELD || row->id >= activating->id)
            continue;
        if (row->id > sealing_id) {
            err = tx->ops->key_delete(tx, row->id);
        } else if (!row->retired_us) {
            row->retired_us = activating->now_us;
            err = tx->ops->key_update(tx, row);
        }
    }
    return err;
}

static enum gh_err activate(struct gh_tx *tx, void *args)
{
    struct activating *activating = args;
    struct gh_key_row *rows, *row = NULL;
    size_t count;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    const struct gh_key_row *sealing = err == GH_OK ? gh_vault_sealing_row(rows, count) : NULL;
    activating->refused = activating->root_changed = false;
    for (size_t i = 0; err == GH_OK && i < count; i++)
        if (rows[i].purpose == GH_KEY_FIELD && rows[i].id == activating->id)
            row = &rows[i];
    if (err != GH_OK || (sealing && sealing->id >= activating->id))
        return err; /* another process has come to the same end */
    activating->refused = !row || row->retired_us;
    if (activating->refused)
        return row ? tx->ops->key_delete(tx, row->id) : GH_OK;
    uint64_t sealing_id = sealing->id; /* of a row that is about to change */
    err = compare_roots(tx, activating, sealing, row);
    if (err == GH_OK)
        err = retire_older(tx, activating, rows, count, sealing_id);
    if (err == GH_OK && activating->root_changed)
        err = gh_vault_audit_rotated(tx, activating->now_us, GH_STR("{\"purpose\":\"root\"}"));
    return err == GH_OK
               ? gh_vault_audit_rotated(tx, activating->now_us, GH_STR("{\"purpose\":\"field\"}"))
               : err;
}

enum gh_err gh_vault_activate(struct gh_vault *vault, struct gh_store *store, uint64_t now_us,
                              struct gh_arena *arena, bool *out_root_changed)
{
    pthread_mutex_lock(&vault->changing);
    struct activating activating = {.vault = vault, .id = vault->announced, .now_us = now_us};
    enum gh_err err =
        activating.id ? store->ops->run(store, activate, &activating, arena) : GH_ERR_NOT_FOUND;
    if (err == GH_OK) {
        vault->announced = 0;
        err = activating.refused ? GH_ERR_REFUSED : gh_vault_follow(vault, store, now_us, arena);
    }
    pthread_mutex_unlock(&vault->changing);
    if (err == GH_OK)
        *out_root_changed = activating.root_changed;
    return err;
}

bool gh_vault_wraps_like(const struct gh_vault *vault, struct gh_arena *arena,
                         struct gh_key_row *rows, size_t count)
{
    const struct gh_key_row *sealing = gh_vault_sealing_row(rows, count);
    const struct gh_vault_root *root;
    uint64_t since_us;
    if (!sealing)
        return false;
    struct gh_str key = gh_vault_unwrap_by(vault, arena, gh_vault_key_use(GH_KEY_FIELD),
                                           sealing->wrapped, &root, &since_us);
    if (!key.ptr)
        return false;
    gh_wipe((char *)key.ptr, key.len);
    return gh_vault_same_root(root, vault->wrapping);
}

/* ---- Catching up ---- */

uint64_t gh_vault_unknown(const struct gh_vault *vault, const struct gh_arena *arena)
{
    return atomic_load(gh_vault_unknown_of(vault, arena));
}

uint64_t gh_vault_changes(const struct gh_vault *vault)
{
    return atomic_load(&vault->changes);
}

bool gh_vault_catch_up(struct gh_vault *vault, struct gh_store *store, uint64_t seen,
                       uint64_t now_us, struct gh_arena *arena)
{
    pthread_mutex_lock(&vault->changing);
    /* another thread may have looked while this one waited */
    if (gh_vault_changes(vault) == seen &&
        (now_us < vault->tried_us || now_us - vault->tried_us >= CATCH_UP_US)) {
        vault->tried_us = now_us;
        (void)gh_vault_follow(vault, store, now_us, arena); /* what it found counts */
    }
    pthread_mutex_unlock(&vault->changing);
    return gh_vault_changes(vault) != seen;
}
