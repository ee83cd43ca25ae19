#include "audit/anomaly_counts.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "audit/anomaly_table.h"

#define DAY_S 86400u
#define NOW_S (20000u * DAY_S)
#define HOUR  3600u

static uint64_t sum(struct gh_anomaly_sums *sums, uint32_t now_s)
{
    return gh_anomaly_sums_of(sums, now_s, HOUR, GH_ANOMALY_MISSING);
}

static void a_sum_slides_in_twelve_steps(void **state)
{
    struct gh_anomaly_sums sums = {.step = 0};
    (void)state;
    gh_anomaly_sums_add(&sums, NOW_S, HOUR, GH_ANOMALY_MISSING, 5);
    gh_anomaly_sums_add(&sums, NOW_S + 300, HOUR, GH_ANOMALY_MISSING, 7);
    assert_int_equal(sum(&sums, NOW_S + 300), 12);
    assert_int_equal(sum(&sums, NOW_S + HOUR - 1), 12);
    assert_int_equal(sum(&sums, NOW_S + HOUR), 7);
    assert_int_equal(sum(&sums, NOW_S + HOUR + 300), 0);
    assert_int_equal(gh_anomaly_sums_of(&sums, NOW_S, HOUR, GH_ANOMALY_REQUESTS), 0);
}

static void a_sum_forgets_all_after_a_long_silence(void **state)
{
    struct gh_anomaly_sums sums = {.step = 0};
    (void)state;
    for (uint32_t i = 0; i < 12; i++)
        gh_anomaly_sums_add(&sums, NOW_S + 300 * i, HOUR, GH_ANOMALY_MISSING, 1);
    assert_int_equal(sum(&sums, NOW_S + 400 * DAY_S), 0);
}

static void a_sum_does_not_overflow(void **state)
{
    struct gh_anomaly_sums sums = {.step = 0};
    (void)state;
    gh_anomaly_sums_add(&sums, NOW_S, HOUR, GH_ANOMALY_MISSING, UINT64_MAX);
    gh_anomaly_sums_add(&sums, NOW_S, HOUR, GH_ANOMALY_MISSING, UINT64_MAX);
    assert_int_equal(sum(&sums, NOW_S), UINT32_MAX);
}

static void what_is_usual_is_the_most_of_the_days_before_today(void **state)
{
    struct gh_anomaly_history history = {.day = 0};
    uint32_t days;
    (void)state;
    gh_anomaly_history_note(&history, NOW_S, 5);
    gh_anomaly_history_note(&history, NOW_S, 3);
    assert_int_equal(gh_anomaly_history_usual(&history, NOW_S, &days), 0);
    assert_int_equal(days, 0);
    gh_anomaly_history_note(&history, NOW_S + DAY_S, 4);
    assert_int_equal(gh_anomaly_history_usual(&history, NOW_S + DAY_S, &days), 5);
    assert_int_equal(days, 1);
    assert_int_equal(gh_anomaly_history_usual(&history, NOW_S + 34 * DAY_S, &days), 5);
    assert_int_equal(days, 2);
    assert_int_equal(gh_anomaly_history_usual(&history, NOW_S + 35 * DAY_S, &days), 4);
    assert_int_equal(gh_anomaly_history_usual(&history, NOW_S + 36 * DAY_S, &days), 0);
    assert_int_equal(days, 0);
}

static void instants_keep_the_newest(void **state)
{
    struct gh_anomaly_instants instants = {.at_s = {0}};
    uint32_t networks;
    (void)state;
    for (uint32_t i = 0; i < 40; i++)
        gh_anomaly_instants_add(&instants, NOW_S + i, 1 + i % 2);
    assert_int_equal(gh_anomaly_instants_within(&instants, NOW_S + 39, HOUR, &networks), 32);
    assert_int_equal(networks, 2);
    assert_int_equal(gh_anomaly_instants_within(&instants, NOW_S + 39, 10, NULL), 10);
    gh_anomaly_instants_forgive(&instants, 2);
    assert_int_equal(gh_anomaly_instants_within(&instants, NOW_S + 39, HOUR, &networks), 16);
    assert_int_equal(networks, 1);
    assert_int_equal(gh_anomaly_instants_within(&instants, NOW_S + 39 + HOUR, HOUR, NULL), 0);
}

/* ---- The table ---- */

struct thing {
    struct gh_anomaly_slot slot;
    uint64_t what;
};

/* One set of eight. */
static void open_table(struct gh_anomaly_table *table)
{
    assert_true(gh_anomaly_table_init(table, sizeof(struct thing), 8, DAY_S));
}

static void place(struct gh_anomaly_table *table, uint64_t key, uint32_t now_s, uint32_t weight)
{
    struct thing *thing = gh_anomaly_table_place(table, key, now_s, NULL);
    thing->slot.weight = weight;
    thing->what = key;
}

static void a_full_set_gives_up_the_least_weighty_and_oldest(void **state)
{
    struct gh_anomaly_table table;
    struct thing evicted;
    (void)state;
    open_table(&table);
    for (uint64_t key = 1; key <= 8; key++)
        place(&table, key, NOW_S + (uint32_t)key, key == 1 ? 5 : 2);
    struct thing *thing = gh_anomaly_table_place(&table, 9, NOW_S + 9, &evicted);
    assert_int_equal(thing->what, 0);
    assert_int_equal(evicted.what, 2);
    assert_null(gh_anomaly_table_find(&table, 2));
    assert_non_null(gh_anomaly_table_find(&table, 1));
    gh_anomaly_table_done(&table);
}

static void the_idle_weigh_nothing(void **state)
{
    struct gh_anomaly_table table;
    struct thing evicted;
    (void)state;
    open_table(&table);
    place(&table, 1, NOW_S, 1000);
    for (uint64_t key = 2; key <= 8; key++)
        place(&table, key, NOW_S + DAY_S, 1);
    gh_anomaly_table_place(&table, 9, NOW_S + DAY_S + 1, &evicted);
    assert_int_equal(evicted.what, 1);
    gh_anomaly_table_done(&table);
}

static void a_key_of_zero_is_one_like_others(void **state)
{
    struct gh_anomaly_table table;
    (void)state;
    open_table(&table);
    assert_null(gh_anomaly_table_find(&table, 0));
    place(&table, 0, NOW_S, 1);
    assert_non_null(gh_anomaly_table_find(&table, 0));
    gh_anomaly_table_clear(&table);
    assert_null(gh_anomaly_table_find(&table, 0));
    gh_anomaly_table_done(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_slides_in_twelve_steps),
        cmocka_unit_test(a_sum_forgets_all_after_a_long_silence),
        cmocka_unit_test(a_sum_does_not_overflow),
        cmocka_unit_test(what_is_usual_is_the_most_of_the_days_before_today),
        cmocka_unit_test(instants_keep_the_newest),
        cmocka_unit_test(a_full_set_gives_up_the_least_weighty_and_oldest),
        cmocka_unit_test(the_idle_weigh_nothing),
        cmocka_unit_test(a_key_of_zero_is_one_like_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
