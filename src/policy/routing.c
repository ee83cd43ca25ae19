/*
 * Stage 6: who takes the request: a built-in, an endpoint of identity, a route, or nobody. The tree
 * is route.c's, the built-ins are builtin.c's, forward-auth is authz.c's.
 */
#include "policy/policy.h"

#include "base/assert.h"

static void take(struct gh_request *request, const struct gh_route *route)
{
    request->route = route;
    request->target = route->target;
    request->upstream = route->upstream;
}

static enum gh_route_found find(struct gh_request *request, const struct gh_route_tree *tree,
                                enum gh_method method, const struct gh_route **out_route,
                                struct gh_str *out_allow)
{
    return gh_route_find(tree, request->path, method, request->arena, out_route, request->params,
                         &request->param_count, out_allow);
}

/* A preflight asks for the method that will follow. Where CORS is not enforced it is an OPTIONS
   like any other. */
static enum gh_route_found find_for(struct gh_request *request, const struct gh_route_tree *tree,
                                    const struct gh_route **out_route, struct gh_str *out_allow)
{
    enum gh_route_found found;
    if (gh_cors_is_preflight(request)) {
        enum gh_method asked = gh_method_of(
            gh_fields_value(&request->head->fields, GH_FIELD_ACCESS_CONTROL_REQUEST_METHOD));
        found = find(request, tree, asked, out_route, out_allow);
        if (found == GH_ROUTE_NONE || (*out_route)->cors_mode == GH_MODE_ENFORCE)
            return found;
    }
    return find(request, tree, request->head->method, out_route, out_allow);
}

/* What the route's `encoded` refuses: a backend may decode these and see another path. */
static enum gh_reason encoded_refusal(const struct gh_path_traits *traits)
{
    if (traits->encoded_slash)
        return GH_REASON_PATH_ENCODED_SLASH;
    return traits->encoded_percent ? GH_REASON_PATH_ENCODED_PERCENT : GH_REASON_PATH_SEMICOLON;
}

static bool has_traits(const struct gh_path_traits *traits)
{
    return traits->encoded_slash || traits->encoded_percent || traits->semicolon;
}

static struct gh_verdict take_found(struct gh_request *request, const struct gh_route *route)
{
    take(request, route);
    if (route->encoded == GH_ENCODED_REFUSE && has_traits(&request->path_traits))
        return gh_verdict_deny(encoded_refusal(&request->path_traits));
    return gh_verdict_next();
}

/* Neither the service nor a route takes the method: what both would take. */
static struct gh_verdict refuse_method(struct gh_request *request, struct gh_str service_allow,
                                       struct gh_str allow)
{
    const struct gh_str both[] = {service_allow, allow};
    if (service_allow.len && allow.len)
        allow = gh_policy_join(request->arena, both, 2, GH_STR(", "));
    else if (service_allow.len)
        allow = service_allow;
    if (allow.len)
        gh_request_add_extra(request, GH_STR("Allow"), allow);
    return gh_verdict_deny(GH_REASON_METHOD_NOT_ALLOWED);
}

static struct gh_verdict take_route(struct gh_request *request, struct gh_str service_allow)
{
    const struct gh_route *route = NULL;
    struct gh_str allow = {0};
    enum gh_route_found found = find_for(request, request->policy->tree, &route, &allow);
    switch (found) {
    case GH_ROUTE_NONE:
        break;
    case GH_ROUTE_FOUND:
        return take_found(request, route);
    case GH_ROUTE_BAD_METHOD:
        request->route = route;
        break;
    }
    if (gh_builtin_fallback(request))
        return gh_verdict_respond(GH_REASON_BUILT_IN);
    if (found == GH_ROUTE_NONE && !service_allow.len)
        return gh_verdict_deny(GH_REASON_NO_ROUTE);
    return refuse_method(request, service_allow, allow);
}

/* Endpoints of identity win where path and method are theirs; the rest of their paths is
   anybody's. */
static struct gh_verdict take_service_or_route(struct gh_request *request)
{
    const struct gh_identity_rules *identity = request->policy->identity;
    const struct gh_route *route = NULL;
    struct gh_str allow = {0};
    if (!identity)
        return take_route(request, allow);
    if (!request->inner && gh_authz_owns_path(request)) /* in a spelling that no proxy uses */
        return gh_verdict_deny(GH_REASON_AUTHZ_PEER);
    switch (find_for(request, identity->tree, &route, &allow)) {
    case GH_ROUTE_NONE:
        break;
    case GH_ROUTE_FOUND:
        request->endpoint = (size_t)(route - identity->routes);
        return take_found(request, route);
    case GH_ROUTE_BAD_METHOD:
        request->route = route; /* its headers, should no other route take it */
        break;
    }
    return take_route(request, allow);
}

/* OPTIONS * asks the server as a whole (RFC 9110 section 9.3.7). */
static struct gh_verdict answer_server_options(struct gh_request *request)
{
    gh_reply_begin(&request->reply, 204, GH_STR(""), GH_STR(""));
    gh_reply_add(&request->reply, GH_STR("Allow"),
                 GH_STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    return gh_verdict_respond(GH_REASON_BUILT_IN);
}

static struct gh_verdict route(struct gh_request *request)
{
    struct gh_verdict verdict;
    if (request->inner)
        return take_service_or_route(request);
    if (request->path.ptr[0] == '*')
        return answer_server_options(request);
    if (request->authz != GH_AUTHZ_NONE)
        return gh_authz_answer(request);
    if (gh_builtin_route(request, &verdict)) {
        if (verdict.kind == GH_VERDICT_NEXT) {
            GH_ASSERT(request->route);
            take(request, request->route);
        }
        return verdict;
    }
    return take_service_or_route(request);
}

static bool takes_websockets(const struct gh_request *request)
{
    return request->target == GH_TARGET_UPSTREAM && request->route && request->route->websocket;
}

struct gh_verdict gh_stage_route(struct gh_request *request)
{
    struct gh_verdict verdict = route(request);
    /* No plain answer may be taken for a tunnel: elsewhere it is a CONNECT like any other. */
    if (verdict.kind != GH_VERDICT_DENY && gh_request_is_extended_connect(request) &&
        !takes_websockets(request))
        return gh_verdict_deny(GH_REASON_METHOD_REFUSED);
    return verdict;
}
