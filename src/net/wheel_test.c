#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "net/wheel.h"

#define START_MS 1234567

struct probe {
    struct gh_timer timer; /* first, so that the callback finds the probe */
    struct fixture *fixture;
    uint64_t ran_at_ms;
    unsigned runs;
    uint64_t again_ms;    /* not 0: starts itself again */
    struct probe *victim; /* not NULL: is stopped by this one */
};

struct fixture {
    struct gh_wheel wheel;
    uint64_t now_ms;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->now_ms = START_MS;
    gh_wheel_init(&fixture->wheel, fixture->now_ms);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void on_probe(struct gh_timer *timer)
{
    struct probe *probe = (struct probe *)timer;
    struct fixture *fixture = probe->fixture;
    assert_false(gh_timer_is_armed(timer));
    assert_true(fixture->now_ms >= timer->due_ms);
    probe->ran_at_ms = fixture->now_ms;
    probe->runs++;
    if (probe->again_ms)
        gh_wheel_add(&fixture->wheel, timer, fixture->now_ms, probe->again_ms, on_probe);
    if (probe->victim)
        gh_wheel_remove(&fixture->wheel, &probe->victim->timer);
}

static void start(struct fixture *fixture, struct probe *probe, uint64_t delay_ms)
{
    probe->fixture = fixture;
    gh_wheel_add(&fixture->wheel, &probe->timer, fixture->now_ms, delay_ms, on_probe);
    assert_true(gh_timer_is_armed(&probe->timer));
}

static void move_to(struct fixture *fixture, uint64_t now_ms)
{
    fixture->now_ms = now_ms;
    gh_wheel_advance(&fixture->wheel, now_ms);
}

static void runs_no_timer_early_and_none_later_than_one_tick(void **state)
{
    struct fixture *fixture = *state;
    static const uint64_t delays[] = {0,      1,       9,        10,       11,       100,
                                      2549,   2550,    2560,     2561,     2570,     5120,
                                      163829, 163840,  163850,   200000,   60000,    75000,
                                      900000, 3600000, 10485750, 10485760, 10485770, 90000000};
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        struct probe probe = {0};
        start(fixture, &probe, delays[i]);
        uint64_t begin = fixture->now_ms;
        /* As the loop does: sleep until the wheel wants to be called. */
        while (!probe.runs) {
            uint64_t next = gh_wheel_next_ms(&fixture->wheel);
            assert_true(next != GH_WHEEL_NEVER);
            move_to(fixture, next > fixture->now_ms ? next : fixture->now_ms);
        }
        assert_true(probe.ran_at_ms >= begin + delays[i]);
        assert_true(probe.ran_at_ms <= begin + delays[i] + 2 * GH_WHEEL_TICK_MS);
        assert_true(gh_wheel_next_ms(&fixture->wheel) == GH_WHEEL_NEVER);
        move_to(fixture, fixture->now_ms + 7);
    }
}

static void next_due_moment_of_a_near_timer_is_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct probe near = {0}, far = {0};
    start(fixture, &far, 75000);
    start(fixture, &near, 200);
    assert_int_equal(gh_wheel_next_ms(&fixture->wheel), gh_wheel_runs_ms(&near.timer));
}

static void a_distant_timer_needs_few_wake_ups(void **state)
{
    struct fixture *fixture = *state;
    struct probe probe = {0};
    start(fixture, &probe, UINT64_C(7) * 24 * 3600 * 1000);
    unsigned wakes = 0;
    for (; !probe.runs; wakes++)
        move_to(fixture, gh_wheel_next_ms(&fixture->wheel));
    assert_true(wakes <= 4);
}

static void a_delay_beyond_the_span_still_ends_at_its_time(void **state)
{
    struct fixture *fixture = *state;
    struct probe probe = {0};
    uint64_t delay_ms = UINT64_C(40) * 24 * 3600 * 1000;
    start(fixture, &probe, delay_ms);
    while (!probe.runs)
        move_to(fixture, gh_wheel_next_ms(&fixture->wheel));
    assert_true(probe.ran_at_ms - START_MS - delay_ms < 2 * GH_WHEEL_TICK_MS);
    start(fixture, &probe, UINT64_MAX);
    assert_true(probe.timer.due_ms > fixture->now_ms);
}

static void a_jump_of_hours_runs_everything_due_once(void **state)
{
    struct fixture *fixture = *state;
    struct probe probes[64] = {0};
    for (size_t i = 0; i < 64; i++)
        start(fixture, &probes[i], (i + 1) * 97531);
    move_to(fixture, START_MS + UINT64_C(64) * 97531 + GH_WHEEL_TICK_MS);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(probes[i].runs, 1);
    assert_true(gh_wheel_next_ms(&fixture->wheel) == GH_WHEEL_NEVER);
}

