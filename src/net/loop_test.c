#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/loop_state.h"

#define THREADS         4
#define POSTS_BY_THREAD 5000

static _Atomic int64_t *clock_offset_ms;

static int open_loop(void **state)
{
    struct gh_loop *loop;
    assert_int_equal(gh_loop_open(&loop), GH_OK);
    *state = loop;
    return 0;
}

static int close_loop(void **state)
{
    gh_loop_close(*state);
    return 0;
}

struct poster {
    struct gh_loop *loop;
    pthread_t thread;
    unsigned sent, received; /* received: by the loop's thread only */
    unsigned *done_count;
};

static void on_post(void *arg)
{
    struct poster *poster = arg;
    if (++poster->received == POSTS_BY_THREAD && ++*poster->done_count == THREADS)
        gh_loop_stop(poster->loop);
}

static void *run_poster(void *arg)
{
    struct poster *poster = arg;
    while (poster->sent < POSTS_BY_THREAD) {
        enum gh_err err = gh_loop_post(poster->loop, on_post, poster);
        if (err == GH_OK)
            poster->sent++;
        else
            sched_yield(); /* the ring is full; the loop is on it */
    }
    return NULL;
}

static void runs_all_work_posted_by_four_threads(void **state)
{
    struct gh_loop *loop = *state;
    unsigned done_count = 0;
    struct poster posters[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){.loop = loop, .done_count = &done_count};
        assert_int_equal(pthread_create(&posters[i].thread, NULL, run_poster, &posters[i]), 0);
    }
    gh_loop_run(loop);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
        assert_int_equal(posters[i].received, POSTS_BY_THREAD);
    }
}

static void count_up(void *arg)
{
    ++*(unsigned *)arg;
}

static void refuses_work_when_the_ring_is_full_and_runs_what_it_took(void **state)
{
    struct gh_loop *loop = *state;
    unsigned count = 0;
    for (int i = 0; i < GH_LOOP_POSTED_MAX; i++)
        assert_int_equal(gh_loop_post(loop, count_up, &count), GH_OK);
    assert_int_equal(gh_loop_post(loop, count_up, &count), GH_ERR_FULL);
    gh_loop_stop(loop);
    gh_loop_run(loop);
    assert_int_equal(count, GH_LOOP_POSTED_MAX);
    assert_int_equal(gh_loop_post(loop, count_up, &count), GH_ERR_CLOSED);
}

static void post_stop(void *arg)
{
    gh_loop_stop(arg);
}

static void hooks_run_after_the_work_of_a_turn(void **state)
{
    struct gh_loop *loop = *state;
    unsigned hooks = 0, works = 0;
    gh_loop_on_turn(loop, count_up, &hooks);
    assert_int_equal(gh_loop_post(loop, count_up, &works), GH_OK);
    assert_int_equal(gh_loop_post(loop, post_stop, loop), GH_OK);
    gh_loop_run(loop);
    assert_int_equal(works, 1);
    assert_true(hooks >= 1);
}

struct alarm {
    struct gh_timer timer;
    struct gh_loop *loop;
    uint64_t armed_us, ran_us;
};

static void on_alarm(struct gh_timer *timer)
{
    struct alarm *ringing = (struct alarm *)timer;
    ringing->ran_us = gh_loop_now_us(ringing->loop);
    gh_loop_stop(ringing->loop);
}

static void a_timer_runs_after_its_delay(void **state)
{
    struct gh_loop *loop = *state;
    struct alarm ringing = {.loop = loop};
    uint64_t begin_ms = gh_loop_now_ms(loop);
    gh_timer_start(loop, &ringing.timer, 30, on_alarm);
    gh_loop_run(loop);
    assert_true(ringing.ran_us > 0);
    assert_true(gh_loop_now_ms(loop) >= begin_ms + 30);
}

static void a_stopped_timer_never_runs(void **state)
{
    struct gh_loop *loop = *state;
    struct alarm stopped = {.loop = loop}, other = {.loop = loop};
    gh_timer_start(loop, &stopped.timer, 10, on_alarm);
    gh_timer_start(loop, &other.timer, 30, on_alarm);
    gh_timer_stop(loop, &stopped.timer);
    gh_loop_run(loop);
    assert_true(stopped.ran_us == 0);
    assert_true(other.ran_us > 0);
}

