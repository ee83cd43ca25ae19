/*
 * Threads behind a ring of jobs, one lock for both. A job is taken when as many run or wait as
 * there are threads and places: what a lane owes at the most is known when it is opened.
 */
#include "net/lane.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/clock.h"

/* Bytes of a thread's name that Linux keeps. */
#define NAME_BYTES_MAX 15

struct job {
    void (*fn)(void *arg);
    void *arg;
    uint64_t posted_us;
};

struct gh_lane {
    pthread_mutex_t lock;
    pthread_cond_t posted; /* a job was posted, or the lane closes */
    char name[NAME_BYTES_MAX + 1];
    int niceness;
    bool closing;
    struct gh_lane_stats stats;
    struct job *ring;
    size_t ring_len, first;
    unsigned thread_count;
    pthread_t threads[];
};

/* Signals are for the control thread; a write to a dead socket shall be an error code here. */
static void settle(const struct gh_lane *lane)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    pthread_setname_np(pthread_self(), lane->name);
    /* On Linux this is of the thread, not the process. A refusal only makes it less polite. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), lane->niceness);
}

/* Waits for a job. False: the lane closes and nothing is left. The lock is held. */
static bool take(struct gh_lane *lane, struct job *out_job)
{
    while (lane->stats.waiting == 0 && !lane->closing)
        pthread_cond_wait(&lane->posted, &lane->lock);
    if (lane->stats.waiting == 0)
        return false;
    *out_job = lane->ring[lane->first];
    lane->first = (lane->first + 1) % lane->ring_len;
    lane->stats.waiting--;
    lane->stats.running++;
    lane->stats.wait_us += gh_clock_monotonic_us() - out_job->posted_us;
    return true;
}

static void *run(void *arg)
{
    struct gh_lane *lane = arg;
    struct job job;
    settle(lane);
    pthread_mutex_lock(&lane->lock);
    while (take(lane, &job)) {
        pthread_mutex_unlock(&lane->lock);
        job.fn(job.arg);
        pthread_mutex_lock(&lane->lock);
        lane->stats.running--;
        lane->stats.done++;
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

static struct gh_lane *make(const struct gh_lane_options *options)
{
    struct gh_lane *lane = calloc(1, sizeof(*lane) + options->threads * sizeof(lane->threads[0]));
    if (!lane)
        return NULL;
    lane->ring_len = options->queue_max + options->threads;
    lane->ring = calloc(lane->ring_len, sizeof(*lane->ring));
    if (!lane->ring) {
        free(lane);
        return NULL;
    }
    strncpy(lane->name, options->name, NAME_BYTES_MAX);
    lane->niceness = options->niceness;
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->posted, NULL);
    return lane;
}

enum gh_err gh_lane_open(const struct gh_lane_options *options, struct gh_lane **out_lane)
{
    GH_ASSERT(options->threads > 0 && options->niceness >= 0 && options->niceness <= 19);
    GH_ASSERT(options->queue_max < SIZE_MAX / sizeof(struct job) - options->threads);
    struct gh_lane *lane = make(options);
    if (!lane)
        return GH_ERR_MEMORY;
    while (lane->thread_count < options->threads) {
        if (pthread_create(&lane->threads[lane->thread_count], NULL, run, lane) != 0) {
            gh_lane_close(lane);
            return GH_ERR_THREAD;
        }
        lane->thread_count++;
    }
    *out_lane = lane;
    return GH_OK;
}

void gh_lane_close(struct gh_lane *lane)
{
    if (!lane)
        return;
    pthread_mutex_lock(&lane->lock);
    lane->closing = true;
    pthread_cond_broadcast(&lane->posted);
    pthread_mutex_unlock(&lane->lock);
    for (unsigned i = 0; i < lane->thread_count; i++)
        pthread_join(lane->threads[i], NULL);
    pthread_cond_destroy(&lane->posted);
    pthread_mutex_destroy(&lane->lock);
    free(lane->ring);
    free(lane);
}

enum gh_err gh_lane_post(struct gh_lane *lane, void (*fn)(void *arg), void *arg)
{
    enum gh_err err = GH_OK;
    uint64_t now_us = gh_clock_monotonic_us();
    pthread_mutex_lock(&lane->lock);
    if (lane->closing) {
        err = GH_ERR_CLOSED;
    } else if (lane->stats.waiting + lane->stats.running == lane->ring_len) {
        lane->stats.refused++;
        err = GH_ERR_FULL;
    } else {
        size_t at = (lane->first + lane->stats.waiting) % lane->ring_len;
        lane->ring[at] = (struct job){fn, arg, now_us};
        lane->stats.waiting++;
        pthread_cond_signal(&lane->posted);
    }
    pthread_mutex_unlock(&lane->lock);
    return err;
}

struct gh_lane_stats gh_lane_stats(struct gh_lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    struct gh_lane_stats stats = lane->stats;
    pthread_mutex_unlock(&lane->lock);
    return stats;
}
