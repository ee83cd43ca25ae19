/* The event loop over libuv: its life, posted work, hooks at the end of each turn. */
#include "net/loop_state.h"

#include <signal.h>
#include <stdlib.h>

#include "base/assert.h"
#include "net/clock.h"
#include "net/stream_state.h"

static void on_async(uv_async_t *handle);
static void on_prepare(uv_prepare_t *handle);
static void on_idle(uv_idle_t *handle);

/* libuv writes with writev, which signals a broken pipe; the error code is all we need. A handler
   that somebody has set stays. */
static void ignore_sigpipe(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &action, NULL);
    }
}

static void init_handles(struct gh_loop *loop)
{
    gh_loop_timers_init(loop);
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_idle_init(&loop->uv, &loop->idle);
    loop->prepare.data = loop->idle.data = loop->async.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
}

enum gh_err gh_loop_open(struct gh_loop **out_loop)
{
    /* Not calloc: most of it is the read buffer, which need not be touched. */
    struct gh_loop *loop = malloc(sizeof *loop);
    if (!loop)
        return GH_ERR_MEMORY;
    memset(loop, 0, offsetof(struct gh_loop, posted));
    if (uv_loop_init(&loop->uv) != 0)
        goto failed;
    if (uv_async_init(&loop->uv, &loop->async, on_async) != 0) {
        uv_loop_close(&loop->uv);
        goto failed;
    }
    ignore_sigpipe();
    loop->posted.first = loop->posted.count = 0;
    loop->posted.closed = false;
    pthread_mutex_init(&loop->posted.lock, NULL);
    init_handles(loop);
    *out_loop = loop;
    return GH_OK;
failed:
    free(loop);
    return GH_ERR_IO;
}

static void run_hooks(struct gh_loop *loop)
{
    for (unsigned i = 0; i < loop->hook_count; i++)
        loop->hooks[i].fn(loop->hooks[i].arg);
}

void gh_loop_task_start(struct gh_loop *loop, struct gh_loop_task *task)
{
    if (task->waiting)
        return;
    GH_ASSERT(!uv_is_closing((uv_handle_t *)&loop->prepare));
    task->waiting = true;
    task->next = NULL;
    if (loop->task_last)
        loop->task_last->next = task;
    else
        loop->task_first = task;
    loop->task_last = task;
    gh_loop_hold(loop);
}

/* Those that there are now; what they begin waits for the next turn. */
static void run_tasks(struct gh_loop *loop)
{
    struct gh_loop_task *task = loop->task_first;
    loop->task_first = loop->task_last = NULL;
    while (task) {
        struct gh_loop_task *next = task->next;
        task->waiting = false;
        task->fn(task->arg);
        gh_loop_release(loop);
        task = next;
    }
}

void gh_loop_run(struct gh_loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    run_hooks(loop);
}

/* Takes up to `max` pieces of posted work out of the ring. */
static unsigned take_posted(struct gh_loop *loop, struct gh_loop_work *works, unsigned max)
{
    struct gh_loop_posted *posted = &loop->posted;
    pthread_mutex_lock(&posted->lock);
    unsigned count = posted->count < max ? posted->count : max;
    for (unsigned i = 0; i < count; i++)
        works[i] = posted->ring[(posted->first + i) % GH_LOOP_POSTED_MAX];
    posted->first = (posted->first + count) % GH_LOOP_POSTED_MAX;
    posted->count -= count;
    pthread_mutex_unlock(&posted->lock);
    return count;
}

/* Runs at most a ring full, so that work which posts more work cannot hold the loop. */
static unsigned run_posted(struct gh_loop *loop)
{
    struct gh_loop_work works[64];
    unsigned done = 0, count;
    while (done < GH_LOOP_POSTED_MAX && (count = take_posted(loop, works, 64)) > 0) {
        for (unsigned i = 0; i < count; i++)
            works[i].fn(works[i].arg);
        done += count;
    }
    return done;
}

static void on_async(uv_async_t *handle)
{
    struct gh_loop *loop = handle->data;
    if (run_posted(loop) >= GH_LOOP_POSTED_MAX && !uv_is_closing((uv_handle_t *)handle))
        uv_async_send(handle);
}

