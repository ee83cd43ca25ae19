#include "audit/anomaly_counts.h"

#include <stdbool.h>
#include <string.h>

#define DAY_S 86400u

static uint32_t saturating_add(uint32_t a, uint64_t b)
{
    return b > UINT32_MAX - a ? UINT32_MAX : a + (uint32_t)b;
}

/* ---- Sums ---- */

static void sums_roll(struct gh_anomaly_sums *sums, uint32_t now_s, uint32_t window_s)
{
    uint32_t step = now_s / (window_s / GH_ANOMALY_STEPS);
    if (step <= sums->step)
        return;
    if (step - sums->step >= GH_ANOMALY_STEPS)
        memset(sums->counts, 0, sizeof(sums->counts));
    else
        for (uint32_t at = sums->step + 1; at <= step; at++)
            memset(sums->counts[at % GH_ANOMALY_STEPS], 0, sizeof(sums->counts[0]));
    sums->step = step;
}

void gh_anomaly_sums_add(struct gh_anomaly_sums *sums, uint32_t now_s, uint32_t window_s,
                         enum gh_anomaly_counted what, uint64_t amount)
{
    sums_roll(sums, now_s, window_s);
    uint32_t *count = &sums->counts[sums->step % GH_ANOMALY_STEPS][what];
    *count = saturating_add(*count, amount);
}

uint64_t gh_anomaly_sums_of(struct gh_anomaly_sums *sums, uint32_t now_s, uint32_t window_s,
                            enum gh_anomaly_counted what)
{
    uint64_t sum = 0;
    sums_roll(sums, now_s, window_s);
    for (unsigned i = 0; i < GH_ANOMALY_STEPS; i++)
        sum += sums->counts[i][what];
    return sum;
}

/* ---- Days ---- */

static void history_roll(struct gh_anomaly_history *history, uint32_t day)
{
    if (day <= history->day)
        return;
    if (day - history->day >= GH_ANOMALY_DAYS)
        memset(history->most, 0, sizeof(history->most));
    else
        for (uint32_t at = history->day + 1; at <= day; at++)
            history->most[at % GH_ANOMALY_DAYS] = 0;
    history->day = day;
}

void gh_anomaly_history_note(struct gh_anomaly_history *history, uint32_t now_s, uint64_t value)
{
    history_roll(history, now_s / DAY_S);
    uint32_t *most = &history->most[history->day % GH_ANOMALY_DAYS];
    if (value > *most)
        *most = saturating_add(0, value);
}

uint64_t gh_anomaly_history_usual(struct gh_anomaly_history *history, uint32_t now_s,
                                  uint32_t *out_days)
{
    uint32_t usual = 0, days = 0;
    history_roll(history, now_s / DAY_S);
    for (unsigned i = 0; i < GH_ANOMALY_DAYS; i++) {
        if (i == history->day % GH_ANOMALY_DAYS)
            continue;
        days += history->most[i] != 0;
        if (history->most[i] > usual)
            usual = history->most[i];
    }
    if (out_days)
        *out_days = days;
    return usual;
}

/* ---- Instants ---- */

void gh_anomaly_instants_add(struct gh_anomaly_instants *instants, uint32_t now_s, uint32_t from)
{
    unsigned oldest = 0;
    for (unsigned i = 1; i < GH_ANOMALY_INSTANTS; i++)
        if (instants->at_s[i] < instants->at_s[oldest])
            oldest = i;
    instants->at_s[oldest] = now_s;
    instants->from[oldest] = from;
}

void gh_anomaly_instants_forgive(struct gh_anomaly_instants *instants, uint32_t from)
{
    for (unsigned i = 0; i < GH_ANOMALY_INSTANTS; i++)
        if (instants->from[i] == from)
            instants->at_s[i] = 0;
}

uint32_t gh_anomaly_instants_within(const struct gh_anomaly_instants *instants, uint32_t now_s,
                                    uint32_t window_s, uint32_t *out_networks)
{
    uint32_t count = 0, networks = 0;
    for (unsigned i = 0; i < GH_ANOMALY_INSTANTS; i++) {
        if (!gh_anomaly_is_within(instants->at_s[i], now_s, window_s))
            continue;
        bool seen = false;
        for (unsigned j = 0; j < i; j++)
            seen |= instants->from[j] == instants->from[i] &&
                    gh_anomaly_is_within(instants->at_s[j], now_s, window_s);
        count++;
        networks += !seen;
    }
    if (out_networks)
        *out_networks = networks;
    return count;
}
