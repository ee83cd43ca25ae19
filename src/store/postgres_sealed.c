/* The PostgreSQL adapter: keys of persons, and sealed columns for a rotation of keys. */
#include "store/postgres_ops.h"

/* ---- Keys of persons ---- */

enum gh_err gh_postgres_person_key_get(struct gh_tx *tx, struct gh_str person,
                                       struct gh_person_key_row *out)
{
    struct gh_person_key_row row;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_PERSON_KEY_GET);
    gh_postgres_put_key(&call, person);
    bool found = gh_postgres_next(&call);
    if (found) {
        row.person = gh_postgres_take_text(&call);
        row.wrapped = gh_postgres_take_text(&call);
        row.created_us = gh_postgres_take_u64(&call);
    }
    enum gh_err err = gh_postgres_end_one(&call, found);
    if (err == GH_OK)
        *out = row;
    return err;
}

enum gh_err gh_postgres_person_key_insert(struct gh_tx *tx, const struct gh_person_key_row *row)
{
    if (!row->wrapped.len)
        return GH_ERR_INVALID;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_PERSON_KEY_INSERT);
    gh_postgres_put_key(&call, row->person);
    gh_postgres_put_sealed(&call, row->wrapped);
    gh_postgres_put_u64(&call, row->created_us);
    return gh_postgres_change_told(&call);
}

enum gh_err gh_postgres_person_key_delete(struct gh_tx *tx, struct gh_str person)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_PERSON_KEY_DELETE);
    gh_postgres_put_key(&call, person);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_person_keys_drop_days(struct gh_tx *tx, struct gh_str before,
                                              uint64_t *out_removed)
{
    uint64_t removed;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_PERSON_KEYS_DROP_DAYS);
    gh_postgres_put_key(&call, before);
    enum gh_err err = gh_postgres_change(&call, &removed);
    if (err == GH_OK)
        *out_removed = removed;
    return err;
}

/* ---- Sealed columns ---- */

/* Page and put of each column stand side by side in the table of statements. */
static enum gh_postgres_statement page_of(enum gh_sealed_column column)
{
    static const enum gh_postgres_statement PAGES[GH_SEALED_COLUMN_COUNT] = {
#define X(also, id, table, column, key, type, row, field)                                          \
    [GH_SEALED_##id] = GH_POSTGRES_SEALED_PAGE_##id,
        GH_SEALED_COLUMNS(X, )
#undef X
    };
    return PAGES[column];
}

static enum gh_postgres_statement put_of(enum gh_sealed_column column)
{
    return (enum gh_postgres_statement)(page_of(column) + 1);
}

/* A text that is none is in front of all keys, or no row's. */
static void put_key(struct gh_postgres_call *call, enum gh_sealed_column column, struct gh_str key)
{
    enum { TEXT, BLOB };
    static const char TYPES[GH_SEALED_COLUMN_COUNT] = {
#define X(also, id, table, column, key, type, row, field) [GH_SEALED_##id] = type,
        GH_SEALED_COLUMNS(X, )
#undef X
    };
    if (TYPES[column] == TEXT)
        gh_postgres_put_key(call, key);
    else
        gh_postgres_put_sealed(call, key);
}

static void take_sealed(struct gh_postgres_call *call, void *out_row)
{
    struct gh_sealed_row *row = out_row;
    row->key = gh_postgres_take_text(call);
    row->row = gh_postgres_take_text(call);
    row->sealed = gh_postgres_take_text(call);
}

enum gh_err gh_postgres_sealed_page(struct gh_tx *tx, enum gh_sealed_column column,
                                    struct gh_str after_key, size_t limit,
                                    struct gh_sealed_row **out_rows, size_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, page_of(column));
    put_key(&call, column, after_key);
    gh_postgres_put_limit(&call, limit);
    void *rows;
    enum gh_err err =
        gh_postgres_take_all(&call, take_sealed, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

enum gh_err gh_postgres_sealed_put(struct gh_tx *tx, enum gh_sealed_column column,
                                   const struct gh_sealed_row *read, struct gh_str sealed)
{
    if (!sealed.len)
        return GH_ERR_INVALID;
    struct gh_postgres_call call = gh_postgres_begin(tx, put_of(column));
    put_key(&call, column, read->key);
    gh_postgres_put_sealed(&call, read->sealed);
    gh_postgres_put_sealed(&call, sealed);
    return gh_postgres_change_one(&call);
}
