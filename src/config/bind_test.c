#include "config/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "config/render_problems.h"

enum colour { COLOUR_UNSET, COLOUR_RED, COLOUR_GREEN };

struct inner {
    struct gh_config_list allow;
    enum gh_mode mode;
};

struct item {
    struct gh_str name;
    uint64_t count;
};

struct settings {
    bool on;
    struct gh_str text;
    uint64_t number, wait_ms, bytes;
    struct gh_config_rate rate;
    enum colour colour;
    struct inner inner;
    struct gh_config_list words, items, sizes;
    struct gh_config_map table, lists;
    struct gh_str custom;
};

static const struct gh_config_field STRING_ITEM = {.type = GH_CONFIG_TYPE_STRING};
static const struct gh_config_field SIZE_ITEM = {
    .type = GH_CONFIG_TYPE_SIZE, .min = 1, .max = 4096};
static const struct gh_config_field LIST_ITEM = {.type = GH_CONFIG_TYPE_LIST, .item = &STRING_ITEM};

static const struct gh_config_field INNER_FIELDS[] = {
    {.name = "allow",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = offsetof(struct inner, allow),
     .item = &STRING_ITEM,
     .default_yaml = "[localhost, \"*.example.com\"]",
     .env = "ALLOWED",
     .env_is_comma_list = true,
     .doc = "Who."},
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = offsetof(struct inner, mode),
     .names = gh_mode_names,
     .default_yaml = "enforce"},
};
static const struct gh_config_table INNER = {.name = "inner",
                                             .size = sizeof(struct inner),
                                             .fields = INNER_FIELDS,
                                             .field_count = 2,
                                             .short_form = "allow"};

static const struct gh_config_field ITEM_FIELDS[] = {
    {.name = "name",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = offsetof(struct item, name),
     .required = true,
     .doc = "What it is called."},
    {.name = "count",
     .type = GH_CONFIG_TYPE_INTEGER,
     .offset = offsetof(struct item, count),
     .default_yaml = "3",
     .min = 1,
     .max = 10},
};
static const struct gh_config_table ITEM = {
    .name = "item", .size = sizeof(struct item), .fields = ITEM_FIELDS, .field_count = 2};
static const struct gh_config_field TABLE_ITEM = {.type = GH_CONFIG_TYPE_TABLE, .table = &ITEM};

static void read_custom(struct gh_config_load *load, const struct gh_config_node *node, void *out)
{
    struct gh_str *text = out;
    if (node->kind != GH_CONFIG_SCALAR)
        gh_config_problem_add(load, GH_CONFIG_ERROR, node->place, NULL, "no scalar");
    else
        *text = gh_arena_format(load->arena, "<%.*s>", GH_STR_ARG(node->text));
}

static const char *const COLOURS[] = {"", "red", "green", NULL};

#define FIELD(member) .offset = offsetof(struct settings, member)
static const struct gh_config_field FIELDS[] = {
    {.name = "on", .type = GH_CONFIG_TYPE_BOOL, FIELD(on), .default_yaml = "true"},
    {.name = "text", .type = GH_CONFIG_TYPE_STRING, FIELD(text), .env = "TEXT"},
    {.name = "number",
     .type = GH_CONFIG_TYPE_INTEGER,
     FIELD(number),
     .min = 1,
     .max = 65535,
     .env = "NUMBER"},
    {.name = "wait",
     .type = GH_CONFIG_TYPE_DURATION,
     FIELD(wait_ms),
     .min = 1000,
     .max = 86400000,
     .default_yaml = "10s"},
    {.name = "bytes",
     .type = GH_CONFIG_TYPE_SIZE,
     FIELD(bytes),
     .min = 512,
     .default_yaml = "1MiB"},
    {.name = "rate", .type = GH_CONFIG_TYPE_RATE, FIELD(rate), .default_yaml = "100/second"},
    {.name = "colour", .type = GH_CONFIG_TYPE_ENUM, FIELD(colour), .names = COLOURS},
    {.name = "inner", .type = GH_CONFIG_TYPE_TABLE, FIELD(inner), .table = &INNER},
    {.name = "words",
     .type = GH_CONFIG_TYPE_LIST,
     FIELD(words),
     .item = &STRING_ITEM,
     .one_or_list = true},
    {.name = "items", .type = GH_CONFIG_TYPE_LIST, FIELD(items), .item = &TABLE_ITEM},
    {.name = "sizes", .type = GH_CONFIG_TYPE_LIST, FIELD(sizes), .item = &SIZE_ITEM},
    {.name = "table", .type = GH_CONFIG_TYPE_MAP, FIELD(table), .item = &TABLE_ITEM},
    {.name = "lists", .type = GH_CONFIG_TYPE_MAP, FIELD(lists), .item = &LIST_ITEM},
    {.name = "custom", .type = GH_CONFIG_TYPE_CUSTOM, FIELD(custom), .custom = read_custom},
    {.name = "later", .type = GH_CONFIG_TYPE_LATER},
};
static const struct gh_config_table TABLE = {.name = "",
                                             .size = sizeof(struct settings),
                                             .fields = FIELDS,
                                             .field_count = sizeof FIELDS / sizeof FIELDS[0]};

