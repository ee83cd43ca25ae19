/* One entry of `upstreams` as it is written in the file. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "upstream/upstream.h"

static struct gh_arena arena;
static struct gh_config_load load;
static struct gh_upstream_settings settings;

static const char *no_environment(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

static int arena_setup(void **state)
{
    gh_arena_init(&arena, 4096, 1024 * 1024);
    return 0;
}

static int arena_teardown(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

static void read_settings(const char *yaml)
{
    memset(&settings, 0, sizeof settings);
    gh_config_load_init(&load, &arena, "test.yaml", no_environment, NULL);
    const struct gh_config_node *node = gh_config_parse(&load, gh_str_from_c(yaml));
    gh_config_bind(&load, &gh_upstream_table, node, &settings);
}

static void assert_refused(const char *yaml)
{
    read_settings(yaml);
    if (!load.error_count)
        fail_msg("taken: %s", yaml);
}

static void has_the_documented_defaults(void **state)
{
    read_settings("servers: [http://10.0.0.5:8000, unix:/run/app.sock]");
    assert_int_equal(load.error_count, 0);
    assert_int_equal(settings.servers.count, 2);
    assert_true(
        gh_str_eq(((struct gh_str *)settings.servers.items)[1], GH_STR("unix:/run/app.sock")));
    assert_int_equal(settings.balance, GH_BALANCE_LEAST_REQUESTS);
    assert_int_equal(settings.health.path.len, 0);
    assert_int_equal(settings.health.interval_ms, 5000);
    assert_int_equal(settings.health.timeout_ms, 2000);
    assert_int_equal(settings.health.fails, 3);
    assert_int_equal(settings.health.passes, 2);
    assert_int_equal(settings.timeouts.connect_ms, 2000);
    assert_int_equal(settings.timeouts.response_ms, 30000);
    assert_int_equal(settings.timeouts.idle_ms, 60000);
    assert_int_equal(settings.connections_max, 0);
    assert_int_equal(settings.ca.len, 0);
}

static void reads_all_that_can_be_said(void **state)
{
    read_settings("servers: https://api.internal\n"
                  "balance: round_robin\n"
                  "health: {path: /health, interval: 1m, timeout: 500ms, fails: 1, passes: 5}\n"
                  "timeouts: {connect: 1s, response: 2m, idle: 10s}\n"
                  "connections: 100\n"
                  "ca: /etc/ssl/internal.pem\n");
    assert_int_equal(load.error_count, 0);
    assert_int_equal(settings.servers.count, 1);
    assert_int_equal(settings.balance, GH_BALANCE_ROUND_ROBIN);
    assert_true(gh_str_eq(settings.health.path, GH_STR("/health")));
    assert_int_equal(settings.health.interval_ms, 60000);
    assert_int_equal(settings.health.timeout_ms, 500);
    assert_int_equal(settings.health.fails, 1);
    assert_int_equal(settings.health.passes, 5);
    assert_int_equal(settings.timeouts.connect_ms, 1000);
    assert_int_equal(settings.timeouts.response_ms, 120000);
    assert_int_equal(settings.timeouts.idle_ms, 10000);
    assert_int_equal(settings.connections_max, 100);
    assert_true(gh_str_eq(settings.ca, GH_STR("/etc/ssl/internal.pem")));
}

static void refuses_what_is_missing_unknown_or_out_of_range(void **state)
{
    assert_refused("balance: round_robin");
    assert_refused("servers: [http://a]\nbalance: random");
    assert_refused("servers: [http://a]\nserver: http://b");
    assert_refused("servers: [http://a]\nhealth: {pth: /}");
    assert_refused("servers: [http://a]\nhealth: {path: /, fails: 0}");
    assert_refused("servers: [http://a]\nhealth: {path: /, interval: 1ms}");
    assert_refused("servers: [http://a]\ntimeouts: {connect: 0s}");
    assert_refused("servers: [http://a]\ntimeouts: {response: 2}");
    assert_refused("servers: [http://a]\nconnections: -1");
    assert_refused("servers: {a: b}");
}

#define SETTINGS_TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SETTINGS_TEST(has_the_documented_defaults),
        SETTINGS_TEST(reads_all_that_can_be_said),
        SETTINGS_TEST(refuses_what_is_missing_unknown_or_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
