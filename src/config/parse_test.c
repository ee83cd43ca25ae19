#include "config/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "config/render_problems.h"

static const char *const ENVIRONMENT[] = {
    "NAME", "value",       "EMPTY",   "",     "NESTED", "${NAME}",
    "YAML", "a: [b]\n- c", "NULLISH", "null", NULL,
};

static const struct gh_config_node *parse(struct test_load *test, const char *text)
{
    test_load_init(test, ENVIRONMENT);
    return gh_config_parse(&test->load, gh_str_from_c(text));
}

static void expect_problems(const char *text, bool tree_expected, const char *expected)
{
    struct test_load test;
    const struct gh_config_node *root = parse(&test, text);
    assert_string_equal(test_load_problems(&test), expected);
    assert_int_equal(root != NULL, tree_expected);
    test_load_done(&test);
}

static void expect_text(const struct gh_config_node *node, const char *text)
{
    assert_non_null(node);
    assert_int_equal(node->kind, GH_CONFIG_SCALAR);
    assert_int_equal(node->text.len, strlen(text));
    assert_memory_equal(node->text.ptr, text, strlen(text));
}

static void makes_a_tree_with_places(void **state)
{
    (void)state;
    struct test_load test;
    const struct gh_config_node *root = parse(&test, "a: 1\nb:\n  - x\n  - {c: \"d\", \"e\": ~}\n");
    assert_string_equal(test_load_problems(&test), "");
    assert_int_equal(root->kind, GH_CONFIG_MAP);
    assert_int_equal(root->count, 2);
    expect_text(gh_config_get(root, "a"), "1");
    const struct gh_config_node *list = gh_config_get(root, "b");
    assert_int_equal(list->kind, GH_CONFIG_LIST);
    assert_int_equal(list->items[0].place.line, 3);
    assert_int_equal(list->items[0].place.column, 5);
    const struct gh_config_node *map = &list->items[1];
    assert_int_equal(map->key_places[0].line, 4);
    assert_int_equal(map->key_places[0].column, 6);
    expect_text(gh_config_get(map, "c"), "d");
    assert_true(gh_config_get(map, "c")->quoted);
    assert_true(gh_config_get(map, "e")->is_null);
    assert_null(gh_config_get(map, "x"));
    assert_null(gh_config_get(list, "x"));
    test_load_done(&test);
}

static void an_empty_text_is_one_null(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n\n", "# nothing\n", "---\n", "~"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct test_load test;
        const struct gh_config_node *root = parse(&test, texts[i]);
        assert_non_null(root);
        assert_true(root->is_null);
        assert_string_equal(test_load_problems(&test), "");
        test_load_done(&test);
    }
}

static void quoted_words_are_never_null(void **state)
{
    (void)state;
    struct test_load test;
    const struct gh_config_node *root =
        parse(&test, "[\"\", 'null', \"~\", null, NULL, Null, ~, ]");
    for (size_t i = 0; i < 3; i++)
        assert_false(root->items[i].is_null);
    for (size_t i = 3; i < root->count; i++)
        assert_true(root->items[i].is_null);
    test_load_done(&test);
}

static void replaces_environment_references(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a${NAME}b${NAME}", "avaluebvalue"},
        {"${EMPTY}", ""},
        {"${EMPTY:-default}", "default"},
        {"${MISSING:-x-:y}", "x-:y"},
        {"${MISSING:-}", ""},
        {"'${NAME}'", "value"},
        {"$${NAME}", "${NAME}"},
        {"$NAME $5", "$NAME $5"},
        {"$$${NAME}", "$${NAME}"},
        {"${NESTED}", "${NAME}"},
        {"${YAML}", "a: [b]\n- c"},
        {"|\n  x ${NAME}\n", "x value\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct test_load test;
        const struct gh_config_node *root = parse(&test, cases[i][0]);
        assert_string_equal(test_load_problems(&test), "");
        expect_text(root, cases[i][1]);
        test_load_done(&test);
    }
}

static void an_empty_result_of_references_counts_as_left_out(void **state)
{
    (void)state;
    struct test_load test;
    const struct gh_config_node *root =
        parse(&test, "- ${EMPTY}\n- \"${MISSING:-}\"\n- ${NULLISH}\n- \"${NAME}\"\n");
    assert_true(root->items[0].is_null);
    assert_true(root->items[1].is_null);
    assert_false(root->items[2].is_null);
    assert_false(root->items[3].quoted);
    assert_true(root->items[3].interpolated);
    test_load_done(&test);
}

