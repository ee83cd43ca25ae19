/* Entries that a consumer of a stream can't apply, told from a statement that can't be run; and
   which entries its tables speak of. */
#include "store/stream_consumer_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* A choice that begins with "name_" is taken for the name of a table: 42P01. */
#define TAKES_NAMES "SELECT add_one($1), CASE WHEN starts_with($1, 'name_') THEN $1::regclass END"

static void prepare(struct consumer_test *test, unsigned tries_max)
{
    consumer_test_prepare(test, "a");
    test->sink_options.statement = GH_STR(TAKES_NAMES);
    test->options.tries_max = tries_max;
}

/* ---- A value that looks like a wrong statement ---- */

static void parks_a_value_that_is_a_wrong_name_when_others_pass(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, 2);
    consumer_test_add("cats", 3);
    consumer_test_add("name_x", 1);
    consumer_test_add("cats", 3);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).parked == 1 &&
                                  consumer_test_counts(&test).applied == 6);
    assert_int_equal(consumer_test_counts(&test).failures, 0);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_sql("SELECT tries FROM gatehouse_parked WHERE reason LIKE "
                                       "'SQLSTATE 42P01: %' AND fields LIKE '%name_x%'"),
                     2);
    assert_non_null(strstr(test.told, "parked after 2 tries: SQLSTATE 42P01"));
    assert_null(strstr(test.told, "name_x"));
    assert_int_equal(consumer_test_count_of("cats"), 6);
    consumer_test_assert_nothing_pending();
}

static void parks_it_when_it_comes_alone_after_others(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, 2);
    consumer_test_add("cats", 1);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 1);
    consumer_test_add("name_x", 1);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).parked == 1);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 1); /* the trial is undone */
    consumer_test_assert_nothing_pending();
}

static void a_flood_of_them_holds_up_nobody_behind_it(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, 1);
    test.options.batch = 20;
    consumer_test_add("name_x", 50);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).failures >= 2);
    assert_int_equal(consumer_test_counts(&test).parked, 0); /* nothing tells yet */
    assert_null(strstr(test.told, "name_x"));
    consumer_test_add("cats", 1);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 1 &&
                                  consumer_test_counts(&test).parked == 50);
    consumer_test_finish(&test);
    consumer_test_assert_nothing_pending();
}

static void a_broken_function_parks_nothing_and_tells_no_values(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_sql("CREATE OR REPLACE FUNCTION add_one(choice text) RETURNS bigint "
                      "LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT ' || choice; RETURN 1; END $$");
    consumer_test_prepare(&test, "a");
    test.options.tries_max = 1;
    consumer_test_add("private", 30);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).failures >= 3);
    assert_int_equal(consumer_test_counts(&test).parked + consumer_test_counts(&test).applied, 0);
    assert_non_null(strstr(test.told, "SQLSTATE 42703 of the statement"));
    assert_null(strstr(test.told, "private"));
    consumer_test_sql("CREATE OR REPLACE FUNCTION add_one(choice text) RETURNS bigint "
                      "LANGUAGE sql AS $$ INSERT INTO counts AS c VALUES (choice, 1) ON CONFLICT "
                      "(choice) DO UPDATE SET count = c.count + 1 RETURNING count $$");
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 30);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("private"), 30);
}

/* Its plan is of another time: only a new connection mends that. */
static void goes_on_when_a_prepared_statement_went_stale(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_sql("CREATE TABLE things (choice text)");
    consumer_test_prepare(&test, "a");
    test.sink_options.statement = GH_STR("INSERT INTO things VALUES ($1) RETURNING *");
    consumer_test_add("cats", 1);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 1);
    consumer_test_sql("ALTER TABLE things ADD COLUMN more bigint");
    consumer_test_add("cats", 1);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 2);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_sql("SELECT count(*) FROM things"), 2);
}

/* ---- What is too large ---- */

#define ADD_LARGE                                                                                  \
    "EVAL \"return redis.call('XADD','votes','*','choice',string.rep('x',34*1024*1024))\" 0"

static void parks_what_is_too_large_to_be_read(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    consumer_test_add("cats", 3);
    assert_int_not_equal(*consumer_test_ask(ADD_LARGE), '-');
    consumer_test_add("cats", 3);
    assert_int_not_equal(*consumer_test_ask(ADD_LARGE), '-');
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).parked == 2 &&
                                  consumer_test_counts(&test).applied == 6);
    consumer_test_add("dogs", 1);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 7);
    consumer_test_finish(&test);
    assert_int_equal(
        consumer_test_sql("SELECT count(*) FROM gatehouse_parked WHERE fields = '\"too long\"' AND "
                          "reason = 'it is larger than what is read of one' AND entry_ms > 0"),
        2);
    consumer_test_assert_nothing_pending();
}

