/* What a loop is made of. Private to net. */
#ifndef GH_NET_LOOP_STATE_H
#define GH_NET_LOOP_STATE_H

#include <pthread.h>
#include <sys/epoll.h>

#include "net/loop.h"
#include "net/stream.h"
#include "net/wheel.h"

#define GH_LOOP_POSTED_MAX 1024
#define GH_LOOP_HOOKS_MAX  4
/* Events fetched at once. */
#define GH_LOOP_EVENTS_MAX 256
/* Slices of up to this many bytes together are copied here and sent as one: cheaper than having the
   kernel gather them. */
#define GH_LOOP_GATHER_BYTES 4096

enum gh_watch_kind {
    GH_WATCH_POSTED, /* of the loop itself */
    GH_WATCH_STREAM,
    GH_WATCH_LISTENER,
};

struct gh_loop_work {
    gh_loop_fn *fn;
    void *arg;
};

/* The ring that other threads post to. */
struct gh_loop_posted {
    pthread_mutex_t lock;
    unsigned first, count;
    bool closed; /* nobody would run it any more */
    bool told;   /* the loop has been woken and has not looked yet */
    struct gh_loop_work ring[GH_LOOP_POSTED_MAX];
};

struct gh_loop {
    int epoll_fd;
    struct gh_watch wake; /* an eventfd, for posted work */
    struct gh_wheel wheel;
    uint64_t now_ms;       /* without the test's clock */
    uint64_t timer_due_ms; /* when the wheel must be looked at; GH_WHEEL_NEVER: it is empty */
    struct gh_loop_work hooks[GH_LOOP_HOOKS_MAX];
    unsigned hook_count;
    struct gh_loop_task *task_first, *task_last; /* of this turn */
    unsigned open_count;                         /* streams and listeners not yet closed */
    bool stopping, ended;
    size_t read_bytes; /* of read_buffer, that one read may fill */
    bool lending;      /* the read buffer is in the hands of an on_read */
    struct gh_stream *deferred_first, *deferred_last;
    struct gh_stream *closed_first, *closed_last; /* whose on_closed is due */
    struct gh_loop_tls *tls;                      /* NULL until the first stream with TLS */
    struct gh_loop_posted posted;
    struct epoll_event events[GH_LOOP_EVENTS_MAX]; /* of this turn */
    char gather[GH_LOOP_GATHER_BYTES];
    char read_buffer[GH_STREAM_READ_BYTES];
};

/* One turn: what is due, events, what they cause. `may_wait`: until there is something to do. */
void gh_loop_turn(struct gh_loop *loop, bool may_wait);

/*
 * Tells epoll what to look for: EPOLLIN, EPOLLOUT, or 0 for nothing at all, not even the peer's
 * going. False: the system has no memory for it. What has been fetched already of the events of
 * this turn is still told, so what is told must check whether it is wanted, and its memory must
 * outlive the turn.
 */
GH_MUST_USE bool gh_loop_watch(struct gh_loop *loop, struct gh_watch *watch, uint32_t interest);
/* The same for nothing, which cannot fail. Needed before the descriptor is closed, too: another
   process or thread may hold a copy of it, with which its events would go on. */
void gh_loop_unwatch(struct gh_loop *loop, struct gh_watch *watch);

/* A stream or listener begins or ends to be: the loop runs until all have ended. */
void gh_loop_hold(struct gh_loop *loop);
void gh_loop_release(struct gh_loop *loop);

/* ---- timer.c ---- */
void gh_loop_timers_init(struct gh_loop *loop);
/* How long the timers let the loop wait; -1: for ever. */
int gh_loop_timers_wait_ms(const struct gh_loop *loop);
void gh_loop_timers_run(struct gh_loop *loop);

/* Calls gh_stream_run_deferred of this stream before the loop waits again. */
void gh_loop_defer(struct gh_loop *loop, struct gh_stream *stream);
void gh_loop_undefer(struct gh_loop *loop, struct gh_stream *stream);
/* Calls gh_stream_run_closed when the events of this turn have all been told. */
void gh_loop_defer_closed(struct gh_loop *loop, struct gh_stream *stream);

/* ---- stream.c, listener.c: what the loop tells ---- */
void gh_stream_ready(struct gh_stream *stream, uint32_t events);
void gh_stream_run_deferred(struct gh_stream *stream);
void gh_stream_run_closed(struct gh_stream *stream);
void gh_listener_ready(struct gh_listener *listener);

#endif
