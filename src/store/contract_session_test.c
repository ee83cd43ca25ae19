/* The contract suite: sessions, tickets, revocations. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* ---- Sessions ---- */

static void gives_a_session_back_with_every_field(struct gh_contract *contract)
{
    struct gh_session_row session = gh_contract_session(11, 1), found;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->session_insert(tx, &session));
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->session_by_family(tx, gh_id_str(&session.family), &found));
    gh_contract_assert_session(&found, &session);
    gh_contract_assert_ok(tx->ops->session_by_id(tx, gh_id_str(&session.session_id), &found));
    gh_contract_assert_session(&found, &session);
    /* One is not found by the id of the other kind. */
    assert_int_equal(tx->ops->session_by_family(tx, gh_id_str(&session.session_id), &found),
                     GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->session_by_id(tx, gh_id_str(&session.family), &found),
                     GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

static void updates_every_field_of_one_session(struct gh_contract *contract)
{
    struct gh_session_row first = gh_contract_session(11, 1), second = gh_contract_session(12, 1);
    struct gh_session_row changed = gh_contract_session(77, 1), found;
    changed.family = first.family;
    changed.two_factor = changed.remember = false;
    changed.revoked_us = GH_CONTRACT_NOW_US;
    changed.device = GH_STR("");
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->session_insert(tx, &first));
    gh_contract_assert_ok(tx->ops->session_insert(tx, &second));
    gh_contract_assert_ok(tx->ops->session_update(tx, &changed));
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->session_by_id(tx, gh_id_str(&changed.session_id), &found));
    gh_contract_assert_session(&found, &changed);
    assert_int_equal(tx->ops->session_by_id(tx, gh_id_str(&first.session_id), &found),
                     GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(tx->ops->session_by_family(tx, gh_id_str(&second.family), &found));
    gh_contract_assert_session(&found, &second);
    gh_contract_commit(contract);
}

static void refuses_a_second_session_of_a_family(struct gh_contract *contract)
{
    struct gh_session_row first = gh_contract_session(11, 1), second = gh_contract_session(12, 1);
    struct gh_session_row absent = gh_contract_session(13, 1), found;
    second.family = first.family;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->session_insert(tx, &first));
    assert_int_equal(tx->ops->session_insert(tx, &second), GH_ERR_EXISTS);
    assert_int_equal(tx->ops->session_update(tx, &absent), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->session_by_family(tx, gh_id_str(&first.family), &found));
    gh_contract_assert_session(&found, &first);
    gh_contract_commit(contract);
}

static void refuses_a_session_id_that_is_taken(struct gh_contract *contract)
{
    struct gh_session_row first = gh_contract_session(11, 1), second = gh_contract_session(12, 1);
    struct gh_session_row third = gh_contract_session(13, 1), found;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->session_insert(tx, &first));
    gh_contract_assert_ok(tx->ops->session_insert(tx, &second));
    third.session_id = first.session_id;
    assert_int_equal(tx->ops->session_insert(tx, &third), GH_ERR_EXISTS);
    second.session_id = first.session_id;
    assert_int_equal(tx->ops->session_update(tx, &second), GH_ERR_EXISTS);
    gh_contract_assert_ok(tx->ops->session_update(tx, &first));
    gh_contract_assert_ok(tx->ops->session_by_id(tx, gh_id_str(&first.session_id), &found));
    gh_contract_assert_session(&found, &first);
    gh_contract_commit(contract);
}

static void lists_sessions_by_their_time_whatever_came_first(struct gh_contract *contract)
{
    static const unsigned ORDER[] = {4, 9, 1, 7, 2};
    struct gh_session_row *rows;
    struct gh_id id = gh_contract_id(1);
    size_t count;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    for (size_t i = 0; i < sizeof(ORDER) / sizeof(ORDER[0]); i++) {
        struct gh_session_row session = gh_contract_session(ORDER[i], 1);
        gh_contract_assert_ok(tx->ops->session_insert(tx, &session));
    }
    gh_contract_assert_ok(tx->ops->sessions_of(tx, gh_id_str(&id), &rows, &count));
    assert_int_equal(count, 5);
    for (size_t i = 1; i < count; i++)
        assert_true(rows[i - 1].created_us > rows[i].created_us);
    gh_contract_commit(contract);
}

