/* The contract suite: a log of several chains. Chain 1 is held here, 2 by another process, 3 by
   nobody. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* Appends `count` rows to the chain. */
static void append(struct gh_tx *tx, uint32_t chain, unsigned count)
{
    tx->chain = chain;
    for (unsigned number = 1; number <= count; number++) {
        struct gh_audit_row row = gh_contract_row(number);
        gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    }
}

/* Chain 1 has 4 records and chain 3 has 3, in turns: positions 1 1 3 3 3 1 1. */
static void fill(struct gh_contract *contract)
{
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    append(tx, 0, 2);
    append(tx, 3, 3);
    append(tx, 1, 2);
    gh_contract_commit(contract);
}

static enum gh_err append_one(struct gh_tx *tx, uint32_t chain)
{
    struct gh_audit_row row = gh_contract_row(1);
    tx->chain = chain;
    return tx->ops->audit_append(tx, &row);
}

/* ---- Who may write ---- */

static void says_who_holds_each_chain(struct gh_contract *contract)
{
    static const enum gh_audit_holder HOLDERS[] = {GH_AUDIT_HELD_HERE, GH_AUDIT_HELD_BY_ANOTHER,
                                                   GH_AUDIT_HELD_BY_NOBODY};
    struct gh_audit_chain *chains;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->audit_chains(tx, &chains, &count));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(chains[i].id, i + 1);
        assert_int_equal(chains[i].holder, HOLDERS[i]);
    }
    gh_contract_commit(contract);
}

static void writes_its_own_chain_by_its_number_too(struct gh_contract *contract)
{
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(append_one(tx, 0));
    gh_contract_assert_ok(append_one(tx, 1));
    gh_contract_commit(contract);
    gh_contract_assert_chain(contract, 1, 1, 2);
    gh_contract_assert_chain(contract, 0, 1, 2);
}

static void writes_a_chain_that_nobody_holds_in_bulk_units_alone(struct gh_contract *contract)
{
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_int_equal(append_one(tx, 3), GH_ERR_INVALID);
    gh_contract_assert_ok(append_one(tx, 1));
    gh_contract_commit(contract);
    tx = gh_contract_begin_bulk(contract);
    gh_contract_assert_ok(append_one(tx, 3));
    gh_contract_assert_ok(append_one(tx, 1));
    gh_contract_assert_ok(append_one(tx, 3));
    gh_contract_commit(contract);
    gh_contract_assert_chain(contract, 1, 1, 2);
    gh_contract_assert_chain(contract, 3, 1, 2);
}

static void refuses_the_chains_of_others_and_none(struct gh_contract *contract)
{
    struct gh_audit_pending pending = {.place = 1, .row = gh_contract_row(1)};
    uint64_t removed = 7;
    for (unsigned round = 0; round < 2; round++) {
        struct gh_tx *tx = round ? gh_contract_begin_bulk(contract) : gh_contract_begin(contract);
        assert_int_equal(append_one(tx, 2), GH_ERR_EXISTS);
        assert_int_equal(tx->ops->audit_drop(tx, 1, 1, &removed), GH_ERR_EXISTS);
        assert_int_equal(tx->ops->pending_put(tx, &pending), GH_ERR_EXISTS);
        assert_int_equal(append_one(tx, 4), GH_ERR_NOT_FOUND);
        assert_int_equal(tx->ops->audit_drop(tx, 1, 1, &removed), GH_ERR_NOT_FOUND);
        assert_int_equal(tx->ops->pending_put(tx, &pending), GH_ERR_NOT_FOUND);
        gh_contract_assert_ok(append_one(tx, 0));
        gh_contract_commit(contract);
    }
    assert_int_equal(removed, 7);
    gh_contract_assert_chain(contract, 1, 1, 2);
}

static void a_unit_that_fails_leaves_no_record_in_any_chain(struct gh_contract *contract)
{
    fill(contract);
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    append(tx, 3, 5);
    append(tx, 1, 5);
    assert_int_equal(gh_contract_end(contract, GH_ERR_TIMEOUT), GH_ERR_TIMEOUT);
    fill(contract);
    gh_contract_assert_chain(contract, 1, 1, 8);
    gh_contract_assert_chain(contract, 3, 1, 6);
}

/* ---- What a process has written ---- */

/* Behind that number it wrote chain 3 alone, from `first` to `last`, without gaps or anything
   twice; 0: nothing. Gives the number of the newest. */
