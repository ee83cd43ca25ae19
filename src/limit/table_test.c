#include "limit/limit.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct gh_limit_rule prepared(struct gh_limit_rule rule)
{
    assert_true(gh_limit_rule_prepare(&rule));
    return rule;
}

static struct gh_limit_rule exact(uint32_t count, uint64_t window_ms)
{
    return prepared(
        (struct gh_limit_rule){.kind = GH_LIMIT_EXACT, .count = count, .window_ms = window_ms});
}

static struct gh_limit_table *open_table(size_t slots)
{
    struct gh_limit_table *table = NULL;
    assert_int_equal(gh_limit_table_open(slots, (struct gh_hash_key){1, 2}, &table), GH_OK);
    return table;
}

static struct gh_hash128 client(uint64_t n)
{
    return gh_hash128((struct gh_hash_key){3, 4}, gh_str_of((const char *)&n, sizeof(n)));
}

static bool admits(struct gh_limit_table *table, const struct gh_limit_rule *rule, uint64_t n,
                   uint64_t now_ms)
{
    struct gh_limit_charge charge = {rule, client(n)};
    struct gh_limit_decision decision;
    return gh_limit_decide(table, &charge, 1, now_ms, false, &decision);
}

static void refuses_sizes_that_are_none(void **state)
{
    (void)state;
    struct gh_limit_table *table = NULL;
    struct gh_hash_key key = {5, 6};
    assert_int_equal(gh_limit_table_open(0, key, &table), GH_ERR_INVALID);
    assert_int_equal(gh_limit_table_open(((size_t)1 << 32) + 1, key, &table), GH_ERR_INVALID);
    assert_null(table);
    assert_int_equal(gh_limit_table_open(1, key, &table), GH_OK);
    assert_int_equal(gh_limit_table_key(table).k1, 6);
    gh_limit_table_close(table);
    gh_limit_table_close(NULL);
}

static void clients_do_not_share_counts(void **state)
{
    (void)state;
    struct gh_limit_rule rules[] = {
        exact(2, 1000), exact(12, 1000), exact(40, 1000),
        prepared((struct gh_limit_rule){
            .kind = GH_LIMIT_GCRA, .count = 2, .window_ms = 1000, .burst = 2})};
    for (size_t i = 0; i < 4; i++) {
        struct gh_limit_table *table = open_table(1 << 16);
        uint32_t count = rules[i].count;
        for (uint32_t round = 0; round <= count; round++) {
            for (uint64_t n = 0; n < 2000; n++)
                assert_int_equal(admits(table, &rules[i], n, 100), round < count);
        }
        assert_int_equal(gh_limit_table_stats(table).evictions, 0);
        gh_limit_table_close(table);
    }
}

static void idle_entries_make_room_without_loss(void **state)
{
    (void)state;
    struct gh_limit_rule rule = exact(1, 1000);
    struct gh_limit_table *table = open_table(8);
    for (uint64_t n = 0; n < 1000; n++) {
        assert_true(admits(table, &rule, n, n * 200));
        assert_false(admits(table, &rule, n, n * 200 + 100));
    }
    struct gh_limit_stats stats = gh_limit_table_stats(table);
    assert_int_equal(stats.evictions, 0);
    assert_int_equal(stats.unrecorded, 0);
    assert_true(stats.entries <= 8);
    gh_limit_table_close(table);
}

static void a_full_table_evicts_the_nearest_to_idle(void **state)
{
    (void)state;
    struct gh_limit_rule rule = exact(2, 1000);
    struct gh_limit_table *table = open_table(8);
    for (uint64_t n = 0; n < 8; n++)
        assert_true(admits(table, &rule, n, 10 * n)); /* one of two: nobody is refused */
    assert_true(admits(table, &rule, 8, 100));        /* takes the place of client 0 */
    assert_int_equal(gh_limit_table_stats(table).evictions, 1);
    for (uint64_t n = 1; n <= 8; n++)
        assert_true(admits(table, &rule, n, 110));
    for (uint64_t n = 1; n <= 8; n++)
        assert_false(admits(table, &rule, n, 120));
    gh_limit_table_close(table);
}

