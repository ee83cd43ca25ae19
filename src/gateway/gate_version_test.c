#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/gate_version.h"

static unsigned done_count;

static void on_done(struct gh_gate_version *version)
{
    assert_true(gh_str_eq(version->rules.issuer, GH_STR("us"))); /* its memory is still there */
    done_count++;
}

static void goes_with_its_last_reader_and_gives_back_what_it_held_once(void **state)
{
    (void)state;
    struct gh_gate_version *version = gh_gate_version_new();
    assert_non_null(version);
    version->rules.issuer = gh_arena_dup(&version->arena, GH_STR("us"));
    version->done = on_done;
    gh_gate_version_ref(version);
    gh_gate_version_unref(version);
    assert_int_equal(done_count, 0);
    gh_gate_version_unref(version);
    assert_int_equal(done_count, 1);
}

static void needs_nothing_to_be_given_back(void **state)
{
    (void)state;
    struct gh_gate_version *version = gh_gate_version_new();
    assert_non_null(version);
    assert_int_equal(version->rules.bearer_keys.count, 0);
    gh_gate_version_unref(version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_with_its_last_reader_and_gives_back_what_it_held_once),
        cmocka_unit_test(needs_nothing_to_be_given_back),
    };
    return cmocka_run_group_tests_name("gate_version", tests, NULL, NULL);
}
