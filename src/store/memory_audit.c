/* The memory store: the audit log, and the keys of persons. */
#include "audit/chain.h"
#include "store/memory_rows.h"

#define DAY_US 86400000000ull

/* ---- Chains ---- */

static uint32_t chain_of(struct gh_tx *tx)
{
    return tx->chain ? tx->chain : gh_memory_store_of(tx)->own_chain;
}

/* May the unit change the log of its chain, and what is pending there? */
static enum gh_err check_chain(struct gh_tx *tx)
{
    const struct gh_memory_tx *unit = (const struct gh_memory_tx *)tx;
    uint32_t chain = chain_of(tx);
    if (unit->read_only)
        return GH_ERR_INVALID;
    if (chain > unit->store->chain_count)
        return GH_ERR_NOT_FOUND;
    switch (unit->store->chains[chain - 1]) {
    case GH_AUDIT_HELD_HERE:
        return GH_OK;
    case GH_AUDIT_HELD_BY_NOBODY:
        return unit->is_bulk ? GH_OK : GH_ERR_INVALID;
    case GH_AUDIT_HELD_BY_ANOTHER:
        break;
    }
    return GH_ERR_EXISTS;
}

enum gh_err gh_memory_audit_chains(struct gh_tx *tx, struct gh_audit_chain **out_rows,
                                   size_t *out_count)
{
    const struct gh_memory_store *store = gh_memory_store_of(tx);
    struct gh_audit_chain *rows = gh_arena_zalloc(tx->arena, store->chain_count, sizeof(*rows));
    if (!rows)
        return GH_ERR_MEMORY;
    for (uint32_t i = 0; i < store->chain_count; i++)
        rows[i] = (struct gh_audit_chain){.id = i + 1, .holder = store->chains[i]};
    *out_rows = rows;
    *out_count = store->chain_count;
    return GH_OK;
}

enum gh_err gh_memory_audit_own(struct gh_tx *tx, struct gh_audit_own *out)
{
    *out = gh_memory_store_of(tx)->written.own;
    return GH_OK;
}

enum gh_err gh_memory_audit_written(struct gh_tx *tx, uint64_t number,
                                    struct gh_audit_written **out_rows, size_t *out_count)
{
    return gh_written_since(&gh_memory_store_of(tx)->written, number, tx->arena, out_rows,
                            out_count);
}

/* ---- Records: in the order of their positions, and in each chain of their numbers ---- */

static bool is_of_chain(const void *row, const void *chain)
{
    return ((const struct gh_audit_row *)row)->record.chain == *(const uint32_t *)chain;
}

static const struct gh_audit_row *oldest(struct gh_tx *tx)
{
    const struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_AUDIT);
    uint32_t chain = chain_of(tx);
    size_t index = gh_memory_find(table, is_of_chain, &chain);
    return index < table->count ? gh_memory_row(table, index) : NULL;
}

static const struct gh_audit_row *newest_of(const struct gh_memory_store *store, uint32_t chain)
{
    const struct gh_memory_table *table = &store->tables[GH_MEMORY_AUDIT];
    for (size_t i = table->count; i-- > 0;)
        if (is_of_chain(gh_memory_row(table, i), &chain))
            return gh_memory_row(table, i);
    return NULL;
}

static const struct gh_audit_row *newest(struct gh_tx *tx)
{
    return newest_of(gh_memory_store_of(tx), chain_of(tx));
}

uint64_t gh_memory_last_seq(const struct gh_memory_store *store, uint32_t chain)
{
    const struct gh_audit_row *last = newest_of(store, chain);
    return last ? last->record.seq : 0;
}

/* Behind that of the newest of all: no chain loses its newest, so that none comes twice. */
static uint64_t next_position(const struct gh_memory_table *table)
{
    const struct gh_audit_row *last = table->count ? gh_memory_row(table, table->count - 1) : NULL;
    return last ? last->position + 1 : 1;
}

