/* Documents that are built are those that the parser would have read. */
#include "json/build.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct gh_arena arena;

static int open_arena(void **state)
{
    (void)state;
    gh_arena_init(&arena, 4096, 1 << 20);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    gh_arena_done(&arena);
    return 0;
}

static void assert_is(struct gh_json_builder *builder, const char *text)
{
    struct gh_json_doc built, parsed;
    assert_int_equal(gh_json_build_finish(builder, &built), GH_JSON_OK);
    assert_int_equal(gh_json_parse(&arena, gh_str_from_c(text), &gh_json_small, &parsed, NULL),
                     GH_JSON_OK);
    assert_int_equal(built.count, parsed.count);
    for (size_t i = 0; i < built.count; i++) {
        const struct gh_json_value *a = &built.values[i], *b = &parsed.values[i];
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->boolean, b->boolean);
        assert_int_equal(a->is_integer, b->is_integer);
        assert_int_equal(a->count, b->count);
        assert_int_equal(a->next, b->next);
        assert_int_equal(a->name_hash, b->name_hash);
        assert_true((a->name.ptr == NULL) == (b->name.ptr == NULL) && gh_str_eq(a->name, b->name));
        assert_true((a->text.ptr == NULL) == (b->text.ptr == NULL) && gh_str_eq(a->text, b->text));
    }
}

static const struct gh_str NO_NAME = {0};

static void builds_what_the_parser_reads(void **state)
{
    (void)state;
    struct gh_json_builder b;
    struct gh_json_doc part;
    assert_int_equal(
        gh_json_parse(&arena, GH_STR("{\"x\":[1,{\"y\":null}]}"), &gh_json_small, &part, NULL),
        GH_JSON_OK);
    gh_json_build_init(&b, &arena, &gh_json_small);
    gh_json_build_begin(&b, NO_NAME, GH_JSON_OBJECT);
    gh_json_build_string(&b, GH_STR("a"), GH_STR("text"));
    gh_json_build_begin(&b, GH_STR("b"), GH_JSON_ARRAY);
    for (int i = 0; i < 20; i++)
        gh_json_build_number(&b, NO_NAME, GH_STR("1.5"));
    gh_json_build_copy(&b, NO_NAME, &part);
    gh_json_build_end(&b);
    gh_json_build_copy(&b, GH_STR("c"), &part);
    gh_json_build_bool(&b, GH_STR("d"), true);
    gh_json_build_null(&b, GH_STR(""));
    gh_json_build_end(&b);
    assert_is(&b, "{\"a\":\"text\",\"b\":[1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,1.5,"
                  "1.5,1.5,1.5,1.5,1.5,1.5,{\"x\":[1,{\"y\":null}]}],"
                  "\"c\":{\"x\":[1,{\"y\":null}]},\"d\":true,\"\":null}");
    gh_json_build_init(&b, &arena, &gh_json_small);
    gh_json_build_number(&b, NO_NAME, GH_STR("-12"));
    assert_is(&b, "-12");
}

static void refuses_a_repeated_name_at_any_depth(void **state)
{
    (void)state;
    struct gh_json_builder b;
    struct gh_json_doc doc;
    gh_json_build_init(&b, &arena, &gh_json_small);
    gh_json_build_begin(&b, NO_NAME, GH_JSON_OBJECT);
    gh_json_build_begin(&b, GH_STR("a"), GH_JSON_OBJECT);
    gh_json_build_null(&b, GH_STR("a"));
    gh_json_build_null(&b, GH_STR("b"));
    gh_json_build_end(&b);
    gh_json_build_null(&b, GH_STR("b"));
    assert_int_equal(b.status, GH_JSON_OK);
    gh_json_build_null(&b, GH_STR("a"));
    assert_int_equal(b.status, GH_JSON_DUPLICATE_NAME);
    gh_json_build_end(&b);
    assert_int_equal(gh_json_build_finish(&b, &doc), GH_JSON_DUPLICATE_NAME);
}

static void refuses_more_than_the_limits(void **state)
{
    (void)state;
    const struct gh_json_limits limits = {.depth_max = 2, .values_max = 4, .members_max = 2};
    struct gh_json_builder b;
    gh_json_build_init(&b, &arena, &limits);
    gh_json_build_begin(&b, NO_NAME, GH_JSON_ARRAY);
    gh_json_build_begin(&b, NO_NAME, GH_JSON_ARRAY);
    gh_json_build_begin(&b, NO_NAME, GH_JSON_ARRAY);
    assert_int_equal(b.status, GH_JSON_TOO_DEEP);

    gh_json_build_init(&b, &arena, &limits);
    gh_json_build_begin(&b, NO_NAME, GH_JSON_ARRAY);
    for (int i = 0; i < 3; i++)
        gh_json_build_null(&b, NO_NAME);
    assert_int_equal(b.status, GH_JSON_OK);
    gh_json_build_null(&b, NO_NAME);
    assert_int_equal(b.status, GH_JSON_TOO_LARGE);

    gh_json_build_init(&b, &arena, &limits);
    gh_json_build_begin(&b, NO_NAME, GH_JSON_OBJECT);
    gh_json_build_null(&b, GH_STR("a"));
    gh_json_build_null(&b, GH_STR("b"));
    assert_int_equal(b.status, GH_JSON_OK);
    gh_json_build_null(&b, GH_STR("c"));
    assert_int_equal(b.status, GH_JSON_TOO_LARGE);
}

static void a_full_arena_is_told(void **state)
{
    (void)state;
    struct gh_arena full;
    struct gh_json_builder b;
    struct gh_json_doc doc;
    gh_arena_init(&full, 64, 64);
    gh_json_build_init(&b, &full, &gh_json_small);
    gh_json_build_null(&b, NO_NAME);
    assert_int_equal(gh_json_build_finish(&b, &doc), GH_JSON_MEMORY);
    gh_arena_done(&full);
}

static void knows_the_spelling_of_numbers(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"0", "-0", "10", "1.0", "-1.50", "1e3", "1E+3", "0.1e-400"};
    static const char *const BAD[] = {"",    "-",   "+1",   "01",   "1.",       ".5",  "1e",
                                      "1e+", "0x1", "1 ",   " 1",   "1_0",      "NaN", "--1",
                                      "1,0", "-01", "1.e2", "1ee2", "Infinity", "1\n", "\xd9\xa1"};
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
        assert_true(gh_json_is_number(gh_str_from_c(GOOD[i])));
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_false(gh_json_is_number(gh_str_from_c(BAD[i])));
    assert_false(gh_json_is_number(GH_STR("1\0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(builds_what_the_parser_reads, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(refuses_a_repeated_name_at_any_depth, open_arena,
                                        close_arena),
        cmocka_unit_test_setup_teardown(refuses_more_than_the_limits, open_arena, close_arena),
        cmocka_unit_test(a_full_arena_is_told),
        cmocka_unit_test(knows_the_spelling_of_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
