#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define ASSERT_HOLDS(buf, text) assert_true(gh_str_eq(gh_buf_str(buf), gh_str_from_c(text)))

static void fills_to_the_last_byte(void **state)
{
    char memory[4];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&buf, GH_STR("abc"));
    gh_buf_put_char(&buf, 'd');
    assert_false(buf.overflow);
    ASSERT_HOLDS(&buf, "abcd");
}

static void overflow_writes_nothing_and_stays_set(void **state)
{
    char memory[4] = "wxyz";
    struct gh_buf buf = gh_buf_over(memory, 3);
    gh_buf_put(&buf, GH_STR("abcd"));
    assert_true(buf.overflow);
    assert_int_equal(buf.len, 0);
    assert_memory_equal(memory, "wxyz", 4);
    gh_buf_put(&buf, GH_STR("ab"));
    assert_true(buf.overflow);
    assert_int_equal(memory[3], 'z');
}

static void puts_the_empty_slice_into_a_full_buffer(void **state)
{
    struct gh_buf buf = gh_buf_over(NULL, 0);
    gh_buf_put(&buf, gh_str_of(NULL, 0));
    assert_false(buf.overflow);
    gh_buf_put_char(&buf, 'a');
    assert_true(buf.overflow);
}

static void writes_decimal_numbers(void **state)
{
    char memory[64];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_u64(&buf, 0);
    gh_buf_put_char(&buf, ' ');
    gh_buf_put_u64(&buf, 10);
    gh_buf_put_char(&buf, ' ');
    gh_buf_put_u64(&buf, UINT64_MAX);
    ASSERT_HOLDS(&buf, "0 10 18446744073709551615");
}

static void writes_hexadecimal_numbers(void **state)
{
    char memory[64];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_hex(&buf, 0);
    gh_buf_put_char(&buf, ' ');
    gh_buf_put_hex(&buf, 0x1f);
    gh_buf_put_char(&buf, ' ');
    gh_buf_put_hex(&buf, UINT64_MAX);
    ASSERT_HOLDS(&buf, "0 1f ffffffffffffffff");
}

static void writes_bytes_as_hexadecimal(void **state)
{
    char memory[8];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_hex_bytes(&buf, (const uint8_t[]){0x00, 0x0a, 0xff}, 3);
    ASSERT_HOLDS(&buf, "000aff");
    gh_buf_put_hex_bytes(&buf, (const uint8_t[]){1, 2}, 2);
    assert_true(buf.overflow);
}

static void formats_within_its_bounds(void **state)
{
    char memory[8];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_format(&buf, "%d-%s", 12, "abcd");
    ASSERT_HOLDS(&buf, "12-abcd");
    assert_false(buf.overflow);
    gh_buf_format(&buf, "%s", "x"); /* fits, but not with vsnprintf's NUL */
    assert_true(buf.overflow);
    ASSERT_HOLDS(&buf, "12-abcd");
}

static void refuses_to_format_into_no_room(void **state)
{
    char memory[2] = "ab";
    struct gh_buf buf = gh_buf_over(memory, 0);
    gh_buf_format(&buf, "%s", "");
    assert_true(buf.overflow);
    assert_int_equal(memory[0], 'a');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_to_the_last_byte),
        cmocka_unit_test(overflow_writes_nothing_and_stays_set),
        cmocka_unit_test(puts_the_empty_slice_into_a_full_buffer),
        cmocka_unit_test(writes_decimal_numbers),
        cmocka_unit_test(writes_hexadecimal_numbers),
        cmocka_unit_test(writes_bytes_as_hexadecimal),
        cmocka_unit_test(formats_within_its_bounds),
        cmocka_unit_test(refuses_to_format_into_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
