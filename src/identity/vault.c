/*
 * Field keys seal (the newest that is not retired; all open), the index key hashes and never
 * changes, as rows are found by what it made. A sealed text is a form byte, the id of its key (4
 * bytes, big-endian) and the sealed box; id, field and row are authenticated.
 */
#include "identity/vault.h"

#include <stdlib.h>

#include "base/assert.h"
#include "crypto/seal.h"

#define ROOTS_MAX         8
#define FIELD_KEYS_MAX    64
#define FORM              1
#define PREFIX_BYTES      5
#define CONTEXT_BYTES_MAX 160
#define LABEL_BYTES_MAX   64
#define WRAP_LABEL        GH_STR("gatehouse wrap 1")

struct data_key {
    uint32_t id;
    bool retired;
    uint8_t bytes[GH_KEY_BYTES];
};

struct gh_vault {
    struct gh_random random;
    uint8_t wraps[ROOTS_MAX][GH_KEY_BYTES]; /* derived of the roots, the newest first */
    size_t wrap_count;
    struct data_key fields[FIELD_KEYS_MAX]; /* in the order of their ids */
    size_t field_count;
    uint8_t index[GH_KEY_BYTES];
};

const char *gh_vault_key_use(enum gh_key_purpose purpose)
{
    switch (purpose) {
    case GH_KEY_FIELD:
        return "keys.field";
    case GH_KEY_INDEX:
        return "keys.index";
    case GH_KEY_COOKIE:
        return "keys.cookie";
    case GH_KEY_SIGNING:
        return "keys.signing";
    case GH_KEY_AUDIT:
        return "keys.audit";
    }
    return "";
}

/* ---- Wrapping ---- */

struct gh_str gh_vault_wrap(const struct gh_vault *vault, struct gh_arena *arena, const char *use,
                            struct gh_str key)
{
    return gh_seal(arena, &vault->random, vault->wraps[0], gh_str_from_c(use), key);
}

/* *out_root: which one opened it. */
static struct gh_str unwrap(const struct gh_vault *vault, struct gh_arena *arena, const char *use,
                            struct gh_str wrapped, size_t *out_root)
{
    for (size_t i = 0; i < vault->wrap_count; i++) {
        struct gh_str key = gh_unseal(arena, vault->wraps[i], gh_str_from_c(use), wrapped);
        if (key.ptr) {
            *out_root = i;
            return key;
        }
    }
    return (struct gh_str){NULL, 0};
}

struct gh_str gh_vault_unwrap(const struct gh_vault *vault, struct gh_arena *arena, const char *use,
                              struct gh_str wrapped)
{
    size_t root;
    return unwrap(vault, arena, use, wrapped, &root);
}

/* ---- Opening ---- */

struct opening {
    struct gh_vault *vault;
    uint64_t now_us;
    bool may_write;
    bool incomplete; /* something has to be written */
    bool has_index;
};

static bool take_key(struct opening *opening, const struct gh_key_row *row, struct gh_str key)
{
    struct gh_vault *vault = opening->vault;
    if (row->purpose == GH_KEY_INDEX && !opening->has_index) {
        memcpy(vault->index, key.ptr, GH_KEY_BYTES);
        opening->has_index = true;
    } else if (row->purpose == GH_KEY_FIELD) {
        if (vault->field_count == FIELD_KEYS_MAX || row->id > UINT32_MAX)
            return false;
        struct data_key *field = &vault->fields[vault->field_count++];
        *field = (struct data_key){.id = (uint32_t)row->id, .retired = row->retired_us != 0};
        memcpy(field->bytes, key.ptr, GH_KEY_BYTES);
    }
    return true;
}

static bool is_data_key(enum gh_key_purpose purpose)
{
    return purpose == GH_KEY_FIELD || purpose == GH_KEY_INDEX;
}

/* Under the newest root from now on. */
static enum gh_err rewrap(struct gh_tx *tx, struct opening *opening, struct gh_key_row row,
                          struct gh_str key)
{
    opening->incomplete = true;
    if (!opening->may_write)
        return GH_OK;
    row.wrapped = gh_vault_wrap(opening->vault, tx->arena, gh_vault_key_use(row.purpose), key);
    return row.wrapped.ptr ? tx->ops->key_update(tx, &row) : GH_ERR_MEMORY;
}

static enum gh_err load_key(struct gh_tx *tx, struct opening *opening, const struct gh_key_row *row)
{
    size_t root;
    struct gh_str key =
        unwrap(opening->vault, tx->arena, gh_vault_key_use(row->purpose), row->wrapped, &root);
    if (!key.ptr)
        return GH_ERR_INVALID;
    enum gh_err err = GH_OK;
    if (is_data_key(row->purpose) && (key.len != GH_KEY_BYTES || !take_key(opening, row, key)))
        err = GH_ERR_INVALID;
    if (err == GH_OK && root > 0)
        err = rewrap(tx, opening, *row, key);
    gh_wipe((char *)key.ptr, key.len);
    return err;
}

static enum gh_err make_key(struct gh_tx *tx, struct opening *opening, enum gh_key_purpose purpose)
{
    opening->incomplete = true;
    if (!opening->may_write)
        return GH_OK;
    uint8_t bytes[GH_KEY_BYTES];
    struct gh_key_row row = {.purpose = purpose, .created_us = opening->now_us};
    gh_random_fill(&opening->vault->random, bytes, sizeof(bytes));
    struct gh_str key = gh_str_of((char *)bytes, sizeof(bytes));
    row.wrapped = gh_vault_wrap(opening->vault, tx->arena, gh_vault_key_use(purpose), key);
    enum gh_err err = row.wrapped.ptr ? tx->ops->key_insert(tx, &row, &row.id) : GH_ERR_MEMORY;
    if (err == GH_OK && !take_key(opening, &row, key))
        err = GH_ERR_INVALID;
    gh_wipe(bytes, sizeof(bytes));
    return err;
}

