/* The contract suite: the audit log and its pages, and what is purged. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define RECORD_BYTES_MAX 2048

/* ---- The audit log ---- */

/* Records 1..20 in one unit: numbers divisible by 3 are logouts, by 4 done by another. */
static struct gh_audit_row nth_row(unsigned number)
{
    struct gh_audit_row row = gh_contract_row(number);
    if (number % 3 == 0)
        row.record.event = GH_AUDIT_LOGOUT;
    if (number % 4 == 0)
        row.record.actor_id = GH_STR("admin");
    if (number % 5 == 0)
        row.record.user_id = GH_STR("other");
    row.record.outcome = number % 2 ? GH_AUDIT_SUCCESS : GH_AUDIT_FAILURE;
    return row;
}

static void add_records(struct gh_contract *contract)
{
    struct gh_tx *tx = gh_contract_begin(contract);
    for (unsigned number = 1; number <= 20; number++) {
        struct gh_audit_row row = nth_row(number);
        gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    }
    gh_contract_commit(contract);
}

static void assert_row(const struct gh_audit_row *actual, const struct gh_audit_row *expected)
{
    char actual_text[RECORD_BYTES_MAX], expected_text[RECORD_BYTES_MAX];
    struct gh_buf actual_buf = gh_buf_over(actual_text, sizeof(actual_text));
    struct gh_buf expected_buf = gh_buf_over(expected_text, sizeof(expected_text));
    gh_audit_record_put_json(&actual_buf, &actual->record);
    gh_audit_record_put_json(&expected_buf, &expected->record);
    assert_false(expected_buf.overflow);
    gh_contract_assert_text(gh_buf_str(&actual_buf), gh_buf_str(&expected_buf));
    gh_contract_assert_text(actual->sealed, expected->sealed);
}

/* The page has exactly the records whose numbers are listed (0: the end), in this order. */
static void assert_page(struct gh_contract *contract, const struct gh_audit_query *query,
                        const unsigned *numbers)
{
    struct gh_audit_row *rows = NULL;
    size_t count = 0, expected = 0;
    while (numbers[expected])
        expected++;
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->audit_page(tx, query, &rows, &count));
    gh_contract_commit(contract);
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        struct gh_audit_row row = nth_row(numbers[i]);
        row.record.seq = numbers[i];
        assert_row(&rows[i], &row);
    }
}

#define NUMBERS(...) ((const unsigned[]){__VA_ARGS__, 0})

static void numbers_records_and_pages_them_newest_first(struct gh_contract *contract)
{
    add_records(contract);
    struct gh_audit_query query = {.limit = 4};
    assert_page(contract, &query, NUMBERS(20, 19, 18, 17));
    query.before_seq = 17;
    assert_page(contract, &query, NUMBERS(16, 15, 14, 13));
    query.before_seq = 3;
    assert_page(contract, &query, NUMBERS(2, 1));
    query.before_seq = 1;
    assert_page(contract, &query, NUMBERS(0));
    query.before_seq = 1000;
    assert_page(contract, &query, NUMBERS(20, 19, 18, 17));
    query.limit = 0;
    assert_page(contract, &query, NUMBERS(0));
}

static void pages_records_oldest_first(struct gh_contract *contract)
{
    add_records(contract);
    struct gh_audit_query query = {.oldest_first = true, .limit = 3};
    assert_page(contract, &query, NUMBERS(1, 2, 3));
    query.after_seq = 3;
    assert_page(contract, &query, NUMBERS(4, 5, 6));
    query.before_seq = 6;
    assert_page(contract, &query, NUMBERS(4, 5));
    query.before_seq = 0;
    query.after_seq = 18;
    assert_page(contract, &query, NUMBERS(19, 20));
    query.after_seq = 20;
    assert_page(contract, &query, NUMBERS(0));
    query.after_seq = 10;
    query.user_id = GH_STR("other");
    assert_page(contract, &query, NUMBERS(15, 20));
    query.event = GH_STR("logout");
    assert_page(contract, &query, NUMBERS(15));
    query.user_id = GH_STR("");
    assert_page(contract, &query, NUMBERS(12, 15, 18));
    query = (struct gh_audit_query){.after_seq = 18, .limit = 9}; /* newest first */
    assert_page(contract, &query, NUMBERS(20, 19));
}

