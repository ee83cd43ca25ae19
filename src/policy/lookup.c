/* What others may ask of a compiled policy. */
#include "policy/policy.h"

struct gh_str gh_policy_public_base(const struct gh_policy *policy)
{
    return policy->https.public_base;
}

bool gh_policy_is_open_to(const struct gh_policy *policy, struct gh_arena *arena,
                          struct gh_str path)
{
    const struct gh_route *route;
    struct gh_path_param params[GH_PATH_PARAMS_MAX];
    size_t param_count;
    struct gh_str allow;
    return gh_route_find(policy->tree, path, gh_method_of(GH_STR("POST")), arena, &route, params,
                         &param_count, &allow) == GH_ROUTE_FOUND &&
           route->target == GH_TARGET_UPSTREAM &&
           (route->access.kind == GH_ACCESS_PUBLIC || route->access.mode != GH_MODE_ENFORCE);
}
