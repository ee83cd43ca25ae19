/* The SQLite adapter: the audit log, and the keys of persons. */
#include "audit/chain.h"
#include "store/sqlite_ops.h"

/* What no record can have: somebody else wrote it. */
static void fail(struct gh_sqlite_call *call)
{
    if (call->err == GH_OK)
        call->err = GH_ERR_INVALID;
}

static enum gh_audit_outcome take_outcome(struct gh_sqlite_call *call)
{
    enum gh_audit_outcome outcome = GH_AUDIT_FAILURE;
    if (!gh_audit_outcome_parse(gh_sqlite_take_text(call), &outcome))
        fail(call);
    return outcome;
}

static enum gh_audit_event take_event(struct gh_sqlite_call *call)
{
    enum gh_audit_event event = GH_AUDIT_SIGNUP;
    if (!gh_audit_event_parse(gh_sqlite_take_text(call), &event))
        fail(call); /* names only grow */
    return event;
}

/* The one chain, which the operations speak of by number or as their own. */
#define CHAIN 1

static bool is_of_no_chain(const struct gh_tx *tx)
{
    return tx->chain > CHAIN;
}

/* ---- Records ---- */

static void put_facts(struct gh_sqlite_call *call, const struct gh_audit_record *record)
{
    gh_sqlite_put_text(call, gh_audit_event_facts(record->event)->name);
    gh_sqlite_put_text(call, record->user_id);
    gh_sqlite_put_text(call, record->actor_id);
    gh_sqlite_put_text(call, record->ip_address);
    gh_sqlite_put_text(call, record->user_agent);
    gh_sqlite_put_text(call, record->session);
    gh_sqlite_put_text(call, record->request_id);
    gh_sqlite_put_text(call, gh_audit_outcome_name(record->outcome));
    gh_sqlite_put_text(call, record->metadata);
}

static void put_row(struct gh_sqlite_call *call, const struct gh_audit_row *row)
{
    const struct gh_audit_record *record = &row->record;
    gh_sqlite_put_u64(call, record->seq);
    gh_sqlite_put_u64(call, record->time_us);
    put_facts(call, record);
    gh_sqlite_put_bytes(call, row->prev_hash, sizeof(row->prev_hash));
    gh_sqlite_put_bytes(call, row->hash, sizeof(row->hash));
    gh_sqlite_put_sealed(call, row->sealed);
}

static void take_facts(struct gh_sqlite_call *call, struct gh_audit_record *record)
{
    record->event = take_event(call);
    record->user_id = gh_sqlite_take_text(call);
    record->actor_id = gh_sqlite_take_text(call);
    record->ip_address = gh_sqlite_take_text(call);
    record->user_agent = gh_sqlite_take_text(call);
    record->session = gh_sqlite_take_text(call);
    record->request_id = gh_sqlite_take_text(call);
    record->outcome = take_outcome(call);
    record->metadata = gh_sqlite_take_text(call);
}

static void take_row(struct gh_sqlite_call *call, void *out_row)
{
    struct gh_audit_row *row = out_row;
    struct gh_audit_record *record = &row->record;
    record->seq = gh_sqlite_take_u64(call);
    record->time_us = gh_sqlite_take_u64(call);
    take_facts(call, record);
    gh_sqlite_take_bytes(call, row->prev_hash, sizeof(row->prev_hash));
    gh_sqlite_take_bytes(call, row->hash, sizeof(row->hash));
    row->sealed = gh_sqlite_take_text(call);
    record->chain = CHAIN;
    row->position = record->seq;
    /* It was read: what is wrong is what it says, and not the store. */
    if (call->err == GH_ERR_IO)
        call->err = GH_ERR_INVALID;
}

/* One end of the log: its number and one of its hashes. */
static enum gh_err find_end(struct gh_tx *tx, enum gh_sqlite_statement statement, uint64_t *out_seq,
                            uint8_t out_hash[GH_SHA256_BYTES])
{
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t seq = 0;
    if (is_of_no_chain(tx))
        return GH_ERR_NOT_FOUND;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, statement);
    bool found = gh_sqlite_next(&call);
    if (found) {
        seq = gh_sqlite_take_u64(&call);
        gh_sqlite_take_bytes(&call, hash, sizeof(hash));
        if (call.err == GH_ERR_IO) /* it was read */
            call.err = GH_ERR_INVALID;
    }
    enum gh_err err = gh_sqlite_end_one(&call, found);
    if (err == GH_OK || err == GH_ERR_INVALID)
        *out_seq = seq;
    if (err == GH_OK) {
        memcpy(out_hash, hash, sizeof(hash));
    }
    return err;
}

