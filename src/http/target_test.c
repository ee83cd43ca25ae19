#include "http/target.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static enum gh_path_status normalise(struct gh_str path, char memory[256], struct gh_str *out_path,
                                     struct gh_path_traits *out_traits)
{
    struct gh_buf buf = gh_buf_over(memory, path.len < 256 ? path.len : 256);
    enum gh_path_status status = gh_path_normalise(path, &buf, out_traits);
    *out_path = gh_buf_str(&buf);
    return status;
}

static void assert_becomes(const char *path, const char *expected)
{
    char memory[256];
    struct gh_str result;
    struct gh_path_traits traits;
    enum gh_path_status status = normalise(gh_str_from_c(path), memory, &result, &traits);
    if (status != GH_PATH_OK)
        fail_msg("%s is refused with %d", path, (int)status);
    if (!gh_str_eq(result, gh_str_from_c(expected)))
        fail_msg("%s becomes %.*s, not %s", path, GH_STR_ARG(result), expected);
}

static void assert_refused(struct gh_str path, enum gh_path_status expected)
{
    char memory[256];
    struct gh_str result;
    struct gh_path_traits traits;
    enum gh_path_status status = normalise(path, memory, &result, &traits);
    if (status != expected)
        fail_msg("%.*s gives %d, not %d", GH_STR_ARG(path), (int)status, (int)expected);
    assert_int_equal(result.len, 0);
}

static void leaves_normal_paths_alone(void **state)
{
    static const char *const PATHS[] = {
        "/",     "/a",        "/a/",           "/api/v1/users/42", "/a.b/c..d/...e/x.",
        "/~u/_", "/a:b@c!$&", "/'()*+,=/",     "/%20/%C3%A4",      "/%E2%82%AC/%F0%9F%98%80",
        "/...",  "/.a/..b",   "/%3F%23%5B%5D",
    };
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++)
        assert_becomes(PATHS[i], PATHS[i]);
}

static void decodes_unreserved_characters_once(void **state)
{
    assert_becomes("/%61%62%7A/%41%5A/%30%39", "/abz/AZ/09");
    assert_becomes("/%2d%2E%5f%7e", "/-._~");
    assert_becomes("/%2561", "/%2561");
    assert_becomes("/%252e%252e/x", "/%252e%252e/x");
}

static void writes_kept_escapes_in_upper_case(void **state)
{
    assert_becomes("/%c3%a4/%e2%82%ac", "/%C3%A4/%E2%82%AC");
    assert_becomes("/%3f%3a%40%2b%20%0a%7f", "/%3F%3A%40%2B%20%0A%7F");
}

static void resolves_dot_segments_after_decoding(void **state)
{
    assert_becomes("/a/./b", "/a/b");
    assert_becomes("/a/../b", "/b");
    assert_becomes("/a/b/../../c", "/c");
    assert_becomes("/a/%2e%2E/admin", "/admin");
    assert_becomes("/a/.%2e/admin", "/admin");
    assert_becomes("/%2e/a", "/a");
    assert_becomes("/a/..b/.c", "/a/..b/.c");
    assert_becomes("/a/b/.../c", "/a/b/.../c");
}

static void keeps_a_slash_where_a_dot_segment_ends_the_path(void **state)
{
    assert_becomes("/.", "/");
    assert_becomes("/a/.", "/a/");
    assert_becomes("/a/..", "/");
    assert_becomes("/a/b/..", "/a/");
    assert_becomes("/a/b/../", "/a/");
    assert_becomes("/a/b/%2e%2e", "/a/");
}

static void merges_slashes_before_it_resolves(void **state)
{
    assert_becomes("//", "/");
    assert_becomes("//a///b//", "/a/b/");
    assert_becomes("/a//../b", "/b");
    assert_becomes("/a/.//b", "/a/b");
}