static const char *const ENVIRONMENT[] = {"EMPTY", "", "FIVE", "5", NULL};

static void bind(struct test_load *test, struct settings *out, const char *const *environment,
                 const char *text)
{
    test_load_init(test, environment);
    memset(out, 0, sizeof *out);
    const struct gh_config_node *node = gh_config_parse(&test->load, gh_str_from_c(text));
    assert_non_null(node);
    gh_config_bind(&test->load, &TABLE, node, out);
}

static void expect_problems(const char *text, const char *expected)
{
    struct test_load test;
    struct settings settings;
    bind(&test, &settings, ENVIRONMENT, text);
    assert_string_equal(test_load_problems(&test), expected);
    test_load_done(&test);
}

static bool list_is(struct gh_config_list list, const char *expected)
{
    char text[256] = "";
    const struct gh_str *items = list.items;
    size_t at = 0;
    for (size_t i = 0; i < list.count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s;", GH_STR_ARG(items[i]));
    return strcmp(text, expected) == 0;
}

static void fills_defaults_when_nothing_is_written(void **state)
{
    (void)state;
    struct test_load test;
    struct settings s;
    bind(&test, &s, NULL, "inner:\nwords: ~\nnumber:\nlater:\ncustom:\n");
    assert_string_equal(test_load_problems(&test), "");
    assert_true(s.on);
    assert_int_equal(s.text.len, 0);
    assert_int_equal(s.number, 0);
    assert_int_equal(s.wait_ms, 10000);
    assert_int_equal(s.bytes, 1048576);
    assert_int_equal(s.rate.count, 100);
    assert_int_equal(s.rate.window_ms, 1000);
    assert_int_equal(s.colour, COLOUR_UNSET);
    assert_true(list_is(s.inner.allow, "localhost;*.example.com;"));
    assert_int_equal(s.inner.mode, GH_MODE_ENFORCE);
    assert_int_equal(s.words.count, 0);
    assert_int_equal(gh_config_where(&test.load, &s.wait_ms).line, 0);
    test_load_done(&test);
}

static void fills_what_is_written(void **state)
{
    (void)state;
    struct test_load test;
    struct settings s;
    bind(&test, &s, NULL,
         "on: false\ntext: 12\nnumber: 65535\nwait: 1d\nbytes: 512\nrate: 3/hour\ncolour: green\n"
         "inner: {mode: off, allow: []}\nwords: one\nitems:\n  - name: a\n  - {name: b, count: 9}\n"
         "sizes: [1, 4KiB]\ntable: {x: {name: c}, \"y z\": {name: d}}\nlists: {k: [l, m]}\n"
         "custom: q\n");
    assert_string_equal(test_load_problems(&test), "");
    assert_false(s.on);
    assert_true(gh_str_eq(s.text, GH_STR("12")));
    assert_int_equal(s.number, 65535);
    assert_int_equal(s.wait_ms, 86400000);
    assert_int_equal(s.bytes, 512);
    assert_int_equal(s.rate.window_ms, 3600000);
    assert_int_equal(s.colour, COLOUR_GREEN);
    assert_int_equal(s.inner.mode, GH_MODE_OFF);
    assert_int_equal(s.inner.allow.count, 0);
    assert_true(list_is(s.words, "one;"));
    const struct item *items = s.items.items;
    assert_int_equal(s.items.count, 2);
    assert_int_equal(items[0].count, 3);
    assert_int_equal(items[1].count, 9);
    assert_int_equal(((uint64_t *)s.sizes.items)[1], 4096);
    assert_int_equal(s.table.count, 2);
    assert_true(gh_str_eq(s.table.keys[1], GH_STR("y z")));
    assert_int_equal(s.table.places[1].line, 14);
    assert_true(gh_str_eq(((struct item *)s.table.items)[1].name, GH_STR("d")));
    assert_true(list_is(((struct gh_config_list *)s.lists.items)[0], "l;m;"));
    assert_true(gh_str_eq(s.custom, GH_STR("<q>")));
    test_load_done(&test);
}

static void tells_where_each_field_was_written(void **state)
{
    (void)state;
    struct test_load test;
    struct settings s;
    bind(&test, &s, NULL, "number: 5\ninner:\n  mode: off\nitems:\n  - name: a\n    count: 2\n");
    struct gh_config_place place = gh_config_where(&test.load, &s.number);
    assert_int_equal(place.line, 1);
    assert_int_equal(place.column, 9);
    assert_int_equal(gh_config_where(&test.load, &s.inner).line, 2);
    assert_int_equal(gh_config_where(&test.load, &s.inner).column, 1);
    assert_int_equal(gh_config_where(&test.load, &s.inner.mode).line, 3);
    struct item *items = s.items.items;
    assert_int_equal(gh_config_where(&test.load, &items[0].count).line, 6);
    assert_int_equal(gh_config_where(&test.load, &items[0]).column, 11);
    assert_int_equal(gh_config_where(&test.load, &s.wait_ms).line, 0);
    test_load_done(&test);
}

static void the_short_form_stands_for_one_field(void **state)
{
    (void)state;
    struct test_load test;
    struct settings s;
    bind(&test, &s, NULL, "inner: [a, b]\n");
    assert_string_equal(test_load_problems(&test), "");
    assert_true(list_is(s.inner.allow, "a;b;"));
    assert_int_equal(gh_config_where(&test.load, &s.inner.allow).column, 8);
    test_load_done(&test);
    expect_problems("inner: x\n", "1:8 allow: expected a list, found a single value | write it in "
                                  "brackets: [..]\n");
}

static void the_environment_wins_over_the_file(void **state)
{
    (void)state;
    static const char *const environment[] = {"TEXT",    "from outside", "NUMBER", "77",
                                              "ALLOWED", " a, ,b,",      NULL};
    struct test_load test;
    struct settings s;
    bind(&test, &s, environment, "text: inside\nnumber: 5\ninner: {mode: observe, allow: [c]}\n");
    assert_string_equal(test_load_problems(&test), "");
    assert_true(gh_str_eq(s.text, GH_STR("from outside")));
    assert_int_equal(s.number, 77);
    assert_true(list_is(s.inner.allow, "a;b;"));
    assert_int_equal(s.inner.mode, GH_MODE_OBSERVE);
    assert_int_equal(gh_config_where(&test.load, &s.number).line, 0);
    test_load_done(&test);
}

static void an_empty_environment_variable_does_not_win(void **state)
{
    (void)state;
    static const char *const environment[] = {"TEXT", "", "ALLOWED", "", NULL};
    struct test_load test;
    struct settings s;
    bind(&test, &s, environment, "text: inside\n");
    assert_true(gh_str_eq(s.text, GH_STR("inside")));
    assert_int_equal(s.inner.allow.count, 2);
    test_load_done(&test);
}

static void names_the_environment_variable_that_is_wrong(void **state)
{
    (void)state;
    static const char *const environment[] = {"NUMBER", "many", NULL};
    struct test_load test;
    struct settings s;
    bind(&test, &s, environment, "number: 5\n");
    assert_string_equal(
        test_load_problems(&test),
        "0:0 environment variable NUMBER: expected a whole number, found \"many\" | "
        "write digits only\n");
    test_load_done(&test);
}

static void references_stand_for_values_of_any_type(void **state)
{
    (void)state;
    struct test_load test;
    struct settings s;
    bind(&test, &s, ENVIRONMENT,
         "number: ${FIVE}\nitems: [{name: x, count: \"${FIVE}\"}]\nlater: ${EMPTY}\n"
         "wait: ${EMPTY}\nrate: ${FIVE}/minute\n");
    assert_string_equal(test_load_problems(&test), "");
    assert_int_equal(s.number, 5);
    assert_int_equal(((struct item *)s.items.items)[0].count, 5);
    assert_int_equal(s.wait_ms, 10000);
    assert_int_equal(s.rate.count, 5);
    test_load_done(&test);
}

static void names_the_nearest_key_for_a_misspelt_one(void **state)
{
    (void)state;
    expect_problems("wiat: 10s\nitems:\n  - nmae: x\n    name: y\ninner:\n  mod: off\n",
                    "1:1 unknown key \"wiat\" | did you mean \"wait\"?\n"
                    "3:5 unknown key \"nmae\" in item | did you mean \"name\"?\n"
                    "6:3 unknown key \"mod\" in inner | did you mean \"mode\"?\n");
    expect_problems("inner: {zzz: 1}\n",
                    "1:9 unknown key \"zzz\" in inner | known here are: allow, mode\n");
}

static void refuses_missing_keys(void **state)
{
    (void)state;
    expect_problems("items:\n  - count: 2\n  -\ntable:\n  a:\n",
                    "2:5 missing key \"name\" in item | What it is called.\n"
                    "3:4 missing key \"name\" in item | What it is called.\n"
                    "5:5 missing key \"name\" in item | What it is called.\n");
    expect_problems("items: [{name: }]\n",
                    "1:9 missing key \"name\" in item | What it is called.\n");
}

static void refuses_values_of_another_form(void **state)
{
    (void)state;
    expect_problems("on: yes\n",
                    "1:5 on: expected true or false, found \"yes\" | write true or false\n");
    expect_problems("on: \"true\"\n", "1:5 on: expected true or false, found \"true\" | write it "
                                      "without quotes\n");
    expect_problems("number: -1\n",
                    "1:9 number: expected a whole number, found \"-1\" | write digits only\n");
    expect_problems("number: \"1\"\n",
                    "1:9 number: expected a whole number, found \"1\" | write digits only\n");
    expect_problems("number: 0x10\n",
                    "1:9 number: expected a whole number, found \"0x10\" | write digits only\n");
    expect_problems("wait: 10\n", "1:7 wait: expected a duration, found \"10\" | write a number "
                                  "with its unit: 500ms, 10s, 15m, 12h, 30d\n");
    expect_problems("bytes: 1MB\n", "1:8 bytes: expected a size, found \"1MB\" | write bytes, or a "
                                    "number with its unit: 512, 64KiB, 1MiB, 2GiB\n");
    expect_problems("rate: 5/min\n",
                    "1:7 rate: expected a rate, found \"5/min\" | write a count above 0 and a "
                    "unit: 100/second, 5/minute, 3/hour, 50/day\n");
    expect_problems("colour: gren\n",
                    "1:9 colour: unknown value \"gren\" | did you mean \"green\"?\n");
    expect_problems("colour: \"\"\n", "1:9 colour: unknown value \"\" | allowed are: red, green\n");
    expect_problems("rate: postgres://u:hunter2@h\n",
                    "1:7 rate: expected a rate, found \"(hidden)\" | write a count above 0 and a "
                    "unit: 100/second, 5/minute, 3/hour, 50/day\n");
}

static void refuses_values_out_of_range(void **state)
{
    (void)state;
    expect_problems("number: 0\n", "1:9 number: 0 is out of range, allowed is 1 to 65535\n");
    expect_problems("number: 65536\n",
                    "1:9 number: 65536 is out of range, allowed is 1 to 65535\n");
    expect_problems("wait: 999ms\n", "1:7 wait: 999ms is out of range, allowed is 1s to 1d\n");
    expect_problems("wait: 2d\n", "1:7 wait: 2d is out of range, allowed is 1s to 1d\n");
    expect_problems("bytes: 511\n", "1:8 bytes: 511 is too small, the least is 512\n");
    expect_problems("sizes: [1, 0, 5KiB]\n",
                    "1:12 sizes: 0 is out of range, allowed is 1 to 4KiB\n"
                    "1:15 sizes: 5KiB is out of range, allowed is 1 to 4KiB\n");
}

static void refuses_values_of_another_kind(void **state)
{
    (void)state;
    expect_problems("on: [true]\n", "1:5 on: expected a single value, found a list\n");
    expect_problems("text: {a: b}\n", "1:7 text: expected a single value, found a map\n");
    expect_problems("items: {name: a}\n",
                    "1:8 items: expected a list, found a map | write it in brackets: [..]\n");
    expect_problems("items: [a]\n", "1:9 item: expected a map, found a single value | write lines "
                                    "of \"key: value\"\n");
    expect_problems("table: [a]\n", "1:8 table: expected a map, found a list | write lines of "
                                    "\"name: value\"\n");
    expect_problems("words: {a: b}\n", "1:8 words: expected a single value, found a map\n");
    expect_problems("lists: {a: b}\n", "1:12 lists.a: expected a list, found a single value | "
                                       "write it in brackets: [..]\n");
}

static void refuses_empty_entries(void **state)
{
    (void)state;
    expect_problems("words:\n  - a\n  -\n  - ~\n",
                    "3:4 words: an empty entry | write a value, or leave the entry out\n"
                    "4:5 words: an empty entry | write a value, or leave the entry out\n");
    expect_problems("lists:\n  a:\n",
                    "2:3 lists.a: an empty entry | write a value, or leave the entry out\n");
}

static void refuses_what_comes_later(void **state)
{
    (void)state;
    expect_problems("later: {a: b}\n", "1:1 later is not available yet | leave it out; it comes "
                                       "with a later version\n");
    expect_problems("later:\n", "");
}

static void refuses_a_file_that_is_no_map(void **state)
{
    (void)state;
    expect_problems("[a]\n", "1:1 the file: expected a map, found a list | write lines of \"key: "
                             "value\"\n");
    expect_problems("hello\n",
                    "1:1 the file: expected a map, found a single value | write lines of "
                    "\"key: value\"\n");
}

static void tells_every_problem_in_one_run(void **state)
{
    (void)state;
    expect_problems("on: 1\nwiat: 1\nnumber: ${NOPE}\nbytes: x\nitems: [{count: 99}]\ncustom: []\n",
                    "1:5 on: expected true or false, found \"1\" | write true or false\n"
                    "2:1 unknown key \"wiat\" | did you mean \"wait\"?\n"
                    "3:9 the environment variable NOPE is not set | set it, or write a default: "
                    "${NAME:-default}\n"
                    "4:8 bytes: expected a size, found \"x\" | write bytes, or a number with its "
                    "unit: 512, 64KiB, 1MiB, 2GiB\n"
                    "5:9 missing key \"name\" in item | What it is called.\n"
                    "5:17 count: 99 is out of range, allowed is 1 to 10\n"
                    "6:9 no scalar\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_defaults_when_nothing_is_written),
        cmocka_unit_test(fills_what_is_written),
        cmocka_unit_test(tells_where_each_field_was_written),
        cmocka_unit_test(the_short_form_stands_for_one_field),
        cmocka_unit_test(the_environment_wins_over_the_file),
        cmocka_unit_test(an_empty_environment_variable_does_not_win),
        cmocka_unit_test(names_the_environment_variable_that_is_wrong),
        cmocka_unit_test(references_stand_for_values_of_any_type),
        cmocka_unit_test(names_the_nearest_key_for_a_misspelt_one),
        cmocka_unit_test(refuses_missing_keys),
        cmocka_unit_test(refuses_values_of_another_form),
        cmocka_unit_test(refuses_values_out_of_range),
        cmocka_unit_test(refuses_values_of_another_kind),
        cmocka_unit_test(refuses_empty_entries),
        cmocka_unit_test(refuses_what_comes_later),
        cmocka_unit_test(refuses_a_file_that_is_no_map),
        cmocka_unit_test(tells_every_problem_in_one_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
