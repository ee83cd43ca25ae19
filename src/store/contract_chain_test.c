/* The contract suite: the chain of the audit log, its ends, what is dropped and counted. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "audit/chain.h"

static const uint8_t NO_HASH[GH_SHA256_BYTES];

/* Appends rows first..last in a unit of their own. */
static void add_rows(struct gh_contract *contract, unsigned first, unsigned last)
{
    struct gh_tx *tx = gh_contract_begin(contract);
    for (unsigned number = first; number <= last; number++) {
        struct gh_audit_row row = gh_contract_row(number);
        gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    }
    gh_contract_commit(contract);
}

static uint64_t drop(struct gh_contract *contract, uint64_t through_seq, size_t limit)
{
    uint64_t removed = UINT64_MAX;
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->audit_drop(tx, through_seq, limit, &removed));
    gh_contract_commit(contract);
    return removed;
}

static void assert_follows(struct gh_arena *arena, const struct gh_audit_row *row,
                           uint64_t prev_seq, const uint8_t prev_hash[GH_SHA256_BYTES])
{
    uint8_t hash[GH_SHA256_BYTES];
    assert_int_equal(row->record.seq, prev_seq + 1);
    assert_memory_equal(row->prev_hash, prev_hash, GH_SHA256_BYTES);
    gh_contract_assert_ok(gh_audit_row_hash(arena, row, hash));
    assert_memory_equal(row->hash, hash, GH_SHA256_BYTES);
}

void gh_contract_assert_chain(struct gh_contract *contract, uint32_t chain, uint64_t first,
                              uint64_t last)
{
    struct gh_audit_query query = {.oldest_first = true, .limit = 100000};
    uint8_t hash[GH_SHA256_BYTES], head[GH_SHA256_BYTES];
    struct gh_audit_row *rows;
    uint64_t seq;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_read(contract);
    tx->chain = chain;
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, last - first + 1);
    gh_contract_assert_ok(tx->ops->audit_first(tx, &seq, hash));
    assert_int_equal(seq, first);
    for (size_t i = 0; i < count; i++) {
        if (chain)
            assert_int_equal(rows[i].record.chain, chain);
        assert_follows(tx->arena, &rows[i], first - 1 + i, hash);
        memcpy(hash, rows[i].hash, sizeof(hash));
    }
    gh_contract_assert_ok(tx->ops->audit_head(tx, &seq, head));
    assert_int_equal(seq, last);
    assert_memory_equal(head, hash, sizeof(hash));
    gh_contract_commit(contract);
}

static void assert_chain(struct gh_contract *contract, uint64_t first, uint64_t last)
{
    gh_contract_assert_chain(contract, 0, first, last);
}

/* ---- Appending ---- */

static void an_empty_log_has_no_ends(struct gh_contract *contract)
{
    uint8_t hash[GH_SHA256_BYTES] = {7};
    struct gh_audit_day_count *counts;
    struct gh_audit_row row;
    uint64_t seq = 7, removed = 7;
    size_t count = 7;
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_int_equal(tx->ops->audit_head(tx, &seq, hash), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->audit_first(tx, &seq, hash), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->audit_last_of(tx, GH_AUDIT_LOGIN, 0, &row), GH_ERR_NOT_FOUND);
    assert_int_equal(seq, 7);
    assert_int_equal(hash[0], 7);
    gh_contract_assert_ok(tx->ops->audit_count(tx, 0, &counts, &count));
    assert_int_equal(count, 0);
    gh_contract_assert_ok(tx->ops->audit_drop(tx, 100, 100, &removed));
    assert_int_equal(removed, 0);
    gh_contract_commit(contract);
}

static void links_the_first_record_to_zeros_and_the_others_to_the_one_before(
    struct gh_contract *contract)
{
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t seq;
    add_rows(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->audit_first(tx, &seq, hash));
    assert_memory_equal(hash, NO_HASH, sizeof(hash));
    gh_contract_commit(contract);
    add_rows(contract, 2, 5);
    add_rows(contract, 6, 6);
    assert_chain(contract, 1, 6);
}

