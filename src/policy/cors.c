/*
 * Stage 7: cross-origin requests (WHATWG Fetch, section 3.2). Preflights are answered here and
 * never forwarded; other answers say to the caller's page whether it may read them. The rules are
 * compiled in cors_compile.c.
 *
 * Under `observe` the backend stays in charge of CORS and we only note what we would have refused;
 * under `off` we do not look.
 */
#include "policy/policy.h"

#define PREFLIGHT_VARY                                                                             \
    GH_STR("Origin, Access-Control-Request-Method, Access-Control-Request-Headers")

enum gh_mode gh_cors_mode(const struct gh_request *request)
{
    return request->route ? request->route->cors_mode : request->policy->cors.mode;
}

bool gh_cors_is_preflight(const struct gh_request *request)
{
    const struct gh_request_head *head = request->head;
    return head->method == GH_METHOD_OPTIONS && !request->inner &&
           gh_fields_find(&head->fields, GH_FIELD_ORIGIN) &&
           gh_fields_find(&head->fields, GH_FIELD_ACCESS_CONTROL_REQUEST_METHOD);
}

struct gh_str gh_cors_request_origin(const struct gh_request *request)
{
    const struct gh_fields *fields = &request->head->fields;
    const struct gh_field *origin = gh_fields_find(fields, GH_FIELD_ORIGIN);
    if (!origin)
        return (struct gh_str){0};
    return gh_fields_find_next(fields, origin) ? GH_STR("") : origin->value;
}

/* "*.example.com": whole labels of letters, digits and hyphens, at least one. */
static bool wildcard_matches(const struct gh_origin *pattern, const struct gh_origin *origin)
{
    struct gh_str suffix = gh_str_skip(pattern->host, 1);
    if (pattern->port != origin->port || !gh_str_eq(pattern->scheme, origin->scheme) ||
        origin->host.len <= suffix.len || !gh_str_ends_with(origin->host, suffix))
        return false;
    struct gh_str labels = gh_str_first(origin->host, origin->host.len - suffix.len);
    char before = '.';
    for (size_t i = 0; i < labels.len; i++) {
        char c = labels.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '-' && (c != '.' || before == '.'))
            return false;
        before = c;
    }
    return before != '.';
}

bool gh_cors_allows(const struct gh_cors_rule *cors, struct gh_str origin, bool patterns)
{
    if (gh_name_set_find(&cors->origins, origin) != GH_NAME_ABSENT)
        return true;
    if (!patterns)
        return false;
    struct gh_origin parsed;
    if (cors->wildcard_count && gh_origin_parse(origin, false, &parsed) == GH_ORIGIN_OK)
        for (size_t i = 0; i < cors->wildcard_count; i++)
            if (wildcard_matches(&cors->wildcards[i], &parsed))
                return true;
    return cors->any_origin;
}

void gh_cors_note(struct gh_request *request)
{
    const struct gh_cors_rule *cors = &request->policy->cors;
    if (request->cors_seen || !request->head || !cors->configured ||
        gh_cors_mode(request) != GH_MODE_ENFORCE)
        return;
    request->cors_seen = true;
    struct gh_str origin = gh_cors_request_origin(request);
    if (!origin.len || !gh_cors_allows(cors, origin, true))
        return;
    request->cors_origin = cors->any_origin ? GH_STR("*") : origin;
}

static bool method_allowed(const struct gh_cors_rule *cors, struct gh_str method)
{
    return gh_is_token(method) &&
           (cors->any_method || gh_name_set_find(&cors->methods, method) != GH_NAME_ABSENT);
}

static bool headers_allowed(const struct gh_cors_rule *cors, struct gh_str asked)
{
    struct gh_str name;
    for (struct gh_str rest = asked; gh_str_next_list_item(&rest, &name);)
        if (!gh_is_token(name) ||
            (!cors->any_header && gh_name_set_find(&cors->headers, name) == GH_NAME_ABSENT))
            return false;
    return true;
}

struct preflight {
    struct gh_str origin, method, headers; /* headers.ptr NULL: none asked for */
};

