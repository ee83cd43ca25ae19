/* Streams of a real Redis into tables of a real PostgreSQL. */
#include "store/stream_consumer.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/loop_state.h"
#include "store/postgres_fixture.h"
#include "store/redis_fixture.h"

/* Ends what would never end. */
#define TEST_SECONDS 60

#define TABLES                                                                                     \
    "CREATE TABLE counts (choice text PRIMARY KEY CHECK (octet_length(choice) <= 8), "             \
    "count bigint NOT NULL);"                                                                      \
    "CREATE FUNCTION add_one(choice text) RETURNS bigint LANGUAGE sql AS $$ "                      \
    "INSERT INTO counts AS c VALUES (choice, 1) ON CONFLICT (choice) DO UPDATE "                   \
    "SET count = c.count + 1 RETURNING count $$;"

static struct gh_postgres_fixture postgres;
static struct gh_redis_server redis;
static const struct gh_str CHOICE = GH_STR_INIT("choice");

struct consumer_test {
    struct gh_loop *loop;
    struct gh_arena arena;
    struct gh_redis_url url;
    struct gh_stream_sink *sink;
    struct gh_stream_consumer *consumer;
    struct gh_stream_consumer_options options;
    struct gh_stream_sink_options sink_options;
    bool ended;
    uint64_t since_ms; /* of the first turn */
    char told[8192];
};

static struct gh_stream_counts counts(const struct consumer_test *test)
{
    return gh_stream_consumer_counts(test->consumer);
}

/* alarm(2) ends what would never end, and this says before what it waited for. */
static void turn(struct consumer_test *test, const char *condition)
{
    struct gh_stream_counts now = counts(test);
    if (!test->since_ms)
        test->since_ms = gh_monotonic_now_ms();
    if (gh_monotonic_now_ms() - test->since_ms > (TEST_SECONDS - 5) * 1000)
        fail_msg("in vain: %s; applied %llu repeated %llu parked %llu lag %lld pending %llu\n%s",
                 condition, (unsigned long long)now.applied, (unsigned long long)now.repeated,
                 (unsigned long long)now.parked, (long long)now.lag,
                 (unsigned long long)now.pending, test->told);
    uv_run(&test->loop->uv, UV_RUN_ONCE);
}