static void offenders_are_never_evicted(void **state)
{
    (void)state;
    struct gh_limit_rule rules[] = {
        exact(2, 100000), exact(20, 100000),
        prepared((struct gh_limit_rule){
            .kind = GH_LIMIT_GCRA, .count = 2, .window_ms = 100000, .burst = 2})};
    struct gh_limit_rule once = exact(5, 100000);
    for (size_t i = 0; i < 3; i++) {
        struct gh_limit_table *table = open_table(8);
        while (admits(table, &rules[i], 1, 0))
            ;
        for (uint64_t n = 100; n < 10000; n++) {
            admits(table, &once, n, n / 10);
            assert_false(admits(table, &rules[i], 1, n / 10));
        }
        assert_true(gh_limit_table_stats(table).evictions > 9000);
        gh_limit_table_close(table);
    }
}

static void a_spread_out_offender_keeps_all_its_entries(void **state)
{
    (void)state;
    struct gh_limit_rule rule = exact(16, 100000), once = exact(5, 100000);
    struct gh_limit_table *table = open_table(8);
    while (admits(table, &rule, 1, 0))
        ;
    assert_int_equal(gh_limit_table_stats(table).entries, 4);
    for (uint64_t n = 100; n < 5000; n++) {
        admits(table, &once, n, 1);
        assert_false(admits(table, &rule, 1, 1));
    }
    gh_limit_table_close(table);
}

static void among_offenders_only_a_newcomer_is_admitted_and_counted_as_unrecorded(void **state)
{
    (void)state;
    struct gh_limit_rule rule = exact(1, 1000);
    struct gh_limit_table *table = open_table(8);
    for (uint64_t n = 0; n < 8; n++)
        assert_true(admits(table, &rule, n, 0));
    assert_true(admits(table, &rule, 99, 1));
    assert_true(admits(table, &rule, 99, 1));
    assert_int_equal(gh_limit_table_stats(table).unrecorded, 2);
    for (uint64_t n = 0; n < 8; n++)
        assert_false(admits(table, &rule, n, 2));
    assert_true(admits(table, &rule, 99, 1000)); /* now there is room */
    assert_false(admits(table, &rule, 99, 1001));
    gh_limit_table_close(table);
}

static void charges_of_one_decision_do_not_evict_each_other(void **state)
{
    (void)state;
    struct gh_limit_rule rule = exact(5, 1000);
    struct gh_limit_table *table = open_table(8);
    struct gh_limit_charge charges[GH_LIMIT_CHARGES_MAX];
    struct gh_limit_decision decisions[GH_LIMIT_CHARGES_MAX];
    for (uint64_t n = 0; n < 8; n++) /* strangers fill the table */
        assert_true(admits(table, &rule, 100 + n, 0));
    for (uint64_t n = 0; n < 8; n++)
        charges[n] = (struct gh_limit_charge){&rule, client(n)};
    for (int round = 0; round < 5; round++)
        assert_true(gh_limit_decide(table, charges, 8, 1, false, decisions));
    assert_false(gh_limit_decide(table, charges, 8, 1, false, decisions));
    for (int i = 0; i < 8; i++)
        assert_false(decisions[i].allowed);
    gh_limit_table_close(table);
}

static void a_key_may_be_all_zeros(void **state)
{
    (void)state;
    struct gh_limit_rule rule = exact(1, 1000);
    struct gh_limit_table *table = open_table(8);
    struct gh_limit_charge charge = {&rule, {0, 0}};
    struct gh_limit_decision decision;
    assert_true(gh_limit_decide(table, &charge, 1, 5, false, &decision));
    assert_false(gh_limit_decide(table, &charge, 1, 5, false, &decision));
    gh_limit_table_close(table);
}

static void a_large_table_takes_no_memory_before_it_is_used(void **state)
{
    (void)state;
    struct gh_limit_rule rule = exact(5, 1000);
    struct gh_limit_table *table = open_table((size_t)1 << 28); /* 8 GiB of addresses */
    for (uint64_t n = 0; n < 16; n++)
        assert_true(admits(table, &rule, n, 0));
    assert_int_equal(gh_limit_table_stats(table).entries, 16);
    gh_limit_table_close(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_sizes_that_are_none),
        cmocka_unit_test(clients_do_not_share_counts),
        cmocka_unit_test(idle_entries_make_room_without_loss),
        cmocka_unit_test(a_full_table_evicts_the_nearest_to_idle),
        cmocka_unit_test(offenders_are_never_evicted),
        cmocka_unit_test(a_spread_out_offender_keeps_all_its_entries),
        cmocka_unit_test(among_offenders_only_a_newcomer_is_admitted_and_counted_as_unrecorded),
        cmocka_unit_test(charges_of_one_decision_do_not_evict_each_other),
        cmocka_unit_test(a_key_may_be_all_zeros),
        cmocka_unit_test(a_large_table_takes_no_memory_before_it_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
