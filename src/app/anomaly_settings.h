/* `audit.anomaly` of the file: what each rule does, its parameters, how long actions last. */
#ifndef GH_APP_ANOMALY_SETTINGS_H
#define GH_APP_ANOMALY_SETTINGS_H

#include "audit/anomaly.h"
#include "config/config.h"

struct gh_anomaly_config {
    enum gh_anomaly_action actions[GH_ANOMALY_RULE_COUNT];
    uint64_t values[GH_ANOMALY_PARAMETER_COUNT]; /* DURATION: milliseconds, as files are read */
    uint64_t block_ms, slow_ms, second_factor_ms, pace_ms;
};
extern const struct gh_config_table gh_anomaly_table;

/* For the rules, which count in seconds. */
struct gh_anomaly_settings gh_anomaly_config_rules(const struct gh_anomaly_config *config);
/* "off", "log", "second_factor", "slow", "block". */
const char *gh_anomaly_action_name(enum gh_anomaly_action action);

#endif
