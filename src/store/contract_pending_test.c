/* The contract suite: refusals that are counted and not in the log yet. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct gh_audit_pending pending_at(uint64_t place, struct gh_str metadata)
{
    struct gh_audit_pending pending = {.place = place, .row = gh_contract_row((unsigned)place)};
    pending.row.record.event = GH_AUDIT_ACCESS_DENIED;
    pending.row.record.metadata = metadata;
    return pending;
}

static void put(struct gh_tx *tx, uint64_t place, struct gh_str metadata)
{
    struct gh_audit_pending pending = pending_at(place, metadata);
    gh_contract_assert_ok(tx->ops->pending_put(tx, &pending));
}

static size_t some(struct gh_tx *tx, size_t limit, struct gh_audit_pending **out_rows)
{
    size_t count = 99;
    gh_contract_assert_ok(tx->ops->pending_some(tx, limit, out_rows, &count));
    return count;
}

/* There is one, with these metadata. */
static void assert_one(struct gh_tx *tx, uint64_t place, struct gh_str metadata)
{
    static const uint8_t NO_HASH[GH_SHA256_BYTES] = {0};
    struct gh_audit_pending *rows, expected = pending_at(place, metadata);
    assert_int_equal(some(tx, 10, &rows), 1);
    const struct gh_audit_record *record = &rows[0].row.record, *wanted = &expected.row.record;
    assert_int_equal(rows[0].place, place);
    assert_int_equal(record->event, wanted->event);
    assert_int_equal(record->outcome, wanted->outcome);
    gh_contract_assert_text(record->user_id, wanted->user_id);
    gh_contract_assert_text(record->actor_id, wanted->actor_id);
    gh_contract_assert_text(record->ip_address, wanted->ip_address);
    gh_contract_assert_text(record->user_agent, wanted->user_agent);
    gh_contract_assert_text(record->session, wanted->session);
    gh_contract_assert_text(record->request_id, wanted->request_id);
    gh_contract_assert_text(record->metadata, wanted->metadata);
    gh_contract_assert_text(rows[0].row.sealed, expected.row.sealed);
    assert_int_equal(record->seq, 0);
    assert_int_equal(record->time_us, 0);
    assert_memory_equal(rows[0].row.hash, NO_HASH, sizeof(NO_HASH));
    assert_memory_equal(rows[0].row.prev_hash, NO_HASH, sizeof(NO_HASH));
}

static void keeps_what_is_pending_and_gives_it_back(struct gh_contract *contract)
{
    struct gh_tx *tx = gh_contract_begin(contract);
    put(tx, 7, GH_STR("{\"count\":3}"));
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    assert_one(tx, 7, GH_STR("{\"count\":3}"));
    gh_contract_commit(contract);
}

static void keeps_one_for_each_place(struct gh_contract *contract)
{
    struct gh_audit_pending *rows;
    struct gh_tx *tx = gh_contract_begin(contract);
    put(tx, 0, GH_STR("{\"count\":1}"));
    put(tx, 0, GH_STR("{\"count\":2}"));
    assert_one(tx, 0, GH_STR("{\"count\":2}"));
    put(tx, 1, GH_STR("{\"count\":1}"));
    put(tx, INT64_MAX, GH_STR("{\"count\":1}"));
    assert_int_equal(some(tx, 10, &rows), 3);
    gh_contract_commit(contract);
}

static void sets_the_metadata_alone(struct gh_contract *contract)
{
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_int_equal(tx->ops->pending_set(tx, 7, GH_STR("{}")), GH_ERR_NOT_FOUND);
    put(tx, 7, GH_STR("{\"count\":3}"));
    gh_contract_assert_ok(tx->ops->pending_set(tx, 7, GH_STR("{\"count\":40}")));
    assert_int_equal(tx->ops->pending_set(tx, 8, GH_STR("{}")), GH_ERR_NOT_FOUND);
    assert_one(tx, 7, GH_STR("{\"count\":40}"));
    gh_contract_commit(contract);
}

