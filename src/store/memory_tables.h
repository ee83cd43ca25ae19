/*
 * The tables of the memory store: arrays of rows that own their texts, and an undo log. Nothing
 * here is fast; everything is simple enough to be believed.
 */
#ifndef GH_STORE_MEMORY_TABLES_H
#define GH_STORE_MEMORY_TABLES_H

#include <stdlib.h>

#include "identity/store.h"

/* What a unit has changed, so that it can be undone; what it replaced or removed lives here. */
struct gh_memory_log {
    struct gh_memory_change *changes;
    size_t count, cap;
};

/* One table: rows of one size, in the order of insertion. */
struct gh_memory_table {
    char *rows;
    size_t row_bytes, count, cap;
    const size_t *texts; /* offsets of the texts in a row */
    size_t text_count;
    struct gh_memory_log *log;
};

/* Recovery codes, which the port has no row for. */
struct gh_memory_recovery {
    struct gh_id account;
    uint8_t hash[GH_SHA256_BYTES];
};

/* And when it was put: later ones have greater numbers. */
struct gh_memory_revocation {
    struct gh_revocation_row row;
    uint64_t position;
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
    GH_MEMORY_AUDIT_PENDING,
    GH_MEMORY_PERSON_KEYS,
    GH_MEMORY_TABLE_COUNT
};

void gh_memory_tables_init(struct gh_memory_table tables[GH_MEMORY_TABLE_COUNT],
                           struct gh_memory_log *log);
void gh_memory_tables_free(struct gh_memory_table tables[GH_MEMORY_TABLE_COUNT]);

/* The end of a unit: everything since the last end stays, or is as it was. */
void gh_memory_commit(struct gh_memory_log *log);
void gh_memory_roll_back(struct gh_memory_log *log);

static inline void *gh_memory_row(const struct gh_memory_table *table, size_t index)
{
    return table->rows + index * table->row_bytes;
}
/* A row with its texts, for a reader; false: the arena is full. */
bool gh_memory_read(const struct gh_memory_table *table, size_t index, struct gh_arena *arena,
                    void *out_row);
/* Changes with copies of `row`. False without memory: nothing changed. */
bool gh_memory_append(struct gh_memory_table *table, const void *row);
bool gh_memory_replace(struct gh_memory_table *table, size_t index, const void *row);
bool gh_memory_remove(struct gh_memory_table *table, size_t index);

#endif