static void takes_no_number_or_hash_from_the_caller(struct gh_contract *contract)
{
    struct gh_audit_row row = gh_contract_row(1);
    row.record.seq = 77;
    memset(row.hash, 1, sizeof(row.hash));
    memset(row.prev_hash, 2, sizeof(row.prev_hash));
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    gh_contract_commit(contract);
    assert_chain(contract, 1, 1);
}

static void appends_two_thousand_records_in_a_unit(struct gh_contract *contract)
{
    add_rows(contract, 1, 2000);
    add_rows(contract, 2001, 2001);
    assert_chain(contract, 1, 2001);
}

static void units_that_fail_leave_no_gap_in_the_chain(struct gh_contract *contract)
{
    add_rows(contract, 1, 3);
    for (unsigned round = 0; round < 3; round++) {
        struct gh_audit_row row = gh_contract_row(100 + round);
        struct gh_tx *tx = gh_contract_begin(contract);
        for (unsigned i = 0; i <= round; i++)
            gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
        assert_int_equal(gh_contract_end(contract, GH_ERR_EXISTS), GH_ERR_EXISTS);
        add_rows(contract, 4 + round, 4 + round);
    }
    assert_chain(contract, 1, 6);
}

static void refuses_metadata_that_are_none_and_goes_on(struct gh_contract *contract)
{
    static const char *const NONE[] = {"[]", "x", "{\"a\":}", "{\"a\":1,\"a\":2}", "1"};
    struct gh_audit_row good = gh_contract_row(1);
    struct gh_tx *tx = gh_contract_begin(contract);
    for (size_t i = 0; i < sizeof(NONE) / sizeof(NONE[0]); i++) {
        struct gh_audit_row bad = gh_contract_row(1);
        bad.record.metadata = gh_str_from_c(NONE[i]);
        assert_int_equal(tx->ops->audit_append(tx, &bad), GH_ERR_INVALID);
        gh_contract_assert_ok(tx->ops->audit_append(tx, &good));
    }
    gh_contract_commit(contract);
    assert_chain(contract, 1, 5);
}

static void refuses_to_append_or_drop_while_reading(struct gh_contract *contract)
{
    struct gh_audit_row row = gh_contract_row(3);
    uint64_t removed = 9;
    add_rows(contract, 1, 2);
    struct gh_tx *tx = gh_contract_begin_read(contract);
    assert_int_equal(tx->ops->audit_append(tx, &row), GH_ERR_INVALID);
    assert_int_equal(tx->ops->audit_drop(tx, 1, 1, &removed), GH_ERR_INVALID);
    assert_int_equal(removed, 9);
    gh_contract_end(contract, GH_OK);
    assert_chain(contract, 1, 2);
}

static void a_chain_that_was_never_begun_has_nothing_and_takes_nothing(struct gh_contract *contract)
{
    struct gh_audit_query query = {.limit = 10};
    struct gh_audit_pending pending = {.place = 7, .row = gh_contract_row(1)}, *places;
    struct gh_audit_day_count *days;
    struct gh_audit_row *rows;
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t seq;
    size_t count;
    add_rows(contract, 1, 3);
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    gh_contract_assert_ok(tx->ops->pending_put(tx, &pending));
    tx->chain = 999;
    assert_int_equal(tx->ops->audit_append(tx, &pending.row), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->audit_drop(tx, 9, 9, &seq), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->audit_head(tx, &seq, hash), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->audit_first(tx, &seq, hash), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->pending_put(tx, &pending), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->pending_set(tx, 7, GH_STR("{}")), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->pending_delete(tx, 7), GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 0);
    gh_contract_assert_ok(tx->ops->audit_count(tx, 0, &days, &count));
    assert_int_equal(count, 0);
    gh_contract_assert_ok(tx->ops->pending_some(tx, 9, &places, &count));
    assert_int_equal(count, 0);
    query.every_chain = true;
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 3);
    gh_contract_commit(contract);
}

