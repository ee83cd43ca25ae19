#include "identity/hash_costs.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/address.h"
#include "identity/identity_fixture.h"

#define USER 1
#define TEXT "......................................................"

static const struct gh_password_cost NOW = {
    .scheme = GH_PASSWORD_ARGON2ID, .memory_bytes = 64 << 20, .passes = 2, .lanes = 1};

static int setup(void **state)
{
    static struct gh_identity_fixture fixture;
    gh_identity_fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    gh_identity_fixture_close(*state);
    return 0;
}

static struct gh_str bcrypt(struct gh_identity_fixture *fixture, unsigned log_rounds)
{
    return gh_arena_format(&fixture->arena, "$2b$%02u$%.53s", log_rounds, TEXT);
}

static void add_accounts(struct gh_identity_fixture *fixture, unsigned count, struct gh_str hash)
{
    for (unsigned i = 0; i < count; i++) {
        struct gh_account account;
        struct gh_str email =
            gh_arena_format(&fixture->arena, "user%llu@example.com",
                            (unsigned long long)atomic_fetch_add(&fixture->drawn, 1));
        struct gh_str id = gh_fixture_account(fixture, email.ptr, GH_STR(""), USER);
        assert_true(gh_fixture_account_row(fixture, id, &account));
        account.password_hash = hash;
        gh_fixture_account_put(fixture, &account);
    }
}

static enum gh_err count(struct gh_identity_fixture *fixture, uint64_t accounts_max,
                         const atomic_bool *stop)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 64 * 1024, 16 * 1024 * 1024);
    enum gh_err err = gh_hash_costs_count(&fixture->identity.hash_costs, fixture->identity.store,
                                          &arena, accounts_max, stop);
    gh_arena_done(&arena);
    return err;
}

static struct gh_password_cost pick(struct gh_identity_fixture *fixture, unsigned number)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    uint8_t index[GH_SHA256_BYTES];
    gh_address_index(&call, gh_arena_format(&fixture->arena, "nobody%u@example.com", number),
                     index);
    return gh_hash_costs_pick(&fixture->identity.hash_costs, index, &NOW);
}

static unsigned picked(struct gh_identity_fixture *fixture, enum gh_password_scheme scheme)
{
    unsigned found = 0;
    for (unsigned i = 0; i < 4000; i++)
        found += pick(fixture, i).scheme == scheme;
    return found;
}

static void picks_the_cost_of_now_while_nothing_is_known(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    assert_int_equal(count(fixture, UINT64_MAX, NULL), GH_OK);
    struct gh_password_cost cost = pick(fixture, 1);
    assert_true(gh_password_cost_eq(&cost, &NOW));
    add_accounts(fixture, 1, GH_STR("")); /* waits for its first password */
    assert_int_equal(count(fixture, UINT64_MAX, NULL), GH_OK);
    cost = pick(fixture, 1);
    assert_true(gh_password_cost_eq(&cost, &NOW));
}

static void picks_a_cost_as_often_as_accounts_have_it(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    add_accounts(fixture, 900, bcrypt(fixture, 12));
    add_accounts(fixture, 300,
                 GH_STR("$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    assert_int_equal(count(fixture, UINT64_MAX, NULL), GH_OK);
    assert_int_equal(atomic_load(&fixture->identity.hash_costs.count), 2);
    assert_in_range(picked(fixture, GH_PASSWORD_BCRYPT), 2850, 3150); /* 3000, five deviations */
    for (unsigned i = 0; i < 100; i++) {
        struct gh_password_cost first = pick(fixture, i), second = pick(fixture, i);
        assert_true(gh_password_cost_eq(&first, &second));
        assert_true(gh_password_cost_eq(&first, &NOW) || first.log_rounds == 12);
    }
}

static void moves_few_addresses_when_a_hash_is_upgraded(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    enum gh_password_scheme before[1000];
    unsigned moved = 0;
    add_accounts(fixture, 99, bcrypt(fixture, 12));
    struct gh_str id = gh_fixture_account(fixture, "upgraded@example.com", FIXTURE_PASSWORD, USER);
    assert_int_equal(count(fixture, UINT64_MAX, NULL), GH_OK);
    for (unsigned i = 0; i < 1000; i++)
        before[i] = pick(fixture, i).scheme;
    struct gh_account account;
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.password_hash = bcrypt(fixture, 12);
    gh_fixture_account_put(fixture, &account);
    assert_int_equal(count(fixture, UINT64_MAX, NULL), GH_OK);
    for (unsigned i = 0; i < 1000; i++)
        moved += before[i] != pick(fixture, i).scheme;
    assert_in_range(moved, 1, 30);
    assert_int_equal(picked(fixture, GH_PASSWORD_BCRYPT), 4000);
}

static void takes_a_part_for_all_when_told(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    add_accounts(fixture, 1100, bcrypt(fixture, 12));
    assert_int_equal(count(fixture, 1000, NULL), GH_OK);
    assert_int_equal(atomic_load(&fixture->identity.hash_costs.kinds[0].accounts), 1000);
}

static void leaves_costs_out_that_find_no_place(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    for (unsigned passes = 1; passes <= 10; passes++)
        for (unsigned kib = 8; kib <= 16; kib += 8)
            add_accounts(fixture, 1,
                         gh_arena_format(&fixture->arena,
                                         "$argon2id$v=19$m=%u,t=%u,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                                         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                         kib, passes));
    assert_int_equal(count(fixture, UINT64_MAX, NULL), GH_OK);
    assert_int_equal(atomic_load(&fixture->identity.hash_costs.count), GH_HASH_COSTS_MAX);
    assert_int_equal(picked(fixture, GH_PASSWORD_ARGON2ID), 4000);
}

static void keeps_what_it_knows_when_it_is_stopped(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    const atomic_bool stop = true;
    add_accounts(fixture, 5, bcrypt(fixture, 12));
    assert_int_equal(count(fixture, UINT64_MAX, NULL), GH_OK);
    add_accounts(fixture, 5, bcrypt(fixture, 12));
    assert_int_equal(count(fixture, UINT64_MAX, &stop), GH_ERR_CLOSED);
    assert_int_equal(atomic_load(&fixture->identity.hash_costs.kinds[0].accounts), 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(picks_the_cost_of_now_while_nothing_is_known),
        TEST(picks_a_cost_as_often_as_accounts_have_it),
        TEST(moves_few_addresses_when_a_hash_is_upgraded),
        TEST(takes_a_part_for_all_when_told),
        TEST(leaves_costs_out_that_find_no_place),
        TEST(keeps_what_it_knows_when_it_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
