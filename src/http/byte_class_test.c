#include "http/byte_class.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>

static bool is_one_of(int c, const char *set)
{
    return c != 0 && c < 128 && strchr(set, c) != NULL;
}

static void classes_are_those_of_the_grammars(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool alnum = c < 128 && isalnum(c);
        bool vchar = c > 0x20 && c < 0x7f;
        assert_int_equal(gh_byte_is((char)c, GH_BYTE_TOKEN),
                         alnum || is_one_of(c, "!#$%&'*+-.^_`|~"));
        assert_int_equal(gh_byte_is((char)c, GH_BYTE_TARGET), vchar && !is_one_of(c, "%#\\"));
        assert_int_equal(gh_byte_is((char)c, GH_BYTE_HOST), alnum || is_one_of(c, "-._:[]"));
        assert_int_equal(gh_byte_is((char)c, GH_BYTE_FIELD_VALUE),
                         vchar || c == ' ' || c == '\t' || c >= 0x80);
    }
}

static void the_vector_search_finds_what_the_scalar_one_finds(void **state)
{
    (void)state;
    char bytes[80];
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < sizeof(bytes); at++) {
            memset(bytes, at % 2 ? '\t' : (char)0xe9, sizeof(bytes));
            bytes[at] = (char)c;
            for (size_t from = 0; from < 20; from++) {
                for (size_t to = sizeof(bytes) - 20; to <= sizeof(bytes); to += 5) {
                    assert_int_equal(gh_find_control(bytes, from, to),
                                     gh_find_control_scalar(bytes, from, to));
                }
            }
        }
    }
}

static void the_search_stays_within_its_bounds(void **state)
{
    (void)state;
    assert_int_equal(gh_find_control("\r\n", 0, 0), 0);
    assert_int_equal(gh_find_control("ab\r\n", 0, 2), 2);
    assert_int_equal(gh_find_control("ab\r\n", 0, 4), 2);
    assert_int_equal(gh_find_control("ab\r\n", 3, 4), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_those_of_the_grammars),
        cmocka_unit_test(the_vector_search_finds_what_the_scalar_one_finds),
        cmocka_unit_test(the_search_stays_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