/* ---- Dropping ---- */

static void drops_the_oldest_in_slices_and_appends_behind_them(struct gh_contract *contract)
{
    add_rows(contract, 1, 20);
    assert_int_equal(drop(contract, 9, 4), 4);
    assert_chain(contract, 5, 20);
    assert_int_equal(drop(contract, 9, 100), 5);
    assert_int_equal(drop(contract, 9, 100), 0);
    assert_int_equal(drop(contract, 15, 0), 0);
    assert_chain(contract, 10, 20);
    add_rows(contract, 21, 23);
    assert_chain(contract, 10, 23);
}

static void never_drops_the_newest_record(struct gh_contract *contract)
{
    add_rows(contract, 1, 5);
    assert_int_equal(drop(contract, 5, 100), 4);
    assert_chain(contract, 5, 5);
    assert_int_equal(drop(contract, INT64_MAX, 100), 0);
    add_rows(contract, 6, 6);
    assert_chain(contract, 5, 6);
    assert_int_equal(drop(contract, INT64_MAX, 100), 1);
    assert_chain(contract, 6, 6);
}

static void a_drop_that_is_undone_drops_nothing(struct gh_contract *contract)
{
    uint64_t removed;
    add_rows(contract, 1, 9);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->audit_drop(tx, 5, 100, &removed));
    assert_int_equal(removed, 5);
    gh_contract_end(contract, GH_ERR_INVALID);
    assert_chain(contract, 1, 9);
}

/* ---- Finding and counting ---- */

static void add_event(struct gh_tx *tx, enum gh_audit_event event, enum gh_audit_outcome outcome,
                      uint64_t time_us)
{
    struct gh_audit_row row = gh_contract_row(1);
    row.record.event = event;
    row.record.outcome = outcome;
    row.record.time_us = time_us;
    gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
}

static void finds_the_newest_record_of_an_event_before_a_time(struct gh_contract *contract)
{
    struct gh_audit_row row = {.record = {.seq = 0}};
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    for (unsigned i = 1; i <= 9; i++)
        add_event(tx, i % 3 ? GH_AUDIT_LOGIN : GH_AUDIT_AUDIT_CHECKPOINT, GH_AUDIT_SUCCESS, i);
    gh_contract_assert_ok(tx->ops->audit_last_of(tx, GH_AUDIT_AUDIT_CHECKPOINT, 0, &row));
    assert_int_equal(row.record.seq, 9);
    gh_contract_assert_ok(tx->ops->audit_last_of(tx, GH_AUDIT_AUDIT_CHECKPOINT, 9, &row));
    assert_int_equal(row.record.seq, 6);
    assert_int_equal(row.record.event, GH_AUDIT_AUDIT_CHECKPOINT);
    gh_contract_assert_text(row.record.metadata, gh_contract_row(1).record.metadata);
    gh_contract_assert_ok(tx->ops->audit_last_of(tx, GH_AUDIT_AUDIT_CHECKPOINT, 4, &row));
    assert_int_equal(row.record.seq, 3);
    assert_int_equal(tx->ops->audit_last_of(tx, GH_AUDIT_AUDIT_CHECKPOINT, 3, &row),
                     GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->audit_last_of(tx, GH_AUDIT_LOGOUT, 0, &row), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

static void pages_checkpoints_from_either_end(struct gh_contract *contract)
{
    struct gh_audit_query query = {.event = GH_STR("audit_checkpoint"), .limit = 2};
    struct gh_audit_row *rows;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    for (unsigned i = 1; i <= 12; i++)
        add_event(tx, i % 3 ? GH_AUDIT_LOGIN : GH_AUDIT_AUDIT_CHECKPOINT, GH_AUDIT_SUCCESS, i);
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].record.seq, 12);
    assert_int_equal(rows[1].record.seq, 9);
    query.oldest_first = true;
    query.after_seq = 3;
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].record.seq, 6);
    query.user_id = gh_contract_row(1).record.user_id;
    query.before_seq = 9;
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 1);
    gh_contract_commit(contract);
}

