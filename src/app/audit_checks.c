#include "app/audit_checks.h"

#include "app/audit_destination.h"

#define DESTINATION_REMEDY                                                                         \
    "write checkpoint: {export: [file:/var/log/gatehouse/checkpoints]}, better a place that this " \
    "machine can't take back"

static void check_destination(struct gh_config_load *load, const struct gh_root_settings *settings,
                              const struct gh_str *text, const struct gh_str *twin,
                              enum gh_audit_export_format format)
{
    struct gh_audit_destination destination;
    struct gh_config_place place = gh_config_where(load, text);
    struct gh_str shown = gh_config_show(load->arena, *text);
    const char *why;
    if (!gh_audit_destination_parse(*text, load->arena, &destination, &why)) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, why,
                              "\"%.*s\" is no place that the audit log can go to",
                              GH_STR_ARG(shown));
        return;
    }
    if (twin)
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, "keep one of them",
                              "%.*s stands here twice", GH_STR_ARG(shown));
    if (destination.place == GH_AUDIT_PLACE_REDIS && !settings->redis.url.len)
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, "write redis: env:REDIS_URL",
                              "%.*s is a stream of Redis, and there is no redis",
                              GH_STR_ARG(shown));
    if (format == GH_AUDIT_EXPORT_CEF && destination.place == GH_AUDIT_PLACE_WEBHOOK)
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, "leave format out",
                              "a URL is sent JSON, not CEF");
    if (destination.in_clear && settings->policy.environment == GH_PRODUCTION)
        gh_config_problem_add(load, GH_CONFIG_WARNING, place,
                              destination.place == GH_AUDIT_PLACE_WEBHOOK ? "use https"
                                                                          : "use syslog:tls://HOST",
                              "%.*s goes over the network in clear", GH_STR_ARG(shown));
}

/* An earlier one of the same text, or NULL. */
static const struct gh_str *find_twin(const struct gh_str *texts, size_t stride, size_t at)
{
    const char *bytes = (const char *)texts;
    const struct gh_str *text = (const struct gh_str *)(bytes + at * stride);
    for (size_t i = 0; i < at; i++) {
        const struct gh_str *other = (const struct gh_str *)(bytes + i * stride);
        if (gh_str_eq(*other, *text))
            return other;
    }
    return NULL;
}

void gh_audit_check(struct gh_config_load *load, const struct gh_root_settings *settings)
{
    const struct gh_audit_settings *audit = &settings->audit;
    const struct gh_str *checkpoints = audit->checkpoint.exports.items;
    const struct gh_audit_export_settings *exports = audit->exports.items;
    for (size_t i = 0; i < audit->checkpoint.exports.count; i++)
        check_destination(load, settings, &checkpoints[i],
                          find_twin(checkpoints, sizeof(*checkpoints), i), GH_AUDIT_EXPORT_FITTING);
    for (size_t i = 0; i < audit->exports.count; i++)
        check_destination(load, settings, &exports[i].to,
                          find_twin(&exports[0].to, sizeof(*exports), i), exports[i].format);
    if (audit->checkpoint.exports.count + audit->exports.count > GH_AUDIT_EXPORTS_MAX)
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &audit->exports), NULL,
                              "more than %d places for the audit log", GH_AUDIT_EXPORTS_MAX);
    if (settings->identity.enabled && !audit->checkpoint.exports.count && !audit->exports.count &&
        settings->policy.environment == GH_PRODUCTION)
        gh_config_problem_add(load, GH_CONFIG_WARNING,
                              gh_config_where(load, &audit->checkpoint.exports), DESTINATION_REMEDY,
                              "checkpoints of the audit log stay where the log is: whoever can "
                              "write both can rewrite what happened");
}
