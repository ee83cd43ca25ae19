#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "schema/uri.h"

struct row {
    const char *base, *reference, *target;
};

static void check(const struct row *rows, size_t count)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        struct gh_str target =
            gh_uri_resolve(&arena, gh_str_from_c(rows[i].base), gh_str_from_c(rows[i].reference));
        assert_non_null(target.ptr);
        assert_int_equal(target.len, strlen(rows[i].target));
        assert_memory_equal(target.ptr, rows[i].target, target.len);
    }
    gh_arena_done(&arena);
}

static void resolves_as_rfc_3986_section_5_4_shows(void **state)
{
#define BASE "http://a/b/c/d;p?q"
    static const struct row ROWS[] = {
        {BASE, "g:h", "g:h"},
        {BASE, "g", "http://a/b/c/g"},
        {BASE, "./g", "http://a/b/c/g"},
        {BASE, "g/", "http://a/b/c/g/"},
        {BASE, "/g", "http://a/g"},
        {BASE, "//g", "http://g"},
        {BASE, "?y", "http://a/b/c/d;p?y"},
        {BASE, "g?y", "http://a/b/c/g?y"},
        {BASE, "#s", "http://a/b/c/d;p?q"},
        {BASE, "g#s", "http://a/b/c/g"},
        {BASE, ";x", "http://a/b/c/;x"},
        {BASE, "", "http://a/b/c/d;p?q"},
        {BASE, ".", "http://a/b/c/"},
        {BASE, "./", "http://a/b/c/"},
        {BASE, "..", "http://a/b/"},
        {BASE, "../g", "http://a/b/g"},
        {BASE, "../..", "http://a/"},
        {BASE, "../../g", "http://a/g"},
        {BASE, "../../../g", "http://a/g"},
        {BASE, "/./g", "http://a/g"},
        {BASE, "/../g", "http://a/g"},
        {BASE, "g.", "http://a/b/c/g."},
        {BASE, "..g", "http://a/b/c/..g"},
        {BASE, "./../g", "http://a/b/g"},
        {BASE, "g/./h", "http://a/b/c/g/h"},
        {BASE, "g/../h", "http://a/b/c/h"},
        {BASE, "g;x=1/../y", "http://a/b/c/y"},
    };
    (void)state;
    check(ROWS, sizeof(ROWS) / sizeof(ROWS[0]));
}

static void resolves_names_and_files(void **state)
{
    static const struct row ROWS[] = {
        {"", "a/b.json", "a/b.json"},
        {"", "", ""},
        {"urn:uuid:1", "#x", "urn:uuid:1"},
        {"urn:uuid:1", "urn:example:2", "urn:example:2"},
        {"file:///a/b.yaml", "c.yaml#/x", "file:///a/c.yaml"},
        {"http://host", "x", "http://host/x"},
        {"/a/b", "c", "/a/c"},
        {"tag:x", "y", "tag:y"},
    };
    (void)state;
    check(ROWS, sizeof(ROWS) / sizeof(ROWS[0]));
}

static void decodes_escapes_and_refuses_bad_ones(void **state)
{
    struct gh_arena arena;
    (void)state;
    gh_arena_init(&arena, 4096, 1 << 20);
    assert_true(gh_str_eq(gh_uri_decode(&arena, GH_STR("/a%25b%2Fc%22")), GH_STR("/a%b/c\"")));
    assert_null(gh_uri_decode(&arena, GH_STR("%")).ptr);
    assert_null(gh_uri_decode(&arena, GH_STR("%4")).ptr);
    assert_null(gh_uri_decode(&arena, GH_STR("%4g")).ptr);
    gh_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolves_as_rfc_3986_section_5_4_shows),
        cmocka_unit_test(resolves_names_and_files),
        cmocka_unit_test(decodes_escapes_and_refuses_bad_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
