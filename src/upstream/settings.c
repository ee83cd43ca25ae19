/* The table of one entry of `upstreams` (SPEC section 2). */
#include "upstream/upstream.h"

static const char *const balance_names[] = {"least_requests", "round_robin", NULL};

static const struct gh_config_field server_item = {.type = GH_CONFIG_TYPE_STRING};

/* Offsets count from the nested struct, since the table is bound in its place. */
#define HEALTH_OFFSET(member)                                                                      \
    (offsetof(struct gh_upstream_settings, health.member) -                                        \
     offsetof(struct gh_upstream_settings, health))
#define TIMEOUT_OFFSET(member)                                                                     \
    (offsetof(struct gh_upstream_settings, timeouts.member) -                                      \
     offsetof(struct gh_upstream_settings, timeouts))

static const struct gh_config_field health_fields[] = {
    {
        .name = "path",
        .type = GH_CONFIG_TYPE_STRING,
        .offset = HEALTH_OFFSET(path),
        .doc = "Asked of each server with GET; 2xx and 3xx are healthy. Without it there are no "
               "active checks, and only failed connections mark a server down.",
    },
    {
        .name = "interval",
        .type = GH_CONFIG_TYPE_DURATION,
        .offset = HEALTH_OFFSET(interval_ms),
        .default_yaml = "5s",
        .min = 100,
        .max = 3600000,
        .doc = "Time between two checks of a server.",
    },
    {
        .name = "timeout",
        .type = GH_CONFIG_TYPE_DURATION,
        .offset = HEALTH_OFFSET(timeout_ms),
        .default_yaml = "2s",
        .min = 10,
        .max = 60000,
        .doc = "A check without an answer after this time has failed.",
    },
    {
        .name = "fails",
        .type = GH_CONFIG_TYPE_INTEGER,
        .offset = HEALTH_OFFSET(fails),
        .default_yaml = "3",
        .min = 1,
        .max = 100,
        .doc = "Failed checks in a row until a server is down.",
    },
    {
        .name = "passes",
        .type = GH_CONFIG_TYPE_INTEGER,
        .offset = HEALTH_OFFSET(passes),
        .default_yaml = "2",
        .min = 1,
        .max = 100,
        .doc = "Passed checks in a row until it is up again.",
    },
};

static const struct gh_config_field timeout_fields[] = {
    {
        .name = "connect",
        .type = GH_CONFIG_TYPE_DURATION,
        .offset = TIMEOUT_OFFSET(connect_ms),
        .default_yaml = "2s",
        .min = 10,
        .max = 600000,
        .doc = "To connect, the TLS handshake included.",
    },
    {
        .name = "response",
        .type = GH_CONFIG_TYPE_DURATION,
        .offset = TIMEOUT_OFFSET(response_ms),
        .default_yaml = "30s",
        .min = 10,
        .max = 86400000,
        .doc = "From the end of the request to the end of the answer's head; then `504`.",
    },
    {
        .name = "idle",
        .type = GH_CONFIG_TYPE_DURATION,
        .offset = TIMEOUT_OFFSET(idle_ms),
        .default_yaml = "60s",
        .min = 10,
        .max = 86400000,
        .doc = "Without a byte inside an answer. Unused connections are kept a little shorter "
               "than this.",
    },
};

static const struct gh_config_table health_table = {
    .name = "health",
    .doc = "Active checks of the servers.",
    .size = sizeof((struct gh_upstream_settings *)0)->health,
    .fields = health_fields,
    .field_count = sizeof health_fields / sizeof health_fields[0],
};

static const struct gh_config_table timeout_table = {
    .name = "timeouts",
    .doc = "How long to wait for the servers.",
    .size = sizeof((struct gh_upstream_settings *)0)->timeouts,
    .fields = timeout_fields,
    .field_count = sizeof timeout_fields / sizeof timeout_fields[0],
};

static const struct gh_config_field upstream_fields[] = {
    {
        .name = "servers",
        .type = GH_CONFIG_TYPE_LIST,
        .offset = offsetof(struct gh_upstream_settings, servers),
        .item = &server_item,
        .required = true,
        .one_or_list = true,
        .doc = "The backend's servers: `http://host:port`, `https://host:port` or `unix:/path`; "
               "at most 64.",
    },
    {
        .name = "balance",
        .type = GH_CONFIG_TYPE_ENUM,
        .offset = offsetof(struct gh_upstream_settings, balance),
        .names = balance_names,
        .default_yaml = "least_requests",
        .doc = "Which server takes a request: the one with the fewest under way, or each in turn.",
    },
    {
        .name = "health",
        .type = GH_CONFIG_TYPE_TABLE,
        .offset = offsetof(struct gh_upstream_settings, health),
        .table = &health_table,
        .doc = "Active checks of the servers; off without `path`.",
    },
    {
        .name = "timeouts",
        .type = GH_CONFIG_TYPE_TABLE,
        .offset = offsetof(struct gh_upstream_settings, timeouts),
        .table = &timeout_table,
        .doc = "How long to wait for the servers.",
    },
    {
        .name = "connections",
        .type = GH_CONFIG_TYPE_INTEGER,
        .offset = offsetof(struct gh_upstream_settings, connections_max),
        .max = 100000,
        .doc = "Most connections to one server from one worker; 0: no bound. Over it `503`.",
    },
    {
        .name = "ca",
        .type = GH_CONFIG_TYPE_STRING,
        .offset = offsetof(struct gh_upstream_settings, ca),
        .doc = "File with the CA certificates (PEM) that https servers are checked against; "
               "without it the system's.",
    },
};

const struct gh_config_table gh_upstream_table = {
    .name = "upstream",
    .doc = "A group of servers that answer alike.",
    .size = sizeof(struct gh_upstream_settings),
    .fields = upstream_fields,
    .field_count = sizeof upstream_fields / sizeof upstream_fields[0],
};
