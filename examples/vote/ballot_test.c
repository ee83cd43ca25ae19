#include "ballot.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static struct ballot pets(void)
{
    struct ballot ballot;
    assert_true(ballot_parse("cats,dogs", &ballot));
    return ballot;
}

static enum ballot_verdict judge(const char *body)
{
    struct ballot ballot = pets();
    const char *option = NULL;
    enum ballot_verdict verdict = ballot_judge(&ballot, body, strlen(body), &option);
    assert_int_equal(verdict == BALLOT_VALID, option != NULL);
    return verdict;
}

static void reads_options_in_their_order_without_blanks(void **state)
{
    struct ballot ballot;
    assert_true(ballot_parse(" guinea pigs ,dogs,\tcats", &ballot));
    assert_int_equal(ballot.count, 3);
    assert_string_equal(ballot.options[0], "guinea pigs");
    assert_string_equal(ballot.options[1], "dogs");
    assert_string_equal(ballot.options[2], "cats");
}

static void refuses_lists_that_are_no_ballot(void **state)
{
    const char *lists[] = {"",           "cats",      "cats,",          ",cats",
                           "cats,,dogs", "cats, ",    "cats,dogs,cats", "cats,do\ngs",
                           "cats,\x7f",  "cats,\xff", "cats,\xc0\xaf"};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct ballot ballot = {.count = 77};
        assert_false(ballot_parse(lists[i], &ballot));
        assert_int_equal(ballot.count, 77);
    }
}

static void bounds_the_length_of_an_option_and_their_number(void **state)
{
    char list[1024] = "a,";
    struct ballot ballot;
    memset(list + 2, 'b', BALLOT_OPTION_BYTES_MAX);
    assert_true(ballot_parse(list, &ballot));
    list[2 + BALLOT_OPTION_BYTES_MAX] = 'b';
    assert_false(ballot_parse(list, &ballot));

    size_t used = 0;
    for (int i = 0; i < BALLOT_OPTIONS_MAX; i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%so%d", i ? "," : "", i);
    assert_true(ballot_parse(list, &ballot));
    snprintf(list + used, sizeof(list) - used, ",more");
    assert_false(ballot_parse(list, &ballot));
}

static void takes_exactly_one_option(void **state)
{
    struct ballot ballot = pets();
    const char *option = NULL;
    const char body[] = " {\"option\" : \"dogs\"}\n";
    assert_int_equal(ballot_judge(&ballot, body, strlen(body), &option), BALLOT_VALID);
    assert_ptr_equal(option, ballot.options[1]);
    assert_int_equal(judge("{\"\\u006fption\":\"c\\u0061ts\"}"), BALLOT_VALID);
}

static void refuses_what_is_not_json(void **state)
{
    const char *bodies[] = {"",
                            "option=cats",
                            "{\"option\":\"cats\"",
                            "{\"option\":\"cats\"} x",
                            "{\"option\":\"cats\",}",
                            "{'option':'cats'}",
                            "{\"option\":\"cats\",\"option\":\"dogs\"}",
                            "{\"option\":\"cats\\u0000\"}",
                            "{\"option\":\"\xff\"}",
                            "{\"option\":\"cats\"}{\"option\":\"cats\"}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_int_equal(judge(bodies[i]), BALLOT_NOT_JSON);
}

static void refuses_json_of_another_shape(void **state)
{
    const char *bodies[] = {"{}",
                            "[]",
                            "null",
                            "7",
                            "\"cats\"",
                            "[\"cats\"]",
                            "{\"option\":7}",
                            "{\"option\":null}",
                            "{\"option\":[\"cats\"]}",
                            "{\"Option\":\"cats\"}",
                            "{\"option\":\"cats\",\"weight\":9}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_int_equal(judge(bodies[i]), BALLOT_NOT_A_VOTE);
}

static void refuses_options_that_are_not_on_the_ballot(void **state)
{
    const char *bodies[] = {"{\"option\":\"birds\"}", "{\"option\":\"\"}", "{\"option\":\"Cats\"}",
                            "{\"option\":\"cats \"}", "{\"option\":\"cats,dogs\"}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_int_equal(judge(bodies[i]), BALLOT_UNKNOWN_OPTION);
}

static void depth_is_bounded(void **state)
{
    char body[8192];
    memset(body, '[', sizeof(body));
    struct ballot ballot = pets();
    const char *option = NULL;
    assert_int_equal(ballot_judge(&ballot, body, sizeof(body), &option), BALLOT_NOT_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_options_in_their_order_without_blanks),
        cmocka_unit_test(refuses_lists_that_are_no_ballot),
        cmocka_unit_test(bounds_the_length_of_an_option_and_their_number),
        cmocka_unit_test(takes_exactly_one_option),
        cmocka_unit_test(refuses_what_is_not_json),
        cmocka_unit_test(refuses_json_of_another_shape),
        cmocka_unit_test(refuses_options_that_are_not_on_the_ballot),
        cmocka_unit_test(depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
