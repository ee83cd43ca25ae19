/*
 * Settings of identity to what the stages judge by: names, ready-made challenges, the routes of the
 * service's endpoints and those of forward-auth.
 */
#include "policy/policy.h"

struct compile {
    struct gh_config_load *load;
    const struct gh_policy_settings *settings;
    const struct gh_header_block *block;
    struct gh_policy *policy;
    struct gh_identity_rules *rules;
};

static bool fail(struct compile *compile, const char *what)
{
    gh_config_problem_add(compile->load, GH_CONFIG_ERROR, (struct gh_config_place){0}, NULL, "%s",
                          what);
    return false;
}

static bool full(struct compile *compile)
{
    return fail(compile, "the configuration needs more memory than it may have");
}

/* ---- Names and texts ---- */

static struct gh_str fold(struct gh_arena *arena, struct gh_str name)
{
    char *memory = gh_arena_alloc(arena, name.len + 1);
    if (!memory)
        return (struct gh_str){0};
    for (size_t i = 0; i < name.len; i++)
        memory[i] = name.ptr[i] == '_' || name.ptr[i] == '.' ? '-' : gh_ascii_lower(name.ptr[i]);
    return gh_str_of(memory, name.len);
}

static bool compile_headers(struct compile *compile)
{
    static const struct gh_str DEFAULTS[GH_IDENTITY_HEADER_COUNT] = {
        GH_STR_INIT("x-user-id"), GH_STR_INIT("x-user-email"), GH_STR_INIT("x-user-roles"),
        GH_STR_INIT("x-session-id")};
    struct gh_identity_rules *rules = compile->rules;
    rules->headers = compile->settings->identity.headers;
    const struct gh_str names[GH_IDENTITY_HEADER_COUNT] = {
        rules->headers.user_id, rules->headers.user_email, rules->headers.user_roles,
        rules->headers.session_id};
    for (size_t i = 0; i < GH_IDENTITY_HEADER_COUNT; i++) {
        struct gh_str folded = fold(compile->load->arena, names[i]);
        if (!folded.ptr)
            return full(compile);
        if (!gh_is_token(names[i]))
            return fail(compile, "a name in identity.forward_headers is no field name");
        if (!gh_str_eq(folded, DEFAULTS[i]))
            rules->own_names[rules->own_name_count++] = folded;
    }
    return true;
}

static struct gh_str challenge(struct compile *compile, const char *rest)
{
    const struct gh_str host = compile->policy->https.public_host;
    const struct gh_str realm = host.len ? host : GH_STR("gatehouse");
    return gh_arena_format(compile->load->arena, "Bearer realm=\"%.*s\"%s", GH_STR_ARG(realm),
                           rest);
}

static bool compile_challenges(struct compile *compile)
{
    struct gh_identity_rules *rules = compile->rules;
    struct gh_str fresh = gh_arena_format(
        compile->load->arena,
        ", error=\"insufficient_user_authentication\", error_description=\"A more recent "
        "authentication is needed\", max_age=\"%llu\"",
        (unsigned long long)rules->fresh_s);
    if (!fresh.ptr)
        return full(compile);
    rules->challenge.plain = challenge(compile, "");
    rules->challenge.invalid =
        challenge(compile, ", error=\"invalid_token\", error_description=\"The access token is not "
                           "valid\"");
    rules->challenge.expired =
        challenge(compile, ", error=\"invalid_token\", error_description=\"The access token "
                           "expired\"");
    rules->challenge.ambiguous =
        challenge(compile, ", error=\"invalid_request\", error_description=\"Send one access "
                           "token\"");
    rules->challenge.fresh = challenge(compile, fresh.ptr);
    rules->challenge.two_factor =
        challenge(compile, ", error=\"insufficient_user_authentication\", error_description=\"A "
                           "second factor is needed\", acr_values=\"mfa\"");
    return rules->challenge.two_factor.ptr ? true : full(compile);
}

static void compile_names(struct compile *compile)
{
    const struct gh_policy_identity *from = &compile->settings->identity;
    struct gh_identity_rules *rules = compile->rules;
    rules->roles = from->roles;
    rules->fresh_s = from->fresh_ms / 1000;
    rules->forward = from->forward;
    rules->login_url = from->login_url;
    for (size_t i = 0; i < GH_COOKIE_COUNT; i++)
        rules->cookies[i] = gh_session_cookie_name((enum gh_session_cookie)i, from->plain_cookies);
    if (!from->login_url.len || from->login_url.ptr[0] != '/')
        return;
    size_t len = 0;
    while (len < from->login_url.len && from->login_url.ptr[len] != '?' &&
           from->login_url.ptr[len] != '#')
        len++;
    rules->login_path = gh_str_first(from->login_url, len);
}