/* A removed account must not come back through what still speaks of it. */
static void refuses_what_hangs_on_an_account_that_is_not_there(struct gh_contract *contract)
{
    struct gh_session_row session = gh_contract_session(1, 9);
    struct gh_ticket ticket = gh_contract_ticket(1, 9);
    struct gh_device_row device = gh_contract_device(1, 9);
    struct gh_mail_row mail = gh_contract_mail(1, 9);
    uint8_t codes[1][GH_SHA256_BYTES] = {{0}};
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_int_equal(tx->ops->session_insert(tx, &session), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->ticket_insert(tx, &ticket), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->device_put(tx, &device), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->mail_insert(tx, &mail), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->recovery_set(tx, gh_id_str(&mail.account),
                                           (const uint8_t(*)[GH_SHA256_BYTES])codes, 1),
                     GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->ticket_get(tx, ticket.hash, &ticket), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->device_get(tx, device.hash, &device), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

static void lists_the_sessions_of_an_account_newest_first(struct gh_contract *contract)
{
    struct gh_session_row *rows;
    struct gh_id id = gh_contract_id(1);
    size_t count;
    gh_contract_add_accounts(contract, 1, 2);
    struct gh_tx *tx = gh_contract_begin(contract);
    for (unsigned number = 1; number <= 20; number++) {
        struct gh_session_row session = gh_contract_session(number, number % 2 ? 1 : 2);
        session.revoked_us = number == 7 ? GH_CONTRACT_NOW_US : 0;
        gh_contract_assert_ok(tx->ops->session_insert(tx, &session));
    }
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->sessions_of(tx, gh_id_str(&id), &rows, &count));
    assert_int_equal(count, 9); /* odd ones but the revoked seventh */
    for (size_t i = 0; i < count; i++) {
        unsigned number = 19 - 2 * (unsigned)i;
        struct gh_session_row expected = gh_contract_session(number <= 7 ? number - 2 : number, 1);
        gh_contract_assert_session(&rows[i], &expected);
    }
    gh_contract_assert_ok(tx->ops->sessions_of(tx, GH_STR("nobody"), &rows, &count));
    assert_int_equal(count, 0);
    gh_contract_commit(contract);
}

/* ---- Tickets ---- */

static void assert_ticket(const struct gh_ticket *actual, const struct gh_ticket *expected)
{
    assert_memory_equal(actual->hash, expected->hash, GH_SHA256_BYTES);
    assert_int_equal(actual->purpose, expected->purpose);
    assert_string_equal(actual->account.text, expected->account.text);
    gh_contract_assert_text(actual->data, expected->data);
    assert_int_equal(actual->tries, expected->tries);
    assert_int_equal(actual->created_us, expected->created_us);
    assert_int_equal(actual->expires_us, expected->expires_us);
}

static void gives_tickets_back_with_every_field(struct gh_contract *contract)
{
    static const enum gh_ticket_purpose PURPOSES[] = {
        GH_TICKET_CONFIRM_EMAIL, GH_TICKET_CHANGE_EMAIL, GH_TICKET_RESET,
        GH_TICKET_CHALLENGE,     GH_TICKET_SETUP,
    };
    gh_contract_add_accounts(contract, 1, 1);
    for (unsigned i = 0; i < sizeof(PURPOSES) / sizeof(PURPOSES[0]); i++) {
        struct gh_ticket ticket = gh_contract_ticket(i, 1), found;
        ticket.purpose = PURPOSES[i];
        if (ticket.purpose == GH_TICKET_SETUP) {
            ticket.account = (struct gh_id){.text = {0}};
            ticket.data = GH_STR("");
        }
        struct gh_tx *tx = gh_contract_begin(contract);
        gh_contract_assert_ok(tx->ops->ticket_insert(tx, &ticket));
        gh_contract_commit(contract);
        tx = gh_contract_begin_read(contract);
        gh_contract_assert_ok(tx->ops->ticket_get(tx, ticket.hash, &found));
        assert_ticket(&found, &ticket);
        gh_contract_commit(contract);
    }
}

static void counts_the_tries_of_a_ticket(struct gh_contract *contract)
{
    struct gh_ticket ticket = gh_contract_ticket(1, 1), other = gh_contract_ticket(2, 1), found;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->ticket_insert(tx, &ticket));
    gh_contract_assert_ok(tx->ops->ticket_insert(tx, &other));
    ticket.tries++;
    gh_contract_assert_ok(tx->ops->ticket_update(tx, &ticket));
    gh_contract_assert_ok(tx->ops->ticket_get(tx, ticket.hash, &found));
    assert_ticket(&found, &ticket);
    gh_contract_assert_ok(tx->ops->ticket_get(tx, other.hash, &found));
    assert_ticket(&found, &other);
    gh_contract_commit(contract);
}

