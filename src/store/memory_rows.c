#include "store/memory_rows.h"

static bool is_read_only(struct gh_tx *tx)
{
    return ((struct gh_memory_tx *)tx)->read_only;
}

size_t gh_memory_find_from(const struct gh_memory_table *table, size_t from,
                           gh_memory_row_test *test, const void *wanted)
{
    size_t i = from;
    while (i < table->count && !test(gh_memory_row(table, i), wanted))
        i++;
    return i;
}

size_t gh_memory_find(const struct gh_memory_table *table, gh_memory_row_test *test,
                      const void *wanted)
{
    return gh_memory_find_from(table, 0, test, wanted);
}

enum gh_err gh_memory_get(struct gh_tx *tx, enum gh_memory_table_id id, gh_memory_row_test *test,
                          const void *wanted, void *out_row)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, id);
    size_t index = gh_memory_find(table, test, wanted);
    if (index == table->count)
        return GH_ERR_NOT_FOUND;
    return gh_memory_read(table, index, tx->arena, out_row) ? GH_OK : GH_ERR_MEMORY;
}

enum gh_err gh_memory_insert(struct gh_tx *tx, enum gh_memory_table_id id, gh_memory_row_test *same,
                             const void *key, const void *row)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, id);
    if (is_read_only(tx))
        return GH_ERR_INVALID;
    if (same && gh_memory_find(table, same, key) < table->count)
        return GH_ERR_EXISTS;
    return gh_memory_append(table, row) ? GH_OK : GH_ERR_MEMORY;
}

enum gh_err gh_memory_update(struct gh_tx *tx, enum gh_memory_table_id id, gh_memory_row_test *same,
                             const void *key, const void *row)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, id);
    if (is_read_only(tx))
        return GH_ERR_INVALID;
    size_t index = gh_memory_find(table, same, key);
    if (index == table->count)
        return GH_ERR_NOT_FOUND;
    return gh_memory_replace(table, index, row) ? GH_OK : GH_ERR_MEMORY;
}

enum gh_err gh_memory_put(struct gh_tx *tx, enum gh_memory_table_id id, gh_memory_row_test *same,
                          const void *key, const void *row)
{
    enum gh_err err = gh_memory_update(tx, id, same, key, row);
    return err == GH_ERR_NOT_FOUND ? gh_memory_insert(tx, id, NULL, NULL, row) : err;
}

enum gh_err gh_memory_remove_all(struct gh_tx *tx, enum gh_memory_table_id id,
                                 gh_memory_row_test *test, const void *wanted, size_t limit,
                                 size_t *out_removed)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, id);
    size_t removed = 0;
    if (is_read_only(tx))
        return GH_ERR_INVALID;
    for (size_t i = gh_memory_find(table, test, wanted); i < table->count && removed < limit;
         i = gh_memory_find_from(table, i, test, wanted)) {
        if (!gh_memory_remove(table, i))
            return GH_ERR_MEMORY;
        removed++;
    }
    *out_removed = removed;
    return GH_OK;
}

enum gh_err gh_memory_remove_one(struct gh_tx *tx, enum gh_memory_table_id id,
                                 gh_memory_row_test *test, const void *wanted)
{
    size_t removed;
    enum gh_err err = gh_memory_remove_all(tx, id, test, wanted, 1, &removed);
    return err == GH_OK && !removed ? GH_ERR_NOT_FOUND : err;
}

bool gh_memory_is_id(const struct gh_id *id, const void *wanted)
{
    return gh_str_eq(gh_id_str(id), *(const struct gh_str *)wanted);
}

bool gh_memory_is_hash(const uint8_t *hash, const void *wanted)
{
    return memcmp(hash, wanted, GH_SHA256_BYTES) == 0;
}

bool gh_memory_has_form(const struct gh_id *id)
{
    return gh_id_str(id).len == GH_ID_LEN;
}

static bool account_is(const void *row, const void *wanted)
{
    return gh_memory_is_id(&((const struct gh_account *)row)->id, wanted);
}

enum gh_err gh_memory_check_account(struct gh_tx *tx, const struct gh_id *account)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_ACCOUNTS);
    struct gh_str id = gh_id_str(account);
    return !id.len || gh_memory_find(table, account_is, &id) < table->count ? GH_OK
                                                                            : GH_ERR_NOT_FOUND;
}