static void refuses_to_go_above_the_root(void **state)
{
    static const char *const PATHS[] = {
        "/..",  "/../a", "/a/../..",  "/a/../../b",       "/%2e%2e",
        "//..", "/./..", "/a//../..", "/.%2E/etc/passwd",
    };
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++)
        assert_refused(gh_str_from_c(PATHS[i]), GH_PATH_ABOVE_ROOT);
}

static void refuses_nul_and_backslash(void **state)
{
    assert_refused(GH_STR("/a%00"), GH_PATH_NUL);
    assert_refused(GH_STR("/%00/../a"), GH_PATH_NUL);
    assert_refused(GH_STR("/a%5c"), GH_PATH_BACKSLASH);
    assert_refused(GH_STR("/..%5C.."), GH_PATH_BACKSLASH);
    assert_refused(GH_STR("/a\\b"), GH_PATH_BACKSLASH);
}

static void refuses_escapes_that_are_no_utf8(void **state)
{
    static const char *const PATHS[] = {
        "/%c0%af",    "/%c0%ae%c0%ae/",   "/%e0%80%af", "/%f0%80%80%af", "/%80",
        "/%c3",       "/%c3/%a4",         "/%c3a",      "/%c3%41",       "/%e2%82",
        "/%ed%a0%80", "/%f4%90%80%80",    "/%ff",       "/%fe",          "/a%bf%c3%a4",
        "/%c3%a4%a4", "/%f8%88%80%80%80", "/%c3%zz",    "/%e2%82x%ac",
    };
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++)
        assert_refused(gh_str_from_c(PATHS[i]), GH_PATH_BAD_UTF8);
}

static void refuses_what_the_grammar_does_not_have(void **state)
{
    static const struct gh_str PATHS[] = {
        GH_STR_INIT(""),       GH_STR_INIT("*"),         GH_STR_INIT("a/b"),
        GH_STR_INIT("%2Fa"),   GH_STR_INIT("/%"),        GH_STR_INIT("/%2"),
        GH_STR_INIT("/%zz"),   GH_STR_INIT("/%2g"),      GH_STR_INIT("/%u0041"),
        GH_STR_INIT("/a b"),   GH_STR_INIT("/a\tb"),     GH_STR_INIT("/a\0b"),
        GH_STR_INIT("/a\x7f"), GH_STR_INIT("/\xc3\xa4"), GH_STR_INIT("/a?b"),
        GH_STR_INIT("/a#b"),   GH_STR_INIT("/% 41"),     GH_STR_INIT("/%+1"),
    };
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++)
        assert_refused(PATHS[i], GH_PATH_REFUSED);
}

static void tells_what_routes_may_refuse(void **state)
{
    static const struct {
        const char *path;
        struct gh_path_traits traits;
    } ROWS[] = {
        {"/a/b", {0}},
        {"/a%2fb", {.encoded_slash = true}},
        {"/a%2Fb", {.encoded_slash = true}},
        {"/a%2541", {.encoded_percent = true}},
        {"/a;x=1/b", {.semicolon = true}},
        {"/..;/a", {.semicolon = true}},
        {"/a%3bx", {.semicolon = true}},
        {"/%2f%25;", {true, true, true}},
        {"/%2f/../a", {.encoded_slash = true}}, /* also when it is resolved away */
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        char memory[256];
        struct gh_str result;
        struct gh_path_traits traits = {true, true, true};
        assert_int_equal(normalise(gh_str_from_c(ROWS[i].path), memory, &result, &traits),
                         GH_PATH_OK);
        assert_int_equal(traits.encoded_slash, ROWS[i].traits.encoded_slash);
        assert_int_equal(traits.encoded_percent, ROWS[i].traits.encoded_percent);
        assert_int_equal(traits.semicolon, ROWS[i].traits.semicolon);
    }
}

