/* The memory adapter: the contract of every store, and failing on demand. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/memory.h"

static struct gh_store *open_memory(void *context)
{
    return gh_memory_store_open();
}

static bool add_chains(void *context, struct gh_store *store)
{
    gh_memory_store_hold_elsewhere(store, 2);
    gh_memory_store_hold_elsewhere(store, 3);
    gh_memory_store_give_up(store, 3);
    return true;
}

static enum gh_err add_account(struct gh_tx *tx, void *args)
{
    return tx->ops->account_insert(tx, args);
}

static void fails_as_often_as_told_and_then_goes_on(void **state)
{
    struct gh_store *store = gh_memory_store_open();
    struct gh_account account = gh_contract_account(1);
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    gh_memory_store_fail(store, 2, GH_ERR_FULL);
    assert_int_equal(store->ops->run(store, add_account, &account, &arena), GH_ERR_FULL);
    assert_int_equal(store->ops->run(store, add_account, &account, &arena), GH_ERR_FULL);
    gh_contract_assert_ok(store->ops->run(store, add_account, &account, &arena));
    assert_int_equal(store->ops->run(store, add_account, &account, &arena), GH_ERR_EXISTS);
    store->ops->close(store);
    gh_arena_done(&arena);
}

/* ---- Chains ---- */

static enum gh_err append_to(struct gh_tx *tx, void *chain)
{
    struct gh_audit_row row = gh_contract_row(1);
    tx->chain = *(uint32_t *)chain;
    return tx->ops->audit_append(tx, &row);
}

static void goes_on_with_the_chain_that_it_is_told_to_hold(void **state)
{
    struct gh_store *store = gh_memory_store_open();
    struct gh_contract contract;
    struct gh_audit_chain *chains;
    size_t count;
    gh_contract_init(&contract, store);
    gh_memory_store_hold(store, 3);
    gh_memory_store_hold_elsewhere(store, 2);
    struct gh_tx *tx = gh_contract_begin_read(&contract);
    gh_contract_assert_ok(tx->ops->audit_chains(tx, &chains, &count));
    assert_int_equal(count, 3);
    assert_int_equal(chains[0].holder, GH_AUDIT_HELD_BY_NOBODY);
    assert_int_equal(chains[1].holder, GH_AUDIT_HELD_BY_ANOTHER);
    assert_int_equal(chains[2].holder, GH_AUDIT_HELD_HERE);
    gh_contract_commit(&contract);
    gh_contract_done(&contract);
}

static void lets_another_process_write_its_chain_alone(void **state)
{
    struct gh_store *store = gh_memory_store_open();
    struct gh_arena arena;
    uint32_t own = 0, second = 2, third = 3;
    gh_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(store->ops->run_bulk(store, append_to, &second, &arena), GH_ERR_NOT_FOUND);
    gh_memory_store_hold_elsewhere(store, 2);
    assert_int_equal(store->ops->run_bulk(store, append_to, &second, &arena), GH_ERR_EXISTS);
    gh_memory_store_give_up(store, 2);
    assert_int_equal(store->ops->run(store, append_to, &second, &arena), GH_ERR_INVALID);
    gh_contract_assert_ok(store->ops->run_bulk(store, append_to, &second, &arena));
    gh_memory_store_hold(store, 2);
    gh_contract_assert_ok(store->ops->run(store, append_to, &second, &arena));
    gh_contract_assert_ok(store->ops->run(store, append_to, &own, &arena));
    assert_int_equal(store->ops->run_bulk(store, append_to, &third, &arena), GH_ERR_NOT_FOUND);
    store->ops->close(store);
    gh_arena_done(&arena);
}

int main(void)
{
    static const struct gh_contract_adapter ADAPTER = {
        .name = "memory", .open = open_memory, .add_chains = add_chains};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fails_as_often_as_told_and_then_goes_on),
        cmocka_unit_test(goes_on_with_the_chain_that_it_is_told_to_hold),
        cmocka_unit_test(lets_another_process_write_its_chain_alone),
    };
    int failed = gh_contract_run(&ADAPTER);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
