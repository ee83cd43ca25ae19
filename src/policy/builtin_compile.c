/* The tables of `builtin` and `security_txt`, and their compilation (RFC 9116 for the latter). */
#include "policy/policy.h"

/* Paths are compared with canonical ones, so they must be canonical themselves. */
static struct gh_str check_path(struct gh_config_load *load, const struct gh_str *path,
                                const char *name)
{
    if (!path->len)
        return *path;
    char *memory = gh_arena_alloc(load->arena, path->len);
    struct gh_buf out = gh_buf_over(memory, memory ? path->len : 0);
    struct gh_path_traits traits = {0};
    if (path->ptr[0] != '/' || gh_path_normalise(*path, &out, &traits) != GH_PATH_OK ||
        !gh_str_eq(gh_buf_str(&out), *path) || path->len == 1)
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, path),
                              "write a plain path such as /healthz", "\"%.*s\" is no path for %s",
                              GH_STR_ARG(*path), name);
    return *path;
}

/* "2027-06-30" or a whole RFC 3339 instant; the former means the day's beginning in UTC. */
static struct gh_str read_expires(struct gh_config_load *load, const struct gh_str *text)
{
    static const char SHAPE[] = "0000-00-00T00:00:00Z";
    bool date_only = text->len == 10;
    bool right = date_only || text->len == sizeof(SHAPE) - 1;
    for (size_t i = 0; right && i < text->len; i++)
        right =
            SHAPE[i] == '0' ? text->ptr[i] >= '0' && text->ptr[i] <= '9' : text->ptr[i] == SHAPE[i];
    if (!right) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, text),
                              "write 2027-06-30 or 2027-06-30T00:00:00Z",
                              "security_txt.expires is no date");
        return *text;
    }
    return date_only ? gh_arena_format(load->arena, "%.*sT00:00:00Z", GH_STR_ARG(*text)) : *text;
}

static bool is_one_line(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return false;
    return true;
}

static void compile_security_txt(struct gh_config_load *load,
                                 const struct gh_policy_settings *settings,
                                 struct gh_policy *policy)
{
    const struct gh_security_txt_settings *from = &settings->security_txt;
    struct gh_config_place place = gh_config_where(load, &from->contact);
    if (!from->contact.len && !from->expires.len)
        return;
    if (!from->contact.len || !from->expires.len) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, "RFC 9116 requires both",
                              "security_txt needs contact and expires");
        return;
    }
    if (gh_str_find_char(from->contact, ':') == from->contact.len)
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "write mailto:..., tel:... or https://...",
                              "security_txt.contact is no URI");
    if (!is_one_line(from->contact) || !is_one_line(from->policy) || !is_one_line(from->languages))
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, NULL,
                              "security_txt values must be single lines");
    struct gh_str expires = read_expires(load, &from->expires);
    struct gh_str url = settings->public_url;
    bool has_url = url.len > 0;
    if (has_url && url.ptr[url.len - 1] == '/')
        url.len--;
    policy->security_txt = gh_arena_format(
        load->arena, "Contact: %.*s\nExpires: %.*s\n%s%.*s%s%s%.*s%s%s%.*s%s",
        GH_STR_ARG(from->contact), GH_STR_ARG(expires), from->policy.len ? "Policy: " : "",
        GH_STR_ARG(from->policy), from->policy.len ? "\n" : "",
        from->languages.len ? "Preferred-Languages: " : "", GH_STR_ARG(from->languages),
        from->languages.len ? "\n" : "", has_url ? "Canonical: " : "", GH_STR_ARG(url),
        has_url ? "/.well-known/security.txt\n" : "");
}

