/*
 * The PostgreSQL adapter: the audit log, and what is pending there. A unit of `run` leaves what it
 * appends to the sealer; one of run_bulk, which runs on the sealer's connection, gives it its place
 * at once (postgres_batch.h). Whoever looks at the log sees all that this process had committed.
 */
#include "audit/record.h"
#include "base/utf8.h"
#include "store/postgres_batch.h"
#include "store/postgres_ops.h"
#include "store/postgres_sealer.h"

#define SCRATCH_BLOCK_BYTES (16u << 10)
#define SCRATCH_BYTES_MAX   (1u << 20)
/* Stands for all numbers that no chain can have: somebody else wrote them. */
#define CHAIN_OUTSIDE (INT32_MAX + 1u)

static struct gh_postgres_tx *unit_of(struct gh_tx *tx)
{
    return (struct gh_postgres_tx *)tx;
}

/* ---- Chains ---- */

/* A store without a sealer writes nothing, and reads the first chain where none is named. */
static uint32_t own_chain(struct gh_tx *tx)
{
    struct gh_postgres_sealer *sealer = unit_of(tx)->sealer;
    return sealer ? gh_postgres_sealer_chain(sealer) : 1;
}

static uint32_t chain_of(struct gh_tx *tx)
{
    return tx->chain ? tx->chain : own_chain(tx);
}

static enum gh_err refuse_chain(struct gh_postgres_tx *unit, uint32_t chain)
{
    bool is_held = false;
    struct gh_postgres_call call = gh_postgres_begin(&unit->tx, GH_POSTGRES_CHAIN_IS_HELD);
    gh_postgres_put_u64(&call, chain);
    bool found = gh_postgres_next(&call);
    if (found)
        is_held = gh_postgres_take_flag(&call);
    enum gh_err err = gh_postgres_end_one(&call, found);
    if (err == GH_OK)
        err = is_held ? GH_ERR_EXISTS : GH_ERR_INVALID;
    return err;
}

/* May the unit change the log of its chain, and what is pending there? */
static enum gh_err check_chain(struct gh_tx *tx)
{
    struct gh_postgres_tx *unit = unit_of(tx);
    if (unit->kind == GH_POSTGRES_READ || !unit->sealer)
        return GH_ERR_INVALID;
    if (!tx->chain || tx->chain == own_chain(tx))
        return GH_OK;
    if (unit->kind == GH_POSTGRES_RUN)
        return refuse_chain(unit, tx->chain);
    return gh_postgres_batch_borrow(unit, gh_postgres_sealer_batch(unit->sealer), tx->chain);
}

/* Is anything that this process appended unsealed in what the unit sees? */
static enum gh_err find_unsealed(struct gh_postgres_tx *unit, bool *out_found)
{
    struct gh_postgres_had chains[GH_POSTGRES_CHAINS_HAD_MAX];
    size_t count = gh_postgres_sealer_chains(unit->sealer, chains);
    struct gh_postgres_call call = gh_postgres_begin(&unit->tx, GH_POSTGRES_UNSEALED_IN);
    gh_postgres_put_chains(&call, chains, count);
    bool found = gh_postgres_next(&call);
    enum gh_err err = gh_postgres_end(&call);
    if (err == GH_OK)
        *out_found = found;
    return err;
}

/*
 * Before a unit looks at the log. One that has seen nothing yet asks whether all is sealed; what it
 * sees begins behind that. One that has asks whether anything is unsealed in what it sees. If so it
 * is run again, once, after the sealer has caught up: it waits for that without a connection.
 */
static enum gh_err see_all(struct gh_tx *tx)
{
    struct gh_postgres_tx *unit = unit_of(tx);
    bool is_behind = false;
    enum gh_err err = GH_OK;
    if (unit->kind == GH_POSTGRES_BULK)
        return gh_postgres_batch_flush(unit, gh_postgres_sealer_batch(unit->sealer));
    if (!unit->sealer || unit->appended || unit->has_caught_up)
        return GH_OK;
    if (unit->connection->begin_due)
        is_behind = gh_postgres_sealer_is_behind(unit->sealer);
    else
        err = find_unsealed(unit, &is_behind);
    if (err != GH_OK || !is_behind)
        return err;
    unit->must_seal = true;
    return GH_ERR_IO;
}

