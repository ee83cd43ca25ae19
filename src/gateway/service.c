#include "gateway/service.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "gateway/exchange.h"
#include "gateway/service_call_fill.h"

#define CALL_BLOCK_BYTES 4096
#define LATE_US          (30 * UINT64_C(1000000))

struct gh_service_job {
    struct gh_service_call call; /* the lane's while it runs there */
    struct gh_service *service;
    struct gh_worker *worker;
    struct gh_pin *pin;           /* keeps the settings that `call` points to */
    struct gh_exchange *exchange; /* the worker's thread only; NULL: nobody waits */
    struct gh_service_left *left; /* counts it while nobody does; NULL: nobody counts */
    enum gh_service_lane lane;
    uint64_t posted_us;
};

/* ---- On the worker's thread ---- */

static void free_job(struct gh_service_job *job)
{
    gh_worker_unpin(job->worker, job->pin);
    gh_arena_done(&job->call.arena);
    free(job);
}

static void free_if_over(struct gh_service_left *left)
{
    if (left->dropped && left->calls == 0)
        free(left);
}

static void come_back(struct gh_service_left *left)
{
    left->calls--;
    free_if_over(left);
}

void gh_service_left_drop(struct gh_service_left *left)
{
    left->dropped = true;
    free_if_over(left);
}

static void on_answered(void *arg)
{
    struct gh_service_job *job = arg;
    struct gh_worker *worker = job->worker;
    gh_metric_observe_us(worker->shared->metrics, worker->index, job->service->durations[job->lane],
                         gh_loop_now_us(worker->loop) - job->posted_us);
    if (job->exchange)
        gh_exchange_service_done(job->exchange, &job->call.reply);
    if (job->left)
        come_back(job->left);
    free_job(job);
    gh_worker_service_call_gone(worker);
}

void gh_service_forget(struct gh_service_job *job)
{
    job->left = job->exchange->service_left;
    job->exchange = NULL;
    if (job->left)
        job->left->calls++;
}

bool gh_service_is_late(const struct gh_service_job *job)
{
    return gh_loop_now_us(job->worker->loop) - job->posted_us > LATE_US;
}

/* ---- On a thread of the lane ---- */

static void answer(void *arg)
{
    struct gh_service_job *job = arg;
    const struct gh_service_port *port = &job->service->options.port;
    enum gh_err err;
    port->handle(port->context, &job->call);
    /* The worker waits for what it has posted before it ends, so its loop is there; when its queue
       is full it is behind, and an answer of a write that is done must not be lost. */
    while ((err = gh_loop_post(job->worker->loop, on_answered, job)) == GH_ERR_FULL)
        usleep(1000);
    GH_ASSERT(err == GH_OK);
}

/* ---- The worker again ---- */

static struct gh_service_job *new_job(struct gh_exchange *exchange)
{
    struct gh_service_job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    gh_arena_init(&job->call.arena, CALL_BLOCK_BYTES, GH_SERVICE_CALL_BYTES_MAX);
    job->service = exchange->worker->shared->service;
    job->worker = exchange->worker;
    job->pin = exchange->pin;
    job->pin->users++;
    job->exchange = exchange;
    job->posted_us = gh_loop_now_us(exchange->worker->loop);
    return job;
}

enum gh_err gh_service_begin(struct gh_exchange *exchange, struct gh_service_job **out_job)
{
    const struct gh_request *request = &exchange->request;
    struct gh_service_job *job = new_job(exchange);
    if (!job)
        return GH_ERR_MEMORY;
    const struct gh_service_port *port = &job->service->options.port;
    job->lane = port->lane(port->context, request->endpoint);
    enum gh_err err = gh_service_call_fill(&job->call, request, job->pin->snapshot);
    if (err == GH_OK)
        err = gh_lane_post(job->service->lanes[job->lane], answer, job);
    if (err != GH_OK) {
        free_job(job);
        return err;
    }
    exchange->worker->service_calls++;
    *out_job = job;
    return GH_OK;
}