enum gh_err gh_memory_audit_append(struct gh_tx *tx, const struct gh_audit_row *row)
{
    struct gh_arena *scratch = &gh_memory_store_of(tx)->scratch;
    const struct gh_audit_row *last = newest(tx);
    struct gh_audit_row linked = *row;
    enum gh_err err = check_chain(tx);
    if (err != GH_OK)
        return err;
    linked.record.chain = chain_of(tx);
    linked.position = next_position(gh_memory_table_of(tx, GH_MEMORY_AUDIT));
    if (!linked.record.metadata.len)
        linked.record.metadata = GH_STR("{}");
    err = gh_audit_link(scratch, &linked, last ? last->record.seq : 0, last ? last->hash : NULL);
    gh_arena_reset(scratch);
    if (err == GH_OK)
        err = gh_memory_insert(tx, GH_MEMORY_AUDIT, NULL, NULL, &linked);
    if (err == GH_OK && linked.record.chain != gh_memory_store_of(tx)->own_chain)
        gh_written_add(&gh_memory_store_of(tx)->written, linked.record.chain, linked.record.seq - 1,
                       linked.record.seq); /* even if the unit fails yet: it may be too much */
    return err;
}

enum gh_err gh_memory_audit_head(struct gh_tx *tx, uint64_t *out_seq,
                                 uint8_t out_hash[GH_SHA256_BYTES])
{
    const struct gh_audit_row *last = newest(tx);
    if (!last)
        return GH_ERR_NOT_FOUND;
    *out_seq = last->record.seq;
    memcpy(out_hash, last->hash, GH_SHA256_BYTES);
    return GH_OK;
}

enum gh_err gh_memory_audit_first(struct gh_tx *tx, uint64_t *out_seq,
                                  uint8_t out_prev_hash[GH_SHA256_BYTES])
{
    const struct gh_audit_row *first = oldest(tx);
    if (!first)
        return GH_ERR_NOT_FOUND;
    *out_seq = first->record.seq;
    memcpy(out_prev_hash, first->prev_hash, GH_SHA256_BYTES);
    return GH_OK;
}

/* ---- What is asked of the log ---- */

static bool speaks_of(const struct gh_audit_record *record, const struct gh_audit_query *query)
{
    if (query->user_id.len && !gh_str_eq(record->user_id, query->user_id) &&
        !gh_str_eq(record->actor_id, query->user_id))
        return false;
    if (query->event.len && !gh_str_eq(gh_audit_event_facts(record->event)->name, query->event))
        return false;
    if (query->session.len && !gh_str_eq(record->session, query->session))
        return false;
    return !query->by_outcome || record->outcome == query->outcome;
}

static bool is_within(const struct gh_audit_row *row, uint32_t chain,
                      const struct gh_audit_query *query)
{
    uint64_t time_us = row->record.time_us;
    uint64_t place = query->every_chain ? row->position : row->record.seq;
    return (query->every_chain || row->record.chain == chain) && place > query->after_seq &&
           (!query->before_seq || place < query->before_seq) && time_us >= query->since_us &&
           (!query->until_us || time_us < query->until_us);
}

enum gh_err gh_memory_audit_page(struct gh_tx *tx, const struct gh_audit_query *query,
                                 struct gh_audit_row **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_AUDIT);
    size_t most = query->limit < table->count ? query->limit : table->count, count = 0;
    struct gh_audit_row *rows = gh_arena_zalloc(tx->arena, most + 1, sizeof(*rows));
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < table->count && count < most; i++) {
        size_t at = query->oldest_first ? i : table->count - 1 - i;
        const struct gh_audit_row *row = gh_memory_row(table, at);
        if (speaks_of(&row->record, query) && is_within(row, chain_of(tx), query) &&
            !gh_memory_read(table, at, tx->arena, &rows[count++]))
            return GH_ERR_MEMORY;
    }
    *out_rows = rows;
    *out_count = count;
    if (query->passed) /* nobody else writes here */
        *query->passed = (struct gh_audit_passed){.count = 0};
    return GH_OK;
}

