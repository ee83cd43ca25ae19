/* The contract suite: accounts, what is removed with them, pages of them. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void gives_an_account_back_with_every_field(struct gh_contract *contract)
{
    struct gh_account account = gh_contract_account(7), found;
    gh_contract_add_accounts(contract, 1, 9);
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->account_by_id(tx, gh_id_str(&account.id), &found));
    gh_contract_assert_account(&found, &account);
    gh_contract_assert_ok(tx->ops->account_by_email(tx, account.email_index, &found));
    gh_contract_assert_account(&found, &account);
    gh_contract_commit(contract);
}

static void keeps_empty_fields_empty(struct gh_contract *contract)
{
    struct gh_account account = {.id = gh_contract_id(1), .email = GH_STR("e")}, found;
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->account_insert(tx, &account));
    gh_contract_assert_ok(tx->ops->account_by_id(tx, gh_id_str(&account.id), &found));
    gh_contract_assert_account(&found, &account);
    gh_contract_commit(contract);
}

static void what_was_read_outlives_the_unit(struct gh_contract *contract)
{
    struct gh_account account = gh_contract_account(1), other = account, found;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->account_by_id(tx, gh_id_str(&account.id), &found));
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    other.name = GH_STR("something else, and longer than that");
    other.email = other.password_hash = other.name;
    gh_contract_assert_ok(tx->ops->account_update(tx, &other));
    gh_contract_commit(contract);
    gh_contract_assert_account(&found, &account);
}

static void does_not_find_accounts_that_are_not_there(struct gh_contract *contract)
{
    struct gh_account absent = gh_contract_account(2), found;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_int_equal(tx->ops->account_by_id(tx, gh_id_str(&absent.id), &found), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->account_by_id(tx, GH_STR(""), &found), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->account_by_id(tx, GH_STR("' OR '1'='1"), &found), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->account_by_email(tx, absent.email_index, &found), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->account_update(tx, &absent), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->account_delete(tx, gh_id_str(&absent.id)), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

static void leaves_outputs_alone_when_nothing_is_found(struct gh_contract *contract)
{
    struct gh_account found = gh_contract_account(3);
    struct gh_tx *tx = gh_contract_begin_read(contract);
    assert_int_equal(tx->ops->account_by_id(tx, GH_STR("x"), &found), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
    struct gh_account expected = gh_contract_account(3);
    gh_contract_assert_account(&found, &expected);
}

static void refuses_a_second_account_of_an_id_or_address(struct gh_contract *contract)
{
    struct gh_account same_id = gh_contract_account(1), same_email = gh_contract_account(2);
    struct gh_account good = gh_contract_account(3), found;
    gh_contract_hash(99, same_id.email_index);
    gh_contract_hash(1, same_email.email_index);
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_int_equal(tx->ops->account_insert(tx, &same_id), GH_ERR_EXISTS);
    assert_int_equal(tx->ops->account_insert(tx, &same_email), GH_ERR_EXISTS);
    /* The unit goes on: what was refused left nothing behind. */
    gh_contract_assert_ok(tx->ops->account_insert(tx, &good));
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->account_by_id(tx, gh_id_str(&good.id), &found));
    assert_int_equal(tx->ops->account_by_email(tx, same_id.email_index, &found), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

static void refuses_to_move_an_account_to_a_taken_address(struct gh_contract *contract)
{
    struct gh_account moved = gh_contract_account(1), kept = gh_contract_account(2), found;
    gh_contract_add_accounts(contract, 1, 2);
    gh_contract_hash(2, moved.email_index);
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_int_equal(tx->ops->account_update(tx, &moved), GH_ERR_EXISTS);
    gh_contract_assert_ok(tx->ops->account_update(tx, &kept)); /* its own is not taken */
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->account_by_email(tx, kept.email_index, &found));
    gh_contract_assert_account(&found, &kept);
    gh_contract_commit(contract);
}

static void updates_every_field_of_one_account_only(struct gh_contract *contract)
{
    struct gh_account changed = gh_contract_account(20), other = gh_contract_account(2), found;
    changed.id = gh_contract_id(1);
    changed.status = GH_ACCOUNT_DISABLED;
    changed.totp_enabled = false;
    changed.name = changed.locale = GH_STR("");
    gh_contract_add_accounts(contract, 1, 2);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->account_update(tx, &changed));
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->account_by_id(tx, gh_id_str(&changed.id), &found));
    gh_contract_assert_account(&found, &changed);
    gh_contract_assert_ok(tx->ops->account_by_email(tx, changed.email_index, &found));
    gh_contract_hash(1, changed.email_index);
    assert_int_equal(tx->ops->account_by_email(tx, changed.email_index, &found), GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(tx->ops->account_by_id(tx, gh_id_str(&other.id), &found));
    gh_contract_assert_account(&found, &other);
    gh_contract_commit(contract);
}

/* ---- Removal ---- */

