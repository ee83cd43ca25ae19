/* The table of `cors` and its compilation: what browsers could misread or what opens more than was
   meant is refused when the configuration is loaded. */
#include "policy/policy.h"

/* Always readable by pages, so that they can slow down and quote the request (SPEC stage 7). */
static const struct gh_str EXPOSED[] = {
    GH_STR_INIT("RateLimit"),
    GH_STR_INIT("RateLimit-Policy"),
    GH_STR_INIT("Retry-After"),
    GH_STR_INIT("X-Request-Id"),
};
#define EXPOSED_COUNT (sizeof(EXPOSED) / sizeof(EXPOSED[0]))

/* What is wrong with an entry and how to mend it, by enum gh_origin_fault. */
static const char *const ORIGIN_REMEDIES[] = {
    [GH_ORIGIN_MALFORMED] = "write scheme://host or scheme://host:port",
    [GH_ORIGIN_NULL] = "\"null\" is what any sandboxed page sends: list real origins",
    [GH_ORIGIN_PATH] = "an origin has no path and no final slash",
    [GH_ORIGIN_UPPER_CASE] = "browsers send origins in lower case: write it so",
    [GH_ORIGIN_DEFAULT_PORT] = "browsers leave the default port out: leave it out",
};

static bool is_local(struct gh_str host)
{
    return gh_str_eq(host, GH_STR("localhost")) || gh_str_ends_with(host, GH_STR(".localhost")) ||
           gh_str_eq(host, GH_STR("127.0.0.1")) || gh_str_eq(host, GH_STR("[::1]"));
}

static void compile_origins(struct gh_config_load *load, const struct gh_policy_settings *settings,
                            struct gh_cors_rule *cors)
{
    const struct gh_str *items = settings->cors.origins.items;
    size_t count = settings->cors.origins.count, exact_count = 0;
    struct gh_str *exact = gh_arena_zalloc(load->arena, count + 1, sizeof(*exact));
    struct gh_origin *wildcards = gh_arena_zalloc(load->arena, count + 1, sizeof(*wildcards));
    if (!exact || !wildcards)
        return;
    cors->wildcards = wildcards;
    for (size_t i = 0; i < count; i++) {
        struct gh_config_place place = gh_config_where(load, &items[i]);
        struct gh_origin origin;
        if (gh_str_eq(items[i], GH_STR("*"))) {
            cors->any_origin = true;
            if (settings->cors.credentials)
                gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                                      "list the origins, or set credentials: false",
                                      "the origin \"*\" can't be combined with credentials");
            continue;
        }
        enum gh_origin_fault fault = gh_origin_parse(items[i], true, &origin);
        if (fault != GH_ORIGIN_OK) {
            gh_config_problem_add(load, GH_CONFIG_ERROR, place, ORIGIN_REMEDIES[fault],
                                  "\"%.*s\" is no origin that a browser sends",
                                  GH_STR_ARG(items[i]));
            continue;
        }
        if (settings->environment == GH_PRODUCTION && !is_local(origin.host) &&
            gh_str_eq(origin.scheme, GH_STR("http")))
            gh_config_problem_add(load, GH_CONFIG_WARNING, place, "use its https origin",
                                  "the origin \"%.*s\" is not https: whoever is on its path can "
                                  "speak for it",
                                  GH_STR_ARG(items[i]));
        if (gh_str_starts_with(origin.host, GH_STR("*.")))
            wildcards[cors->wildcard_count++] = origin;
        else
            exact[exact_count++] = items[i];
    }
    gh_name_set_build(&cors->origins, load->arena, exact, exact_count, false);
}

/* Methods or headers: tokens, or "*". */
static bool compile_tokens(struct gh_config_load *load, const struct gh_policy_settings *settings,
                           const struct gh_config_list *list, const char *what,
                           struct gh_name_set *set)
{
    const struct gh_str *items = list->items;
    bool any = false;
    for (size_t i = 0; i < list->count; i++) {
        struct gh_config_place place = gh_config_where(load, &items[i]);
        if (gh_str_eq(items[i], GH_STR("*"))) {
            any = true;
            if (settings->cors.credentials)
                gh_config_problem_add(load, GH_CONFIG_WARNING, place, "list them",
                                      "\"*\" in cors.%s with credentials allows whatever is asked "
                                      "for",
                                      what);
        } else if (!gh_is_token(items[i])) {
            gh_config_problem_add(load, GH_CONFIG_ERROR, place, NULL,
                                  "\"%.*s\" in cors.%s is no HTTP token", GH_STR_ARG(items[i]),
                                  what);
        }
    }
    gh_name_set_build(set, load->arena, items, list->count, set->fold_case);
    return any;
}