static void refuses_bad_environment_references(void **state)
{
    (void)state;
    expect_problems("a: ${MISSING}\nb:\n  - x${MISSING_TOO}\n", true,
                    "1:4 the environment variable MISSING is not set | set it, or write a default: "
                    "${NAME:-default}\n"
                    "3:5 the environment variable MISSING_TOO is not set | set it, or write a "
                    "default: ${NAME:-default}\n");
    static const char *const texts[] = {
        "${",        "${}",      "${1A}",    "${NAME",           "${NAME-x}",
        "${NAME:x}", "${NAME:-", "${ NAME}", "${NAME:-${NAME}}", "x ${NA ME}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "k: '%s'", texts[i]);
        expect_problems(text, true,
                        "1:4 malformed environment reference | write ${NAME} or ${NAME:-default}; "
                        "$${ stands for a literal ${\n");
    }
    expect_problems("${NAME}: 1\n", true, "1:1 environment references are not replaced in keys\n");
}

static void refuses_anchors_aliases_and_tags_and_reads_on(void **state)
{
    (void)state;
    expect_problems("a: &x 1\nb: *x\nc: !!str d\nd: &y [e]\nf: &z {g: h}\n!t k: 1\n", true,
                    "1:4 anchors are not allowed | write the value out where it is used\n"
                    "2:4 aliases are not allowed | write the value out, or put it in quotes if it "
                    "begins with *\n"
                    "3:4 tags are not allowed | leave the tag out\n"
                    "4:4 anchors are not allowed | write the value out where it is used\n"
                    "5:4 anchors are not allowed | write the value out where it is used\n"
                    "6:1 tags are not allowed | leave the tag out\n");
    expect_problems("hosts:\n  - *.example.com\n", false,
                    "2:5 a value can't begin with * | put the value in quotes\n");
}

static void refuses_a_key_given_twice(void **state)
{
    (void)state;
    expect_problems("a: 1\nb: 2\na: 3\nc: {d: 1, \"d\": 2}\na: 4\n", true,
                    "3:1 the key \"a\" stands here already, in line 1 | keep one of them\n"
                    "4:11 the key \"d\" stands here already, in line 4 | keep one of them\n"
                    "5:1 the key \"a\" stands here already, in line 3 | keep one of them\n");
}

static void refuses_keys_that_are_no_words(void **state)
{
    (void)state;
    expect_problems("? [a]\n: b\n", false, "1:3 a key must be a plain word\n");
    expect_problems("{x: 1}: b\n", false,
                    "1:1 a key must be a plain word | quote a value that begins with {\n");
    expect_problems("a: &x b\n*x : c\n", false,
                    "1:4 anchors are not allowed | write the value out where it is used\n"
                    "2:1 a key must be a plain word\n");
}

static void refuses_several_documents(void **state)
{
    (void)state;
    expect_problems("a: 1\n---\nb: 2\n", false,
                    "2:1 a second document begins here | keep one document in the file\n");
    expect_problems("a: 1\n...\n---\n", false,
                    "3:1 a second document begins here | keep one document in the file\n");
}

static void tells_where_the_syntax_breaks(void **state)
{
    (void)state;
    expect_problems("a: 1\n\tb: 2\n", false,
                    "2:1 found a tab character that violates indentation, while scanning a plain "
                    "scalar in line 1 | indent with spaces, not tabs\n");
    expect_problems("a:\n\tb: 2\n", false,
                    "2:1 found character that cannot start any token, while scanning for the next "
                    "token | indent with spaces, not tabs\n");
    expect_problems("a: [${NAME}]\n", false,
                    "1:6 did not find expected ',' or ']', while parsing a flow sequence | inside "
                    "brackets put ${..} in quotes\n");
    expect_problems("a: b: c\n", false, "1:5 mapping values are not allowed in this context\n");
    expect_problems("a: 1\n b: 2\n", false, "2:3 mapping values are not allowed in this context\n");
    expect_problems("a: [1, 2\nb: 3\n", false,
                    "2:2 did not find expected ',' or ']', while parsing a flow sequence in line "
                    "1\n");
    expect_problems("a: \"open\n", false,
                    "2:1 found unexpected end of stream, while scanning a quoted scalar in line "
                    "1\n");
    expect_problems("a: 1\nnonsense\nb: 2\n", false,
                    "2:1 could not find expected ':' | write \"key: value\"\n");
    expect_problems("key: @x\n", false,
                    "1:6 found character that cannot start any token, while scanning for the next "
                    "token | put the value in quotes\n");
    expect_problems("\xc3\xa4: @x\n", false,
                    "1:4 found character that cannot start any token, while scanning for the next "
                    "token | put the value in quotes\n");
}

