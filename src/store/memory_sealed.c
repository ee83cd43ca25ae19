/* The memory store: sealed columns, for a rotation of keys. */
#include "store/memory_rows.h"

#include <stdlib.h>

/* ---- Where the columns are ---- */

typedef struct gh_str read_member(const char *at);

static struct gh_str read_id(const char *at)
{
    return gh_id_str((const struct gh_id *)at);
}

static struct gh_str read_hash(const char *at)
{
    return gh_str_of(at, GH_SHA256_BYTES);
}

static struct gh_str read_text(const char *at)
{
    return *(const struct gh_str *)at;
}

struct member {
    read_member *read;
    size_t offset;
};

struct column {
    enum gh_memory_table_id table;
    struct member key, row, sealed;
};

/* Tables and columns of the list have the names of rows and their members. */
#define TYPE_accounts     struct gh_account
#define TYPE_sessions     struct gh_session_row
#define TYPE_tickets      struct gh_ticket
#define TYPE_devices      struct gh_device_row
#define TYPE_mails        struct gh_mail_row
#define TYPE_person_keys  struct gh_person_key_row
#define TABLE_accounts    GH_MEMORY_ACCOUNTS
#define TABLE_sessions    GH_MEMORY_SESSIONS
#define TABLE_tickets     GH_MEMORY_TICKETS
#define TABLE_devices     GH_MEMORY_DEVICES
#define TABLE_mails       GH_MEMORY_MAILS
#define TABLE_person_keys GH_MEMORY_PERSON_KEYS

/* clang-format off */
#define MEMBER(type, name)                                                                         \
    {_Generic(((type *)NULL)->name, struct gh_id: read_id, uint8_t *: read_hash,                   \
              struct gh_str: read_text), offsetof(type, name)}
static const struct column COLUMNS[GH_SEALED_COLUMN_COUNT] = {
#define X(also, id, table, column, key, type, row, field)                                          \
    [GH_SEALED_##id] = {TABLE_##table, MEMBER(TYPE_##table, key), MEMBER(TYPE_##table, row),       \
                        MEMBER(TYPE_##table, column)},
    GH_SEALED_COLUMNS(X, )
#undef X
};
/* clang-format on */

static struct gh_str text_of(const struct member *member, const void *row)
{
    return member->read((const char *)row + member->offset);
}

/* ---- The operations ---- */

struct candidate {
    struct gh_str key;
    const void *row;
};

static int compare_candidates(const void *a, const void *b)
{
    return gh_str_compare(((const struct candidate *)a)->key, ((const struct candidate *)b)->key);
}

/* The rows with something sealed whose keys come behind `after`, by their keys. */
static size_t rows_behind(const struct gh_memory_table *table, const struct column *column,
                          struct gh_str after, struct candidate *out)
{
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++) {
        const void *row = gh_memory_row(table, i);
        struct gh_str key = text_of(&column->key, row);
        if (text_of(&column->sealed, row).len && gh_str_compare(key, after) > 0)
            out[count++] = (struct candidate){key, row};
    }
    qsort(out, count, sizeof(*out), compare_candidates);
    return count;
}

static bool copy_row(const struct column *column, const void *row, struct gh_arena *arena,
                     struct gh_sealed_row *out)
{
    out->key = gh_arena_dup(arena, text_of(&column->key, row));
    out->row = gh_arena_dup(arena, text_of(&column->row, row));
    out->sealed = gh_arena_dup(arena, text_of(&column->sealed, row));
    return out->key.ptr && out->row.ptr && out->sealed.ptr;
}

enum gh_err gh_memory_sealed_page(struct gh_tx *tx, enum gh_sealed_column id,
                                  struct gh_str after_key, size_t limit,
                                  struct gh_sealed_row **out_rows, size_t *out_count)
{
    const struct column *column = &COLUMNS[id];
    struct gh_memory_table *table = gh_memory_table_of(tx, column->table);
    struct candidate *found = gh_arena_zalloc(tx->arena, table->count + 1, sizeof(*found));
    struct gh_sealed_row *rows;
    if (!found)
        return GH_ERR_MEMORY;
    size_t count = rows_behind(table, column, after_key, found);
    if (count > limit)
        count = limit;
    rows = gh_arena_zalloc(tx->arena, count + 1, sizeof(*rows));
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (!copy_row(column, found[i].row, tx->arena, &rows[i]))
            return GH_ERR_MEMORY;
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}

struct wanted {
    const struct column *column;
    const struct gh_sealed_row *read;
};

static bool is_as_read(const void *row, const void *argument)
{
    const struct wanted *wanted = argument;
    return gh_str_eq(text_of(&wanted->column->key, row), wanted->read->key) &&
           gh_str_eq(text_of(&wanted->column->sealed, row), wanted->read->sealed);
}

enum gh_err gh_memory_sealed_put(struct gh_tx *tx, enum gh_sealed_column id,
                                 const struct gh_sealed_row *read, struct gh_str sealed)
{
    const struct column *column = &COLUMNS[id];
    struct gh_memory_table *table = gh_memory_table_of(tx, column->table);
    struct wanted wanted = {column, read};
    if (!sealed.len)
        return GH_ERR_INVALID;
    size_t index = gh_memory_find(table, is_as_read, &wanted);
    if (index == table->count)
        return GH_ERR_NOT_FOUND;
    char *row = gh_arena_alloc(tx->arena, table->row_bytes);
    if (!row)
        return GH_ERR_MEMORY;
    memcpy(row, gh_memory_row(table, index), table->row_bytes);
    memcpy(row + column->sealed.offset, &sealed, sizeof(sealed));
    return gh_memory_update(tx, column->table, is_as_read, &wanted, row);
}
