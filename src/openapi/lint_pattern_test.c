/* Patterns that look well and patterns that do not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "openapi/lint_pattern.h"

static void explodes(const char *pattern)
{
    if (!gh_lint_pattern_look(gh_str_from_c(pattern)).explodes)
        fail_msg("%s looks harmless", pattern);
}

static void holds(const char *pattern)
{
    if (gh_lint_pattern_look(gh_str_from_c(pattern)).explodes)
        fail_msg("%s looks as if it exploded", pattern);
}

static bool anchored(const char *pattern)
{
    return gh_lint_pattern_look(gh_str_from_c(pattern)).is_anchored;
}

static void repetitions_within_repetitions_explode(void **state)
{
    explodes("^(a+)+$");
    explodes("^(a*)*$");
    explodes("(a+b?)*");
    explodes("^([a-z]+)*x");
    explodes("^((a|b)+)+$");
    explodes("^(?:\\w+\\s?)+$");
    explodes("^(.*,)*$");
    explodes("^(a{2,})+$");
    explodes("^(x+x+)+y");
}

static void alternatives_that_match_the_same_explode(void **state)
{
    explodes("^(a|a)*$");
    explodes("^(a|aa)+$");
    explodes("^(\\d|\\w)+$");
    explodes("^(.|b)*$");
}

static void what_can_be_split_in_one_way_holds(void **state)
{
    holds("^[a-z]+$");
    holds("^(a|b)*$");
    holds("^[a-z0-9]+(-[a-z0-9]+)*$");
    holds("^(\\d+,)*\\d+$");
    holds("^(?:[a-z]+\\.)+[a-z]{2,}$");
    holds("^([0-9a-f]{2}:){5}[0-9a-f]{2}$");
    holds("^(ab|ac)*$");
    holds("^\\d{4}-\\d{2}-\\d{2}$");
    holds("^(?!.*\\.\\.)[a-z.]+$");
    holds("");
}

static void anchors_must_be_at_both_ends_of_all(void **state)
{
    assert_true(anchored("^a$"));
    assert_true(anchored("^a$|^b$"));
    assert_true(anchored("^(?:a|b)$"));
    assert_true(anchored("^$"));
    assert_true(anchored("(^a$|^b$)"));
    assert_false(anchored("a"));
    assert_false(anchored("^a"));
    assert_false(anchored("a$"));
    assert_false(anchored("^a|b$"));
    assert_false(anchored("^a\\$"));
    assert_false(anchored("[^a]$"));
    assert_false(anchored(""));
}

static void broken_patterns_are_read_to_their_end(void **state)
{
    static const char *const BROKEN[] = {"(",   ")",  "[",     "[a-",  "\\",   "(?",   "(?<", "{",
                                         "a{",  "[^", "\\u",   "\\p{", "((((", "))))", "|",   "[]",
                                         "\\x", "*",  "(?<a>", "a{1,", "\\c",  "(?:",  "+?"};
    for (size_t i = 0; i < sizeof(BROKEN) / sizeof(BROKEN[0]); i++)
        gh_lint_pattern_look(gh_str_from_c(BROKEN[i]));
}

static void deep_nesting_counts_as_trouble(void **state)
{
    char pattern[200];
    memset(pattern, '(', sizeof(pattern));
    assert_true(gh_lint_pattern_look(gh_str_of(pattern, sizeof(pattern))).explodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repetitions_within_repetitions_explode),
        cmocka_unit_test(alternatives_that_match_the_same_explode),
        cmocka_unit_test(what_can_be_split_in_one_way_holds),
        cmocka_unit_test(anchors_must_be_at_both_ends_of_all),
        cmocka_unit_test(broken_patterns_are_read_to_their_end),
        cmocka_unit_test(deep_nesting_counts_as_trouble),
    };
    return cmocka_run_group_tests_name("lint pattern", tests, NULL, NULL);
}