static void says_when_the_result_does_not_fit(void **state)
{
    static const char *const PATHS[] = {"/abc", "/a%20b", "/abc/"};
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        struct gh_str path = gh_str_from_c(PATHS[i]);
        for (size_t cap = 0; cap < path.len; cap++) {
            char memory[16];
            struct gh_buf buf = gh_buf_over(memory, cap);
            struct gh_path_traits traits;
            assert_int_equal(gh_path_normalise(path, &buf, &traits), GH_PATH_TOO_LONG);
            assert_int_equal(buf.len, 0);
        }
    }
}

static void appends_and_never_climbs_into_what_was_there(void **state)
{
    char memory[32];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    struct gh_path_traits traits;
    gh_buf_put(&buf, GH_STR("/base"));
    assert_int_equal(gh_path_normalise(GH_STR("/a/../b"), &buf, &traits), GH_PATH_OK);
    assert_true(gh_str_eq(gh_buf_str(&buf), GH_STR("/base/b")));
    assert_int_equal(gh_path_normalise(GH_STR("/../x"), &buf, &traits), GH_PATH_ABOVE_ROOT);
    assert_true(gh_str_eq(gh_buf_str(&buf), GH_STR("/base/b")));
}

/* RFC 3986: unreserved, sub-delims, ':' and '@' make a pchar; '/' parts segments. */
static void takes_the_bytes_of_the_grammar_and_no_others(void **state)
{
    static const char MARKS[] = "-._~!$&'()*+,;=:@/";
    for (unsigned c = 0; c < 256; c++) {
        char byte = (char)c, lower = gh_ascii_lower(byte);
        bool in_path = (byte && strchr(MARKS, byte)) || (lower >= 'a' && lower <= 'z') ||
                       (byte >= '0' && byte <= '9');
        bool in_query = in_path || (byte && strchr("?[]{}|^`\"<>", byte));
        char path[4] = {'/', 'a', byte, 'z'}, memory[256];
        struct gh_str result;
        struct gh_path_traits traits;
        assert_true(in_path ==
                    (normalise(gh_str_of(path, 4), memory, &result, &traits) == GH_PATH_OK));
        assert_true(in_query == gh_query_is_valid(gh_str_of(&byte, 1)));
    }
}

static void checks_queries(void **state)
{
    assert_true(gh_query_is_valid(GH_STR("")));
    assert_true(gh_query_is_valid(GH_STR("a=1&b[]=2&c={\"x\":<1>}&d=a|b^`%00%ff%C0")));
    assert_true(gh_query_is_valid(GH_STR("//../?;")));
    static const struct gh_str QUERIES[] = {
        GH_STR_INIT("%"),    GH_STR_INIT("a=%1"),  GH_STR_INIT("%g0"),      GH_STR_INIT("a b"),
        GH_STR_INIT("a#b"),  GH_STR_INIT("a\\b"),  GH_STR_INIT("\xc3\xa4"), GH_STR_INIT("a\0"),
        GH_STR_INIT("\r\n"), GH_STR_INIT("a\x7f"),
    };
    for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++)
        assert_false(gh_query_is_valid(QUERIES[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_normal_paths_alone),
        cmocka_unit_test(decodes_unreserved_characters_once),
        cmocka_unit_test(writes_kept_escapes_in_upper_case),
        cmocka_unit_test(resolves_dot_segments_after_decoding),
        cmocka_unit_test(keeps_a_slash_where_a_dot_segment_ends_the_path),
        cmocka_unit_test(merges_slashes_before_it_resolves),
        cmocka_unit_test(refuses_to_go_above_the_root),
        cmocka_unit_test(refuses_nul_and_backslash),
        cmocka_unit_test(refuses_escapes_that_are_no_utf8),
        cmocka_unit_test(refuses_what_the_grammar_does_not_have),
        cmocka_unit_test(tells_what_routes_may_refuse),
        cmocka_unit_test(says_when_the_result_does_not_fit),
        cmocka_unit_test(appends_and_never_climbs_into_what_was_there),
        cmocka_unit_test(takes_the_bytes_of_the_grammar_and_no_others),
        cmocka_unit_test(checks_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
