#include "policy/csp_report.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

static void expect(const char *body, size_t count, const char *first)
{
    struct gh_arena arena;
    struct gh_str directives[GH_CSP_REPORTS_MAX];
    gh_arena_init(&arena, 16384, 4 * 1024 * 1024);
    assert_int_equal(gh_csp_report_read(&arena, gh_str_from_c(body), directives), count);
    if (count)
        assert_true(gh_str_eq(directives[0], gh_str_from_c(first)));
    gh_arena_done(&arena);
}

static void reads_both_forms(void **state)
{
    (void)state;
    expect("{\"csp-report\":{\"effective-directive\":\"script-src-elem\"}}", 1, "script-src-elem");
    expect("{\"csp-report\":{\"violated-directive\":\"img-src 'self'\"}}", 1, "img-src");
    expect("[{\"type\":\"csp-violation\",\"body\":{\"effectiveDirective\":\"style-src\"}},"
           "{\"type\":\"deprecation\",\"body\":{}},"
           "{\"type\":\"csp-violation\",\"body\":{\"effectiveDirective\":\"font-src\"}}]",
           2, "style-src");
}

static void takes_no_text_of_a_stranger(void **state)
{
    (void)state;
    expect("{\"csp-report\":{\"effective-directive\":\"https://evil.example/?secret=1\"}}", 1,
           "other");
    expect("{\"csp-report\":{\"effective-directive\":7}}", 1, "other");
    expect("{\"csp-report\":{}}", 1, "other");
    expect("[{\"type\":\"csp-violation\"}]", 1, "other");
}

static void finds_nothing_in_what_is_no_report(void **state)
{
    (void)state;
    static const char *const BODIES[] = {
        "",       "not json",      "[]", "{", "{}", "7", "null", "{\"csp-report\":[]}",
        "[[[[[[", "[{\"type\":1}]"};
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++)
        expect(BODIES[i], 0, "");
}

static void takes_so_many_and_no_more(void **state)
{
    (void)state;
    char body[8192] = "[";
    for (int i = 0; i < 100; i++)
        strcat(body, i ? ",{\"type\":\"csp-violation\",\"body\":{}}"
                       : "{\"type\":\"csp-violation\",\"body\":{}}");
    strcat(body, "]");
    expect(body, GH_CSP_REPORTS_MAX, "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_both_forms),
        cmocka_unit_test(takes_no_text_of_a_stranger),
        cmocka_unit_test(finds_nothing_in_what_is_no_report),
        cmocka_unit_test(takes_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
