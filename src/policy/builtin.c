/*
 * The paths that the gateway answers itself (SPEC section 3, "Built-in paths"), and the tables of
 * `builtin` and `security_txt`. What needs a file, a counter or a body is left to the shell by
 * request->target; the rest is answered here.
 */
#include "policy/policy.h"

#define ACME_PREFIX        GH_STR("/.well-known/acme-challenge/")
#define ACME_TOKEN_LEN_MAX 128
#define JSON               GH_STR("application/json")

static bool is_builtin(const struct gh_request *request, enum gh_builtin_id id)
{
    struct gh_str path = request->policy->builtins[id].pattern;
    return path.len && gh_str_eq(path, request->path);
}

bool gh_builtin_is_probe(const struct gh_request *request)
{
    if (request->inner)
        return false;
    return request->peer->admin || request->authz != GH_AUTHZ_NONE ||
           is_builtin(request, GH_BUILTIN_HEALTHZ) || is_builtin(request, GH_BUILTIN_READYZ);
}

static bool is_get_or_head(const struct gh_request *request)
{
    return request->head->method == GH_METHOD_GET || request->head->method == GH_METHOD_HEAD;
}

static struct gh_verdict wrong_method(struct gh_request *request, struct gh_str allow)
{
    gh_request_add_extra(request, GH_STR("Allow"), allow);
    return gh_verdict_deny(GH_REASON_METHOD_NOT_ALLOWED);
}

/* Answered by the shell, which knows how the process and the upstreams are. */
static struct gh_verdict get_only(struct gh_request *request)
{
    return is_get_or_head(request) ? gh_verdict_next() : wrong_method(request, GH_STR("GET, HEAD"));
}

static struct gh_verdict answer_security_txt(struct gh_request *request)
{
    if (!request->policy->security_txt.len)
        return gh_verdict_deny(GH_REASON_NO_ROUTE);
    if (!is_get_or_head(request))
        return wrong_method(request, GH_STR("GET, HEAD"));
    gh_reply_begin(&request->reply, 200, GH_STR("text/plain; charset=utf-8"),
                   request->policy->security_txt);
    return gh_verdict_respond(GH_REASON_BUILT_IN);
}

/* base64url (RFC 8555 section 8.3), so that no token can be a path. */
static bool is_acme_token(struct gh_str token)
{
    if (!token.len || token.len > ACME_TOKEN_LEN_MAX)
        return false;
    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i], lower = gh_ascii_lower(c);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return true;
}

static struct gh_verdict route_acme(struct gh_request *request)
{
    struct gh_str token = gh_str_skip(request->path, ACME_PREFIX.len);
    if (!is_acme_token(token))
        return gh_verdict_deny(GH_REASON_NO_ROUTE);
    if (!is_get_or_head(request))
        return wrong_method(request, GH_STR("GET, HEAD"));
    request->acme_token = token;
    return gh_verdict_next();
}

/* Preflights go on to the CORS stage: reports may be collected for other origins. */
static struct gh_verdict route_csp_report(struct gh_request *request)
{
    if (request->head->method == GH_METHOD_POST || gh_cors_is_preflight(request))
        return gh_verdict_next();
    return wrong_method(request, GH_STR("POST"));
}

static enum gh_builtin_id find_builtin(const struct gh_request *request)
{
    for (unsigned id = 0; id < GH_BUILTIN_COUNT; id++)
        if (id != GH_BUILTIN_METRICS && is_builtin(request, (enum gh_builtin_id)id))
            return (enum gh_builtin_id)id;
    if (request->policy->builtins[GH_BUILTIN_ACME].pattern.len &&
        gh_str_starts_with(request->path, ACME_PREFIX))
        return GH_BUILTIN_ACME;
    return GH_BUILTIN_COUNT;
}

/* The admin listener has metrics and probes and nothing else. */
static enum gh_builtin_id find_admin(const struct gh_request *request)
{
    static const enum gh_builtin_id SERVED[] = {GH_BUILTIN_METRICS, GH_BUILTIN_HEALTHZ,
                                                GH_BUILTIN_READYZ};
    for (size_t i = 0; i < sizeof(SERVED) / sizeof(SERVED[0]); i++)
        if (is_builtin(request, SERVED[i]))
            return SERVED[i];
    return GH_BUILTIN_COUNT;
}

bool gh_builtin_route(struct gh_request *request, struct gh_verdict *out_verdict)
{
    bool admin = request->peer->admin;
    enum gh_builtin_id id = admin ? find_admin(request) : find_builtin(request);
    if (id != GH_BUILTIN_COUNT)
        request->route = &request->policy->builtins[id];
    switch (id) {
    case GH_BUILTIN_HEALTHZ:
    case GH_BUILTIN_READYZ:
    case GH_BUILTIN_METRICS:
        *out_verdict = get_only(request);
        return true;
    case GH_BUILTIN_SECURITY_TXT:
        *out_verdict = answer_security_txt(request);
        return true;
    case GH_BUILTIN_CSP_REPORT:
        *out_verdict = route_csp_report(request);
        return true;
    case GH_BUILTIN_ACME:
        *out_verdict = route_acme(request);
        return true;
    case GH_BUILTIN_HEALTH:
    case GH_BUILTIN_ROOT:
        request->route = NULL; /* the routes first */
        return false;
    case GH_BUILTIN_COUNT:
        *out_verdict = gh_verdict_deny(GH_REASON_NO_ROUTE);
        return admin;
    }
    return false;
}

bool gh_builtin_fallback(struct gh_request *request)
{
    if (!is_get_or_head(request) || request->inner)
        return false;
    if (is_builtin(request, GH_BUILTIN_HEALTH))
        gh_reply_begin(&request->reply, 200, JSON, GH_STR("{\"status\":\"ok\"}"));
    else if (is_builtin(request, GH_BUILTIN_ROOT))
        gh_reply_begin(&request->reply, 200, JSON, GH_STR("{\"name\":\"api\",\"status\":\"ok\"}"));
    else
        return false;
    return true;
}