/* One of everything, hanging on the account `number`. */
static void hang_all_on(struct gh_tx *tx, unsigned number)
{
    struct gh_session_row session = gh_contract_session(number, number);
    struct gh_ticket ticket = gh_contract_ticket(number, number);
    struct gh_device_row device = gh_contract_device(number, number);
    struct gh_mail_row mail = gh_contract_mail(number, number);
    gh_contract_assert_ok(tx->ops->session_insert(tx, &session));
    gh_contract_assert_ok(tx->ops->ticket_insert(tx, &ticket));
    gh_contract_assert_ok(tx->ops->device_put(tx, &device));
    gh_contract_assert_ok(tx->ops->mail_insert(tx, &mail));
    gh_contract_set_codes(tx, number, 1, 2);
}

static void assert_all_hang_on(struct gh_tx *tx, unsigned number, bool are_there)
{
    struct gh_session_row session = gh_contract_session(number, number);
    struct gh_ticket ticket = gh_contract_ticket(number, number);
    struct gh_device_row device = gh_contract_device(number, number), *devices;
    struct gh_mail_row mail = gh_contract_mail(number, number);
    struct gh_str account = gh_id_str(&mail.account), family = gh_id_str(&session.family);
    enum gh_err err = are_there ? GH_OK : GH_ERR_NOT_FOUND;
    uint64_t codes;
    size_t count;
    assert_int_equal(tx->ops->session_by_family(tx, family, &session), err);
    assert_int_equal(tx->ops->ticket_get(tx, ticket.hash, &ticket), err);
    assert_int_equal(tx->ops->device_get(tx, device.hash, &device), err);
    assert_int_equal(tx->ops->mail_update(tx, &mail), err);
    gh_contract_assert_ok(tx->ops->devices_of(tx, account, &devices, &count));
    assert_int_equal(count, are_there ? 1 : 0);
    gh_contract_assert_ok(tx->ops->recovery_count(tx, account, &codes));
    assert_int_equal(codes, are_there ? 2 : 0);
}

static void removes_all_that_hangs_on_an_account(struct gh_contract *contract)
{
    struct gh_id id = gh_contract_id(1);
    gh_contract_add_accounts(contract, 1, 2);
    struct gh_tx *tx = gh_contract_begin(contract);
    hang_all_on(tx, 1);
    hang_all_on(tx, 2);
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    assert_all_hang_on(tx, 1, true);
    gh_contract_assert_ok(tx->ops->account_delete(tx, gh_id_str(&id)));
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    assert_all_hang_on(tx, 1, false);
    assert_all_hang_on(tx, 2, true);
    gh_contract_commit(contract);
}

static void keeps_what_does_not_hang_on_a_removed_account(struct gh_contract *contract)
{
    struct gh_id id = gh_contract_id(1);
    struct gh_audit_row row = gh_contract_row(1), *records;
    struct gh_ticket setup = gh_contract_ticket(1, 1);
    struct gh_mail_row mail = gh_contract_mail(1, 1);
    struct gh_revocation_row revocation = {gh_contract_id(1), GH_CONTRACT_NOW_US}, *revocations;
    uint64_t cursor;
    struct gh_audit_query query = {.limit = 10};
    setup.account = mail.account = (struct gh_id){.text = {0}};
    row.record.user_id = row.record.actor_id = gh_id_str(&id);
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    gh_contract_assert_ok(tx->ops->ticket_insert(tx, &setup));
    gh_contract_assert_ok(tx->ops->mail_insert(tx, &mail));
    gh_contract_assert_ok(tx->ops->revocation_insert(tx, &revocation));
    gh_contract_assert_ok(tx->ops->account_delete(tx, gh_id_str(&id)));
    gh_contract_commit(contract);
    size_t count;
    tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &records, &count));
    assert_int_equal(count, 1);
    gh_contract_assert_text(records[0].record.user_id, gh_id_str(&id));
    gh_contract_assert_ok(tx->ops->ticket_get(tx, setup.hash, &setup));
    assert_string_equal(setup.account.text, "");
    gh_contract_assert_ok(tx->ops->mail_update(tx, &mail));
    gh_contract_assert_ok(tx->ops->revocations_since(tx, 0, 0, &revocations, &count, &cursor));
    assert_int_equal(count, 1);
    gh_contract_commit(contract);
}

static void gives_the_address_of_a_removed_account_free(struct gh_contract *contract)
{
    struct gh_account next = gh_contract_account(2);
    struct gh_id id = gh_contract_id(1);
    gh_contract_hash(1, next.email_index);
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_int_equal(tx->ops->account_insert(tx, &next), GH_ERR_EXISTS);
    gh_contract_assert_ok(tx->ops->account_delete(tx, gh_id_str(&id)));
    gh_contract_assert_ok(tx->ops->account_insert(tx, &next));
    gh_contract_commit(contract);
}

/* ---- Pages ---- */

/* Numbers of the accounts of a page: first, first + step, ... */
static void assert_page(struct gh_tx *tx, const struct gh_account_query *query, unsigned first,
                        unsigned step, size_t expected_count)
{
    struct gh_account *rows = NULL;
    size_t count = 0;
    gh_contract_assert_ok(tx->ops->account_page(tx, query, &rows, &count));
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++) {
        struct gh_account expected = gh_contract_account(first + (unsigned)i * step);
        gh_contract_assert_account(&rows[i], &expected);
    }
}