static void close_handles(struct gh_loop *loop)
{
    if (uv_is_closing((uv_handle_t *)&loop->async))
        return;
    pthread_mutex_lock(&loop->posted.lock);
    loop->posted.closed = true;
    pthread_mutex_unlock(&loop->posted.lock);
    uv_close((uv_handle_t *)&loop->async, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    /* What was accepted before is run: its memory may hang on it. No more can come. */
    run_posted(loop);
}

void gh_loop_stop(struct gh_loop *loop)
{
    loop->stopping = true;
    if (loop->open_count == 0)
        close_handles(loop);
}

void gh_loop_hold(struct gh_loop *loop)
{
    loop->open_count++;
}

void gh_loop_release(struct gh_loop *loop)
{
    GH_ASSERT(loop->open_count > 0);
    if (--loop->open_count == 0 && loop->stopping)
        close_handles(loop);
}

void gh_loop_close(struct gh_loop *loop)
{
    if (!loop)
        return;
    GH_ASSERT(loop->open_count == 0);
    /* A loop that never ran still has its handles. */
    gh_loop_stop(loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&loop->uv);
    GH_ASSERT(busy == 0);
    gh_loop_tls_free(loop->tls);
    pthread_mutex_destroy(&loop->posted.lock);
    free(loop);
}

uint64_t gh_loop_now_ms(const struct gh_loop *loop)
{
    return uv_now(&loop->uv) + (uint64_t)gh_clock_offset_ms();
}

uint64_t gh_loop_now_us(const struct gh_loop *loop)
{
    (void)loop;
    return gh_clock_monotonic_us();
}

uint64_t gh_monotonic_now_ms(void)
{
    return gh_clock_monotonic_us() / 1000;
}

enum gh_err gh_loop_post(struct gh_loop *loop, gh_loop_fn *fn, void *arg)
{
    struct gh_loop_posted *posted = &loop->posted;
    enum gh_err err = GH_OK;
    pthread_mutex_lock(&posted->lock);
    if (posted->closed) {
        err = GH_ERR_CLOSED;
    } else if (posted->count == GH_LOOP_POSTED_MAX) {
        err = GH_ERR_FULL;
    } else {
        unsigned at = (posted->first + posted->count++) % GH_LOOP_POSTED_MAX;
        posted->ring[at] = (struct gh_loop_work){fn, arg};
        /* Under the lock, so that the handle cannot be closed in between. */
        uv_async_send(&loop->async);
    }
    pthread_mutex_unlock(&posted->lock);
    return err;
}

void gh_loop_on_turn(struct gh_loop *loop, gh_loop_fn *fn, void *arg)
{
    GH_ASSERT(loop->hook_count < GH_LOOP_HOOKS_MAX);
    loop->hooks[loop->hook_count++] = (struct gh_loop_work){fn, arg};
}

/* Just before libuv waits for events: after timers, closings and all that events have caused. With
   a task begun here it does not wait. */
static void on_prepare(uv_prepare_t *handle)
{
    struct gh_loop *loop = handle->data;
    run_tasks(loop);
    run_hooks(loop);
    if (loop->task_first)
        uv_idle_start(&loop->idle, on_idle);
}

/* ---- Deferred streams ---- */

void gh_loop_defer(struct gh_loop *loop, struct gh_stream *stream)
{
    if (stream->deferred)
        return;
    stream->deferred = true;
    stream->deferred_next = NULL;
    if (loop->deferred_last)
        loop->deferred_last->deferred_next = stream;
    else
        loop->deferred_first = stream;
    loop->deferred_last = stream;
    /* An active idle handle keeps libuv from waiting. */
    uv_idle_start(&loop->idle, on_idle);
}

void gh_loop_undefer(struct gh_loop *loop, struct gh_stream *stream)
{
    if (!stream->deferred)
        return;
    struct gh_stream *before = NULL;
    for (struct gh_stream *s = loop->deferred_first; s != stream; s = s->deferred_next)
        before = s;
    if (before)
        before->deferred_next = stream->deferred_next;
    else
        loop->deferred_first = stream->deferred_next;
    if (loop->deferred_last == stream)
        loop->deferred_last = before;
    stream->deferred = false;
}

static void on_idle(uv_idle_t *handle)
{
    struct gh_loop *loop = handle->data;
    /* Only as many as there are now: what is deferred anew waits for the next turn. */
    size_t count = 0;
    for (struct gh_stream *s = loop->deferred_first; s; s = s->deferred_next)
        count++;
    for (; count > 0 && loop->deferred_first; count--) {
        struct gh_stream *stream = loop->deferred_first;
        gh_loop_undefer(loop, stream);
        gh_stream_run_deferred(stream);
    }
    if (!loop->deferred_first && !uv_is_closing((uv_handle_t *)handle))
        uv_idle_stop(handle);
}
