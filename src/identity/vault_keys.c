/*
 * The vault's keys in the store: opened, made where they are missing, wrapped under a new root, and
 * renewed. Everything here looks through all of them in one transaction; there are a few dozen.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "crypto/secret.h"
#include "identity/vault_state.h"

#define ROOTS_MAX 8

/* ---- What is stored: looked through once for every opening and change ---- */

struct looking {
    struct gh_vault *vault;
    uint64_t now_us;
    bool shared;
    bool may_write, may_make; /* else `incomplete` says that there would be something */
    bool incomplete, has_index, rewrapped;
    bool audits;                       /* secret_rotated, when something is wrapped anew */
    const struct gh_vault_root *wraps; /* NULL: that of the key that seals */
    struct gh_vault_root target;       /* of this time: everything is to be under it */
    uint64_t since_us;                 /* the earliest that is stored of it; 0: none */
    uint64_t sealing_id;               /* 0: none */
};

enum gh_err gh_vault_audit_rotated(struct gh_tx *tx, uint64_t now_us, struct gh_str metadata)
{
    struct gh_audit_row row = {
        .record = {.time_us = now_us, .event = GH_AUDIT_SECRET_ROTATED, .metadata = metadata}};
    return tx->ops->audit_append(tx, &row);
}

bool gh_vault_same_root(const struct gh_vault_root *a, const struct gh_vault_root *b)
{
    return memcmp(a->wrap, b->wrap, GH_KEY_BYTES) == 0;
}

struct gh_key_row *gh_vault_sealing_row(struct gh_key_row *rows, size_t count)
{
    struct gh_key_row *sealing = NULL;
    for (size_t i = 0; i < count; i++)
        if (rows[i].purpose == GH_KEY_FIELD && !rows[i].retired_us &&
            (!sealing || rows[i].id < sealing->id))
            sealing = &rows[i];
    return sealing;
}

static enum gh_err choose_target(struct gh_tx *tx, struct looking *looking,
                                 const struct gh_key_row *sealing)
{
    const struct gh_vault *vault = looking->vault;
    const struct gh_vault_root *root = looking->wraps;
    uint64_t since_us = root ? root->since_us : looking->now_us;
    if (!root && sealing) {
        struct gh_str key = gh_vault_unwrap_by(vault, tx->arena, gh_vault_key_use(GH_KEY_FIELD),
                                               sealing->wrapped, &root, &since_us);
        if (!key.ptr)
            return GH_ERR_INVALID;
        gh_wipe((char *)key.ptr, key.len);
    }
    looking->target = root ? *root : *vault->preferred;
    looking->target.since_us = since_us;
    return GH_OK;
}

static enum gh_err take_key(struct looking *looking, const struct gh_key_row *row,
                            struct gh_str key)
{
    struct gh_vault *vault = looking->vault;
    if (row->purpose == GH_KEY_INDEX && !looking->has_index) {
        if (key.len != GH_KEY_BYTES)
            return GH_ERR_INVALID;
        if (!vault->sealing) /* read without a lock from then on; it never changes */
            memcpy(vault->other->index, key.ptr, GH_KEY_BYTES);
        looking->has_index = true;
    } else if (row->purpose == GH_KEY_FIELD) {
        if (!gh_vault_add_field_key(vault, row, key, vault->sealing ? looking->now_us : 0))
            return GH_ERR_INVALID;
    }
    return GH_OK;
}

static enum gh_err rewrap(struct gh_tx *tx, struct looking *looking, struct gh_key_row row,
                          struct gh_str key)
{
    looking->incomplete = true;
    if (!looking->may_write)
        return GH_OK;
    looking->rewrapped = true;
    row.wrapped = gh_vault_wrap_under(looking->vault, &looking->target, tx->arena,
                                      gh_vault_key_use(row.purpose), key);
    return row.wrapped.ptr ? tx->ops->key_update(tx, &row) : GH_ERR_MEMORY;
}

/* Announced under a root that is not known here: who announced it is told by its end. What seals
   already is beyond that. */
static enum gh_err take_back(struct gh_tx *tx, struct looking *looking, struct gh_key_row row)
{
    if (!looking->shared || row.purpose != GH_KEY_FIELD || !looking->sealing_id ||
        row.id <= looking->sealing_id)
        return GH_ERR_INVALID;
    if (row.retired_us)
        return GH_OK;
    looking->incomplete = true;
    row.retired_us = looking->now_us;
    return looking->may_write ? tx->ops->key_update(tx, &row) : GH_OK;
}

