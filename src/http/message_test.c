#include "http/message.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void names_every_method_and_reads_it_back(void **state)
{
    (void)state;
    for (int m = GH_METHOD_GET; m < GH_METHOD_COUNT; m++) {
        struct gh_str name = gh_method_name((enum gh_method)m);
        assert_true(name.len > 0);
        assert_int_equal(gh_method_of(name), m);
    }
    assert_int_equal(gh_method_name(GH_METHOD_OTHER).len, 0);
}

static void reads_methods_with_regard_to_case(void **state)
{
    (void)state;
    assert_int_equal(gh_method_of(GH_STR("get")), GH_METHOD_OTHER);
    assert_int_equal(gh_method_of(GH_STR("GETS")), GH_METHOD_OTHER);
    assert_int_equal(gh_method_of(GH_STR("GE")), GH_METHOD_OTHER);
    assert_int_equal(gh_method_of(GH_STR("")), GH_METHOD_OTHER);
    assert_int_equal(gh_method_of(GH_STR("PROPFIND")), GH_METHOD_OTHER);
}

static void tells_safe_and_idempotent_methods(void **state)
{
    (void)state;
    assert_true(gh_method_is_safe(GH_METHOD_GET) && gh_method_is_safe(GH_METHOD_HEAD));
    assert_true(gh_method_is_safe(GH_METHOD_OPTIONS) && gh_method_is_safe(GH_METHOD_TRACE));
    assert_false(gh_method_is_safe(GH_METHOD_OTHER) || gh_method_is_safe(GH_METHOD_POST));
    assert_false(gh_method_is_safe(GH_METHOD_PUT) || gh_method_is_safe(GH_METHOD_DELETE));
    assert_true(gh_method_is_idempotent(GH_METHOD_PUT) && gh_method_is_idempotent(GH_METHOD_GET));
    assert_true(gh_method_is_idempotent(GH_METHOD_DELETE));
    assert_false(gh_method_is_idempotent(GH_METHOD_POST) ||
                 gh_method_is_idempotent(GH_METHOD_PATCH) ||
                 gh_method_is_idempotent(GH_METHOD_OTHER));
}

static void has_a_text_for_the_statuses_that_we_send(void **state)
{
    (void)state;
    static const unsigned SENT[] = {100, 101, 200, 204, 304, 308, 400, 401, 403,
                                    404, 405, 408, 413, 414, 415, 417, 421, 422,
                                    429, 431, 500, 501, 502, 503, 504, 505};
    for (size_t i = 0; i < sizeof(SENT) / sizeof(SENT[0]); i++)
        assert_true(gh_status_text(SENT[i]).len > 0);
    assert_true(gh_str_eq(gh_status_text(200), GH_STR("OK")));
    assert_int_equal(gh_status_text(299).len, 0);
    assert_int_equal(gh_status_text(0).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_every_method_and_reads_it_back),
        cmocka_unit_test(reads_methods_with_regard_to_case),
        cmocka_unit_test(tells_safe_and_idempotent_methods),
        cmocka_unit_test(has_a_text_for_the_statuses_that_we_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
