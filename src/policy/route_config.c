/*
 * The settings of a route: their table, and their compilation into struct gh_route. What stands in
 * several sections is brought together here (rate limits by name, inherited modes); what the path
 * matches is route.c's.
 */
#include "policy/route.h"

#include "policy/identity_rules.h"
#include "policy/rate.h"

#define GLOBAL_POLICY GH_STR("global")

/* Names that a misspelt one is compared with. */
#define CANDIDATES_MAX 64

/* ---- Compiling ---- */

static bool add_problem_full(struct gh_config_load *load)
{
    gh_config_problem_add(load, GH_CONFIG_ERROR, (struct gh_config_place){0}, NULL,
                          "the configuration needs more memory than it may have");
    return false;
}

/* "did you mean ...?" of names that the load's arena holds with a NUL behind them, or NULL. */
static const char *did_you_mean(struct gh_config_load *load, struct gh_str name,
                                const char *const *candidates, size_t count)
{
    const char *nearest = gh_nearest(name, candidates, count);
    return nearest ? gh_arena_format(load->arena, "did you mean \"%s\"?", nearest).ptr : NULL;
}

static bool compile_upstream(struct gh_config_load *load, const struct gh_route_settings *settings,
                             const struct gh_route_context *context, struct gh_route *route)
{
    if (!settings->upstream.len) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->path),
                              "add upstream: NAME", "the route %.*s has no upstream",
                              GH_STR_ARG(settings->path));
        return false;
    }
    const char *candidates[CANDIDATES_MAX];
    size_t known = 0;
    for (size_t i = 0; i < context->upstream_count; i++) {
        if (gh_str_eq(context->upstream_names[i], settings->upstream)) {
            route->target = GH_TARGET_UPSTREAM;
            route->upstream = i;
            return true;
        }
        struct gh_str copy = gh_arena_dup(load->arena, context->upstream_names[i]);
        if (copy.ptr && known < CANDIDATES_MAX)
            candidates[known++] = copy.ptr;
    }
    gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->upstream),
                          did_you_mean(load, settings->upstream, candidates, known),
                          "upstreams has no \"%.*s\"", GH_STR_ARG(settings->upstream));
    return false;
}

/* TRACE and CONNECT are refused before routing; a method without a name has no bit. */
static bool is_routable(enum gh_method method)
{
    return method != GH_METHOD_OTHER && method != GH_METHOD_TRACE && method != GH_METHOD_CONNECT;
}

static bool compile_methods(struct gh_config_load *load, const struct gh_route_settings *settings,
                            struct gh_route *route)
{
    const struct gh_str *items = settings->methods.items;
    bool good = true;
    for (size_t i = 0; i < settings->methods.count; i++) {
        enum gh_method method = gh_method_of(items[i]);
        if (is_routable(method)) {
            route->method_mask |= 1u << method;
            continue;
        }
        good = false;
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &items[i]),
                              "use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, in capitals",
                              "\"%.*s\" is no method for a route", GH_STR_ARG(items[i]));
    }
    if (!settings->methods.count) {
        route->method_mask = (1u << GH_METHOD_COUNT) - 1;
        return good;
    }
    if (route->method_mask & 1u << GH_METHOD_GET)
        route->method_mask |= 1u << GH_METHOD_HEAD;
    char text[128];
    struct gh_buf names = gh_buf_over(text, sizeof(text));
    for (unsigned method = 0; method < GH_METHOD_COUNT; method++) {
        if (route->method_mask & 1u << method) {
            gh_buf_put(&names, names.len ? GH_STR(", ") : GH_STR(""));
            gh_buf_put(&names, gh_method_name((enum gh_method)method));
        }
    }
    route->methods = gh_arena_dup(load->arena, gh_buf_str(&names));
    return route->methods.ptr ? good : add_problem_full(load);
}

/* context->rate_count when there is none of that name. */
static size_t find_rate(const struct gh_route_context *context, struct gh_str name)
{
    size_t i = 0;
    while (i < context->rate_count && !gh_str_eq(context->rates[i].name, name))
        i++;
    return i;
}