static uint64_t count_of(const struct gh_audit_day_count *rows, size_t count, uint64_t day_us,
                         enum gh_audit_event event, enum gh_audit_outcome outcome)
{
    uint64_t found = 0;
    for (size_t i = 0; i < count; i++)
        if (rows[i].day_us == day_us && rows[i].event == event && rows[i].outcome == outcome)
            found = found ? UINT64_MAX : rows[i].count; /* twice is wrong */
    return found;
}

static void counts_records_by_day_event_and_outcome(struct gh_contract *contract)
{
    static const uint64_t DAY = GH_CONTRACT_DAY_US;
    struct gh_audit_day_count *rows;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    add_event(tx, GH_AUDIT_LOGIN, GH_AUDIT_SUCCESS, 3 * DAY - 1);
    add_event(tx, GH_AUDIT_LOGIN, GH_AUDIT_SUCCESS, 5 * DAY);
    add_event(tx, GH_AUDIT_LOGIN, GH_AUDIT_SUCCESS, 4 * DAY - 1);
    add_event(tx, GH_AUDIT_LOGIN, GH_AUDIT_FAILURE, 3 * DAY);
    add_event(tx, GH_AUDIT_LOGIN, GH_AUDIT_SUCCESS, 3 * DAY);
    add_event(tx, GH_AUDIT_LOGOUT, GH_AUDIT_SUCCESS, 3 * DAY + 5);
    gh_contract_assert_ok(tx->ops->audit_count(tx, 3 * DAY, &rows, &count));
    assert_int_equal(count, 4);
    assert_int_equal(count_of(rows, count, 3 * DAY, GH_AUDIT_LOGIN, GH_AUDIT_SUCCESS), 2);
    assert_int_equal(count_of(rows, count, 3 * DAY, GH_AUDIT_LOGIN, GH_AUDIT_FAILURE), 1);
    assert_int_equal(count_of(rows, count, 3 * DAY, GH_AUDIT_LOGOUT, GH_AUDIT_SUCCESS), 1);
    assert_int_equal(count_of(rows, count, 5 * DAY, GH_AUDIT_LOGIN, GH_AUDIT_SUCCESS), 1);
    for (size_t i = 1; i < count; i++)
        assert_true(rows[i - 1].day_us <= rows[i].day_us);
    gh_contract_assert_ok(tx->ops->audit_count(tx, 3 * DAY + 6, &rows, &count));
    assert_int_equal(count, 2);
    gh_contract_assert_ok(tx->ops->audit_count(tx, 6 * DAY, &rows, &count));
    assert_int_equal(count, 0);
    gh_contract_commit(contract);
}

/* ---- Bulk ---- */

/* What other units append is numbered when it is seen; what a bulk unit appends is at once. */
static void a_bulk_unit_sees_what_it_appends(struct gh_contract *contract)
{
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t seq, removed;
    add_rows(contract, 1, 3);
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    for (unsigned number = 4; number <= 9; number++) {
        struct gh_audit_row row = gh_contract_row(number);
        gh_contract_assert_ok(tx->ops->audit_head(tx, &seq, hash));
        assert_int_equal(seq, number - 1);
        gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    }
    gh_contract_assert_ok(tx->ops->audit_drop(tx, 9, 100, &removed));
    assert_int_equal(removed, 8);
    gh_contract_commit(contract);
    assert_chain(contract, 9, 9);
}

static void a_bulk_unit_that_fails_leaves_no_gap_in_the_chain(struct gh_contract *contract)
{
    struct gh_audit_row row = gh_contract_row(1);
    for (unsigned round = 0; round < 3; round++) {
        struct gh_tx *tx = gh_contract_begin_bulk(contract);
        gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
        gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
        assert_int_equal(gh_contract_end(contract, GH_ERR_NOT_FOUND), GH_ERR_NOT_FOUND);
        add_rows(contract, 1, 2);
    }
    assert_chain(contract, 1, 6);
}