static void pages_records_of_an_outcome_or_a_session(struct gh_contract *contract)
{
    add_records(contract);
    struct gh_audit_query query = {.by_outcome = true, .outcome = GH_AUDIT_FAILURE, .limit = 3};
    assert_page(contract, &query, NUMBERS(20, 18, 16));
    query.outcome = GH_AUDIT_SUCCESS;
    query.oldest_first = true;
    assert_page(contract, &query, NUMBERS(1, 3, 5));
    query.session = nth_row(1).record.session;
    query.event = GH_STR("logout");
    assert_page(contract, &query, NUMBERS(3, 9, 15));
    query.user_id = GH_STR("other");
    assert_page(contract, &query, NUMBERS(15));
    query.session = GH_STR("00112233445566778899aabbccddeef0");
    assert_page(contract, &query, NUMBERS(0));
}

static void pages_records_that_speak_of_or_were_done_by_somebody(struct gh_contract *contract)
{
    add_records(contract);
    struct gh_audit_query query = {.user_id = GH_STR("admin"), .limit = 3};
    assert_page(contract, &query, NUMBERS(20, 16, 12));
    query.before_seq = 12;
    assert_page(contract, &query, NUMBERS(8, 4));
    query = (struct gh_audit_query){.user_id = GH_STR("other"), .limit = 100};
    assert_page(contract, &query, NUMBERS(20, 15, 10, 5));
    query = (struct gh_audit_query){.user_id = GH_STR("who"), .limit = 100};
    assert_page(contract, &query, NUMBERS(19, 18, 17, 15, 14, 13, 11, 10, 9, 7, 6, 5, 3, 2, 1));
    query.user_id = GH_STR("wh");
    assert_page(contract, &query, NUMBERS(0));
}

/* Who acts on themselves is in such a record twice; it is one record all the same. */
static void pages_a_record_once_when_actor_and_user_are_one(struct gh_contract *contract)
{
    struct gh_audit_row row = nth_row(1), *rows;
    struct gh_audit_query query = {.user_id = GH_STR("same"), .limit = 10};
    size_t count;
    row.record.user_id = row.record.actor_id = GH_STR("same");
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].record.seq, 2);
    assert_int_equal(rows[1].record.seq, 1);
    gh_contract_commit(contract);
}

static void pages_records_of_an_event(struct gh_contract *contract)
{
    add_records(contract);
    struct gh_audit_query query = {.event = GH_STR("logout"), .limit = 3};
    assert_page(contract, &query, NUMBERS(18, 15, 12));
    query.before_seq = 12;
    assert_page(contract, &query, NUMBERS(9, 6, 3));
    query =
        (struct gh_audit_query){.event = GH_STR("logout"), .user_id = GH_STR("admin"), .limit = 9};
    assert_page(contract, &query, NUMBERS(12));
    query =
        (struct gh_audit_query){.event = GH_STR("logout"), .user_id = GH_STR("other"), .limit = 9};
    assert_page(contract, &query, NUMBERS(15));
    query.event = GH_STR("log");
    assert_page(contract, &query, NUMBERS(0));
    query.event = GH_STR("data_deletion");
    assert_page(contract, &query, NUMBERS(0));
}

static void pages_records_of_a_time(struct gh_contract *contract)
{
    add_records(contract);
    struct gh_audit_query query = {
        .since_us = GH_CONTRACT_NOW_US + 5, .until_us = GH_CONTRACT_NOW_US + 9, .limit = 9};
    assert_page(contract, &query, NUMBERS(8, 7, 6, 5)); /* until: before it */
    query.user_id = GH_STR("other");
    assert_page(contract, &query, NUMBERS(5));
    query = (struct gh_audit_query){.since_us = GH_CONTRACT_NOW_US + 19, .limit = 9};
    assert_page(contract, &query, NUMBERS(20, 19));
    query = (struct gh_audit_query){.until_us = GH_CONTRACT_NOW_US + 2, .limit = 9};
    assert_page(contract, &query, NUMBERS(1));
}

