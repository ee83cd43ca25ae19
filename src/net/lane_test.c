/* Lanes: order, bounds and the end. Run it under ThreadSanitizer to see that the lock holds. */
#include "net/lane.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define JOBS 64

/* What the jobs of one test share. */
struct bench {
    sem_t started, go; /* a gate that jobs wait at, so that the test sees them run */
    pthread_mutex_t lock;
    int order[JOBS];
    size_t order_len;
    atomic_int running, running_max;
    int niceness;
    char name[16];
    bool signals_blocked;
};

struct job {
    struct bench *bench;
    int number;
};

static int setup(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof(bench));
    sem_init(&bench.started, 0, 0);
    sem_init(&bench.go, 0, 0);
    pthread_mutex_init(&bench.lock, NULL);
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    sem_destroy(&bench->started);
    sem_destroy(&bench->go);
    pthread_mutex_destroy(&bench->lock);
    return 0;
}

static struct gh_lane *open_lane(unsigned threads, size_t queue_max)
{
    struct gh_lane *lane = NULL;
    struct gh_lane_options options = {"test", threads, queue_max, 0};
    assert_int_equal(gh_lane_open(&options, &lane), GH_OK);
    return lane;
}

static void wait_at_gate(void *arg)
{
    struct bench *bench = arg;
    sem_post(&bench->started);
    sem_wait(&bench->go);
}

static void note(void *arg)
{
    struct job *job = arg;
    pthread_mutex_lock(&job->bench->lock);
    job->bench->order[job->bench->order_len++] = job->number;
    pthread_mutex_unlock(&job->bench->lock);
}

static void jobs_of_one_thread_run_in_the_order_of_their_posting(void **state)
{
    struct bench *bench = *state;
    struct job jobs[JOBS];
    struct gh_lane *lane = open_lane(1, JOBS);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){bench, i};
        assert_int_equal(gh_lane_post(lane, note, &jobs[i]), GH_OK);
    }
    gh_lane_close(lane);
    assert_int_equal(bench->order_len, JOBS);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(bench->order[i], i);
}

static void a_full_queue_refuses_and_counts_it(void **state)
{
    struct bench *bench = *state;
    struct job jobs[3] = {{bench, 0}, {bench, 1}, {bench, 2}};
    struct gh_lane *lane = open_lane(1, 2);
    assert_int_equal(gh_lane_post(lane, wait_at_gate, bench), GH_OK);
    sem_wait(&bench->started);
    assert_int_equal(gh_lane_post(lane, note, &jobs[0]), GH_OK);
    assert_int_equal(gh_lane_post(lane, note, &jobs[1]), GH_OK);
    assert_int_equal(gh_lane_post(lane, note, &jobs[2]), GH_ERR_FULL);
    struct gh_lane_stats stats = gh_lane_stats(lane);
    assert_int_equal(stats.waiting, 2);
    assert_int_equal(stats.running, 1);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.done, 0);
    sem_post(&bench->go);
    gh_lane_close(lane);
    assert_int_equal(bench->order_len, 2);
}

static void a_lane_without_queue_takes_what_its_threads_can_run(void **state)
{
    struct bench *bench = *state;
    struct gh_lane *lane = open_lane(2, 0);
    assert_int_equal(gh_lane_post(lane, wait_at_gate, bench), GH_OK);
    assert_int_equal(gh_lane_post(lane, wait_at_gate, bench), GH_OK);
    assert_int_equal(gh_lane_post(lane, wait_at_gate, bench), GH_ERR_FULL);
    sem_post(&bench->go);
    sem_post(&bench->go);
    gh_lane_close(lane);
}

static void closing_runs_what_is_queued(void **state)
{
    struct bench *bench = *state;
    struct job jobs[JOBS];
    struct gh_lane *lane = open_lane(1, JOBS);
    assert_int_equal(gh_lane_post(lane, wait_at_gate, bench), GH_OK);
    sem_wait(&bench->started);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){bench, i};
        assert_int_equal(gh_lane_post(lane, note, &jobs[i]), GH_OK);
    }
    assert_int_equal(bench->order_len, 0);
    sem_post(&bench->go);
    gh_lane_close(lane);
    assert_int_equal(bench->order_len, JOBS);
}

static void *close_lane(void *arg)
{
    gh_lane_close(arg);
    return NULL;
}

static void a_closing_lane_takes_no_more(void **state)
{
    struct bench *bench = *state;
    struct job job = {bench, 0};
    pthread_t closer;
    struct gh_lane *lane = open_lane(1, 4);
    assert_int_equal(gh_lane_post(lane, wait_at_gate, bench), GH_OK);
    sem_wait(&bench->started);
    assert_int_equal(pthread_create(&closer, NULL, close_lane, lane), 0);
    /* Until the closer has come to it, jobs are taken; the lane lives as long as one waits. */
    enum gh_err err;
    while ((err = gh_lane_post(lane, note, &job)) == GH_ERR_FULL || err == GH_OK)
        sched_yield();
    assert_int_equal(err, GH_ERR_CLOSED);
    sem_post(&bench->go);
    pthread_join(closer, NULL);
}

