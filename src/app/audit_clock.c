#include "app/audit_clock.h"

static uint64_t distance(int64_t a, int64_t b)
{
    return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

static bool is_ahead(uint64_t wall_us, uint64_t newest_us)
{
    return newest_us && wall_us > newest_us && wall_us - newest_us > GH_AUDIT_CLOCK_GAP_US;
}

void gh_audit_clock_begin(struct gh_audit_clock *clock, uint64_t wall_us, uint64_t running_us,
                          uint64_t newest_us)
{
    *clock = (struct gh_audit_clock){
        .wall_us = wall_us, .running_us = running_us, .ahead = is_ahead(wall_us, newest_us)};
}

/* True: nothing has moved for a day, and the clocks are taken as they are. */
static bool is_believed(struct gh_audit_clock *clock, int64_t drift_us, uint64_t running_us)
{
    bool moved = distance(drift_us, clock->drift_us) > GH_AUDIT_CLOCK_DRIFT_US;
    if (!clock->doubted || moved) {
        clock->doubted = true;
        clock->drift_us = drift_us;
        clock->doubted_us = running_us;
    }
    return running_us - clock->doubted_us >= GH_AUDIT_CLOCK_BELIEVED_US;
}

enum gh_audit_clock_verdict gh_audit_clock_judge(struct gh_audit_clock *clock, uint64_t wall_us,
                                                 uint64_t running_us, uint64_t newest_us)
{
    /* Microseconds of clocks are below 2^63 for 292,000 years; a wall that went back is negative.
     */
    int64_t drift_us =
        (int64_t)(wall_us - clock->wall_us) - (int64_t)(running_us - clock->running_us);
    bool leapt = distance(drift_us, 0) > GH_AUDIT_CLOCK_DRIFT_US;
    if ((leapt || clock->ahead) && is_believed(clock, drift_us, running_us)) {
        gh_audit_clock_begin(clock, wall_us, running_us, 0);
        leapt = false;
    }
    if (leapt)
        return GH_AUDIT_CLOCK_LEAPT;
    if (clock->ahead || is_ahead(wall_us, newest_us))
        return GH_AUDIT_CLOCK_AHEAD;
    clock->doubted = false;
    return GH_AUDIT_CLOCK_PLAUSIBLE;
}

const char *gh_audit_clock_text(enum gh_audit_clock_verdict verdict)
{
    switch (verdict) {
    case GH_AUDIT_CLOCK_LEAPT:
        return "the clock was set by more than an hour";
    case GH_AUDIT_CLOCK_AHEAD:
        return "the clock is, or was at the start, more than a week beyond the newest record";
    case GH_AUDIT_CLOCK_PLAUSIBLE:
        break;
    }
    return "the clock is plausible";
}
