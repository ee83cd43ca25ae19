/* What /metrics says of the audit log. Counted by its thread, read by scrapes on other threads. */
#ifndef GH_APP_AUDIT_COUNTS_H
#define GH_APP_AUDIT_COUNTS_H

#include <stdatomic.h>
#include <stdio.h>

#include "audit/anomaly.h"
#include "audit/event.h"

struct gh_audit_counts {
    atomic_uint_fast64_t records[GH_AUDIT_EVENT_COUNT]; /* of the chain that this process writes */
    atomic_uint_fast64_t found[GH_ANOMALY_RULE_COUNT];
    atomic_uint_fast64_t coalesced, overflow, waiting, lost, findings_lost, findings_muted,
        unreadable;
    atomic_uint_fast64_t checkpoint_us;
    atomic_bool failing;
};

/* In the text format of Prometheus; `export_failing`: second places that do not take the log. */
void gh_audit_counts_write(const struct gh_audit_counts *counts, unsigned export_failing,
                           FILE *out);

#endif
