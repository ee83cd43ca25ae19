/* When a clock is not believed, and when it is again. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "app/audit_clock.h"

#define SECOND UINT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
#define WALL   (UINT64_C(1800000000) * SECOND)
#define UP     (5 * DAY) /* the host has been running for so long */

static struct gh_audit_clock clock_;

static enum gh_audit_clock_verdict at(uint64_t wall, uint64_t running, uint64_t newest)
{
    return gh_audit_clock_judge(&clock_, wall, running, newest);
}

static void begin(uint64_t newest)
{
    gh_audit_clock_begin(&clock_, WALL, UP, newest);
}

static void both_clocks_going_together_are_believed(void **state)
{
    begin(WALL);
    assert_int_equal(at(WALL, UP, WALL), GH_AUDIT_CLOCK_PLAUSIBLE);
    assert_int_equal(at(WALL + 90 * DAY, UP + 90 * DAY, WALL + 90 * DAY), GH_AUDIT_CLOCK_PLAUSIBLE);
    assert_int_equal(at(WALL + HOUR, UP, WALL), GH_AUDIT_CLOCK_PLAUSIBLE);
    assert_int_equal(at(WALL - HOUR, UP, WALL), GH_AUDIT_CLOCK_PLAUSIBLE);
}

static void a_leap_ahead_is_not_believed_even_with_new_records(void **state)
{
    begin(WALL);
    assert_int_equal(at(WALL + HOUR + 1, UP, WALL), GH_AUDIT_CLOCK_LEAPT);
    assert_int_equal(at(WALL + 800 * DAY, UP + 1, WALL + 800 * DAY), GH_AUDIT_CLOCK_LEAPT);
}

static void a_leap_back_is_not_believed(void **state)
{
    begin(WALL);
    assert_int_equal(at(WALL - HOUR - 1, UP, WALL), GH_AUDIT_CLOCK_LEAPT);
    assert_int_equal(at(0, UP, WALL), GH_AUDIT_CLOCK_LEAPT);
}

static void a_clock_that_is_set_right_is_believed_at_once(void **state)
{
    begin(WALL);
    assert_int_equal(at(WALL + 800 * DAY, UP, WALL), GH_AUDIT_CLOCK_LEAPT);
    assert_int_equal(at(WALL + HOUR, UP + HOUR, WALL), GH_AUDIT_CLOCK_PLAUSIBLE);
}

static void more_than_a_week_beyond_the_newest_record_is_not_believed(void **state)
{
    begin(WALL);
    assert_int_equal(at(WALL + 7 * DAY, UP + 7 * DAY, WALL), GH_AUDIT_CLOCK_PLAUSIBLE);
    assert_int_equal(at(WALL + 7 * DAY + 1, UP + 7 * DAY + 1, WALL), GH_AUDIT_CLOCK_AHEAD);
    assert_int_equal(at(WALL + 8 * DAY, UP + 8 * DAY, WALL + 8 * DAY), GH_AUDIT_CLOCK_PLAUSIBLE);
}

static void an_empty_log_doubts_nothing(void **state)
{
    begin(0);
    assert_int_equal(at(WALL + 30 * DAY, UP + 30 * DAY, 0), GH_AUDIT_CLOCK_PLAUSIBLE);
}

/* The first records of such a life have the wrong time themselves. */
static void a_start_far_beyond_the_log_is_doubted_for_a_day(void **state)
{
    begin(WALL - 8 * DAY);
    assert_int_equal(at(WALL, UP, WALL), GH_AUDIT_CLOCK_AHEAD);
    assert_int_equal(at(WALL + DAY - 1, UP + DAY - 1, WALL), GH_AUDIT_CLOCK_AHEAD);
    assert_int_equal(at(WALL + DAY, UP + DAY, WALL), GH_AUDIT_CLOCK_PLAUSIBLE);
    assert_int_equal(at(WALL + DAY + 1, UP + DAY + 1, WALL), GH_AUDIT_CLOCK_PLAUSIBLE);
}

static void a_leap_that_stays_for_a_day_is_believed(void **state)
{
    begin(WALL);
    assert_int_equal(at(WALL + 3 * DAY, UP, WALL), GH_AUDIT_CLOCK_LEAPT);
    assert_int_equal(at(WALL + 4 * DAY - 1, UP + DAY - 1, WALL + 3 * DAY), GH_AUDIT_CLOCK_LEAPT);
    assert_int_equal(at(WALL + 4 * DAY, UP + DAY, WALL + 3 * DAY), GH_AUDIT_CLOCK_PLAUSIBLE);
}

static void another_leap_begins_the_day_anew(void **state)
{
    begin(WALL);
    assert_int_equal(at(WALL + 3 * DAY, UP, WALL), GH_AUDIT_CLOCK_LEAPT);
    assert_int_equal(at(WALL + 9 * DAY, UP + DAY - 1, WALL + 9 * DAY), GH_AUDIT_CLOCK_LEAPT);
    assert_int_equal(at(WALL + 9 * DAY + 2, UP + DAY + 1, WALL + 9 * DAY), GH_AUDIT_CLOCK_LEAPT);
}

static void each_doubt_has_its_day(void **state)
{
    begin(WALL);
    assert_int_equal(at(WALL + 3 * DAY, UP, WALL), GH_AUDIT_CLOCK_LEAPT);
    assert_int_equal(at(WALL + HOUR, UP + HOUR, WALL), GH_AUDIT_CLOCK_PLAUSIBLE);
    assert_int_equal(at(WALL + 5 * DAY, UP + 2 * DAY, WALL + 5 * DAY), GH_AUDIT_CLOCK_LEAPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_clocks_going_together_are_believed),
        cmocka_unit_test(a_leap_ahead_is_not_believed_even_with_new_records),
        cmocka_unit_test(a_leap_back_is_not_believed),
        cmocka_unit_test(a_clock_that_is_set_right_is_believed_at_once),
        cmocka_unit_test(more_than_a_week_beyond_the_newest_record_is_not_believed),
        cmocka_unit_test(an_empty_log_doubts_nothing),
        cmocka_unit_test(a_start_far_beyond_the_log_is_doubted_for_a_day),
        cmocka_unit_test(a_leap_that_stays_for_a_day_is_believed),
        cmocka_unit_test(another_leap_begins_the_day_anew),
        cmocka_unit_test(each_doubt_has_its_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
