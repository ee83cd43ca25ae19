#include "config/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "config/origins.h"
#include "config/render_problems.h"

static const char *nearest(const char *name)
{
    static const char *const names[] = {"hosts",   "listen", "rate_limits", "csp", "cors",
                                        "max_age", "",       "upstreams"};
    const char *found = gh_nearest(gh_str_from_c(name), names, sizeof names / sizeof names[0]);
    return found ? found : "-";
}

static void finds_the_nearest_word(void **state)
{
    (void)state;
    assert_string_equal(nearest("hosst"), "hosts");
    assert_string_equal(nearest("host"), "hosts");
    assert_string_equal(nearest("listne"), "listen");
    assert_string_equal(nearest("ratelimit"), "rate_limits");
    assert_string_equal(nearest("cps"), "csp");
    assert_string_equal(nearest("CORS"), "cors");
    assert_string_equal(nearest("maxAge"), "max_age");
    assert_string_equal(nearest("upstream"), "upstreams");
}

static void finds_nothing_when_nothing_is_near(void **state)
{
    (void)state;
    assert_string_equal(nearest(""), "-");
    assert_string_equal(nearest("x"), "-");
    assert_string_equal(nearest("redis"), "-");
    assert_string_equal(nearest("corsair"), "-");
    assert_string_equal(nearest("a_very_long_word_that_is_longer_than_any_key_of_a_file_can_be_so"),
                        "-");
}

static void shows_values_short_and_printable(void **state)
{
    (void)state;
    struct test_load test;
    test_load_init(&test, NULL);
    struct gh_arena *arena = &test.arena;
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"a\nb\x1b[31m", "a\\x0ab\\x1b[31m"},
        {"https://example.com/a?b", "https://example.com/a?b"},
        {"12345678 12345678 12345678 12345678 12345678 12345678 12345678 ",
         "12345678 12345678 12345678 12345678 12345678 12345678 123456..."},
        {"12345678 12345678 12345678 12345678 12345678 12345678 12345\xc3\xa4 x",
         "12345678 12345678 12345678 12345678 12345678 12345678 12345..."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gh_str shown = gh_config_show(arena, gh_str_from_c(cases[i][0]));
        assert_string_equal(shown.ptr, cases[i][1]);
    }
    test_load_done(&test);
}

static void never_shows_what_looks_like_a_secret(void **state)
{
    (void)state;
    struct test_load test;
    test_load_init(&test, NULL);
    static const char *const secrets[] = {
        "redis://:hunter2@cache:6379",
        "postgresql://app:hunter2@db/app",
        "see http://u:p@h/",
        "postgresql://app@db/app?pasword=hunter2",
        "redis://cache",
        "host=db user=app password=hunter2",
        "unix:/run/redis?%50assword=hunter2",
        "sk-ant-api03-abcDEF123456789",
        "dGhpcyBpcyBhIHNlY3JldCBrZXk0NTY3ODk=",
        "0123456789abcdef0123456789abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    };
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        assert_string_equal(gh_config_show(&test.arena, gh_str_from_c(secrets[i])).ptr, "(hidden)");
    gh_config_problem_add(&test.load, GH_CONFIG_ERROR, (struct gh_config_place){1, 2},
                          "write redis://u:hunter2@h", "bad URL http://a:hunter2@b\tx");
    assert_string_equal(test_load_problems(&test),
                        "1:2 bad URL http://(hidden) | write redis://(hidden)\n");
    test_load_done(&test);
}

static void tells_urls_with_a_password_from_others(void **state)
{
    (void)state;
    static const char *const with[] = {"http://a:b@c",
                                       "redis://:b@c",
                                       "x http://a http://:p@h",
                                       "https://a:b:c@d/e",
                                       "http://[::1]:x@h",
                                       "postgresql://u%3Ahunter2@h/d",
                                       "x://u%3ap@h",
                                       "postgresql:///d?host=h&password=hunter2",
                                       "postgresql://h/d?sslpassword=x&user=u",
                                       "https://h/d?Password=x",
                                       "postgres://h?p%61ssword=x",
                                       "postgresql://h/d?%70%61%73%73%77%6F%72%64=x",
                                       "postgresql://h/d?apapassword=x",
                                       "postgresql://h/d?password=&password=x",
                                       "postgresql://u:1/2@h/d",
                                       "postgresql://u:12?3=4@h/d",
                                       "redis://:1#2@h",
                                       "REDIS://:1,2@h",
                                       "at postgresql://u:12?3@h and"};
    static const char *const without[] = {"",
                                          "http://a@b",
                                          "http://a:@b",
                                          "http://a:80/@b",
                                          "http://a:80?x@b",
                                          "a:b@c",
                                          "http://a:80, x@y",
                                          "postgresql://a@h:5432/d?x=y",
                                          "postgresql://a@h:5432/d and b@c",
                                          "postgresql:///d?passfile=/run/pass",
                                          "postgresql:///d?password=&user=u",
                                          "postgresql:///d?password&user=u",
                                          "https://h/password=x",
                                          "https://h/?passwords=x",
                                          "redis://h:6379/0",
                                          "mailto:a@b.c",
                                          "://"};
    for (size_t i = 0; i < sizeof with / sizeof with[0]; i++)
        assert_true(gh_config_has_url_password(gh_str_from_c(with[i])));
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++)
        assert_false(gh_config_has_url_password(gh_str_from_c(without[i])));
}

