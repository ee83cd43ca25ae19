/* The contract suite: mails with their leases, wrapped keys. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* ---- Mails ---- */

static void add_mail(struct gh_tx *tx, unsigned number, uint64_t next_us)
{
    struct gh_mail_row mail = gh_contract_mail(number, 1);
    mail.next_us = next_us;
    gh_contract_assert_ok(tx->ops->mail_insert(tx, &mail));
}

/* Takes the mail `number`, and no other; 0: there is none to be taken. */
static void assert_takes(struct gh_tx *tx, uint64_t now_us, uint64_t lease_until_us,
                         unsigned number)
{
    struct gh_mail_row mail;
    enum gh_err err = tx->ops->mail_take(tx, now_us, lease_until_us, &mail);
    assert_int_equal(err, number ? GH_OK : GH_ERR_NOT_FOUND);
    if (!number)
        return;
    struct gh_mail_row expected = gh_contract_mail(number, 1);
    assert_string_equal(mail.id.text, expected.id.text);
    assert_string_equal(mail.account.text, expected.account.text);
    gh_contract_assert_text(mail.recipient, expected.recipient);
    gh_contract_assert_text(mail.message, expected.message);
    assert_int_equal(mail.attempts, expected.attempts);
    assert_int_equal(mail.created_us, expected.created_us);
    assert_int_equal(mail.next_us, lease_until_us);
}

static void takes_the_mail_that_waits_longest(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    add_mail(tx, 1, 300);
    add_mail(tx, 2, 100);
    add_mail(tx, 3, 200);
    add_mail(tx, 4, 1000);
    gh_contract_commit(contract);
    static const unsigned ORDER[] = {2, 3, 1, 0};
    for (size_t i = 0; i < sizeof(ORDER) / sizeof(ORDER[0]); i++) {
        tx = gh_contract_begin(contract);
        assert_takes(tx, 500, 2000, ORDER[i]);
        gh_contract_commit(contract);
    }
}

static void takes_the_older_of_two_that_wait_equally_long(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    add_mail(tx, 7, 100); /* made after the third */
    add_mail(tx, 3, 100);
    assert_takes(tx, 100, 900, 3);
    assert_takes(tx, 100, 900, 7);
    gh_contract_commit(contract);
}

static void takes_no_mail_before_its_time(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    assert_takes(tx, UINT32_MAX, UINT32_MAX, 0);
    add_mail(tx, 1, 100);
    assert_takes(tx, 99, 200, 0);
    assert_takes(tx, 100, 200, 1);
    gh_contract_commit(contract);
}

static void a_leased_mail_is_taken_again_when_the_lease_ends(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    add_mail(tx, 1, 100);
    assert_takes(tx, 150, 400, 1);
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    assert_takes(tx, 399, 800, 0);
    assert_takes(tx, 400, 800, 1);
    assert_takes(tx, 400, 900, 0);
    gh_contract_commit(contract);
}

static void a_lease_ends_with_a_unit_that_fails(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    add_mail(tx, 1, 100);
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    assert_takes(tx, 150, 400, 1);
    assert_int_equal(gh_contract_end(contract, GH_ERR_TIMEOUT), GH_ERR_TIMEOUT);
    tx = gh_contract_begin(contract);
    assert_takes(tx, 150, 400, 1);
    gh_contract_commit(contract);
}

