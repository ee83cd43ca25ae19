/*
 * What the anomaly rules count with: sums over a window that slides in twelve steps, the last 32
 * instants, the most of each of the last 35 days. Fixed sizes; times are UTC seconds.
 */
#ifndef GH_AUDIT_ANOMALY_COUNTS_H
#define GH_AUDIT_ANOMALY_COUNTS_H

#include <stddef.h>
#include <stdint.h>

/* True sums are of eleven to twelve twelfths of the window. */
#define GH_ANOMALY_STEPS 12
enum gh_anomaly_counted {
    GH_ANOMALY_REQUESTS,
    GH_ANOMALY_MISSING,
    GH_ANOMALY_REFUSED,
    GH_ANOMALY_COUNTED_COUNT
};
struct gh_anomaly_sums {
    uint32_t step; /* the newest one that something was counted in */
    uint32_t counts[GH_ANOMALY_STEPS][GH_ANOMALY_COUNTED_COUNT];
};
void gh_anomaly_sums_add(struct gh_anomaly_sums *sums, uint32_t now_s, uint32_t window_s,
                         enum gh_anomaly_counted what, uint64_t amount);
uint64_t gh_anomaly_sums_of(struct gh_anomaly_sums *sums, uint32_t now_s, uint32_t window_s,
                            enum gh_anomaly_counted what);

#define GH_ANOMALY_DAYS 35
struct gh_anomaly_history {
    uint32_t day;                   /* the newest */
    uint32_t most[GH_ANOMALY_DAYS]; /* at day modulo 35 */
};
void gh_anomaly_history_note(struct gh_anomaly_history *history, uint32_t now_s, uint64_t value);
/* The most of the days before today; *out_days (NULL: not wanted) of how many there is one. */
uint64_t gh_anomaly_history_usual(struct gh_anomaly_history *history, uint32_t now_s,
                                  uint32_t *out_days);

/* The last ones; a 33rd takes the place of the oldest. */
#define GH_ANOMALY_INSTANTS 32
struct gh_anomaly_instants {
    uint32_t at_s[GH_ANOMALY_INSTANTS]; /* 0: none */
    uint32_t from[GH_ANOMALY_INSTANTS]; /* a hash of the network */
};
void gh_anomaly_instants_add(struct gh_anomaly_instants *instants, uint32_t now_s, uint32_t from);
void gh_anomaly_instants_forgive(struct gh_anomaly_instants *instants, uint32_t from);
/* *out_networks (NULL: not wanted): from how many. */
uint32_t gh_anomaly_instants_within(const struct gh_anomaly_instants *instants, uint32_t now_s,
                                    uint32_t window_s, uint32_t *out_networks);

/* True: `at_s` is no longer ago than the window. */
static inline int gh_anomaly_is_within(uint32_t at_s, uint32_t now_s, uint32_t window_s)
{
    return at_s && (at_s >= now_s || now_s - at_s < window_s);
}

#endif