static void parks_what_is_too_large_of_a_consumer_that_is_gone(void **state)
{
    (void)state;
    struct consumer_test test;
    assert_int_not_equal(*consumer_test_ask(ADD_LARGE), '-');
    consumer_test_add("cats", 3);
    consumer_test_ask("XGROUP CREATE votes counters 0");
    consumer_test_ask(
        "EVAL \"redis.call('XREADGROUP','GROUP','counters','dead','COUNT','4','STREAMS','votes',"
        "'>') return 1\" 0");
    consumer_test_prepare(&test, "a");
    test.options.claim_ms = 300;
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).parked == 1 &&
                                  consumer_test_counts(&test).applied == 3);
    consumer_test_finish(&test);
    consumer_test_assert_nothing_pending();
}

static unsigned times_away;
static void (*tell_plainly)(void *context, bool is_error, const char *text);

/* It has met the large one alone: before it is connected again somebody else takes that over. */
static void tell_and_take_over(void *context, bool is_error, const char *text)
{
    tell_plainly(context, is_error, text);
    if (strncmp(text, "Redis is away", 13) == 0 && ++times_away == 2)
        consumer_test_ask("XCLAIM votes counters other 0 1-1 JUSTID");
}

static void one_behind_a_large_one_that_was_taken_over_is_not_parked_for_it(void **state)
{
    (void)state;
    struct consumer_test test;
    assert_int_not_equal(
        *consumer_test_ask("EVAL \"return redis.call('XADD','votes','1-1','choice',"
                           "string.rep('x',34*1024*1024))\" 0"),
        '-');
    consumer_test_add("cats", 2);
    consumer_test_ask("XGROUP CREATE votes counters 0");
    consumer_test_ask(
        "EVAL \"redis.call('XREADGROUP','GROUP','counters','a','COUNT','2','STREAMS','votes',"
        "'>') return 1\" 0");
    consumer_test_prepare(&test, "a");
    times_away = 0;
    tell_plainly = test.options.tell;
    test.options.tell = tell_and_take_over;
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(
        &test, consumer_test_counts(&test).applied + consumer_test_counts(&test).parked == 2);
    assert_int_equal(consumer_test_counts(&test).parked, 0);
    consumer_test_finish(&test);
    assert_true(times_away >= 2);
    assert_int_equal(consumer_test_count_of("cats"), 2);
}

/* ---- Groups that vanish ---- */

static void a_group_that_vanished_begins_behind_what_was_forgotten(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_prepare(&test, "a");
    consumer_test_add("cats", 10);
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 10);
    consumer_test_finish(&test);
    consumer_test_sql("UPDATE gatehouse_consumed SET applied_at = now() - interval '8 days'");
    consumer_test_prepare(&test, "a");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_sql("SELECT count(*) FROM gatehouse_consumed") == 0);
    consumer_test_ask("XGROUP DESTROY votes counters");
    consumer_test_add("dogs", 2);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied >= 2 &&
                                  consumer_test_counts(&test).lag == 0);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 10);
    assert_int_equal(consumer_test_count_of("dogs"), 2);
    consumer_test_assert_nothing_pending();
}

static void a_group_that_vanished_loses_nothing_that_was_not_applied(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_add("dogs", 1);
    consumer_test_add("cats", 3);
    consumer_test_ask("XGROUP CREATE votes counters 0");
    consumer_test_ask("XREADGROUP GROUP counters other COUNT 1 STREAMS votes >"); /* in hand */
    consumer_test_prepare(&test, "a");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 3);
    consumer_test_ask("XGROUP DESTROY votes counters");
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 4);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 3);
    assert_int_equal(consumer_test_count_of("dogs"), 1);
}

/* Its marks had been forgotten before it was noted how far that went. */
static void a_group_of_before_such_notes_does_not_begin_at_the_first_entry(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_ask("XADD votes 5-0 choice cats");
    consumer_test_ask("XADD votes 5-1 choice cats");
    consumer_test_ask("XGROUP CREATE votes counters 5-1");
    consumer_test_ask("XADD votes 7-0 choice dogs");
    consumer_test_prepare(&test, "a");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 1);
    assert_int_equal(consumer_test_sql("SELECT count(*) FROM gatehouse_groups WHERE "
                                       "(forgotten_ms, forgotten_seq) = (5, 1)"),
                     1);
    consumer_test_ask("XGROUP DESTROY votes counters");
    consumer_test_ask("XADD votes 8-0 choice dogs");
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied >= 2 &&
                                  consumer_test_counts(&test).lag == 0);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_sql("SELECT count(*) FROM counts WHERE choice = 'cats'"), 0);
    assert_int_equal(consumer_test_count_of("dogs"), 2);
}

