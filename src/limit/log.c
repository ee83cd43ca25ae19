/*
 * A log of instants, for small exact limits: what is kept is when each admitted one leaves the
 * window, so that the oldest to leave is the next to be admitted. An entry has five cells; larger
 * counts use further entries with the same tag, whose union is the log. The order does not matter.
 */
#include "limit/entry.h"

#include <string.h>

#define CELLS_MAX (GH_LIMIT_CHUNKS_MAX * GH_LIMIT_LOG_CELLS)

/* What is still in the window. */
struct live {
    uint32_t count;
    uint64_t first_wait_ms; /* until the first of them leaves */
};

static struct live count_live(const struct gh_limit_view *view, uint64_t now_ms)
{
    struct live live = {0, UINT64_MAX};
    for (size_t i = 0; i < view->count; i++) {
        uint64_t now = gh_limit_entry_offset(view->entries[i], now_ms);
        for (int cell = 0; cell < GH_LIMIT_LOG_CELLS; cell++) {
            uint64_t expiry = view->entries[i]->expiry[cell];
            uint64_t wait_ms = expiry > now ? expiry - now : UINT64_MAX;
            live.count += expiry > now;
            live.first_wait_ms = wait_ms < live.first_wait_ms ? wait_ms : live.first_wait_ms;
        }
    }
    return live;
}

/* Until `leaving` have left; more than there are: a whole window. */
static uint64_t wait_for(const struct gh_limit_view *view, uint64_t now_ms, uint64_t leaving,
                         uint64_t window_ms)
{
    uint64_t waits_ms[CELLS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++) {
        uint64_t now = gh_limit_entry_offset(view->entries[i], now_ms);
        for (int cell = 0; cell < GH_LIMIT_LOG_CELLS; cell++) {
            uint64_t expiry = view->entries[i]->expiry[cell];
            size_t at = count;
            if (expiry <= now)
                continue;
            for (; at > 0 && waits_ms[at - 1] > expiry - now; at--)
                waits_ms[at] = waits_ms[at - 1];
            waits_ms[at] = expiry - now;
            count++;
        }
    }
    return leaving <= count ? waits_ms[leaving - 1] : window_ms;
}

void gh_limit_log_judge(const struct gh_limit_view *view, const struct gh_limit_question *question,
                        struct gh_limit_decision *out_decision)
{
    const uint32_t count_max = question->rule->count;
    const uint64_t window_ms = question->rule->window_ms;
    struct live live = count_live(view, question->now_ms);
    uint64_t used = live.count + question->taken;

    out_decision->allowed = used < count_max;
    if (!out_decision->allowed) {
        uint64_t leaving = used + 1 - count_max;
        uint64_t wait_ms = leaving == 1 && live.count
                               ? live.first_wait_ms
                               : wait_for(view, question->now_ms, leaving, window_ms);
        out_decision->remaining = 0;
        out_decision->retry_after_ms = out_decision->reset_ms = wait_ms;
        return;
    }
    if (question->charging)
        used++;
    out_decision->remaining = (uint32_t)(count_max - used);
    out_decision->retry_after_ms = 0;
    out_decision->reset_ms = live.count ? live.first_wait_ms : used ? window_ms : 0;
}

struct gh_limit_entry *gh_limit_log_room(const struct gh_limit_view *view, uint64_t now_ms)
{
    for (size_t i = 0; i < view->count; i++) {
        if (gh_limit_log_live(view->entries[i], now_ms) < GH_LIMIT_LOG_CELLS)
            return view->entries[i];
    }
    return NULL;
}

unsigned gh_limit_log_live(const struct gh_limit_entry *entry, uint64_t now_ms)
{
    uint64_t now = gh_limit_entry_offset(entry, now_ms);
    unsigned live = 0;
    for (int cell = 0; cell < GH_LIMIT_LOG_CELLS; cell++)
        live += entry->expiry[cell] > now;
    return live;
}

/* Moves the base up to the clock; what has left the window becomes 0. */
static void rebase(struct gh_limit_entry *entry, uint64_t now_ms)
{
    uint64_t now = gh_limit_entry_offset(entry, now_ms);
    uint64_t shift = now >> GH_LIMIT_BASE_SHIFT << GH_LIMIT_BASE_SHIFT;
    for (int cell = 0; cell < GH_LIMIT_LOG_CELLS; cell++) {
        uint64_t expiry = entry->expiry[cell];
        entry->expiry[cell] = expiry > now ? (uint32_t)(expiry - shift) : 0;
    }
    entry->base = (uint32_t)(now_ms >> GH_LIMIT_BASE_SHIFT) & 0xffffff;
}

void gh_limit_log_charge(struct gh_limit_entry *entry, const struct gh_limit_rule *rule,
                         uint64_t now_ms)
{
    if (entry->form != GH_LIMIT_LOG) {
        memset(entry, 0, sizeof(*entry));
        entry->form = GH_LIMIT_LOG;
        entry->base = (uint32_t)(now_ms >> GH_LIMIT_BASE_SHIFT) & 0xffffff;
    }
    entry->count_max = rule->count & 31;
    if (gh_limit_entry_offset(entry, now_ms) + rule->window_ms > UINT32_MAX)
        rebase(entry, now_ms);
    /* The one that left first, or never was; chosen without a branch, which would be guessed wrong
       and keep the processor from fetching the next key's line. */
    int free_cell = 0;
    for (int cell = 1; cell < GH_LIMIT_LOG_CELLS; cell++)
        free_cell = entry->expiry[cell] < entry->expiry[free_cell] ? cell : free_cell;
    uint64_t now = gh_limit_entry_offset(entry, now_ms);
    entry->expiry[free_cell] = (uint32_t)(now + rule->window_ms);
}

void gh_limit_log_mark(const struct gh_limit_view *view, uint64_t now_ms)
{
    uint32_t live = count_live(view, now_ms).count;
    for (size_t i = 0; i < view->count; i++)
        view->entries[i]->full = live >= view->entries[i]->count_max;
}
