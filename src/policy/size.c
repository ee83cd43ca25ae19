/* Stage 8: how large a request may be, and the table of `limits`. Chunked bodies are counted by
   the shell against request->body_bytes_max. */
#include "policy/policy.h"

struct gh_verdict gh_stage_size(struct gh_request *request)
{
    request->body_bytes_max =
        request->route ? request->route->request_body_max : request->policy->limits.request_body;
    if (request->head->body == GH_BODY_LENGTH &&
        request->head->content_length > request->body_bytes_max)
        return gh_verdict_deny(GH_REASON_BODY_TOO_LARGE);
    return gh_verdict_next();
}

#define LIMIT(field) offsetof(struct gh_limits_settings, field)

static const struct gh_config_field LIMITS_FIELDS[] = {
    {.name = "request_body",
     .type = GH_CONFIG_TYPE_SIZE,
     .offset = LIMIT(request_body),
     .default_yaml = "1MiB",
     .env = "MAX_REQUEST_SIZE",
     .doc = "Largest request body; more is answered 413. Routes may set their own."},
    {.name = "request_head",
     .type = GH_CONFIG_TYPE_SIZE,
     .offset = LIMIT(request_head),
     .default_yaml = "16KiB",
     .min = 1024,
     .max = 1024 * 1024,
     .doc = "Largest request line with its header fields; more is answered 431."},
    {.name = "header_count",
     .type = GH_CONFIG_TYPE_INTEGER,
     .offset = LIMIT(header_count),
     .default_yaml = "100",
     .min = 8,
     .max = GH_FIELDS_MAX,
     .doc = "Most header fields of a request; more is answered 431."},
    {.name = "target_length",
     .type = GH_CONFIG_TYPE_SIZE,
     .offset = LIMIT(target_length),
     .default_yaml = "8KiB",
     .min = 64,
     .max = 1024 * 1024,
     .doc = "Longest request target (path and query); more is answered 414."},
    {.name = "head_timeout",
     .type = GH_CONFIG_TYPE_DURATION,
     .offset = LIMIT(head_timeout_ms),
     .default_yaml = "10s",
     .min = 100,
     .max = 3600000,
     .doc = "A request head must be complete this long after its first byte, else 408."},
    {.name = "body_timeout",
     .type = GH_CONFIG_TYPE_DURATION,
     .offset = LIMIT(body_timeout_ms),
     .default_yaml = "30s",
     .min = 100,
     .max = 3600000,
     .doc = "A request body may make no progress for this long, else 408."},
    {.name = "body_rate_min",
     .type = GH_CONFIG_TYPE_SIZE,
     .offset = LIMIT(body_rate_min),
     .default_yaml = "256",
     .doc = "Bytes a second that a request body must average once 10 s have passed; 0: none."},
    {.name = "idle_timeout",
     .type = GH_CONFIG_TYPE_DURATION,
     .offset = LIMIT(idle_timeout_ms),
     .default_yaml = "60s",
     .min = 100,
     .max = 86400000,
     .doc = "A connection without a request is closed after this long."},
    {.name = "connections_per_client",
     .type = GH_CONFIG_TYPE_INTEGER,
     .offset = LIMIT(connections_per_client),
     .default_yaml = "256",
     .min = 1,
     .max = 1000000,
     .doc = "Most open connections of one address (IPv6: one /64). Over HTTP/2 each request of a "
            "connection beyond 16 at once counts as one more; there it is answered 503."},
    {.name = "connections",
     .type = GH_CONFIG_TYPE_INTEGER,
     .offset = LIMIT(connections),
     .default_yaml = "0",
     .max = 10000000,
     .doc = "Most open connections in all; 0: as many as the process may have descriptors for."},
    {.name = "kept_answers",
     .type = GH_CONFIG_TYPE_SIZE,
     .offset = LIMIT(kept_answers),
     .default_yaml = "64MiB",
     .min = 64 * 1024,
     .max = 1024ull * 1024 * 1024 * 1024,
     .doc =
         "Memory for answers that clients of HTTP/2 do not take yet, of all connections. When it "
         "is used up, a backend is read no faster than its client reads; 16 KiB of each answer "
         "may still come over it."},
};

const struct gh_config_table gh_limits_table = {
    .name = "limits",
    .doc = "How large, how slow and how many.",
    .size = sizeof(struct gh_limits_settings),
    .fields = LIMITS_FIELDS,
    .field_count = sizeof(LIMITS_FIELDS) / sizeof(LIMITS_FIELDS[0]),
};