static void add_rate(size_t *indices, size_t *count, size_t index)
{
    for (size_t i = 0; i < *count; i++) {
        if (indices[i] == index)
            return;
    }
    indices[(*count)++] = index;
}

static void add_unknown_rate(struct gh_config_load *load, const struct gh_route_context *context,
                             const struct gh_str *name)
{
    const char *candidates[CANDIDATES_MAX];
    size_t known = 0;
    for (size_t i = 0; i < context->rate_count && known < CANDIDATES_MAX; i++) {
        struct gh_str copy = gh_arena_dup(load->arena, context->rates[i].name);
        if (copy.ptr)
            candidates[known++] = copy.ptr;
    }
    gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, name),
                          did_you_mean(load, *name, candidates, known),
                          "rate_limits has no \"%.*s\"", GH_STR_ARG(*name));
}

/* The route's own limits, then `global`, which applies everywhere but with `rate_limit: []`. */
static bool compile_rates(struct gh_config_load *load, const struct gh_route_settings *settings,
                          const struct gh_route_context *context, struct gh_route *route)
{
    const struct gh_str *names = settings->rate_limit.items;
    bool good = true;
    if (settings->rate_limit_given && !settings->rate_limit.count)
        return true;
    size_t *indices =
        gh_arena_zalloc(load->arena, settings->rate_limit.count + 1, sizeof(*indices));
    if (!indices)
        return add_problem_full(load);
    for (size_t i = 0; i < settings->rate_limit.count; i++) {
        size_t index = find_rate(context, names[i]);
        if (index < context->rate_count) {
            add_rate(indices, &route->rate_limit_count, index);
        } else {
            add_unknown_rate(load, context, &names[i]);
            good = false;
        }
    }
    size_t global = find_rate(context, GLOBAL_POLICY);
    if (global < context->rate_count)
        add_rate(indices, &route->rate_limit_count, global);
    route->rate_limits = indices;
    if (route->rate_limit_count <= GH_LIMIT_CHARGES_MAX)
        return good;
    gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->rate_limit), NULL,
                          "a route can have at most %d rate limits, `global` included",
                          GH_LIMIT_CHARGES_MAX);
    return false;
}

void gh_route_note_rates(struct gh_route *route, const struct gh_rate_policy *rates)
{
    for (size_t i = 0; i < route->rate_limit_count; i++) {
        const struct gh_rate_policy *rate = &rates[route->rate_limits[i]];
        if (rate->mode == GH_MODE_OFF)
            continue;
        route->rate_points |= (uint8_t)(1u << rate->point);
        if (rate->mode == GH_MODE_OBSERVE)
            route->observed_rates |= (uint8_t)(1u << rate->point);
    }
}

bool gh_route_compile(struct gh_config_load *load, const struct gh_route_settings *settings,
                      size_t index, const struct gh_route_context *context,
                      struct gh_route *out_route)
{
    *out_route = (struct gh_route){
        .pattern = settings->path,
        .index = index,
        .request_body_max =
            settings->request_body ? settings->request_body : context->request_body_max,
        .response_timeout_ms = settings->timeouts.response_ms,
        .idle_timeout_ms = settings->timeouts.idle_ms,
        .websocket = settings->websocket,
        .encoded = settings->encoded,
        .scrub_errors = settings->errors == GH_ERRORS_SCRUB ||
                        (settings->errors == GH_ERRORS_DEFAULT && context->scrub_errors),
        .cors_mode = settings->cors.given ? settings->cors.mode : context->cors_mode,
        .cross_site_mode =
            settings->cross_site.given ? settings->cross_site.mode : context->cross_site_mode,
    };
    bool good = compile_methods(load, settings, out_route);
    good &= compile_upstream(load, settings, context, out_route);
    good &= compile_rates(load, settings, context, out_route);
    good &= gh_access_compile(load, settings, context, &out_route->access);
    gh_route_note_rates(out_route, context->rates);
    return good;
}

/* ---- The table ---- */

