/* Rules about what callers do: asking for ids that are not theirs, far more requests than usual,
   many exports. */
#include "audit/anomaly_state.h"

#include "json/writer.h"

static void put(struct gh_buf *evidence, const char *name, uint64_t value)
{
    gh_json_put_member_u64(evidence, gh_str_from_c(name), value);
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- Id scanning ---- */

/* Whose counts: an account's, or of a network where nobody is signed in. */
struct caller {
    struct gh_anomaly_sums *sums;
    struct gh_anomaly_history *missing, *refused;
    uint32_t *quiet_at_s;
    uint64_t missing_min;
};

static bool find_caller(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event,
                        struct caller *out)
{
    if (event->account.len) {
        struct gh_anomaly_account *account = gh_anomaly_account_of(anomaly, event);
        *out = (struct caller){&account->sums, &account->missing, &account->refused,
                               &account->quiet_at_s[GH_ANOMALY_ID_SCANNING],
                               gh_anomaly_value(anomaly, GH_ANOMALY_SCANNING_MISSING)};
        return true;
    }
    struct gh_anomaly_network *network = gh_anomaly_network_of(anomaly, event);
    if (!network)
        return false;
    *out = (struct caller){&network->sums, &network->missing, &network->refused,
                           &network->quiet_at_s[GH_ANOMALY_ID_SCANNING],
                           gh_anomaly_value(anomaly, GH_ANOMALY_SCANNING_NOBODYS)};
    return true;
}

struct scan {
    uint64_t requests, missing, refused, share;
    uint64_t usual_refused, usual_missing;
    uint64_t refused_limit, missing_limit;
};

static void sum_up(struct gh_anomaly *anomaly, const struct caller *caller, struct scan *out)
{
    uint32_t now_s = anomaly->now_s;
    uint32_t window_s = gh_anomaly_value(anomaly, GH_ANOMALY_SCANNING_WINDOW);
    uint32_t factor = gh_anomaly_value(anomaly, GH_ANOMALY_SCANNING_FACTOR);
    out->requests = gh_anomaly_sums_of(caller->sums, now_s, window_s, GH_ANOMALY_REQUESTS);
    out->missing = gh_anomaly_sums_of(caller->sums, now_s, window_s, GH_ANOMALY_MISSING);
    out->refused = gh_anomaly_sums_of(caller->sums, now_s, window_s, GH_ANOMALY_REFUSED);
    out->usual_missing = gh_anomaly_history_usual(caller->missing, now_s, NULL);
    out->usual_refused = gh_anomaly_history_usual(caller->refused, now_s, NULL);
    out->share = out->requests ? out->missing * 100 / out->requests : 0;
    out->refused_limit = greater(gh_anomaly_value(anomaly, GH_ANOMALY_SCANNING_REFUSED),
                                 factor * out->usual_refused);
    out->missing_limit = greater(caller->missing_min, factor * out->usual_missing);
}

static void put_scan(struct gh_buf *evidence, const struct gh_anomaly *anomaly,
                     const struct scan *scan)
{
    put(evidence, "requests", scan->requests);
    put(evidence, "missing", scan->missing);
    put(evidence, "missing_percent", scan->share);
    put(evidence, "refused", scan->refused);
    put(evidence, "usual_missing", scan->usual_missing);
    put(evidence, "usual_refused", scan->usual_refused);
    put(evidence, "threshold_refused", scan->refused_limit);
    put(evidence, "threshold_missing", scan->missing_limit);
    put(evidence, "threshold_missing_percent",
        gh_anomaly_value(anomaly, GH_ANOMALY_SCANNING_SHARE));
}

void gh_anomaly_scanned(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event,
                        const struct gh_anomaly_amounts *amounts)
{
    struct caller caller;
    struct scan scan;
    uint32_t window_s = gh_anomaly_value(anomaly, GH_ANOMALY_SCANNING_WINDOW);
    if (!find_caller(anomaly, event, &caller))
        return;
    for (unsigned i = 0; i < GH_ANOMALY_COUNTED_COUNT; i++)
        gh_anomaly_sums_add(caller.sums, anomaly->now_s, window_s, (enum gh_anomaly_counted)i,
                            amounts->of[i]);
    sum_up(anomaly, &caller, &scan);
    bool missing_many = scan.missing >= scan.missing_limit &&
                        scan.share >= gh_anomaly_value(anomaly, GH_ANOMALY_SCANNING_SHARE);
    if (scan.refused < scan.refused_limit && !missing_many) {
        gh_anomaly_history_note(caller.missing, anomaly->now_s, scan.missing);
        gh_anomaly_history_note(caller.refused, anomaly->now_s, scan.refused);
        return;
    }
    if (!amounts->of[GH_ANOMALY_MISSING] && !amounts->of[GH_ANOMALY_REFUSED])
        return; /* what comes now is none of it */
    struct gh_buf evidence = gh_anomaly_evidence(anomaly);
    put_scan(&evidence, anomaly, &scan);
    gh_anomaly_found(anomaly,
                     &(struct gh_anomaly_found){.rule = GH_ANOMALY_ID_SCANNING,
                                                .quiet_at_s = caller.quiet_at_s,
                                                .window_s = window_s,
                                                .account = event->account,
                                                .base = &event->base},
                     &evidence);
}

/* ---- Unusual volume ---- */

void gh_anomaly_requested(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event,
                          uint64_t requests)
{
    uint32_t days, window_s = gh_anomaly_value(anomaly, GH_ANOMALY_VOLUME_WINDOW);
    struct gh_anomaly_account *account = gh_anomaly_account_of(anomaly, event);
    gh_anomaly_sums_add(&account->volume, anomaly->now_s, window_s, GH_ANOMALY_REQUESTS, requests);
    uint64_t sum =
        gh_anomaly_sums_of(&account->volume, anomaly->now_s, window_s, GH_ANOMALY_REQUESTS);
    uint64_t usual = gh_anomaly_history_usual(&account->requested, anomaly->now_s, &days);
    uint64_t limit = greater(gh_anomaly_value(anomaly, GH_ANOMALY_VOLUME_REQUESTS),
                             gh_anomaly_value(anomaly, GH_ANOMALY_VOLUME_FACTOR) * usual);
    if (sum < limit || days < gh_anomaly_value(anomaly, GH_ANOMALY_VOLUME_DAYS)) {
        gh_anomaly_history_note(&account->requested, anomaly->now_s, sum);
        return;
    }
    struct gh_buf evidence = gh_anomaly_evidence(anomaly);
    put(&evidence, "requests", sum);
    put(&evidence, "usual_requests", usual);
    put(&evidence, "days_known", days);
    put(&evidence, "threshold_requests", limit);
    gh_anomaly_found(
        anomaly,
        &(struct gh_anomaly_found){.rule = GH_ANOMALY_UNUSUAL_VOLUME,
                                   .quiet_at_s = &account->quiet_at_s[GH_ANOMALY_UNUSUAL_VOLUME],
                                   .window_s = window_s,
                                   .account = event->account,
                                   .base = &event->base},
        &evidence);
}

/* ---- Export spree ---- */

void gh_anomaly_exported(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event)
{
    uint32_t window_s = gh_anomaly_value(anomaly, GH_ANOMALY_EXPORT_WINDOW);
    struct gh_anomaly_account *account = gh_anomaly_account_of(anomaly, event);
    gh_anomaly_sums_add(&account->exports, anomaly->now_s, window_s, GH_ANOMALY_REQUESTS, 1);
    uint64_t sum =
        gh_anomaly_sums_of(&account->exports, anomaly->now_s, window_s, GH_ANOMALY_REQUESTS);
    uint64_t usual = gh_anomaly_history_usual(&account->exported, anomaly->now_s, NULL);
    uint64_t limit = greater(gh_anomaly_value(anomaly, GH_ANOMALY_EXPORTS),
                             gh_anomaly_value(anomaly, GH_ANOMALY_EXPORT_FACTOR) * usual);
    if (sum < limit) {
        gh_anomaly_history_note(&account->exported, anomaly->now_s, sum);
        return;
    }
    struct gh_buf evidence = gh_anomaly_evidence(anomaly);
    put(&evidence, "exports", sum);
    put(&evidence, "usual_exports", usual);
    put(&evidence, "threshold_exports", limit);
    gh_anomaly_found(
        anomaly,
        &(struct gh_anomaly_found){.rule = GH_ANOMALY_EXPORT_SPREE,
                                   .quiet_at_s = &account->quiet_at_s[GH_ANOMALY_EXPORT_SPREE],
                                   .window_s = window_s,
                                   .account = event->account,
                                   .base = &event->base},
        &evidence);
}
