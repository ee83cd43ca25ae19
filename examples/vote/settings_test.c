#include "settings.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    "LISTEN", "VOTE_OPTIONS",   "VOTE_ONCE", "IDENTITY_HEADER",  "DATABASE_URL", "REDIS_URL",
    "STREAM", "BODY_BYTES_MAX", "THREADS",   "STORE_TIMEOUT_MS", "DRAIN_SECONDS"};

static int clear_environment(void **state)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    return 0;
}

static void runs_on_sqlite_when_nothing_is_set(void **state)
{
    struct settings settings;
    char message[200];
    assert_true(settings_read(&settings, message, sizeof(message)));
    assert_string_equal(settings.listen, "127.0.0.1:8000");
    assert_string_equal(settings.sqlite_path, "votes.db");
    assert_null(settings.postgres_url);
    assert_false(settings.has_redis);
    assert_false(settings.once_per_user);
    assert_int_equal(settings.ballot.count, 2);
    assert_int_equal(settings.body_bytes_max, 4096);
    assert_int_equal(settings.drain_seconds, 30);
}

static void an_empty_variable_counts_as_none(void **state)
{
    struct settings settings;
    char message[200];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        setenv(names[i], "", 1);
    assert_true(settings_read(&settings, message, sizeof(message)));
    assert_string_equal(settings.sqlite_path, "votes.db");
}

static void reads_a_stream_beside_postgresql(void **state)
{
    struct settings settings;
    char message[200];
    setenv("DATABASE_URL", "postgresql://db/votes", 1);
    setenv("REDIS_URL", "redis://:secret@cache:6380/1", 1);
    setenv("VOTE_ONCE", "user", 1);
    assert_true(settings_read(&settings, message, sizeof(message)));
    assert_null(settings.sqlite_path);
    assert_true(settings.has_redis);
    assert_int_equal(settings.redis.port, 6380);
    assert_string_equal(settings.stream, "votes");
    assert_true(settings.once_per_user);
    assert_string_equal(settings.identity_header, "X-User-Id");
}

static void names_the_variable_that_is_wrong_and_never_its_value(void **state)
{
    const struct {
        const char *name, *value;
    } wrong[] = {
        {"VOTE_OPTIONS", "cats"},
        {"VOTE_ONCE", "yes"},
        {"IDENTITY_HEADER", "X User"},
        {"IDENTITY_HEADER", "X-User:"},
        {"DATABASE_URL", "mysql://secret"},
        {"DATABASE_URL", "sqlite:"},
        {"REDIS_URL", "rediss://secret"},
        {"REDIS_URL", "redis://secret"},
        {"BODY_BYTES_MAX", "63"},
        {"BODY_BYTES_MAX", "1048577"},
        {"BODY_BYTES_MAX", "4k"},
        {"BODY_BYTES_MAX", "-100"},
        {"THREADS", "0"},
        {"THREADS", " 4"},
        {"STORE_TIMEOUT_MS", "99999999999999999999"},
        {"DRAIN_SECONDS", "601"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct settings settings = {.threads = 77};
        char message[200] = "";
        clear_environment(state);
        setenv(wrong[i].name, wrong[i].value, 1);
        assert_false(settings_read(&settings, message, sizeof(message)));
        assert_int_equal(settings.threads, 77);
        assert_non_null(strstr(message, wrong[i].name));
        assert_null(strstr(message, "secret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(runs_on_sqlite_when_nothing_is_set, clear_environment),
        cmocka_unit_test_setup(an_empty_variable_counts_as_none, clear_environment),
        cmocka_unit_test_setup(reads_a_stream_beside_postgresql, clear_environment),
        cmocka_unit_test_setup(names_the_variable_that_is_wrong_and_never_its_value,
                               clear_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
