/* Timers of a loop: the wheel of wheel.h driven by one uv_timer, armed only while it is needed. */
#include "net/loop_state.h"

static void on_uv_timer(uv_timer_t *handle);

static void arm(struct gh_loop *loop, uint64_t due_ms)
{
    uint64_t now_ms = gh_loop_now_ms(loop);
    uint64_t delay_ms = due_ms > now_ms ? due_ms - now_ms : 0;
#ifdef GH_TEST_CLOCK
    /* A test may move the clock at any moment; look often. */
    if (delay_ms > GH_WHEEL_TICK_MS)
        delay_ms = GH_WHEEL_TICK_MS;
#endif
    loop->timer_due_ms = due_ms;
    uv_timer_start(&loop->timer, on_uv_timer, delay_ms, 0);
}

static void on_uv_timer(uv_timer_t *handle)
{
    struct gh_loop *loop = handle->data;
    /* As if it were armed for long ago, so that timers started meanwhile do not arm it. */
    loop->timer_due_ms = 0;
    gh_wheel_advance(&loop->wheel, gh_loop_now_ms(loop));
    uint64_t next_ms = gh_wheel_next_ms(&loop->wheel);
    loop->timer_due_ms = next_ms;
    if (next_ms != GH_WHEEL_NEVER && !uv_is_closing((uv_handle_t *)handle))
        arm(loop, next_ms);
}

void gh_loop_timers_init(struct gh_loop *loop)
{
    uv_timer_init(&loop->uv, &loop->timer);
    loop->timer.data = loop;
    loop->timer_due_ms = GH_WHEEL_NEVER;
    gh_wheel_init(&loop->wheel, gh_loop_now_ms(loop));
}

void gh_timer_start(struct gh_loop *loop, struct gh_timer *timer, uint64_t delay_ms,
                    gh_timer_fn *fn)
{
    gh_wheel_add(&loop->wheel, timer, gh_loop_now_ms(loop), delay_ms, fn);
    uint64_t runs_ms = gh_wheel_runs_ms(timer);
    if (runs_ms < loop->timer_due_ms && !uv_is_closing((uv_handle_t *)&loop->timer))
        arm(loop, runs_ms);
}

void gh_timer_stop(struct gh_loop *loop, struct gh_timer *timer)
{
    /* The uv_timer stays armed: one idle wake-up is cheaper than stopping it for each request. */
    gh_wheel_remove(&loop->wheel, timer);
}
