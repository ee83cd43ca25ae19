#include "store/memory_rows.h"

/* The index of the first row that passes from `from` on, or the count. */
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
    if (same && gh_memory_find(table, same, key) < table->count)
        return GH_ERR_EXISTS;
    return gh_memory_append(table, row) ? GH_OK : GH_ERR_MEMORY;
}

enum gh_err gh_memory_update(struct gh_tx *tx, enum gh_memory_table_id id, gh_memory_row_test *same,
                             const void *key, const void *row)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, id);
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

size_t gh_memory_remove_all(struct gh_memory_table *table, gh_memory_row_test *test,
                            const void *wanted, size_t limit)
{
    size_t removed = 0;
    for (size_t i = gh_memory_find(table, test, wanted); i < table->count && removed < limit;
         i = gh_memory_find_from(table, i, test, wanted)) {
        gh_memory_remove(table, i);
        removed++;
    }
    return removed;
}

enum gh_err gh_memory_remove_one(struct gh_tx *tx, enum gh_memory_table_id id,
                                 gh_memory_row_test *test, const void *wanted)
{
    return gh_memory_remove_all(gh_memory_table_of(tx, id), test, wanted, 1) ? GH_OK
                                                                             : GH_ERR_NOT_FOUND;
}

bool gh_memory_is_id(const struct gh_id *id, const void *wanted)
{
    return gh_str_eq(gh_id_str(id), *(const struct gh_str *)wanted);
}

bool gh_memory_is_hash(const uint8_t *hash, const void *wanted)
{
    return memcmp(hash, wanted, GH_SHA256_BYTES) == 0;
}