/* ---- The service's endpoints ---- */

static struct gh_str base_of(const struct gh_policy_identity *identity)
{
    struct gh_str base = identity->base_path;
    while (base.len && base.ptr[base.len - 1] == '/')
        base.len--;
    return base;
}

static bool add_limit(struct compile *compile, struct gh_route *route, size_t *indices,
                      struct gh_str name, bool must_be)
{
    const struct gh_policy *policy = compile->policy;
    for (size_t i = 0; i < policy->rate_policy_count; i++) {
        if (!gh_str_eq(policy->rate_policies[i].name, name))
            continue;
        indices[route->rate_limit_count++] = i;
        return true;
    }
    return !must_be || compile->load->error_count ||
           fail(compile, "an endpoint of identity names a rate limit that there is not");
}

static bool compile_limits(struct compile *compile, const struct gh_service_endpoint *endpoint,
                           struct gh_route *route)
{
    const size_t max = sizeof(endpoint->limits) / sizeof(endpoint->limits[0]);
    size_t *indices = gh_arena_zalloc(compile->load->arena, max + 1, sizeof(*indices));
    if (!indices)
        return full(compile);
    route->rate_limits = indices;
    for (size_t i = 0; i < max; i++)
        if (endpoint->limits[i] &&
            !add_limit(compile, route, indices, gh_str_from_c(endpoint->limits[i]), true))
            return false;
    if (!add_limit(compile, route, indices, GH_STR("global"), false))
        return false;
    gh_route_note_rates(route, compile->policy->rate_policies);
    return true;
}

/* What clients send where no body is wanted (an empty object, mostly) is read and dropped. */
#define IGNORED_BODY_BYTES_MAX 1024

static bool compile_endpoint(struct compile *compile, const struct gh_service_endpoint *endpoint,
                             struct gh_route *route)
{
    const struct gh_policy_settings *settings = compile->settings;
    const struct gh_str base = endpoint->absolute ? GH_STR("") : base_of(&settings->identity);
    enum gh_method method = gh_method_of(gh_str_from_c(endpoint->method));
    bool get = method == GH_METHOD_GET;
    *route = (struct gh_route){
        .pattern =
            gh_arena_format(compile->load->arena, "%.*s%s", GH_STR_ARG(base), endpoint->path),
        .index = (size_t)-1,
        .methods = get ? GH_STR("GET, HEAD") : gh_method_name(method),
        .method_mask = 1u << method | (get ? 1u << GH_METHOD_HEAD : 0),
        .target = GH_TARGET_SERVICE,
        .request_body_max = endpoint->body_max ? endpoint->body_max : IGNORED_BODY_BYTES_MAX,
        .cors_mode = settings->cors.mode,
        .cross_site_mode = settings->cross_site_mode,
        .access = endpoint->access,
        .sets_session = endpoint->sets_session,
        .gives_session = endpoint->gives_session,
        .ask_body_max = endpoint->body_max,
        .block = compile->block,
    };
    if (method == GH_METHOD_OTHER)
        return fail(compile, "an endpoint of identity has no proper method");
    return route->pattern.ptr ? compile_limits(compile, endpoint, route) : full(compile);
}

