#include "base/utf8.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void measures_each_length(void **state)
{
    assert_int_equal(gh_utf8_sequence_len(GH_STR("a")), 1);
    assert_int_equal(gh_utf8_sequence_len(GH_STR("\0")), 1);
    assert_int_equal(gh_utf8_sequence_len(GH_STR("\xc2\x80")), 2);
    assert_int_equal(gh_utf8_sequence_len(GH_STR("\xe2\x82\xac...")), 3);
    assert_int_equal(gh_utf8_sequence_len(GH_STR("\xf0\x9f\x98\x80")), 4);
    assert_int_equal(gh_utf8_sequence_len(GH_STR("\xf4\x8f\xbf\xbf")), 4);
    assert_true(gh_utf8_is_valid(GH_STR("a\xc3\xa4\xed\x9f\xbf\xee\x80\x80z")));
    assert_true(gh_utf8_is_valid(GH_STR("")));
}

static void refuses_ill_formed_sequences(void **state)
{
    static const struct gh_str TEXTS[] = {
        GH_STR_INIT("\x80"),             /* stray continuation */
        GH_STR_INIT("\xc3"),             /* cut */
        GH_STR_INIT("\xc3z"),            /* cut by ASCII */
        GH_STR_INIT("\xe2\x82"),         /* cut */
        GH_STR_INIT("\xf0\x9f\x98z"),    /* cut by ASCII */
        GH_STR_INIT("\xc0\xaf"),         /* overlong '/' */
        GH_STR_INIT("\xc1\xbf"),         /* overlong */
        GH_STR_INIT("\xe0\x80\xaf"),     /* overlong '/' */
        GH_STR_INIT("\xf0\x80\x80\xaf"), /* overlong '/' */
        GH_STR_INIT("\xf0\x8f\xbf\xbf"), /* overlong */
        GH_STR_INIT("\xed\xa0\x80"),     /* surrogate */
        GH_STR_INIT("\xf4\x90\x80\x80"), /* above U+10FFFF */
        GH_STR_INIT("\xf5\x80\x80\x80"), /* above U+10FFFF */
        GH_STR_INIT("\xfe"),
        GH_STR_INIT("\xff"),
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        assert_int_equal(gh_utf8_sequence_len(TEXTS[i]), 0);
        assert_false(gh_utf8_is_valid(TEXTS[i]));
    }
    assert_int_equal(gh_utf8_sequence_len(gh_str_of(NULL, 0)), 0);
}

/* Table 3-7 of Unicode gives 1,112,064 - 128 sequences of more than one byte. */
static void accepts_each_code_point_once(void **state)
{
    unsigned long accepted = 0;
    for (unsigned first = 0xc0; first < 0x100; first++) {
        for (unsigned second = 0; second < 0x100; second++) {
            char bytes[4] = {(char)first, (char)second, (char)0x80, (char)0xbf};
            switch (gh_utf8_sequence_len(gh_str_of(bytes, 4))) {
            case 2:
                accepted += 1;
                break;
            case 3:
                accepted += 64;
                break;
            case 4:
                accepted += 64 * 64;
                break;
            }
        }
    }
    assert_int_equal(accepted, 0x110000 - 0x800 - 0x80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_each_length),
        cmocka_unit_test(refuses_ill_formed_sequences),
        cmocka_unit_test(accepts_each_code_point_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
