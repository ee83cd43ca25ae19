/*
 * Settings to policy: calls the compile function of each feature in an order in which later ones
 * find what they need, and compiles the routes, where the features meet.
 */
#include "policy/policy.h"

#include "policy/headers.h"
#include "policy/input.h"

/* The limit of the CSP report endpoint; a policy of that name in the file takes its place. */
#define CSP_REPORT_POLICY_NAME "csp-report"
#define CSP_REPORT_POLICY      GH_STR(CSP_REPORT_POLICY_NAME)

struct compile {
    struct gh_config_load *load;
    const struct gh_policy_settings *settings;
    const struct gh_str *upstream_names;
    size_t upstream_count;
    struct gh_policy *policy;
};

struct gh_str gh_policy_join(struct gh_arena *arena, const struct gh_str *items, size_t count,
                             struct gh_str separator)
{
    size_t cap = 1;
    for (size_t i = 0; i < count; i++)
        cap += items[i].len + separator.len;
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return (struct gh_str){0};
    struct gh_buf out = gh_buf_over(memory, cap);
    for (size_t i = 0; i < count; i++) {
        gh_buf_put(&out, i ? separator : GH_STR(""));
        gh_buf_put(&out, items[i]);
    }
    return gh_buf_str(&out);
}

static void full(struct compile *compile)
{
    gh_config_problem_add(compile->load, GH_CONFIG_ERROR, (struct gh_config_place){0}, NULL,
                          "the configuration needs more memory than it may have");
}

/* ---- Rate limits ---- */

static bool has_rate(const struct gh_config_map *map, size_t count, struct gh_str name)
{
    for (size_t i = 0; i < count; i++)
        if (gh_str_eq(map->keys[i], name))
            return true;
    return false;
}

/* Adds a policy of ours, unless the file has one of that name. */
static bool add_own_rate(struct compile *compile, struct gh_config_map *all, const char *name,
                         const char *limit, const char *key)
{
    struct gh_rate_settings *item = (struct gh_rate_settings *)all->items + all->count;
    struct gh_str *keys = gh_arena_zalloc(compile->load->arena, 1, sizeof(*keys));
    if (!keys)
        return false;
    if (has_rate(all, all->count, gh_str_from_c(name)))
        return true;
    *keys = gh_str_from_c(key);
    *item = (struct gh_rate_settings){.key = {keys, 1}};
    if (!gh_config_read_rate(gh_str_from_c(limit), &item->limit))
        return false;
    all->keys[all->count++] = gh_str_from_c(name);
    return true;
}

/* The file's policies, and behind them those that come with the gateway and with identity. */
static bool gather_rates(struct compile *compile, struct gh_config_map *all)
{
    const struct gh_config_map *from = &compile->settings->rate_limits;
    const struct gh_policy_identity *identity = &compile->settings->identity;
    struct gh_arena *arena = compile->load->arena;
    size_t count_max = from->count + 1 + identity->limit_count;
    all->items = gh_arena_zalloc(arena, count_max, sizeof(struct gh_rate_settings));
    all->keys = gh_arena_zalloc(arena, count_max, sizeof(*all->keys));
    all->places = gh_arena_zalloc(arena, count_max, sizeof(*all->places));
    if (!all->items || !all->keys || !all->places)
        return false;
    all->count = from->count;
    if (from->count) {
        memcpy(all->items, from->items, from->count * sizeof(struct gh_rate_settings));
        memcpy(all->keys, from->keys, from->count * sizeof(*all->keys));
        if (from->places)
            memcpy(all->places, from->places, from->count * sizeof(*all->places));
    }
    bool good = add_own_rate(compile, all, CSP_REPORT_POLICY_NAME, "60/minute", "client");
    for (size_t i = 0; identity->enabled && i < identity->limit_count && good; i++)
        good = add_own_rate(compile, all, identity->limits[i].name, identity->limits[i].limit,
                            identity->limits[i].key);
    return good;
}

static void compile_rate(struct compile *compile)
{
    struct gh_config_map all = {0};
    if (!gather_rates(compile, &all)) {
        full(compile);
        return;
    }
    if (!gh_rate_compile(compile->load, &all, compile->settings->identity.enabled,
                         &compile->policy->rate_policies, &compile->policy->rate_policy_count))
        compile->policy->rate_policy_count = 0;
}

static size_t find_rate(const struct gh_policy *policy, struct gh_str name)
{
    for (size_t i = 0; i < policy->rate_policy_count; i++)
        if (gh_str_eq(policy->rate_policies[i].name, name))
            return i;
    return GH_NAME_ABSENT;
}

/* ---- Routes ---- */

/* The settings that `route` (NULL: none) answers by. */
static const struct gh_header_block *compile_block(struct compile *compile,
                                                   const struct gh_route_settings *route)
{
    const struct gh_policy_settings *settings = compile->settings;
    struct gh_header_source source = {
        .environment = settings->environment,
        .headers = &settings->headers,
        .csp = settings->csp_given ? &settings->csp : NULL,
        .report_path = settings->csp.report_path,
    };
    if (route && route->headers_given)
        source.route_headers = &route->headers;
    if (route && route->csp_given) {
        source.csp = &route->csp;
        source.csp_of_route = true;
    }
    const struct gh_header_block *block = gh_header_block_compile(compile->load, &source);
    if (!block)
        full(compile);
    return block;
}

