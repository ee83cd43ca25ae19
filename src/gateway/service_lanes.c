/* The lanes of the identity service: their life, and what a scrape tells of them. */
#include <inttypes.h>
#include <stdlib.h>

#include "gateway/service.h"

static const struct gh_str LANE_NAMES[GH_SERVICE_LANE_COUNT] = {
    [GH_SERVICE_HASH] = GH_STR_INIT("hash"),
    [GH_SERVICE_AWAY] = GH_STR_INIT("away"),
    [GH_SERVICE_DATA] = GH_STR_INIT("data"),
};

/* One family, a line for each lane. */
static void write_family(FILE *out, const char *name, const char *type, const char *help,
                         const uint64_t values[GH_SERVICE_LANE_COUNT])
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    for (size_t i = 0; i < GH_SERVICE_LANE_COUNT; i++)
        fprintf(out, "%s{lane=\"%.*s\"} %" PRIu64 "\n", name, GH_STR_ARG(LANE_NAMES[i]), values[i]);
}

static void write_wait(FILE *out, const uint64_t wait_us[GH_SERVICE_LANE_COUNT])
{
    static const char NAME[] = "gatehouse_lane_wait_seconds_total";
    fprintf(out, "# HELP %s Time that calls have waited for a thread, in sum.\n", NAME);
    fprintf(out, "# TYPE %s counter\n", NAME);
    for (size_t i = 0; i < GH_SERVICE_LANE_COUNT; i++)
        fprintf(out, "%s{lane=\"%.*s\"} %.6f\n", NAME, GH_STR_ARG(LANE_NAMES[i]),
                (double)wait_us[i] / 1e6);
}

static void write_metrics(void *context, FILE *out)
{
    const struct gh_service *service = context;
    uint64_t waiting[GH_SERVICE_LANE_COUNT] = {0}, running[GH_SERVICE_LANE_COUNT] = {0};
    uint64_t done[GH_SERVICE_LANE_COUNT] = {0}, refused[GH_SERVICE_LANE_COUNT] = {0};
    uint64_t wait_us[GH_SERVICE_LANE_COUNT] = {0};
    for (size_t i = 0; i < GH_SERVICE_LANE_COUNT; i++) {
        if (!service->lanes[i])
            continue;
        struct gh_lane_stats stats = gh_lane_stats(service->lanes[i]);
        waiting[i] = stats.waiting;
        running[i] = stats.running;
        done[i] = stats.done;
        refused[i] = stats.refused;
        wait_us[i] = stats.wait_us;
    }
    write_family(out, "gatehouse_lane_waiting", "gauge", "Calls that wait for a thread.", waiting);
    write_family(out, "gatehouse_lane_running", "gauge", "Calls that threads work on.", running);
    write_family(out, "gatehouse_lane_calls_total", "counter", "Calls that were answered.", done);
    write_family(out, "gatehouse_lane_refused_total", "counter",
                 "Calls refused with 503 because too many waited.", refused);
    write_wait(out, wait_us);
}

enum gh_err gh_service_open(const struct gh_service_options *options, struct gh_metrics *metrics,
                            struct gh_service **out_service)
{
    struct gh_service *service = calloc(1, sizeof(*service));
    if (!service)
        return GH_ERR_MEMORY;
    service->options = *options;
    enum gh_err err =
        gh_metrics_define(metrics, GH_METRIC_HISTOGRAM, "gatehouse_service_duration_seconds",
                          "From the hand-over of a call to the identity service to its answer.",
                          "lane", LANE_NAMES, GH_SERVICE_LANE_COUNT, service->durations);
    if (err != GH_OK) {
        free(service);
        return err;
    }
    gh_metrics_add_source(metrics, write_metrics, service);
    *out_service = service;
    return GH_OK;
}

enum gh_err gh_service_start(struct gh_service *service)
{
    enum gh_err err = GH_OK;
    for (size_t i = 0; err == GH_OK && i < GH_SERVICE_LANE_COUNT; i++)
        err = gh_lane_open(&service->options.lanes[i], &service->lanes[i]);
    return err;
}

void gh_service_close(struct gh_service *service)
{
    if (!service)
        return;
    for (size_t i = 0; i < GH_SERVICE_LANE_COUNT; i++)
        gh_lane_close(service->lanes[i]);
    free(service);
}