static enum gh_err look_at_key(struct gh_tx *tx, struct looking *looking,
                               const struct gh_key_row *row)
{
    const struct gh_vault_root *root;
    uint64_t since_us;
    struct gh_str key = gh_vault_unwrap_by(
        looking->vault, tx->arena, gh_vault_key_use(row->purpose), row->wrapped, &root, &since_us);
    if (!key.ptr)
        return take_back(tx, looking, *row);
    bool announced = looking->shared && row->purpose == GH_KEY_FIELD && looking->sealing_id &&
                     row->id > looking->sealing_id;
    enum gh_err err = take_key(looking, row, key);
    if (err == GH_OK && !announced && !gh_vault_same_root(root, &looking->target))
        err = rewrap(tx, looking, *row, key);
    else if (!announced && (!looking->since_us || since_us < looking->since_us))
        looking->since_us = since_us;
    gh_wipe((char *)key.ptr, key.len);
    return err;
}

static enum gh_err make_key(struct gh_tx *tx, struct looking *looking, enum gh_key_purpose purpose)
{
    looking->incomplete = true;
    if (!looking->may_write || !looking->may_make)
        return GH_OK;
    uint8_t bytes[GH_KEY_BYTES];
    struct gh_key_row row = {.purpose = purpose, .created_us = looking->now_us};
    gh_random_fill(&looking->vault->random, bytes, sizeof(bytes));
    struct gh_str key = gh_str_of((char *)bytes, sizeof(bytes));
    row.wrapped = gh_vault_wrap_under(looking->vault, &looking->target, tx->arena,
                                      gh_vault_key_use(purpose), key);
    enum gh_err err = row.wrapped.ptr ? tx->ops->key_insert(tx, &row, &row.id) : GH_ERR_MEMORY;
    gh_wipe(bytes, sizeof(bytes));
    return err;
}

static enum gh_err look(struct gh_tx *tx, void *args)
{
    struct looking *looking = args;
    struct gh_key_row *rows;
    size_t count;
    looking->incomplete = looking->has_index = looking->rewrapped = false;
    looking->since_us = looking->sealing_id = 0;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    const struct gh_key_row *sealing = err == GH_OK ? gh_vault_sealing_row(rows, count) : NULL;
    if (err == GH_OK)
        err = choose_target(tx, looking, sealing);
    looking->sealing_id = sealing ? sealing->id : 0;
    for (size_t i = 0; err == GH_OK && i < count; i++)
        err = look_at_key(tx, looking, &rows[i]);
    if (err == GH_OK && !looking->has_index)
        err = make_key(tx, looking, GH_KEY_INDEX);
    if (err == GH_OK && !looking->sealing_id)
        err = make_key(tx, looking, GH_KEY_FIELD);
    if (err == GH_OK && looking->rewrapped && looking->audits)
        err = gh_vault_audit_rotated(tx, looking->now_us, GH_STR("{\"purpose\":\"root\"}"));
    return err;
}

static void looked(struct looking *looking)
{
    gh_wipe(&looking->target, sizeof(looking->target));
}

/* ---- Opening and closing ---- */

void gh_vault_seal_with(struct gh_vault *vault, uint64_t id)
{
    struct gh_vault_field_key *key = gh_vault_find_field_key(vault, id), *before = vault->sealing;
    GH_ASSERT(key);
    while ((!before || before->id < key->id) &&
           !atomic_compare_exchange_weak(&vault->sealing, &before, key))
        ;
}

/* What all is wrapped under in a store that is shared is what this vault wraps under, too. */
static enum gh_err adopt_target(struct looking *looking)
{
    struct gh_vault *vault = looking->vault;
    const struct gh_vault_root *wrapping = vault->wrapping;
    uint64_t since_us = looking->since_us ? looking->since_us : looking->target.since_us;
    if (gh_vault_same_root(wrapping, &looking->target) && wrapping->since_us == since_us)
        return GH_OK;
    struct gh_vault_root *root = gh_vault_make_root(looking->target.wrap, since_us);
    if (!root)
        return GH_ERR_MEMORY;
    gh_vault_add_root(vault, root);
    vault->wrapping = root;
    return GH_OK;
}

/* Looked at first without writing, as most starts have nothing to write; and once more behind it,
   so that only what was committed is taken over. */
