#include "app/input_checks.h"

#include "policy/input.h"
#include "policy/policy.h"

/* Operations that one warning names. */
#define NAMED_MAX 5
/* Of what stands for any value of a parameter; nobody calls a literal segment so. */
#define ANY_SEGMENT GH_STR("0~any")

#define PATH_BYTES_MAX  4096
#define LINES_BYTES_MAX 600

enum reach { REACHED, REACHED_UNJUDGED, REACHED_NEVER };

/* A path that the operation would take. */
static struct gh_str sample_path(struct gh_str pattern, char memory[PATH_BYTES_MAX])
{
    struct gh_buf out = gh_buf_over(memory, PATH_BYTES_MAX);
    for (struct gh_str rest = gh_str_skip(pattern, 1); rest.ptr;) {
        struct gh_str segment = gh_str_split(&rest, '/');
        gh_buf_put_char(&out, '/');
        gh_buf_put(&out, segment.len && segment.ptr[0] == '{' ? ANY_SEGMENT : segment);
    }
    return gh_buf_str(&out);
}

static enum reach find_reach(struct gh_config_load *load, const struct gh_policy *policy,
                             const struct gh_input_api *api, size_t operation)
{
    char memory[PATH_BYTES_MAX];
    const struct gh_route *route = NULL;
    struct gh_path_param params[GH_PATH_PARAMS_MAX];
    size_t param_count = 0;
    struct gh_str allow;
    const struct gh_route *pattern = &api->patterns[operation];
    struct gh_str path = sample_path(pattern->pattern, memory);
    enum gh_route_found found = gh_route_find(policy->tree, path, gh_method_of(pattern->methods),
                                              load->arena, &route, params, &param_count, &allow);
    if (found != GH_ROUTE_FOUND || route->target != GH_TARGET_UPSTREAM)
        return REACHED_NEVER;
    return route->input && route->input->api->document == api->document ? REACHED
                                                                        : REACHED_UNJUDGED;
}

struct named {
    size_t count;
    struct gh_buf text;
    char memory[LINES_BYTES_MAX];
};

static void name_one(struct named *named, const struct gh_openapi_operation *operation)
{
    named->count++;
    if (named->count <= NAMED_MAX)
        gh_buf_format(&named->text, "%s%.*s %.*s", named->count > 1 ? ", " : "",
                      GH_STR_ARG(operation->method), GH_STR_ARG(operation->path));
    else if (named->count == NAMED_MAX + 1)
        gh_buf_put(&named->text, GH_STR(", ..."));
}

static void warn(struct gh_config_load *load, struct gh_config_place place,
                 const struct named *named, struct gh_str file, const char *what,
                 const char *remedy)
{
    if (named->count)
        gh_config_problem_add(load, GH_CONFIG_WARNING, place, remedy,
                              "%zu operation%s of %.*s %s: %.*s", named->count,
                              named->count == 1 ? "" : "s", GH_STR_ARG(file), what,
                              GH_STR_ARG(gh_buf_str(&named->text)));
}

static void check_reach(struct gh_config_load *load, const struct gh_policy *policy,
                        const struct gh_input_settings *settings, const struct gh_input_api *api)
{
    struct named never = {0}, unjudged = {0};
    never.text = gh_buf_over(never.memory, sizeof(never.memory));
    unjudged.text = gh_buf_over(unjudged.memory, sizeof(unjudged.memory));
    for (size_t i = 0; i < api->operation_count; i++) {
        const struct gh_openapi_operation *operation = api->operations[i].declared;
        switch (find_reach(load, policy, api, i)) {
        case REACHED:
            break;
        case REACHED_UNJUDGED:
            name_one(&unjudged, operation);
            break;
        case REACHED_NEVER:
            name_one(&never, operation);
            break;
        }
    }
    struct gh_config_place place = gh_config_where(load, &settings->openapi);
    warn(load, place, &unjudged, settings->openapi, "are taken by a route that does not check them",
         "give that route the same input");
    warn(load, place, &never, settings->openapi, "can't be reached through any route",
         "widen a route's path or methods, or see input.base_path");
}

static void check_settings(struct gh_config_load *load, const struct gh_policy_settings *policy,
                           const struct gh_route_settings *route)
{
    const struct gh_input_settings *input = &route->input;
    uint64_t request_body = route->request_body ? route->request_body : policy->limits.request_body;
    if (policy->environment == GH_PRODUCTION && input->mode == GH_MODE_OBSERVE)
        gh_config_problem_add(load, GH_CONFIG_WARNING, gh_config_where(load, &input->mode),
                              "set input.mode to enforce when the log is quiet",
                              "input of %.*s is only observed in production",
                              GH_STR_ARG(gh_config_show(load->arena, route->path)));
    if (gh_config_where(load, &input->body).line && input->body > request_body)
        gh_config_problem_add(load, GH_CONFIG_WARNING, gh_config_where(load, &input->body),
                              "raise request_body, or lower it",
                              "input.body of %.*s is over the route's request_body, which wins",
                              GH_STR_ARG(gh_config_show(load->arena, route->path)));
}

/* True when an earlier route has said what there is to say of the document. */
static bool is_seen(const struct gh_policy *policy, size_t route)
{
    for (size_t i = 0; i < route; i++)
        if (policy->routes[i].input &&
            policy->routes[i].input->api == policy->routes[route].input->api)
            return true;
    return false;
}

void gh_input_check(struct gh_config_load *load, const struct gh_root_settings *settings,
                    const struct gh_policy *policy)
{
    const struct gh_route_settings *routes = settings->policy.routes.items;
    for (size_t i = 0; i < settings->policy.routes.count; i++) {
        if (!routes[i].input.openapi.len || routes[i].input.mode == GH_MODE_OFF)
            continue;
        check_settings(load, &settings->policy, &routes[i]);
        if (policy && policy->routes[i].input && !is_seen(policy, i))
            check_reach(load, policy, &routes[i].input, policy->routes[i].input->api);
    }
}
