/* The timer wheel; see wheel.h for its shape. */
#include "net/wheel.h"

#include "base/assert.h"

#define NEAR_BITS    8
#define FAR_BITS     6
#define SPAN_TICKS   (UINT64_C(1) << (NEAR_BITS + GH_WHEEL_FAR_LEVELS * FAR_BITS))
#define DELAY_MS_MAX (UINT64_C(10) * 365 * 24 * 3600 * 1000)

static unsigned far_shift(unsigned level)
{
    return NEAR_BITS + level * FAR_BITS;
}

static void list_init(struct gh_timer *head)
{
    head->next = head->prev = head;
}

static bool list_is_empty(const struct gh_timer *head)
{
    return head->next == head;
}

static void list_append(struct gh_timer *head, struct gh_timer *timer)
{
    timer->next = head;
    timer->prev = head->prev;
    head->prev->next = timer;
    head->prev = timer;
}

/* Moves all of `from` into the empty list `to`. */
static void list_take(struct gh_timer *to, struct gh_timer *from)
{
    GH_ASSERT(list_is_empty(to));
    if (list_is_empty(from))
        return;
    *to = (struct gh_timer){.next = from->next, .prev = from->prev};
    to->next->prev = to;
    to->prev->next = to;
    list_init(from);
}

void gh_wheel_init(struct gh_wheel *wheel, uint64_t now_ms)
{
    *wheel = (struct gh_wheel){.tick = now_ms / GH_WHEEL_TICK_MS};
    for (size_t i = 0; i < GH_WHEEL_NEAR_SLOTS; i++)
        list_init(&wheel->near_slots[i]);
    for (size_t level = 0; level < GH_WHEEL_FAR_LEVELS; level++)
        for (size_t i = 0; i < GH_WHEEL_FAR_SLOTS; i++)
            list_init(&wheel->far_slots[level][i]);
    list_init(&wheel->expiring);
}

static void place_far(struct gh_wheel *wheel, struct gh_timer *timer, uint64_t due, uint64_t delta)
{
    unsigned level = 0;
    while (delta >> far_shift(level + 1))
        level++;
    GH_ASSERT(level < GH_WHEEL_FAR_LEVELS);
    size_t slot = (size_t)(due >> far_shift(level)) % GH_WHEEL_FAR_SLOTS;
    list_append(&wheel->far_slots[level][slot], timer);
    wheel->far_map[level] |= UINT64_C(1) << slot;
}

/* Puts `timer` into the slot of its due tick, but of none before `earliest`. */
static void place(struct gh_wheel *wheel, struct gh_timer *timer, uint64_t earliest)
{
    uint64_t due = gh_wheel_runs_ms(timer) / GH_WHEEL_TICK_MS;
    if (due < earliest)
        due = earliest;
    /* Beyond the wheel's span a timer waits in the last slot and is dealt out again from there. */
    if (due - wheel->tick >= SPAN_TICKS)
        due = wheel->tick + SPAN_TICKS - 1;
    uint64_t delta = due - wheel->tick;
    if (delta >= GH_WHEEL_NEAR_SLOTS) {
        place_far(wheel, timer, due, delta);
        return;
    }
    size_t slot = (size_t)due % GH_WHEEL_NEAR_SLOTS;
    list_append(&wheel->near_slots[slot], timer);
    wheel->near_map[slot / 64] |= UINT64_C(1) << slot % 64;
}

/* Clears the bit of the slot whose list head has just become empty. */
static void clear_bit(struct gh_wheel *wheel, const struct gh_timer *head)
{
    if (head == &wheel->expiring)
        return;
    if (head >= wheel->near_slots && head < wheel->near_slots + GH_WHEEL_NEAR_SLOTS) {
        size_t slot = (size_t)(head - wheel->near_slots);
        wheel->near_map[slot / 64] &= ~(UINT64_C(1) << slot % 64);
        return;
    }
    size_t index = (size_t)(head - &wheel->far_slots[0][0]);
    GH_ASSERT(index < GH_WHEEL_FAR_LEVELS * GH_WHEEL_FAR_SLOTS);
    wheel->far_map[index / GH_WHEEL_FAR_SLOTS] &= ~(UINT64_C(1) << index % GH_WHEEL_FAR_SLOTS);
}

void gh_wheel_remove(struct gh_wheel *wheel, struct gh_timer *timer)
{
    if (!timer->next)
        return;
    struct gh_timer *next = timer->next, *prev = timer->prev;
    next->prev = prev;
    prev->next = next;
    timer->next = timer->prev = NULL;
    /* Neighbours that are one and the same can only be the list's head. */
    if (next == prev)
        clear_bit(wheel, next);
}

