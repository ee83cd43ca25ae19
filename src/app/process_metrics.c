#include "app/process_metrics.h"

#include <inttypes.h>

static void write_sample(FILE *out, const char *name, const char *type, const char *help,
                         uint64_t value)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, type, name,
            value);
}

void gh_process_metrics_write(void *context, FILE *out)
{
    const struct gh_process_tables *tables = context;
    struct gh_limit_stats limits = gh_limit_table_stats(tables->limits);
    write_sample(out, "gatehouse_log_dropped_total", "counter",
                 "Log lines dropped because the reader was too slow.", gh_log_dropped(tables->log));
    write_sample(out, "gatehouse_rate_limit_entries", "gauge",
                 "Entries of the rate limit table in use.", limits.entries);
    write_sample(out, "gatehouse_rate_limit_evictions_total", "counter",
                 "Entries given up while they still counted: the table is too small.",
                 limits.evictions);
    write_sample(out, "gatehouse_rate_limit_unrecorded_total", "counter",
                 "Newcomers let through uncounted because only offenders held their place.",
                 limits.unrecorded);
}
