#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <time.h>
#include <cmocka.h>

#include <stdio.h>

#include "schema/pattern.h"

#define STEPS 2000000

static enum gh_pattern_result run(const char *pattern_text, struct gh_str text)
{
    struct gh_arena arena;
    const struct gh_pattern *pattern;
    struct gh_str reason;
    uint64_t steps = STEPS;
    gh_arena_init(&arena, 4096, 4 << 20);
    struct gh_pattern_space *space = gh_pattern_space_new(&arena);
    assert_int_equal(gh_pattern_compile(space, gh_str_from_c(pattern_text), &pattern, &reason),
                     GH_OK);
    struct gh_pattern_scratch scratch = {.arena = &arena};
    enum gh_pattern_result result = gh_pattern_match(pattern, text, &scratch, &steps);
    gh_arena_done(&arena);
    return result;
}

static void check(const char *pattern, const char *text, enum gh_pattern_result result)
{
    if (run(pattern, gh_str_from_c(text)) != result)
        fail_msg("%s on %s: not %d", pattern, text, (int)result);
}

static void matches_anywhere_unless_anchored(void **state)
{
    (void)state;
    check("b", "abc", GH_PATTERN_MATCH);
    check("^b", "abc", GH_PATTERN_NO_MATCH);
    check("^abc$", "abc\n", GH_PATTERN_NO_MATCH);
    check("", "", GH_PATTERN_MATCH);
    check("^$", "", GH_PATTERN_MATCH);
}

static void classes_are_those_of_ecma_262(void **state)
{
    (void)state;
    check("^\\d$", "5", GH_PATTERN_MATCH);
    check("^\\d$", "\xe0\xa7\xaa", GH_PATTERN_NO_MATCH);
    check("^\\w$", "\xc3\xa9", GH_PATTERN_NO_MATCH);
    check("^\\W$", "\xc3\xa9", GH_PATTERN_MATCH);
    check("^\\s$", "\xef\xbb\xbf", GH_PATTERN_MATCH);
    check("^\\s$", "\xe2\x80\xa9", GH_PATTERN_MATCH);
    check("^\\S$", "\xc2\xa0", GH_PATTERN_NO_MATCH);
    check("^[\\S]$", "\xc2\xa0", GH_PATTERN_NO_MATCH);
    check("^[^\\S]$", "\xc2\xa0", GH_PATTERN_MATCH);
    check("^.$", "\xe2\x80\xa8", GH_PATTERN_NO_MATCH);
    check("^.$", "\xf0\x9f\x90\xb2", GH_PATTERN_MATCH);
    check("^[[:alpha:]]$", "a]", GH_PATTERN_MATCH);
    check("^[[:alpha:]]$", "a", GH_PATTERN_NO_MATCH);
    check("[]", "a", GH_PATTERN_NO_MATCH);
    check("^[^]$", "\n", GH_PATTERN_MATCH);
    check("^[\\b]$", "\b", GH_PATTERN_MATCH);
    check("^[a\\-z]+$", "-az", GH_PATTERN_MATCH);
    check("^[a\\-z]+$", "b", GH_PATTERN_NO_MATCH);
}

static void escapes_are_those_of_ecma_262(void **state)
{
    (void)state;
    check("^\\t\\v\\cC\\x41\\u0042\\u{1F432}$",
          "\t\v\x03"
          "AB\xf0\x9f\x90\xb2",
          GH_PATTERN_MATCH);
    check("^\\uD83D\\uDC32$", "\xf0\x9f\x90\xb2", GH_PATTERN_MATCH);
    check("^\\v$", "\n", GH_PATTERN_NO_MATCH);
    check("^\\p{Letter}cole$",
          "\xc3\xa9"
          "cole",
          GH_PATTERN_MATCH);
    check("^\\p{digit}+$", "\xe0\xa7\xaa\xe0\xa7\xa8", GH_PATTERN_MATCH);
    check("^\\P{Lu}\\p{Script=Greek}$", "a\xce\xb1", GH_PATTERN_MATCH);
    check("^(?<x>a)\\k<x>\\1$", "aaa", GH_PATTERN_MATCH);
    check("^\\-\\@\\_$", "-@_", GH_PATTERN_MATCH);
    check("^{a}$", "{a}", GH_PATTERN_MATCH);
    check("^a{,2}$", "a{,2}", GH_PATTERN_MATCH);
    check("^(?=.*\\d)(?!.*x).{3,}$", "ab1", GH_PATTERN_MATCH);
}

