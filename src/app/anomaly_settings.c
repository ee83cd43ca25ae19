/* A table for each rule, all over the same struct, made of the parameters in audit/anomaly.h. */
#include "app/anomaly_settings.h"

#include <stddef.h>

static const char *const ACTION_NAMES[] = {
    [GH_ANOMALY_OFF] = "off",
    [GH_ANOMALY_LOG] = "log",
    [GH_ANOMALY_SECOND_FACTOR] = "second_factor",
    [GH_ANOMALY_SLOW] = "slow",
    [GH_ANOMALY_BLOCK] = "block",
    NULL,
};

#define AT(member)       offsetof(struct gh_anomaly_config, member)
#define COUNT_TYPE       GH_CONFIG_TYPE_INTEGER
#define DURATION_TYPE    GH_CONFIG_TYPE_DURATION
#define COUNT_IN_FILE    1u
#define DURATION_IN_FILE 1000u /* milliseconds */

#define ACTION(id)                                                                                 \
    {.name = "action",                                                                             \
     .type = GH_CONFIG_TYPE_ENUM,                                                                  \
     .offset = AT(actions) + GH_ANOMALY_##id * sizeof(enum gh_anomaly_action),                     \
     .names = ACTION_NAMES,                                                                        \
     .default_yaml = "log",                                                                        \
     .doc =                                                                                        \
         "off, log, or also: second_factor (who is concerned must show one), slow (one request "   \
         "in `pace`), block."},
#define PARAMETER(id, rule, text_name, unit, value, text, least, most, meaning)                    \
    {.name = text_name,                                                                            \
     .type = unit##_TYPE,                                                                          \
     .offset = AT(values) + GH_ANOMALY_##id * sizeof(uint64_t),                                    \
     .default_yaml = text,                                                                         \
     .min = (uint64_t)(least)*unit##_IN_FILE,                                                      \
     .max = (uint64_t)(most)*unit##_IN_FILE,                                                       \
     .doc = meaning},

#define X(id, text_name, scope, target, meaning)                                                   \
    static const struct gh_config_field id##_FIELDS[] = {                                          \
        ACTION(id) GH_ANOMALY_##id##_PARAMETERS(PARAMETER)};                                       \
    static const struct gh_config_table id##_TABLE = {                                             \
        .name = "audit.anomaly." text_name,                                                        \
        .doc = "What is found: " meaning ".",                                                      \
        .size = sizeof(struct gh_anomaly_config),                                                  \
        .fields = id##_FIELDS,                                                                     \
        .field_count = sizeof(id##_FIELDS) / sizeof(id##_FIELDS[0]),                               \
        .short_form = "action",                                                                    \
    };
GH_ANOMALY_RULES(X)
#undef X

static const struct gh_config_field FIELDS[] = {
#define X(id, text_name, scope, target, meaning)                                                   \
    {.name = text_name,                                                                            \
     .type = GH_CONFIG_TYPE_TABLE,                                                                 \
     .table = &id##_TABLE,                                                                         \
     .doc = "What is found: " meaning ". `" text_name ": block` is short for its action."},
    GH_ANOMALY_RULES(X)
#undef X
        {.name = "block_for",
         .type = GH_CONFIG_TYPE_DURATION,
         .offset = AT(block_ms),
         .default_yaml = "15m",
         .min = 1000,
         .max = 86400000,
         .doc = "How long `block` lasts after the last sign of it."},
    {.name = "slow_for",
     .type = GH_CONFIG_TYPE_DURATION,
     .offset = AT(slow_ms),
     .default_yaml = "15m",
     .min = 1000,
     .max = 86400000,
     .doc = "How long `slow` lasts after the last sign of it."},
    {.name = "second_factor_for",
     .type = GH_CONFIG_TYPE_DURATION,
     .offset = AT(second_factor_ms),
     .default_yaml = "12h",
     .min = 1000,
     .max = 86400000,
     .doc = "How long `second_factor` lasts after the last sign of it."},
    {.name = "pace",
     .type = GH_CONFIG_TYPE_DURATION,
     .offset = AT(pace_ms),
     .default_yaml = "2s",
     .min = 100,
     .max = 3600000,
     .doc = "Who is slowed may make one request in this time."},
};

const struct gh_config_table gh_anomaly_table = {
    .name = "audit.anomaly",
    .doc = "What is looked for in the log and in traffic, and what is done about it.",
    .size = sizeof(struct gh_anomaly_config),
    .fields = FIELDS,
    .field_count = sizeof(FIELDS) / sizeof(FIELDS[0]),
};

struct gh_anomaly_settings gh_anomaly_config_rules(const struct gh_anomaly_config *config)
{
    static const uint64_t UNITS[GH_ANOMALY_PARAMETER_COUNT] = {
#define X(id, rule, text_name, unit, value, text, least, most, meaning) unit##_IN_FILE,
        GH_ANOMALY_PARAMETERS(X)
#undef X
    };
    struct gh_anomaly_settings rules;
    memcpy(rules.actions, config->actions, sizeof(rules.actions));
    for (unsigned i = 0; i < GH_ANOMALY_PARAMETER_COUNT; i++)
        rules.values[i] = config->values[i] / UNITS[i];
    return rules;
}

const char *gh_anomaly_action_name(enum gh_anomaly_action action)
{
    return ACTION_NAMES[action];
}