static bool wheel_is_empty(const struct gh_wheel *wheel)
{
    uint64_t any = 0;
    for (size_t i = 0; i < GH_WHEEL_NEAR_SLOTS / 64; i++)
        any |= wheel->near_map[i];
    for (size_t i = 0; i < GH_WHEEL_FAR_LEVELS; i++)
        any |= wheel->far_map[i];
    return any == 0;
}

void gh_wheel_add(struct gh_wheel *wheel, struct gh_timer *timer, uint64_t now_ms,
                  uint64_t delay_ms, gh_timer_fn *fn)
{
    gh_wheel_remove(wheel, timer);
    uint64_t now_tick = now_ms / GH_WHEEL_TICK_MS;
    if (wheel->tick < now_tick && list_is_empty(&wheel->expiring) && wheel_is_empty(wheel))
        wheel->tick = now_tick;
    timer->due_ms = now_ms + (delay_ms < DELAY_MS_MAX ? delay_ms : DELAY_MS_MAX);
    timer->fn = fn;
    place(wheel, timer, wheel->tick + 1);
}

/* Ticks from the wheel's tick to the next near slot in use, 0 when there is none. */
static uint64_t near_distance(const struct gh_wheel *wheel)
{
    size_t start = (size_t)(wheel->tick + 1) % GH_WHEEL_NEAR_SLOTS;
    uint64_t mask = ~UINT64_C(0) << start % 64;
    for (size_t i = 0; i <= GH_WHEEL_NEAR_SLOTS / 64; i++) {
        size_t word = (start / 64 + i) % (GH_WHEEL_NEAR_SLOTS / 64);
        uint64_t bits = wheel->near_map[word] & mask;
        mask = ~UINT64_C(0);
        if (!bits)
            continue;
        size_t slot = word * 64 + (size_t)__builtin_ctzll(bits);
        return (slot - start) % GH_WHEEL_NEAR_SLOTS + 1;
    }
    return 0;
}

/* The tick at which the next slot in use of a far level is dealt out. */
static uint64_t far_next(const struct gh_wheel *wheel, unsigned level)
{
    uint64_t map = wheel->far_map[level];
    if (!map)
        return GH_WHEEL_NEVER;
    uint64_t base = (wheel->tick >> far_shift(level)) + 1;
    unsigned turn = (unsigned)(base % GH_WHEEL_FAR_SLOTS);
    uint64_t turned = turn ? map >> turn | map << (64 - turn) : map;
    return (base + (uint64_t)__builtin_ctzll(turned)) << far_shift(level);
}

static uint64_t next_tick(const struct gh_wheel *wheel)
{
    uint64_t distance = near_distance(wheel);
    uint64_t next = distance ? wheel->tick + distance : GH_WHEEL_NEVER;
    for (unsigned level = 0; level < GH_WHEEL_FAR_LEVELS; level++) {
        uint64_t far = far_next(wheel, level);
        if (far < next)
            next = far;
    }
    return next;
}

uint64_t gh_wheel_next_ms(const struct gh_wheel *wheel)
{
    uint64_t next = next_tick(wheel);
    return next == GH_WHEEL_NEVER ? GH_WHEEL_NEVER : next * GH_WHEEL_TICK_MS;
}

/* Deals the slot of `level` that begins at the present tick out to finer slots. */
static void deal_out(struct gh_wheel *wheel, unsigned level)
{
    size_t slot = (size_t)(wheel->tick >> far_shift(level)) % GH_WHEEL_FAR_SLOTS;
    struct gh_timer dealt;
    list_init(&dealt);
    list_take(&dealt, &wheel->far_slots[level][slot]);
    wheel->far_map[level] &= ~(UINT64_C(1) << slot);
    for (struct gh_timer *timer = dealt.next, *next; timer != &dealt; timer = next) {
        next = timer->next;
        place(wheel, timer, wheel->tick);
    }
}

static void run_tick(struct gh_wheel *wheel)
{
    for (unsigned level = GH_WHEEL_FAR_LEVELS; level-- > 0;)
        if (wheel->tick % (UINT64_C(1) << far_shift(level)) == 0)
            deal_out(wheel, level);
    size_t slot = (size_t)wheel->tick % GH_WHEEL_NEAR_SLOTS;
    list_take(&wheel->expiring, &wheel->near_slots[slot]);
    wheel->near_map[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    while (!list_is_empty(&wheel->expiring)) {
        struct gh_timer *timer = wheel->expiring.next;
        gh_wheel_remove(wheel, timer);
        timer->fn(timer);
    }
}

void gh_wheel_advance(struct gh_wheel *wheel, uint64_t now_ms)
{
    uint64_t now_tick = now_ms / GH_WHEEL_TICK_MS;
    for (uint64_t next; (next = next_tick(wheel)) <= now_tick;) {
        wheel->tick = next;
        run_tick(wheel);
    }
    if (wheel->tick < now_tick)
        wheel->tick = now_tick;
}