/* The settings that a custom reader was given a member of. */
#define SETTINGS_OF(member_ptr, member)                                                            \
    ((struct gh_route_settings *)(void *)((char *)(member_ptr)-offsetof(struct gh_route_settings,  \
                                                                        member)))

static const struct gh_config_field STRING_ITEM = {.type = GH_CONFIG_TYPE_STRING};

static void read_rate_limit(struct gh_config_load *load, const struct gh_config_node *node,
                            void *out)
{
    static const struct gh_config_field names = {.name = "rate_limit",
                                                 .type = GH_CONFIG_TYPE_LIST,
                                                 .item = &STRING_ITEM,
                                                 .one_or_list = true};
    SETTINGS_OF(out, rate_limit)->rate_limit_given = true;
    gh_config_bind_value(load, &names, node, out);
}

static void read_headers(struct gh_config_load *load, const struct gh_config_node *node, void *out)
{
    SETTINGS_OF(out, headers)->headers_given = true;
    gh_config_bind(load, &gh_headers_table, node, out);
}

static void read_csp(struct gh_config_load *load, const struct gh_config_node *node, void *out)
{
    SETTINGS_OF(out, csp)->csp_given = true;
    gh_config_bind(load, &gh_csp_table, node, out);
}

static const struct gh_config_field MODE_FIELDS[] = {
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = offsetof(struct gh_route_mode, mode),
     .names = gh_mode_names,
     .doc = "enforce, observe or off, for this route."},
};
static const struct gh_config_table MODE_TABLE = {
    .name = "mode",
    .doc = "The mode of a control on one route.",
    .size = sizeof(struct gh_route_mode),
    .fields = MODE_FIELDS,
    .field_count = 1,
};

static void read_mode(struct gh_config_load *load, const struct gh_config_node *node, void *out)
{
    struct gh_route_mode *mode = out;
    mode->given = true;
    gh_config_bind(load, &MODE_TABLE, node, mode);
}

#define MODE_SCHEMA                                                                                \
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"mode\":"                \
    "{\"enum\":[\"enforce\",\"observe\",\"off\"]}}}"

static const char *const ENCODED_NAMES[] = {"refuse", "keep", NULL};
static const char *const ERRORS_NAMES[] = {"", "scrub", "pass", NULL};

#define ROUTE(member) .offset = offsetof(struct gh_route_settings, member)

#define TIMEOUT(member)                                                                            \
    .offset = offsetof(struct gh_route_settings, timeouts.member) -                                \
              offsetof(struct gh_route_settings, timeouts)

static const struct gh_config_field TIMEOUT_FIELDS[] = {
    {.name = "response",
     .type = GH_CONFIG_TYPE_DURATION,
     TIMEOUT(response_ms),
     .min = 1,
     .doc = "How long the upstream may take to begin its answer. Default: the upstream's."},
    {.name = "idle",
     .type = GH_CONFIG_TYPE_DURATION,
     TIMEOUT(idle_ms),
     .min = 1,
     .doc = "How long an answer or a tunnel may stand still. Default: the upstream's."},
};
static const struct gh_config_table TIMEOUTS_TABLE = {
    .name = "timeouts",
    .doc = "Timeouts of one route, in place of its upstream's.",
    .size = sizeof(((struct gh_route_settings *)0)->timeouts),
    .fields = TIMEOUT_FIELDS,
    .field_count = sizeof(TIMEOUT_FIELDS) / sizeof(TIMEOUT_FIELDS[0]),
};

