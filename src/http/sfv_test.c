/* What the public cases (sfv_conformance_test.c) do not have, and enough to stand without them. */
#include "http/sfv.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static int open_arena(void **state)
{
    static struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    *state = &arena;
    return 0;
}

static int close_arena(void **state)
{
    gh_arena_done(*state);
    return 0;
}

static void assert_item_writes(struct gh_arena *arena, const char *text, const char *expected)
{
    struct gh_sfv_item item;
    char memory[256];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    if (!gh_sfv_parse_item(gh_str_from_c(text), arena, &item))
        fail_msg("%s does not parse", text);
    assert_true(gh_sfv_write_item(&buf, &item));
    if (!gh_str_eq(gh_buf_str(&buf), gh_str_from_c(expected)))
        fail_msg("%s becomes %.*s", text, GH_STR_ARG(gh_buf_str(&buf)));
}

static void reads_and_writes_each_type(void **state)
{
    static const char *const ROWS[][2] = {
        {"42", "42"},
        {"-0", "0"},
        {"0042", "42"},
        {"999999999999999", "999999999999999"},
        {"-999999999999999", "-999999999999999"},
        {"1.5", "1.5"},
        {"-0.50", "-0.5"},
        {"1.000", "1.0"},
        {"0.001", "0.001"},
        {"2.050", "2.05"},
        {"999999999999.999", "999999999999.999"},
        {"\"a \\\"b\\\\\"", "\"a \\\"b\\\\\""},
        {"\"\"", "\"\""},
        {"foo123/456:!#$%&'*+-.^_`|~", "foo123/456:!#$%&'*+-.^_`|~"},
        {"*x", "*x"},
        {":aGVsbG8=:", ":aGVsbG8=:"},
        {":aGVsbG8:", ":aGVsbG8=:"},
        {"::", "::"},
        {":iZ==:", ":iQ==:"},
        {"?1", "?1"},
        {"?0", "?0"},
        {"@1659578233", "@1659578233"},
        {"@-1", "@-1"},
        {"%\"This is intended for display to %c3%bcsers.\"",
         "%\"This is intended for display to %c3%bcsers.\""},
        {"%\"%22%25\"", "%\"%22%25\""},
        {"  1;a;b=?1;  c=\"x\";a=2  ", "1;a=2;b;c=\"x\""},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        assert_item_writes(*state, ROWS[i][0], ROWS[i][1]);
}

static const struct gh_str NO_ITEMS[] = {
    GH_STR_INIT(""),
    GH_STR_INIT(" "),
    GH_STR_INIT("1 2"),
    GH_STR_INIT("1,2"),
    GH_STR_INIT("\t1"),
    GH_STR_INIT("1\t"),
    GH_STR_INIT("-"),
    GH_STR_INIT("--1"),
    GH_STR_INIT("+1"),
    GH_STR_INIT("1."),
    GH_STR_INIT(".1"),
    GH_STR_INIT("-.1"),
    GH_STR_INIT("1.1234"),
    GH_STR_INIT("1.1.1"),
    GH_STR_INIT("1000000000000000"),
    GH_STR_INIT("1000000000000.1"),
    GH_STR_INIT("1e3"),
    GH_STR_INIT("\""),
    GH_STR_INIT("\"a"),
    GH_STR_INIT("\"\\"),
    GH_STR_INIT("\"\\\""),
    GH_STR_INIT("\"\\a\""),
    GH_STR_INIT("\"\t\""),
    GH_STR_INIT("\"\x7f\""),
    GH_STR_INIT("\"\xc3\xa4\""),
    GH_STR_INIT("'a'"),
    GH_STR_INIT("a\0"),
    GH_STR_INIT("1a"),
    GH_STR_INIT("/a"),
    GH_STR_INIT(":"),
    GH_STR_INIT(":a:"),
    GH_STR_INIT(":aGVsbG8==:"),
    GH_STR_INIT(":aGVs=:"),
    GH_STR_INIT(":a=b=:"),
    GH_STR_INIT(":aGVs====:"),
    GH_STR_INIT(":aGVs bG8=:"),
    GH_STR_INIT(":_-__:"),
    GH_STR_INIT(":aGVsbG8="),
    GH_STR_INIT("?"),
    GH_STR_INIT("?2"),
    GH_STR_INIT("?10"),
    GH_STR_INIT("?T"),
    GH_STR_INIT("@"),
    GH_STR_INIT("@1.5"),
    GH_STR_INIT("@ 1"),
    GH_STR_INIT("@\"1\""),
    GH_STR_INIT("%a"),
    GH_STR_INIT("%\""),
    GH_STR_INIT("%\"a"),
    GH_STR_INIT("%\"%\""),
    GH_STR_INIT("%\"%c3\""),
    GH_STR_INIT("%\"%C3%BC\""),
    GH_STR_INIT("%\"%zz\""),
    GH_STR_INIT("%\"%c0%af\""),
    GH_STR_INIT("%\"\xc3\xbc\""),
    GH_STR_INIT("%\"%c\""),
    GH_STR_INIT("(1)"),
    GH_STR_INIT("1;"),
    GH_STR_INIT("1;A"),
    GH_STR_INIT("1;=1"),
    GH_STR_INIT("1;a="),
    GH_STR_INIT("1;a=(1)"),
    GH_STR_INIT("1;a =1"),
    GH_STR_INIT("1;a= 1"),
    GH_STR_INIT("1 ;a"),
    GH_STR_INIT("1;\ta"),
    GH_STR_INIT("1;1a"),
    GH_STR_INIT("1;a;"),
};

static void refuses_items_outside_the_grammar(void **state)
{
    for (size_t i = 0; i < sizeof(NO_ITEMS) / sizeof(NO_ITEMS[0]); i++) {
        struct gh_sfv_item item;
        if (gh_sfv_parse_item(NO_ITEMS[i], *state, &item))
            fail_msg("%.*s parses", GH_STR_ARG(NO_ITEMS[i]));
    }
}

static void reads_a_rate_limit_policy(void **state)
{
    struct gh_sfv_list list;
    struct gh_str text = GH_STR("\"login\";q=5;w=60, \"all\";q=100;w=1");
    assert_true(gh_sfv_parse_list(text, *state, &list));
    assert_int_equal(list.count, 2);
    const struct gh_sfv_item *item = &list.members[0].item;
    assert_int_equal(item->type, GH_SFV_STRING);
    assert_true(gh_str_eq(item->bytes, GH_STR("login")));
    assert_int_equal(item->param_count, 2);
    assert_true(gh_str_eq(item->params[1].key, GH_STR("w")));
    assert_int_equal(item->params[1].item.integer, 60);
    char memory[128];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    assert_true(gh_sfv_write_list(&buf, &list));
    assert_true(gh_str_eq(gh_buf_str(&buf), text));
}

static void reads_a_permissions_policy(void **state)
{
    struct gh_sfv_list dictionary;
    assert_true(gh_sfv_parse_dictionary(
        GH_STR("camera=(), geolocation=(self \"https://a.example\") , x, y=1, x;a, y=2.5"), *state,
        &dictionary));
    char memory[128];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    assert_true(gh_sfv_write_dictionary(&buf, &dictionary));
    assert_true(
        gh_str_eq(gh_buf_str(&buf),
                  GH_STR("camera=(), geolocation=(self \"https://a.example\"), x;a, y=2.5")));
}

static void refuses_lists_and_dictionaries_outside_the_grammar(void **state)
{
    static const char *const LISTS[] = {
        ",",     "1,",     "1, ",    ",1",   "1,,2",         "1 2", "(1",      "(1))", "(1,2)",
        "((1))", "(1)(2)", "(1\t2)", "(1;)", "(\"a\"\"b\")", "\t1", "1;a, ;b", "(1 2", "1;a=1,",
    };
    static const char *const DICTIONARIES[] = {
        "=1",   "a=",     "a=1,", "a=1,,b=2", "A=1",  "a =1", "a= 1", "1=1",  "a=1 b=2",
        ",a=1", "a=1;b=", "a=(",  "a=(1",     "a==1", "a;=1", "-a=1", "a,b,", "\"a\"=1",
    };
    struct gh_sfv_list list;
    for (size_t i = 0; i < sizeof(LISTS) / sizeof(LISTS[0]); i++) {
        if (gh_sfv_parse_list(gh_str_from_c(LISTS[i]), *state, &list))
            fail_msg("%s parses", LISTS[i]);
    }
    for (size_t i = 0; i < sizeof(DICTIONARIES) / sizeof(DICTIONARIES[0]); i++) {
        if (gh_sfv_parse_dictionary(gh_str_from_c(DICTIONARIES[i]), *state, &list))
            fail_msg("%s parses", DICTIONARIES[i]);
    }
}

static void takes_nothing_for_an_empty_list(void **state)
{
    struct gh_sfv_list list;
    assert_true(gh_sfv_parse_list(GH_STR(""), *state, &list));
    assert_int_equal(list.count, 0);
    assert_true(gh_sfv_parse_dictionary(GH_STR("  "), *state, &list));
    assert_int_equal(list.count, 0);
}

static void refuses_more_members_than_its_bound(void **state)
{
    static char text[4 * 1100];
    struct gh_sfv_list list;
    for (size_t i = 0; i < sizeof(text); i += 4)
        memcpy(text + i, "a , ", 4);
    assert_true(gh_sfv_parse_list(gh_str_of(text, 4 * 1024 - 2), *state, &list));
    assert_int_equal(list.count, 1024);
    assert_false(gh_sfv_parse_list(gh_str_of(text, 4 * 1025 - 2), *state, &list));
    /* Of equal keys the last one counts, so this is one member. */
    assert_true(gh_sfv_parse_dictionary(gh_str_of(text, 4 * 1100 - 2), *state, &list));
    assert_int_equal(list.count, 1);
}

static void refuses_when_the_arena_is_full(void **state)
{
    struct gh_str text = GH_STR("a=(\"x\\\"\" :aGVsbG8=:);p=%\"x\", b;c=1");
    bool done = false;
    for (size_t cap = 0; !done; cap += 16) {
        struct gh_arena arena;
        gh_arena_init(&arena, 16, cap);
        struct gh_sfv_list list = {.count = 7};
        done = gh_sfv_parse_dictionary(text, &arena, &list);
        assert_int_equal(list.count, done ? 2 : 7);
        gh_arena_done(&arena);
        assert_in_range(cap, 0, 8192);
    }
}

static void refuses_to_write_what_no_parser_takes(void **state)
{
    struct gh_sfv_member bad_key = {.key = GH_STR("A"), .item = {.type = GH_SFV_BOOLEAN}};
    struct gh_sfv_member no_key = {.item = {.type = GH_SFV_BOOLEAN}};
    struct gh_sfv_member nested = {.item = {.type = GH_SFV_INNER_LIST}};
    const struct gh_sfv_item items[] = {
        {.type = GH_SFV_NONE},
        {.type = GH_SFV_INTEGER, .integer = 1000000000000000},
        {.type = GH_SFV_INTEGER, .integer = INT64_MIN},
        {.type = GH_SFV_DECIMAL, .integer = -1000000000000000},
        {.type = GH_SFV_DATE, .integer = INT64_MAX},
        {.type = GH_SFV_BOOLEAN, .integer = 2},
        {.type = GH_SFV_STRING, .bytes = GH_STR("\xc3\xa4")},
        {.type = GH_SFV_STRING, .bytes = GH_STR("\r\nSet-Cookie: a=b")},
        {.type = GH_SFV_TOKEN, .bytes = GH_STR("")},
        {.type = GH_SFV_TOKEN, .bytes = GH_STR("1a")},
        {.type = GH_SFV_TOKEN, .bytes = GH_STR("a b")},
        {.type = GH_SFV_TOKEN, .bytes = GH_STR("a,b")},
        {.type = GH_SFV_DISPLAY_STRING, .bytes = GH_STR("\xff")},
        {.type = GH_SFV_INTEGER, .params = &bad_key, .param_count = 1},
        {.type = GH_SFV_INTEGER, .params = &no_key, .param_count = 1},
        {.type = GH_SFV_INTEGER, .params = &nested, .param_count = 1},
        {.type = GH_SFV_INNER_LIST, .items = &nested, .item_count = 1},
    };
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        char memory[64];
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        struct gh_sfv_member member = {.item = items[i]};
        struct gh_sfv_list list = {&member, 1};
        assert_false(gh_sfv_write_list(&buf, &list));
    }
}

static void says_when_the_buffer_is_full(void **state)
{
    struct gh_sfv_item item = {.type = GH_SFV_BYTES, .bytes = GH_STR("hello")};
    for (size_t cap = 0; cap <= 10; cap++) {
        char memory[10];
        struct gh_buf buf = gh_buf_over(memory, cap);
        assert_true(gh_sfv_write_item(&buf, &item) == (cap == 10));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_each_type),
        cmocka_unit_test(refuses_items_outside_the_grammar),
        cmocka_unit_test(reads_a_rate_limit_policy),
        cmocka_unit_test(reads_a_permissions_policy),
        cmocka_unit_test(refuses_lists_and_dictionaries_outside_the_grammar),
        cmocka_unit_test(takes_nothing_for_an_empty_list),
        cmocka_unit_test(refuses_more_members_than_its_bound),
        cmocka_unit_test(refuses_when_the_arena_is_full),
        cmocka_unit_test(refuses_to_write_what_no_parser_takes),
        cmocka_unit_test(says_when_the_buffer_is_full),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
