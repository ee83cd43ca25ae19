#include "store/stream_consumer_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/loop_state.h"

/* Ends what would never end. */
#define TEST_SECONDS 60

#define TABLES                                                                                     \
    "CREATE TABLE counts (choice text PRIMARY KEY CHECK (octet_length(choice) <= 8), "             \
    "count bigint NOT NULL);"                                                                      \
    "CREATE FUNCTION add_one(choice text) RETURNS bigint LANGUAGE sql AS $$ "                      \
    "INSERT INTO counts AS c VALUES (choice, 1) ON CONFLICT (choice) DO UPDATE "                   \
    "SET count = c.count + 1 RETURNING count $$;"

struct gh_postgres_fixture consumer_test_postgres;
struct gh_redis_server consumer_test_redis;
static const struct gh_str CHOICE = GH_STR_INIT("choice");

struct gh_stream_counts consumer_test_counts(const struct consumer_test *test)
{
    return gh_stream_consumer_counts(test->consumer);
}

/* alarm(2) ends what would never end, and this says before what it waited for. */
void consumer_test_turn(struct consumer_test *test, const char *condition)
{
    struct gh_stream_counts now = consumer_test_counts(test);
    if (!test->since_ms)
        test->since_ms = gh_monotonic_now_ms();
    if (gh_monotonic_now_ms() - test->since_ms > (TEST_SECONDS - 5) * 1000)
        fail_msg("in vain: %s; applied %llu repeated %llu parked %llu lag %lld pending %llu\n%s",
                 condition, (unsigned long long)now.applied, (unsigned long long)now.repeated,
                 (unsigned long long)now.parked, (long long)now.lag,
                 (unsigned long long)now.pending, test->told);
    gh_loop_turn(test->loop, true);
}

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
void consumer_test_prepare(struct consumer_test *test, const char *name)
{
    char url[128];
    *test = (struct consumer_test){.ended = false};
    gh_arena_init(&test->arena, 4096, 1 << 20);
    assert_int_equal(gh_loop_open(&test->loop), GH_OK);
    snprintf(url, sizeof(url), "unix:%s", consumer_test_redis.path);
    assert_null(gh_redis_url_parse(gh_str_from_c(url), &test->arena, &test->url));
    test->sink_options = (struct gh_stream_sink_options){
        .url = consumer_test_postgres.url,
        .source = GH_STR("here"),
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

void consumer_test_begin(struct consumer_test *test)
{
    struct gh_str message;
    assert_int_equal(gh_stream_sink_new(&test->sink_options, &test->sink), GH_OK);
    test->options.sink = test->sink;
    assert_int_equal(gh_stream_consumer_open(test->loop, &test->options, &test->arena,
                                             &test->consumer, &message),
                     GH_OK);
}

void consumer_test_finish(struct consumer_test *test)
{
    if (!test->ended)
        gh_stream_consumer_stop(test->consumer);
    CONSUMER_RUN_UNTIL(test, test->ended);
    gh_loop_stop(test->loop);
    gh_loop_run(test->loop);
    gh_loop_close(test->loop);
    gh_stream_consumer_free(test->consumer);
    gh_stream_sink_free(test->sink);
    gh_arena_done(&test->arena);
}

uint64_t consumer_test_sql(const char *text)
{
    return gh_postgres_fixture_sql(&consumer_test_postgres, text);
}

const char *consumer_test_ask(const char *command)
{
    return gh_redis_server_ask(&consumer_test_redis, command);
}

void consumer_test_add(const char *choice, unsigned count)
{
    char command[128];
    snprintf(command, sizeof(command), "XADD votes * choice %s", choice);
    for (unsigned i = 0; i < count; i++)
        assert_int_not_equal(*consumer_test_ask(command), '-');
}

uint64_t consumer_test_count_of(const char *choice)
{
    char query[128];
    snprintf(query, sizeof(query), "SELECT count FROM counts WHERE choice = '%s'", choice);
    return consumer_test_sql(query);
}

void consumer_test_assert_nothing_pending(void)
{
    assert_string_equal(
        consumer_test_ask("EVAL \"return redis.call('XPENDING','votes','counters')[1]\" 0"), ":0");
}

int consumer_test_set_up(void **state)
{
    (void)state;
    alarm(TEST_SECONDS);
    consumer_test_ask("FLUSHALL");
    gh_postgres_fixture_bare(&consumer_test_postgres);
    consumer_test_sql(TABLES);
    return 0;
}

int consumer_test_main(int (*run)(void))
{
    if (!gh_redis_server_is_installed()) {
        printf("skipped: redis-server is not installed\n");
        return GH_POSTGRES_SKIPPED;
    }
    if (!gh_postgres_fixture_start(&consumer_test_postgres))
        return GH_POSTGRES_SKIPPED;
    gh_redis_server_open(&consumer_test_redis, NULL);
    int failed = run();
    gh_redis_server_close(&consumer_test_redis);
    gh_postgres_fixture_done(&consumer_test_postgres);
    return failed;
}