static void waits_for_the_wheel_only_while_there_are_timers(void **state)
{
    struct gh_loop *loop = *state;
    assert_int_equal(gh_loop_timers_wait_ms(loop), -1);
    struct alarm ringing = {.loop = loop};
    gh_timer_start(loop, &ringing.timer, 5, on_alarm);
    assert_true(gh_loop_timers_wait_ms(loop) >= 0);
    gh_timer_stop(loop, &ringing.timer);
    while (gh_loop_timers_wait_ms(loop) >= 0)
        gh_loop_turn(loop, true);
    assert_true(ringing.ran_us == 0);
}

struct turn_task {
    struct gh_loop_task task;
    struct gh_loop *loop;
    unsigned runs, again; /* again: how often it begins itself anew */
};

static void on_task(void *arg)
{
    struct turn_task *task = arg;
    task->runs++;
    if (task->again-- > 0)
        gh_loop_task_start(task->loop, &task->task);
    else
        task->again = 0;
}

static void a_task_runs_once_at_the_end_of_its_turn(void **state)
{
    struct gh_loop *loop = *state;
    struct turn_task first = {.task = {.fn = on_task, .arg = &first}, .loop = loop};
    struct turn_task second = {.task = {.fn = on_task, .arg = &second}, .loop = loop};
    gh_loop_task_start(loop, &first.task);
    gh_loop_task_start(loop, &second.task);
    gh_loop_task_start(loop, &first.task);
    assert_int_equal(first.runs, 0);
    for (int i = 0; i < 3; i++)
        gh_loop_turn(loop, false);
    assert_int_equal(first.runs, 1);
    assert_int_equal(second.runs, 1);
    gh_loop_task_start(loop, &first.task);
    gh_loop_turn(loop, false);
    assert_int_equal(first.runs, 2);
}

static void a_task_begun_in_a_task_runs_without_a_wait_and_before_the_loop_ends(void **state)
{
    struct gh_loop *loop = *state;
    struct turn_task task = {.task = {.fn = on_task, .arg = &task}, .loop = loop, .again = 3};
    gh_loop_task_start(loop, &task.task);
    gh_loop_stop(loop);
    gh_loop_run(loop); /* with nothing else to wait for, waiting would be for ever */
    assert_int_equal(task.runs, 4);
}

static void *jump_a_day(void *arg)
{
    (void)arg;
    *clock_offset_ms += 24 * 3600 * 1000;
    return NULL;
}

static void notices_that_a_test_has_moved_the_clock(void **state)
{
    struct gh_loop *loop = *state;
    struct alarm ringing = {.loop = loop};
    uint64_t wall_us = gh_wall_now_us(), now_us = gh_loop_now_us(loop);
    gh_timer_start(loop, &ringing.timer, 24 * 3600 * 1000, on_alarm);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, jump_a_day, NULL), 0);
    gh_loop_run(loop);
    pthread_join(thread, NULL);
    assert_true(ringing.ran_us > 0);
    assert_true(gh_wall_now_us() - wall_us >= UINT64_C(24) * 3600 * 1000000);
    assert_true(gh_loop_now_us(loop) - now_us >= UINT64_C(24) * 3600 * 1000000);
}

/* Before anything reads a clock. */
static void make_test_clock(void)
{
    char path[] = "/tmp/gh-loop-test-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, sizeof(int64_t)) != 0)
        abort();
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        abort();
    clock_offset_ms = page;
    setenv("GATEHOUSE_TEST_CLOCK", path, 1);
    close(fd);
    /* Opened by the first reading of the clock, and gone after that. */
    (void)gh_wall_now_us();
    unlink(path);
}

int main(void)
{
    make_test_clock();
    alarm(60);
    struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)
        T(runs_all_work_posted_by_four_threads),
        T(refuses_work_when_the_ring_is_full_and_runs_what_it_took),
        T(hooks_run_after_the_work_of_a_turn),
        T(a_task_runs_once_at_the_end_of_its_turn),
        T(a_task_begun_in_a_task_runs_without_a_wait_and_before_the_loop_ends),
        T(a_timer_runs_after_its_delay),
        T(a_stopped_timer_never_runs),
        T(waits_for_the_wheel_only_while_there_are_timers),
#ifdef GH_TEST_CLOCK
        T(notices_that_a_test_has_moved_the_clock),
#endif
    };
#ifndef GH_TEST_CLOCK
    (void)notices_that_a_test_has_moved_the_clock;
#endif
    return cmocka_run_group_tests_name("net/loop", tests, NULL, NULL);
}
