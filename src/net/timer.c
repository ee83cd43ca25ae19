/* Timers of a loop: the wheel of wheel.h, and when the loop must look at it. */
#include "net/loop_state.h"

#include <limits.h>

int gh_loop_timers_wait_ms(const struct gh_loop *loop)
{
    if (loop->timer_due_ms == GH_WHEEL_NEVER)
        return -1;
    uint64_t now_ms = gh_loop_now_ms(loop);
    uint64_t wait_ms = loop->timer_due_ms > now_ms ? loop->timer_due_ms - now_ms : 0;
#ifdef GH_TEST_CLOCK
    /* A test may move the clock at any moment; look often. */
    if (wait_ms > GH_WHEEL_TICK_MS)
        wait_ms = GH_WHEEL_TICK_MS;
#endif
    return wait_ms < INT_MAX ? (int)wait_ms : INT_MAX;
}

void gh_loop_timers_run(struct gh_loop *loop)
{
    uint64_t now_ms = gh_loop_now_ms(loop);
    if (loop->timer_due_ms > now_ms)
        return;
    gh_wheel_advance(&loop->wheel, now_ms);
    loop->timer_due_ms = gh_wheel_next_ms(&loop->wheel);
}

void gh_loop_timers_init(struct gh_loop *loop)
{
    loop->timer_due_ms = GH_WHEEL_NEVER;
    gh_wheel_init(&loop->wheel, gh_loop_now_ms(loop));
}

void gh_timer_start(struct gh_loop *loop, struct gh_timer *timer, uint64_t delay_ms,
                    gh_timer_fn *fn)
{
    gh_wheel_add(&loop->wheel, timer, gh_loop_now_ms(loop), delay_ms, fn);
    uint64_t runs_ms = gh_wheel_runs_ms(timer);
    if (runs_ms < loop->timer_due_ms)
        loop->timer_due_ms = runs_ms;
}

void gh_timer_stop(struct gh_loop *loop, struct gh_timer *timer)
{
    /* The loop will look at the wheel nevertheless: one idle wake-up is cheaper than finding out
       for each request what is due next. */
    gh_wheel_remove(&loop->wheel, timer);
}
