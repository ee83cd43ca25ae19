#include "app/audit_settings.h"

#define DAY_MS (24ull * 3600 * 1000)

static const char *const FORMATS[] = {"", "jsonl", "cef", NULL};

#define EXPORT(member) .offset = offsetof(struct gh_audit_export_settings, member)
static const struct gh_config_field EXPORT_FIELDS[] = {
    {.name = "to",
     .type = GH_CONFIG_TYPE_STRING,
     EXPORT(to),
     .required = true,
     .doc = "`file:PATH`, `syslog:` (the local one), `syslog:tls://HOST[:PORT]` (6514), "
            "`syslog:tcp://HOST:PORT`, `syslog:udp://HOST:PORT`, `redis:STREAM` (of the `redis` "
            "above, `?maxlen=N` long at most, 1000000 unless said), or a URL that takes POSTs."},
    {.name = "format",
     .type = GH_CONFIG_TYPE_ENUM,
     EXPORT(format),
     .names = FORMATS,
     .doc = "`jsonl`, or `cef`. Without it: a line of JSON each, to syslog as RFC 5424; "
            "`cef` has a header of syslog there."},
};
static const struct gh_config_table EXPORT_TABLE = {
    .name = "audit.export",
    .doc = "Where records are sent while the log is written. Personal values stay sealed.",
    .size = sizeof(struct gh_audit_export_settings),
    .fields = EXPORT_FIELDS,
    .field_count = sizeof(EXPORT_FIELDS) / sizeof(EXPORT_FIELDS[0]),
    .short_form = "to",
};

#define AUDIT(member) .offset = offsetof(struct gh_audit_settings, member)
/* The table of checkpoints is bound over the whole struct's member. */
#define CHECKPOINT(member)                                                                         \
    .offset = offsetof(struct gh_audit_settings, checkpoint.member) -                              \
              offsetof(struct gh_audit_settings, checkpoint)

static const struct gh_config_field DESTINATION_ITEM = {.type = GH_CONFIG_TYPE_STRING};
static const struct gh_config_field EXPORT_ITEM = {.type = GH_CONFIG_TYPE_TABLE,
                                                   .table = &EXPORT_TABLE};

static const struct gh_config_field CHECKPOINT_FIELDS[] = {
    {.name = "records",
     .type = GH_CONFIG_TYPE_INTEGER,
     CHECKPOINT(records),
     .default_yaml = "1000",
     .min = 1,
     .max = 1000000,
     .doc = "A checkpoint is signed after so many records,"},
    {.name = "interval",
     .type = GH_CONFIG_TYPE_DURATION,
     CHECKPOINT(interval_ms),
     .default_yaml = "60s",
     .min = 1000,
     .max = DAY_MS,
     .doc = "or when something is so old and not signed."},
    {.name = "export",
     .type = GH_CONFIG_TYPE_LIST,
     CHECKPOINT(exports),
     .item = &DESTINATION_ITEM,
     .one_or_list = true,
     .doc = "Where checkpoints go: `file:PATH`, `syslog:` (the local one), "
            "`syslog:tls://HOST[:PORT]` (6514), `syslog:tcp://HOST:PORT`, "
            "`syslog:udp://HOST:PORT`, or a URL that takes POSTs. "
            "Whoever can write there and here can rewrite the log; keep them apart."},
};
static const struct gh_config_table CHECKPOINT_TABLE = {
    .name = "audit.checkpoint",
    .doc = "Signed statements of what the log says, by which a rewritten one is found out.",
    .size = sizeof(((struct gh_audit_settings *)0)->checkpoint),
    .fields = CHECKPOINT_FIELDS,
    .field_count = sizeof(CHECKPOINT_FIELDS) / sizeof(CHECKPOINT_FIELDS[0]),
};

static const struct gh_config_field AUDIT_FIELDS[] = {
    {.name = "retention",
     .type = GH_CONFIG_TYPE_DURATION,
     AUDIT(retention_ms),
     .default_yaml = "400d",
     .min = DAY_MS,
     .max = 36500 * DAY_MS,
     .doc = "How long records are kept. What is older is dropped, and what opens its personal "
            "values is destroyed."},
    {.name = "checkpoint",
     .type = GH_CONFIG_TYPE_TABLE,
     AUDIT(checkpoint),
     .table = &CHECKPOINT_TABLE,
     .doc = "Signed statements of what the log says."},
    {.name = "anomaly",
     .type = GH_CONFIG_TYPE_TABLE,
     AUDIT(anomaly),
     .table = &gh_anomaly_table,
     .doc = "What is looked for in the log, and what is done about it."},
    {.name = "export",
     .type = GH_CONFIG_TYPE_LIST,
     AUDIT(exports),
     .item = &EXPORT_ITEM,
     .one_or_list = true,
     .doc = "Where records are sent while the log is written."},
};

const struct gh_config_table gh_audit_table = {
    .name = "audit",
    .doc = "The audit log. It is kept where identity is on, in its store.",
    .size = sizeof(struct gh_audit_settings),
    .fields = AUDIT_FIELDS,
    .field_count = sizeof(AUDIT_FIELDS) / sizeof(AUDIT_FIELDS[0]),
};
