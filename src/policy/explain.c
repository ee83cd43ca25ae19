/* One function for each stage that puts its finding into words. Nothing is decided here. */
#include "policy/explain.h"

#include "policy/input.h"

/* Text from the request, which may be of any length; control bytes were refused before. */
static void put_cut(struct gh_buf *out, struct gh_str text)
{
    const size_t max = 200;
    gh_buf_put(out, gh_str_first(text, max));
    if (text.len > max)
        gh_buf_put(out, GH_STR("..."));
}

static void explain_path(const struct gh_request *request, struct gh_buf *out)
{
    if (gh_str_eq(request->path, request->head->path)) {
        gh_buf_put(out, GH_STR("the path is canonical: "));
    } else {
        gh_buf_put(out, GH_STR("the path was normalised to "));
    }
    put_cut(out, request->path);
}

static void explain_client(const struct gh_request *request, struct gh_buf *out)
{
    gh_buf_put(out, GH_STR("the client is "));
    gh_ip_write(out, &request->client);
    gh_buf_put(out, request->from_trusted ? GH_STR(", as told by a trusted proxy; ")
                                          : GH_STR(", the socket's address; "));
    gh_buf_put(out, request->https ? GH_STR("the scheme is https") : GH_STR("the scheme is http"));
}

static void explain_host(const struct gh_request *request, struct gh_buf *out)
{
    if (gh_builtin_is_probe(request)) {
        gh_buf_put(out, GH_STR("probes are exempt from the host check"));
    } else {
        put_cut(out, request->authority.host);
        gh_buf_put(out, request->policy->hosts.mode == GH_MODE_OFF
                            ? GH_STR(" was not checked: hosts.mode is off")
                            : GH_STR(" is one of our hosts"));
    }
}

static void explain_https(const struct gh_request *request, struct gh_buf *out)
{
    if (request->policy->environment == GH_DEVELOPMENT)
        gh_buf_put(out, GH_STR("development: plain HTTP is let pass"));
    else if (request->https)
        gh_buf_put(out, GH_STR("the request is https already"));
    else
        gh_buf_put(out, GH_STR("plain HTTP, exempt or not enforced"));
}

static void explain_route(const struct gh_request *request, struct gh_buf *out)
{
    if (!request->route) {
        gh_buf_put(out, GH_STR("no route"));
        return;
    }
    gh_buf_put(out, GH_STR("taken by "));
    put_cut(out, request->route->pattern);
    for (size_t i = 0; i < request->param_count; i++) {
        gh_buf_put(out, i ? GH_STR(", ") : GH_STR(" with "));
        put_cut(out, request->params[i].name);
        gh_buf_put(out, GH_STR(" = "));
        put_cut(out, request->params[i].value);
    }
}

static void explain_cors(const struct gh_request *request, struct gh_buf *out)
{
    if (!request->cors_seen)
        gh_buf_put(out, GH_STR("no cors rules apply"));
    else if (!gh_fields_find(&request->head->fields, GH_FIELD_ORIGIN))
        gh_buf_put(out, GH_STR("no Origin: not a cross-origin request of a browser"));
    else if (request->cors_origin.len)
        gh_buf_put(out, GH_STR("the origin is allowed to read the answer"));
    else
        gh_buf_put(out, GH_STR("the origin is not listed: it gets no Access-Control headers"));
}

static void explain_size(const struct gh_request *request, struct gh_buf *out)
{
    gh_buf_put(out, GH_STR("the body may have up to "));
    gh_buf_put_u64(out, request->body_bytes_max);
    gh_buf_put(out, GH_STR(" bytes"));
}

static void explain_body(const struct gh_request *request, struct gh_buf *out)
{
    gh_buf_put(out, request->target == GH_TARGET_SERVICE
                        ? GH_STR("the body is read first, as JSON of at most ")
                        : GH_STR("the body is read first, for a rate limit, at most "));
    gh_buf_put_u64(out,
                   request->target == GH_TARGET_SERVICE ? request->route->ask_body_max : 64 * 1024);
    gh_buf_put(out, GH_STR(" bytes"));
}

static void explain_rate(const struct gh_request *request, unsigned point, struct gh_buf *out)
{
    const struct gh_route *route = request->route;
    bool first = true;
    for (size_t i = 0; route && i < route->rate_limit_count; i++) {
        const struct gh_rate_policy *policy =
            &request->policy->rate_policies[route->rate_limits[i]];
        if (policy->point != point)
            continue;
        gh_buf_put(out, first ? GH_STR("counted against ") : GH_STR(", "));
        put_cut(out, policy->policy_field);
        first = false;
    }
    if (first)
        gh_buf_put(out, route && route->rate_limit_count ? GH_STR("no rate limit applies yet")
                                                         : GH_STR("no rate limit applies"));
}

static void explain_cross_site(const struct gh_request *request, struct gh_buf *out)
{
    if (gh_method_is_safe(request->head->method) && !request->head->upgrade_websocket)
        gh_buf_put(out, GH_STR("a safe method changes nothing"));
    else
        gh_buf_put(out, GH_STR("no cookies of ours that another site could abuse, or its origin "
                               "is ours or allowed"));
}

/* Only upstreams and the service are told who calls. */
static bool is_identified(const struct gh_request *request)
{
    return request->policy->identity &&
           (request->target == GH_TARGET_UPSTREAM || request->target == GH_TARGET_SERVICE);
}

