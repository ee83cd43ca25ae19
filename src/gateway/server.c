#include "gateway/server.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "gateway/connection.h"

#define LISTENS_MAX 64

struct gh_server_worker {
    struct gh_worker worker; /* first: on_drained finds back */
    struct gh_server *server;
    pthread_t thread;
    bool opened, started;
};

struct gh_server {
    struct gh_server_options options;
    struct gh_shared shared;
    struct gh_snapshot *snapshot; /* the newest; a reference of the server's */
    struct gh_server_worker *workers;
    unsigned ended_count;
    pthread_mutex_t starting; /* held while `started` of the workers changes or is relied upon */
    pthread_mutex_t waiting;  /* of what follows */
    pthread_cond_t answering;
    bool may_answer;
};

/* What one worker is told at a reload. */
struct adopt_job {
    struct gh_worker *worker;
    struct gh_snapshot *snapshot; /* a reference */
    int fds[LISTENS_MAX];         /* by listen of the snapshot; -1: it listens there already */
};

struct gate_job {
    struct gh_worker *worker;
    struct gh_gate_version *version; /* a reference */
};

struct drain_job {
    struct gh_worker *worker;
    uint64_t deadline_ms;
};

/* ---- On the worker's thread ---- */

static void adopt(void *arg)
{
    struct adopt_job *job = arg;
    struct gh_worker *worker = job->worker;
    struct gh_snapshot *snapshot = job->snapshot;
    if (gh_worker_adopt(worker, snapshot) != GH_OK) {
        gh_log_message(worker->log, GH_LOG_ERROR, "worker %u keeps the old configuration: %s",
                       worker->index, gh_err_text(GH_ERR_MEMORY));
        for (size_t i = 0; i < snapshot->listen_count; i++) {
            if (job->fds[i] >= 0)
                close(job->fds[i]);
        }
        gh_snapshot_unref(snapshot);
        free(job);
        return;
    }
    struct gh_listen_slot *next;
    for (struct gh_listen_slot *slot = worker->listen_slots; slot; slot = next) {
        next = slot->next;
        bool stays = false;
        for (size_t i = 0; i < snapshot->listen_count && !stays; i++)
            stays = gh_str_eq(snapshot->listens[i].text, slot->text);
        if (!stays)
            gh_worker_stop_listening(worker, slot);
    }
    for (size_t i = 0; i < snapshot->listen_count; i++) {
        const struct gh_listen_settings *settings = &snapshot->listens[i];
        struct gh_listen_slot *slot = gh_worker_find_listen(worker, settings->text);
        if (slot) {
            struct gh_tls_server *old = slot->tls;
            slot->tls = settings->tls ? gh_tls_server_ref(settings->tls) : NULL;
            slot->proxy_protocol = settings->proxy_protocol;
            slot->admin = settings->admin;
            slot->refuse_plain = settings->refuse_plain;
            slot->h2c = settings->h2c;
            if (old)
                gh_tls_server_unref(old);
            if (job->fds[i] >= 0)
                close(job->fds[i]);
        } else if (job->fds[i] >= 0 && gh_worker_listen(worker, settings, job->fds[i]) != GH_OK) {
            gh_log_message(worker->log, GH_LOG_ERROR, "worker %u can't listen on %.*s",
                           worker->index, GH_STR_ARG(settings->text));
        }
    }
    for (struct gh_connection *each = worker->connections; each; each = each->next)
        gh_connection_renew(each);
    free(job);
}

static void adopt_gate(void *arg)
{
    struct gate_job *job = arg;
    if (gh_worker_adopt_gate(job->worker, job->version) != GH_OK) {
        gh_log_message(job->worker->log, GH_LOG_ERROR, "worker %u keeps the old keys: %s",
                       job->worker->index, gh_err_text(GH_ERR_MEMORY));
        gh_gate_version_unref(job->version);
    }
    free(job);
}

static void on_worker_ended(void *arg)
{
    struct gh_server *server = arg;
    if (++server->ended_count == server->options.worker_count)
        server->options.on_ended(server->options.owner);
}