static void refuses_tickets_that_are_there_and_misses_those_that_are_not(
    struct gh_contract *contract)
{
    struct gh_ticket ticket = gh_contract_ticket(1, 1), absent = gh_contract_ticket(2, 1), found;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->ticket_insert(tx, &ticket));
    assert_int_equal(tx->ops->ticket_insert(tx, &ticket), GH_ERR_EXISTS);
    assert_int_equal(tx->ops->ticket_get(tx, absent.hash, &found), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->ticket_update(tx, &absent), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->ticket_delete(tx, absent.hash), GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(tx->ops->ticket_delete(tx, ticket.hash));
    assert_int_equal(tx->ops->ticket_delete(tx, ticket.hash), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->ticket_get(tx, ticket.hash, &found), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

/* Ticket `number` of an account and purpose. */
static void add_ticket(struct gh_tx *tx, unsigned number, unsigned account,
                       enum gh_ticket_purpose purpose)
{
    struct gh_ticket ticket = gh_contract_ticket(number, account);
    ticket.purpose = purpose;
    if (!account)
        ticket.account = (struct gh_id){.text = {0}};
    gh_contract_assert_ok(tx->ops->ticket_insert(tx, &ticket));
}

static void assert_ticket_is_there(struct gh_tx *tx, unsigned number, bool is_there)
{
    struct gh_ticket ticket = gh_contract_ticket(number, 1), found;
    assert_int_equal(tx->ops->ticket_get(tx, ticket.hash, &found),
                     is_there ? GH_OK : GH_ERR_NOT_FOUND);
}

static void removes_the_tickets_of_one_account_and_purpose(struct gh_contract *contract)
{
    struct gh_id id = gh_contract_id(1);
    gh_contract_add_accounts(contract, 1, 2);
    struct gh_tx *tx = gh_contract_begin(contract);
    add_ticket(tx, 1, 1, GH_TICKET_RESET);
    add_ticket(tx, 2, 1, GH_TICKET_RESET);
    add_ticket(tx, 3, 1, GH_TICKET_CHALLENGE);
    add_ticket(tx, 4, 2, GH_TICKET_RESET);
    add_ticket(tx, 5, 0, GH_TICKET_SETUP);
    gh_contract_assert_ok(tx->ops->tickets_delete_of(tx, gh_id_str(&id), GH_TICKET_RESET));
    gh_contract_assert_ok(tx->ops->tickets_delete_of(tx, gh_id_str(&id), GH_TICKET_RESET));
    for (unsigned number = 1; number <= 5; number++)
        assert_ticket_is_there(tx, number, number > 2);
    gh_contract_assert_ok(tx->ops->tickets_delete_of(tx, GH_STR(""), GH_TICKET_SETUP));
    for (unsigned number = 3; number <= 5; number++)
        assert_ticket_is_there(tx, number, number < 5);
    gh_contract_commit(contract);
}

/* ---- Revocations ---- */

static void tells_revocations_that_still_hold(struct gh_contract *contract)
{
    struct gh_revocation_row *rows;
    size_t count;
    uint64_t cursor;
    struct gh_tx *tx = gh_contract_begin(contract);
    for (unsigned number = 1; number <= 5; number++) {
        struct gh_revocation_row row = {gh_contract_id(number), GH_CONTRACT_NOW_US + number};
        gh_contract_assert_ok(tx->ops->revocation_insert(tx, &row));
    }
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(
        tx->ops->revocations_since(tx, 0, GH_CONTRACT_NOW_US + 2, &rows, &count, &cursor));
    assert_int_equal(count, 3);
    unsigned seen = 0;
    for (size_t i = 0; i < count; i++)
        for (unsigned number = 3; number <= 5; number++)
            if (strcmp(rows[i].session_id.text, gh_contract_id(number).text) == 0) {
                assert_int_equal(rows[i].until_us, GH_CONTRACT_NOW_US + number);
                seen |= 1u << number;
            }
    assert_int_equal(seen, 0x38);
    gh_contract_assert_ok(
        tx->ops->revocations_since(tx, 0, GH_CONTRACT_NOW_US + 5, &rows, &count, &cursor));
    assert_int_equal(count, 0);
    gh_contract_commit(contract);
}

static void a_session_may_be_revoked_twice(struct gh_contract *contract)
{
    struct gh_revocation_row row = {gh_contract_id(1), GH_CONTRACT_NOW_US}, *rows;
    size_t count;
    uint64_t cursor;
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->revocation_insert(tx, &row));
    row.until_us += 10;
    gh_contract_assert_ok(tx->ops->revocation_insert(tx, &row));
    row.until_us -= 5; /* the later end holds */
    gh_contract_assert_ok(tx->ops->revocation_insert(tx, &row));
    gh_contract_assert_ok(tx->ops->revocations_since(tx, 0, 0, &rows, &count, &cursor));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].until_us, GH_CONTRACT_NOW_US + 10);
    gh_contract_commit(contract);
}