enum gh_err gh_sqlite_audit_head(struct gh_tx *tx, uint64_t *out_seq,
                                 uint8_t out_hash[GH_SHA256_BYTES])
{
    return find_end(tx, GH_SQLITE_RECORD_HEAD, out_seq, out_hash);
}

enum gh_err gh_sqlite_audit_first(struct gh_tx *tx, uint64_t *out_seq,
                                  uint8_t out_prev_hash[GH_SHA256_BYTES])
{
    enum gh_err err = find_end(tx, GH_SQLITE_RECORD_FIRST, out_seq, out_prev_hash);
    return err == GH_OK && *out_seq == 0 ? GH_ERR_INVALID : err;
}

/* Gives the row its place behind the last one. */
static enum gh_err link_row(struct gh_tx *tx, struct gh_audit_row *row)
{
    struct gh_arena *scratch = &((struct gh_sqlite_tx *)tx)->connection->scratch;
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t seq = 0;
    enum gh_err err = gh_sqlite_audit_head(tx, &seq, hash);
    if (err == GH_OK || err == GH_ERR_NOT_FOUND)
        err = gh_audit_link(scratch, row, seq, seq ? hash : NULL);
    gh_arena_reset(scratch);
    return err;
}

enum gh_err gh_sqlite_audit_chains(struct gh_tx *tx, struct gh_audit_chain **out_rows,
                                   size_t *out_count)
{
    struct gh_audit_chain *chain = gh_arena_zalloc(tx->arena, 1, sizeof(*chain));
    if (!chain)
        return GH_ERR_MEMORY;
    *chain = (struct gh_audit_chain){.id = CHAIN, .holder = GH_AUDIT_HELD_HERE};
    *out_rows = chain;
    *out_count = 1;
    return GH_OK;
}

/* It is never lost. */
enum gh_err gh_sqlite_audit_own(struct gh_tx *tx, struct gh_audit_own *out)
{
    (void)tx;
    *out = (struct gh_audit_own){.chain = CHAIN, .times = 1};
    return GH_OK;
}

enum gh_err gh_sqlite_audit_written(struct gh_tx *tx, uint64_t number,
                                    struct gh_audit_written **out_rows, size_t *out_count)
{
    struct gh_audit_written *row = gh_arena_zalloc(tx->arena, 1, sizeof(*row));
    if (!row)
        return GH_ERR_MEMORY;
    *row = (struct gh_audit_written){.number = 1, .chain = CHAIN};
    *out_rows = row;
    *out_count = number < row->number;
    return GH_OK;
}

enum gh_err gh_sqlite_audit_append(struct gh_tx *tx, const struct gh_audit_row *row)
{
    struct gh_audit_row linked = *row;
    if (is_of_no_chain(tx))
        return GH_ERR_NOT_FOUND;
    if (!linked.record.metadata.len)
        linked.record.metadata = GH_STR("{}");
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_RECORD_INSERT);
    if (call.err == GH_OK)
        call.err = link_row(tx, &linked);
    put_row(&call, &linked);
    return gh_sqlite_change_one(&call);
}

/* ---- What is asked of the log ---- */

static enum gh_sqlite_statement page_statement(const struct gh_audit_query *query)
{
    static const enum gh_sqlite_statement STATEMENTS[2][2][2] = {
        {{GH_SQLITE_RECORDS_NEWEST, GH_SQLITE_RECORDS_NEWEST_NAMED},
         {GH_SQLITE_RECORDS_NEWEST_OF, GH_SQLITE_RECORDS_NEWEST_OF_NAMED}},
        {{GH_SQLITE_RECORDS_OLDEST, GH_SQLITE_RECORDS_OLDEST_NAMED},
         {GH_SQLITE_RECORDS_OLDEST_OF, GH_SQLITE_RECORDS_OLDEST_OF_NAMED}},
    };
    return STATEMENTS[query->oldest_first][query->user_id.len > 0][query->event.len > 0];
}

