/* A hash table from values of the documents (by address) and tags to what lint knows of them. */
#include "openapi/lint_state.h"

#define ROOM_FIRST 256

static size_t place_of(const struct gh_json_value *value, unsigned tag, size_t room)
{
    uint64_t hash = ((uint64_t)(uintptr_t)value >> 3) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= (uint64_t)tag * UINT64_C(0xc2b2ae3d27d4eb4f);
    return (size_t)((hash ^ (hash >> 32)) & (room - 1));
}

static struct gh_lint_entry *probe(const struct gh_lint_table *table,
                                   const struct gh_json_value *value, unsigned tag)
{
    size_t at = place_of(value, tag, table->room);
    while (table->entries[at].value &&
           (table->entries[at].value != value || table->entries[at].tag != tag))
        at = (at + 1) & (table->room - 1);
    return &table->entries[at];
}

static bool grow(struct gh_lint_table *table, struct gh_arena *arena)
{
    struct gh_lint_table bigger = {.count = table->count,
                                   .room = table->room ? 2 * table->room : ROOM_FIRST};
    bigger.entries = gh_arena_zalloc(arena, bigger.room, sizeof(*bigger.entries));
    if (!bigger.entries)
        return false;
    for (size_t i = 0; i < table->room; i++)
        if (table->entries[i].value)
            *probe(&bigger, table->entries[i].value, table->entries[i].tag) = table->entries[i];
    *table = bigger;
    return true;
}

struct gh_lint_entry *gh_lint_table_put(struct gh_lint_table *table, struct gh_arena *arena,
                                        const struct gh_json_value *value, unsigned tag,
                                        bool *out_fresh)
{
    if (2 * table->count >= table->room && !grow(table, arena))
        return NULL;
    struct gh_lint_entry *entry = probe(table, value, tag);
    *out_fresh = !entry->value;
    if (*out_fresh) {
        *entry = (struct gh_lint_entry){.value = value, .tag = tag};
        table->count++;
    }
    return entry;
}

const struct gh_lint_entry *gh_lint_table_find(const struct gh_lint_table *table,
                                               const struct gh_json_value *value, unsigned tag)
{
    const struct gh_lint_entry *entry = table->room ? probe(table, value, tag) : NULL;
    return entry && entry->value ? entry : NULL;
}
