/* Metrics of what the process has once, beside its workers. */
#ifndef GH_APP_PROCESS_METRICS_H
#define GH_APP_PROCESS_METRICS_H

#include <stdio.h>

#include "limit/limit.h"
#include "obs/log.h"

struct gh_process_tables {
    const struct gh_log *log;
    const struct gh_limit_table *limits;
};

/* For gh_metrics_add_source; `tables` is a struct gh_process_tables. Called at each scrape. */
void gh_process_metrics_write(void *tables, FILE *out);

#endif
