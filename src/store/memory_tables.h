/*
 * The tables of the memory store: arrays of rows that own their texts, and an undo log. Nothing
 * here is fast; everything is simple enough to be believed.
 */
#ifndef GH_STORE_MEMORY_TABLES_H
#define GH_STORE_MEMORY_TABLES_H

#include <stdlib.h>

#include "identity/store.h"

/* One table: rows of one size, in the order of insertion. */
struct gh_memory_table {
    char *rows;
    size_t row_bytes, count, cap;
    const size_t *texts; /* offsets of the texts in a row */
    size_t text_count;
};

/* Recovery codes, which the port has no row for. */
struct gh_memory_recovery {
    struct gh_id account;
    uint8_t hash[GH_SHA256_BYTES];
};

enum gh_memory_table_id {
    GH_MEMORY_ACCOUNTS,
    GH_MEMORY_SESSIONS,
    GH_MEMORY_TICKETS,
    GH_MEMORY_RECOVERIES,
    GH_MEMORY_THROTTLES,
    GH_MEMORY_DEVICES,
    GH_MEMORY_MAILS,
    GH_MEMORY_KEYS,
    GH_MEMORY_REVOCATIONS,
    GH_MEMORY_AUDIT,
    GH_MEMORY_TABLE_COUNT
};

void gh_memory_tables_init(struct gh_memory_table tables[GH_MEMORY_TABLE_COUNT]);
void gh_memory_tables_free(struct gh_memory_table tables[GH_MEMORY_TABLE_COUNT]);
/* A deep copy; false without memory (what was made is freed). */
bool gh_memory_tables_copy(const struct gh_memory_table from[GH_MEMORY_TABLE_COUNT],
                           struct gh_memory_table to[GH_MEMORY_TABLE_COUNT]);

static inline void *gh_memory_row(const struct gh_memory_table *table, size_t index)
{
    return table->rows + index * table->row_bytes;
}
/* A row with its texts, for a reader; false: the arena is full. */
bool gh_memory_read(const struct gh_memory_table *table, size_t index, struct gh_arena *arena,
                    void *out_row);
/* Appends a copy of `row`; NULL without memory. */
void *gh_memory_append(struct gh_memory_table *table, const void *row);
/* Puts a copy of `row` in place of one. False without memory: nothing changed. */
bool gh_memory_replace(struct gh_memory_table *table, size_t index, const void *row);
void gh_memory_remove(struct gh_memory_table *table, size_t index);

#endif
