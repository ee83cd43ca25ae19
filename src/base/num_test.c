#include "base/num.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void reads_plain_decimal_numbers(void **state)
{
    uint64_t value;
    assert_true(gh_num_parse_u64(GH_STR("0"), 0, &value));
    assert_int_equal(value, 0);
    assert_true(gh_num_parse_u64(GH_STR("65535"), 65535, &value));
    assert_int_equal(value, 65535);
    assert_true(gh_num_parse_u64(GH_STR("18446744073709551615"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
}

static void refuses_anything_but_plain_digits(void **state)
{
    static const struct gh_str TEXTS[] = {
        GH_STR_INIT(""),    GH_STR_INIT("+1"),       GH_STR_INIT("-1"),  GH_STR_INIT(" 1"),
        GH_STR_INIT("1 "),  GH_STR_INIT("0x1"),      GH_STR_INIT("01"),  GH_STR_INIT("00"),
        GH_STR_INIT("1,1"), GH_STR_INIT("1.0"),      GH_STR_INIT("1e1"), GH_STR_INIT("1_0"),
        GH_STR_INIT("1\0"), GH_STR_INIT("\xd9\xa1"), /* an Arabic digit */
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        uint64_t value = 7;
        assert_false(gh_num_parse_u64(TEXTS[i], UINT64_MAX, &value));
        assert_int_equal(value, 7);
    }
}

static void refuses_what_is_too_large(void **state)
{
    uint64_t value = 7;
    assert_false(gh_num_parse_u64(GH_STR("65536"), 65535, &value));
    assert_false(gh_num_parse_u64(GH_STR("18446744073709551616"), UINT64_MAX, &value));
    assert_false(gh_num_parse_u64(GH_STR("18446744073709551620"), UINT64_MAX, &value));
    assert_false(gh_num_parse_u64(GH_STR("99999999999999999999999"), UINT64_MAX, &value));
    assert_int_equal(value, 7);
}

static void reads_hexadecimal_digits_of_either_case(void **state)
{
    assert_int_equal(gh_num_hex_digit('0'), 0);
    assert_int_equal(gh_num_hex_digit('9'), 9);
    assert_int_equal(gh_num_hex_digit('a'), 10);
    assert_int_equal(gh_num_hex_digit('F'), 15);
    int digits = 0;
    for (int c = 0; c < 256; c++)
        digits += gh_num_hex_digit((char)c) >= 0;
    assert_int_equal(digits, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_plain_decimal_numbers),
        cmocka_unit_test(refuses_anything_but_plain_digits),
        cmocka_unit_test(refuses_what_is_too_large),
        cmocka_unit_test(reads_hexadecimal_digits_of_either_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
