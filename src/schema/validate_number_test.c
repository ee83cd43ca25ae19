/* Bounds of numbers, against the exact comparison of decimal.h. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "schema/check_fixture.h"
#include "schema/decimal.h"

static enum gh_schema_outcome check_once(const char *schema, const char *value)
{
    struct gh_check_fixture fixture;
    gh_fixture_open(&fixture, GH_SCHEMA_2020_12, schema);
    assert_int_equal(fixture.err, GH_OK);
    enum gh_schema_outcome outcome =
        gh_fixture_check(&fixture, gh_str_from_c(value), &gh_schema_check_usual);
    gh_fixture_close(&fixture);
    return outcome;
}

/* Short numbers are compared without their decimal form. */
static void short_numbers_have_the_order_of_exact_ones(void **state)
{
    static const char *const NUMBERS[] = {"0",
                                          "-0",
                                          "0.0",
                                          "-0.5",
                                          "0.5",
                                          "-1",
                                          "1.0",
                                          "1.01",
                                          "-1.01",
                                          "-2.99",
                                          "1e0",
                                          "12e1",
                                          "120",
                                          "-3",
                                          "2",
                                          "1.999",
                                          "0e5",
                                          "-1.000000000000001",
                                          "999999999999999999",
                                          "999999999999999999.5",
                                          "9999999999999999999",
                                          "-99999999999999999"};
    const size_t count = sizeof(NUMBERS) / sizeof(NUMBERS[0]);
    for (size_t i = 0; i < count * count; i++) {
        char schema[64];
        struct gh_decimal bound = gh_decimal_read(gh_str_from_c(NUMBERS[i % count])),
                          number = gh_decimal_read(gh_str_from_c(NUMBERS[i / count]));
        int order = gh_decimal_compare(&number, &bound);
        for (unsigned strict = 0; strict < 2; strict++) {
            snprintf(schema, sizeof(schema), "{'%s':%s}", strict ? "exclusiveMinimum" : "minimum",
                     NUMBERS[i % count]);
            assert_int_equal(check_once(schema, NUMBERS[i / count]),
                             order + !strict > 0 ? GH_SCHEMA_VALID : GH_SCHEMA_INVALID);
            snprintf(schema, sizeof(schema), "{'%s':%s}", strict ? "exclusiveMaximum" : "maximum",
                     NUMBERS[i % count]);
            assert_int_equal(check_once(schema, NUMBERS[i / count]),
                             order < (int)!strict ? GH_SCHEMA_VALID : GH_SCHEMA_INVALID);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_numbers_have_the_order_of_exact_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