static void takes_none_without_metadata(struct gh_contract *contract)
{
    struct gh_audit_pending none = pending_at(7, GH_STR(""));
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_int_equal(tx->ops->pending_put(tx, &none), GH_ERR_INVALID);
    put(tx, 7, GH_STR("{\"count\":3}"));
    assert_int_equal(tx->ops->pending_put(tx, &none), GH_ERR_INVALID);
    assert_int_equal(tx->ops->pending_set(tx, 7, GH_STR("")), GH_ERR_INVALID);
    assert_one(tx, 7, GH_STR("{\"count\":3}"));
    gh_contract_commit(contract);
}

static void deletes_what_is_pending(struct gh_contract *contract)
{
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_int_equal(tx->ops->pending_delete(tx, 7), GH_ERR_NOT_FOUND);
    put(tx, 7, GH_STR("{\"count\":3}"));
    put(tx, 8, GH_STR("{\"count\":4}"));
    gh_contract_assert_ok(tx->ops->pending_delete(tx, 7));
    assert_int_equal(tx->ops->pending_delete(tx, 7), GH_ERR_NOT_FOUND);
    assert_one(tx, 8, GH_STR("{\"count\":4}"));
    gh_contract_commit(contract);
}

static void gives_back_at_most_as_many_as_asked_for(struct gh_contract *contract)
{
    struct gh_audit_pending *rows;
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_int_equal(some(tx, 10, &rows), 0);
    for (uint64_t place = 1; place <= 20; place++)
        put(tx, place, GH_STR("{\"count\":3}"));
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    unsigned seen = 0;
    for (size_t count = some(tx, 8, &rows), left = 20; left; count = some(tx, 8, &rows)) {
        assert_int_equal(count, left < 8 ? left : 8);
        left -= count;
        for (size_t i = 0; i < count; i++) {
            seen |= 1u << rows[i].place;
            gh_contract_assert_ok(tx->ops->pending_delete(tx, rows[i].place));
        }
    }
    assert_int_equal(seen, (1u << 21) - 2);
    assert_int_equal(some(tx, 8, &rows), 0);
    gh_contract_commit(contract);
}

static void what_is_pending_goes_to_the_log_or_stays_whole(struct gh_contract *contract)
{
    struct gh_audit_pending pending = pending_at(7, GH_STR("{\"count\":3}"));
    struct gh_audit_query query = {.limit = 10};
    struct gh_audit_row *rows;
    size_t count;
    struct gh_tx *tx = gh_contract_begin(contract);
    put(tx, 7, GH_STR("{\"count\":3}"));
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->audit_append(tx, &pending.row));
    gh_contract_assert_ok(tx->ops->pending_delete(tx, 7));
    assert_int_equal(gh_contract_end(contract, GH_ERR_TIMEOUT), GH_ERR_TIMEOUT);
    tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 0);
    assert_one(tx, 7, GH_STR("{\"count\":3}"));
    gh_contract_assert_ok(tx->ops->pending_set(tx, 7, GH_STR("{\"count\":4}")));
    assert_int_equal(gh_contract_end(contract, GH_ERR_TIMEOUT), GH_ERR_TIMEOUT);
    tx = gh_contract_begin(contract);
    assert_one(tx, 7, GH_STR("{\"count\":3}"));
    gh_contract_commit(contract);
}

static void nothing_that_is_pending_changes_while_reading(struct gh_contract *contract)
{
    struct gh_audit_pending pending = pending_at(7, GH_STR("{\"count\":3}"));
    struct gh_tx *tx = gh_contract_begin(contract);
    put(tx, 7, GH_STR("{\"count\":3}"));
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    assert_int_equal(tx->ops->pending_put(tx, &pending), GH_ERR_INVALID);
    assert_int_equal(tx->ops->pending_set(tx, 7, GH_STR("{}")), GH_ERR_INVALID);
    assert_int_equal(tx->ops->pending_delete(tx, 7), GH_ERR_INVALID);
    assert_one(tx, 7, GH_STR("{\"count\":3}"));
    gh_contract_commit(contract);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
const struct gh_contract_case gh_contract_pending_cases[] = {
    CASE(keeps_what_is_pending_and_gives_it_back),
    CASE(keeps_one_for_each_place),
    CASE(sets_the_metadata_alone),
    CASE(takes_none_without_metadata),
    CASE(deletes_what_is_pending),
    CASE(gives_back_at_most_as_many_as_asked_for),
    CASE(what_is_pending_goes_to_the_log_or_stays_whole),
    CASE(nothing_that_is_pending_changes_while_reading),
    {NULL, NULL},
};
