#include "http/cookie.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* Looks for "sid" in up to two Cookie lines; NULL: no line. */
static enum gh_cookie_find find_sid(const char *first, const char *second, struct gh_str *out_value)
{
    struct gh_field items[3];
    struct gh_fields fields;
    gh_fields_init(&fields, items, 3);
    assert_true(gh_fields_add(&fields, GH_STR("X-Cookie"), GH_STR("sid=no")));
    if (first)
        assert_true(gh_fields_add(&fields, GH_STR("Cookie"), gh_str_from_c(first)));
    if (second)
        assert_true(gh_fields_add(&fields, GH_STR("cookie"), gh_str_from_c(second)));
    return gh_cookie_find(&fields, GH_STR("sid"), out_value);
}

static void finds_the_one_cookie_of_that_name(void **state)
{
    static const struct {
        const char *first, *second, *value;
    } ROWS[] = {
        {"sid=abc", NULL, "abc"},
        {"a=1; sid=abc; b=2", NULL, "abc"},
        {"a=1;sid=abc", NULL, "abc"},
        {"a=1;  sid=abc  ; b", NULL, "abc"},
        {"sid=", NULL, ""},
        {"sid=a=b==", NULL, "a=b=="},
        {"a=1", "sid=abc", "abc"},
        {"; ;; sid=abc;", NULL, "abc"},
        {"SID=x; sid=abc; Sid=y", NULL, "abc"},
        {"sid; sid=abc", NULL, "abc"},
        {"=sid; sid2=x; xsid=y; sid=abc", NULL, "abc"},
        {"odd=\"a b\\\", c; sid=abc", NULL, "abc"},
        {"sid=!#$%&'()*+-./:<=>?@[]^_`{|}~", NULL, "!#$%&'()*+-./:<=>?@[]^_`{|}~"},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct gh_str value;
        if (find_sid(ROWS[i].first, ROWS[i].second, &value) != GH_COOKIE_FOUND)
            fail_msg("%s: not found", ROWS[i].first);
        if (!gh_str_eq(value, gh_str_from_c(ROWS[i].value)))
            fail_msg("%s gives %.*s", ROWS[i].first, GH_STR_ARG(value));
    }
}

static void misses_what_only_looks_like_it(void **state)
{
    static const char *const LINES[] = {"",       "sid",    "a=sid=x", "SID=x",
                                        "sidx=1", "xsid=1", "=sid=x",  "a=1, sid=x",
                                        "s id=x", ";",      "s%69d=x"};
    struct gh_str value = GH_STR("untouched");
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        if (find_sid(LINES[i], NULL, &value) != GH_COOKIE_ABSENT)
            fail_msg("%s holds no sid", LINES[i]);
    }
    assert_int_equal(find_sid(NULL, NULL, &value), GH_COOKIE_ABSENT);
    assert_true(gh_str_eq(value, GH_STR("untouched")));
}

static void never_chooses_between_two(void **state)
{
    static const char *const LINES[][2] = {
        {"sid=a; sid=b", NULL}, {"sid=a; sid=a", NULL},  {"sid=a", "sid=a"},
        {"sid=a", "x=1; sid="}, {"sid=a; sid =b", NULL}, {"sid=a; x=\"; sid=b\"", NULL},
    };
    struct gh_str value = GH_STR("untouched");
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        if (find_sid(LINES[i][0], LINES[i][1], &value) != GH_COOKIE_AMBIGUOUS)
            fail_msg("%s is ambiguous", LINES[i][0]);
    }
    assert_true(gh_str_eq(value, GH_STR("untouched")));
}

static void takes_a_value_that_readers_disagree_about_for_ambiguous(void **state)
{
    static const char *const LINES[] = {
        "sid=\"abc\"",  "sid= abc", "sid=a b",   "sid=a,b", "sid=a\\b",  "sid=a\tb",
        "sid=\xc3\xa4", "sid =abc", "sid\t=abc", "sid=a\"", "sid=a\x7f",
    };
    struct gh_str value;
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        if (find_sid(LINES[i], NULL, &value) != GH_COOKIE_AMBIGUOUS)
            fail_msg("%s is ambiguous", LINES[i]);
    }
}

static void does_not_see_dropped_lines(void **state)
{
    struct gh_field items[2];
    struct gh_fields fields;
    struct gh_str value;
    gh_fields_init(&fields, items, 2);
    assert_true(gh_fields_add(&fields, GH_STR("Cookie"), GH_STR("sid=a")));
    gh_fields_drop(&fields, GH_FIELD_COOKIE);
    assert_int_equal(gh_cookie_find(&fields, GH_STR("sid"), &value), GH_COOKIE_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_one_cookie_of_that_name),
        cmocka_unit_test(misses_what_only_looks_like_it),
        cmocka_unit_test(never_chooses_between_two),
        cmocka_unit_test(takes_a_value_that_readers_disagree_about_for_ambiguous),
        cmocka_unit_test(does_not_see_dropped_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
