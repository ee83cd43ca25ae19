/* The memory store: the audit log, and the keys of persons. */
#include "audit/chain.h"
#include "store/memory_rows.h"

#define DAY_US 86400000000ull

/* ---- Records: in the order of their numbers ---- */

static const struct gh_audit_row *newest(const struct gh_memory_table *table)
{
    return table->count ? gh_memory_row(table, table->count - 1) : NULL;
}

enum gh_err gh_memory_audit_chains(struct gh_tx *tx, struct gh_audit_chain **out_rows,
                                   size_t *out_count)
{
    struct gh_audit_chain *chain = gh_arena_zalloc(tx->arena, 1, sizeof(*chain));
    if (!chain)
        return GH_ERR_MEMORY;
    *chain = (struct gh_audit_chain){.id = 1, .holder = GH_AUDIT_HELD_HERE};
    *out_rows = chain;
    *out_count = 1;
    return GH_OK;
}

enum gh_err gh_memory_audit_append(struct gh_tx *tx, const struct gh_audit_row *row)
{
    struct gh_arena *scratch = &gh_memory_store_of(tx)->scratch;
    const struct gh_audit_row *last = newest(gh_memory_table_of(tx, GH_MEMORY_AUDIT));
    struct gh_audit_row linked = *row;
    if (!linked.record.metadata.len)
        linked.record.metadata = GH_STR("{}");
    enum gh_err err =
        gh_audit_link(scratch, &linked, last ? last->record.seq : 0, last ? last->hash : NULL);
    gh_arena_reset(scratch);
    linked.position = linked.record.seq;
    return err == GH_OK ? gh_memory_insert(tx, GH_MEMORY_AUDIT, NULL, NULL, &linked) : err;
}

enum gh_err gh_memory_audit_head(struct gh_tx *tx, uint64_t *out_seq,
                                 uint8_t out_hash[GH_SHA256_BYTES])
{
    const struct gh_audit_row *last = newest(gh_memory_table_of(tx, GH_MEMORY_AUDIT));
    if (!last)
        return GH_ERR_NOT_FOUND;
    *out_seq = last->record.seq;
    memcpy(out_hash, last->hash, GH_SHA256_BYTES);
    return GH_OK;
}

enum gh_err gh_memory_audit_first(struct gh_tx *tx, uint64_t *out_seq,
                                  uint8_t out_prev_hash[GH_SHA256_BYTES])
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_AUDIT);
    if (!table->count)
        return GH_ERR_NOT_FOUND;
    const struct gh_audit_row *first = gh_memory_row(table, 0);
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

static bool is_within(const struct gh_audit_record *record, const struct gh_audit_query *query)
{
    return record->seq > query->after_seq &&
           (!query->before_seq || record->seq < query->before_seq) &&
           record->time_us >= query->since_us &&
           (!query->until_us || record->time_us < query->until_us);
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
        if (speaks_of(&row->record, query) && is_within(&row->record, query) &&
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
        if (row->record.event == event && (!before_us || row->record.time_us < before_us))
            return gh_memory_read(table, i, tx->arena, out) ? GH_OK : GH_ERR_MEMORY;
    }
    return GH_ERR_NOT_FOUND;
}

static bool is_through(const void *row, const void *through_seq)
{
    return ((const struct gh_audit_row *)row)->record.seq <= *(const uint64_t *)through_seq;
}

enum gh_err gh_memory_audit_drop(struct gh_tx *tx, uint64_t through_seq, size_t limit,
                                 uint64_t *out_removed)
{
    const struct gh_audit_row *last = newest(gh_memory_table_of(tx, GH_MEMORY_AUDIT));
    size_t removed = 0;
    if (last && through_seq >= last->record.seq)
        through_seq = last->record.seq - 1;
    enum gh_err err =
        gh_memory_remove_all(tx, GH_MEMORY_AUDIT, is_through, &through_seq, limit, &removed);
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
        if (row->record.time_us >= since_us)
            count_record(&row->record, rows, &count);
    }
    if (count)
        qsort(rows, count, sizeof(*rows), compare_days);
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}

/* ---- Refusals that are not in the log yet ---- */

static bool pending_is_at(const void *row, const void *place)
{
    return ((const struct gh_audit_pending *)row)->place == *(const uint64_t *)place;
}

enum gh_err gh_memory_pending_put(struct gh_tx *tx, const struct gh_audit_pending *pending)
{
    struct gh_audit_pending kept = *pending;
    kept.row.record.seq = kept.row.record.time_us = 0;
    memset(kept.row.prev_hash, 0, sizeof(kept.row.prev_hash));
    memset(kept.row.hash, 0, sizeof(kept.row.hash));
    if (!kept.row.record.metadata.len)
        return GH_ERR_INVALID;
    return gh_memory_put(tx, GH_MEMORY_AUDIT_PENDING, pending_is_at, &kept.place, &kept);
}

enum gh_err gh_memory_pending_set(struct gh_tx *tx, uint64_t place, struct gh_str metadata)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_AUDIT_PENDING);
    size_t index = gh_memory_find(table, pending_is_at, &place);
    if (index == table->count)
        return GH_ERR_NOT_FOUND;
    if (!metadata.len)
        return GH_ERR_INVALID;
    struct gh_audit_pending changed = *(const struct gh_audit_pending *)gh_memory_row(table, index);
    changed.row.record.metadata = metadata;
    return gh_memory_update(tx, GH_MEMORY_AUDIT_PENDING, pending_is_at, &place, &changed);
}

enum gh_err gh_memory_pending_delete(struct gh_tx *tx, uint64_t place)
{
    return gh_memory_remove_one(tx, GH_MEMORY_AUDIT_PENDING, pending_is_at, &place);
}

enum gh_err gh_memory_pending_some(struct gh_tx *tx, size_t limit,
                                   struct gh_audit_pending **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_AUDIT_PENDING);
    size_t count = limit < table->count ? limit : table->count;
    struct gh_audit_pending *rows = gh_arena_zalloc(tx->arena, count + 1, sizeof(*rows));
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (!gh_memory_read(table, i, tx->arena, &rows[i]))
            return GH_ERR_MEMORY;
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
