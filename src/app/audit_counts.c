#include "app/audit_counts.h"

#include <inttypes.h>

#include "net/loop.h"

static void write_family(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_one(FILE *out, const char *name, const char *type, const char *help,
                      uint64_t value)
{
    write_family(out, name, type, help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void write_by_label(const struct gh_audit_counts *counts, FILE *out)
{
    write_family(out, "gatehouse_audit_records_total", "counter",
                 "Records of the audit log that this process wrote, by event.");
    for (unsigned event = 0; event < GH_AUDIT_EVENT_COUNT; event++)
        fprintf(out, "gatehouse_audit_records_total{event=\"%.*s\"} %" PRIuFAST64 "\n",
                GH_STR_ARG(gh_audit_event_facts((enum gh_audit_event)event)->name),
                atomic_load(&counts->records[event]));
    write_family(out, "gatehouse_anomalies_total", "counter",
                 "Anomalies found and recorded by this process, by rule.");
    for (unsigned rule = 0; rule < GH_ANOMALY_RULE_COUNT; rule++)
        fprintf(out, "gatehouse_anomalies_total{rule=\"%.*s\"} %" PRIuFAST64 "\n",
                GH_STR_ARG(gh_anomaly_rule_facts((enum gh_anomaly_rule)rule)->name),
                atomic_load(&counts->found[rule]));
}

static void write_muted(const struct gh_audit_counts *counts, FILE *out)
{
    write_one(out, "gatehouse_anomalies_muted_total", "counter",
              "Anomalies found that another process has recorded.",
              atomic_load(&counts->findings_muted));
}

void gh_audit_counts_write(const struct gh_audit_counts *counts, unsigned export_failing, FILE *out)
{
    uint64_t signed_us = atomic_load(&counts->checkpoint_us), now_us = gh_wall_now_us();
    write_by_label(counts, out);
    write_muted(counts, out);
    write_one(out, "gatehouse_audit_coalesced_total", "counter",
              "Refusals that are in the log as part of a count.", atomic_load(&counts->coalesced));
    write_one(out, "gatehouse_audit_overflow_total", "counter",
              "Refusals that are in the log as part of a count without client and route.",
              atomic_load(&counts->overflow));
    write_one(out, "gatehouse_audit_lost_total", "counter",
              "Events that could not be kept until the log could be written.",
              atomic_load(&counts->lost) + atomic_load(&counts->findings_lost));
    write_one(out, "gatehouse_audit_unreadable_total", "counter",
              "Rows of the audit log that can be no records: somebody else wrote them.",
              atomic_load(&counts->unreadable));
    write_one(out, "gatehouse_audit_waiting", "gauge", "Refusals that are not in the log yet.",
              atomic_load(&counts->waiting));
    write_one(out, "gatehouse_audit_failing", "gauge", "1 while the audit log can't be written.",
              atomic_load(&counts->failing));
    write_one(out, "gatehouse_audit_export_failing", "gauge",
              "Second places that do not take the log.", export_failing);
    if (signed_us)
        write_one(out, "gatehouse_audit_checkpoint_age_seconds", "gauge",
                  "Since the newest checkpoint was signed.",
                  now_us > signed_us ? (now_us - signed_us) / 1000000 : 0);
}
