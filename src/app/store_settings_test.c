#include "app/store_settings.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "app/root_config.h"
#include "app/store_open.h"
#include "config/render_problems.h"

#define HEAD "version: 1\nhosts: [a.example]\nenvironment: development\n"

static const char *const NOTHING[] = {NULL};
static const char *const ENVIRONMENT[] = {
    "DATABASE_URL", "postgresql://gate:hunter2@db.example/gate?sslmode=verify-full", NULL};

/* Problems of the table `store`, and what it came to. */
static struct gh_store_settings load(const char *text, const char *const *environment,
                                     const char *expected)
{
    struct test_load test;
    struct gh_root_settings settings;
    test_load_init(&test, environment);
    if (gh_root_load(&test.load, gh_str_from_c(text), NULL, &settings))
        gh_store_settings_check(&test.load, &settings.store, false);
    assert_string_equal(test_load_problems(&test), expected);
    assert_null(strstr(test_load_problems(&test), "hunter"));
    struct gh_store_settings store = settings.store;
    store.url = GH_STR(""); /* it goes with the load */
    test_load_done(&test);
    return store;
}

static void has_defaults_in_each_form(void **state)
{
    static const char *const TEXTS[] = {
        HEAD,
        HEAD "store: sqlite:/tmp/x.db\n",
        HEAD "store: {url: 'postgresql:///gate'}\n",
        HEAD "store:\n",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct gh_store_settings store = load(TEXTS[i], NOTHING, "");
        assert_int_equal(store.connections, 8);
        assert_int_equal(store.statement_timeout_ms, 5000);
        assert_int_equal(store.connect_timeout_ms, 5000);
    }
}

static void takes_connections_and_times(void **state)
{
    struct gh_store_settings store =
        load(HEAD "store:\n  url: postgresql:///gate\n  connections: 64\n"
                  "  statement_timeout: 250ms\n  connect_timeout: 1m\n",
             NOTHING, "");
    assert_int_equal(store.connections, 64);
    assert_int_equal(store.statement_timeout_ms, 250);
    assert_int_equal(store.connect_timeout_ms, 60000);
}

static void the_environment_names_the_server_and_the_file_how_it_is_used(void **state)
{
    struct gh_store_settings store =
        load(HEAD "store: {url: 'sqlite:/tmp/x.db', connections: 3}\n", ENVIRONMENT, "");
    assert_int_equal(store.connections, 3);
    load(HEAD "store: {connections: 3}\n", ENVIRONMENT, "");
}

static void refuses_what_is_out_of_range(void **state)
{
    load(HEAD "store: {url: 'postgresql:///g', connections: 1}\n", NOTHING,
         "4:46 connections: 1 is out of range, allowed is 2 to 64\n");
    load(HEAD "store: {url: 'postgresql:///g', connections: 65}\n", NOTHING,
         "4:46 connections: 65 is out of range, allowed is 2 to 64\n");
    load(HEAD "store: {url: 'postgresql:///g', connections: many}\n", NOTHING,
         "4:46 connections: expected a whole number, found \"many\" | write digits only\n");
    load(HEAD "store: {url: 'postgresql:///g', statement_timeout: 50ms}\n", NOTHING,
         "4:52 statement_timeout: 50ms is out of range, allowed is 100ms to 1m\n");
    load(HEAD "store: {url: 'postgresql:///g', connect_timeout: 1s}\n", NOTHING,
         "4:50 connect_timeout: 1s is out of range, allowed is 2s to 1m\n");
    load(HEAD "store: {url: 'postgresql:///g', connection: 9}\n", NOTHING,
         "4:33 unknown key \"connection\" in store | did you mean \"connections\"?\n");
}

static void says_that_a_file_has_no_connections(void **state)
{
    load(HEAD "store:\n  url: sqlite:/tmp/x.db\n  connections: 9\n", NOTHING,
         "6:16 warning: store.connections is for PostgreSQL, and the store is none | leave it "
         "out\n");
}

static void knows_what_needs_a_restart(void **state)
{
    const struct gh_store_settings one = {GH_STR("postgresql:///g"), 8, 5000, 5000};
    struct gh_store_settings others[] = {one, one, one, one};
    assert_true(gh_store_settings_are_same(&one, &others[0]));
    others[0].url = GH_STR("postgresql:///h");
    others[1].connections = 9;
    others[2].statement_timeout_ms = 6000;
    others[3].connect_timeout_ms = 6000;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(gh_store_settings_are_same(&one, &others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_defaults_in_each_form),
        cmocka_unit_test(takes_connections_and_times),
        cmocka_unit_test(the_environment_names_the_server_and_the_file_how_it_is_used),
        cmocka_unit_test(refuses_what_is_out_of_range),
        cmocka_unit_test(says_that_a_file_has_no_connections),
        cmocka_unit_test(knows_what_needs_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