static uint64_t assert_written_since(struct gh_contract *contract, uint64_t number, uint64_t first,
                                     uint64_t last)
{
    struct gh_audit_written *rows;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->audit_written(tx, number, &rows, &count));
    gh_contract_commit(contract);
    assert_int_equal(count > 0, last > 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i].chain, 3);
        assert_true(rows[i].number > number);
        number = rows[i].number;
        assert_int_equal(rows[i].after_seq, first - 1);
        assert_true(rows[i].through_seq >= first);
        first = rows[i].through_seq + 1;
    }
    assert_int_equal(first, last + 1);
    return number;
}

static void tells_what_it_has_written_of_chains_of_nobody(struct gh_contract *contract)
{
    struct gh_audit_written *rows;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->audit_written(tx, 0, &rows, &count));
    gh_contract_commit(contract);
    assert_int_equal(count, 1);
    uint64_t number = rows[0].number;
    tx = gh_contract_begin_bulk(contract);
    append(tx, 1, 5); /* the own one: nothing new */
    gh_contract_commit(contract);
    number = assert_written_since(contract, number, 1, 0);
    fill(contract);
    number = assert_written_since(contract, number, 1, 3);
    fill(contract);
    assert_written_since(contract, number, 4, 6);
}

/* ---- Reading ---- */

static void each_chain_has_ends_of_its_own(struct gh_contract *contract)
{
    uint8_t hash[GH_SHA256_BYTES];
    struct gh_audit_day_count *counts;
    struct gh_audit_row row;
    uint64_t seq;
    size_t count;
    fill(contract);
    gh_contract_assert_chain(contract, 1, 1, 4);
    gh_contract_assert_chain(contract, 3, 1, 3);
    struct gh_tx *tx = gh_contract_begin_read(contract);
    tx->chain = 2;
    assert_int_equal(tx->ops->audit_head(tx, &seq, hash), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->audit_first(tx, &seq, hash), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->audit_last_of(tx, GH_AUDIT_LOGIN, 0, &row), GH_ERR_NOT_FOUND);
    tx->chain = 3;
    gh_contract_assert_ok(tx->ops->audit_last_of(tx, GH_AUDIT_LOGIN, 0, &row));
    assert_int_equal(row.record.chain, 3);
    assert_int_equal(row.record.seq, 3);
    gh_contract_assert_ok(tx->ops->audit_count(tx, 0, &counts, &count));
    assert_int_equal(count, 1);
    assert_int_equal(counts[0].count, 3);
    gh_contract_commit(contract);
}

/* The page has exactly these records: chain times ten and number, 0: the end. */
static void assert_page(struct gh_contract *contract, const struct gh_audit_query *query,
                        const unsigned *expected, uint64_t positions[])
{
    struct gh_audit_row *rows;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->audit_page(tx, query, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i].record.chain * 10 + rows[i].record.seq, expected[i]);
        positions[i] = rows[i].position;
        assert_true(positions[i] > 0);
        if (i)
            assert_true((positions[i] > positions[i - 1]) == query->oldest_first);
    }
    assert_int_equal(expected[count], 0);
    gh_contract_commit(contract);
}

#define RECORDS(...) ((const unsigned[]){__VA_ARGS__, 0})

static void pages_every_chain_by_position(struct gh_contract *contract)
{
    uint64_t positions[8], rest[8];
    struct gh_audit_query query = {.every_chain = true, .oldest_first = true, .limit = 8};
    fill(contract);
    assert_page(contract, &query, RECORDS(11, 12, 31, 32, 33, 13, 14), positions);
    query.after_seq = positions[1];
    query.before_seq = positions[5];
    assert_page(contract, &query, RECORDS(31, 32, 33), rest);
    query.oldest_first = false;
    query.limit = 2;
    assert_page(contract, &query, RECORDS(33, 32), rest);
    query.before_seq = 0;
    assert_page(contract, &query, RECORDS(14, 13), rest);
    query = (struct gh_audit_query){.every_chain = true, .event = GH_STR("login"), .limit = 3};
    assert_page(contract, &query, RECORDS(14, 13, 33), rest);
    query.user_id = GH_STR("who");
    query.before_seq = positions[3];
    assert_page(contract, &query, RECORDS(31, 12, 11), rest);
    query.user_id = GH_STR("nobody");
    assert_page(contract, &query, RECORDS(0), rest);
}