#define UNTIL(test, condition)                                                                     \
    while (!(condition))                                                                           \
    turn(test, #condition)

static void tell(void *context, bool is_error, const char *text)
{
    struct consumer_test *test = context;
    size_t len = strlen(test->told);
    (void)is_error;
    snprintf(test->told + len, sizeof(test->told) - len, "%s\n", text);
}

static void ended(void *context)
{
    ((struct consumer_test *)context)->ended = true;
}

/* With options to be changed before it is opened. */
static void prepare(struct consumer_test *test, const char *name)
{
    char url[128];
    *test = (struct consumer_test){.ended = false};
    gh_arena_init(&test->arena, 4096, 1 << 20);
    assert_int_equal(gh_loop_open(&test->loop), GH_OK);
    snprintf(url, sizeof(url), "unix:%s", redis.path);
    assert_null(gh_redis_url_parse(gh_str_from_c(url), &test->arena, &test->url));
    test->sink_options = (struct gh_stream_sink_options){
        .url = postgres.url,
        .stream = GH_STR("votes"),
        .group = GH_STR("counters"),
        .statement = GH_STR("SELECT add_one($1)"),
        .field_count = 1,
    };
    test->options = (struct gh_stream_consumer_options){
        .url = &test->url,
        .stream = GH_STR("votes"),
        .group = GH_STR("counters"),
        .name = gh_str_from_c(name),
        .fields = &CHOICE,
        .field_count = 1,
        .tell = tell,
        .ended = ended,
        .context = test,
    };
}

static void begin(struct consumer_test *test)
{
    struct gh_str message;
    assert_int_equal(gh_stream_sink_new(&test->sink_options, &test->sink), GH_OK);
    test->options.sink = test->sink;
    assert_int_equal(gh_stream_consumer_open(test->loop, &test->options, &test->arena,
                                             &test->consumer, &message),
                     GH_OK);
}

static void finish(struct consumer_test *test)
{
    if (!test->ended)
        gh_stream_consumer_stop(test->consumer);
    UNTIL(test, test->ended);
    gh_loop_stop(test->loop);
    gh_loop_run(test->loop);
    gh_loop_close(test->loop);
    gh_stream_consumer_free(test->consumer);
    gh_stream_sink_free(test->sink);
    gh_arena_done(&test->arena);
}

static uint64_t sql(const char *text)
{
    return gh_postgres_fixture_sql(&postgres, text);
}

static const char *ask(const char *command)
{
    return gh_redis_server_ask(&redis, command);
}

static void add(const char *choice, unsigned count)
{
    char command[128];
    snprintf(command, sizeof(command), "XADD votes * choice %s", choice);
    for (unsigned i = 0; i < count; i++)
        assert_int_not_equal(*ask(command), '-');
}

static uint64_t count_of(const char *choice)
{
    char query[128];
    snprintf(query, sizeof(query), "SELECT count FROM counts WHERE choice = '%s'", choice);
    return sql(query);
}

static void assert_nothing_pending(void)
{
    assert_string_equal(ask("EVAL \"return redis.call('XPENDING','votes','counters')[1]\" 0"),
                        ":0");
}

static int set_up(void **state)
{
    (void)state;
    alarm(TEST_SECONDS);
    ask("FLUSHALL");
    gh_postgres_fixture_bare(&postgres);
    sql(TABLES);
    return 0;
}

/* ---- Once in effect ---- */

static void applies_and_acknowledges_what_comes(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    add("cats", 300); /* before there is a group */
    begin(&test);
    UNTIL(&test, counts(&test).applied == 300);
    add("dogs", 5);
    UNTIL(&test,
          counts(&test).applied == 305 && counts(&test).lag == 0 && counts(&test).pending == 0);
    assert_true(counts(&test).redis_is_up && counts(&test).database_is_up);
    finish(&test);
    assert_int_equal(count_of("cats"), 300);
    assert_int_equal(count_of("dogs"), 5);
    assert_int_equal(sql("SELECT count(*) FROM gatehouse_consumed"), 305);
    assert_nothing_pending();
}

static void applies_once_what_is_delivered_twice(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    add("cats", 40);
    begin(&test);
    UNTIL(&test, counts(&test).applied == 40);
    finish(&test);
    /* As if it had died before it could acknowledge, and everything were delivered again. */
    assert_string_equal(ask("XGROUP SETID votes counters 0"), "+OK");
    add("cats", 2);
    prepare(&test, "b");
    begin(&test);
    UNTIL(&test, counts(&test).applied + counts(&test).repeated == 42);
    assert_int_equal(counts(&test).repeated, 40);
    finish(&test);
    assert_int_equal(count_of("cats"), 42);
    assert_nothing_pending();
}

static void goes_on_with_its_own_entries_of_before(void **state)
{
    (void)state;
    struct consumer_test test;
    add("cats", 600);
    ask("XGROUP CREATE votes counters 0");
    ask("XREADGROUP GROUP counters a COUNT 600 STREAMS votes >"); /* and it died */
    prepare(&test, "a");
    begin(&test);
    UNTIL(&test, counts(&test).applied == 600);
    assert_int_equal(counts(&test).claimed, 0);
    finish(&test);
    assert_int_equal(count_of("cats"), 600);
    assert_nothing_pending();
}

static void takes_over_what_a_dead_consumer_left(void **state)
{
    (void)state;
    struct consumer_test test;
    add("cats", 600);
    ask("XGROUP CREATE votes counters 0");
    ask("XREADGROUP GROUP counters dead COUNT 600 STREAMS votes >");
    prepare(&test, "a");
    test.options.claim_ms = 300;
    begin(&test);
    UNTIL(&test, counts(&test).applied == 600);
    assert_int_equal(counts(&test).claimed, 600);
    finish(&test);
    assert_int_equal(count_of("cats"), 600);
    assert_nothing_pending();
}

static void leaves_alone_what_another_has_in_hand(void **state)
{
    (void)state;
    struct consumer_test test;
    add("cats", 3);
    ask("XGROUP CREATE votes counters 0");
    ask("XREADGROUP GROUP counters busy COUNT 3 STREAMS votes >");
    add("dogs", 3);
    prepare(&test, "a");
    begin(&test);
    UNTIL(&test, counts(&test).applied == 3 && counts(&test).pending == 3);
    finish(&test);
    assert_int_equal(count_of("cats"), 0);
    assert_int_equal(count_of("dogs"), 3);
}

/* ---- Entries that can't be applied ---- */

static void parks_a_refused_entry_while_those_behind_it_go_on(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    test.options.tries_max = 3;
    add("cats", 3);
    add("much_too_long", 1);
    add("cats", 3);
    begin(&test);
    UNTIL(&test, counts(&test).applied == 6);
    assert_int_equal(counts(&test).parked, 0); /* it has its next try before it */
    UNTIL(&test, counts(&test).parked == 1);
    assert_int_equal(counts(&test).refusals, 3);
    add("dogs", 1);
    UNTIL(&test, counts(&test).applied == 7);
    finish(&test);
    assert_int_equal(sql("SELECT tries FROM gatehouse_parked WHERE fields = "
                         "'[\"choice\",\"much_too_long\"]' AND reason LIKE 'SQLSTATE 23514: %'"),
                     3);
    assert_non_null(strstr(test.told, "parked after 3 tries: SQLSTATE 23514"));
    assert_null(strstr(test.told, "much_too_long")); /* values stay out of logs */
    assert_nothing_pending();
}

static void parks_malformed_entries_at_once(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    ask("XADD votes * color red");
    ask("XADD votes * choice \"a\\x00b\"");
    add("cats", 1);
    begin(&test);
    UNTIL(&test, counts(&test).parked == 2 && counts(&test).applied == 1);
    finish(&test);
    assert_int_equal(sql("SELECT count(*) FROM gatehouse_parked WHERE tries = 1 AND "
                         "reason = 'it has not all of the fields'"),
                     1);
    assert_int_equal(sql("SELECT count(*) FROM gatehouse_parked WHERE tries = 1 AND "
                         "fields = '[\"choice\",\"a\\u0000b\"]'"),
                     1);
    assert_nothing_pending();
}

static void parks_bytes_that_are_no_text(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    test.options.tries_max = 2;
    ask("XADD votes * choice \"\\xff\\xfe\"");
    add("cats", 1);
    begin(&test);
    UNTIL(&test, counts(&test).parked == 1 && counts(&test).applied == 1);
    finish(&test);
    assert_int_equal(sql("SELECT tries FROM gatehouse_parked WHERE reason LIKE '%22021%'"), 2);
    assert_nothing_pending();
}

static void takes_the_greatest_id_there_is(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    ask("XADD votes 18446744073709551614-18446744073709551615 choice cats");
    ask("XADD votes 18446744073709551615-18446744073709551615 choice cats");
    begin(&test);
    UNTIL(&test, counts(&test).applied == 2 && counts(&test).pending == 0);
    finish(&test);
    assert_int_equal(count_of("cats"), 2);
}

static void acknowledges_what_was_deleted_meanwhile(void **state)
{
    (void)state;
    struct consumer_test test;
    add("cats", 3);
    ask("XGROUP CREATE votes counters 0");
    ask("XREADGROUP GROUP counters a COUNT 3 STREAMS votes >");
    ask("XTRIM votes MAXLEN 1");
    prepare(&test, "a");
    begin(&test);
    UNTIL(&test, counts(&test).applied == 1 && counts(&test).pending == 0);
    assert_int_equal(counts(&test).vanished, 2);
    finish(&test);
    assert_nothing_pending();
}

/* ---- What is away ---- */

static void waits_for_a_function_that_is_missing_and_parks_nothing(void **state)
{
    (void)state;
    struct consumer_test test;
    sql("DROP FUNCTION add_one(text)");
    prepare(&test, "a");
    test.options.tries_max = 1;
    add("cats", 20);
    begin(&test);
    UNTIL(&test, counts(&test).failures >= 3);
    assert_false(counts(&test).database_is_up);
    assert_int_equal(counts(&test).applied + counts(&test).parked + counts(&test).refusals, 0);
    assert_non_null(strstr(test.told, "add_one"));
    sql("DROP TABLE counts;" TABLES);
    UNTIL(&test, counts(&test).applied == 20);
    assert_true(counts(&test).database_is_up);
    finish(&test);
    assert_int_equal(count_of("cats"), 20);
}

static void waits_for_a_table_that_vanished_and_parks_nothing(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    test.options.tries_max = 1;
    add("cats", 5);
    begin(&test);
    UNTIL(&test, counts(&test).applied == 5);
    sql("ALTER TABLE counts RENAME TO hidden");
    add("cats", 5);
    uint64_t failures = counts(&test).failures;
    UNTIL(&test, counts(&test).failures >= failures + 3);
    assert_int_equal(counts(&test).parked, 0);
    sql("ALTER TABLE hidden RENAME TO counts");
    UNTIL(&test, counts(&test).applied == 10);
    finish(&test);
    assert_int_equal(count_of("cats"), 10);
}

static void goes_on_when_the_database_is_back(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    add("cats", 10);
    begin(&test);
    UNTIL(&test, counts(&test).applied == 10);
    gh_postgres_fixture_stop(&postgres, SIGQUIT);
    add("cats", 10);
    UNTIL(&test, counts(&test).failures >= 2);
    assert_false(counts(&test).database_is_up);
    add("cats", 700);
    /* The lag is looked at all the same. */
    UNTIL(&test, counts(&test).lag >= 700 && counts(&test).lag != UINT64_MAX);
    gh_postgres_fixture_restart(&postgres);
    UNTIL(&test, counts(&test).applied == 720);
    assert_int_equal(counts(&test).parked, 0);
    finish(&test);
    assert_int_equal(count_of("cats"), 720);
    assert_nothing_pending();
}

static void goes_on_when_redis_is_back_without_its_data(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    add("cats", 10);
    begin(&test);
    UNTIL(&test, counts(&test).applied == 10);
    gh_redis_server_kill(&redis);
    UNTIL(&test, !counts(&test).redis_is_up);
    assert_true(counts(&test).lag == UINT64_MAX);
    gh_redis_server_start(&redis);
    add("cats", 7);
    UNTIL(&test, counts(&test).applied == 17);
    finish(&test);
    assert_int_equal(count_of("cats"), 17);
    assert_non_null(strstr(test.told, "Redis is away"));
}

static void makes_the_group_again_after_a_flush(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    add("cats", 10);
    begin(&test);
    UNTIL(&test, counts(&test).applied == 10);
    for (unsigned i = 1; i <= 3; i++) {
        /* Ids are milliseconds; one that was there before would be passed over. */
        uint64_t now_ms = gh_monotonic_now_ms();
        UNTIL(&test, gh_monotonic_now_ms() > now_ms + 1);
        ask("FLUSHALL");
        add("dogs", 4);
        UNTIL(&test, counts(&test).applied == 10 + 4 * i);
    }
    finish(&test);
    assert_int_equal(count_of("dogs"), 12);
    assert_nothing_pending();
}

static void survives_both_being_away_at_once(void **state)
{
    (void)state;
    struct consumer_test test;
    assert_string_equal(ask("CONFIG SET appendonly yes"), "+OK");
    prepare(&test, "a");
    add("cats", 10);
    begin(&test);
    UNTIL(&test, counts(&test).applied == 10);
    gh_postgres_fixture_stop(&postgres, SIGQUIT);
    add("cats", 10);
    UNTIL(&test, counts(&test).failures >= 1);
    gh_redis_server_kill(&redis);
    UNTIL(&test, !counts(&test).redis_is_up);
    gh_postgres_fixture_restart(&postgres);
    UNTIL(&test, counts(&test).applied >= 20); /* what was in hand is applied without Redis */
    gh_redis_server_start(&redis);
    UNTIL(&test, counts(&test).redis_is_up);
    finish(&test);
    assert_true(count_of("cats") >= 20);
}

static void a_wrong_kind_of_key_holds_it_up_until_it_is_gone(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    ask("SET votes 1");
    begin(&test);
    UNTIL(&test, strstr(test.told, "making the group: Redis refuses the command"));
    ask("DEL votes");
    add("cats", 1);
    UNTIL(&test, counts(&test).applied == 1);
    finish(&test);
}

/* ---- Bounds ---- */

static void makes_a_batch_smaller_that_takes_too_long(void **state)
{
    (void)state;
    struct consumer_test test;
    sql("CREATE OR REPLACE FUNCTION add_one(choice text) RETURNS bigint LANGUAGE sql AS $$ "
        "SELECT pg_sleep(0.2); INSERT INTO counts AS c VALUES (choice, 1) ON CONFLICT (choice) "
        "DO UPDATE SET count = c.count + 1 RETURNING count $$");
    prepare(&test, "a");
    test.sink_options.statement_ms = 500; /* a batch of 40 needs 8 s, and gets 3.5 s */
    test.options.batch = 40;
    add("cats", 40);
    begin(&test);
    /* One that was given up may have ended well a moment later. */
    UNTIL(&test, counts(&test).applied + counts(&test).repeated == 40);
    assert_true(counts(&test).failures > 0);
    finish(&test);
    assert_int_equal(count_of("cats"), 40);
}

static void forgets_what_was_applied_long_ago_and_is_not_pending(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    ask("XADD votes 1-1 choice cats"); /* its id says nothing of when */
    add("cats", 9);
    begin(&test);
    UNTIL(&test, counts(&test).applied == 10);
    finish(&test);
    sql("UPDATE gatehouse_consumed SET applied_at = now() - interval '8 days' "
        "WHERE entry_ms <> 1");
    add("dogs", 1);
    ask("XREADGROUP GROUP counters other COUNT 1 STREAMS votes >"); /* in hand, old, applied */
    sql("INSERT INTO gatehouse_consumed SELECT 'votes', 'counters', 18446744073709551614, 0, "
        "now() - interval '8 days'");
    prepare(&test, "a");
    begin(&test);
    UNTIL(&test, sql("SELECT count(*) FROM gatehouse_consumed") == 2);
    finish(&test);
    assert_int_equal(sql("SELECT count(*) FROM gatehouse_consumed WHERE entry_ms = 1"), 1);
    assert_int_equal(count_of("cats"), 10);
}

static void stops_in_the_middle_and_leaves_the_rest(void **state)
{
    (void)state;
    struct consumer_test test;
    prepare(&test, "a");
    test.options.batch = 10;
    add("cats", 500);
    begin(&test);
    UNTIL(&test, counts(&test).applied >= 50);
    finish(&test);
    assert_int_equal(count_of("cats"), sql("SELECT count(*) FROM gatehouse_consumed"));
    assert_true(count_of("cats") < 500);
    assert_nothing_pending(); /* what it had in hand is acknowledged */
    prepare(&test, "a");
    begin(&test);
    UNTIL(&test, count_of("cats") == 500);
    finish(&test);
}

static void stops_while_the_database_is_away(void **state)
{
    (void)state;
    struct consumer_test test;
    gh_postgres_fixture_stop(&postgres, SIGQUIT);
    prepare(&test, "a");
    add("cats", 10);
    begin(&test);
    UNTIL(&test, counts(&test).failures >= 1);
    finish(&test);
    gh_postgres_fixture_restart(&postgres);
    prepare(&test, "a");
    begin(&test);
    UNTIL(&test, counts(&test).applied == 10);
    finish(&test);
}

static void stops_before_redis_was_ever_there(void **state)
{
    (void)state;
    struct consumer_test test;
    gh_redis_server_kill(&redis);
    prepare(&test, "a");
    begin(&test);
    UNTIL(&test, strstr(test.told, "Redis is away"));
    finish(&test);
    gh_redis_server_start(&redis);
}

/* ---- Several at once ---- */

#define TOGETHER 4
#define ENTRIES  3000

static void *consume_until_all_is_done(void *argument)
{
    struct consumer_test *test = argument;
    UNTIL(test, test->ended || (counts(test).lag == 0 && counts(test).pending == 0));
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
        add(CHOICES[(i * 7 + i / 3) % 4], 1);
    for (size_t i = 0; i < TOGETHER; i++) {
        prepare(&tests[i], NAMES[i]);
        tests[i].options.batch = 50;
        begin(&tests[i]);
    }
    for (size_t i = 0; i < TOGETHER; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, consume_until_all_is_done, &tests[i]),
                         0);
    uint64_t applied = 0;
    for (size_t i = 0; i < TOGETHER; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(counts(&tests[i]).parked + counts(&tests[i]).refusals, 0);
        applied += counts(&tests[i]).applied;
    }
    for (size_t i = 0; i < TOGETHER; i++)
        finish(&tests[i]);
    assert_int_equal(applied, ENTRIES);
    assert_int_equal(sql("SELECT sum(count) FROM counts"), ENTRIES);
    assert_nothing_pending();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
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
        TEST(waits_for_a_function_that_is_missing_and_parks_nothing),
        TEST(waits_for_a_table_that_vanished_and_parks_nothing),
        TEST(goes_on_when_the_database_is_back),
        TEST(goes_on_when_redis_is_back_without_its_data),
        TEST(makes_the_group_again_after_a_flush),
        TEST(survives_both_being_away_at_once),
        TEST(a_wrong_kind_of_key_holds_it_up_until_it_is_gone),
        TEST(makes_a_batch_smaller_that_takes_too_long),
        TEST(forgets_what_was_applied_long_ago_and_is_not_pending),
        TEST(stops_in_the_middle_and_leaves_the_rest),
        TEST(stops_while_the_database_is_away),
        TEST(stops_before_redis_was_ever_there),
        TEST(several_at_once_apply_each_entry_once),
    };
    if (!gh_redis_server_is_installed()) {
        printf("skipped: redis-server is not installed\n");
        return GH_POSTGRES_SKIPPED;
    }
    if (!gh_postgres_fixture_start(&postgres))
        return GH_POSTGRES_SKIPPED;
    gh_redis_server_open(&redis, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gh_redis_server_close(&redis);
    gh_postgres_fixture_done(&postgres);
    return failed;
}
