/* What a loop is made of. Private to net. */
#ifndef GH_NET_LOOP_STATE_H
#define GH_NET_LOOP_STATE_H

#include <pthread.h>
#include <uv.h>

#include "net/loop.h"
#include "net/stream.h"
#include "net/wheel.h"

#define GH_LOOP_POSTED_MAX 1024
#define GH_LOOP_HOOKS_MAX  4

struct gh_loop_work {
    gh_loop_fn *fn;
    void *arg;
};

/* The ring that other threads post to. */
struct gh_loop_posted {
    pthread_mutex_t lock;
    unsigned first, count;
    bool closed; /* nobody would run it any more */
    struct gh_loop_work ring[GH_LOOP_POSTED_MAX];
};

struct gh_loop {
    uv_loop_t uv;
    uv_timer_t timer;     /* for the wheel */
    uv_async_t async;     /* for posted work */
    uv_prepare_t prepare; /* for the hooks at the end of a turn */
    uv_idle_t idle;       /* for deferred streams; active only when the loop must not wait */
    struct gh_wheel wheel;
    uint64_t timer_due_ms; /* GH_WHEEL_NEVER: not armed */
    struct gh_loop_work hooks[GH_LOOP_HOOKS_MAX];
    unsigned hook_count;
    struct gh_loop_task *task_first, *task_last; /* of this turn */
    unsigned open_count;                         /* streams and listeners not yet closed */
    bool stopping;
    bool lending; /* the read buffer is in the hands of an on_read */
    struct gh_stream *deferred_first, *deferred_last;
    struct gh_loop_tls *tls; /* NULL until the first stream with TLS */
    struct gh_loop_posted posted;
    char read_buffer[GH_STREAM_READ_BYTES];
};

/* A stream or listener begins or ends to be: the loop runs until all have ended. */
void gh_loop_hold(struct gh_loop *loop);
void gh_loop_release(struct gh_loop *loop);

/* timer.c */
void gh_loop_timers_init(struct gh_loop *loop);

/* stream.c: calls gh_stream_run_deferred of this stream before the loop waits again. */
void gh_loop_defer(struct gh_loop *loop, struct gh_stream *stream);
void gh_loop_undefer(struct gh_loop *loop, struct gh_stream *stream);

#endif
