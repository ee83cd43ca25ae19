/*
 * Round trips to a server that is well: log-normal about a median, and now and then a pause (a
 * fork, a slow command, a switch of machines).
 */
#ifndef GH_SCALE_LATENCY_H
#define GH_SCALE_LATENCY_H

#include "random.h"

#define SCALE_LATENCY_QUANTILES 8192
#define SCALE_LATENCY_SIGMA     0.5
#define SCALE_PAUSE_ONE_IN      100000
#define SCALE_PAUSE_US_MAX      100000

struct scale_latency {
    uint32_t quantiles_us[SCALE_LATENCY_QUANTILES];
};

void scale_latency_init(struct scale_latency *latency, uint32_t median_us);

static inline uint32_t scale_latency_draw(const struct scale_latency *latency,
                                          struct scale_random *random)
{
    uint64_t drawn = scale_random_next(random);
    uint32_t us = latency->quantiles_us[drawn % SCALE_LATENCY_QUANTILES];
    if ((drawn >> 32) % SCALE_PAUSE_ONE_IN == 0)
        us += scale_random_below(random, SCALE_PAUSE_US_MAX);
    return us;
}

#endif
