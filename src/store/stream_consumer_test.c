/* Streams of a real Redis into tables of a real PostgreSQL. */
#include "store/stream_consumer_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* ---- Once in effect ---- */

static void applies_and_acknowledges_what_comes(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    consumer_test_add("cats", 300); /* before there is a group */
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 300);
    consumer_test_add("dogs", 5);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 305 &&
                                  consumer_test_counts(&test).lag == 0 &&
                                  consumer_test_counts(&test).pending == 0);
    assert_true(consumer_test_counts(&test).redis_is_up &&
                consumer_test_counts(&test).database_is_up);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 300);
    assert_int_equal(consumer_test_count_of("dogs"), 5);
    assert_int_equal(consumer_test_sql("SELECT count(*) FROM gatehouse_consumed"), 305);
    consumer_test_assert_nothing_pending();
}

static void applies_once_what_is_delivered_twice(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    consumer_test_add("cats", 40);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 40);
    consumer_test_finish(&test);
    /* As if it had died before it could acknowledge, and everything were delivered again. */
    assert_string_equal(consumer_test_ask("XGROUP SETID votes counters 0"), "+OK");
    consumer_test_add("cats", 2);
    consumer_test_prepare(&test, "b");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(
        &test, consumer_test_counts(&test).applied + consumer_test_counts(&test).repeated == 42);
    assert_int_equal(consumer_test_counts(&test).repeated, 40);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 42);
    consumer_test_assert_nothing_pending();
}

static void goes_on_with_its_own_entries_of_before(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_add("cats", 600);
    consumer_test_ask("XGROUP CREATE votes counters 0");
    consumer_test_ask("XREADGROUP GROUP counters a COUNT 600 STREAMS votes >"); /* and it died */
    consumer_test_prepare(&test, "a");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 600);
    assert_int_equal(consumer_test_counts(&test).claimed, 0);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 600);
    consumer_test_assert_nothing_pending();
}

static void takes_over_what_a_dead_consumer_left(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_add("cats", 600);
    consumer_test_ask("XGROUP CREATE votes counters 0");
    consumer_test_ask("XREADGROUP GROUP counters dead COUNT 600 STREAMS votes >");
    consumer_test_prepare(&test, "a");
    test.options.claim_ms = 300;
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 600);
    assert_int_equal(consumer_test_counts(&test).claimed, 600);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 600);
    consumer_test_assert_nothing_pending();
}

static void leaves_alone_what_another_has_in_hand(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_add("cats", 3);
    consumer_test_ask("XGROUP CREATE votes counters 0");
    consumer_test_ask("XREADGROUP GROUP counters busy COUNT 3 STREAMS votes >");
    consumer_test_add("dogs", 3);
    consumer_test_prepare(&test, "a");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 3 &&
                                  consumer_test_counts(&test).pending == 3);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 0);
    assert_int_equal(consumer_test_count_of("dogs"), 3);
}

/* ---- Entries that can't be applied ---- */

static void parks_a_refused_entry_while_those_behind_it_go_on(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    test.options.tries_max = 3;
    consumer_test_add("cats", 3);
    consumer_test_add("much_too_long", 1);
    consumer_test_add("cats", 3);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 6);
    assert_int_equal(consumer_test_counts(&test).parked, 0); /* it has its next try before it */
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).parked == 1);
    assert_int_equal(consumer_test_counts(&test).refusals, 3);
    consumer_test_add("dogs", 1);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 7);
    consumer_test_finish(&test);
    assert_int_equal(
        consumer_test_sql("SELECT tries FROM gatehouse_parked WHERE fields = "
                          "'[\"choice\",\"much_too_long\"]' AND reason LIKE 'SQLSTATE 23514: %'"),
        3);
    assert_non_null(strstr(test.told, "parked after 3 tries: SQLSTATE 23514"));
    assert_null(strstr(test.told, "much_too_long")); /* values stay out of logs */
    consumer_test_assert_nothing_pending();
}

static void parks_malformed_entries_at_once(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    consumer_test_ask("XADD votes * color red");
    consumer_test_ask("XADD votes * choice \"a\\x00b\"");
    consumer_test_add("cats", 1);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).parked == 2 &&
                                  consumer_test_counts(&test).applied == 1);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_sql("SELECT count(*) FROM gatehouse_parked WHERE tries = 1 AND "
                                       "reason = 'it has not all of the fields'"),
                     1);
    assert_int_equal(consumer_test_sql("SELECT count(*) FROM gatehouse_parked WHERE tries = 1 AND "
                                       "fields = '[\"choice\",\"a\\u0000b\"]'"),
                     1);
    consumer_test_assert_nothing_pending();
}

static void parks_bytes_that_are_no_text(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    test.options.tries_max = 2;
    consumer_test_ask("XADD votes * choice \"\\xff\\xfe\"");
    consumer_test_add("cats", 1);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).parked == 1 &&
                                  consumer_test_counts(&test).applied == 1);
    consumer_test_finish(&test);
    assert_int_equal(
        consumer_test_sql("SELECT tries FROM gatehouse_parked WHERE reason LIKE '%22021%'"), 2);
    consumer_test_assert_nothing_pending();
}

static void takes_the_greatest_id_there_is(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    consumer_test_ask("XADD votes 18446744073709551614-18446744073709551615 choice cats");
    consumer_test_ask("XADD votes 18446744073709551615-18446744073709551615 choice cats");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 2 &&
                                  consumer_test_counts(&test).pending == 0);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 2);
}

static void acknowledges_what_was_deleted_meanwhile(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_add("cats", 3);
    consumer_test_ask("XGROUP CREATE votes counters 0");
    consumer_test_ask("XREADGROUP GROUP counters a COUNT 3 STREAMS votes >");
    consumer_test_ask("XTRIM votes MAXLEN 1");
    consumer_test_prepare(&test, "a");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 1 &&
                                  consumer_test_counts(&test).pending == 0);
    assert_int_equal(consumer_test_counts(&test).vanished, 2);
    consumer_test_finish(&test);
    consumer_test_assert_nothing_pending();
}