/* A row, or what can be none. */
struct read_row {
    struct gh_audit_row row;
    bool unreadable;
};

static void take_any_row(struct gh_sqlite_call *call, void *out_row)
{
    struct read_row *read = out_row;
    *read = (struct read_row){.unreadable = false};
    take_row(call, &read->row);
    read->unreadable = call->err == GH_ERR_INVALID;
    if (read->unreadable)
        call->err = GH_OK;
}

static enum gh_err read_rows(struct gh_tx *tx, const struct gh_audit_query *query,
                             struct read_row **out_rows, size_t *out_count)
{
    static const struct gh_str ANY = GH_STR_INIT("");
    struct gh_sqlite_call call = gh_sqlite_begin(tx, page_statement(query));
    gh_sqlite_put_u64(&call, query->since_us);
    gh_sqlite_put_u64(&call, query->until_us ? query->until_us - 1 : INT64_MAX);
    gh_sqlite_put_u64(&call, query->after_seq);
    gh_sqlite_put_u64(&call, query->before_seq ? query->before_seq - 1 : INT64_MAX);
    gh_sqlite_put_limit(&call, query->limit);
    gh_sqlite_put_text(&call, query->session);
    gh_sqlite_put_text(&call, query->by_outcome ? gh_audit_outcome_name(query->outcome) : ANY);
    if (query->user_id.len)
        gh_sqlite_put_text(&call, query->user_id);
    call.at = 9; /* ?9, whether or not ?8 was needed */
    if (query->event.len)
        gh_sqlite_put_text(&call, query->event);
    void *rows;
    enum gh_err err = gh_sqlite_take_all(&call, take_any_row, sizeof(**out_rows), &rows, out_count);
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
static enum gh_err add_rows(struct gh_arena *arena, struct page *page, const struct read_row *read,
                            size_t count)
{
    struct gh_audit_row *rows = gh_arena_zalloc(arena, page->count + count + 1, sizeof(*rows));
    if (!rows)
        return GH_ERR_MEMORY;
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

/* Asks again, behind what was read, while rows were passed over and there may be more. */
enum gh_err gh_sqlite_audit_page(struct gh_tx *tx, const struct gh_audit_query *query,
                                 struct gh_audit_row **out_rows, size_t *out_count)
{
    struct gh_audit_query rest = *query;
    struct page page = {.count = 0};
    size_t most = is_of_no_chain(tx) && !query->every_chain ? 0 : query->limit, count;
    do {
        struct read_row *read;
        rest.limit = most - page.count;
        enum gh_err err = read_rows(tx, &rest, &read, &count);
        if (err == GH_OK)
            err = add_rows(tx->arena, &page, read, count);
        if (err == GH_OK && query->strict && page.passed.count)
            err = GH_ERR_INVALID;
        if (err != GH_OK)
            return err;
        if (count && query->oldest_first)
            rest.after_seq = read[count - 1].row.record.seq;
        else if (count)
            rest.before_seq = read[count - 1].row.record.seq;
    } while (count == rest.limit && page.count < most);
    *out_rows = page.rows;
    *out_count = page.count;
    if (query->passed)
        *query->passed = page.passed;
    return GH_OK;
}

enum gh_err gh_sqlite_audit_last_of(struct gh_tx *tx, enum gh_audit_event event, uint64_t before_us,
                                    struct gh_audit_row *out)
{
    const struct gh_audit_query query = {
        .event = gh_audit_event_facts(event)->name, .until_us = before_us, .limit = 1};
    struct gh_audit_row *rows;
    size_t count;
    enum gh_err err = gh_sqlite_audit_page(tx, &query, &rows, &count);
    if (err == GH_OK && !count)
        return GH_ERR_NOT_FOUND;
    if (err == GH_OK)
        *out = rows[0];
    return err;
}

enum gh_err gh_sqlite_audit_drop(struct gh_tx *tx, uint64_t through_seq, size_t limit,
                                 uint64_t *out_removed)
{
    uint64_t removed;
    if (is_of_no_chain(tx))
        return GH_ERR_NOT_FOUND;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_RECORDS_DROP);
    gh_sqlite_put_u64(&call, through_seq);
    gh_sqlite_put_limit(&call, limit);
    enum gh_err err = gh_sqlite_change(&call, &removed);
    if (err == GH_OK)
        *out_removed = removed;
    return err;
}

static void take_day_count(struct gh_sqlite_call *call, void *out_row)
{
    struct gh_audit_day_count *row = out_row;
    row->day_us = gh_sqlite_take_u64(call);
    row->event = take_event(call);
    row->outcome = take_outcome(call);
    row->count = gh_sqlite_take_u64(call);
    if (call->err != GH_ERR_INVALID)
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

enum gh_err gh_sqlite_audit_count(struct gh_tx *tx, uint64_t since_us,
                                  struct gh_audit_day_count **out_rows, size_t *out_count)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_RECORDS_COUNT);
    gh_sqlite_put_u64(&call, is_of_no_chain(tx) ? INT64_MAX : since_us);
    void *rows;
    enum gh_err err =
        gh_sqlite_take_all(&call, take_day_count, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK) {
        *out_rows = rows;
        *out_count = leave_out_empty(rows, *out_count);
    }
    return err;
}

