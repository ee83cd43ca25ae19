#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/pace.h"

static const struct gh_limits_settings LIMITS = {.body_timeout_ms = 5000, .body_rate_min = 100};

/* ---- Bodies ---- */

static void a_body_that_comes_is_not_stalled(void **state)
{
    (void)state;
    struct gh_body_pace pace;
    gh_body_pace_begin(&pace, 1000);
    for (uint64_t at_ms = 2000; at_ms < 60000; at_ms += 1000)
        assert_false(gh_body_pace_is_stalled(&pace, &LIMITS, at_ms, at_ms * 100, false));
}

static void a_body_that_stops_is_stalled_after_its_time(void **state)
{
    (void)state;
    struct gh_body_pace pace;
    gh_body_pace_begin(&pace, 1000);
    assert_false(gh_body_pace_is_stalled(&pace, &LIMITS, 3000, 500, false));
    assert_false(gh_body_pace_is_stalled(&pace, &LIMITS, 7999, 500, false));
    assert_true(gh_body_pace_is_stalled(&pace, &LIMITS, 8000, 500, false));
}

static void time_in_which_we_take_nothing_is_ours(void **state)
{
    (void)state;
    struct gh_body_pace pace;
    gh_body_pace_begin(&pace, 1000);
    assert_false(gh_body_pace_is_stalled(&pace, &LIMITS, 9000, 4000, true));
    assert_false(gh_body_pace_is_stalled(&pace, &LIMITS, 9000, 4000, false));
    assert_false(gh_body_pace_is_stalled(&pace, &LIMITS, 13999, 4000, false));
    assert_true(gh_body_pace_is_stalled(&pace, &LIMITS, 14000, 4000, false));
}

static void time_in_which_we_take_nothing_does_not_lower_the_average(void **state)
{
    (void)state;
    struct gh_body_pace pace;
    gh_body_pace_begin(&pace, 0);
    assert_false(gh_body_pace_is_stalled(&pace, &LIMITS, 4000, 4000, false));
    for (uint64_t at_ms = 5000; at_ms <= 600000; at_ms += 1000)
        assert_false(gh_body_pace_is_stalled(&pace, &LIMITS, at_ms, 4000, true));
    for (uint64_t second = 1; second <= 30; second++)
        assert_false(gh_body_pace_is_stalled(&pace, &LIMITS, 600000 + second * 1000,
                                             4000 + second * 100, false));
    assert_true(gh_body_pace_is_stalled(&pace, &LIMITS, 700000, 7100, false));
}

static void a_drip_is_too_slow_once_it_is_old_enough(void **state)
{
    (void)state;
    struct gh_body_pace pace;
    gh_body_pace_begin(&pace, 0);
    for (uint64_t at_ms = 1000; at_ms <= 10000; at_ms += 1000)
        assert_false(gh_body_pace_is_stalled(&pace, &LIMITS, at_ms, at_ms / 1000, false));
    assert_true(gh_body_pace_is_stalled(&pace, &LIMITS, 11000, 11, false));
    struct gh_limits_settings any_rate = LIMITS;
    any_rate.body_rate_min = 0;
    assert_false(gh_body_pace_is_stalled(&pace, &any_rate, 12000, 12, false));
}

/* ---- Answers ---- */

static void a_client_that_takes_nothing_is_stalled(void **state)
{
    (void)state;
    struct gh_output_pace pace = {0};
    assert_false(gh_output_pace_is_stalled(&pace, &LIMITS, 1000, 300, 50));
    assert_false(gh_output_pace_is_stalled(&pace, &LIMITS, 5999, 400, 50));
    assert_true(gh_output_pace_is_stalled(&pace, &LIMITS, 6000, 500, 50));
}

/* However much waits for it then. */
static void a_client_that_takes_something_is_not(void **state)
{
    (void)state;
    struct gh_output_pace pace = {0};
    for (uint64_t taken = 1; taken < 100; taken++)
        assert_false(gh_output_pace_is_stalled(&pace, &LIMITS, taken * 4000, 300, taken));
}

