/* The event loop over epoll: its life, its turns, posted work. */
#include "net/loop_state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/clock.h"
#include "net/stream_state.h"

/* What libraries send signals a broken pipe; the error code is all we need. A handler that somebody
   has set stays. */
static void ignore_sigpipe(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &action, NULL);
    }
}

static void read_clock(struct gh_loop *loop)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    loop->now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void close_descriptors(struct gh_loop *loop)
{
    if (loop->wake.fd >= 0)
        close(loop->wake.fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
}

static bool open_descriptors(struct gh_loop *loop)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->wake.kind = GH_WATCH_POSTED;
    if (loop->epoll_fd >= 0 && loop->wake.fd >= 0 && gh_loop_watch(loop, &loop->wake, EPOLLIN))
        return true;
    close_descriptors(loop);
    return false;
}

enum gh_err gh_loop_open(struct gh_loop **out_loop)
{
    /* Not calloc: most of it is the read buffer, which need not be touched. */
    struct gh_loop *loop = malloc(sizeof *loop);
    if (!loop)
        return GH_ERR_MEMORY;
    memset(loop, 0, offsetof(struct gh_loop, posted));
    if (!open_descriptors(loop)) {
        free(loop);
        return GH_ERR_IO;
    }
    ignore_sigpipe();
    loop->read_bytes = sizeof loop->read_buffer;
    loop->posted.first = loop->posted.count = 0;
    loop->posted.closed = loop->posted.told = false;
    pthread_mutex_init(&loop->posted.lock, NULL);
    read_clock(loop);
    gh_loop_timers_init(loop);
    *out_loop = loop;
    return GH_OK;
}

/* ---- Descriptors ---- */

bool gh_loop_watch(struct gh_loop *loop, struct gh_watch *watch, uint32_t interest)
{
    if (watch->interest == interest)
        return true;
    struct epoll_event event = {.events = interest, .data.ptr = watch};
    int operation = watch->interest == 0 ? EPOLL_CTL_ADD
                    : interest == 0      ? EPOLL_CTL_DEL
                                         : EPOLL_CTL_MOD;
    if (epoll_ctl(loop->epoll_fd, operation, watch->fd, &event) != 0)
        return false;
    watch->interest = (uint8_t)interest;
    return true;
}

void gh_loop_unwatch(struct gh_loop *loop, struct gh_watch *watch)
{
    bool done = gh_loop_watch(loop, watch, 0);
    GH_ASSERT(done);
}

/* ---- Hooks and tasks ---- */

static void run_hooks(struct gh_loop *loop)
{
    for (unsigned i = 0; i < loop->hook_count; i++)
        loop->hooks[i].fn(loop->hooks[i].arg);
}

void gh_loop_task_start(struct gh_loop *loop, struct gh_loop_task *task)
{
    if (task->waiting)
        return;
    GH_ASSERT(!loop->ended);
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

/* ---- Posted work ---- */

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

static void wake(struct gh_loop *loop)
{
    static const uint64_t ONE = 1;
    ssize_t count = write(loop->wake.fd, &ONE, sizeof ONE);
    GH_ASSERT(count == sizeof ONE);
}

static void on_posted(struct gh_loop *loop)
{
    uint64_t times;
    ssize_t count = read(loop->wake.fd, &times, sizeof times);
    GH_ASSERT(count == sizeof times);
    /* From here on who posts wakes again. */
    pthread_mutex_lock(&loop->posted.lock);
    loop->posted.told = false;
    pthread_mutex_unlock(&loop->posted.lock);
    if (run_posted(loop) >= GH_LOOP_POSTED_MAX)
        wake(loop);
}

/* Everything is closed: no more work can come. */
static void end(struct gh_loop *loop)
{
    if (loop->ended)
        return;
    loop->ended = true;
    pthread_mutex_lock(&loop->posted.lock);
    loop->posted.closed = true;
    pthread_mutex_unlock(&loop->posted.lock);
    /* What was accepted before is run: its memory may hang on it. */
    run_posted(loop);
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
        /* Under the lock, so that the loop cannot be closed in between. */
        if (!posted->told)
            wake(loop);
        posted->told = true;
    }
    pthread_mutex_unlock(&posted->lock);
    return err;
}

/* ---- Turns ---- */

/* What is fetched here is told even when one of the events has closed the stream of another: a
   closed stream knows it, and keeps its memory until the turn has ended. */