static void puts_a_mail_off_and_forgets_a_sent_one(struct gh_contract *contract)
{
    struct gh_mail_row mail = gh_contract_mail(1, 1), found;
    uint64_t count;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    add_mail(tx, 1, 100);
    add_mail(tx, 2, 5000);
    gh_contract_assert_ok(tx->ops->mail_take(tx, 100, 200, &found));
    found.attempts = 9;
    found.next_us = 3000;
    gh_contract_assert_ok(tx->ops->mail_update(tx, &found));
    assert_int_equal(tx->ops->mail_take(tx, 2999, 4000, &found), GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(tx->ops->mail_take(tx, 3000, 4000, &found));
    assert_int_equal(found.attempts, 9);
    gh_contract_assert_text(found.message, mail.message);
    gh_contract_assert_ok(tx->ops->mail_count(tx, &count));
    assert_int_equal(count, 2);
    gh_contract_assert_ok(tx->ops->mail_delete(tx, gh_id_str(&mail.id)));
    assert_int_equal(tx->ops->mail_delete(tx, gh_id_str(&mail.id)), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->mail_update(tx, &mail), GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(tx->ops->mail_count(tx, &count));
    assert_int_equal(count, 1);
    gh_contract_commit(contract);
}

static void refuses_a_second_mail_of_an_id(struct gh_contract *contract)
{
    struct gh_mail_row mail = gh_contract_mail(1, 1);
    uint64_t count;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    mail.account = (struct gh_id){.text = {0}}; /* mails need no account */
    gh_contract_assert_ok(tx->ops->mail_insert(tx, &mail));
    assert_int_equal(tx->ops->mail_insert(tx, &mail), GH_ERR_EXISTS);
    gh_contract_assert_ok(tx->ops->mail_count(tx, &count));
    assert_int_equal(count, 1);
    gh_contract_assert_ok(tx->ops->mail_take(tx, mail.next_us, mail.next_us + 1, &mail));
    assert_string_equal(mail.account.text, "");
    gh_contract_commit(contract);
}

/* ---- Keys ---- */

static void assert_key(const struct gh_key_row *actual, const struct gh_key_row *expected)
{
    assert_int_equal(actual->id, expected->id);
    assert_int_equal(actual->purpose, expected->purpose);
    gh_contract_assert_text(actual->alg, expected->alg);
    gh_contract_assert_text(actual->kid, expected->kid);
    gh_contract_assert_text(actual->wrapped, expected->wrapped);
    assert_int_equal(actual->created_us, expected->created_us);
    assert_int_equal(actual->retired_us, expected->retired_us);
}

static void numbers_keys_and_lists_all_of_them(struct gh_contract *contract)
{
    static const enum gh_key_purpose PURPOSES[] = {GH_KEY_FIELD, GH_KEY_INDEX, GH_KEY_COOKIE,
                                                   GH_KEY_SIGNING};
    struct gh_key_row keys[4], *rows;
    size_t count;
    struct gh_tx *tx = gh_contract_begin(contract);
    for (unsigned i = 0; i < 4; i++) {
        keys[i] = gh_contract_key(i);
        keys[i].purpose = PURPOSES[i];
        if (i == 0)
            keys[i].alg = keys[i].kid = GH_STR("");
        gh_contract_assert_ok(tx->ops->key_insert(tx, &keys[i], &keys[i].id));
        assert_int_equal(keys[i].id, i + 1);
    }
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->keys_all(tx, &rows, &count));
    assert_int_equal(count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_key(&rows[i], &keys[i]);
    gh_contract_commit(contract);
}

static void never_gives_the_number_of_a_removed_key_again(struct gh_contract *contract)
{
    struct gh_key_row key = gh_contract_key(1);
    uint64_t first, second, third;
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->key_insert(tx, &key, &first));
    gh_contract_assert_ok(tx->ops->key_insert(tx, &key, &second));
    gh_contract_assert_ok(tx->ops->key_delete(tx, second));
    gh_contract_assert_ok(tx->ops->key_insert(tx, &key, &third));
    assert_true(third > second);
    assert_int_equal(tx->ops->key_delete(tx, second), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

static void takes_a_key_with_a_number_of_its_own(struct gh_contract *contract)
{
    struct gh_key_row key = gh_contract_key(1);
    uint64_t id;
    struct gh_tx *tx = gh_contract_begin(contract);
    key.id = 41;
    gh_contract_assert_ok(tx->ops->key_insert(tx, &key, &id));
    assert_int_equal(id, 41);
    assert_int_equal(tx->ops->key_insert(tx, &key, &id), GH_ERR_EXISTS);
    key.id = 0;
    gh_contract_assert_ok(tx->ops->key_insert(tx, &key, &id));
    assert_int_equal(id, 42);
    gh_contract_commit(contract);
}

static void updates_one_key(struct gh_contract *contract)
{
    struct gh_key_row first = gh_contract_key(1), second = gh_contract_key(2), *rows;
    size_t count;
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->key_insert(tx, &first, &first.id));
    gh_contract_assert_ok(tx->ops->key_insert(tx, &second, &second.id));
    first.wrapped = GH_STR("wrapped anew");
    first.retired_us = 0;
    gh_contract_assert_ok(tx->ops->key_update(tx, &first));
    gh_contract_assert_ok(tx->ops->keys_all(tx, &rows, &count));
    assert_int_equal(count, 2);
    assert_key(&rows[0], &first);
    assert_key(&rows[1], &second);
    first.id = 99;
    assert_int_equal(tx->ops->key_update(tx, &first), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
const struct gh_contract_case gh_contract_outbox_cases[] = {
    CASE(takes_the_mail_that_waits_longest),
    CASE(takes_the_older_of_two_that_wait_equally_long),
    CASE(takes_no_mail_before_its_time),
    CASE(a_leased_mail_is_taken_again_when_the_lease_ends),
    CASE(a_lease_ends_with_a_unit_that_fails),
    CASE(puts_a_mail_off_and_forgets_a_sent_one),
    CASE(refuses_a_second_mail_of_an_id),
    CASE(numbers_keys_and_lists_all_of_them),
    CASE(never_gives_the_number_of_a_removed_key_again),
    CASE(takes_a_key_with_a_number_of_its_own),
    CASE(updates_one_key),
    {NULL, NULL},
};
