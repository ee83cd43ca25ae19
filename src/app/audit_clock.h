/* Whether the clock on the wall can be believed where records are dropped for their age: one that
   leapt ahead would make all of them old. Time is a parameter. */
#ifndef GH_APP_AUDIT_CLOCK_H
#define GH_APP_AUDIT_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum gh_audit_clock_verdict {
    GH_AUDIT_CLOCK_LEAPT, /* it is not where the time that passed since the start would have it */
    GH_AUDIT_CLOCK_AHEAD, /* it is far beyond the newest record, or was at the start */
    GH_AUDIT_CLOCK_PLAUSIBLE,
};

/* The most by which the clocks may differ since the start, and the wall be beyond a record. */
#define GH_AUDIT_CLOCK_DRIFT_US (3600 * UINT64_C(1000000))
#define GH_AUDIT_CLOCK_GAP_US   (7 * 24 * GH_AUDIT_CLOCK_DRIFT_US)
/* What stays as it is for so long is believed: a host that slept, a service that was off. */
#define GH_AUDIT_CLOCK_BELIEVED_US (24 * GH_AUDIT_CLOCK_DRIFT_US)

struct gh_audit_clock {
    uint64_t wall_us, running_us; /* of the same moment, at the start */
    bool ahead;                   /* it was at the start */
    bool doubted;
    int64_t drift_us; /* when the doubt began */
    uint64_t doubted_us;
};

/* At a start. `running_us`: of a clock that nobody sets; `newest_us`: of the newest record that an
   earlier life has left, 0: there is none. */
void gh_audit_clock_begin(struct gh_audit_clock *clock, uint64_t wall_us, uint64_t running_us,
                          uint64_t newest_us);
enum gh_audit_clock_verdict gh_audit_clock_judge(struct gh_audit_clock *clock, uint64_t wall_us,
                                                 uint64_t running_us, uint64_t newest_us);
/* A sentence for the log. */
const char *gh_audit_clock_text(enum gh_audit_clock_verdict verdict);

#endif
