/*
 * Sub-windows, for exact limits too large for a log. A window of W ms is cut into twelve; what was
 * admitted in the current sub-window and in the twelve before it counts, so that the one which has
 * partly left the window counts in full and no window ever admits more than the limit.
 *
 * The current count is exact. A closed sub-window takes a byte: it is kept in units of count / 255,
 * rounded up, which errs on the safe side by at most 1/255 of the limit for each (exact up to 255).
 */
#include "limit/entry.h"

#include <string.h>

#define CELLS GH_LIMIT_SUBWINDOW_COUNT
_Static_assert(CELLS == sizeof(uint64_t) + sizeof(uint32_t), "older_sum reads two words");

/* An entry unpacked and turned on to the present. */
struct window {
    uint64_t number; /* of the current sub-window since the clock's zero */
    uint32_t current;
    uint8_t older[CELLS];
};

static uint8_t units_of(uint32_t count, uint32_t unit)
{
    return (uint8_t)(count / unit + (count % unit != 0));
}

static uint64_t idle_at_ms(const struct gh_limit_entry *entry)
{
    return gh_limit_entry_base_ms(entry) + entry->sub.idle_offset;
}

/* `steps` sub-windows have passed since the entry was written. */
static void turn(struct window *window, uint64_t steps, uint32_t unit)
{
    if (steps == 0)
        return;
    if (steps > CELLS) {
        memset(window->older, 0, CELLS);
    } else {
        memmove(window->older + steps, window->older, CELLS - steps);
        memset(window->older, 0, steps);
        window->older[steps - 1] = units_of(window->current, unit);
    }
    window->current = 0;
}

static struct window unpack(const struct gh_limit_entry *entry, const struct gh_limit_rule *rule,
                            uint64_t now_ms)
{
    struct window window = {.number = now_ms / rule->step};
    if (!entry || entry->form != GH_LIMIT_SUBWINDOWS)
        return window;
    uint64_t idle_now_ms = (window.number + CELLS + 1) * rule->step;
    uint64_t idle_ms = idle_at_ms(entry);
    window.current = entry->sub.current;
    memcpy(window.older, entry->sub.older, CELLS);
    if (idle_now_ms > idle_ms)
        turn(&window, (idle_now_ms - idle_ms) / rule->step, rule->unit);
    return window;
}

/* Four sums of two bytes each, in lanes of 16 bits. */
static uint64_t add_pairs(uint64_t bytes)
{
    const uint64_t even = 0x00ff00ff00ff00ffu;
    return (bytes & even) + (bytes >> 8 & even);
}

/* All cells at once; they add up to less than 2^16 units. */
static uint64_t older_sum(const struct window *window, uint32_t unit)
{
    uint64_t low;
    uint32_t high;
    memcpy(&low, window->older, sizeof(low));
    memcpy(&high, window->older + sizeof(low), sizeof(high));
    uint64_t lanes = add_pairs(low) + add_pairs(high);
    return (lanes * 0x0001000100010001u >> 48) * unit;
}

/* Until `excess` admitted ones have left, oldest sub-window first. */
static uint64_t wait_ms(const struct window *window, const struct gh_limit_question *question,
                        uint64_t excess)
{
    const struct gh_limit_rule *rule = question->rule;
    uint64_t left = 0;
    /* The cell i is the sub-window number - 1 - i, and leaves CELLS + 1 after its start. */
    for (int i = CELLS - 1; i >= 0; i--) {
        left += (uint64_t)window->older[i] * rule->unit;
        if (left >= excess && window->older[i])
            return (window->number - (unsigned)i + CELLS) * rule->step - question->now_ms;
    }
    return (window->number + CELLS + 1) * rule->step - question->now_ms;
}

void gh_limit_sub_judge(const struct gh_limit_entry *entry,
                        const struct gh_limit_question *question,
                        struct gh_limit_decision *out_decision)
{
    const struct gh_limit_rule *rule = question->rule;
    const uint32_t unit = rule->unit;
    struct window window = unpack(entry, rule, question->now_ms);
    uint64_t older = older_sum(&window, unit);
    uint64_t current = (uint64_t)window.current + question->taken;

    out_decision->allowed = older + current < rule->count;
    out_decision->retry_after_ms = 0;
    if (!out_decision->allowed) {
        /* By then the current one is closed, and so rounded up. */
        uint64_t closed = (current + unit - 1) / unit * unit;
        out_decision->retry_after_ms = wait_ms(&window, question, older + closed + 1 - rule->count);
    }
    if (out_decision->allowed && question->charging)
        current++;
    uint64_t used = older + current;
    out_decision->remaining = used < rule->count ? (uint32_t)(rule->count - used) : 0;
    if (!out_decision->allowed)
        out_decision->reset_ms = out_decision->retry_after_ms;
    else
        out_decision->reset_ms = used ? wait_ms(&window, question, 1) : 0;
}

void gh_limit_sub_charge(struct gh_limit_entry *entry, const struct gh_limit_rule *rule,
                         uint64_t now_ms)
{
    struct window window = unpack(entry, rule, now_ms);
    uint64_t idle_ms = (window.number + CELLS + 1) * rule->step;
    entry->form = GH_LIMIT_SUBWINDOWS;
    entry->base = (uint32_t)(now_ms >> GH_LIMIT_BASE_SHIFT) & 0xffffff;
    entry->sub.idle_offset = (uint32_t)(idle_ms - gh_limit_entry_base_ms(entry));
    entry->sub.current = window.current + 1;
    memcpy(entry->sub.older, window.older, CELLS);
    entry->full = older_sum(&window, rule->unit) + entry->sub.current >= rule->count;
}