/* False when a field stands there twice: nothing is guessed. */
static bool preflight_read(const struct gh_request *request, struct preflight *out)
{
    const struct gh_fields *fields = &request->head->fields;
    const struct gh_field *method = gh_fields_find(fields, GH_FIELD_ACCESS_CONTROL_REQUEST_METHOD);
    const struct gh_field *headers =
        gh_fields_find(fields, GH_FIELD_ACCESS_CONTROL_REQUEST_HEADERS);
    if (gh_fields_find_next(fields, method) || (headers && gh_fields_find_next(fields, headers)))
        return false;
    out->origin = gh_cors_request_origin(request);
    out->method = method->value;
    out->headers = headers ? headers->value : (struct gh_str){0};
    return true;
}

/* "*" without credentials does not cover Authorization (Fetch, section 3.2.3): name it when asked
   for. With credentials "*" is no wildcard at all: what was asked is echoed. */
static struct gh_str headers_answer(const struct gh_cors_rule *cors, struct gh_str asked)
{
    if (!cors->any_header)
        return cors->headers_value;
    if (cors->credentials)
        return asked;
    struct gh_str name;
    for (struct gh_str rest = asked; asked.ptr && gh_str_next_list_item(&rest, &name);)
        if (gh_str_ieq(name, GH_STR("authorization")))
            return GH_STR("*, Authorization");
    return GH_STR("*");
}

static struct gh_verdict preflight_allow(struct gh_request *request,
                                         const struct preflight *preflight)
{
    const struct gh_cors_rule *cors = &request->policy->cors;
    struct gh_reply *reply = &request->reply;
    struct gh_str headers = headers_answer(cors, preflight->headers);
    gh_reply_begin(reply, 204, GH_STR(""), GH_STR(""));
    gh_reply_add(reply, GH_STR("Access-Control-Allow-Origin"),
                 cors->any_origin ? GH_STR("*") : preflight->origin);
    if (cors->credentials)
        gh_reply_add(reply, GH_STR("Access-Control-Allow-Credentials"), GH_STR("true"));
    gh_reply_add(reply, GH_STR("Access-Control-Allow-Methods"),
                 !cors->any_method   ? cors->methods_value
                 : cors->credentials ? preflight->method
                                     : GH_STR("*"));
    if (headers.len)
        gh_reply_add(reply, GH_STR("Access-Control-Allow-Headers"), headers);
    gh_reply_add(reply, GH_STR("Access-Control-Max-Age"), cors->max_age_value);
    gh_reply_add(reply, GH_STR("Vary"), PREFLIGHT_VARY);
    return gh_verdict_respond(GH_REASON_PREFLIGHT);
}

/* Not one Access-Control field, so that nothing is learnt. */
static struct gh_verdict preflight_refuse(struct gh_request *request)
{
    gh_policy_refuse(request, GH_STAGE_CORS, GH_REASON_PREFLIGHT_REFUSED);
    request->cors_seen = false;
    request->cors_origin = (struct gh_str){0};
    gh_reply_add(&request->reply, GH_STR("Vary"), PREFLIGHT_VARY);
    return gh_verdict_respond(GH_REASON_PREFLIGHT_REFUSED);
}

static struct gh_verdict preflight(struct gh_request *request, enum gh_mode mode)
{
    const struct gh_cors_rule *cors = &request->policy->cors;
    struct preflight asked;
    bool allowed = preflight_read(request, &asked) && asked.origin.len &&
                   gh_cors_allows(cors, asked.origin, true) && method_allowed(cors, asked.method) &&
                   headers_allowed(cors, asked.headers);
    if (mode == GH_MODE_OBSERVE)
        return allowed ? gh_verdict_next()
                       : gh_stage_refuse(request, GH_STAGE_CORS, mode, GH_REASON_PREFLIGHT_REFUSED);
    return allowed ? preflight_allow(request, &asked) : preflight_refuse(request);
}

struct gh_verdict gh_stage_cors(struct gh_request *request)
{
    enum gh_mode mode = gh_cors_mode(request);
    if (mode == GH_MODE_OFF)
        return gh_verdict_next();
    if (gh_cors_is_preflight(request))
        return preflight(request, mode);
    gh_cors_note(request);
    return gh_verdict_next();
}