static void tell(struct gh_loop *loop, const struct epoll_event *event)
{
    struct gh_watch *watch = event->data.ptr;
    switch ((enum gh_watch_kind)watch->kind) {
    case GH_WATCH_POSTED:
        on_posted(loop);
        break;
    case GH_WATCH_STREAM:
        gh_stream_ready((struct gh_stream *)watch, event->events);
        break;
    case GH_WATCH_LISTENER:
        gh_listener_ready((struct gh_listener *)watch);
        break;
    }
}

static bool has_work(const struct gh_loop *loop)
{
    return loop->task_first || loop->deferred_first || loop->closed_first ||
           (loop->ended && loop->open_count == 0);
}

static void run_events(struct gh_loop *loop, bool may_wait)
{
    int wait_ms = may_wait && !has_work(loop) ? gh_loop_timers_wait_ms(loop) : 0;
    int count = epoll_wait(loop->epoll_fd, loop->events, GH_LOOP_EVENTS_MAX, wait_ms);
    GH_ASSERT(count >= 0 || errno == EINTR);
    read_clock(loop);
    for (int i = 0; i < count; i++)
        tell(loop, &loop->events[i]);
}

/* Only as many as there are now: what is deferred anew waits for the next turn. */
static void run_deferred(struct gh_loop *loop)
{
    size_t count = 0;
    for (struct gh_stream *s = loop->deferred_first; s; s = s->deferred_next)
        count++;
    for (; count > 0 && loop->deferred_first; count--) {
        struct gh_stream *stream = loop->deferred_first;
        gh_loop_undefer(loop, stream);
        gh_stream_run_deferred(stream);
    }
}

static void run_closed(struct gh_loop *loop)
{
    struct gh_stream *stream = loop->closed_first;
    loop->closed_first = loop->closed_last = NULL;
    while (stream) {
        struct gh_stream *next = stream->deferred_next;
        gh_stream_run_closed(stream);
        gh_loop_release(loop);
        stream = next;
    }
}

void gh_loop_turn(struct gh_loop *loop, bool may_wait)
{
    /* The last turn may have been a long one. */
    read_clock(loop);
    run_tasks(loop);
    run_hooks(loop);
    run_events(loop, may_wait);
    gh_loop_timers_run(loop);
    run_deferred(loop);
    run_closed(loop);
}

static void run_to_the_end(struct gh_loop *loop)
{
    while (!loop->ended || loop->open_count > 0)
        gh_loop_turn(loop, true);
}

void gh_loop_run(struct gh_loop *loop)
{
    run_to_the_end(loop);
    run_hooks(loop);
}

void gh_loop_stop(struct gh_loop *loop)
{
    loop->stopping = true;
    if (loop->open_count == 0)
        end(loop);
}

void gh_loop_hold(struct gh_loop *loop)
{
    loop->open_count++;
}

void gh_loop_release(struct gh_loop *loop)
{
    GH_ASSERT(loop->open_count > 0);
    if (--loop->open_count == 0 && loop->stopping)
        end(loop);
}

void gh_loop_close(struct gh_loop *loop)
{
    if (!loop)
        return;
    GH_ASSERT(loop->open_count == 0);
    /* A loop that never ran may still have work. */
    gh_loop_stop(loop);
    run_to_the_end(loop);
    close_descriptors(loop);
    gh_loop_tls_free(loop->tls);
    pthread_mutex_destroy(&loop->posted.lock);
    free(loop);
}

uint64_t gh_loop_now_ms(const struct gh_loop *loop)
{
    return loop->now_ms + (uint64_t)gh_clock_offset_ms();
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

void gh_loop_set_read_bytes(struct gh_loop *loop, size_t bytes)
{
    GH_ASSERT(bytes > 0 && bytes <= sizeof loop->read_buffer);
    loop->read_bytes = bytes;
}

void gh_loop_on_turn(struct gh_loop *loop, gh_loop_fn *fn, void *arg)
{
    GH_ASSERT(loop->hook_count < GH_LOOP_HOOKS_MAX);
    loop->hooks[loop->hook_count++] = (struct gh_loop_work){fn, arg};
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

void gh_loop_defer_closed(struct gh_loop *loop, struct gh_stream *stream)
{
    gh_loop_undefer(loop, stream);
    stream->deferred_next = NULL;
    if (loop->closed_last)
        loop->closed_last->deferred_next = stream;
    else
        loop->closed_first = stream;
    loop->closed_last = stream;
}
