#include "upstream/test_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"

/* Longer than any test takes under a sanitizer; reached only by a bug. */
#define PATIENCE_S 20

/* ---- Waiting ---- */

static struct timespec patience_ends(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    return until;
}

static void wait_for_change(struct test_client *client, const struct timespec *until)
{
    GH_ASSERT(pthread_cond_timedwait(&client->changed, &client->lock, until) == 0);
}

struct work {
    struct test_client *client;
    void (*fn)(void *arg);
    void *arg;
    bool done;
};

static void run_work(void *arg)
{
    struct work *work = arg;
    work->fn(work->arg);
    pthread_mutex_lock(&work->client->lock);
    work->done = true;
    pthread_cond_broadcast(&work->client->changed);
    pthread_mutex_unlock(&work->client->lock);
}

void client_run(struct test_client *client, void (*fn)(void *arg), void *arg)
{
    struct work work = {client, fn, arg, false};
    struct timespec until = patience_ends();
    GH_ASSERT(gh_loop_post(client->loop, run_work, &work) == GH_OK);
    pthread_mutex_lock(&client->lock);
    while (!work.done)
        wait_for_change(client, &until);
    pthread_mutex_unlock(&client->lock);
}

/* ---- Client ---- */

void client_init(struct test_client *client)
{
    memset(client, 0, sizeof *client);
    client->settings.timeouts.connect_ms = 5000;
    client->settings.timeouts.response_ms = 10000;
    client->settings.timeouts.idle_ms = 10000;
    client->settings.health.interval_ms = 20;
    client->settings.health.timeout_ms = 2000;
    client->settings.health.fails = 2;
    client->settings.health.passes = 2;
    gh_arena_init(&client->arena, 4096, 1024 * 1024);
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->changed, NULL);
}

static void *run_loop(void *arg)
{
    gh_loop_run(((struct test_client *)arg)->loop);
    return NULL;
}

static void get_group(void *arg)
{
    struct test_client *client = arg;
    struct gh_upstream_group *group = NULL;
    client->get_err = gh_upstream_group_get(client->groups, GH_STR("api"), &client->settings,
                                            &client->arena, &group, &client->message);
    if (client->get_err)
        return;
    gh_upstream_group_unref(client->group);
    client->group = group;
    gh_upstreams_sweep(client->upstreams);
}

void client_reload(struct test_client *client)
{
    client_run(client, get_group, client);
}

void client_start(struct test_client *client, unsigned server_count, const char *const *urls)
{
    struct gh_str *servers = gh_arena_zalloc(&client->arena, server_count, sizeof *servers);
    for (unsigned i = 0; i < server_count; i++)
        servers[i] = gh_str_from_c(urls[i]);
    client->settings.servers = (struct gh_config_list){servers, server_count};
    GH_ASSERT(gh_loop_open(&client->loop) == GH_OK);
    GH_ASSERT(gh_metrics_open(1, &client->metrics) == GH_OK);
    GH_ASSERT(gh_upstream_groups_open(client->loop, client->metrics, &client->groups) == GH_OK);
    GH_ASSERT(gh_upstreams_open(client->loop, 0, &client->upstreams) == GH_OK);
    GH_ASSERT(pthread_create(&client->thread, NULL, run_loop, client) == 0);
    client_reload(client);
}

void client_open(struct test_client *client, const char *url)
{
    client_init(client);
    client_start(client, 1, &url);
}

static void stop(void *arg)
{
    struct test_client *client = arg;
    gh_upstreams_close(client->upstreams);
    gh_upstream_group_unref(client->group);
    gh_upstream_groups_close(client->groups);
    gh_loop_stop(client->loop);
}

void client_close(struct test_client *client)
{
    client_run(client, stop, client);
    pthread_join(client->thread, NULL);
    gh_loop_close(client->loop);
    gh_metrics_close(client->metrics);
    gh_arena_done(&client->arena);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
}

/* ---- Callbacks ---- */

/* Under the lock to their end: the test's thread may drop the call as soon as it sees the change.
   What they call never calls back. */
static struct test_call *lock_call(struct gh_upstream_call *upstream_call)
{
    struct test_call *call = upstream_call->owner;
    pthread_mutex_lock(&call->client->lock);
    return call;
}

static void unlock_call(struct test_call *call)
{
    pthread_cond_broadcast(&call->client->changed);
    pthread_mutex_unlock(&call->client->lock);
}

/* Spoils the memory too: nobody may look at an aborted call. */
static void abort_here(struct test_call *call)
{
    gh_upstream_call_abort(&call->call);
    gh_upstream_call_abort(&call->call);
    memset(&call->call, 0xa5, sizeof call->call);
}

static void on_ready(struct gh_upstream_call *upstream_call)
{
    struct test_call *call = lock_call(upstream_call);
    call->ready_count++;
    if (call->abort_place == ABORT_IN_READY) {
        abort_here(call);
    } else if (call->body) {
        struct gh_str slice = gh_str_from_c(call->body);
        if (slice.len)
            gh_upstream_call_write(upstream_call, &slice, 1);
        if (!call->hold_end)
            gh_upstream_call_end(upstream_call);
    }
    unlock_call(call);
}

static void on_head(struct gh_upstream_call *upstream_call, struct gh_response_head *head)
{
    struct test_call *call = lock_call(upstream_call);
    call->head_count++;
    call->status = head->status;
    for (size_t i = 0; i < head->fields.count; i++) {
        if (gh_str_ieq(head->fields.items[i].name, GH_STR("x-test")))
            snprintf(call->field, sizeof call->field, "%.*s",
                     GH_STR_ARG(head->fields.items[i].value));
    }
    if (call->pause_in_head)
        gh_upstream_call_pause(upstream_call);
    if (call->abort_place == ABORT_IN_HEAD)
        abort_here(call);
    unlock_call(call);
}