static void explain_identify(const struct gh_request *request, struct gh_buf *out)
{
    if (!is_identified(request)) {
        gh_buf_put(out, request->policy->identity ? GH_STR("nobody need be known here")
                                                  : GH_STR("identity is off"));
        return;
    }
    switch (request->credential_found) {
    case GH_CREDENTIAL_NONE:
        gh_buf_put(out, GH_STR("no session cookie and no bearer token: anonymous"));
        break;
    case GH_CREDENTIAL_AMBIGUOUS:
        gh_buf_put(out, GH_STR("several credentials: none is believed, anonymous"));
        break;
    case GH_CREDENTIAL_UNCHECKED:
        gh_buf_put(out, GH_STR("there is a credential, which can't be verified here: the running "
                               "gateway has the keys"));
        break;
    case GH_CREDENTIAL_JUDGED:
        gh_buf_put(out, request->signed_in ? GH_STR("signed in as ")
                                           : GH_STR("the credential is not valid: anonymous"));
        put_cut(out, request->signed_in ? request->subject.id : GH_STR(""));
        break;
    }
}

static void explain_access(const struct gh_request *request, struct gh_buf *out)
{
    if (!is_identified(request)) {
        gh_buf_put(out, GH_STR("public"));
        return;
    }
    gh_access_put(out, &request->policy->identity->roles, &request->route->access);
    if (request->route->access.kind == GH_ACCESS_PUBLIC)
        return;
    gh_buf_put(out, request->signed_in ? GH_STR(": granted")
                                       : GH_STR(": depends on who calls, which is not known here"));
}

/* Of the body only where it is judged. */
static bool is_input_turn(const struct gh_request *request, unsigned turn)
{
    const struct gh_input *input = request->input;
    return turn ? input && input->operation && input->checking.has_body && input->checked.media &&
                      input->checked.kind != GH_OPENAPI_BODY_OPAQUE
                : request->route && request->route->input;
}

static void explain_refusal(const struct gh_request *request, enum gh_reason reason,
                            struct gh_buf *out)
{
    gh_buf_put(out, GH_STR("answered "));
    gh_buf_put_u64(out, request->reply.status);
    gh_buf_put(out, GH_STR(" ("));
    gh_buf_put(out, gh_reason_facts(reason)->word);
    gh_buf_put(out, GH_STR(")"));
    if (reason == GH_REASON_INPUT_INVALID) {
        gh_input_explain(request, 0, out);
    } else if (gh_reason_facts(reason)->detail.len) {
        gh_buf_put(out, GH_STR(": "));
        gh_buf_put(out, gh_reason_facts(reason)->detail);
    }
}

bool gh_explain_concerns(const struct gh_request *request, enum gh_stage stage, unsigned turn)
{
    const struct gh_route *route = request->route;
    if (stage == GH_STAGE_INPUT)
        return is_input_turn(request, turn);
    if (!turn)
        return true;
    if (stage == GH_STAGE_ACCESS) /* sanctions are of a running server, not of the settings */
        return false;
    if (stage == GH_STAGE_RATE)
        return route && route->rate_points >> turn & 1;
    return route &&
           (request->target == GH_TARGET_SERVICE ? route->ask_body_max > 0
                                                 : route->rate_points >> GH_RATE_AT_BODY & 1);
}

void gh_explain_stage(const struct gh_request *request, enum gh_stage stage, unsigned turn,
                      struct gh_verdict verdict, bool observed, struct gh_buf *out)
{
    if (verdict.kind != GH_VERDICT_NEXT) {
        explain_refusal(request, verdict.reason, out);
        return;
    }
    if (observed) {
        enum gh_reason reason = request->observed_reason[request->observed_count - 1];
        gh_buf_put(out, GH_STR("observed only, would have refused: "));
        gh_buf_put(out, gh_reason_facts(reason)->word);
        if (reason == GH_REASON_INPUT_INVALID)
            gh_input_explain(request, turn, out);
        return;
    }
    switch (stage) {
    case GH_STAGE_PATH:
        explain_path(request, out);
        break;
    case GH_STAGE_CLIENT:
        explain_client(request, out);
        break;
    case GH_STAGE_HOST:
        explain_host(request, out);
        break;
    case GH_STAGE_HTTPS:
        explain_https(request, out);
        break;
    case GH_STAGE_ROUTE:
        explain_route(request, out);
        break;
    case GH_STAGE_CORS:
        explain_cors(request, out);
        break;
    case GH_STAGE_SIZE:
        if (turn)
            explain_body(request, out);
        else
            explain_size(request, out);
        break;
    case GH_STAGE_RATE:
        explain_rate(request, turn, out);
        break;
    case GH_STAGE_CROSS_SITE:
        explain_cross_site(request, out);
        break;
    case GH_STAGE_IDENTIFY:
        explain_identify(request, out);
        break;
    case GH_STAGE_ACCESS:
        explain_access(request, out);
        break;
    case GH_STAGE_INPUT:
        gh_input_explain(request, turn, out);
        break;
    case GH_STAGE_READ:
    case GH_STAGE_HEADERS:
    case GH_STAGE_HANDOVER:
    case GH_STAGE_SCRUB:
    case GH_STAGE_COUNT:
        break;
    }
}