static void revoke(struct gh_contract *contract, unsigned number, uint64_t until_us)
{
    struct gh_revocation_row row = {gh_contract_id(number), until_us};
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->revocation_insert(tx, &row));
    gh_contract_commit(contract);
}

/* Until when the session is revoked as of what came since *cursor, which is moved on; 0: nothing
   of it is new. */
static uint64_t read_news(struct gh_contract *contract, unsigned number, uint64_t *cursor)
{
    struct gh_id id = gh_contract_id(number);
    struct gh_revocation_row *rows;
    uint64_t until_us = 0;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->revocations_since(tx, *cursor, 0, &rows, &count, cursor));
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].session_id.text, id.text) == 0)
            until_us = rows[i].until_us;
    gh_contract_commit(contract);
    return until_us;
}

static void misses_no_revocation_that_came_since(struct gh_contract *contract)
{
    uint64_t cursor = 0, first;
    assert_int_equal(read_news(contract, 1, &cursor), 0);
    first = cursor;
    /* ends that come in no order: a node's clock may be ahead of another's */
    revoke(contract, 1, GH_CONTRACT_NOW_US + 20);
    assert_int_equal(read_news(contract, 1, &cursor), GH_CONTRACT_NOW_US + 20);
    revoke(contract, 2, GH_CONTRACT_NOW_US + 10);
    assert_int_equal(read_news(contract, 2, &cursor), GH_CONTRACT_NOW_US + 10);
    assert_int_equal(read_news(contract, 1, &first), GH_CONTRACT_NOW_US + 20);
    first = 0;
    assert_int_equal(read_news(contract, 1, &first), GH_CONTRACT_NOW_US + 20);
}

static void tells_a_later_end_as_news(struct gh_contract *contract)
{
    uint64_t cursor = 0;
    revoke(contract, 1, GH_CONTRACT_NOW_US);
    assert_int_equal(read_news(contract, 1, &cursor), GH_CONTRACT_NOW_US);
    revoke(contract, 1, GH_CONTRACT_NOW_US + 10);
    assert_int_equal(read_news(contract, 1, &cursor), GH_CONTRACT_NOW_US + 10);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
const struct gh_contract_case gh_contract_session_cases[] = {
    CASE(gives_a_session_back_with_every_field),
    CASE(updates_every_field_of_one_session),
    CASE(refuses_a_second_session_of_a_family),
    CASE(refuses_a_session_id_that_is_taken),
    CASE(refuses_what_hangs_on_an_account_that_is_not_there),
    CASE(lists_the_sessions_of_an_account_newest_first),
    CASE(lists_sessions_by_their_time_whatever_came_first),
    CASE(gives_tickets_back_with_every_field),
    CASE(counts_the_tries_of_a_ticket),
    CASE(refuses_tickets_that_are_there_and_misses_those_that_are_not),
    CASE(removes_the_tickets_of_one_account_and_purpose),
    CASE(tells_revocations_that_still_hold),
    CASE(a_session_may_be_revoked_twice),
    CASE(misses_no_revocation_that_came_since),
    CASE(tells_a_later_end_as_news),
    {NULL, NULL},
};