static void count_running(void *arg)
{
    struct bench *bench = arg;
    int now = atomic_fetch_add(&bench->running, 1) + 1;
    int seen = atomic_load(&bench->running_max);
    while (now > seen && !atomic_compare_exchange_weak(&bench->running_max, &seen, now))
        ;
    sem_post(&bench->started);
    sem_wait(&bench->go);
    atomic_fetch_sub(&bench->running, 1);
}

static void as_many_run_at_once_as_there_are_threads(void **state)
{
    struct bench *bench = *state;
    struct gh_lane *lane = open_lane(3, JOBS);
    for (int i = 0; i < 12; i++)
        assert_int_equal(gh_lane_post(lane, count_running, bench), GH_OK);
    for (int i = 0; i < 3; i++)
        sem_wait(&bench->started); /* three run, and wait for each other here */
    assert_int_equal(gh_lane_stats(lane).running, 3);
    for (int i = 0; i < 12; i++)
        sem_post(&bench->go);
    gh_lane_close(lane);
    assert_int_equal(atomic_load(&bench->running_max), 3);
}

static void look_at_thread(void *arg)
{
    struct bench *bench = arg;
    sigset_t mask;
    pthread_getname_np(pthread_self(), bench->name, sizeof(bench->name));
    bench->niceness = getpriority(PRIO_PROCESS, (id_t)gettid());
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    bench->signals_blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGPIPE);
    sem_post(&bench->started);
}

static void its_threads_have_its_name_and_niceness_and_the_process_keeps_its_own(void **state)
{
    struct bench *bench = *state;
    struct gh_lane *lane = NULL;
    int before = getpriority(PRIO_PROCESS, 0);
    int wanted = before < 5 ? 5 : 19;
    struct gh_lane_options options = {"hash", 1, 1, wanted};
    assert_int_equal(gh_lane_open(&options, &lane), GH_OK);
    assert_int_equal(gh_lane_post(lane, look_at_thread, bench), GH_OK);
    gh_lane_close(lane);
    assert_string_equal(bench->name, "hash");
    assert_int_equal(bench->niceness, wanted);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
    assert_true(bench->signals_blocked);
}

static void stats_tell_what_was_done_and_how_long_it_waited(void **state)
{
    struct bench *bench = *state;
    struct gh_lane *lane = open_lane(1, 4);
    struct job job = {bench, 7};
    assert_int_equal(gh_lane_post(lane, wait_at_gate, bench), GH_OK);
    sem_wait(&bench->started);
    uint64_t waited_before = gh_lane_stats(lane).wait_us;
    assert_int_equal(gh_lane_post(lane, note, &job), GH_OK);
    usleep(2000); /* what is measured, not what makes the test right: at least that long */
    sem_post(&bench->go);
    assert_int_equal(gh_lane_post(lane, wait_at_gate, bench), GH_OK);
    sem_wait(&bench->started);
    struct gh_lane_stats stats = gh_lane_stats(lane);
    assert_int_equal(stats.done, 2);
    assert_int_equal(stats.running, 1);
    assert_true(stats.wait_us >= waited_before + 2000);
    sem_post(&bench->go);
    gh_lane_close(lane);
}

struct poster {
    pthread_t thread;
    struct gh_lane *lane;
    atomic_uint *ran;
    unsigned taken;
};

static void count_up(void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static void *post_many(void *arg)
{
    struct poster *poster = arg;
    for (int i = 0; i < 5000; i++)
        poster->taken += gh_lane_post(poster->lane, count_up, poster->ran) == GH_OK;
    return NULL;
}

static void many_posters_lose_no_job_that_was_taken(void **state)
{
    (void)state;
    atomic_uint ran = 0;
    struct poster posters[3];
    struct gh_lane *lane = open_lane(3, 16);
    for (size_t i = 0; i < 3; i++) {
        posters[i] = (struct poster){.lane = lane, .ran = &ran};
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_many, &posters[i]), 0);
    }
    unsigned taken = 0;
    for (size_t i = 0; i < 3; i++) {
        pthread_join(posters[i].thread, NULL);
        taken += posters[i].taken;
    }
    uint64_t refused = gh_lane_stats(lane).refused;
    gh_lane_close(lane);
    assert_int_equal(atomic_load(&ran), taken);
    assert_int_equal(taken + refused, 15000);
}

static void closing_no_lane_is_fine(void **state)
{
    (void)state;
    gh_lane_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jobs_of_one_thread_run_in_the_order_of_their_posting, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_queue_refuses_and_counts_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lane_without_queue_takes_what_its_threads_can_run, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(closing_runs_what_is_queued, setup, teardown),
        cmocka_unit_test_setup_teardown(a_closing_lane_takes_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(as_many_run_at_once_as_there_are_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(
            its_threads_have_its_name_and_niceness_and_the_process_keeps_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(stats_tell_what_was_done_and_how_long_it_waited, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many_posters_lose_no_job_that_was_taken, setup, teardown),
        cmocka_unit_test(closing_no_lane_is_fine),
    };
    return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}