static void pages_accounts_in_the_order_of_ids(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 30, 40);
    gh_contract_add_accounts(contract, 1, 29); /* not in the order of insertion */
    struct gh_tx *tx = gh_contract_begin_read(contract);
    struct gh_account_query query = {.limit = 15};
    assert_page(tx, &query, 1, 1, 15);
    query.after = gh_contract_id(15);
    assert_page(tx, &query, 16, 1, 15);
    query.after = gh_contract_id(30);
    assert_page(tx, &query, 31, 1, 10);
    query.after = gh_contract_id(40);
    assert_page(tx, &query, 0, 1, 0);
    query = (struct gh_account_query){.limit = 0};
    assert_page(tx, &query, 0, 1, 0);
    query.limit = SIZE_MAX;
    assert_page(tx, &query, 1, 1, 40);
    gh_contract_commit(contract);
}

static void a_cursor_need_not_be_an_account(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 2);
    gh_contract_add_accounts(contract, 8, 9);
    struct gh_tx *tx = gh_contract_begin_read(contract);
    struct gh_account_query query = {.after = gh_contract_id(5), .limit = 10};
    assert_page(tx, &query, 8, 1, 2);
    gh_contract_commit(contract);
}

static void pages_accounts_of_a_role_by_its_whole_name(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 10); /* odd ones: user,admin */
    struct gh_tx *tx = gh_contract_begin_read(contract);
    struct gh_account_query query = {.role = GH_STR("admin"), .limit = 3};
    assert_page(tx, &query, 1, 2, 3);
    query.after = gh_contract_id(5);
    assert_page(tx, &query, 7, 2, 2);
    query = (struct gh_account_query){.role = GH_STR("user"), .limit = 100};
    assert_page(tx, &query, 1, 1, 10);
    static const struct gh_str OTHERS[] = {
        GH_STR_INIT("adm"), GH_STR_INIT("dmin"), GH_STR_INIT("ADMIN"),
        GH_STR_INIT("%"),   GH_STR_INIT("*"),    GH_STR_INIT("us_r"),
    };
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++) {
        query.role = OTHERS[i];
        assert_page(tx, &query, 0, 1, 0);
    }
    gh_contract_commit(contract);
}

static void pages_the_account_of_an_address(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 10);
    struct gh_tx *tx = gh_contract_begin_read(contract);
    struct gh_account_query query = {.by_email = true, .limit = 10};
    gh_contract_hash(4, query.email_index);
    assert_page(tx, &query, 4, 1, 1);
    query.role = GH_STR("admin"); /* which the fourth has not */
    assert_page(tx, &query, 0, 1, 0);
    query.role = GH_STR("user");
    assert_page(tx, &query, 4, 1, 1);
    query.after = gh_contract_id(4);
    assert_page(tx, &query, 0, 1, 0);
    gh_contract_hash(11, query.email_index);
    query.after = (struct gh_id){.text = {0}};
    assert_page(tx, &query, 0, 1, 0);
    gh_contract_commit(contract);
}

static void counts_active_accounts_of_a_role(struct gh_contract *contract)
{
    struct gh_account disabled = gh_contract_account(3);
    disabled.status = GH_ACCOUNT_DISABLED;
    uint64_t admins, users, others;
    gh_contract_add_accounts(contract, 1, 10);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->account_count(tx, GH_STR("admin"), &admins));
    assert_int_equal(admins, 5);
    gh_contract_assert_ok(tx->ops->account_update(tx, &disabled));
    gh_contract_assert_ok(tx->ops->account_count(tx, GH_STR("admin"), &admins));
    gh_contract_assert_ok(tx->ops->account_count(tx, GH_STR("user"), &users));
    gh_contract_assert_ok(tx->ops->account_count(tx, GH_STR("adm"), &others));
    assert_int_equal(admins, 4);
    assert_int_equal(users, 9);
    assert_int_equal(others, 0);
    gh_contract_commit(contract);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
const struct gh_contract_case gh_contract_account_cases[] = {
    CASE(gives_an_account_back_with_every_field),
    CASE(keeps_empty_fields_empty),
    CASE(what_was_read_outlives_the_unit),
    CASE(does_not_find_accounts_that_are_not_there),
    CASE(leaves_outputs_alone_when_nothing_is_found),
    CASE(refuses_a_second_account_of_an_id_or_address),
    CASE(refuses_to_move_an_account_to_a_taken_address),
    CASE(updates_every_field_of_one_account_only),
    CASE(removes_all_that_hangs_on_an_account),
    CASE(keeps_what_does_not_hang_on_a_removed_account),
    CASE(gives_the_address_of_a_removed_account_free),
    CASE(pages_accounts_in_the_order_of_ids),
    CASE(a_cursor_need_not_be_an_account),
    CASE(pages_accounts_of_a_role_by_its_whole_name),
    CASE(pages_the_account_of_an_address),
    CASE(counts_active_accounts_of_a_role),
    {NULL, NULL},
};
