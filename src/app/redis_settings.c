#include "app/redis_settings.h"

#include <stddef.h>

#define SCHEME_BYTES_MAX    20
#define SCRATCH_BLOCK_BYTES (16u * 1024)
#define SCRATCH_BYTES_MAX   (64u * 1024)

#define REDIS(member) .offset = offsetof(struct gh_redis_settings, member)
static const struct gh_config_field FIELDS[] = {
    {.name = "url",
     .type = GH_CONFIG_TYPE_STRING,
     REDIS(url),
     .doc = "`redis://[user:password@]host[:port][/database]`, `rediss://` for TLS, or "
            "`unix:/path`; or `env:NAME`, `file:PATH` where that stands. A password is never "
            "written out in the file."},
    {.name = "ca",
     .type = GH_CONFIG_TYPE_STRING,
     REDIS(ca),
     .doc = "PEM file of the authorities whose certificates are taken with `rediss://`; without "
            "it, the system's."},
    {.name = "timeout",
     .type = GH_CONFIG_TYPE_DURATION,
     REDIS(timeout_ms),
     .default_yaml = "100ms",
     .min = 10,
     .max = 10000,
     .doc = "How long a request waits for Redis before this process decides alone."},
};

const struct gh_config_table gh_redis_table = {
    .name = "redis",
    .doc = "Redis or Valkey, for what several nodes share. Without it limits live in this process.",
    .size = sizeof(struct gh_redis_settings),
    .fields = FIELDS,
    .field_count = sizeof(FIELDS) / sizeof(FIELDS[0]),
    .short_form = "url",
};

/* ---- What the URL says ---- */

/* "memcached" of "memcached://...", which holds no secret; empty: it has none. */
static struct gh_str scheme_of(struct gh_str url)
{
    size_t end = gh_str_find(url, GH_STR("://"));
    bool is_scheme = end > 0 && end < url.len && end <= SCHEME_BYTES_MAX;
    for (size_t i = 0; i < end && is_scheme; i++) {
        char c = gh_ascii_lower(url.ptr[i]);
        is_scheme = (c >= 'a' && c <= 'z') || (i > 0 && (c == '+' || c == '-'));
    }
    return is_scheme ? gh_str_first(url, end) : GH_STR("");
}

/* What stands in guides and images, or what anyone would try first. */
static bool is_default_password(const struct gh_redis_url *url)
{
    static const char *const KNOWN[] = {"redis", "valkey", "guest", "postgres", "foobared"};
    for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++) {
        if (gh_str_ieq(url->password, gh_str_from_c(KNOWN[i])))
            return true;
    }
    return gh_secret_looks_default(url->password) || gh_str_ieq(url->password, url->user);
}

static bool is_reference(struct gh_str text)
{
    return gh_str_starts_with(text, GH_STR("env:")) || gh_str_starts_with(text, GH_STR("file:"));
}

struct finding {
    enum gh_err err; /* of the reference: it leads nowhere */
    struct gh_redis_url url;
    const char *problem;        /* NULL: none */
    struct gh_str problem_with; /* what the problem is about, to be shown before it */
};

/* "what env:REDIS_URL holds"; a text that stands in the file is named by its key. */
static struct gh_str name_of_value(const struct gh_redis_settings *settings, struct gh_arena *arena)
{
    if (!is_reference(settings->url))
        return GH_STR("its URL");
    return gh_arena_format(arena, "what %.*s holds",
                           GH_STR_ARG(gh_config_show(arena, settings->url)));
}

static void find(const struct gh_redis_settings *settings, bool production,
                 const struct gh_secret_source *source, struct gh_arena *arena,
                 struct finding *finding)
{
    struct gh_str text;
    *finding = (struct finding){.err = gh_secret_resolve(arena, source, settings->url, &text)};
    if (finding->err != GH_OK)
        return;
    finding->problem_with = name_of_value(settings, arena);
    finding->problem = gh_redis_url_parse(text, arena, &finding->url);
    if (finding->problem) {
        struct gh_str scheme = scheme_of(text);
        bool is_known = gh_str_starts_with(scheme, GH_STR("redis")) ||
                        gh_str_starts_with(scheme, GH_STR("valkey")) ||
                        gh_str_starts_with(scheme, GH_STR("unix"));
        if (scheme.len > 0 && !is_known)
            finding->problem_with =
                gh_arena_format(arena, "%.*s (a URL of \"%.*s\")",
                                GH_STR_ARG(finding->problem_with), GH_STR_ARG(scheme));
    } else if (finding->url.password.len > 0 && production && is_default_password(&finding->url)) {
        finding->problem = "its password is a default one; set another";
    } else if (settings->ca.len > 0 && !finding->url.tls) {
        finding->problem = "redis.ca is for rediss://, and it has no TLS";
    }
}

void gh_redis_settings_check(struct gh_config_load *load, const struct gh_redis_settings *settings,
                             bool production, const struct gh_secret_source *source)
{
    struct finding finding;
    if (settings->url.len == 0) {
        if (settings->ca.len > 0)
            gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->ca),
                                  "write url: env:REDIS_URL", "redis.ca stands without redis.url");
        return;
    }
    struct gh_arena scratch; /* for its password: load's lives as long as its settings do */
    gh_arena_init(&scratch, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
    find(settings, production, source, &scratch, &finding);
    if (finding.err == GH_OK && finding.problem)
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->url),
                              finding.problem, "redis: %.*s can't be used",
                              GH_STR_ARG(finding.problem_with));
    gh_arena_done(&scratch);
}

bool gh_redis_settings_resolve(const struct gh_redis_settings *settings, bool production,
                               const struct gh_secret_source *source, struct gh_arena *arena,
                               struct gh_redis_url *out_url, struct gh_str *out_message)
{
    struct finding finding;
    find(settings, production, source, arena, &finding);
    if (finding.err != GH_OK)
        *out_message = gh_arena_format(arena, "redis: %.*s is not set",
                                       GH_STR_ARG(gh_config_show(arena, settings->url)));
    else if (finding.problem)
        *out_message = gh_arena_format(arena, "redis: %.*s can't be used: %s",
                                       GH_STR_ARG(finding.problem_with), finding.problem);
    else
        *out_url = finding.url;
    return finding.err == GH_OK && !finding.problem;
}