static void keeps_empty_fields_of_a_record_empty(struct gh_contract *contract)
{
    struct gh_audit_row row = {.record = {.time_us = 1, .event = GH_AUDIT_RATE_LIMITED}}, *rows;
    struct gh_audit_query query = {.limit = 5}, nobody = {.user_id = GH_STR("x"), .limit = 5};
    size_t count;
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 1);
    row.record.seq = 1;
    assert_row(&rows[0], &row);
    gh_contract_assert_ok(tx->ops->audit_page(tx, &nobody, &rows, &count));
    assert_int_equal(count, 0);
    gh_contract_commit(contract);
}

static void knows_every_event_of_the_catalogue(struct gh_contract *contract)
{
    struct gh_tx *tx = gh_contract_begin_bulk(contract);
    for (unsigned i = 0; i < GH_AUDIT_EVENT_COUNT; i++) {
        struct gh_audit_row row = gh_contract_row(i);
        row.record.event = (enum gh_audit_event)i;
        gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    }
    struct gh_audit_query query = {.limit = 1000};
    struct gh_audit_row *rows;
    size_t count;
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, GH_AUDIT_EVENT_COUNT);
    for (unsigned i = 0; i < GH_AUDIT_EVENT_COUNT; i++)
        assert_int_equal(rows[i].record.event, GH_AUDIT_EVENT_COUNT - 1 - i);
    gh_contract_commit(contract);
}

static void a_unit_that_fails_leaves_no_record(struct gh_contract *contract)
{
    struct gh_audit_row row = gh_contract_row(1), *rows;
    struct gh_audit_query query = {.limit = 5};
    size_t count;
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    assert_int_equal(gh_contract_end(contract, GH_ERR_INVALID), GH_ERR_INVALID);
    tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].record.seq, 1); /* a gap would look like a record taken out */
    gh_contract_commit(contract);
}

/* ---- Purge ---- */

/* One of each that ran out at `us`, and account 1's. */
static void add_one_of_each(struct gh_tx *tx, unsigned number, uint64_t us)
{
    struct gh_ticket ticket = gh_contract_ticket(number, 1);
    struct gh_session_row session = gh_contract_session(number, 1);
    struct gh_revocation_row revocation = {gh_contract_id(number), us};
    struct gh_throttle_row throttle = gh_contract_throttle(number);
    struct gh_device_row device = gh_contract_device(number, 1);
    ticket.expires_us = session.expires_us = us;
    throttle.last_us = us - GH_CONTRACT_DAY_US;
    throttle.blocked_until_us = us;
    device.last_used_us = us - 180 * GH_CONTRACT_DAY_US;
    gh_contract_assert_ok(tx->ops->ticket_insert(tx, &ticket));
    gh_contract_assert_ok(tx->ops->session_insert(tx, &session));
    gh_contract_assert_ok(tx->ops->revocation_insert(tx, &revocation));
    gh_contract_assert_ok(tx->ops->throttle_put(tx, &throttle));
    gh_contract_assert_ok(tx->ops->device_put(tx, &device));
}

static void assert_one_of_each(struct gh_tx *tx, unsigned number, bool are_there)
{
    struct gh_ticket ticket = gh_contract_ticket(number, 1);
    struct gh_session_row session = gh_contract_session(number, 1);
    struct gh_throttle_row throttle = gh_contract_throttle(number);
    struct gh_device_row device = gh_contract_device(number, 1);
    enum gh_err err = are_there ? GH_OK : GH_ERR_NOT_FOUND;
    assert_int_equal(tx->ops->ticket_get(tx, ticket.hash, &ticket), err);
    assert_int_equal(tx->ops->session_by_id(tx, gh_id_str(&session.session_id), &session), err);
    assert_int_equal(tx->ops->throttle_get(tx, throttle.key, &throttle), err);
    assert_int_equal(tx->ops->device_get(tx, device.hash, &device), err);
}