void gh_builtin_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                        struct gh_policy *policy)
{
    const struct gh_builtin_settings *from = &settings->builtin;
    struct gh_route *to = policy->builtins;
    for (size_t i = 0; i < GH_BUILTIN_COUNT; i++)
        to[i] = (struct gh_route){
            .index = (size_t)-1,
            .request_body_max = settings->limits.request_body,
            .scrub_errors = false,
            .cors_mode = settings->cors.mode,
            .cross_site_mode = GH_MODE_OFF, /* none of them changes what a caller owns */
            .access = {.kind = GH_ACCESS_PUBLIC},
        };
    to[GH_BUILTIN_HEALTHZ].pattern = check_path(load, &from->healthz, "healthz");
    to[GH_BUILTIN_HEALTHZ].target = GH_TARGET_HEALTHZ;
    to[GH_BUILTIN_READYZ].pattern = check_path(load, &from->readyz, "readyz");
    to[GH_BUILTIN_READYZ].target = GH_TARGET_READYZ;
    to[GH_BUILTIN_METRICS].pattern = check_path(load, &from->metrics, "metrics");
    to[GH_BUILTIN_METRICS].target = GH_TARGET_METRICS;
    to[GH_BUILTIN_SECURITY_TXT].pattern = check_path(load, &from->security_txt, "security_txt");
    to[GH_BUILTIN_CSP_REPORT].pattern = check_path(load, &settings->csp.report_path, "csp reports");
    to[GH_BUILTIN_CSP_REPORT].target = GH_TARGET_CSP_REPORT;
    to[GH_BUILTIN_CSP_REPORT].request_body_max = 64 * 1024;
    to[GH_BUILTIN_HEALTH].pattern = check_path(load, &from->health, "health");
    to[GH_BUILTIN_ROOT].pattern = GH_STR("/");
    if (settings->https.acme_directory.len)
        to[GH_BUILTIN_ACME].pattern = GH_STR("/.well-known/acme-challenge/{token}");
    to[GH_BUILTIN_ACME].target = GH_TARGET_ACME;
    policy->acme_directory = settings->https.acme_directory;
    compile_security_txt(load, settings, policy);
}

#define BUILTIN(field) offsetof(struct gh_builtin_settings, field)

static const struct gh_config_field BUILTIN_FIELDS[] = {
    {.name = "health",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = BUILTIN(health),
     .default_yaml = "/health",
     .doc = "Asked of the upstream first; its 404 or 405 is replaced by ours. \"\" switches any of "
            "these paths off."},
    {.name = "healthz",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = BUILTIN(healthz),
     .default_yaml = "/healthz",
     .doc = "Liveness of the gateway itself, for any Host and over plain HTTP too."},
    {.name = "readyz",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = BUILTIN(readyz),
     .default_yaml = "/readyz",
     .doc = "Readiness: 503 while draining or while an upstream has no server up."},
    {.name = "security_txt",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = BUILTIN(security_txt),
     .default_yaml = "/.well-known/security.txt",
     .doc = "Where security.txt (RFC 9116) stands; 404 without `security_txt`."},
    {.name = "metrics",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = BUILTIN(metrics),
     .default_yaml = "/metrics",
     .doc = "Prometheus metrics, on admin_listen only."},
};

const struct gh_config_table gh_builtin_table = {
    .name = "builtin",
    .doc = "Paths that the gateway answers itself.",
    .size = sizeof(struct gh_builtin_settings),
    .fields = BUILTIN_FIELDS,
    .field_count = sizeof(BUILTIN_FIELDS) / sizeof(BUILTIN_FIELDS[0]),
};

#define SECURITY_TXT(field) offsetof(struct gh_security_txt_settings, field)

static const struct gh_config_field SECURITY_TXT_FIELDS[] = {
    {.name = "contact",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = SECURITY_TXT(contact),
     .doc = "Where to report vulnerabilities: mailto:, tel: or https:."},
    {.name = "expires",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = SECURITY_TXT(expires),
     .doc = "When the file shall no longer be believed: a date, best less than a year ahead."},
    {.name = "policy",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = SECURITY_TXT(policy),
     .doc = "URL of the disclosure policy."},
    {.name = "languages",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = SECURITY_TXT(languages),
     .doc = "Languages that reports may be in, as in `en, de`."},
};

const struct gh_config_table gh_security_txt_table = {
    .name = "security_txt",
    .doc = "What /.well-known/security.txt says (RFC 9116).",
    .size = sizeof(struct gh_security_txt_settings),
    .fields = SECURITY_TXT_FIELDS,
    .field_count = sizeof(SECURITY_TXT_FIELDS) / sizeof(SECURITY_TXT_FIELDS[0]),
};
