/* The contract suite: keys of persons, and sealed columns. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* ---- Keys of persons ---- */

static struct gh_person_key_row key_of(const char *person)
{
    return (struct gh_person_key_row){.person = gh_str_from_c(person),
                                      .wrapped = GH_STR("\0wrapped\xff key"),
                                      .created_us = GH_CONTRACT_NOW_US};
}

static void assert_key(struct gh_tx *tx, const char *person, enum gh_err expected)
{
    struct gh_person_key_row row = key_of(person), found = {.created_us = 7};
    assert_int_equal(tx->ops->person_key_get(tx, row.person, &found), expected);
    if (expected == GH_OK) {
        gh_contract_assert_text(found.person, row.person);
        gh_contract_assert_text(found.wrapped, row.wrapped);
    }
    assert_int_equal(found.created_us, expected == GH_OK ? row.created_us : 7);
}

static void keeps_the_key_of_a_person_and_gives_it_back(struct gh_contract *contract)
{
    struct gh_id id = gh_contract_id(1);
    struct gh_person_key_row day = key_of("day:2026-01-31"), person = key_of(id.text);
    gh_contract_add_accounts(contract, 1, 2);
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_key(tx, id.text, GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(tx->ops->person_key_insert(tx, &day));
    gh_contract_assert_ok(tx->ops->person_key_insert(tx, &person));
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    assert_key(tx, id.text, GH_OK);
    assert_key(tx, "day:2026-01-31", GH_OK);
    assert_key(tx, "day:2026-01-3", GH_ERR_NOT_FOUND);
    assert_key(tx, gh_contract_id(2).text, GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(tx->ops->person_key_delete(tx, person.person));
    assert_key(tx, id.text, GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->person_key_delete(tx, person.person), GH_ERR_NOT_FOUND);
    assert_key(tx, "day:2026-01-31", GH_OK);
    gh_contract_commit(contract);
}

/* Another key would make what the first one sealed unreadable. */
static void never_replaces_the_key_of_a_person(struct gh_contract *contract)
{
    struct gh_person_key_row first = key_of("day:2026-01-31"), second = first;
    second.wrapped = GH_STR("another");
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->person_key_insert(tx, &first));
    assert_int_equal(tx->ops->person_key_insert(tx, &second), GH_ERR_EXISTS);
    assert_key(tx, "day:2026-01-31", GH_OK);
    gh_contract_commit(contract);
}

static void makes_no_key_for_nobody(struct gh_contract *contract)
{
    struct gh_id id = gh_contract_id(9);
    const char *const nobody[] = {"", "day", "2026-01-31", "Day:2026-01-31", id.text};
    struct gh_tx *tx = gh_contract_begin(contract);
    for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
        struct gh_person_key_row row = key_of(nobody[i]);
        assert_int_equal(tx->ops->person_key_insert(tx, &row), GH_ERR_NOT_FOUND);
    }
    struct gh_person_key_row empty = key_of("day:2026-01-31");
    empty.wrapped = GH_STR("");
    assert_int_equal(tx->ops->person_key_insert(tx, &empty), GH_ERR_INVALID);
    assert_key(tx, "day:2026-01-31", GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

static void an_account_takes_its_key_with_it(struct gh_contract *contract)
{
    struct gh_id id = gh_contract_id(1), other = gh_contract_id(2);
    struct gh_person_key_row rows[] = {key_of(id.text), key_of(other.text),
                                       key_of("day:2026-01-31")};
    gh_contract_add_accounts(contract, 1, 2);
    struct gh_tx *tx = gh_contract_begin(contract);
    for (size_t i = 0; i < 3; i++)
        gh_contract_assert_ok(tx->ops->person_key_insert(tx, &rows[i]));
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->account_delete(tx, gh_id_str(&id)));
    assert_key(tx, id.text, GH_ERR_NOT_FOUND);
    gh_contract_end(contract, GH_ERR_INVALID);
    tx = gh_contract_begin(contract);
    assert_key(tx, id.text, GH_OK); /* undone */
    gh_contract_assert_ok(tx->ops->account_delete(tx, gh_id_str(&id)));
    assert_int_equal(tx->ops->account_delete(tx, GH_STR("day:2026-01-31")), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    assert_key(tx, id.text, GH_ERR_NOT_FOUND);
    assert_key(tx, other.text, GH_OK);
    assert_key(tx, "day:2026-01-31", GH_OK);
    assert_int_equal(tx->ops->person_key_insert(tx, &rows[0]), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

static void drops_the_keys_of_days_before_one_and_of_nobody_else(struct gh_contract *contract)
{
    static const char *const DAYS[] = {"day:2025-12-31", "day:2026-01-30", "day:2026-01-31",
                                       "day:2026-02-01"};
    struct gh_id id = gh_contract_id(1);
    struct gh_person_key_row person = key_of(id.text);
    uint64_t removed = 9;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->person_key_insert(tx, &person));
    for (size_t i = 0; i < 4; i++) {
        struct gh_person_key_row row = key_of(DAYS[i]);
        gh_contract_assert_ok(tx->ops->person_key_insert(tx, &row));
    }
    gh_contract_assert_ok(tx->ops->person_keys_drop_days(tx, GH_STR("day:2026-01-31"), &removed));
    assert_int_equal(removed, 2);
    for (size_t i = 0; i < 4; i++)
        assert_key(tx, DAYS[i], i < 2 ? GH_ERR_NOT_FOUND : GH_OK);
    assert_key(tx, id.text, GH_OK);
    gh_contract_assert_ok(tx->ops->person_keys_drop_days(tx, GH_STR("zzz"), &removed));
    assert_int_equal(removed, 0);
    gh_contract_assert_ok(tx->ops->person_keys_drop_days(tx, GH_STR(""), &removed));
    assert_int_equal(removed, 0);
    assert_key(tx, "day:2026-01-31", GH_OK);
    gh_contract_commit(contract);
}

/* ---- Sealed columns ---- */

#define PEOPLE 7

/* One row of every table with sealed columns for each of the people. */
static void fill_tables(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, PEOPLE);
    struct gh_tx *tx = gh_contract_begin(contract);
    for (unsigned number = PEOPLE; number >= 1; number--) {
        struct gh_id id = gh_contract_id(number);
        struct gh_session_row session = gh_contract_session(number, number);
        struct gh_ticket ticket = gh_contract_ticket(number, number);
        struct gh_device_row device = gh_contract_device(number, number);
        struct gh_mail_row mail = gh_contract_mail(number, number);
        struct gh_person_key_row key = key_of(id.text);
        gh_contract_assert_ok(tx->ops->session_insert(tx, &session));
        gh_contract_assert_ok(tx->ops->ticket_insert(tx, &ticket));
        gh_contract_assert_ok(tx->ops->device_put(tx, &device));
        gh_contract_assert_ok(tx->ops->mail_insert(tx, &mail));
        gh_contract_assert_ok(tx->ops->person_key_insert(tx, &key));
    }
    gh_contract_commit(contract);
}

/* What the context of a seal is: the account's id, where the key is another. */
static bool is_keyed_by_hash(enum gh_sealed_column column)
{
    return column == GH_SEALED_TICKET_DATA || column == GH_SEALED_DEVICE_LABEL;
}

static void assert_sealed_row(enum gh_sealed_column column, const struct gh_sealed_row *row,
                              unsigned number)
{
    struct gh_id id = gh_contract_id(number);
    uint8_t hash[GH_SHA256_BYTES];
    gh_contract_hash(number, hash);
    gh_contract_assert_text(row->row, gh_id_str(&id));
    gh_contract_assert_text(row->key, is_keyed_by_hash(column)
                                          ? gh_str_of((const char *)hash, sizeof(hash))
                                          : gh_id_str(&id));
    assert_true(row->sealed.len > 0);
}

static void pages_every_sealed_column_in_the_order_of_keys(struct gh_contract *contract)
{
    fill_tables(contract);
    for (int i = 0; i < GH_SEALED_COLUMN_COUNT; i++) {
        enum gh_sealed_column column = (enum gh_sealed_column)i;
        struct gh_str after = GH_STR("");
        struct gh_tx *tx = gh_contract_begin_read(contract);
        unsigned number = 1;
        for (;;) {
            struct gh_sealed_row *rows;
            size_t count;
            gh_contract_assert_ok(tx->ops->sealed_page(tx, column, after, 3, &rows, &count));
            assert_true(count <= 3);
            if (!count)
                break;
            for (size_t k = 0; k < count; k++)
                assert_sealed_row(column, &rows[k], number++);
            after = rows[count - 1].key;
        }
        assert_int_equal(number, PEOPLE + 1);
        gh_contract_commit(contract);
    }
}

static size_t read_page(struct gh_tx *tx, enum gh_sealed_column column, struct gh_sealed_row **rows)
{
    size_t count;
    gh_contract_assert_ok(tx->ops->sealed_page(tx, column, GH_STR(""), 100, rows, &count));
    return count;
}

static void reseals_one_value_of_one_row_and_nothing_else(struct gh_contract *contract)
{
    struct gh_sealed_row *before[GH_SEALED_COLUMN_COUNT], *after;
    fill_tables(contract);
    for (int i = 0; i < GH_SEALED_COLUMN_COUNT; i++) {
        enum gh_sealed_column column = (enum gh_sealed_column)i;
        struct gh_tx *tx = gh_contract_begin(contract);
        for (int k = 0; k < GH_SEALED_COLUMN_COUNT; k++)
            assert_int_equal(read_page(tx, (enum gh_sealed_column)k, &before[k]), PEOPLE);
        gh_contract_assert_ok(tx->ops->sealed_put(tx, column, &before[i][4], GH_STR("new\0seal")));
        gh_contract_commit(contract);
        before[i][4].sealed = GH_STR("new\0seal");
        tx = gh_contract_begin(contract);
        for (int k = 0; k < GH_SEALED_COLUMN_COUNT; k++) {
            assert_int_equal(read_page(tx, (enum gh_sealed_column)k, &after), PEOPLE);
            for (size_t n = 0; n < PEOPLE; n++)
                gh_contract_assert_text(after[n].sealed, before[k][n].sealed);
        }
        gh_contract_commit(contract);
    }
}

static void does_not_reseal_what_has_changed_meanwhile(struct gh_contract *contract)
{
    struct gh_account account = gh_contract_account(3), found;
    struct gh_sealed_row *rows, read;
    fill_tables(contract);
    struct gh_tx *tx = gh_contract_begin(contract);
    read_page(tx, GH_SEALED_ACCOUNT_EMAIL, &rows);
    read = rows[2];
    account.email = GH_STR("moved");
    gh_contract_assert_ok(tx->ops->account_update(tx, &account));
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    assert_int_equal(tx->ops->sealed_put(tx, GH_SEALED_ACCOUNT_EMAIL, &read, GH_STR("stale")),
                     GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(tx->ops->account_by_id(tx, gh_id_str(&account.id), &found));
    gh_contract_assert_text(found.email, GH_STR("moved"));
    gh_contract_assert_ok(tx->ops->account_delete(tx, gh_id_str(&account.id)));
    read.sealed = GH_STR("moved");
    assert_int_equal(tx->ops->sealed_put(tx, GH_SEALED_ACCOUNT_EMAIL, &read, GH_STR("stale")),
                     GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->sealed_put(tx, GH_SEALED_ACCOUNT_EMAIL, &rows[1], GH_STR("")),
                     GH_ERR_INVALID);
    gh_contract_commit(contract);
}

static void passes_over_what_is_not_there(struct gh_contract *contract)
{
    struct gh_sealed_row *rows;
    struct gh_account account = gh_contract_account(2);
    struct gh_ticket setup = gh_contract_ticket(50, 1);
    fill_tables(contract);
    account.name = account.totp_secret = GH_STR("");
    setup.account = (struct gh_id){.text = {0}};
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->account_update(tx, &account));
    gh_contract_assert_ok(tx->ops->ticket_insert(tx, &setup));
    assert_int_equal(read_page(tx, GH_SEALED_ACCOUNT_NAME, &rows), PEOPLE - 1);
    assert_sealed_row(GH_SEALED_ACCOUNT_NAME, &rows[1], 3);
    assert_int_equal(read_page(tx, GH_SEALED_ACCOUNT_TOTP, &rows), PEOPLE - 1);
    assert_int_equal(read_page(tx, GH_SEALED_TICKET_DATA, &rows), PEOPLE + 1);
    gh_contract_assert_text(rows[PEOPLE].row, GH_STR(""));
    gh_contract_commit(contract);
}

static void scrubs_and_keeps_what_is_there(struct gh_contract *contract)
{
    struct gh_sealed_row *rows;
    fill_tables(contract);
    gh_contract_assert_ok(contract->store->ops->scrub(contract->store));
    gh_contract_assert_ok(contract->store->ops->scrub(contract->store));
    struct gh_tx *tx = gh_contract_begin(contract);
    for (int i = 0; i < GH_SEALED_COLUMN_COUNT; i++)
        assert_int_equal(read_page(tx, (enum gh_sealed_column)i, &rows), PEOPLE);
    gh_contract_commit(contract);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
const struct gh_contract_case gh_contract_sealed_cases[] = {
    CASE(keeps_the_key_of_a_person_and_gives_it_back),
    CASE(never_replaces_the_key_of_a_person),
    CASE(makes_no_key_for_nobody),
    CASE(an_account_takes_its_key_with_it),
    CASE(drops_the_keys_of_days_before_one_and_of_nobody_else),
    CASE(pages_every_sealed_column_in_the_order_of_keys),
    CASE(reseals_one_value_of_one_row_and_nothing_else),
    CASE(does_not_reseal_what_has_changed_meanwhile),
    CASE(passes_over_what_is_not_there),
    CASE(scrubs_and_keeps_what_is_there),
    {NULL, NULL},
};
