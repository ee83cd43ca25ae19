#include "latency.h"

#include <stddef.h>

/* Of the standard normal distribution, by halving: it is asked 8,192 times. */
static double normal_quantile(double p)
{
    double low = -9, high = 9;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (0.5 * erfc(-middle / sqrt(2.0)) < p)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void scale_latency_init(struct scale_latency *latency, uint32_t median_us)
{
    for (size_t i = 0; i < SCALE_LATENCY_QUANTILES; i++) {
        double p = ((double)i + 0.5) / SCALE_LATENCY_QUANTILES;
        double us = median_us * exp(SCALE_LATENCY_SIGMA * normal_quantile(p));
        latency->quantiles_us[i] = (uint32_t)us;
    }
}