static void pages_one_chain_by_number(struct gh_contract *contract)
{
    uint64_t positions[8];
    struct gh_audit_query query = {.after_seq = 1, .before_seq = 4, .limit = 8};
    fill(contract);
    assert_page(contract, &query, RECORDS(13, 12), positions);
    query.oldest_first = true;
    assert_page(contract, &query, RECORDS(12, 13), positions);
}

/* ---- Dropping and pending ---- */

static void drops_of_one_chain_alone(struct gh_contract *contract)
{
    uint64_t removed;
    fill(contract);
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    tx->chain = 3;
    gh_contract_assert_ok(tx->ops->audit_drop(tx, 100, 100, &removed));
    assert_int_equal(removed, 2);
    gh_contract_commit(contract);
    gh_contract_assert_chain(contract, 1, 1, 4);
    gh_contract_assert_chain(contract, 3, 3, 3);
    fill(contract);
    gh_contract_assert_chain(contract, 3, 3, 6);
}

static void put_pending(struct gh_tx *tx, uint32_t chain, struct gh_str metadata)
{
    struct gh_audit_pending pending = {.place = 5, .row = gh_contract_row(5)};
    pending.row.record.metadata = metadata;
    tx->chain = chain;
    gh_contract_assert_ok(tx->ops->pending_put(tx, &pending));
}

/* One at place 5 of the chain with these metadata; empty: none. */
static void assert_pending(struct gh_tx *tx, uint32_t chain, struct gh_str metadata)
{
    struct gh_audit_pending *rows;
    size_t count;
    tx->chain = chain;
    gh_contract_assert_ok(tx->ops->pending_some(tx, 10, &rows, &count));
    assert_int_equal(count, metadata.len > 0);
    if (count)
        gh_contract_assert_text(rows[0].row.record.metadata, metadata);
}

static void each_chain_has_places_of_its_own(struct gh_contract *contract)
{
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    put_pending(tx, 1, GH_STR("{\"count\":1}"));
    put_pending(tx, 3, GH_STR("{\"count\":3}"));
    gh_contract_commit(contract);
    tx = gh_contract_begin_bulk(contract);
    assert_pending(tx, 1, GH_STR("{\"count\":1}"));
    assert_pending(tx, 2, GH_STR(""));
    assert_pending(tx, 3, GH_STR("{\"count\":3}"));
    gh_contract_assert_ok(tx->ops->pending_set(tx, 5, GH_STR("{\"count\":4}")));
    assert_pending(tx, 1, GH_STR("{\"count\":1}"));
    gh_contract_assert_ok(tx->ops->pending_delete(tx, 5));
    assert_pending(tx, 1, GH_STR(""));
    assert_pending(tx, 3, GH_STR("{\"count\":4}"));
    gh_contract_commit(contract);
}

/* A dead process's refusals go to its own chain, whoever finds them. */
static void takes_what_is_pending_of_a_chain_of_nobody_to_that_chain(struct gh_contract *contract)
{
    struct gh_audit_pending *rows;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    put_pending(tx, 3, GH_STR("{\"count\":3}"));
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    tx->chain = 3;
    assert_int_equal(tx->ops->pending_delete(tx, 5), GH_ERR_INVALID);
    gh_contract_commit(contract);
    tx = gh_contract_begin_bulk(contract);
    tx->chain = 3;
    gh_contract_assert_ok(tx->ops->pending_some(tx, 10, &rows, &count));
    assert_int_equal(count, 1);
    rows[0].row.record.time_us = GH_CONTRACT_NOW_US;
    gh_contract_assert_ok(tx->ops->audit_append(tx, &rows[0].row));
    gh_contract_assert_ok(tx->ops->pending_delete(tx, rows[0].place));
    gh_contract_commit(contract);
    gh_contract_assert_chain(contract, 3, 1, 1);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
const struct gh_contract_case gh_contract_many_chains_cases[] = {
    CASE(says_who_holds_each_chain),
    CASE(writes_its_own_chain_by_its_number_too),
    CASE(writes_a_chain_that_nobody_holds_in_bulk_units_alone),
    CASE(refuses_the_chains_of_others_and_none),
    CASE(a_unit_that_fails_leaves_no_record_in_any_chain),
    CASE(tells_what_it_has_written_of_chains_of_nobody),
    CASE(each_chain_has_ends_of_its_own),
    CASE(pages_every_chain_by_position),
    CASE(pages_one_chain_by_number),
    CASE(drops_of_one_chain_alone),
    CASE(each_chain_has_places_of_its_own),
    CASE(takes_what_is_pending_of_a_chain_of_nobody_to_that_chain),
    {NULL, NULL},
};
