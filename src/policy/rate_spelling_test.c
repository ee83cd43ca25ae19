#include "policy/rate_spelling.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#define EXPECT(expected, actual)                                                                   \
    do {                                                                                           \
        struct gh_str text = (actual);                                                             \
        char shown[256];                                                                           \
        snprintf(shown, sizeof(shown), "%.*s", GH_STR_ARG(text));                                  \
        assert_string_equal(shown, expected);                                                      \
    } while (0)

static void trims_what_any_reader_trims(void **state)
{
    (void)state;
    EXPECT("a b", gh_rate_trim(GH_STR("\t \x01 a b\r\n\x7f")));
    EXPECT("a", gh_rate_trim(GH_STR("\u00a0\u1680\u2003\u2028\u202f\u3000\ufeff\u200ba\u200d")));
    EXPECT("a", gh_rate_trim(GH_STR("\0a\0b")));
    EXPECT("", gh_rate_trim(GH_STR(" \u00a0")));
    EXPECT("\xff", gh_rate_trim(GH_STR("\xff ")));
    EXPECT("\xc2", gh_rate_trim(GH_STR(" \xc2")));
    EXPECT("\u2030x", gh_rate_trim(GH_STR("\u2030x")));
}

static void folds_letters_to_one_spelling(void **state)
{
    (void)state;
    struct gh_arena arena;
    gh_arena_init(&arena, 1024, 4096);
    EXPECT("az09_-", gh_rate_fold(&arena, GH_STR("AZ09_-")));
    EXPECT("aeiouyncszzs", gh_rate_fold(&arena, GH_STR("\u00c5\u00c9\u00ce\u00d6\u016e\u0178\u0143"
                                                       "\u010c\u0160\u0179\u017e\u017f")));
    EXPECT("wyzs", gh_rate_fold(&arena, GH_STR("\u0174\u0177\u017e\u017f")));
    EXPECT("e", gh_rate_fold(&arena, GH_STR("e\u0301\u00ad\u200b")));
    EXPECT("a@b.c", gh_rate_fold(&arena, GH_STR("\uff21\uff20\uff42\u3002\uff23")));
    EXPECT("kan1", gh_rate_fold(&arena, GH_STR("\u212a\u212b\U0001d427\U0001d7cf")));
    EXPECT("\u0441\u0451\u03c3\u03c3", gh_rate_fold(&arena, GH_STR("\u0421\u0401\u03a3\u03c2")));
    /* two letters, or another one, to collations */
    EXPECT("\u00df\u00e6\u0142\u00f8\u0133\u00d7",
           gh_rate_fold(&arena, GH_STR("\u00df\u00e6\u0142\u00f8\u0133\u00d7")));
    EXPECT("\u4e00\xff", gh_rate_fold(&arena, GH_STR("\u4e00\xff")));
    gh_arena_done(&arena);
}

static void plain_is_text_without_control_characters(void **state)
{
    (void)state;
    assert_true(gh_rate_is_plain(GH_STR("")));
    assert_true(gh_rate_is_plain(GH_STR("a b~\u00a0\u00e9\U0001d427")));
    static const struct gh_str CASES[] = {
        GH_STR_INIT("a\1"),     GH_STR_INIT("\0"),       GH_STR_INIT("a\tb"),
        GH_STR_INIT("\x7f"),    GH_STR_INIT("\xc2\x85"), GH_STR_INIT("a\xc2\x9f"),
        GH_STR_INIT("jos\xe9"), GH_STR_INIT("\xc3"),     GH_STR_INIT("\xc0\x80"),
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        assert_false(gh_rate_is_plain(CASES[i]));
}

static void names_are_those_that_some_backend_takes_for_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *given, *wanted;
        bool json, form;
    } CASES[] = {
        {"email", "email", true, true},          {"EMail", "email", true, true},
        {" email", "Email ", true, true},        {"emailx", "email", false, false},
        {"emai", "email", false, false},         {"", "email", false, false},
        {"email[]", "email", false, true},       {"email[a][b]", "email", false, true},
        {"[email]", "email", false, true},       {"[][email][a]", "email", false, true},
        {"email]", "email", false, true},        {"[user][email]", "email", false, false},
        {"[]", "email", false, false},           {"user.name", "user_name", false, true},
        {"user name", "user.name", false, true}, {"\u212aey", "key", true, true},
        {"pa\u017f\u017f", "pass", true, true},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_str given = gh_str_from_c(CASES[i].given),
                      wanted = gh_str_from_c(CASES[i].wanted);
        if (gh_rate_name_is(given, wanted, GH_RATE_NAMES_OF_JSON) != CASES[i].json ||
            gh_rate_name_is(given, wanted, GH_RATE_NAMES_OF_FORM) != CASES[i].form)
            fail_msg("%s, %s", CASES[i].given, CASES[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trims_what_any_reader_trims),
        cmocka_unit_test(folds_letters_to_one_spelling),
        cmocka_unit_test(plain_is_text_without_control_characters),
        cmocka_unit_test(names_are_those_that_some_backend_takes_for_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