static void on_body(struct gh_upstream_call *upstream_call, struct gh_str bytes, bool is_last)
{
    struct test_call *call = lock_call(upstream_call);
    if (call->answer_len < sizeof call->answer)
        memcpy(call->answer + call->answer_len, bytes.ptr,
               gh_str_first(bytes, sizeof call->answer - call->answer_len).len);
    call->answer_len += bytes.len;
    call->body_events++;
    call->complete = is_last;
    GH_ASSERT(upstream_call->over == is_last);
    if (call->abort_place == ABORT_IN_BODY || (is_last && call->abort_place == ABORT_IN_LAST))
        abort_here(call);
    unlock_call(call);
}

static void on_drain(struct gh_upstream_call *upstream_call)
{
    struct test_call *call = lock_call(upstream_call);
    call->drain_count++;
    unlock_call(call);
}

static void on_failure(struct gh_upstream_call *upstream_call, enum gh_upstream_failure failure)
{
    struct test_call *call = lock_call(upstream_call);
    GH_ASSERT(!call->complete && !call->failed);
    call->failed = true;
    call->failure = failure;
    unlock_call(call);
}

static const struct gh_upstream_call_events events = {
    .on_ready = on_ready,
    .on_head = on_head,
    .on_body = on_body,
    .on_drain = on_drain,
    .on_failure = on_failure,
};

/* ---- Calls ---- */

void call_init(struct test_call *call, struct test_client *client)
{
    memset(call, 0, sizeof *call);
    call->client = client;
    call->request.head = GH_STR("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    call->request.method = GH_METHOD_GET;
    call->request.idempotent = true;
    gh_arena_init(&call->arena, 4096, 1024 * 1024);
}

void call_init_post(struct test_call *call, struct test_client *client, const char *body)
{
    call_init(call, client);
    call->request.head = GH_STR("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 7\r\n\r\n");
    call->request.method = GH_METHOD_POST;
    call->request.idempotent = false;
    call->request.has_body = true;
    call->body = body;
}

static void start_call(void *arg)
{
    struct test_call *call = arg;
    struct gh_str lent = gh_str_from_c(call->lent_body ? call->lent_body : "");
    char memory[64];
    GH_ASSERT(lent.len <= sizeof memory);
    if (lent.len) {
        memcpy(memory, lent.ptr, lent.len);
        call->request.body = gh_str_of(memory, lent.len);
        call->request.body_lent = true;
    }
    gh_upstream_call_start(&call->call, call->client->upstreams, call->client->group,
                           &call->request, &call->arena, &events, call);
    memset(memory, 'x', sizeof memory);
}

void call_start(struct test_call *call)
{
    client_run(call->client, start_call, call);
}

void call_wait(struct test_call *call)
{
    struct timespec until = patience_ends();
    pthread_mutex_lock(&call->client->lock);
    while (!call->complete && !call->failed)
        wait_for_change(call->client, &until);
    pthread_mutex_unlock(&call->client->lock);
}

void call_wait_ready(struct test_call *call, unsigned count)
{
    struct timespec until = patience_ends();
    pthread_mutex_lock(&call->client->lock);
    while (call->ready_count < count)
        wait_for_change(call->client, &until);
    pthread_mutex_unlock(&call->client->lock);
}

void call_wait_head(struct test_call *call)
{
    struct timespec until = patience_ends();
    pthread_mutex_lock(&call->client->lock);
    while (!call->head_count)
        wait_for_change(call->client, &until);
    pthread_mutex_unlock(&call->client->lock);
}

void call_wait_drain(struct test_call *call)
{
    struct timespec until = patience_ends();
    pthread_mutex_lock(&call->client->lock);
    while (!call->drain_count)
        wait_for_change(call->client, &until);
    pthread_mutex_unlock(&call->client->lock);
}

void call_wait_body(struct test_call *call, size_t bytes)
{
    struct timespec until = patience_ends();
    pthread_mutex_lock(&call->client->lock);
    while (call->answer_len < bytes)
        wait_for_change(call->client, &until);
    pthread_mutex_unlock(&call->client->lock);
}

void call_get(struct test_call *call, struct test_client *client)
{
    call_init(call, client);
    call_start(call);
    call_wait(call);
}

static void abort_now(void *arg)
{
    gh_upstream_call_abort(&((struct test_call *)arg)->call);
}

void call_abort(struct test_call *call)
{
    client_run(call->client, abort_now, call);
}

static void resume_now(void *arg)
{
    gh_upstream_call_resume(&((struct test_call *)arg)->call);
}

void call_resume(struct test_call *call)
{
    client_run(call->client, resume_now, call);
}

static void write_now(void *arg)
{
    struct test_call *call = arg;
    struct gh_str slice = gh_str_from_c(call->late_body);
    call->took_body = gh_upstream_call_write(&call->call, &slice, 1);
}

void call_write(struct test_call *call, const char *text)
{
    call->late_body = text;
    client_run(call->client, write_now, call);
}

static void end_now(void *arg)
{
    gh_upstream_call_end(&((struct test_call *)arg)->call);
}

void call_end(struct test_call *call)
{
    client_run(call->client, end_now, call);
}

void call_done(struct test_call *call)
{
    gh_arena_done(&call->arena);
}
