/*
 * The generic cell rate algorithm in its "virtual scheduling" form (ITU-T I.371, annex A): an
 * arrival conforms when it is not earlier than the theoretical arrival time less a tolerance.
 *
 * In nanoseconds, since a rate of thousands a second has intervals of parts of a millisecond; the
 * interval is rounded up, so that the rate is never exceeded.
 */
#include "limit/entry.h"

#include <string.h>

#define NS_PER_MS 1000000u

struct gcra {
    uint64_t tat_ns, tolerance_ns;
};

static struct gcra load(const struct gh_limit_entry *entry)
{
    struct gcra gcra;
    memcpy(&gcra.tat_ns, entry->gcra.tat, sizeof(gcra.tat_ns));
    memcpy(&gcra.tolerance_ns, entry->gcra.tolerance, sizeof(gcra.tolerance_ns));
    return gcra;
}

static uint64_t ms_rounded_up(uint64_t ns)
{
    return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

void gh_limit_gcra_judge(const struct gh_limit_entry *entry,
                         const struct gh_limit_question *question,
                         struct gh_limit_decision *out_decision)
{
    const uint64_t interval_ns = question->rule->step;
    const uint64_t capacity_ns = question->rule->burst * interval_ns;
    const uint64_t tolerance_ns = capacity_ns - interval_ns;
    const uint64_t now_ns = question->now_ms * NS_PER_MS;
    uint64_t tat_ns = entry ? load(entry).tat_ns : 0;
    /* How far the schedule is ahead of the clock. */
    uint64_t ahead_ns = tat_ns > now_ns ? tat_ns - now_ns : 0;
    ahead_ns += question->taken * interval_ns;

    out_decision->allowed = ahead_ns <= tolerance_ns;
    out_decision->retry_after_ms =
        out_decision->allowed ? 0 : ms_rounded_up(ahead_ns - tolerance_ns);
    if (out_decision->allowed && question->charging)
        ahead_ns += interval_ns;
    uint64_t remaining = ahead_ns >= capacity_ns ? 0 : (capacity_ns - ahead_ns) / interval_ns;
    out_decision->remaining = (uint32_t)remaining;
    /* One more is there when the schedule is ahead by `remaining + 1` intervals less than all. */
    out_decision->reset_ms =
        ahead_ns == 0 ? 0 : ms_rounded_up(ahead_ns + (remaining + 1) * interval_ns - capacity_ns);
}

void gh_limit_gcra_charge(struct gh_limit_entry *entry, const struct gh_limit_rule *rule,
                          uint64_t now_ms)
{
    const uint64_t interval_ns = rule->step;
    struct gcra gcra = {now_ms * NS_PER_MS, (rule->burst - 1) * interval_ns};
    if (entry->form == GH_LIMIT_TAT) {
        uint64_t tat_ns = load(entry).tat_ns;
        gcra.tat_ns = tat_ns > gcra.tat_ns ? tat_ns : gcra.tat_ns;
    }
    gcra.tat_ns += interval_ns;
    entry->form = GH_LIMIT_TAT;
    memcpy(entry->gcra.tat, &gcra.tat_ns, sizeof(gcra.tat_ns));
    memcpy(entry->gcra.tolerance, &gcra.tolerance_ns, sizeof(gcra.tolerance_ns));
}

bool gh_limit_gcra_refuses(const struct gh_limit_entry *entry, uint64_t now_ms)
{
    struct gcra gcra = load(entry);
    return gcra.tat_ns > now_ms * NS_PER_MS + gcra.tolerance_ns;
}

uint64_t gh_limit_gcra_idle_at_ms(const struct gh_limit_entry *entry)
{
    return ms_rounded_up(load(entry).tat_ns);
}
