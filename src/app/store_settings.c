#include "app/store_settings.h"

#include <stddef.h>

#define STORE(member) .offset = offsetof(struct gh_store_settings, member)
static const struct gh_config_field FIELDS[] = {
    {.name = "url",
     .type = GH_CONFIG_TYPE_STRING,
     STORE(url),
     .default_yaml = "\"sqlite:/var/lib/gatehouse/gatehouse.db\"",
     .env = "DATABASE_URL",
     .doc = "`sqlite:PATH`, `postgresql://user@host/database?sslmode=verify-full` for several "
            "nodes (`env:NAME` or `file:PATH` where it has a password), or in development "
            "`memory:` (`memory:DIRECTORY` with a place for setup token and control socket). With "
            "PostgreSQL the setup token lies in `$STATE_DIRECTORY`; where there is none, "
            "`gatehouse user add` makes the first admin."},
    {.name = "connections",
     .type = GH_CONFIG_TYPE_INTEGER,
     STORE(connections),
     .default_yaml = "8",
     .min = 2,
     .max = 64,
     .doc = "Connections to PostgreSQL at most, made as they are needed; the last of them is for "
            "who only reads. The audit log has one besides, so that all nodes together need nodes "
            "x (connections + 1) of the server's `max_connections`."},
    {.name = "statement_timeout",
     .type = GH_CONFIG_TYPE_DURATION,
     STORE(statement_timeout_ms),
     .default_yaml = "5s",
     .min = 100,
     .max = 60000,
     .doc = "PostgreSQL gives up a statement of a request that takes longer; the request is "
            "answered with 503."},
    {.name = "connect_timeout",
     .type = GH_CONFIG_TYPE_DURATION,
     STORE(connect_timeout_ms),
     .default_yaml = "5s",
     .min = 2000,
     .max = 60000,
     .doc = "How long each server of the URL may take to accept a connection to PostgreSQL, in "
            "whole seconds, unless the URL has a `connect_timeout` of its own."},
};

const struct gh_config_table gh_store_table = {
    .name = "store",
    .doc =
        "Where accounts, sessions and the audit log live when identity is on. The other keys are "
        "for PostgreSQL.",
    .size = sizeof(struct gh_store_settings),
    .fields = FIELDS,
    .field_count = sizeof(FIELDS) / sizeof(FIELDS[0]),
    .short_form = "url",
};

bool gh_store_settings_are_same(const struct gh_store_settings *one,
                                const struct gh_store_settings *other)
{
    return gh_str_eq(one->url, other->url) && one->connections == other->connections &&
           one->statement_timeout_ms == other->statement_timeout_ms &&
           one->connect_timeout_ms == other->connect_timeout_ms;
}