static void compile_routes(struct compile *compile)
{
    const struct gh_route_settings *from = compile->settings->routes.items;
    size_t count = compile->settings->routes.count;
    struct gh_policy *policy = compile->policy;
    struct gh_arena *arena = compile->load->arena;
    struct gh_route *routes = gh_arena_zalloc(arena, count + 1, sizeof(*routes));
    struct gh_config_place *places = gh_arena_zalloc(arena, count + 1, sizeof(*places));
    if (!routes || !places) {
        full(compile);
        return;
    }
    const struct gh_route_context context = {
        .upstream_names = compile->upstream_names,
        .upstream_count = compile->upstream_count,
        .rates = policy->rate_policies,
        .rate_count = policy->rate_policy_count,
        .request_body_max = compile->settings->limits.request_body,
        .scrub_errors = compile->settings->environment == GH_PRODUCTION,
        .cors_mode = compile->settings->cors.mode,
        .cross_site_mode = compile->settings->cross_site_mode,
        .identity = compile->settings->identity.enabled ? &compile->settings->identity : NULL,
        .production = compile->settings->environment == GH_PRODUCTION,
        .unsafe_observe_access = compile->settings->unsafe_observe_access,
    };
    for (size_t i = 0; i < count; i++) {
        bool own_headers = from[i].headers_given || from[i].csp_given;
        places[i] = gh_config_where(compile->load, &from[i].path);
        gh_route_compile(compile->load, &from[i], i, &context, &routes[i]);
        routes[i].block = own_headers ? compile_block(compile, &from[i]) : policy->block;
        routes[i].input = gh_input_compile(compile->load, &from[i].input,
                                           routes[i].request_body_max, &policy->input_apis);
    }
    if (!count)
        gh_config_problem_add(compile->load, GH_CONFIG_WARNING, (struct gh_config_place){0},
                              "add routes: [{path: /**, upstream: NAME}]",
                              "there are no routes: everything is answered 404");
    policy->routes = routes;
    policy->route_count = count;
    policy->tree = gh_route_tree_build(compile->load, routes, places, count);
    if (!policy->tree && !compile->load->error_count)
        full(compile);
}

/* The built-ins answer with the file's headers; reports have a limit of their own. */
static void finish_builtins(struct compile *compile)
{
    struct gh_policy *policy = compile->policy;
    for (size_t i = 0; i < GH_BUILTIN_COUNT; i++)
        policy->builtins[i].block = policy->block;
    size_t *limit = gh_arena_zalloc(compile->load->arena, 1, sizeof(*limit));
    size_t index = find_rate(policy, CSP_REPORT_POLICY);
    if (!limit || index == GH_NAME_ABSENT)
        return;
    *limit = index;
    policy->builtins[GH_BUILTIN_CSP_REPORT].rate_limits = limit;
    policy->builtins[GH_BUILTIN_CSP_REPORT].rate_limit_count = 1;
    gh_route_note_rates(&policy->builtins[GH_BUILTIN_CSP_REPORT], policy->rate_policies);
}

/* The service answers as an API, whatever the site in front of it is. */
static void compile_identity(struct compile *compile)
{
    struct gh_route_settings service = {.headers = {.preset = GH_PRESET_API},
                                        .headers_given = true};
    if (!compile->settings->identity.enabled)
        return;
    gh_identity_compile(compile->load, compile->settings, compile_block(compile, &service),
                        compile->policy);
}

const struct gh_policy *gh_policy_compile(struct gh_config_load *load,
                                          const struct gh_policy_settings *settings,
                                          const struct gh_str *upstream_names,
                                          size_t upstream_count)
{
    unsigned errors_before = load->error_count;
    struct gh_policy *policy = gh_arena_zalloc(load->arena, 1, sizeof(*policy));
    struct compile compile = {load, settings, upstream_names, upstream_count, policy};
    if (!policy) {
        full(&compile);
        return NULL;
    }
    policy->environment = settings->environment;
    policy->limits = settings->limits;
    policy->cross_site_mode = settings->cross_site_mode;
    gh_client_compile(load, settings, policy);
    gh_hosts_compile(load, settings, policy);
    gh_https_compile(load, settings, policy);
    gh_cors_compile(load, settings, policy);
    gh_builtin_compile(load, settings, policy);
    compile_rate(&compile);
    policy->block = compile_block(&compile, NULL);
    compile_routes(&compile);
    compile_identity(&compile);
    finish_builtins(&compile);
    return load->error_count == errors_before ? policy : NULL;
}

const struct gh_limits_settings *gh_policy_limits(const struct gh_policy *policy)
{
    return &policy->limits;
}

bool gh_policy_is_production(const struct gh_policy *policy)
{
    return policy->environment == GH_PRODUCTION;
}

struct gh_str gh_policy_acme_directory(const struct gh_policy *policy)
{
    return policy->acme_directory;
}

const struct gh_rate_policy *gh_policy_rates(const struct gh_policy *policy)
{
    return policy->rate_policies;
}