enum gh_err gh_memory_audit_last_of(struct gh_tx *tx, enum gh_audit_event event, uint64_t before_us,
                                    struct gh_audit_row *out)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_AUDIT);
    for (size_t i = table->count; i-- > 0;) {
        const struct gh_audit_row *row = gh_memory_row(table, i);
        if (row->record.chain == chain_of(tx) && row->record.event == event &&
            (!before_us || row->record.time_us < before_us))
            return gh_memory_read(table, i, tx->arena, out) ? GH_OK : GH_ERR_MEMORY;
    }
    return GH_ERR_NOT_FOUND;
}

struct cut {
    uint32_t chain;
    uint64_t through_seq;
};

static bool is_cut(const void *row, const void *wanted)
{
    const struct cut *cut = wanted;
    const struct gh_audit_record *record = &((const struct gh_audit_row *)row)->record;
    return record->chain == cut->chain && record->seq <= cut->through_seq;
}

enum gh_err gh_memory_audit_drop(struct gh_tx *tx, uint64_t through_seq, size_t limit,
                                 uint64_t *out_removed)
{
    const struct gh_audit_row *last = newest(tx);
    struct cut cut = {chain_of(tx), through_seq};
    size_t removed = 0;
    if (last && through_seq >= last->record.seq)
        cut.through_seq = last->record.seq - 1;
    enum gh_err err = check_chain(tx);
    if (err == GH_OK)
        err = gh_memory_remove_all(tx, GH_MEMORY_AUDIT, is_cut, &cut, limit, &removed);
    if (err == GH_OK)
        *out_removed = removed;
    return err;
}

static void count_record(const struct gh_audit_record *record, struct gh_audit_day_count *rows,
                         size_t *count)
{
    uint64_t day_us = record->time_us / DAY_US * DAY_US;
    size_t i = 0;
    while (i < *count && (rows[i].day_us != day_us || rows[i].event != record->event ||
                          rows[i].outcome != record->outcome))
        i++;
    if (i == *count)
        rows[(*count)++] = (struct gh_audit_day_count){day_us, record->event, record->outcome, 0};
    rows[i].count++;
}

static int compare_days(const void *left, const void *right)
{
    const struct gh_audit_day_count *a = left, *b = right;
    return (a->day_us > b->day_us) - (a->day_us < b->day_us);
}

enum gh_err gh_memory_audit_count(struct gh_tx *tx, uint64_t since_us,
                                  struct gh_audit_day_count **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_AUDIT);
    struct gh_audit_day_count *rows = gh_arena_zalloc(tx->arena, table->count + 1, sizeof(*rows));
    size_t count = 0;
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < table->count; i++) {
        const struct gh_audit_row *row = gh_memory_row(table, i);
        if (row->record.chain == chain_of(tx) && row->record.time_us >= since_us)
            count_record(&row->record, rows, &count);
    }
    if (count)
        qsort(rows, count, sizeof(*rows), compare_days);
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}

/* ---- Refusals that are not in the log yet ---- */

/* Where a pending one is: `row.record.chain` and `place`. */
static bool pending_is_at(const void *row, const void *wanted)
{
    const struct gh_audit_pending *pending = row, *place = wanted;
    return pending->place == place->place && pending->row.record.chain == place->row.record.chain;
}

static struct gh_audit_pending place_of(struct gh_tx *tx, uint64_t place)
{
    return (struct gh_audit_pending){.place = place, .row.record.chain = chain_of(tx)};
}

enum gh_err gh_memory_pending_put(struct gh_tx *tx, const struct gh_audit_pending *pending)
{
    struct gh_audit_pending kept = *pending;
    enum gh_err err = check_chain(tx);
    if (err != GH_OK)
        return err;
    kept.row.record.chain = chain_of(tx);
    kept.row.record.seq = kept.row.record.time_us = kept.row.position = 0;
    memset(kept.row.prev_hash, 0, sizeof(kept.row.prev_hash));
    memset(kept.row.hash, 0, sizeof(kept.row.hash));
    if (!kept.row.record.metadata.len)
        return GH_ERR_INVALID;
    return gh_memory_put(tx, GH_MEMORY_AUDIT_PENDING, pending_is_at, &kept, &kept);
}