static void a_bulk_unit_refuses_what_is_no_record_and_goes_on(struct gh_contract *contract)
{
    struct gh_audit_row good = gh_contract_row(1), bad = gh_contract_row(1);
    bad.record.metadata = GH_STR("{\"a\":1.5}");
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    assert_int_equal(tx->ops->audit_append(tx, &bad), GH_ERR_INVALID);
    gh_contract_assert_ok(tx->ops->audit_append(tx, &good));
    assert_int_equal(tx->ops->audit_append(tx, &bad), GH_ERR_INVALID);
    gh_contract_assert_ok(tx->ops->audit_append(tx, &good));
    gh_contract_commit(contract);
    assert_chain(contract, 1, 2);
}

static enum gh_err append_some(struct gh_tx *tx, void *args)
{
    const enum gh_err *verdict = args;
    for (unsigned number = 1; number <= 10; number++) {
        struct gh_audit_row row = gh_contract_row(number);
        enum gh_err err = tx->ops->audit_append(tx, &row);
        if (err != GH_OK)
            return err;
    }
    return *verdict;
}

static void runs_bulk_units_like_others(struct gh_contract *contract)
{
    static const enum gh_err VERDICTS[] = {GH_OK, GH_ERR_INVALID, GH_OK, GH_ERR_NOT_FOUND};
    for (size_t i = 0; i < sizeof(VERDICTS) / sizeof(VERDICTS[0]); i++) {
        enum gh_err verdict = VERDICTS[i];
        assert_int_equal(contract->store->ops->run_bulk(contract->store, append_some, &verdict,
                                                        &contract->arena),
                         VERDICTS[i]);
    }
    assert_chain(contract, 1, 20);
}

/* ---- What a process has written ---- */

static void says_which_chain_it_writes(struct gh_contract *contract)
{
    struct gh_audit_own own;
    struct gh_audit_written *rows;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->audit_own(tx, &own));
    assert_int_equal(own.chain, 1);
    assert_int_equal(own.times, 1);
    gh_contract_assert_ok(tx->ops->audit_written(tx, 0, &rows, &count));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].chain, 1);
    assert_int_equal(rows[0].after_seq, 0);
    assert_int_equal(rows[0].through_seq, 0);
    gh_contract_assert_ok(tx->ops->audit_written(tx, rows[0].number, &rows, &count));
    assert_int_equal(count, 0);
    gh_contract_commit(contract);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
const struct gh_contract_case gh_contract_chain_cases[] = {
    CASE(an_empty_log_has_no_ends),
    CASE(links_the_first_record_to_zeros_and_the_others_to_the_one_before),
    CASE(takes_no_number_or_hash_from_the_caller),
    CASE(appends_two_thousand_records_in_a_unit),
    CASE(units_that_fail_leave_no_gap_in_the_chain),
    CASE(refuses_metadata_that_are_none_and_goes_on),
    CASE(refuses_to_append_or_drop_while_reading),
    CASE(a_chain_that_was_never_begun_has_nothing_and_takes_nothing),
    CASE(drops_the_oldest_in_slices_and_appends_behind_them),
    CASE(never_drops_the_newest_record),
    CASE(a_drop_that_is_undone_drops_nothing),
    CASE(finds_the_newest_record_of_an_event_before_a_time),
    CASE(pages_checkpoints_from_either_end),
    CASE(counts_records_by_day_event_and_outcome),
    CASE(a_bulk_unit_sees_what_it_appends),
    CASE(a_bulk_unit_that_fails_leaves_no_gap_in_the_chain),
    CASE(a_bulk_unit_refuses_what_is_no_record_and_goes_on),
    CASE(runs_bulk_units_like_others),
    CASE(says_which_chain_it_writes),
    {NULL, NULL},
};