static void what_is_pending_is_behind_where_a_group_of_before_begins(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_ask("XADD votes 5-0 choice cats");
    consumer_test_ask("XADD votes 6-0 choice dogs");
    consumer_test_ask("XADD votes 7-0 choice cats");
    consumer_test_ask("XGROUP CREATE votes counters 0");
    consumer_test_ask("XREADGROUP GROUP counters other COUNT 3 STREAMS votes >");
    consumer_test_ask("XACK votes counters 5-0 7-0"); /* 6-0 is in hand */
    consumer_test_add("cats", 1);
    consumer_test_prepare(&test, "a");
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 1);
    assert_int_equal(consumer_test_sql("SELECT count(*) FROM gatehouse_groups WHERE (forgotten_ms, "
                                       "forgotten_seq) = (5, 18446744073709551615)"),
                     1);
    consumer_test_ask("XGROUP DESTROY votes counters");
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied >= 3 &&
                                  consumer_test_counts(&test).lag == 0);
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("dogs"), 1);
    assert_int_equal(consumer_test_count_of("cats"), 2);
}

/* ---- Servers ---- */

static void ids_of_two_servers_are_two_entries(void **state)
{
    (void)state;
    static const char *const SOURCES[] = {"redis-1", "redis-2", "redis-2"};
    static const unsigned APPLIED[] = {1, 1, 0};
    for (size_t i = 0; i < 3; i++) {
        struct consumer_test test;
        consumer_test_ask("FLUSHALL");
        consumer_test_ask("XADD votes 1-1 choice cats");
        consumer_test_prepare(&test, "a");
        test.sink_options.source = gh_str_from_c(SOURCES[i]);
        consumer_test_begin(&test);
        CONSUMER_RUN_UNTIL(
            &test, consumer_test_counts(&test).applied + consumer_test_counts(&test).repeated == 1);
        assert_int_equal(consumer_test_counts(&test).applied, APPLIED[i]);
        consumer_test_finish(&test);
    }
    assert_int_equal(consumer_test_count_of("cats"), 2);
}

#define OLD_TABLE(name, more)                                                                      \
    "CREATE TABLE " name " (stream text NOT NULL, consumer_group text NOT NULL, "                  \
    "entry_ms numeric(20) NOT NULL, entry_seq numeric(20) NOT NULL, " more                         \
    "PRIMARY KEY (stream, consumer_group, entry_ms, entry_seq));"

static void tables_without_a_source_are_taken_over(void **state)
{
    (void)state;
    struct consumer_test test;
    consumer_test_sql(
        OLD_TABLE("gatehouse_consumed", "applied_at timestamptz NOT NULL DEFAULT "
                                        "now(), ")
            OLD_TABLE(
                "gatehouse_parked",
                "fields text NOT NULL, reason text NOT NULL, tries bigint NOT NULL, "
                "parked_at timestamptz NOT NULL DEFAULT now(), ") "INSERT INTO gatehouse_consumed "
                                                                  "VALUES "
                                                                  "('votes', 'counters', 3, 1), "
                                                                  "('votes', 'counters', 4, 1), "
                                                                  "('votes', "
                                                                  "'others', 9, 9);"
                                                                  "INSERT INTO gatehouse_parked "
                                                                  "VALUES "
                                                                  "('votes', 'counters', 4, 1, "
                                                                  "'[]', '', "
                                                                  "1)");
    consumer_test_prepare(&test, "a");
    test.sink_options.source = GH_STR("the'first\\");
    for (unsigned i = 2; i < 6; i++) {
        char command[64];
        snprintf(command, sizeof(command), "XADD votes %u-1 choice cats", i);
        consumer_test_ask(command);
    }
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_counts(&test).applied == 1 &&
                                  consumer_test_counts(&test).lag == 0);
    assert_int_equal(consumer_test_counts(&test).repeated, 1); /* 2 and 3 are before the marks */
    consumer_test_finish(&test);
    assert_int_equal(consumer_test_count_of("cats"), 1);
    assert_int_equal(consumer_test_sql("SELECT count(*) FROM gatehouse_consumed WHERE source = "
                                       "$$the'first\\$$ AND stream = 'votes'"),
                     4);
    assert_int_equal(
        consumer_test_sql("SELECT count(*) FROM gatehouse_parked WHERE source = $$the'first\\$$"),
        1);
}

static int run(void)
{
#define TEST(name) cmocka_unit_test_setup(name, consumer_test_set_up)
    const struct CMUnitTest tests[] = {
        TEST(parks_a_value_that_is_a_wrong_name_when_others_pass),
        TEST(parks_it_when_it_comes_alone_after_others),
        TEST(a_flood_of_them_holds_up_nobody_behind_it),
        TEST(a_broken_function_parks_nothing_and_tells_no_values),
        TEST(goes_on_when_a_prepared_statement_went_stale),
        TEST(parks_what_is_too_large_to_be_read),
        TEST(parks_what_is_too_large_of_a_consumer_that_is_gone),
        TEST(one_behind_a_large_one_that_was_taken_over_is_not_parked_for_it),
        TEST(a_group_that_vanished_begins_behind_what_was_forgotten),
        TEST(a_group_that_vanished_loses_nothing_that_was_not_applied),
        TEST(a_group_of_before_such_notes_does_not_begin_at_the_first_entry),
        TEST(what_is_pending_is_behind_where_a_group_of_before_begins),
        TEST(ids_of_two_servers_are_two_entries),
        TEST(tables_without_a_source_are_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return consumer_test_main(run);
}