static void refuses_what_is_not_ecma_262(void **state)
{
    static const char *const BAD[] = {
        "(",       ")",        "[",     "a**",        "*",        "a++",    "\\",
        "\\Z",     "\\A",      "\\a",   "\\Qa\\E",    "\\K",      "\\R",    "(?i)a",
        "(?>a)",   "(?P<a>b)", "(*F)a", "(?R)",       "(?#a)",    "a{2,1}", "[z-a]",
        "[a-\\d]", "\\x4",     "\\u12", "\\1",        "\\c1",     "\\01",   "\\u{110000}",
        "\\ud800", "\\p{x y}", "\\pL",  "a{0,65536}", "(?<=a*)b", "\\k<x>", "\\p{Nothing}",
        "[\\q]",   "(?C1)",    "^*"};
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (gh_pattern_is_valid(gh_str_from_c(BAD[i])))
            fail_msg("accepted %s", BAD[i]);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void exploding_patterns_are_stopped(void **state)
{
    static const char *const PATTERNS[] = {"^(a+)+$",
                                           "(a|a)*b",
                                           "^(a|aa)+$",
                                           "(.*)*x",
                                           "a*a*a*b",
                                           "(x+x+)+y|a+b",
                                           "^(([a-z])+.)+[A-Z]([a-z])+$"};
    static char text[64 * 1024];
    (void)state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '!';
    for (size_t i = 0; i < sizeof(PATTERNS) / sizeof(PATTERNS[0]); i++) {
        double start = seconds();
        assert_int_equal(
            run(PATTERNS[i], gh_str_of(text + sizeof(text) - 40, 40)) == GH_PATTERN_MATCH, 0);
        assert_int_equal(run(PATTERNS[i], gh_str_of(text, sizeof(text))) == GH_PATTERN_MATCH, 0);
        assert_true(seconds() - start < 5); /* hours, without limits */
    }
}

static void usual_patterns_on_usual_texts_are_not_stopped(void **state)
{
    static char text[8000];
    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(run("^[a-z]+$", gh_str_of(text, sizeof(text))), GH_PATTERN_MATCH);
    assert_int_equal(run("^[^@]+@[^@]+$", gh_str_of(text, 320)), GH_PATTERN_NO_MATCH);
    assert_int_equal(run("[a-z]+\\.[a-z]+$", gh_str_of(text, 500)), GH_PATTERN_NO_MATCH);
    assert_int_equal(run("\\S", gh_str_of(text, sizeof(text))), GH_PATTERN_MATCH);
}

/* A group around it makes PCRE2 do it. */
static void plain_patterns_mean_the_same_to_pcre2(void **state)
{
    static const char *const PATTERNS[] = {
        "^$",
        "^abc$",
        "^[A-Z]{3}-[0-9]{6}$",
        "^\\+[0-9]{6,15}$",
        "^[A-Z0-9 -]{3,10}$",
        "^[a-z]+[0-9]*$",
        "^a?b+c*$",
        "^\\d{2,}$",
        "^\\w+\\.\\w+$",
        "^[\\d\\-.]+$",
        "^[a-c]*d?[x-z]$",
        "^[+-]?[0-9]+(?:)$",
        "^a/b\\/c$",
        "^[ -~]*$",
        "^a{0}b$",
        "^-{2,3}$",
    };
    static const char *const TEXTS[] = {
        "",
        "a",
        "b",
        "abc",
        "abcabc",
        "ABC-123456",
        "ABC-12345",
        "ABC-1234567",
        "ABC-123456\n",
        "+4912345678",
        "+12345",
        "+1234567890123456",
        "10115",
        "SW1A 1AA",
        "a1",
        "abc123",
        "1a",
        "bbb",
        "abbc",
        "ac",
        "12",
        "1",
        "a.b",
        "a..b",
        ".",
        "1-2.3",
        "dx",
        "abcdz",
        "aax",
        "-7",
        "+-7",
        "a/b/c",
        "~ !",
        "\xc3\xa4",
        "--",
        "---",
        "----",
        "abc\x7f",
        "AB\xc3\xa9-123456",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(PATTERNS) / sizeof(PATTERNS[0]); i++) {
        char group[64];
        snprintf(group, sizeof(group), "(?:%s)", PATTERNS[i]);
        for (size_t k = 0; k < sizeof(TEXTS) / sizeof(TEXTS[0]); k++)
            check(PATTERNS[i], TEXTS[k], run(group, gh_str_from_c(TEXTS[k])));
    }
}

static void plain_patterns_are_told_from_others(void **state)
{
    static const struct {
        const char *text;
        bool is_plain;
    } CASES[] = {
        {"^[A-Z]{3}-[0-9]{6}$", true},
        {"^\\+[0-9]{6,15}$", true},
        {"^[a-z]+@[a-z.]+$", true},
        {"^a*b?c$", true},
        {"^\\w+\\.\\w+$", true},
        /* not the whole text, or more than one way */
        {"abc$", false},
        {"^abc", false},
        {"^a\\$", false},
        {"^a|b$", false},
        {"^(a)$", false},
        {"^a+?$", false},
        {"^a{2,3}?$", false},
        /* how many isn't clear without a second look */
        {"^a*a$", false},
        {"^[a-z]+[a-z0-9]$", false},
        {"^\\w+[-.]?\\d$", false},
        {"^a?b*[ac]$", false},
        /* beyond ASCII, or not plain */
        {"^[^a]$", false},
        {"^.$", false},
        {"^\\s$", false},
        {"^\xc3\xa4$", false},
        {"^[\xc3\xa4]$", false},
        {"^\\bx$", false},
        {"^\\t$", false},
        {"^a{99999}$", false},
    };
    struct gh_arena arena;
    (void)state;
    gh_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        bool is_plain = gh_pattern_plain_read(gh_str_from_c(CASES[i].text), &arena);
        if (is_plain != CASES[i].is_plain)
            fail_msg("%s: %d", CASES[i].text, is_plain);
    }
    gh_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_anywhere_unless_anchored),
        cmocka_unit_test(classes_are_those_of_ecma_262),
        cmocka_unit_test(escapes_are_those_of_ecma_262),
        cmocka_unit_test(refuses_what_is_not_ecma_262),
        cmocka_unit_test(exploding_patterns_are_stopped),
        cmocka_unit_test(usual_patterns_on_usual_texts_are_not_stopped),
        cmocka_unit_test(plain_patterns_mean_the_same_to_pcre2),
        cmocka_unit_test(plain_patterns_are_told_from_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