static enum gh_err load(struct gh_store *store, struct gh_vault *vault, uint64_t now_us,
                        struct gh_arena *arena)
{
    struct looking looking = {.vault = vault,
                              .now_us = now_us,
                              .shared = store->shared,
                              .may_make = true,
                              .audits = !store->shared,
                              .wraps = store->shared ? NULL : vault->wrapping};
    enum gh_err err = store->ops->read(store, look, &looking, arena);
    /* Nobody else uses the vault yet. */
    if (!store->shared)
        vault->wrapping->since_us = looking.since_us ? looking.since_us : now_us;
    if (err == GH_OK && looking.incomplete) {
        looking.may_write = true;
        err = store->ops->run(store, look, &looking, arena);
        looking.may_write = false;
        if (err == GH_OK)
            err = store->ops->read(store, look, &looking, arena);
    }
    /* In a store that is shared there may be more to do again already, for somebody else. */
    if (err == GH_OK && ((looking.incomplete && !store->shared) || !looking.sealing_id))
        err = GH_ERR_IO; /* the store forgot what it had taken */
    if (err == GH_OK && store->shared)
        err = adopt_target(&looking);
    if (err == GH_OK)
        gh_vault_seal_with(vault, looking.sealing_id);
    looked(&looking);
    return err;
}

/* The last is added first: roots are tried in their order. */
static bool add_roots(struct gh_vault *vault, const struct gh_str *roots, size_t count)
{
    uint8_t key[GH_KEY_BYTES];
    for (size_t i = count < ROOTS_MAX ? count : ROOTS_MAX; i-- > 0;) {
        gh_derive_root(roots[i], GH_VAULT_WRAP_LABEL, key);
        struct gh_vault_root *root = gh_vault_make_root(key, 0);
        if (root)
            gh_vault_add_root(vault, root);
        vault->wrapping = vault->preferred = root;
    }
    gh_wipe(key, sizeof(key));
    return vault->wrapping != NULL;
}

enum gh_err gh_vault_open(struct gh_store *store, const struct gh_str *roots, size_t root_count,
                          const struct gh_random *random, uint64_t now_us, struct gh_arena *arena,
                          struct gh_vault **out_vault, struct gh_str *out_message)
{
    GH_ASSERT(root_count > 0);
    struct gh_vault *vault = calloc(1, sizeof(*vault));
    if (!vault) {
        *out_message = GH_STR("out of memory");
        return GH_ERR_MEMORY;
    }
    vault->random = *random;
    vault->unknown = calloc(GH_VAULT_UNKNOWN_COUNTERS, sizeof(*vault->unknown));
    vault->other = gh_secret_alloc(sizeof(*vault->other));
    pthread_mutex_init(&vault->changing, NULL);
    enum gh_err err = vault->unknown && vault->other && add_roots(vault, roots, root_count)
                          ? load(store, vault, now_us, arena)
                          : GH_ERR_MEMORY;
    if (err == GH_OK) {
        *out_vault = vault;
        return GH_OK;
    }
    gh_vault_close(vault);
    *out_message = err == GH_ERR_INVALID
                       ? GH_STR("the root secret does not open the keys in the store: it is not "
                                "the one that they were made under (name the old one in "
                                "secrets.previous)")
                       : GH_STR("the keys in the store can't be read or written");
    return err;
}

/* ---- Changing ---- */

/* What others wrapped meanwhile under an earlier root is wrapped under this one, too. */
static enum gh_err look_again(struct gh_vault *vault, struct gh_store *store,
                              struct gh_vault_root *wraps, bool audits, uint64_t now_us,
                              struct gh_arena *arena)
{
    struct looking looking = {.vault = vault, .now_us = now_us, .wraps = wraps, .audits = audits};
    enum gh_err err = store->ops->read(store, look, &looking, arena);
    if (err == GH_OK && looking.incomplete) {
        looking.may_write = true;
        err = store->ops->run(store, look, &looking, arena);
    }
    if (err == GH_OK && looking.sealing_id)
        gh_vault_seal_with(vault, looking.sealing_id);
    looked(&looking);
    return err;
}

/* Other threads must be able to open what is wrapped under the new root before it is stored, and
   wrap under it before it is looked through a second time: what they stored in between was wrapped
   under the old one. */
static enum gh_err change_root(struct gh_vault *vault, struct gh_store *store,
                               const uint8_t wrap_key[GH_KEY_BYTES], uint64_t now_us,
                               struct gh_arena *arena)
{
    struct gh_vault_root *root = gh_vault_make_root(wrap_key, now_us);
    if (!root)
        return GH_ERR_MEMORY;
    gh_vault_add_root(vault, root);
    enum gh_err err = look_again(vault, store, root, true, now_us, arena);
    if (err != GH_OK)
        return err;
    vault->wrapping = root;
    return look_again(vault, store, root, false, now_us, arena);
}

enum gh_err gh_vault_set_root(struct gh_vault *vault, struct gh_store *store, struct gh_str root,
                              uint64_t now_us, struct gh_arena *arena, bool *out_changed)
{
    uint8_t key[GH_KEY_BYTES];
    GH_ASSERT(!store->shared);
    gh_derive_root(root, GH_VAULT_WRAP_LABEL, key);
    pthread_mutex_lock(&vault->changing);
    struct gh_vault_root *wrapping = vault->wrapping;
    bool changed = memcmp(wrapping->wrap, key, GH_KEY_BYTES) != 0;
    enum gh_err err = changed ? change_root(vault, store, key, now_us, arena)
                              : look_again(vault, store, wrapping, false, now_us, arena);
    pthread_mutex_unlock(&vault->changing);
    gh_wipe(key, sizeof(key));
    if (err == GH_OK)
        *out_changed = changed;
    return err;
}