static struct gh_str compile_expose(struct gh_config_load *load,
                                    const struct gh_config_list *expose)
{
    const struct gh_str *items = expose->items;
    size_t count = EXPOSED_COUNT;
    struct gh_str *all = gh_arena_zalloc(load->arena, expose->count + count, sizeof(*all));
    if (!all)
        return (struct gh_str){0};
    memcpy(all, EXPOSED, sizeof(EXPOSED));
    for (size_t i = 0; i < expose->count; i++) {
        bool known = false;
        for (size_t k = 0; k < count; k++)
            known |= gh_str_ieq(all[k], items[i]);
        if (!gh_is_token(items[i]))
            gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &items[i]), NULL,
                                  "\"%.*s\" in cors.expose is no field name", GH_STR_ARG(items[i]));
        if (!known)
            all[count++] = items[i];
    }
    return gh_policy_join(load->arena, all, count, GH_STR(", "));
}

void gh_cors_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                     struct gh_policy *policy)
{
    const struct gh_cors_settings *from = &settings->cors;
    struct gh_cors_rule *cors = &policy->cors;
    cors->mode = from->mode;
    cors->configured = from->origins.count > 0; /* CORS_ORIGINS alone is enough */
    cors->credentials = from->credentials;
    if (settings->cors_given && !from->origins.count && from->mode != GH_MODE_OFF)
        gh_config_problem_add(load, GH_CONFIG_WARNING, gh_config_where(load, &from->origins),
                              "list the origins of the pages that call this API",
                              "cors has no origins: every preflight is refused");
    compile_origins(load, settings, cors);
    cors->any_method = compile_tokens(load, settings, &from->methods, "methods", &cors->methods);
    cors->headers.fold_case = true;
    cors->any_header = compile_tokens(load, settings, &from->headers, "headers", &cors->headers);
    cors->methods_value =
        gh_policy_join(load->arena, from->methods.items, from->methods.count, GH_STR(", "));
    cors->headers_value =
        gh_policy_join(load->arena, from->headers.items, from->headers.count, GH_STR(", "));
    cors->expose_value = compile_expose(load, &from->expose);
    cors->max_age_value =
        gh_arena_format(load->arena, "%llu", (unsigned long long)(from->max_age_ms / 1000));
}

#define CORS(field) offsetof(struct gh_cors_settings, field)

static const struct gh_config_field STRING_ITEM = {.type = GH_CONFIG_TYPE_STRING};

static const struct gh_config_field CORS_FIELDS[] = {
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = CORS(mode),
     .names = gh_mode_names,
     .doc = "enforce: we answer preflights and the backend's own Access-Control fields are "
            "removed, also without any origins. observe: the backend answers, refusals are "
            "logged. off: CORS is the backend's business."},
    {.name = "origins",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = CORS(origins),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .env = "CORS_ORIGINS",
     .env_is_comma_list = true,
     .doc = "Origins whose pages may call us, byte for byte as browsers send them; "
            "`https://*.example.com` is any subdomain; `*` is all, without credentials only."},
    {.name = "methods",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = CORS(methods),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .default_yaml = "[GET, HEAD, POST]",
     .doc = "Methods that preflights may ask for."},
    {.name = "headers",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = CORS(headers),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .default_yaml = "[Accept, Authorization, Content-Type]",
     .doc = "Request fields that preflights may ask for, in any case."},
    {.name = "expose",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = CORS(expose),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "Response fields that pages may read, beside RateLimit, RateLimit-Policy, Retry-After "
            "and X-Request-Id."},
    {.name = "credentials",
     .type = GH_CONFIG_TYPE_BOOL,
     .offset = CORS(credentials),
     .doc = "Whether those pages may send cookies."},
    {.name = "max_age",
     .type = GH_CONFIG_TYPE_DURATION,
     .offset = CORS(max_age_ms),
     .default_yaml = "10m",
     .max = 86400000,
     .doc = "How long browsers may remember a preflight."},
};

const struct gh_config_table gh_cors_table = {
    .name = "cors",
    .doc = "Which pages of other origins may call this API.",
    .size = sizeof(struct gh_cors_settings),
    .fields = CORS_FIELDS,
    .field_count = sizeof(CORS_FIELDS) / sizeof(CORS_FIELDS[0]),
};