static void arming_an_armed_timer_moves_it(void **state)
{
    struct fixture *fixture = *state;
    struct probe probe = {0};
    start(fixture, &probe, 50);
    start(fixture, &probe, 5000);
    move_to(fixture, START_MS + 4000);
    assert_int_equal(probe.runs, 0);
    start(fixture, &probe, 10);
    move_to(fixture, START_MS + 4030);
    assert_int_equal(probe.runs, 1);
    move_to(fixture, START_MS + 9000);
    assert_int_equal(probe.runs, 1);
}

static void a_stopped_timer_does_not_run_and_may_be_stopped_again(void **state)
{
    struct fixture *fixture = *state;
    struct probe probe = {0}, far = {0};
    start(fixture, &probe, 50);
    start(fixture, &far, 50000);
    gh_wheel_remove(&fixture->wheel, &probe.timer);
    gh_wheel_remove(&fixture->wheel, &probe.timer);
    gh_wheel_remove(&fixture->wheel, &far.timer);
    assert_false(gh_timer_is_armed(&probe.timer));
    assert_true(gh_wheel_next_ms(&fixture->wheel) == GH_WHEEL_NEVER);
    move_to(fixture, START_MS + 100000);
    assert_int_equal(probe.runs + far.runs, 0);
}

static void a_callback_may_stop_a_timer_of_the_same_tick(void **state)
{
    struct fixture *fixture = *state;
    struct probe first = {0}, second = {0}, third = {0};
    first.victim = &second;
    start(fixture, &first, 50);
    start(fixture, &second, 50);
    start(fixture, &third, 50);
    move_to(fixture, START_MS + 100);
    assert_int_equal(first.runs, 1);
    assert_int_equal(second.runs, 0);
    assert_int_equal(third.runs, 1);
}

static void a_callback_that_starts_itself_again_does_not_spin(void **state)
{
    struct fixture *fixture = *state;
    struct probe probe = {.again_ms = 1};
    start(fixture, &probe, 10);
    move_to(fixture, START_MS + 1000);
    assert_in_range(probe.runs, 1, 3);
    unsigned before = probe.runs;
    move_to(fixture, START_MS + 1020);
    assert_in_range(probe.runs, before + 1, before + 3);
    gh_wheel_remove(&fixture->wheel, &probe.timer);
}

/* Against the plainest model: a list of due times. */
static void agrees_with_a_plain_list_over_random_work(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 300 };
    static struct probe probes[COUNT];
    uint64_t expected[COUNT];
    memset(probes, 0, sizeof probes);
    memset(expected, 0, sizeof expected);
    srandom(7);
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)random() % COUNT;
        uint64_t delay = (uint64_t)random() % (UINT64_C(1) << (random() % 28));
        if (random() % 4 == 0) {
            gh_wheel_remove(&fixture->wheel, &probes[i].timer);
            expected[i] = 0;
        } else {
            start(fixture, &probes[i], delay);
            expected[i] = fixture->now_ms + delay;
        }
        uint64_t now = fixture->now_ms + (uint64_t)random() % (UINT64_C(1) << (random() % 20));
        unsigned before[COUNT];
        for (size_t k = 0; k < COUNT; k++)
            before[k] = probes[k].runs;
        move_to(fixture, now);
        for (size_t k = 0; k < COUNT; k++) {
            bool ran = probes[k].runs != before[k];
            assert_true(probes[k].runs - before[k] <= 1);
            if (ran)
                assert_true(expected[k] && expected[k] <= now);
            else if (expected[k])
                assert_true(expected[k] + 2 * GH_WHEEL_TICK_MS > now);
            if (ran)
                expected[k] = 0;
            assert_int_equal(gh_timer_is_armed(&probes[k].timer), expected[k] != 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(runs_no_timer_early_and_none_later_than_one_tick),
        T(next_due_moment_of_a_near_timer_is_its_own),
        T(a_distant_timer_needs_few_wake_ups),
        T(a_delay_beyond_the_span_still_ends_at_its_time),
        T(a_jump_of_hours_runs_everything_due_once),
        T(arming_an_armed_timer_moves_it),
        T(a_stopped_timer_does_not_run_and_may_be_stopped_again),
        T(a_callback_may_stop_a_timer_of_the_same_tick),
        T(a_callback_that_starts_itself_again_does_not_spin),
        T(agrees_with_a_plain_list_over_random_work),
    };
    return cmocka_run_group_tests_name("net/wheel", tests, NULL, NULL);
}