static void take_chain(struct gh_postgres_call *call, void *out_row)
{
    struct gh_audit_chain *chain = out_row;
    chain->id = gh_postgres_take_number(call, CHAIN_OUTSIDE);
    bool is_held = gh_postgres_take_flag(call);
    chain->holder = is_held ? GH_AUDIT_HELD_BY_ANOTHER : GH_AUDIT_HELD_BY_NOBODY;
    chain->invented = gh_postgres_take_flag(call);
    chain->head_seq = gh_postgres_take_u64(call);
    gh_postgres_take_bytes(call, chain->head_hash, sizeof(chain->head_hash));
    if (call->tx->sealer && chain->id == gh_postgres_sealer_chain(call->tx->sealer))
        chain->holder = GH_AUDIT_HELD_HERE;
}

enum gh_err gh_postgres_audit_chains(struct gh_tx *tx, struct gh_audit_chain **out_rows,
                                     size_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_CHAINS);
    void *rows;
    enum gh_err err = gh_postgres_take_all(&call, take_chain, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

enum gh_err gh_postgres_audit_own(struct gh_tx *tx, struct gh_audit_own *out)
{
    struct gh_postgres_sealer *sealer = unit_of(tx)->sealer;
    if (!sealer)
        return GH_ERR_NOT_FOUND;
    *out = gh_postgres_sealer_own(sealer);
    return GH_OK;
}

enum gh_err gh_postgres_audit_written(struct gh_tx *tx, uint64_t number,
                                      struct gh_audit_written **out_rows, size_t *out_count)
{
    struct gh_postgres_sealer *sealer = unit_of(tx)->sealer;
    *out_count = 0;
    return sealer ? gh_postgres_sealer_written(sealer, number, tx->arena, out_rows, out_count)
                  : GH_OK;
}

/* ---- Records ---- */

static void put_facts(struct gh_postgres_call *call, const struct gh_audit_record *record)
{
    gh_postgres_put_text(call, gh_audit_event_facts(record->event)->name);
    gh_postgres_put_text(call, record->user_id);
    gh_postgres_put_text(call, record->actor_id);
    gh_postgres_put_text(call, record->ip_address);
    gh_postgres_put_text(call, record->user_agent);
    gh_postgres_put_text(call, record->session);
    gh_postgres_put_text(call, record->request_id);
    gh_postgres_put_text(call, gh_audit_outcome_name(record->outcome));
    gh_postgres_put_text(call, record->metadata);
}

/* To be sealed after the commit, all of a unit in one chain. */
static enum gh_err leave_unsealed(struct gh_postgres_tx *unit, const struct gh_audit_row *row)
{
    uint64_t id = 0;
    if (!unit->entered)
        unit->entered = gh_postgres_sealer_enter(unit->sealer);
    if (unit->tx.chain && unit->tx.chain != unit->entered)
        return refuse_chain(unit, unit->tx.chain);
    struct gh_postgres_call call = gh_postgres_begin(&unit->tx, GH_POSTGRES_UNSEALED_INSERT);
    gh_postgres_put_u64(&call, unit->entered);
    gh_postgres_put_u64(&call, row->record.time_us);
    put_facts(&call, &row->record);
    gh_postgres_put_sealed(&call, row->sealed);
    enum gh_err err = gh_postgres_count(&call, &id);
    if (err != GH_OK)
        return err;
    unit->appended++;
    gh_postgres_sealer_note(unit->sealer, unit->entered, id);
    return GH_OK;
}

static enum gh_err check_record(const struct gh_audit_row *row)
{
    struct gh_arena scratch;
    gh_arena_init(&scratch, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
    enum gh_err err = gh_postgres_check_record(&scratch, row);
    gh_arena_done(&scratch);
    return err;
}

enum gh_err gh_postgres_audit_append(struct gh_tx *tx, const struct gh_audit_row *row)
{
    struct gh_postgres_tx *unit = unit_of(tx);
    struct gh_audit_row given = *row;
    enum gh_err err = check_chain(tx);
    if (err != GH_OK)
        return err;
    if (!given.record.metadata.len)
        given.record.metadata = GH_STR("{}");
    if (unit->kind == GH_POSTGRES_BULK)
        return gh_postgres_batch_add(unit, gh_postgres_sealer_batch(unit->sealer), chain_of(tx),
                                     &given);
    err = check_record(&given);
    return err == GH_OK ? leave_unsealed(unit, &given) : gh_postgres_fail(unit, err);
}

/* What no record can have: somebody else wrote it. */
static void fail(struct gh_postgres_call *call)
{
    if (call->err == GH_OK)
        call->err = GH_ERR_INVALID;
}

static enum gh_audit_outcome take_outcome(struct gh_postgres_call *call)
{
    enum gh_audit_outcome outcome = GH_AUDIT_FAILURE;
    if (!gh_audit_outcome_parse(gh_postgres_take_text(call), &outcome))
        fail(call);
    return outcome;
}

static enum gh_audit_event take_event(struct gh_postgres_call *call)
{
    enum gh_audit_event event = GH_AUDIT_SIGNUP;
    if (!gh_audit_event_parse(gh_postgres_take_text(call), &event))
        fail(call); /* names only grow */
    return event;
}

void gh_postgres_take_facts(struct gh_postgres_call *call, struct gh_audit_record *record)
{
    record->event = take_event(call);
    record->user_id = gh_postgres_take_text(call);
    record->actor_id = gh_postgres_take_text(call);
    record->ip_address = gh_postgres_take_text(call);
    record->user_agent = gh_postgres_take_text(call);
    record->session = gh_postgres_take_text(call);
    record->request_id = gh_postgres_take_text(call);
    record->outcome = take_outcome(call);
    record->metadata = gh_postgres_take_text(call);
    /* It was read: what is wrong is what it says, and not the store. */
    if (call->err == GH_ERR_IO)
        call->err = GH_ERR_INVALID;
}

static void take_row(struct gh_postgres_call *call, struct gh_audit_row *row)
{
    struct gh_audit_record *record = &row->record;
    record->chain = gh_postgres_take_number(call, INT32_MAX);
    record->seq = gh_postgres_take_u64(call);
    row->position = gh_postgres_take_u64(call);
    record->time_us = gh_postgres_take_u64(call);
    gh_postgres_take_facts(call, record);
    gh_postgres_take_bytes(call, row->prev_hash, sizeof(row->prev_hash));
    gh_postgres_take_bytes(call, row->hash, sizeof(row->hash));
    row->sealed = gh_postgres_take_text(call);
    if (call->err == GH_ERR_IO)
        call->err = GH_ERR_INVALID;
}

/* One end of a chain: its number and one of its hashes, and whether it is a record's at all. */
static enum gh_err find_end(struct gh_tx *tx, enum gh_postgres_statement statement,
                            uint64_t *out_seq, uint8_t out_hash[GH_SHA256_BYTES])
{
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t seq = 0;
    enum gh_err err = see_all(tx);
    if (err != GH_OK)
        return err;
    struct gh_postgres_call call = gh_postgres_begin(tx, statement);
    gh_postgres_put_u64(&call, chain_of(tx));
    bool found = gh_postgres_next(&call);
    if (found) {
        seq = gh_postgres_take_u64(&call);
        gh_postgres_take_bytes(&call, hash, sizeof(hash));
        bool is_named = gh_postgres_take_flag(&call);
        if (call.err == GH_ERR_IO || !is_named) /* it was read */
            call.err = GH_ERR_INVALID;
    }
    err = gh_postgres_end_one(&call, found);
    if (err == GH_OK || err == GH_ERR_INVALID)
        *out_seq = seq;
    if (err == GH_OK)
        memcpy(out_hash, hash, sizeof(hash));
    return err;
}

enum gh_err gh_postgres_audit_head(struct gh_tx *tx, uint64_t *out_seq,
                                   uint8_t out_hash[GH_SHA256_BYTES])
{
    return find_end(tx, GH_POSTGRES_RECORD_HEAD, out_seq, out_hash);
}

enum gh_err gh_postgres_audit_first(struct gh_tx *tx, uint64_t *out_seq,
                                    uint8_t out_prev_hash[GH_SHA256_BYTES])
{
    bool is_chain = chain_of(tx) < CHAIN_OUTSIDE;
    return find_end(tx, is_chain ? GH_POSTGRES_RECORD_FIRST : GH_POSTGRES_RECORD_FIRST_OUTSIDE,
                    out_seq, out_prev_hash);
}

/* ---- What is asked of the log ---- */

static bool is_of_checkpoints(const struct gh_audit_query *query)
{
    return !query->every_chain && !query->user_id.len &&
           gh_str_eq(query->event, gh_audit_event_facts(GH_AUDIT_AUDIT_CHECKPOINT)->name);
}

static enum gh_postgres_statement page_statement(const struct gh_audit_query *query)
{
#define STATEMENTS(name)                                                                           \
    {                                                                                              \
        {GH_POSTGRES_RECORDS_##name, GH_POSTGRES_RECORDS_##name##_NAMED},                          \
        {                                                                                          \
            GH_POSTGRES_RECORDS_##name##_OF, GH_POSTGRES_RECORDS_##name##_OF_NAMED                 \
        }                                                                                          \
    }
    static const enum gh_postgres_statement STATEMENTS[2][2][2][2] = {
        {STATEMENTS(NEWEST), STATEMENTS(OLDEST)},
        {STATEMENTS(EVERY_NEWEST), STATEMENTS(EVERY_OLDEST)},
    };
#undef STATEMENTS
    if (is_of_checkpoints(query))
        return query->oldest_first ? GH_POSTGRES_CHECKPOINTS_OLDEST
                                   : GH_POSTGRES_CHECKPOINTS_NEWEST;
    return STATEMENTS[query->every_chain][query->oldest_first][query->user_id.len > 0]
                     [query->event.len > 0];
}

/* A row, or what can be none. */
struct read_row {
    struct gh_audit_row row;
    bool unreadable;
};

static void take_any_row(struct gh_postgres_call *call, void *out_row)
{
    struct read_row *read = out_row;
    take_row(call, &read->row);
    read->unreadable = call->err == GH_ERR_INVALID;
    if (read->unreadable)
        call->err = GH_OK;
}

/* A text that PostgreSQL can't keep is in no record; without it every session would be meant. */
static struct gh_str session_to_find(struct gh_str session)
{
    bool can_be_kept = gh_utf8_is_valid(session) && gh_str_find_char(session, '\0') == session.len;
    return can_be_kept ? session : GH_STR("?");
}

static enum gh_err read_rows(struct gh_tx *tx, const struct gh_audit_query *query,
                             struct read_row **out_rows, size_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, page_statement(query));
    gh_postgres_put_u64(&call, query->since_us);
    gh_postgres_put_u64(&call, query->until_us ? query->until_us - 1 : INT64_MAX);
    gh_postgres_put_u64(&call, query->after_seq);
    gh_postgres_put_u64(&call, query->before_seq ? query->before_seq - 1 : INT64_MAX);
    gh_postgres_put_limit(&call, query->limit);
    gh_postgres_put_text(&call, session_to_find(query->session));
    gh_postgres_put_text(&call,
                         query->by_outcome ? gh_audit_outcome_name(query->outcome) : GH_STR(""));
    if (!query->every_chain)
        gh_postgres_put_u64(&call, chain_of(tx));
    if (query->user_id.len)
        gh_postgres_put_key(&call, query->user_id);
    if (query->event.len && !is_of_checkpoints(query))
        gh_postgres_put_key(&call, query->event);
    void *rows;
    enum gh_err err =
        gh_postgres_take_all(&call, take_any_row, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

struct page {
    struct gh_audit_row *rows;
    size_t count;
    struct gh_audit_passed passed;
};

/* Puts what can be read behind what the page has. */
static enum gh_err add_rows(struct gh_postgres_tx *unit, struct page *page,
                            const struct read_row *read, size_t count)
{
    struct gh_audit_row *rows =
        gh_arena_zalloc(unit->tx.arena, page->count + count + 1, sizeof(*rows));
    if (!rows)
        return gh_postgres_fail(unit, GH_ERR_MEMORY);
    if (page->count)
        memcpy(rows, page->rows, page->count * sizeof(*rows));
    page->rows = rows;
    for (size_t i = 0; i < count; i++) {
        if (!read[i].unreadable) {
            rows[page->count++] = read[i].row;
            continue;
        }
        page->passed.count++;
        page->passed.last_seq = read[i].row.record.seq;
    }
    return GH_OK;
}

/* Behind what was read. */
static void go_on(struct gh_audit_query *rest, const struct gh_audit_row *last)
{
    uint64_t place = rest->every_chain ? last->position : last->record.seq;
    if (rest->oldest_first)
        rest->after_seq = place;
    else
        rest->before_seq = place;
}

/* Asks again, behind what was read, while rows were passed over and there may be more. */
enum gh_err gh_postgres_audit_page(struct gh_tx *tx, const struct gh_audit_query *query,
                                   struct gh_audit_row **out_rows, size_t *out_count)
{
    struct gh_audit_query rest = *query;
    struct page page = {.count = 0};
    size_t count;
    enum gh_err err = see_all(tx);
    if (err != GH_OK)
        return err;
    do {
        struct read_row *read;
        rest.limit = query->limit - page.count;
        err = read_rows(tx, &rest, &read, &count);
        if (err == GH_OK)
            err = add_rows(unit_of(tx), &page, read, count);
        if (err == GH_OK && query->strict && page.passed.count)
            err = GH_ERR_INVALID;
        if (err != GH_OK)
            return err;
        if (count)
            go_on(&rest, &read[count - 1].row);
    } while (count == rest.limit && page.count < query->limit);
    *out_rows = page.rows;
    *out_count = page.count;
    if (query->passed)
        *query->passed = page.passed;
    return GH_OK;
}

enum gh_err gh_postgres_audit_last_of(struct gh_tx *tx, enum gh_audit_event event,
                                      uint64_t before_us, struct gh_audit_row *out)
{
    const struct gh_audit_query query = {
        .event = gh_audit_event_facts(event)->name, .until_us = before_us, .limit = 1};
    struct gh_audit_row *rows;
    size_t count;
    enum gh_err err = gh_postgres_audit_page(tx, &query, &rows, &count);
    if (err == GH_OK && !count)
        return GH_ERR_NOT_FOUND;
    if (err == GH_OK)
        *out = rows[0];
    return err;
}

enum gh_err gh_postgres_audit_drop(struct gh_tx *tx, uint64_t through_seq, size_t limit,
                                   uint64_t *out_removed)
{
    uint64_t removed;
    enum gh_err err = check_chain(tx);
    if (err == GH_OK)
        err = see_all(tx);
    if (err != GH_OK)
        return err;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_RECORDS_DROP);
    gh_postgres_put_u64(&call, chain_of(tx));
    gh_postgres_put_u64(&call, through_seq < INT64_MAX ? through_seq : INT64_MAX);
    gh_postgres_put_limit(&call, limit);
    err = gh_postgres_change(&call, &removed);
    if (err == GH_OK)
        *out_removed = removed;
    return err;
}

static void take_day_count(struct gh_postgres_call *call, void *out_row)
{
    struct gh_audit_day_count *row = out_row;
    row->day_us = gh_postgres_take_u64(call);
    row->event = take_event(call);
    row->outcome = take_outcome(call);
    row->count = gh_postgres_take_u64(call);
    if (call->err != GH_ERR_INVALID && call->err != GH_ERR_IO)
        return;
    call->err = GH_OK;
    row->count = 0; /* no records */
}

static size_t leave_out_empty(struct gh_audit_day_count *rows, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (rows[i].count)
            rows[kept++] = rows[i];
    return kept;
}

enum gh_err gh_postgres_audit_count(struct gh_tx *tx, uint64_t since_us,
                                    struct gh_audit_day_count **out_rows, size_t *out_count)
{
    enum gh_err err = see_all(tx);
    if (err != GH_OK)
        return err;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_RECORDS_COUNT);
    gh_postgres_put_u64(&call, chain_of(tx));
    gh_postgres_put_u64(&call, since_us);
    void *rows;
    err = gh_postgres_take_all(&call, take_day_count, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK) {
        *out_rows = rows;
        *out_count = leave_out_empty(rows, *out_count);
    }
    return err;
}

/* ---- Refusals that are not in the log yet ---- */

enum gh_err gh_postgres_pending_put(struct gh_tx *tx, const struct gh_audit_pending *pending)
{
    enum gh_err err = check_chain(tx);
    if (err == GH_OK && !pending->row.record.metadata.len)
        err = GH_ERR_INVALID;
    if (err != GH_OK)
        return err;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_PENDING_PUT);
    gh_postgres_put_u64(&call, chain_of(tx));
    gh_postgres_put_u64(&call, pending->place);
    put_facts(&call, &pending->row.record);
    gh_postgres_put_sealed(&call, pending->row.sealed);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_pending_set(struct gh_tx *tx, uint64_t place, struct gh_str metadata)
{
    enum gh_err err = check_chain(tx);
    if (err == GH_OK && !metadata.len)
        err = GH_ERR_INVALID;
    if (err != GH_OK)
        return err;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_PENDING_SET);
    gh_postgres_put_u64(&call, chain_of(tx));
    gh_postgres_put_u64(&call, place);
    gh_postgres_put_text(&call, metadata);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_pending_delete(struct gh_tx *tx, uint64_t place)
{
    enum gh_err err = check_chain(tx);
    if (err != GH_OK)
        return err;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_PENDING_DELETE);
    gh_postgres_put_u64(&call, chain_of(tx));
    gh_postgres_put_u64(&call, place);
    return gh_postgres_change_one(&call);
}

static void take_pending(struct gh_postgres_call *call, void *out_row)
{
    struct gh_audit_pending *pending = out_row;
    pending->place = gh_postgres_take_u64(call);
    gh_postgres_take_facts(call, &pending->row.record);
    pending->row.sealed = gh_postgres_take_text(call);
}

enum gh_err gh_postgres_pending_some(struct gh_tx *tx, size_t limit,
                                     struct gh_audit_pending **out_rows, size_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_PENDING_SOME);
    gh_postgres_put_u64(&call, chain_of(tx));
    gh_postgres_put_limit(&call, limit);
    void *rows;
    enum gh_err err =
        gh_postgres_take_all(&call, take_pending, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}
