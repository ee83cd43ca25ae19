/*
 * The timer wheel behind loop.h: hierarchical, time is a parameter. Private to net.
 *
 * Four levels (256, 64, 64 and 64 slots, ticks of 10 ms): what is due within 2.56 s lies in the
 * slot of its very tick, later timers lie in coarser slots and are dealt out again when their turn
 * comes. One bit per slot says whether it holds anything, so that the next due moment is found
 * without walking slots. After Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987.
 */
#ifndef GH_NET_WHEEL_H
#define GH_NET_WHEEL_H

#include "net/loop.h"

#define GH_WHEEL_TICK_MS    10
#define GH_WHEEL_NEAR_SLOTS 256
#define GH_WHEEL_FAR_LEVELS 3
#define GH_WHEEL_FAR_SLOTS  64
/* What gh_wheel_next_ms says when no timer is armed. */
#define GH_WHEEL_NEVER UINT64_MAX

struct gh_wheel {
    uint64_t tick; /* all timers due at or before it have run */
    uint64_t near_map[GH_WHEEL_NEAR_SLOTS / 64];
    uint64_t far_map[GH_WHEEL_FAR_LEVELS];
    /* List heads; only `next` and `prev` are used. */
    struct gh_timer near_slots[GH_WHEEL_NEAR_SLOTS];
    struct gh_timer far_slots[GH_WHEEL_FAR_LEVELS][GH_WHEEL_FAR_SLOTS];
    struct gh_timer expiring; /* those of the tick that is running now */
};

void gh_wheel_init(struct gh_wheel *wheel, uint64_t now_ms);
/* Arms (or moves) `timer` for now_ms + delay_ms; delays are cut at ten years. */
void gh_wheel_add(struct gh_wheel *wheel, struct gh_timer *timer, uint64_t now_ms,
                  uint64_t delay_ms, gh_timer_fn *fn);
void gh_wheel_remove(struct gh_wheel *wheel, struct gh_timer *timer);
/* Runs all timers due at `now_ms`, in the order of their ticks. They may add and remove any. */
void gh_wheel_advance(struct gh_wheel *wheel, uint64_t now_ms);
/* When gh_wheel_advance has something to do next (perhaps only housekeeping). */
uint64_t gh_wheel_next_ms(const struct gh_wheel *wheel);

/* The moment at which `timer` can run: its due time, rounded up to a tick. */
static inline uint64_t gh_wheel_runs_ms(const struct gh_timer *timer)
{
    return (timer->due_ms + GH_WHEEL_TICK_MS - 1) / GH_WHEEL_TICK_MS * GH_WHEEL_TICK_MS;
}

#endif
