#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/name_set.h"

static void finds_every_name_and_no_other(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    enum { COUNT = 1000 };
    struct gh_str *names = gh_arena_zalloc(&arena, COUNT, sizeof(*names));
    for (unsigned i = 0; i < COUNT; i++)
        names[i] = gh_arena_format(&arena, "host-%u.example.com", i);
    struct gh_name_set set;
    assert_true(gh_name_set_build(&set, &arena, names, COUNT, false));
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(gh_name_set_find(&set, names[i]), i);
        struct gh_str other = gh_arena_format(&arena, "host-%u.example.con", i);
        assert_int_equal(gh_name_set_find(&set, other), GH_NAME_ABSENT);
    }
    assert_int_equal(gh_name_set_find(&set, GH_STR("")), GH_NAME_ABSENT);
    assert_int_equal(gh_name_set_find(&set, GH_STR("HOST-1.example.com")), GH_NAME_ABSENT);
    gh_arena_done(&arena);
}

static void folds_case_only_when_told_to(void **state)
{
    static const struct gh_str NAMES[] = {GH_STR_INIT("X-Frame-Options"), GH_STR_INIT("Server"),
                                          GH_STR_INIT("SERVER")};
    struct gh_arena arena;
    struct gh_name_set set;
    gh_arena_init(&arena, 4096, 1 << 20);
    assert_true(gh_name_set_build(&set, &arena, NAMES, 3, true));
    assert_int_equal(gh_name_set_find(&set, GH_STR("x-frame-OPTIONS")), 0);
    assert_int_equal(gh_name_set_find(&set, GH_STR("SERVER")), 1); /* the first of equals */
    assert_int_equal(gh_name_set_find(&set, GH_STR("x-frame-option")), GH_NAME_ABSENT);
    gh_arena_done(&arena);
}

static void a_zeroed_or_empty_set_has_nothing(void **state)
{
    struct gh_name_set set = {0};
    assert_int_equal(gh_name_set_find(&set, GH_STR("a")), GH_NAME_ABSENT);
    assert_int_equal(gh_name_set_find(&set, GH_STR("")), GH_NAME_ABSENT);
    struct gh_arena arena;
    gh_arena_init(&arena, 64, 0);
    assert_true(gh_name_set_build(&set, &arena, NULL, 0, true));
    assert_int_equal(gh_name_set_find(&set, GH_STR("a")), GH_NAME_ABSENT);
    static const struct gh_str ONE[] = {GH_STR_INIT("a")};
    assert_false(gh_name_set_build(&set, &arena, ONE, 1, true));
    gh_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_every_name_and_no_other),
        cmocka_unit_test(folds_case_only_when_told_to),
        cmocka_unit_test(a_zeroed_or_empty_set_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
