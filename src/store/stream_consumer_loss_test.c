/* What a consumer of a stream does while Redis or PostgreSQL are away, or not as they should be. */
#include "store/stream_consumer_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>

/* ---- What is away ---- */

static void waits_for_a_function_that_is_missing_and_parks_nothing(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_sql("DROP FUNCTION add_one(text)");
    consumer_test_prepare(&test, "a");
    test.options.tries_max = 1;
    consumer_test_add("cats", 20);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).failures >= 3);
    assert_false(consumer_test_counts(&test).database_is_up);
    assert_int_equal(consumer_test_counts(&test).applied + consumer_test_counts(&test).parked +
                         consumer_test_counts(&test).refusals,
                     0);
    assert_non_null(strstr(test.told, "add_one"));
    consumer_test_sql("CREATE FUNCTION add_one(choice text) RETURNS bigint LANGUAGE sql AS $$ "
                      "INSERT INTO counts AS c VALUES (choice, 1) ON CONFLICT (choice) DO UPDATE "
                      "SET count = c.count + 1 RETURNING count $$");
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 20);
    assert_true(consumer_test_counts(&test).database_is_up);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 20);
}

static void waits_for_a_table_that_vanished_and_parks_nothing(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    test.options.tries_max = 1;
    consumer_test_add("cats", 5);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 5);
    consumer_test_sql("ALTER TABLE counts RENAME TO hidden");
    consumer_test_add("cats", 5);
    uint64_t failures = consumer_test_counts(&test).failures;
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).failures >= failures + 3);
    assert_int_equal(consumer_test_counts(&test).parked, 0);
    consumer_test_sql("ALTER TABLE hidden RENAME TO counts");
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 10);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 10);
}

static void goes_on_when_the_database_is_back(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    consumer_test_add("cats", 10);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 10);
    gh_postgres_fixture_stop(&consumer_test_postgres, SIGQUIT);
    consumer_test_add("cats", 10);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).failures >= 2);
    assert_false(consumer_test_counts(&test).database_is_up);
    consumer_test_add("cats", 700);
    /* The lag is looked at all the same. */
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).lag >= 700 &&
                                  consumer_test_counts(&test).lag != UINT64_MAX);
    gh_postgres_fixture_restart(&consumer_test_postgres);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 720);
    assert_int_equal(consumer_test_counts(&test).parked, 0);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 720);
    consumer_test_assert_nothing_pending();
}

static void goes_on_when_redis_is_back_without_its_data(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    consumer_test_add("cats", 10);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 10);
    gh_redis_server_kill(&consumer_test_redis);
    CONSUMER_RUN_UNTIL(&test, !consumer_test_counts(&test).redis_is_up);
    assert_true(consumer_test_counts(&test).lag == UINT64_MAX);
    gh_redis_server_start(&consumer_test_redis);
    consumer_test_add("cats", 7);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 17);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 17);
    assert_non_null(strstr(test.told, "Redis is away"));
}

static void makes_the_group_again_after_a_flush(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    consumer_test_add("cats", 10);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 10);
    for (unsigned i = 1; i <= 3; i++) {
        /* Ids are milliseconds; one that was there before would be passed over. */
        uint64_t now_ms = gh_monotonic_now_ms();
        CONSUMER_RUN_UNTIL(&test, gh_monotonic_now_ms() > now_ms + 1);
        consumer_test_ask("FLUSHALL");
        consumer_test_add("dogs", 4);
        CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 10 + 4 * i);
    }
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("dogs"), 12);
    consumer_test_assert_nothing_pending();
}

static void survives_both_being_away_at_once(void **state)
{
    (void)state;
    struct consumer_test test;
    assert_string_equal(consumer_test_ask("CONFIG SET appendonly yes"), "+OK");
    consumer_test_prepare(&test, "a");
    consumer_test_add("cats", 10);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 10);
    gh_postgres_fixture_stop(&consumer_test_postgres, SIGQUIT);
    consumer_test_add("cats", 10);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).failures >= 1);
    gh_redis_server_kill(&consumer_test_redis);
    CONSUMER_RUN_UNTIL(&test, !consumer_test_counts(&test).redis_is_up);
    gh_postgres_fixture_restart(&consumer_test_postgres);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied >=
                                  20); /* what was in hand is applied without Redis */
    gh_redis_server_start(&consumer_test_redis);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).redis_is_up);
    consumer_test_finish(&test);
    assert_true(consumer_test_count_of("cats") >= 20);
}

static void a_wrong_kind_of_key_holds_it_up_until_it_is_gone(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    consumer_test_ask("SET votes 1");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, strstr(test.told, "making the group: Redis refuses the command"));
    consumer_test_ask("DEL votes");
    consumer_test_add("cats", 1);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 1);
    consumer_test_finish(&test);
}

static void stops_while_the_database_is_away(void **state)
{
    (void)state;
    struct consumer_test test;
    gh_postgres_fixture_stop(&consumer_test_postgres, SIGQUIT);
    consumer_test_prepare(&test, "a");
    consumer_test_add("cats", 10);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).failures >= 1);
    consumer_test_finish(&test);
    gh_postgres_fixture_restart(&consumer_test_postgres);
    consumer_test_prepare(&test, "a");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 10);
    consumer_test_finish(&test);
}

static void stops_before_redis_was_ever_there(void **state)
{
    (void)state;
    struct consumer_test test;
    gh_redis_server_kill(&consumer_test_redis);
    consumer_test_prepare(&test, "a");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, strstr(test.told, "Redis is away"));
    consumer_test_finish(&test);
    gh_redis_server_start(&consumer_test_redis);
}

static int run(void)
{
#define TEST(name) cmocka_unit_test_setup(name, consumer_test_set_up)
    const struct CMUnitTest tests[] = {
        TEST(waits_for_a_function_that_is_missing_and_parks_nothing),
        TEST(waits_for_a_table_that_vanished_and_parks_nothing),
        TEST(goes_on_when_the_database_is_back),
        TEST(goes_on_when_redis_is_back_without_its_data),
        TEST(makes_the_group_again_after_a_flush),
        TEST(survives_both_being_away_at_once),
        TEST(a_wrong_kind_of_key_holds_it_up_until_it_is_gone),
        TEST(stops_while_the_database_is_away),
        TEST(stops_before_redis_was_ever_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return consumer_test_main(run);
}