static void cuts_long_messages_and_takes_out_control_bytes(void **state)
{
    (void)state;
    struct test_load test;
    test_load_init(&test, NULL);
    gh_config_problem_add(&test.load, GH_CONFIG_WARNING, (struct gh_config_place){3, 4}, NULL,
                          "a\x1b[31mb\n%s", "c");
    assert_string_equal(test_load_problems(&test), "3:4 warning: a?[31mb?c\n");
    assert_int_equal(test.load.warning_count, 1);
    assert_int_equal(test.load.error_count, 0);
    gh_config_problem_add(&test.load, GH_CONFIG_ERROR, (struct gh_config_place){0, 0}, NULL,
                          "%5000d", 7);
    assert_true(test.load.problems->next->what.len < 1024);
    test_load_done(&test);
}

static void problems_of_other_files_stand_behind_in_their_own_order(void **state)
{
    (void)state;
    struct test_load test;
    test_load_init(&test, NULL);
    static const struct {
        const char *file;
        struct gh_config_place place;
    } added[] = {
        {"b.yaml", {2, 1}}, {"a.yaml", {9, 9}}, {"", {5, 1}},
        {"b.yaml", {1, 7}}, {"", {0, 0}},       {"b.yaml", {1, 3}},
    };
    static const char *const expected[] = {"", "", "a.yaml", "b.yaml", "b.yaml", "b.yaml"};
    static const unsigned lines[] = {0, 5, 9, 1, 1, 2};
    for (size_t i = 0; i < sizeof added / sizeof added[0]; i++)
        gh_config_problem_add_in(&test.load, gh_str_from_c(added[i].file),
                                 i ? GH_CONFIG_ERROR : GH_CONFIG_WARNING, added[i].place,
                                 GH_STR("what"), GH_STR(""));
    assert_int_equal(test.load.error_count, 5);
    assert_int_equal(test.load.warning_count, 1);
    gh_config_problems_sort(&test.load);
    const struct gh_config_problem *problem = test.load.problems;
    for (size_t i = 0; i < 6; i++, problem = problem->next) {
        assert_true(gh_str_eq(problem->file, gh_str_from_c(expected[i])));
        assert_int_equal(problem->place.line, lines[i]);
    }
    assert_null(problem);
    test_load_done(&test);
}

static void remembers_where_a_field_was_written(void **state)
{
    (void)state;
    struct test_load test;
    test_load_init(&test, NULL);
    int fields[2000];
    assert_int_equal(gh_config_where(&test.load, &fields[0]).line, 0);
    for (unsigned i = 0; i < 2000; i++)
        gh_config_origin_add(&test.load, &fields[i], (struct gh_config_place){i, 1});
    gh_config_origin_add(&test.load, &fields[7], (struct gh_config_place){9999, 2});
    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(gh_config_where(&test.load, &fields[i]).line, i == 7 ? 9999 : i);
    test_load_done(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_nearest_word),
        cmocka_unit_test(finds_nothing_when_nothing_is_near),
        cmocka_unit_test(shows_values_short_and_printable),
        cmocka_unit_test(never_shows_what_looks_like_a_secret),
        cmocka_unit_test(tells_urls_with_a_password_from_others),
        cmocka_unit_test(cuts_long_messages_and_takes_out_control_bytes),
        cmocka_unit_test(problems_of_other_files_stand_behind_in_their_own_order),
        cmocka_unit_test(remembers_where_a_field_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