static const struct gh_config_field ROUTE_FIELDS[] = {
    {.name = "path",
     .type = GH_CONFIG_TYPE_STRING,
     ROUTE(path),
     .required = true,
     .doc = "What it takes: literal segments, `{name}` for one segment, `**` at the end for any "
            "rest (also none). The most specific route wins, not the first."},
    {.name = "methods",
     .type = GH_CONFIG_TYPE_LIST,
     ROUTE(methods),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "Methods it takes, all when left out; GET includes HEAD. Others are answered 405."},
    {.name = "upstream",
     .type = GH_CONFIG_TYPE_STRING,
     ROUTE(upstream),
     .doc = "The name of the upstream that answers."},
    {.name = "site",
     .type = GH_CONFIG_TYPE_LATER,
     .doc = "A directory with a built single-page app, in place of an upstream."},
    {.name = "access",
     .type = GH_CONFIG_TYPE_CUSTOM,
     ROUTE(access),
     .custom = gh_access_read,
     .custom_schema = gh_access_schema,
     .doc = "Who may call: `public`, `signed_in`, or a map of `role`, `two_factor`, `fresh`, "
            "`owner`, `owner_issuer`, `or_role`, `mode`. Default: signed_in with identity, public "
            "without."},
    {.name = "rate_limit",
     .type = GH_CONFIG_TYPE_CUSTOM,
     ROUTE(rate_limit),
     .custom = read_rate_limit,
     .custom_schema = "{\"oneOf\":[{\"type\":\"string\"},"
                      "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}",
     .doc = "Limits of `rate_limits` that apply beside `global`: a name or a list. `[]`: none, "
            "not even `global`."},
    {.name = "request_body",
     .type = GH_CONFIG_TYPE_SIZE,
     ROUTE(request_body),
     .min = 1,
     .doc = "The largest request body. Default: `limits.request_body`."},
    {.name = "timeouts",
     .type = GH_CONFIG_TYPE_TABLE,
     ROUTE(timeouts),
     .table = &TIMEOUTS_TABLE,
     .doc = "In place of the upstream's timeouts."},
    {.name = "websocket",
     .type = GH_CONFIG_TYPE_BOOL,
     ROUTE(websocket),
     .doc = "Lets WebSocket upgrades through; their Origin is checked."},
    {.name = "encoded",
     .type = GH_CONFIG_TYPE_ENUM,
     ROUTE(encoded),
     .names = ENCODED_NAMES,
     .doc = "`%2F`, `%25` and `;` in the path: `refuse` (the default) or `keep`."},
    {.name = "errors",
     .type = GH_CONFIG_TYPE_ENUM,
     ROUTE(errors),
     .names = ERRORS_NAMES,
     .doc = "The upstream's 5xx bodies: `scrub` replaces them by a problem document (the default "
            "in production), `pass` lets them through."},
    {.name = "headers",
     .type = GH_CONFIG_TYPE_CUSTOM,
     ROUTE(headers),
     .custom = read_headers,
     .custom_schema = "{\"type\":\"object\"}",
     .doc = "Response headers of this route, over those of the file: the same keys."},
    {.name = "csp",
     .type = GH_CONFIG_TYPE_CUSTOM,
     ROUTE(csp),
     .custom = read_csp,
     .custom_schema = "{\"type\":\"object\"}",
     .doc = "The Content-Security-Policy of this route, in place of the file's: the same keys."},
    {.name = "cors",
     .type = GH_CONFIG_TYPE_CUSTOM,
     ROUTE(cors),
     .custom = read_mode,
     .custom_schema = MODE_SCHEMA,
     .doc = "`{mode}` of cross-origin rules here, in place of the file's."},
    {.name = "cross_site",
     .type = GH_CONFIG_TYPE_CUSTOM,
     ROUTE(cross_site),
     .custom = read_mode,
     .custom_schema = MODE_SCHEMA,
     .doc = "`{mode}` of the check of cross-site requests here, in place of the file's."},
    {.name = "input",
     .type = GH_CONFIG_TYPE_TABLE,
     ROUTE(input),
     .table = &gh_input_table,
     .doc = "The OpenAPI document that requests are checked by: its path, or a map."},
};

const struct gh_config_table gh_route_table = {
    .name = "routes",
    .doc = "What is served, and by whom. The most specific match wins, not the first.",
    .size = sizeof(struct gh_route_settings),
    .fields = ROUTE_FIELDS,
    .field_count = sizeof(ROUTE_FIELDS) / sizeof(ROUTE_FIELDS[0]),
};
