#include "store/written.h"

static void put(struct gh_written *written, struct gh_audit_written item)
{
    if (written->count == GH_AUDIT_WRITTEN_MAX)
        memmove(written->items, written->items + 1, --written->count * sizeof(written->items[0]));
    item.number = ++written->number;
    written->items[written->count++] = item;
}

void gh_written_take(struct gh_written *written, uint32_t chain, uint64_t last_seq)
{
    bool is_another = !written->own.times || written->own.chain != chain;
    written->own = (struct gh_audit_own){.chain = chain, .times = written->own.times + 1};
    if (is_another)
        put(written, (struct gh_audit_written){.chain = chain, .after_seq = last_seq});
}

void gh_written_add(struct gh_written *written, uint32_t chain, uint64_t after_seq,
                    uint64_t through_seq)
{
    put(written, (struct gh_audit_written){
                     .chain = chain, .after_seq = after_seq, .through_seq = through_seq});
}

enum gh_err gh_written_since(const struct gh_written *written, uint64_t number,
                             struct gh_arena *arena, struct gh_audit_written **out_rows,
                             size_t *out_count)
{
    size_t first = 0;
    while (first < written->count && written->items[first].number <= number)
        first++;
    size_t count = written->count - first;
    struct gh_audit_written *rows = gh_arena_zalloc(arena, count + 1, sizeof(*rows));
    if (!rows)
        return GH_ERR_MEMORY;
    if (count)
        memcpy(rows, written->items + first, count * sizeof(*rows));
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}
