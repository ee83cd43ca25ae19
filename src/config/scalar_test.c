#include "config/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void reads_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } cases[] = {{"500ms", 500},      {"10s", 10000},
                 {"15m", 900000},     {"12h", 43200000},
                 {"30d", 2592000000}, {"0s", 0},
                 {"1ms", 1},          {"213503982334d", 213503982334ULL * 86400000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t ms = 1;
        assert_true(gh_config_read_duration(gh_str_from_c(cases[i].text), &ms));
        assert_int_equal(ms, cases[i].ms);
    }
}

static void refuses_what_is_no_duration(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",     "10",   "s",     "10 s",          " 10s",
        "10s ", "-1s",  "+1s",   "1.5s",          "010s",
        "10S",  "10w",  "1h30m", "10sec",         "0x1s",
        "ms",   "1e3s", "10\ns", "213503982335d", "99999999999999999999s"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t ms = 77;
        assert_false(gh_config_read_duration(gh_str_from_c(texts[i]), &ms));
        assert_int_equal(ms, 77);
    }
}

static void reads_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {{"0", 0},          {"512", 512},         {"64KiB", 65536},
                 {"1MiB", 1048576}, {"2GiB", 2147483648}, {"1048576", 1048576}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bytes = 1;
        assert_true(gh_config_read_size(gh_str_from_c(cases[i].text), &bytes));
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void refuses_what_is_no_size(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",       "1K",   "1KB",   "1kib",           "1 MiB",
        "1.5MiB", "-1",   "KiB",   "1TiB",           "1B",
        "01",     "0x10", "1_000", "17179869184GiB", "18446744073709551616"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t bytes = 77;
        assert_false(gh_config_read_size(gh_str_from_c(texts[i]), &bytes));
        assert_int_equal(bytes, 77);
    }
}

static void reads_rates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct gh_config_rate rate;
    } cases[] = {{"100/second", {100, 1000}},
                 {"5/minute", {5, 60000}},
                 {"3/hour", {3, 3600000}},
                 {"1/day", {1, 86400000}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gh_config_rate rate = {0};
        assert_true(gh_config_read_rate(gh_str_from_c(cases[i].text), &rate));
        assert_int_equal(rate.count, cases[i].rate.count);
        assert_int_equal(rate.window_ms, cases[i].rate.window_ms);
    }
}

static void refuses_what_is_no_rate(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",          "5",      "/minute", "5/",   "5/min",    "5 /minute", "5/ minute",
        "5/minutes", "0/hour", "-5/hour", "5/1m", "5/Minute", "5/week",    "5/minute/minute"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct gh_config_rate rate = {0};
        assert_false(gh_config_read_rate(gh_str_from_c(texts[i]), &rate));
        assert_int_equal(rate.count, 0);
    }
}

static void only_the_words_true_and_false_are_truth_values(void **state)
{
    (void)state;
    static const char *const truths[] = {"true", "True", "TRUE"};
    static const char *const lies[] = {"false", "False", "FALSE"};
    static const char *const neither[] = {"", "yes", "no", "on", "off", "1", "0", "tRUE", "y", "t"};
    bool value = false;
    for (size_t i = 0; i < 3; i++) {
        assert_true(gh_config_read_bool(gh_str_from_c(truths[i]), &value) && value);
        assert_true(gh_config_read_bool(gh_str_from_c(lies[i]), &value) && !value);
    }
    for (size_t i = 0; i < sizeof neither / sizeof neither[0]; i++)
        assert_false(gh_config_read_bool(gh_str_from_c(neither[i]), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(refuses_what_is_no_duration),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(refuses_what_is_no_size),
        cmocka_unit_test(reads_rates),
        cmocka_unit_test(refuses_what_is_no_rate),
        cmocka_unit_test(only_the_words_true_and_false_are_truth_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