static void compile_endpoints(struct compile *compile)
{
    const struct gh_policy_identity *from = &compile->settings->identity;
    struct gh_arena *arena = compile->load->arena;
    size_t count = from->endpoint_count;
    struct gh_route *routes = gh_arena_zalloc(arena, count + 1, sizeof(*routes));
    struct gh_config_place *places = gh_arena_zalloc(arena, count + 1, sizeof(*places));
    if (!routes || !places) {
        full(compile);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (!compile_endpoint(compile, &from->endpoints[i], &routes[i]))
            return;
    compile->rules->routes = routes;
    compile->rules->route_count = count;
    compile->rules->tree = gh_route_tree_build(compile->load, routes, places, count);
}

/* ---- What they take from configured routes ---- */

static bool is_param(struct gh_str segment)
{
    return segment.len > 2 && segment.ptr[0] == '{';
}

/* True when some path fits both patterns. */
static bool overlap(struct gh_str a, struct gh_str b)
{
    const struct gh_str rest = GH_STR("**");
    while (a.ptr && b.ptr) {
        struct gh_str left = gh_str_split(&a, '/'), right = gh_str_split(&b, '/');
        if (gh_str_eq(left, rest) || gh_str_eq(right, rest))
            return true;
        if (!is_param(left) && !is_param(right) && !gh_str_eq(left, right))
            return false;
    }
    return (!a.ptr || gh_str_eq(a, rest)) && (!b.ptr || gh_str_eq(b, rest));
}

bool gh_identity_shadows(const struct gh_policy_identity *identity, size_t endpoint,
                         const struct gh_route *route)
{
    const struct gh_service_endpoint *taker = &identity->endpoints[endpoint];
    struct gh_str path = gh_str_from_c(taker->path), pattern = route->pattern;
    enum gh_method method = gh_method_of(gh_str_from_c(taker->method));
    if (!(route->method_mask & 1u << method))
        return false;
    if (taker->absolute)
        return gh_str_eq(path, pattern);
    struct gh_str base = base_of(identity);
    if (!gh_str_starts_with(pattern, base))
        return false;
    pattern = gh_str_skip(pattern, base.len);
    /* a rest right behind the base path is plainly meant for what identity leaves */
    if (pattern.len < 2 || pattern.ptr[0] != '/' || gh_str_eq(pattern, GH_STR("/**")))
        return false;
    return overlap(path, pattern);
}

/* ---- Forward-auth ---- */

static void compile_peers(struct compile *compile)
{
    const struct gh_config_list *list = &compile->settings->identity.authz_peers;
    const struct gh_str *items = list->items;
    struct gh_identity_rules *rules = compile->rules;
    struct gh_ip_network *networks =
        gh_arena_zalloc(compile->load->arena, list->count + 1, sizeof(*networks));
    if (!networks) {
        full(compile);
        return;
    }
    rules->authz_peers.networks = networks;
    for (size_t i = 0; i < list->count; i++) {
        struct gh_ip_network *network = &networks[rules->authz_peers.count];
        struct gh_config_place place = gh_config_where(compile->load, &items[i]);
        if (gh_str_eq(items[i], GH_STR("unix"))) {
            rules->authz_unix = true;
            continue;
        }
        if (!gh_ip_network_parse(items[i], network)) {
            gh_config_problem_add(compile->load, GH_CONFIG_ERROR, place,
                                  "write 10.0.0.0/8, 2001:db8::/32, an address, or unix; the bits "
                                  "behind the prefix must be zero",
                                  "\"%.*s\" is no network", GH_STR_ARG(items[i]));
            continue;
        }
        if (network->prefix_bits == 0)
            gh_config_problem_add(compile->load, GH_CONFIG_WARNING, place,
                                  "name the proxies' own networks",
                                  "identity.authz.peers lets everyone ask who is signed in");
        rules->authz_peers.count++;
    }
}

static void compile_authz(struct compile *compile)
{
    static const char *const PATHS[GH_AUTHZ_DIALECT_COUNT] = {
        [GH_AUTHZ_AUTH_REQUEST] = "/authz/auth-request",
        [GH_AUTHZ_FORWARD_AUTH] = "/authz/forward-auth",
        [GH_AUTHZ_EXT_AUTHZ] = "/authz/ext-authz",
    };
    struct gh_str base = base_of(&compile->settings->identity);
    for (size_t i = GH_AUTHZ_NONE + 1; i < GH_AUTHZ_DIALECT_COUNT; i++) {
        compile->rules->authz_routes[i] = (struct gh_route){
            .pattern = gh_arena_format(compile->load->arena, "%.*s%s", GH_STR_ARG(base), PATHS[i]),
            .index = (size_t)-1,
            .request_body_max = compile->settings->limits.request_body,
            .cors_mode = GH_MODE_OFF,
            .cross_site_mode = GH_MODE_OFF,
            .access = {.kind = GH_ACCESS_PUBLIC},
            .block = compile->policy->block,
        };
        if (!compile->rules->authz_routes[i].pattern.ptr)
            full(compile);
    }
    compile_peers(compile);
}

void gh_identity_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                         const struct gh_header_block *block, struct gh_policy *policy)
{
    struct compile compile = {load, settings, block, policy, NULL};
    if (!settings->identity.enabled)
        return;
    compile.rules = gh_arena_zalloc(load->arena, 1, sizeof(*compile.rules));
    if (!compile.rules) {
        full(&compile);
        return;
    }
    compile_names(&compile);
    if (!compile_headers(&compile) || !compile_challenges(&compile))
        return;
    compile_endpoints(&compile);
    compile_authz(&compile);
    policy->identity = compile.rules;
}