/* Wraps nothing where nothing is shared: another thread may just be at it, under another root. */
static enum gh_err refresh(struct gh_vault *vault, struct gh_store *store, uint64_t now_us,
                           struct gh_arena *arena)
{
    struct looking looking = {.vault = vault, .now_us = now_us, .wraps = vault->wrapping};
    enum gh_err err = store->ops->read(store, look, &looking, arena);
    if (err == GH_OK && looking.sealing_id)
        gh_vault_seal_with(vault, looking.sealing_id);
    looked(&looking);
    return err;
}

enum gh_err gh_vault_follow(struct gh_vault *vault, struct gh_store *store, uint64_t now_us,
                            struct gh_arena *arena)
{
    struct looking looking = {.vault = vault, .now_us = now_us, .shared = true};
    enum gh_err err = store->ops->read(store, look, &looking, arena);
    if (err == GH_OK && looking.incomplete) {
        looking.may_write = true;
        err = store->ops->run(store, look, &looking, arena);
    }
    if (err == GH_OK && !looking.sealing_id)
        err = GH_ERR_INVALID; /* somebody has emptied the table of keys */
    if (err == GH_OK)
        err = adopt_target(&looking);
    if (err == GH_OK)
        gh_vault_seal_with(vault, looking.sealing_id);
    if (err == GH_OK || err == GH_ERR_INVALID)
        atomic_store(&vault->cut_off, err == GH_ERR_INVALID);
    looked(&looking);
    return err;
}

enum gh_err gh_vault_refresh(struct gh_vault *vault, struct gh_store *store, uint64_t now_us,
                             struct gh_arena *arena)
{
    pthread_mutex_lock(&vault->changing);
    enum gh_err err = store->shared ? gh_vault_follow(vault, store, now_us, arena)
                                    : refresh(vault, store, now_us, arena);
    pthread_mutex_unlock(&vault->changing);
    return err;
}

struct renewing {
    const struct gh_vault *vault;
    struct gh_key_row row;
    uint8_t bytes[GH_KEY_BYTES];
};

static enum gh_err retire_others(struct gh_tx *tx, const struct renewing *renewing)
{
    struct gh_key_row *rows;
    size_t count;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        if (rows[i].purpose != GH_KEY_FIELD || rows[i].retired_us)
            continue;
        rows[i].retired_us = renewing->row.created_us;
        err = tx->ops->key_update(tx, &rows[i]);
    }
    return err;
}

static enum gh_err renew(struct gh_tx *tx, void *args)
{
    struct renewing *renewing = args;
    struct gh_key_row *row = &renewing->row;
    row->id = 0;
    row->wrapped = gh_vault_wrap(renewing->vault, tx->arena, gh_vault_key_use(GH_KEY_FIELD),
                                 gh_str_of((char *)renewing->bytes, GH_KEY_BYTES));
    enum gh_err err = row->wrapped.ptr ? retire_others(tx, renewing) : GH_ERR_MEMORY;
    if (err == GH_OK)
        err = tx->ops->key_insert(tx, row, &row->id);
    return err == GH_OK
               ? gh_vault_audit_rotated(tx, row->created_us, GH_STR("{\"purpose\":\"field\"}"))
               : err;
}

enum gh_err gh_vault_renew_field_key(struct gh_vault *vault, struct gh_store *store,
                                     uint64_t now_us, struct gh_arena *arena)
{
    struct renewing renewing = {
        .vault = vault,
        .row = {.purpose = GH_KEY_FIELD, .created_us = now_us},
    };
    GH_ASSERT(!store->shared);
    gh_random_fill(&vault->random, renewing.bytes, GH_KEY_BYTES);
    pthread_mutex_lock(&vault->changing);
    enum gh_err err = store->ops->run(store, renew, &renewing, arena);
    if (err == GH_OK &&
        !gh_vault_add_field_key(vault, &renewing.row,
                                gh_str_of((char *)renewing.bytes, GH_KEY_BYTES), now_us))
        err = GH_ERR_MEMORY; /* it is stored: a refresh finds it */
    if (err == GH_OK)
        gh_vault_seal_with(vault, renewing.row.id);
    pthread_mutex_unlock(&vault->changing);
    gh_wipe(renewing.bytes, GH_KEY_BYTES);
    return err;
}