static void purges_what_has_run_out_and_no_more(struct gh_contract *contract)
{
    struct gh_throttle_row blocked = gh_contract_throttle(99), found;
    struct gh_revocation_row *revocations;
    struct gh_mail_row mail = gh_contract_mail(1, 1);
    uint64_t removed, cursor;
    size_t count;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    add_one_of_each(tx, 1, GH_CONTRACT_NOW_US - 1);
    add_one_of_each(tx, 2, GH_CONTRACT_NOW_US);
    add_one_of_each(tx, 3, GH_CONTRACT_NOW_US + 1);
    blocked.last_us = GH_CONTRACT_NOW_US - 9 * GH_CONTRACT_DAY_US;
    blocked.blocked_until_us = GH_CONTRACT_NOW_US + 1;
    mail.next_us = 1;
    gh_contract_assert_ok(tx->ops->throttle_put(tx, &blocked));
    gh_contract_assert_ok(tx->ops->mail_insert(tx, &mail));
    gh_contract_assert_ok(tx->ops->purge(tx, GH_CONTRACT_NOW_US, 1000, &removed));
    assert_int_equal(removed, 10);
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    assert_one_of_each(tx, 1, false);
    assert_one_of_each(tx, 2, false);
    assert_one_of_each(tx, 3, true);
    gh_contract_assert_ok(tx->ops->revocations_since(tx, 0, 0, &revocations, &count, &cursor));
    assert_int_equal(count, 1);
    gh_contract_assert_ok(tx->ops->throttle_get(tx, blocked.key, &found));
    gh_contract_assert_ok(tx->ops->mail_update(tx, &mail)); /* unsent mail is not thrown away */
    gh_contract_assert_ok(tx->ops->purge(tx, GH_CONTRACT_NOW_US, 1000, &removed));
    assert_int_equal(removed, 0);
    gh_contract_commit(contract);
}

static void purges_at_most_as_many_rows_as_told(struct gh_contract *contract)
{
    static const uint64_t EXPECTED[] = {0, 7, 7, 7, 7, 2, 0};
    static const size_t LIMITS[] = {0, 7, 7, 7, 7, 7, 7};
    uint64_t removed;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    for (unsigned number = 1; number <= 6; number++)
        add_one_of_each(tx, number, GH_CONTRACT_NOW_US);
    gh_contract_commit(contract);
    for (size_t i = 0; i < sizeof(LIMITS) / sizeof(LIMITS[0]); i++) {
        tx = gh_contract_begin(contract);
        gh_contract_assert_ok(tx->ops->purge(tx, GH_CONTRACT_NOW_US, LIMITS[i], &removed));
        assert_int_equal(removed, EXPECTED[i]);
        gh_contract_commit(contract);
    }
}

static void purges_nothing_near_the_beginning_of_time(struct gh_contract *contract)
{
    struct gh_throttle_row throttle = gh_contract_throttle(1);
    struct gh_device_row device = gh_contract_device(1, 1);
    uint64_t removed;
    throttle.last_us = throttle.blocked_until_us = 5;
    device.last_used_us = 5;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->throttle_put(tx, &throttle));
    gh_contract_assert_ok(tx->ops->device_put(tx, &device));
    gh_contract_assert_ok(tx->ops->purge(tx, 10, 1000, &removed));
    assert_int_equal(removed, 0);
    gh_contract_commit(contract);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
const struct gh_contract_case gh_contract_log_cases[] = {
    CASE(numbers_records_and_pages_them_newest_first),
    CASE(pages_records_oldest_first),
    CASE(pages_records_of_an_outcome_or_a_session),
    CASE(pages_records_that_speak_of_or_were_done_by_somebody),
    CASE(pages_a_record_once_when_actor_and_user_are_one),
    CASE(pages_records_of_an_event),
    CASE(pages_records_of_a_time),
    CASE(keeps_empty_fields_of_a_record_empty),
    CASE(knows_every_event_of_the_catalogue),
    CASE(a_unit_that_fails_leaves_no_record),
    CASE(purges_what_has_run_out_and_no_more),
    CASE(purges_at_most_as_many_rows_as_told),
    CASE(purges_nothing_near_the_beginning_of_time),
    {NULL, NULL},
};
