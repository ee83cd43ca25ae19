/* Times as texts and back. */
#include "audit/time_text.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "audit/record.h"

static void what_is_written_reads_back(void **state)
{
    /* Steps of about eleven days and some, so that all dates and times of day occur. */
    for (uint64_t time_us = 0; time_us <= GH_AUDIT_TIME_US_MAX; time_us += 987654321098) {
        char memory[GH_AUDIT_TIME_LEN + 1];
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        uint64_t back;
        gh_audit_put_time(&buf, time_us);
        assert_true(gh_audit_parse_time(gh_buf_str(&buf), &back));
        assert_int_equal(back, time_us);
    }
}

static void the_last_of_9999_is_the_last(void **state)
{
    uint64_t time_us;
    assert_true(gh_audit_parse_time(GH_STR("9999-12-31T23:59:59.999999Z"), &time_us));
    assert_int_equal(time_us, GH_AUDIT_TIME_US_MAX);
}

static void refuses_dates_that_are_none_and_other_forms(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "2026-02-29T00:00:00.000000Z",
        "2026-04-31T00:00:00.000000Z",
        "2026-00-01T00:00:00.000000Z",
        "2026-13-01T00:00:00.000000Z",
        "2026-01-00T00:00:00.000000Z",
        "2026-01-32T00:00:00.000000Z",
        "2026-01-01T24:00:00.000000Z",
        "2026-01-01T00:60:00.000000Z",
        "2016-12-31T23:59:60.000000Z",
        "1969-12-31T23:59:59.999999Z",
        "0000-01-01T00:00:00.000000Z",
        "2026-01-01T00:00:00.000000z",
        "2026-01-01t00:00:00.000000Z",
        "2026-01-01T00:00:00.000000",
        "2026-01-01T00:00:00.00000Z",
        "2026-01-01T00:00:00.0000000Z",
        "2026-01-01T00:00:00.000000ZZ",
        "+026-01-01T00:00:00.000000Z",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        uint64_t time_us = 5;
        assert_false(gh_audit_parse_time(gh_str_from_c(TEXTS[i]), &time_us));
        assert_int_equal(time_us, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(the_last_of_9999_is_the_last),
        cmocka_unit_test(refuses_dates_that_are_none_and_other_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
