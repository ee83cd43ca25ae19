/*
 * An event loop of one thread: time, timers, and work posted from other threads. epoll(7) stands
 * behind it and shows nowhere else; a measurement may replace it.
 */
#ifndef GH_NET_LOOP_H
#define GH_NET_LOOP_H

#include "base/err.h"
#include "base/str.h"

struct gh_loop;

/* A descriptor as the loop sees it: the first member of streams and of what else it tells. */
struct gh_watch {
    int fd;
    uint8_t kind;     /* enum gh_watch_kind */
    uint8_t interest; /* what epoll has been told of; 0: not even the descriptor */
};

/* Also has SIGPIPE ignored, process-wide, unless it has a handler. */
GH_MUST_USE enum gh_err gh_loop_open(struct gh_loop **out_loop);
/* Runs until gh_loop_stop and all streams and listeners are closed. */
void gh_loop_run(struct gh_loop *loop);
/* The loop ends when all streams and listeners are closed; until then timers and posted work go on.
   Only from the loop's own thread (from others: post it). */
void gh_loop_stop(struct gh_loop *loop);
/* After run has returned. */
void gh_loop_close(struct gh_loop *loop);

/* From now on at most so many bytes of a stream are read at once: what is read and can't go on is
   memory. Up to GH_STREAM_READ_BYTES, as which it begins. */
void gh_loop_set_read_bytes(struct gh_loop *loop, size_t bytes);

/* Monotonic milliseconds, read once per turn of the loop; from the test's clock in test builds. */
uint64_t gh_loop_now_ms(const struct gh_loop *loop);
/* The same in microseconds, read freshly, for durations in logs. */
uint64_t gh_loop_now_us(const struct gh_loop *loop);
/* The clock of all loops, read freshly, for threads without one. */
uint64_t gh_monotonic_now_ms(void);
/* Wall-clock time in microseconds since 1970, UTC. */
uint64_t gh_wall_now_us(void);

/* Runs `fn(arg)` on the loop's thread, soon. From any thread. GH_ERR_FULL: queue of 1,024 full.
   GH_ERR_CLOSED: the loop has ended. What was taken is run, also when the loop is ending. */
typedef void gh_loop_fn(void *arg);
GH_MUST_USE enum gh_err gh_loop_post(struct gh_loop *loop, gh_loop_fn *fn, void *arg);
/* Runs `fn(arg)` at the end of each turn of the loop (to flush logs). At most 4. */
void gh_loop_on_turn(struct gh_loop *loop, gh_loop_fn *fn, void *arg);

/*
 * Something to be done once, at the end of this turn of the loop and before it waits: to send
 * together what a turn has brought. The owner's memory, fn and arg filled in; it must live until
 * `fn` is called, which may free it. The loop does not end before. Only from the loop's thread.
 */
struct gh_loop_task {
    struct gh_loop_task *next;
    gh_loop_fn *fn;
    void *arg;
    bool waiting;
};
/* A task that waits already goes on waiting. Begun inside a task: runs with the next turn. */
void gh_loop_task_start(struct gh_loop *loop, struct gh_loop_task *task);

/*
 * Timers: an intrusive hierarchical or hashed wheel, 10 ms resolution, never early, O(1) start and
 * stop. Arming an armed timer moves it. The owner's memory; stop before freeing.
 */
struct gh_timer;
typedef void gh_timer_fn(struct gh_timer *timer);
struct gh_timer {
    struct gh_timer *next, *prev; /* NULL: not armed */
    uint64_t due_ms;
    gh_timer_fn *fn;
};
void gh_timer_start(struct gh_loop *loop, struct gh_timer *timer, uint64_t delay_ms,
                    gh_timer_fn *fn);
void gh_timer_stop(struct gh_loop *loop, struct gh_timer *timer);
static inline bool gh_timer_is_armed(const struct gh_timer *timer)
{
    return timer->next != NULL;
}

#endif
