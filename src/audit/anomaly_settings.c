/* The rules and their parameters as tables; what a file may set is in app/anomaly_settings.c. */
#include "audit/anomaly.h"

#include "base/assert.h"

static const struct gh_anomaly_rule_facts FACTS[GH_ANOMALY_RULE_COUNT] = {
#define X(id, name, scope, target, meaning)                                                        \
    {GH_STR_INIT(name), GH_ANOMALY_OF_##scope, GH_ANOMALY_OF_##target, GH_STR_INIT(meaning)},
    GH_ANOMALY_RULES(X)
#undef X
};

static const uint64_t DEFAULTS[GH_ANOMALY_PARAMETER_COUNT] = {
#define X(id, rule, name, unit, value, text, least, most, meaning) value,
    GH_ANOMALY_PARAMETERS(X)
#undef X
};

const struct gh_anomaly_rule_facts *gh_anomaly_rule_facts(enum gh_anomaly_rule rule)
{
    GH_ASSERT((unsigned)rule < GH_ANOMALY_RULE_COUNT);
    return &FACTS[rule];
}

void gh_anomaly_defaults(struct gh_anomaly_settings *out_settings)
{
    for (unsigned i = 0; i < GH_ANOMALY_RULE_COUNT; i++)
        out_settings->actions[i] = GH_ANOMALY_LOG;
    memcpy(out_settings->values, DEFAULTS, sizeof(DEFAULTS));
}