static int by_id(const void *a, const void *b)
{
    uint64_t left = ((const struct gh_key_row *)a)->id, right = ((const struct gh_key_row *)b)->id;
    return left < right ? -1 : left > right;
}

static bool has_sealing_key(const struct gh_vault *vault)
{
    for (size_t i = 0; i < vault->field_count; i++)
        if (!vault->fields[i].retired)
            return true;
    return false;
}

static enum gh_err load(struct gh_tx *tx, void *args)
{
    struct opening *opening = args;
    struct gh_key_row *rows;
    size_t count;
    opening->vault->field_count = 0;
    opening->incomplete = opening->has_index = false;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    if (err == GH_OK && count)
        qsort(rows, count, sizeof(*rows), by_id);
    for (size_t i = 0; err == GH_OK && i < count; i++)
        err = load_key(tx, opening, &rows[i]);
    if (err == GH_OK && !opening->has_index)
        err = make_key(tx, opening, GH_KEY_INDEX);
    if (err == GH_OK && !has_sealing_key(opening->vault))
        err = make_key(tx, opening, GH_KEY_FIELD);
    return err;
}

/* Looked at first without writing, as most starts have nothing to write. */
static enum gh_err load_or_make(struct gh_store *store, struct gh_vault *vault, uint64_t now_us,
                                struct gh_arena *arena)
{
    struct opening opening = {.vault = vault, .now_us = now_us};
    enum gh_err err = store->ops->read(store, load, &opening, arena);
    if (err != GH_OK || !opening.incomplete)
        return err;
    opening.may_write = true;
    return store->ops->run(store, load, &opening, arena);
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
    vault->wrap_count = root_count < ROOTS_MAX ? root_count : ROOTS_MAX;
    for (size_t i = 0; i < vault->wrap_count; i++)
        gh_derive_root(roots[i], WRAP_LABEL, vault->wraps[i]);
    enum gh_err err = load_or_make(store, vault, now_us, arena);
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

void gh_vault_close(struct gh_vault *vault)
{
    if (!vault)
        return;
    gh_wipe(vault, sizeof(*vault));
    free(vault);
}

/* ---- Fields ---- */

/* What binds a text to its place. False: longer than any place that we have. */
static bool put_context(struct gh_buf *context, uint32_t id, const char *field, struct gh_str row)
{
    char key[4] = {(char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id};
    gh_buf_put(context, gh_str_of(key, sizeof(key)));
    gh_buf_put(context, gh_str_from_c(field));
    gh_buf_put_char(context, '\0'); /* in no field's name */
    gh_buf_put(context, row);
    return !context->overflow;
}

struct gh_str gh_vault_seal(const struct gh_vault *vault, struct gh_arena *arena, const char *field,
                            struct gh_str row, struct gh_str plain)
{
    char memory[CONTEXT_BYTES_MAX];
    struct gh_buf context = gh_buf_over(memory, sizeof(memory));
    size_t at = vault->field_count;
    if (!plain.len)
        return GH_STR("");
    while (at-- > 0 && vault->fields[at].retired)
        ;
    const struct data_key *key = &vault->fields[at];
    bool fits = put_context(&context, key->id, field, row);
    GH_ASSERT(fits);
    struct gh_str box = gh_seal(arena, &vault->random, key->bytes, gh_buf_str(&context), plain);
    char *sealed = box.ptr ? gh_arena_alloc(arena, PREFIX_BYTES + box.len) : NULL;
    if (!sealed)
        return (struct gh_str){NULL, 0};
    sealed[0] = FORM;
    memcpy(sealed + 1, memory, PREFIX_BYTES - 1); /* the context begins with the id */
    memcpy(sealed + PREFIX_BYTES, box.ptr, box.len);
    return gh_str_of(sealed, PREFIX_BYTES + box.len);
}

static const struct data_key *find_field_key(const struct gh_vault *vault, struct gh_str sealed)
{
    const unsigned char *bytes = (const unsigned char *)sealed.ptr;
    if (sealed.len < PREFIX_BYTES || bytes[0] != FORM)
        return NULL;
    uint32_t id =
        (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 | bytes[4];
    for (size_t i = 0; i < vault->field_count; i++)
        if (vault->fields[i].id == id)
            return &vault->fields[i];
    return NULL;
}

struct gh_str gh_vault_open_field(const struct gh_vault *vault, struct gh_arena *arena,
                                  const char *field, struct gh_str row, struct gh_str sealed)
{
    char memory[CONTEXT_BYTES_MAX];
    struct gh_buf context = gh_buf_over(memory, sizeof(memory));
    if (!sealed.len)
        return GH_STR("");
    const struct data_key *key = find_field_key(vault, sealed);
    if (!key || !put_context(&context, key->id, field, row))
        return (struct gh_str){NULL, 0};
    return gh_unseal(arena, key->bytes, gh_buf_str(&context), gh_str_skip(sealed, PREFIX_BYTES));
}

/* ---- Keyed hashes ---- */

void gh_vault_index(const struct gh_vault *vault, const char *use, struct gh_str value,
                    uint8_t out[GH_SHA256_BYTES])
{
    uint8_t key[GH_KEY_BYTES];
    char memory[LABEL_BYTES_MAX];
    struct gh_buf label = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&label, GH_STR("index "));
    gh_buf_put(&label, gh_str_from_c(use));
    GH_ASSERT(!label.overflow);
    gh_derive_key(vault->index, gh_buf_str(&label), key);
    gh_hmac_sha256(gh_str_of((char *)key, sizeof(key)), value, out);
    gh_wipe(key, sizeof(key));
}