static void on_drained(struct gh_worker *worker)
{
    gh_upstreams_close(worker->upstreams);
    worker->upstreams = NULL;
    if (worker->shared_limits)
        worker->shared->limits_host->close(worker->shared->limits_host->context, worker->index);
    worker->shared_limits = NULL;
    gh_loop_stop(worker->loop);
}

static void drain(void *arg)
{
    struct drain_job *job = arg;
    job->worker->on_drained = on_drained;
    gh_worker_drain(job->worker, job->deadline_ms);
    free(job);
}

static void wait_for_answering(struct gh_server *server)
{
    pthread_mutex_lock(&server->waiting);
    while (!server->may_answer)
        pthread_cond_wait(&server->answering, &server->waiting);
    pthread_mutex_unlock(&server->waiting);
}

static void *worker_main(void *arg)
{
    struct gh_server_worker *self = arg;
    wait_for_answering(self->server);
    gh_loop_run(self->worker.loop);
    while (gh_loop_post(self->server->options.control, on_worker_ended, self->server) != GH_OK)
        usleep(1000); /* the control loop is behind; it is never gone before us */
    return NULL;
}

/* ---- On the control thread ---- */

static void close_fds(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

static bool listens_already(const struct gh_snapshot *old, struct gh_str text)
{
    for (size_t i = 0; old && i < old->listen_count; i++) {
        if (gh_str_eq(old->listens[i].text, text))
            return true;
    }
    return false;
}

/* One socket for each worker and each address that `old` does not have. IP listeners get a socket
   each (SO_REUSEPORT), a Unix listener is one socket that all share. */
static enum gh_err open_sockets(const struct gh_server *server, const struct gh_snapshot *snapshot,
                                const struct gh_snapshot *old, struct adopt_job **jobs,
                                struct gh_arena *arena, struct gh_str *out_message)
{
    for (size_t i = 0; i < snapshot->listen_count; i++) {
        const struct gh_listen_settings *settings = &snapshot->listens[i];
        if (listens_already(old, settings->text))
            continue;
        enum gh_err free_err = gh_listen_address_check(&settings->address, arena, out_message);
        if (free_err != GH_OK)
            return free_err;
        for (unsigned w = 0; w < server->options.worker_count; w++) {
            int *fd = &jobs[w]->fds[i];
            if (settings->address.path && w > 0) {
                *fd = dup(jobs[0]->fds[i]);
                if (*fd < 0)
                    return GH_ERR_IO;
                continue;
            }
            enum gh_err err = gh_listen_socket_open(&settings->address, arena, fd, out_message);
            if (err != GH_OK)
                return err;
        }
    }
    return GH_OK;
}

static struct adopt_job *new_job(struct gh_worker *worker, struct gh_snapshot *snapshot)
{
    struct adopt_job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    job->worker = worker;
    job->snapshot = snapshot;
    for (size_t i = 0; i < LISTENS_MAX; i++)
        job->fds[i] = -1;
    return job;
}

static void free_jobs(struct gh_server *server, struct adopt_job **jobs)
{
    for (unsigned w = 0; jobs && w < server->options.worker_count; w++) {
        if (jobs[w])
            close_fds(jobs[w]->fds, LISTENS_MAX);
        free(jobs[w]);
    }
    free(jobs);
}

static struct adopt_job **new_jobs(struct gh_server *server, struct gh_snapshot *snapshot)
{
    struct adopt_job **jobs = calloc(server->options.worker_count, sizeof(*jobs));
    for (unsigned w = 0; jobs && w < server->options.worker_count; w++) {
        jobs[w] = new_job(&server->workers[w].worker, snapshot);
        if (!jobs[w]) {
            free_jobs(server, jobs);
            return NULL;
        }
    }
    return jobs;
}

enum gh_err gh_server_reload(struct gh_server *server, struct gh_snapshot *snapshot,
                             struct gh_arena *arena, struct gh_str *out_message)
{
    *out_message = GH_STR("out of memory");
    struct adopt_job **jobs =
        snapshot->listen_count <= LISTENS_MAX ? new_jobs(server, snapshot) : NULL;
    enum gh_err err = jobs ? gh_input_counters_define(server->options.metrics, snapshot->policy,
                                                      &snapshot->arena, &snapshot->input)
                           : GH_ERR_MEMORY;
    if (err == GH_OK)
        err = open_sockets(server, snapshot, server->snapshot, jobs, arena, out_message);
    if (err != GH_OK) {
        free_jobs(server, jobs);
        gh_snapshot_unref(snapshot);
        return err;
    }
    server->shared.kept_answers.max = gh_policy_limits(snapshot->policy)->kept_answers;
    for (unsigned w = 0; w < server->options.worker_count; w++) {
        gh_snapshot_ref(snapshot);
        if (server->workers[w].started) {
            while (gh_loop_post(server->workers[w].worker.loop, adopt, jobs[w]) != GH_OK)
                usleep(1000); /* a full queue means a reload storm; wait for the worker */
        } else {
            adopt(jobs[w]);
        }
    }
    free(jobs);
    if (server->snapshot)
        gh_snapshot_unref(server->snapshot);
    server->snapshot = snapshot;
    return GH_OK;
}

static void give_gate(struct gh_server_worker *worker, struct gh_gate_version *version)
{
    struct gate_job *job = calloc(1, sizeof(*job));
    GH_ASSERT(job); /* 16 bytes */
    *job = (struct gate_job){&worker->worker, version};
    gh_gate_version_ref(version);
    if (!worker->started) {
        adopt_gate(job);
        return;
    }
    enum gh_err err;
    while ((err = gh_loop_post(job->worker->loop, adopt_gate, job)) == GH_ERR_FULL)
        usleep(1000);
    if (err != GH_OK) { /* it has drained already */
        gh_gate_version_unref(version);
        free(job);
    }
}

void gh_server_set_gate_rules(struct gh_server *server, struct gh_gate_version *version)
{
    pthread_mutex_lock(&server->starting);
    for (unsigned w = 0; w < server->options.worker_count; w++)
        give_gate(&server->workers[w], version);
    pthread_mutex_unlock(&server->starting);
    gh_gate_version_unref(version);
}

static enum gh_err open_shared(struct gh_server *server)
{
    const struct gh_server_options *options = &server->options;
    server->shared.metrics = options->metrics;
    server->shared.limits = options->limits;
    server->shared.limits_host = options->limits_host;
    server->shared.sanctions = options->sanctions;
    server->shared.connections_max = options->connections_max / options->worker_count;
    server->shared.revocations = options->revocations;
    server->shared.tallies = options->tallies;
    server->shared.hash_key = options->hash_key;
    server->shared.held_bodies.max =
        options->held_body_bytes_max ? options->held_body_bytes_max : GH_BODY_BUDGET_BYTES_DEFAULT;
    enum gh_err err = gh_counters_define(options->metrics, &server->shared.counters);
    if (err == GH_OK && options->service)
        err = gh_service_open(options->service, options->metrics, &server->shared.service);
    if (err == GH_OK)
        err = gh_client_count_open(options->hash_key, &server->shared.clients);
    if (err == GH_OK)
        err = gh_client_count_open(options->hash_key, &server->shared.judged_bodies);
    if (err == GH_OK)
        err = gh_client_count_open(options->hash_key, &server->shared.held_bodies.clients);
    if (err == GH_OK)
        err = gh_client_count_open(options->hash_key, &server->shared.kept_answers.clients);
    return err;
}

enum gh_err gh_server_open(const struct gh_server_options *options, struct gh_snapshot *snapshot,
                           struct gh_arena *arena, struct gh_server **out_server,
                           struct gh_str *out_message)
{
    struct gh_server *server = calloc(1, sizeof(*server));
    *out_message = GH_STR("out of memory");
    if (server)
        server->workers = calloc(options->worker_count, sizeof(*server->workers));
    if (!server || !server->workers) {
        free(server);
        gh_snapshot_unref(snapshot);
        return GH_ERR_MEMORY;
    }
    server->options = *options;
    pthread_mutex_init(&server->starting, NULL);
    pthread_mutex_init(&server->waiting, NULL);
    pthread_cond_init(&server->answering, NULL);
    enum gh_err err = open_shared(server);
    for (unsigned w = 0; err == GH_OK && w < options->worker_count; w++) {
        server->workers[w].server = server;
        err = gh_worker_open(&server->workers[w].worker, w, &server->shared, options->log);
        server->workers[w].opened = err == GH_OK;
    }
    if (err == GH_OK)
        err = gh_server_reload(server, snapshot, arena, out_message);
    else
        gh_snapshot_unref(snapshot);
    if (err != GH_OK) {
        gh_server_close(server);
        return err;
    }
    *out_server = server;
    return GH_OK;
}

/* Not before the start: by then the rights are those that it will be reached with again. */
static enum gh_err open_shared_limits(struct gh_worker *worker)
{
    const struct gh_shared_limits_host *host = worker->shared->limits_host;
    if (!host)
        return GH_OK;
    return host->open(host->context, worker->index, worker->loop, &worker->shared_limits);
}

enum gh_err gh_server_start(struct gh_server *server)
{
    enum gh_err err = server->shared.service ? gh_service_start(server->shared.service) : GH_OK;
    pthread_mutex_lock(&server->starting);
    for (unsigned w = 0; err == GH_OK && w < server->options.worker_count; w++) {
        struct gh_server_worker *worker = &server->workers[w];
        err = open_shared_limits(&worker->worker);
        if (err == GH_OK && pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
            err = GH_ERR_THREAD;
        worker->started = err == GH_OK;
    }
    pthread_mutex_unlock(&server->starting);
    return err;
}

void gh_server_answer(struct gh_server *server)
{
    pthread_mutex_lock(&server->waiting);
    server->may_answer = true;
    pthread_cond_broadcast(&server->answering);
    pthread_mutex_unlock(&server->waiting);
}

void gh_server_drain(struct gh_server *server, uint64_t deadline_ms)
{
    for (unsigned w = 0; w < server->options.worker_count; w++) {
        struct drain_job *job = calloc(1, sizeof(*job));
        GH_ASSERT(job); /* 16 bytes */
        job->worker = &server->workers[w].worker;
        job->deadline_ms = deadline_ms;
        enum gh_err err;
        while ((err = gh_loop_post(job->worker->loop, drain, job)) == GH_ERR_FULL)
            usleep(1000);
        if (err != GH_OK) /* it has drained already */
            free(job);
    }
}

/* A worker whose thread never ran is drained here and now. */
static void end_unstarted(struct gh_worker *worker)
{
    worker->on_drained = on_drained;
    gh_worker_drain(worker, 0);
    gh_loop_run(worker->loop);
}

void gh_server_close(struct gh_server *server)
{
    for (unsigned w = 0; w < server->options.worker_count; w++) {
        struct gh_server_worker *worker = &server->workers[w];
        if (worker->started)
            pthread_join(worker->thread, NULL);
        else if (worker->opened)
            end_unstarted(&worker->worker);
        if (worker->opened)
            gh_worker_close(&worker->worker);
    }
    if (server->snapshot)
        gh_snapshot_unref(server->snapshot);
    gh_service_close(server->shared.service); /* its calls are all back */
    gh_client_count_close(server->shared.clients);
    gh_client_count_close(server->shared.judged_bodies);
    gh_client_count_close(server->shared.held_bodies.clients);
    gh_client_count_close(server->shared.kept_answers.clients);
    pthread_mutex_destroy(&server->starting);
    pthread_mutex_destroy(&server->waiting);
    pthread_cond_destroy(&server->answering);
    free(server->workers);
    free(server);
}
