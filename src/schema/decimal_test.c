#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "schema/decimal.h"

static struct gh_decimal of(const char *text)
{
    return gh_decimal_read(gh_str_from_c(text));
}

static int order(const char *a, const char *b)
{
    struct gh_decimal x = of(a), y = of(b);
    assert_int_equal(gh_decimal_compare(&x, &y), -gh_decimal_compare(&y, &x));
    if (gh_decimal_compare(&x, &y) == 0)
        assert_int_equal(gh_decimal_hash(&x), gh_decimal_hash(&y));
    return gh_decimal_compare(&x, &y);
}

static bool multiple(const char *number, const char *divisor)
{
    struct gh_decimal x = of(number), y = of(divisor);
    return gh_decimal_is_multiple(&x, &y);
}

static void equal_numbers_compare_equal_however_they_are_written(void **state)
{
    static const char *const PAIRS[][2] = {
        {"1", "1.0"},           {"0", "-0.00e5"},     {"100", "1e2"},
        {"0.001", "1E-3"},      {"12.50", "1250e-2"}, {"-7", "-0.7e+1"},
        {"1e400", "10e399"},    {"0.10", "0.1"},      {"1000000000000000000000", "1e21"},
        {"1.5e-400", "15e-401"}};
    (void)state;
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++)
        assert_int_equal(order(PAIRS[i][0], PAIRS[i][1]), 0);
}

static void lesser_numbers_compare_as_less(void **state)
{
    static const char *const PAIRS[][2] = {{"-1", "1"},
                                           {"-2", "-1"},
                                           {"0", "0.0000001"},
                                           {"-1e-400", "0"},
                                           {"9007199254740992", "9007199254740993"},
                                           {"0.1", "0.10000000000000000000001"},
                                           {"99999999999999999999", "100000000000000000000"},
                                           {"1e400", "1e401"},
                                           {"-1e401", "-1e400"},
                                           {"123.4", "123.45"},
                                           {"1e-5", "1.1e-5"}};
    (void)state;
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++)
        assert_int_equal(order(PAIRS[i][0], PAIRS[i][1]), -1);
}

static void whole_numbers_are_known_by_value(void **state)
{
    static const char *const WHOLE[] = {"0", "-0.0", "1.0", "1e400", "12.50e1", "-3"};
    static const char *const BROKEN[] = {"0.5", "1e-1", "12.5", "1.00000000000000000000000001"};
    struct gh_decimal number;
    (void)state;
    for (size_t i = 0; i < sizeof(WHOLE) / sizeof(WHOLE[0]); i++) {
        number = of(WHOLE[i]);
        assert_true(gh_decimal_is_integer(&number));
    }
    for (size_t i = 0; i < sizeof(BROKEN) / sizeof(BROKEN[0]); i++) {
        number = of(BROKEN[i]);
        assert_false(gh_decimal_is_integer(&number));
    }
}

static void multiples_are_exact(void **state)
{
    (void)state;
    assert_true(multiple("0.0075", "0.0001"));
    assert_false(multiple("0.00751", "0.0001"));
    assert_true(multiple("1.1", "0.1"));
    assert_true(multiple("4.35", "0.01"));
    assert_true(multiple("1e308", "0.5"));
    assert_false(multiple("1e308", "0.123456789"));
    assert_true(multiple("-9", "3"));
    assert_true(multiple("0", "7"));
    assert_true(multiple("12391239123", "1e-8"));
    assert_false(multiple("1", "2"));
    assert_false(multiple("1", "1e400"));
    assert_true(multiple("3e400", "1e400"));
    assert_true(multiple("1e999999999999", "8"));
    assert_false(multiple("1e999999999999", "3"));
    assert_true(multiple("340282366920938463463374607431768211456", "65536"));
    assert_false(multiple("340282366920938463463374607431768211457", "65536"));
}

static void counts_are_whole_and_not_negative(void **state)
{
    struct gh_decimal number = of("2.0");
    uint64_t count = 7;
    (void)state;
    assert_true(gh_decimal_u64(&number, &count));
    assert_int_equal(count, 2);
    number = of("-1");
    assert_false(gh_decimal_u64(&number, &count));
    number = of("1.5");
    assert_false(gh_decimal_u64(&number, &count));
    number = of("1e400");
    assert_true(gh_decimal_u64(&number, &count));
    assert_true(count == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_numbers_compare_equal_however_they_are_written),
        cmocka_unit_test(lesser_numbers_compare_as_less),
        cmocka_unit_test(whole_numbers_are_known_by_value),
        cmocka_unit_test(multiples_are_exact),
        cmocka_unit_test(counts_are_whole_and_not_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
