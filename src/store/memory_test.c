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

int main(void)
{
    static const struct gh_contract_adapter ADAPTER = {.name = "memory", .open = open_memory};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fails_as_often_as_told_and_then_goes_on),
    };
    int failed = gh_contract_run(&ADAPTER);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
