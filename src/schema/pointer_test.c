#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "schema/pointer.h"

static const char TEXT[] =
    "{\"a\":[1,{\"b/c\":true,\"m~n\":[[]],\"\":0}],\"~1\":2,\"long name\":3}";

static struct gh_json_doc parse(struct gh_arena *arena)
{
    struct gh_json_doc doc;
    gh_arena_init(arena, 4096, 1 << 20);
    assert_int_equal(gh_json_parse(arena, gh_str_from_c(TEXT), &gh_json_small, &doc, NULL),
                     GH_JSON_OK);
    return doc;
}

static void every_value_is_found_by_its_pointer(void **state)
{
    struct gh_arena arena;
    struct gh_json_doc doc = parse(&arena);
    (void)state;
    for (uint32_t i = 0; i < doc.count; i++) {
        char memory[64];
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        assert_true(gh_json_pointer_put(&buf, &doc, i));
        assert_ptr_equal(gh_json_pointer_find(&doc, doc.values, gh_buf_str(&buf)), &doc.values[i]);
    }
    gh_arena_done(&arena);
}

static void refuses_pointers_that_lead_nowhere(void **state)
{
    static const char *const NOWHERE[] = {
        "a",     "/b",      "/a/2",    "/a/-",     "/a/01", "/a/0/",
        "/a/ 0", "/a/1/~2", "/a/1/m~", "/a/1/b/c", "/",     "/a/99999999999999999999"};
    struct gh_arena arena;
    struct gh_json_doc doc = parse(&arena);
    (void)state;
    for (size_t i = 0; i < sizeof(NOWHERE) / sizeof(NOWHERE[0]); i++)
        assert_null(gh_json_pointer_find(&doc, doc.values, gh_str_from_c(NOWHERE[i])));
    assert_non_null(gh_json_pointer_find(&doc, doc.values, GH_STR("/~01")));
    assert_non_null(gh_json_pointer_find(&doc, doc.values, GH_STR("/a/1/")));
    gh_arena_done(&arena);
}

static void a_pointer_without_room_leads_to_a_container(void **state)
{
    struct gh_arena arena;
    struct gh_json_doc doc = parse(&arena);
    char memory[5];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    const struct gh_json_value *deep = gh_json_pointer_find(&doc, doc.values, GH_STR("/a/1/b~1c"));
    (void)state;
    assert_false(gh_json_pointer_put(&buf, &doc, (uint32_t)(deep - doc.values)));
    assert_false(buf.overflow);
    assert_true(gh_str_eq(gh_buf_str(&buf), GH_STR("/a/1")));
    gh_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_found_by_its_pointer),
        cmocka_unit_test(refuses_pointers_that_lead_nowhere),
        cmocka_unit_test(a_pointer_without_room_leads_to_a_container),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