enum gh_err gh_memory_pending_set(struct gh_tx *tx, uint64_t place, struct gh_str metadata)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_AUDIT_PENDING);
    struct gh_audit_pending changed = place_of(tx, place);
    enum gh_err err = check_chain(tx);
    if (err != GH_OK)
        return err;
    size_t index = gh_memory_find(table, pending_is_at, &changed);
    if (index == table->count)
        return GH_ERR_NOT_FOUND;
    if (!metadata.len)
        return GH_ERR_INVALID;
    changed = *(const struct gh_audit_pending *)gh_memory_row(table, index);
    changed.row.record.metadata = metadata;
    return gh_memory_update(tx, GH_MEMORY_AUDIT_PENDING, pending_is_at, &changed, &changed);
}

enum gh_err gh_memory_pending_delete(struct gh_tx *tx, uint64_t place)
{
    struct gh_audit_pending gone = place_of(tx, place);
    enum gh_err err = check_chain(tx);
    if (err != GH_OK)
        return err;
    return gh_memory_remove_one(tx, GH_MEMORY_AUDIT_PENDING, pending_is_at, &gone);
}

enum gh_err gh_memory_pending_some(struct gh_tx *tx, size_t limit,
                                   struct gh_audit_pending **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_AUDIT_PENDING);
    size_t most = limit < table->count ? limit : table->count, count = 0;
    struct gh_audit_pending *rows = gh_arena_zalloc(tx->arena, most + 1, sizeof(*rows));
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < table->count && count < most; i++) {
        const struct gh_audit_pending *pending = gh_memory_row(table, i);
        if (pending->row.record.chain == chain_of(tx) &&
            !gh_memory_read(table, i, tx->arena, &rows[count++]))
            return GH_ERR_MEMORY;
    }
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}

/* ---- Keys of persons ---- */

static const struct gh_str DAY = GH_STR_INIT("day:");

static bool key_is_of(const void *row, const void *person)
{
    return gh_str_eq(((const struct gh_person_key_row *)row)->person,
                     *(const struct gh_str *)person);
}

enum gh_err gh_memory_person_key_get(struct gh_tx *tx, struct gh_str person,
                                     struct gh_person_key_row *out)
{
    return gh_memory_get(tx, GH_MEMORY_PERSON_KEYS, key_is_of, &person, out);
}

enum gh_err gh_memory_person_key_insert(struct gh_tx *tx, const struct gh_person_key_row *row)
{
    struct gh_id account;
    if (!gh_str_starts_with(row->person, DAY) &&
        (!gh_id_parse(row->person, &account) || gh_memory_check_account(tx, &account) != GH_OK))
        return GH_ERR_NOT_FOUND;
    if (!row->wrapped.len)
        return GH_ERR_INVALID;
    return gh_memory_insert(tx, GH_MEMORY_PERSON_KEYS, key_is_of, &row->person, row);
}

enum gh_err gh_memory_person_key_delete(struct gh_tx *tx, struct gh_str person)
{
    return gh_memory_remove_one(tx, GH_MEMORY_PERSON_KEYS, key_is_of, &person);
}

static bool is_day_before(const void *row, const void *before)
{
    struct gh_str person = ((const struct gh_person_key_row *)row)->person;
    return gh_str_starts_with(person, DAY) &&
           gh_str_compare(person, *(const struct gh_str *)before) < 0;
}

enum gh_err gh_memory_person_keys_drop_days(struct gh_tx *tx, struct gh_str before,
                                            uint64_t *out_removed)
{
    size_t removed = 0;
    size_t most = gh_str_starts_with(before, DAY) ? SIZE_MAX : 0;
    enum gh_err err =
        gh_memory_remove_all(tx, GH_MEMORY_PERSON_KEYS, is_day_before, &before, most, &removed);
    if (err == GH_OK)
        *out_removed = removed;
    return err;
}