static void refuses_bytes_that_are_no_text(void **state)
{
    (void)state;
    expect_problems("a: 1\nb: \x01\n", false,
                    "2:4 control characters are not allowed | the file must be UTF-8 text without "
                    "control characters\n");
    expect_problems("a: \xff\n", false,
                    "1:4 invalid leading UTF-8 octet | the file must be UTF-8 text without control "
                    "characters\n");
    expect_problems("a: \"x\\0y\"\n", true, "1:4 a NUL byte is not allowed\n");
    struct test_load test;
    test_load_init(&test, NULL);
    assert_null(gh_config_parse(&test.load, gh_str_of("ab: 1\nc\0d", 9)));
    assert_string_equal(test_load_problems(&test),
                        "2:2 a NUL byte is not allowed | the file must be UTF-8 text\n");
    test_load_done(&test);
}

static char *repeated(const char *piece, size_t count)
{
    size_t len = strlen(piece);
    char *text = malloc(len * count + 1);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * len, piece, len);
    text[len * count] = '\0';
    return text;
}

static void keeps_its_bounds(void **state)
{
    (void)state;
    char *deep = repeated("[", 100);
    expect_problems(deep, false, "1:18 lists and maps are nested too deeply\n");
    free(deep);
    char *many = repeated("- 1\n", GH_CONFIG_NODES_MAX);
    expect_problems(many, false, "100000:3 the configuration has too many values\n");
    free(many);
    char *large = repeated("# 789012345678\n", GH_CONFIG_BYTES_MAX / 15 + 1);
    expect_problems(large, false, "0:0 the file is over 1 MiB\n");
    free(large);
}

static void keeps_only_the_first_hundred_problems(void **state)
{
    (void)state;
    char *many = repeated("- !x 1\n", 5000);
    struct test_load test;
    assert_non_null(parse(&test, many));
    size_t kept = 0;
    for (const struct gh_config_problem *p = test.load.problems; p; p = p->next)
        kept++;
    assert_int_equal(kept, GH_CONFIG_PROBLEMS_MAX);
    assert_int_equal(test.load.error_count, 5000);
    test_load_done(&test);
    free(many);
}

static void every_cap_of_memory_ends_in_an_error(void **state)
{
    (void)state;
    static const char text[] = "a: [1, 2, {b: \"${NAME}\", c: \"x\"}]\nd: {e: f}\n";
    bool succeeded = false;
    for (size_t cap = 0; cap < 64 * 1024 && !succeeded; cap += 16) {
        struct test_load test;
        test_load_init(&test, ENVIRONMENT);
        gh_arena_init(&test.arena, 16, cap);
        const struct gh_config_node *root = gh_config_parse(&test.load, gh_str_from_c(text));
        succeeded = root && test.load.error_count == 0;
        if (succeeded)
            expect_text(gh_config_get(gh_config_get(root, "d"), "e"), "f");
        else
            assert_true(test.load.error_count > 0);
        test_load_done(&test);
    }
    assert_true(succeeded);
}

static void a_text_of_ours_has_no_places(void **state)
{
    (void)state;
    struct test_load test;
    test_load_init(&test, NULL);
    test.load.without_places = true;
    const struct gh_config_node *root = gh_config_parse(&test.load, GH_STR("a: 1\nb: &x 2\n"));
    assert_int_equal(root->items[1].place.line, 0);
    assert_int_equal(root->key_places[1].line, 0);
    assert_string_equal(test_load_problems(&test), "0:0 anchors are not allowed | write the value "
                                                   "out where it is used\n");
    test_load_done(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_a_tree_with_places),
        cmocka_unit_test(an_empty_text_is_one_null),
        cmocka_unit_test(quoted_words_are_never_null),
        cmocka_unit_test(replaces_environment_references),
        cmocka_unit_test(an_empty_result_of_references_counts_as_left_out),
        cmocka_unit_test(refuses_bad_environment_references),
        cmocka_unit_test(refuses_anchors_aliases_and_tags_and_reads_on),
        cmocka_unit_test(refuses_a_key_given_twice),
        cmocka_unit_test(refuses_keys_that_are_no_words),
        cmocka_unit_test(refuses_several_documents),
        cmocka_unit_test(tells_where_the_syntax_breaks),
        cmocka_unit_test(refuses_bytes_that_are_no_text),
        cmocka_unit_test(keeps_its_bounds),
        cmocka_unit_test(keeps_only_the_first_hundred_problems),
        cmocka_unit_test(every_cap_of_memory_ends_in_an_error),
        cmocka_unit_test(a_text_of_ours_has_no_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
