/* The table `audit` of the file (SPEC section 5): how long the log is kept, when it is signed, and
   where checkpoints and records go while it is written. */
#ifndef GH_APP_AUDIT_SETTINGS_H
#define GH_APP_AUDIT_SETTINGS_H

#include "app/anomaly_settings.h"
#include "app/redis_settings.h"
#include "config/config.h"

/* How records are written for a destination; the zero: as it fits the destination. */
enum gh_audit_export_format {
    GH_AUDIT_EXPORT_FITTING, /* a file and a webhook: lines of JSON; syslog: RFC 5424 */
    GH_AUDIT_EXPORT_JSONL,
    GH_AUDIT_EXPORT_CEF,
};

struct gh_audit_export_settings {
    struct gh_str to; /* what gh_audit_destination_parse reads */
    enum gh_audit_export_format format;
};

struct gh_audit_settings {
    uint64_t retention_ms;
    struct {
        uint64_t records;
        uint64_t interval_ms;
        struct gh_config_list exports; /* of struct gh_str: destinations */
    } checkpoint;
    struct gh_anomaly_config anomaly;
    struct gh_config_list exports;  /* of struct gh_audit_export_settings */
    struct gh_redis_settings redis; /* a copy of the file's, for redis:STREAM */
    bool production;                /* what its URL is judged by */
};

extern const struct gh_config_table gh_audit_table;

/* Destinations of either kind together. */
#define GH_AUDIT_EXPORTS_MAX 16

#endif