static void nothing_that_waits_is_no_stall(void **state)
{
    (void)state;
    struct gh_output_pace pace = {0};
    assert_false(gh_output_pace_is_stalled(&pace, &LIMITS, 1000, 300, 50));
    assert_false(gh_output_pace_is_stalled(&pace, &LIMITS, 5000, 0, 350));
    assert_false(gh_output_pace_is_stalled(&pace, &LIMITS, 900000, 0, 350));
    assert_false(gh_output_pace_is_stalled(&pace, &LIMITS, 900001, 300, 350));
    assert_false(gh_output_pace_is_stalled(&pace, &LIMITS, 905000, 300, 350));
}

/* ---- A connection with many of them ---- */

static void a_link_that_carries_enough_moves(void **state)
{
    (void)state;
    struct gh_link_pace pace;
    gh_link_pace_begin(&pace, 0, 700);
    for (uint64_t at_ms = 1000; at_ms < 60000; at_ms += 1000)
        assert_true(gh_link_pace_is_moving(&pace, &LIMITS, at_ms, 700 + at_ms / 10));
}

static void a_link_on_which_nothing_leaves_does_not_move(void **state)
{
    (void)state;
    struct gh_link_pace pace;
    gh_link_pace_begin(&pace, 0, 700);
    assert_false(gh_link_pace_is_moving(&pace, &LIMITS, 1000, 700));
    assert_true(gh_link_pace_is_moving(&pace, &LIMITS, 2000, 5000));
    assert_false(gh_link_pace_is_moving(&pace, &LIMITS, 3000, 5000));
}

/* Neither one byte a second nor all of them at once now and then. */
static void a_link_that_is_opened_for_a_byte_now_and_then_does_not_move(void **state)
{
    (void)state;
    struct gh_link_pace pace;
    gh_link_pace_begin(&pace, 0, 0);
    for (uint64_t at_ms = 1000; at_ms < 60000; at_ms += 1000)
        assert_int_equal(gh_link_pace_is_moving(&pace, &LIMITS, at_ms, at_ms / 1000),
                         at_ms < LIMITS.body_timeout_ms);
    gh_link_pace_begin(&pace, 0, 0);
    for (uint64_t at_ms = 4000; at_ms < 60000; at_ms += 4000)
        assert_int_equal(gh_link_pace_is_moving(&pace, &LIMITS, at_ms, at_ms / 4000 * 150),
                         at_ms < LIMITS.body_timeout_ms);
}

static void a_link_that_was_slow_moves_again(void **state)
{
    (void)state;
    struct gh_link_pace pace;
    gh_link_pace_begin(&pace, 0, 0);
    assert_false(gh_link_pace_is_moving(&pace, &LIMITS, 5000, 10));
    assert_false(gh_link_pace_is_moving(&pace, &LIMITS, 9000, 10000));
    assert_true(gh_link_pace_is_moving(&pace, &LIMITS, 10000, 11000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_comes_is_not_stalled),
        cmocka_unit_test(a_body_that_stops_is_stalled_after_its_time),
        cmocka_unit_test(time_in_which_we_take_nothing_is_ours),
        cmocka_unit_test(time_in_which_we_take_nothing_does_not_lower_the_average),
        cmocka_unit_test(a_drip_is_too_slow_once_it_is_old_enough),
        cmocka_unit_test(a_client_that_takes_something_is_not),
        cmocka_unit_test(a_client_that_takes_nothing_is_stalled),
        cmocka_unit_test(nothing_that_waits_is_no_stall),
        cmocka_unit_test(a_link_that_carries_enough_moves),
        cmocka_unit_test(a_link_on_which_nothing_leaves_does_not_move),
        cmocka_unit_test(a_link_that_is_opened_for_a_byte_now_and_then_does_not_move),
        cmocka_unit_test(a_link_that_was_slow_moves_again),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
