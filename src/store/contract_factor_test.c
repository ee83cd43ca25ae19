/* The contract suite: recovery codes, throttles, known devices. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* ---- Recovery codes ---- */

static void assert_code_count(struct gh_tx *tx, unsigned account, uint64_t expected)
{
    struct gh_id id = gh_contract_id(account);
    uint64_t count = UINT64_MAX;
    gh_contract_assert_ok(tx->ops->recovery_count(tx, gh_id_str(&id), &count));
    assert_int_equal(count, expected);
}

static enum gh_err take_code(struct gh_tx *tx, unsigned account, unsigned number)
{
    struct gh_id id = gh_contract_id(account);
    uint8_t hash[GH_SHA256_BYTES];
    gh_contract_hash(number, hash);
    return tx->ops->recovery_take(tx, gh_id_str(&id), hash);
}

static void takes_a_recovery_code_once(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_set_codes(tx, 1, 1, 10);
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    assert_code_count(tx, 1, 10);
    gh_contract_assert_ok(take_code(tx, 1, 4));
    assert_int_equal(take_code(tx, 1, 4), GH_ERR_NOT_FOUND);
    assert_code_count(tx, 1, 9);
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    assert_int_equal(take_code(tx, 1, 4), GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(take_code(tx, 1, 10));
    gh_contract_commit(contract);
}

static void refuses_the_recovery_code_of_another_account(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 3);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_set_codes(tx, 1, 1, 5);
    gh_contract_set_codes(tx, 2, 3, 5); /* 3, 4 and 5 happen to be those of both */
    assert_int_equal(take_code(tx, 2, 1), GH_ERR_NOT_FOUND);
    assert_int_equal(take_code(tx, 3, 3), GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(take_code(tx, 2, 4));
    assert_code_count(tx, 1, 5);
    assert_code_count(tx, 2, 4);
    assert_code_count(tx, 3, 0);
    gh_contract_assert_ok(take_code(tx, 1, 4));
    gh_contract_commit(contract);
}

static void new_recovery_codes_replace_all_old_ones(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 2);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_set_codes(tx, 1, 1, 10);
    gh_contract_set_codes(tx, 2, 1, 10);
    gh_contract_set_codes(tx, 1, 8, 10); /* 8, 9 and 10 again */
    assert_code_count(tx, 1, 10);
    assert_code_count(tx, 2, 10);
    assert_int_equal(take_code(tx, 1, 7), GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(take_code(tx, 1, 8));
    gh_contract_assert_ok(take_code(tx, 1, 17));
    gh_contract_set_codes(tx, 1, 0, 0);
    assert_code_count(tx, 1, 0);
    assert_int_equal(take_code(tx, 1, 9), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

/* ---- Throttles ---- */

static void assert_throttle(struct gh_tx *tx, const struct gh_throttle_row *expected)
{
    struct gh_throttle_row found;
    gh_contract_assert_ok(tx->ops->throttle_get(tx, expected->key, &found));
    assert_memory_equal(found.key, expected->key, sizeof(found.key));
    assert_int_equal(found.failures, expected->failures);
    assert_int_equal(found.first_us, expected->first_us);
    assert_int_equal(found.last_us, expected->last_us);
    assert_int_equal(found.blocked_until_us, expected->blocked_until_us);
}

static void puts_a_throttle_where_there_is_none_or_one(struct gh_contract *contract)
{
    struct gh_throttle_row row = gh_contract_throttle(1), other = gh_contract_throttle(2);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->throttle_put(tx, &row));
    gh_contract_assert_ok(tx->ops->throttle_put(tx, &other));
    assert_throttle(tx, &row);
    row.failures++;
    row.last_us += 10;
    row.first_us += 3;
    row.blocked_until_us = 0;
    gh_contract_assert_ok(tx->ops->throttle_put(tx, &row));
    gh_contract_commit(contract);
    tx = gh_contract_begin_read(contract);
    assert_throttle(tx, &row);
    assert_throttle(tx, &other);
    gh_contract_commit(contract);
}

static void removes_one_throttle(struct gh_contract *contract)
{
    struct gh_throttle_row row = gh_contract_throttle(1), other = gh_contract_throttle(2), found;
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->throttle_put(tx, &row));
    gh_contract_assert_ok(tx->ops->throttle_put(tx, &other));
    gh_contract_assert_ok(tx->ops->throttle_delete(tx, row.key));
    assert_int_equal(tx->ops->throttle_get(tx, row.key, &found), GH_ERR_NOT_FOUND);
    assert_throttle(tx, &other);
    gh_contract_commit(contract);
}

/* ---- Devices ---- */

static void assert_device(const struct gh_device_row *actual, const struct gh_device_row *expected)
{
    assert_memory_equal(actual->hash, expected->hash, GH_SHA256_BYTES);
    assert_string_equal(actual->account.text, expected->account.text);
    assert_int_equal(actual->created_us, expected->created_us);
    assert_int_equal(actual->last_used_us, expected->last_used_us);
    gh_contract_assert_text(actual->label, expected->label);
}

static void puts_a_device_where_there_is_none_or_one(struct gh_contract *contract)
{
    struct gh_device_row device = gh_contract_device(1, 1), found;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->device_put(tx, &device));
    gh_contract_assert_ok(tx->ops->device_get(tx, device.hash, &found));
    assert_device(&found, &device);
    device.last_used_us += 77;
    device.label = GH_STR("");
    gh_contract_assert_ok(tx->ops->device_put(tx, &device));
    gh_contract_commit(contract);
    struct gh_device_row absent = gh_contract_device(2, 1);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->device_get(tx, device.hash, &found));
    assert_device(&found, &device);
    assert_int_equal(tx->ops->device_get(tx, absent.hash, &found), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

static void lists_and_removes_the_devices_of_one_account(struct gh_contract *contract)
{
    struct gh_id first = gh_contract_id(1), second = gh_contract_id(2);
    struct gh_device_row *rows;
    size_t left, count;
    unsigned seen = 0;
    gh_contract_add_accounts(contract, 1, 2);
    struct gh_tx *tx = gh_contract_begin(contract);
    for (unsigned number = 1; number <= 20; number++) {
        struct gh_device_row device = gh_contract_device(number, number % 4 ? 1 : 2);
        gh_contract_assert_ok(tx->ops->device_put(tx, &device));
    }
    gh_contract_assert_ok(tx->ops->devices_of(tx, gh_id_str(&first), &rows, &count));
    assert_int_equal(count, 15);
    for (size_t i = 0; i < count; i++)
        for (unsigned number = 1; number <= 20; number++) {
            struct gh_device_row expected = gh_contract_device(number, 1);
            if (memcmp(rows[i].hash, expected.hash, GH_SHA256_BYTES) != 0)
                continue;
            assert_device(&rows[i], &expected);
            seen |= 1u << number;
        }
    assert_int_equal(seen, 0x0eeeee);
    struct gh_device_row one = gh_contract_device(1, 1);
    gh_contract_assert_ok(tx->ops->device_delete(tx, one.hash));
    assert_int_equal(tx->ops->device_delete(tx, one.hash), GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(tx->ops->devices_of(tx, gh_id_str(&first), &rows, &left));
    assert_int_equal(left, count - 1);
    gh_contract_assert_ok(tx->ops->devices_delete_of(tx, gh_id_str(&first)));
    gh_contract_assert_ok(tx->ops->devices_of(tx, gh_id_str(&first), &rows, &count));
    assert_int_equal(count, 0);
    gh_contract_assert_ok(tx->ops->devices_of(tx, gh_id_str(&second), &rows, &count));
    assert_int_equal(count, 5);
    gh_contract_assert_ok(tx->ops->devices_delete_of(tx, GH_STR("nobody")));
    gh_contract_commit(contract);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
const struct gh_contract_case gh_contract_factor_cases[] = {
    CASE(takes_a_recovery_code_once),
    CASE(refuses_the_recovery_code_of_another_account),
    CASE(new_recovery_codes_replace_all_old_ones),
    CASE(puts_a_throttle_where_there_is_none_or_one),
    CASE(removes_one_throttle),
    CASE(puts_a_device_where_there_is_none_or_one),
    CASE(lists_and_removes_the_devices_of_one_account),
    {NULL, NULL},
};