/* ---- Refusals that are not in the log yet ---- */

enum gh_err gh_sqlite_pending_put(struct gh_tx *tx, const struct gh_audit_pending *pending)
{
    if (is_of_no_chain(tx))
        return GH_ERR_NOT_FOUND;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_PENDING_PUT);
    gh_sqlite_put_u64(&call, pending->place);
    put_facts(&call, &pending->row.record);
    gh_sqlite_put_sealed(&call, pending->row.sealed);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_pending_set(struct gh_tx *tx, uint64_t place, struct gh_str metadata)
{
    if (is_of_no_chain(tx))
        return GH_ERR_NOT_FOUND;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_PENDING_SET);
    gh_sqlite_put_u64(&call, place);
    gh_sqlite_put_text(&call, metadata);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_pending_delete(struct gh_tx *tx, uint64_t place)
{
    if (is_of_no_chain(tx))
        return GH_ERR_NOT_FOUND;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_PENDING_DELETE);
    gh_sqlite_put_u64(&call, place);
    return gh_sqlite_change_one(&call);
}

static void take_pending(struct gh_sqlite_call *call, void *out_row)
{
    struct gh_audit_pending *pending = out_row;
    *pending = (struct gh_audit_pending){.place = gh_sqlite_take_u64(call)};
    take_facts(call, &pending->row.record);
    pending->row.sealed = gh_sqlite_take_text(call);
}

enum gh_err gh_sqlite_pending_some(struct gh_tx *tx, size_t limit,
                                   struct gh_audit_pending **out_rows, size_t *out_count)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_PENDING_SOME);
    gh_sqlite_put_limit(&call, is_of_no_chain(tx) ? 0 : limit);
    void *rows;
    enum gh_err err = gh_sqlite_take_all(&call, take_pending, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

/* ---- Keys of persons ---- */

enum gh_err gh_sqlite_person_key_get(struct gh_tx *tx, struct gh_str person,
                                     struct gh_person_key_row *out)
{
    struct gh_person_key_row row;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_PERSON_KEY_GET);
    gh_sqlite_put_text(&call, person);
    bool found = gh_sqlite_next(&call);
    if (found) {
        row.person = gh_sqlite_take_text(&call);
        row.wrapped = gh_sqlite_take_text(&call);
        row.created_us = gh_sqlite_take_u64(&call);
    }
    enum gh_err err = gh_sqlite_end_one(&call, found);
    if (err == GH_OK)
        *out = row;
    return err;
}

enum gh_err gh_sqlite_person_key_insert(struct gh_tx *tx, const struct gh_person_key_row *row)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_PERSON_KEY_INSERT);
    gh_sqlite_put_text(&call, row->person);
    gh_sqlite_put_sealed(&call, row->wrapped);
    gh_sqlite_put_u64(&call, row->created_us);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_person_key_delete(struct gh_tx *tx, struct gh_str person)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_PERSON_KEY_DELETE);
    gh_sqlite_put_text(&call, person);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_person_keys_drop_days(struct gh_tx *tx, struct gh_str before,
                                            uint64_t *out_removed)
{
    uint64_t removed;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_PERSON_KEYS_DROP_DAYS);
    gh_sqlite_put_text(&call, before);
    enum gh_err err = gh_sqlite_change(&call, &removed);
    if (err == GH_OK)
        *out_removed = removed;
    return err;
}
