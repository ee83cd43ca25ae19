#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct gh_str str(const char *text)
{
    return gh_str_from_c(text);
}

static void compares_the_whole_slice(void **state)
{
    assert_true(gh_str_eq(GH_STR("abc"), str("abc")));
    assert_true(gh_str_eq(GH_STR(""), gh_str_of(NULL, 0)));
    assert_false(gh_str_eq(GH_STR("abc"), GH_STR("ab")));
    assert_false(gh_str_eq(GH_STR("ab"), GH_STR("abc")));
    assert_false(gh_str_eq(GH_STR("a\0b"), GH_STR("a\0c")));
    assert_false(gh_str_eq(GH_STR("abc"), GH_STR("ABC")));
}

static void takes_null_text_for_empty(void **state)
{
    assert_int_equal(gh_str_from_c(NULL).len, 0);
    assert_non_null(gh_str_from_c(NULL).ptr);
}

static void folds_only_ascii_letters(void **state)
{
    assert_true(gh_str_ieq(GH_STR("Content-Length"), GH_STR("cONTENT-lENGTH")));
    assert_false(gh_str_ieq(GH_STR("abc"), GH_STR("abcd")));
    /* These pairs differ in the bit that tells a letter's case. */
    assert_false(gh_str_ieq(GH_STR("@"), GH_STR("`")));
    assert_false(gh_str_ieq(GH_STR("["), GH_STR("{")));
    assert_false(gh_str_ieq(GH_STR("\xc4"), GH_STR("\xe4")));
    assert_false(gh_str_ieq(GH_STR("-"), GH_STR("\r")));
}

static void finds_prefixes_and_suffixes(void **state)
{
    assert_true(gh_str_starts_with(GH_STR("/api/x"), GH_STR("/api")));
    assert_true(gh_str_starts_with(GH_STR("x"), GH_STR("")));
    assert_false(gh_str_starts_with(GH_STR("/ap"), GH_STR("/api")));
    assert_true(gh_str_ends_with(GH_STR("a.example.com"), GH_STR(".example.com")));
    assert_false(gh_str_ends_with(GH_STR("evilexample.com"), GH_STR(".example.com")));
    assert_false(gh_str_ends_with(GH_STR("com"), GH_STR(".com")));
}

static void finds_characters_and_needles(void **state)
{
    assert_int_equal(gh_str_find_char(GH_STR("a=b=c"), '='), 1);
    assert_int_equal(gh_str_find_char(GH_STR("abc"), '='), 3);
    assert_int_equal(gh_str_find_char(gh_str_of(NULL, 0), '='), 0);
    assert_int_equal(gh_str_find(GH_STR("aab"), GH_STR("ab")), 1);
    assert_int_equal(gh_str_find(GH_STR("aab"), GH_STR("abc")), 3);
    assert_int_equal(gh_str_find(GH_STR("ab"), GH_STR("aab")), 2);
    assert_int_equal(gh_str_find(GH_STR("ab"), GH_STR("")), 0);
}

static void skips_and_cuts_within_bounds(void **state)
{
    assert_true(gh_str_eq(gh_str_skip(GH_STR("abc"), 1), GH_STR("bc")));
    assert_int_equal(gh_str_skip(GH_STR("abc"), 3).len, 0);
    assert_int_equal(gh_str_skip(GH_STR("abc"), SIZE_MAX).len, 0);
    assert_true(gh_str_eq(gh_str_first(GH_STR("abc"), 2), GH_STR("ab")));
    assert_true(gh_str_eq(gh_str_first(GH_STR("abc"), SIZE_MAX), GH_STR("abc")));
}

static void trims_spaces_and_tabs_only(void **state)
{
    assert_true(gh_str_eq(gh_str_trim_ows(GH_STR(" \t a b\t ")), GH_STR("a b")));
    assert_int_equal(gh_str_trim_ows(GH_STR(" \t ")).len, 0);
    assert_true(gh_str_eq(gh_str_trim_ows(GH_STR("\r\na\v")), GH_STR("\r\na\v")));
}

static void splits_to_the_last_piece(void **state)
{
    struct gh_str rest = GH_STR("a,,b,");
    assert_true(gh_str_eq(gh_str_split(&rest, ','), GH_STR("a")));
    assert_true(gh_str_eq(gh_str_split(&rest, ','), GH_STR("")));
    assert_true(gh_str_eq(gh_str_split(&rest, ','), GH_STR("b")));
    assert_non_null(rest.ptr);
    assert_true(gh_str_eq(gh_str_split(&rest, ','), GH_STR("")));
    assert_null(rest.ptr);
}

static void skips_empty_list_items(void **state)
{
    struct gh_str rest = GH_STR(" , a\t,, b c ,"), item;
    assert_true(gh_str_next_list_item(&rest, &item));
    assert_true(gh_str_eq(item, GH_STR("a")));
    assert_true(gh_str_next_list_item(&rest, &item));
    assert_true(gh_str_eq(item, GH_STR("b c")));
    assert_false(gh_str_next_list_item(&rest, &item));
    assert_false(gh_str_next_list_item(&rest, &item));
}

static void orders_by_bytes_then_length(void **state)
{
    assert_true(gh_str_compare(GH_STR("a"), GH_STR("b")) < 0);
    assert_true(gh_str_compare(GH_STR("\xff"), GH_STR("a")) > 0);
    assert_true(gh_str_compare(GH_STR("a"), GH_STR("ab")) < 0);
    assert_true(gh_str_compare(GH_STR("ab"), GH_STR("a")) > 0);
    assert_int_equal(gh_str_compare(GH_STR(""), gh_str_of(NULL, 0)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_the_whole_slice),
        cmocka_unit_test(takes_null_text_for_empty),
        cmocka_unit_test(folds_only_ascii_letters),
        cmocka_unit_test(finds_prefixes_and_suffixes),
        cmocka_unit_test(finds_characters_and_needles),
        cmocka_unit_test(skips_and_cuts_within_bounds),
        cmocka_unit_test(trims_spaces_and_tabs_only),
        cmocka_unit_test(splits_to_the_last_piece),
        cmocka_unit_test(skips_empty_list_items),
        cmocka_unit_test(orders_by_bytes_then_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
