#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <time.h>
#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_anywhere_unless_anchored),
        cmocka_unit_test(classes_are_those_of_ecma_262),
        cmocka_unit_test(escapes_are_those_of_ecma_262),
        cmocka_unit_test(refuses_what_is_not_ecma_262),
        cmocka_unit_test(exploding_patterns_are_stopped),
        cmocka_unit_test(usual_patterns_on_usual_texts_are_not_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
