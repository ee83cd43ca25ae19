/* The SQLite adapter: sealed columns, for a rotation of keys. */
#include "store/sqlite_ops.h"

/* Page and put of each column stand side by side in the table of statements. */
static enum gh_sqlite_statement page_of(enum gh_sealed_column column)
{
    static const enum gh_sqlite_statement PAGES[GH_SEALED_COLUMN_COUNT] = {
#define X(also, id, table, column, key, type, row, field)                                          \
    [GH_SEALED_##id] = GH_SQLITE_SEALED_PAGE_##id,
        GH_SEALED_COLUMNS(X, )
#undef X
    };
    return PAGES[column];
}

static enum gh_sqlite_statement put_of(enum gh_sealed_column column)
{
    return (enum gh_sqlite_statement)(page_of(column) + 1);
}

static void take_sealed(struct gh_sqlite_call *call, void *out_row)
{
    struct gh_sealed_row *row = out_row;
    row->key = gh_sqlite_take_text(call);
    row->row = gh_sqlite_take_text(call);
    row->sealed = gh_sqlite_take_text(call);
}

enum gh_err gh_sqlite_sealed_page(struct gh_tx *tx, enum gh_sealed_column column,
                                  struct gh_str after_key, size_t limit,
                                  struct gh_sealed_row **out_rows, size_t *out_count)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, page_of(column));
    gh_sqlite_put_sealed(&call, after_key);
    gh_sqlite_put_limit(&call, limit);
    void *rows;
    enum gh_err err = gh_sqlite_take_all(&call, take_sealed, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

enum gh_err gh_sqlite_sealed_put(struct gh_tx *tx, enum gh_sealed_column column,
                                 const struct gh_sealed_row *read, struct gh_str sealed)
{
    if (!sealed.len)
        return GH_ERR_INVALID;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, put_of(column));
    gh_sqlite_put_sealed(&call, read->key);
    gh_sqlite_put_sealed(&call, read->sealed);
    gh_sqlite_put_sealed(&call, sealed);
    return gh_sqlite_change_one(&call);
}