/* ---- Bounds ---- */

static void makes_a_batch_smaller_that_takes_too_long(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_sql(
        "CREATE OR REPLACE FUNCTION add_one(choice text) RETURNS bigint LANGUAGE sql AS $$ "
        "SELECT pg_sleep(0.2); INSERT INTO counts AS c VALUES (choice, 1) ON CONFLICT (choice) "
        "DO UPDATE SET count = c.count + 1 RETURNING count $$");
    consumer_test_prepare(&test, "a");
    test.sink_options.statement_ms = 500; /* a batch of 40 needs 8 s, and gets 3.5 s */
    test.options.batch = 40;
    consumer_test_add("cats", 40);
    consumer_test_begin(&test);
    /* One that was given up may have ended well a moment later. */
    CONSUMER_RUN_UNTIL(
        &test, consumer_test_counts(&test).applied + consumer_test_counts(&test).repeated == 40);
    assert_true(consumer_test_counts(&test).failures > 0);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 40);
}

static void forgets_what_was_applied_long_ago_and_is_not_pending(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    consumer_test_ask("XADD votes 1-1 choice cats"); /* its id says nothing of when */
    consumer_test_add("cats", 9);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 10);
    consumer_test_finish(&test);
    consumer_test_sql("UPDATE gatehouse_consumed SET applied_at = now() - interval '8 days' "
                      "WHERE entry_ms <> 1");
    consumer_test_add("dogs", 1);
    consumer_test_ask(
        "XREADGROUP GROUP counters other COUNT 1 STREAMS votes >"); /* in hand, old, applied */
    consumer_test_sql("INSERT INTO gatehouse_consumed SELECT 'here', 'votes', 'counters', "
                      "18446744073709551614, 0, "
                      "now() - interval '8 days'");
    consumer_test_prepare(&test, "a");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_sql("SELECT count(*) FROM gatehouse_consumed") == 2);
    consumer_test_finish(&test);
    assert_int_equal(
        consumer_test_sql("SELECT count(*) FROM gatehouse_consumed WHERE entry_ms = 1"), 1);
    assert_int_equal(consumer_test_count_of("cats"), 10);
}

static void stops_in_the_middle_and_leaves_the_rest(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    test.options.batch = 10;
    consumer_test_add("cats", 500);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied >= 50);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"),
                     consumer_test_sql("SELECT count(*) FROM gatehouse_consumed"));
    assert_true(consumer_test_count_of("cats") < 500);
    consumer_test_assert_nothing_pending(); /* what it had in hand is acknowledged */
    consumer_test_prepare(&test, "a");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_count_of("cats") == 500);
    consumer_test_finish(&test);
}

/* ---- Several at once ---- */

#define TOGETHER 4
#define ENTRIES  3000

static void *consume_until_all_is_done(void *argument)
{
    struct consumer_test *test = argument;
    CONSUMER_RUN_UNTIL(test, test->ended || (consumer_test_counts(test).lag == 0 &&
                                             consumer_test_counts(test).pending == 0));
    return NULL;
}

static void several_at_once_apply_each_entry_once(void **state)
{
    (void)state;
    static struct consumer_test tests[TOGETHER];
    static const char *const NAMES[TOGETHER] = {"a", "b", "c", "c"}; /* two of one name */
    static const char *const CHOICES[] = {"cats", "dogs", "birds", "fish"};
    pthread_t threads[TOGETHER];
    for (unsigned i = 0; i < ENTRIES; i++)
        consumer_test_add(CHOICES[(i * 7 + i / 3) % 4], 1);
    for (size_t i = 0; i < TOGETHER; i++) {
        consumer_test_prepare(&tests[i], NAMES[i]);
        tests[i].options.batch = 50;
        consumer_test_begin(&tests[i]);
    }
    for (size_t i = 0; i < TOGETHER; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, consume_until_all_is_done, &tests[i]),
                         0);
    uint64_t applied = 0;
    for (size_t i = 0; i < TOGETHER; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(
            consumer_test_counts(&tests[i]).parked + consumer_test_counts(&tests[i]).refusals, 0);
        applied += consumer_test_counts(&tests[i]).applied;
    }
    for (size_t i = 0; i < TOGETHER; i++)
        consumer_test_finish(&tests[i]);
    assert_int_equal(applied, ENTRIES);
    assert_int_equal(consumer_test_sql("SELECT sum(count) FROM counts"), ENTRIES);
    consumer_test_assert_nothing_pending();
}

static int run(void)
{
#define TEST(name) cmocka_unit_test_setup(name, consumer_test_set_up)
    const struct CMUnitTest tests[] = {
        TEST(applies_and_acknowledges_what_comes),
        TEST(applies_once_what_is_delivered_twice),
        TEST(goes_on_with_its_own_entries_of_before),
        TEST(takes_over_what_a_dead_consumer_left),
        TEST(leaves_alone_what_another_has_in_hand),
        TEST(parks_a_refused_entry_while_those_behind_it_go_on),
        TEST(parks_malformed_entries_at_once),
        TEST(parks_bytes_that_are_no_text),
        TEST(takes_the_greatest_id_there_is),
        TEST(acknowledges_what_was_deleted_meanwhile),
        TEST(makes_a_batch_smaller_that_takes_too_long),
        TEST(forgets_what_was_applied_long_ago_and_is_not_pending),
        TEST(stops_in_the_middle_and_leaves_the_rest),
        TEST(several_at_once_apply_each_entry_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return consumer_test_main(run);
}
