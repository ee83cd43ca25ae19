/* The rules of servers, security schemes, and of who may call an operation and how it refuses. */
#include "openapi/lint_state.h"

/* ---- Of the document ---- */

static struct gh_openapi_at root_of(const struct gh_lint *lint)
{
    const struct gh_openapi_file *file = lint->openapi->files[0];
    return (struct gh_openapi_at){file, gh_json_root(&file->doc)};
}

static struct gh_openapi_at member(struct gh_openapi_at at, const char *name)
{
    return (struct gh_openapi_at){at.file, gh_lint_get(at, gh_str_from_c(name))};
}

/* What a reference leads to, or the value itself. */
static struct gh_openapi_at target_of(const struct gh_lint *lint, struct gh_openapi_at at)
{
    for (unsigned i = 0; i < 8 && at.value; i++) {
        struct gh_str reference = gh_json_string(gh_lint_get(at, GH_STR("$ref")));
        if (!reference.ptr)
            break;
        at = gh_lint_follow(lint->openapi, at.file, reference);
    }
    return at;
}

static bool is_clear(struct gh_str url)
{
    return (url.len >= 5 && gh_str_ieq(gh_str_first(url, 5), GH_STR("http:"))) ||
           (url.len >= 3 && gh_str_ieq(gh_str_first(url, 3), GH_STR("ws:")));
}

static void judge_servers(struct gh_lint *lint, struct gh_openapi_at holder)
{
    struct gh_openapi_at servers = member(holder, "servers");
    const struct gh_json_doc *doc = &holder.file->doc;
    const struct gh_json_value *one = servers.value ? gh_json_first(doc, servers.value) : NULL;
    for (; one; one = gh_json_after(doc, servers.value, one)) {
        struct gh_openapi_at url = member((struct gh_openapi_at){holder.file, one}, "url");
        gh_lint_tell(lint, GH_LINT_SERVER_HTTP, url, !is_clear(gh_json_string(url.value)),
                     GH_STR("servers"), "the server is spoken to without encryption");
    }
}

/* ---- Security schemes ---- */

static bool mentions_rfc_8725(struct gh_openapi_at scheme)
{
    struct gh_str text = gh_json_string(gh_lint_get(scheme, GH_STR("description")));
    return text.ptr && (gh_str_find(text, GH_STR("RFC8725")) < text.len ||
                        gh_str_find(text, GH_STR("RFC 8725")) < text.len ||
                        gh_str_find(text, GH_STR("rfc8725")) < text.len);
}

static void judge_http(struct gh_lint *lint, struct gh_openapi_at scheme, struct gh_str where)
{
    static const char *const WEAK[] = {"negotiate", "oauth", "digest", "hoba"};
    struct gh_str name = gh_json_string(gh_lint_get(scheme, GH_STR("scheme")));
    struct gh_str format = gh_json_string(gh_lint_get(scheme, GH_STR("bearerFormat")));
    bool weak = false;
    for (size_t i = 0; name.ptr && i < sizeof(WEAK) / sizeof(WEAK[0]); i++)
        weak |= gh_str_ieq(name, gh_str_from_c(WEAK[i]));
    gh_lint_tell(lint, GH_LINT_AUTH_BASIC, scheme, !gh_str_ieq(name, GH_STR("basic")), where,
                 "HTTP Basic sends the password with every request");
    gh_lint_tell(lint, GH_LINT_AUTH_WEAK_SCHEME, scheme, !weak, where,
                 "the authentication scheme \"%.*s\" is outdated or private", GH_STR_ARG(name));
    if (format.ptr && gh_str_ieq(format, GH_STR("jwt")))
        gh_lint_tell(lint, GH_LINT_JWT_PRACTICES, scheme, mentions_rfc_8725(scheme), where,
                     "its description does not say that RFC 8725 is followed");
}

static void judge_address(struct gh_lint *lint, struct gh_openapi_at holder, const char *name,
                          struct gh_str where)
{
    struct gh_openapi_at url = member(holder, name);
    gh_lint_tell(lint, GH_LINT_AUTH_HTTP, url, !is_clear(gh_json_string(url.value)), where,
                 "%s is not encrypted", name);
}

static void judge_flows(struct gh_lint *lint, struct gh_openapi_at scheme, struct gh_str where)
{
    static const char *const ADDRESSES[] = {"authorizationUrl", "tokenUrl", "refreshUrl"};
    struct gh_openapi_at flows = member(scheme, "flows");
    const struct gh_json_doc *doc = &scheme.file->doc;
    gh_lint_tell(lint, GH_LINT_JWT_PRACTICES, scheme, mentions_rfc_8725(scheme), where,
                 "its description does not say that RFC 8725 is followed");
    const struct gh_json_value *one = flows.value ? gh_json_first(doc, flows.value) : NULL;
    for (; one; one = gh_json_after(doc, flows.value, one)) {
        struct gh_openapi_at flow = {scheme.file, one};
        if (one->kind != GH_JSON_OBJECT)
            continue;
        for (size_t i = 0; i < sizeof(ADDRESSES) / sizeof(ADDRESSES[0]); i++)
            judge_address(lint, flow, ADDRESSES[i], where);
        if (!gh_str_eq(one->name, GH_STR("clientCredentials")))
            gh_lint_tell(lint, GH_LINT_TOKEN_NO_REFRESH, flow,
                         member(flow, "refreshUrl").value != NULL, where,
                         "the flow %.*s has no refreshUrl", GH_STR_ARG(one->name));
    }
}

static void judge_scheme(struct gh_lint *lint, struct gh_openapi_at scheme, struct gh_str name)
{
    struct gh_str type = gh_json_string(gh_lint_get(scheme, GH_STR("type")));
    struct gh_str in = gh_json_string(gh_lint_get(scheme, GH_STR("in")));
    struct gh_str where = gh_arena_format(&lint->scratch, "securitySchemes %.*s", GH_STR_ARG(name));
    if (!where.ptr)
        where = GH_STR("securitySchemes");
    if (gh_str_eq(type, GH_STR("http")))
        judge_http(lint, scheme, where);
    else if (gh_str_eq(type, GH_STR("apiKey")))
        gh_lint_tell(lint, GH_LINT_API_KEY_IN_URL, scheme, !gh_str_eq(in, GH_STR("query")), where,
                     "the API key stands in the URL");
    else if (gh_str_eq(type, GH_STR("oauth2")))
        judge_flows(lint, scheme, where);
    else if (gh_str_eq(type, GH_STR("openIdConnect")))
        judge_address(lint, scheme, "openIdConnectUrl", where);
}

static struct gh_openapi_at schemes_of(const struct gh_lint *lint)
{
    return member(member(root_of(lint), "components"), "securitySchemes");
}

/* Requirements whose scheme is not declared protect nothing. */
static void judge_requirements(struct gh_lint *lint, struct gh_openapi_at security)
{
    const struct gh_json_doc *doc = &security.file->doc;
    const struct gh_json_value *one = security.value ? gh_json_first(doc, security.value) : NULL;
    for (; one; one = gh_json_after(doc, security.value, one)) {
        for (const struct gh_json_value *name = gh_json_first(doc, one); name && name->name.ptr;
             name = gh_json_after(doc, one, name)) {
            struct gh_openapi_at at = {security.file, name};
            gh_lint_tell(lint, GH_LINT_SECURITY_UNKNOWN, at,
                         gh_lint_get(schemes_of(lint), name->name) != NULL, GH_STR("security"),
                         "there is no security scheme \"%.*s\"", GH_STR_ARG(name->name));
        }
    }
}

void gh_lint_security(struct gh_lint *lint)
{
    struct gh_openapi_at root = root_of(lint), schemes = schemes_of(lint);
    const struct gh_json_doc *doc = &root.file->doc;
    judge_servers(lint, root);
    judge_requirements(lint, member(root, "security"));
    const struct gh_json_value *one = schemes.value ? gh_json_first(doc, schemes.value) : NULL;
    for (; one; one = gh_json_after(doc, schemes.value, one)) {
        struct gh_openapi_at scheme = target_of(lint, (struct gh_openapi_at){root.file, one});
        if (scheme.value)
            judge_scheme(lint, scheme, one->name);
    }
}

/* ---- Of an operation ---- */

static bool writes(const struct gh_openapi_operation *operation)
{
    static const char *const METHODS[] = {"POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++)
        if (gh_str_eq(operation->method, gh_str_from_c(METHODS[i])))
            return true;
    return false;
}

/* `x-public: why` */
static bool says_why(struct gh_openapi_at operation)
{
    struct gh_str why = gh_json_string(gh_lint_get(operation, GH_STR("x-public")));
    return why.len > 0;
}

static const struct gh_openapi_response *response_of(const struct gh_openapi_operation *operation,
                                                     unsigned status)
{
    for (size_t i = 0; i < operation->response_count; i++)
        if (operation->responses[i].status_min <= status &&
            status <= operation->responses[i].status_max)
            return &operation->responses[i];
    return NULL;
}

static bool has_field(struct gh_openapi_at response, struct gh_str name)
{
    struct gh_openapi_at fields = member(response, "headers");
    const struct gh_json_value *one =
        fields.value ? gh_json_first(&fields.file->doc, fields.value) : NULL;
    for (; one; one = gh_json_after(&fields.file->doc, fields.value, one))
        if (gh_str_ieq(one->name, name))
            return true;
    return false;
}

static void judge_refusals(struct gh_lint *lint, const struct gh_openapi_operation *operation)
{
    struct gh_str none = GH_STR("");
    const struct gh_openapi_response *too_many = response_of(operation, 429);
    if (operation->secured)
        gh_lint_tell(lint, GH_LINT_RESPONSE_401_MISSING, operation->at,
                     response_of(operation, 401) != NULL, none, "there is no answer 401");
    if (operation->parameter_count || operation->has_body)
        gh_lint_tell(lint, GH_LINT_RESPONSE_422_MISSING, operation->at,
                     response_of(operation, 422) || response_of(operation, 400), none,
                     "there is neither an answer 422 nor 400");
    gh_lint_tell(lint, GH_LINT_RESPONSE_429_MISSING, operation->at, too_many != NULL, none,
                 "there is no answer 429");
    if (too_many && too_many->status_min == 429)
        gh_lint_tell(lint, GH_LINT_RESPONSE_429_NO_RETRY, too_many->at,
                     has_field(too_many->at, GH_STR("Retry-After")), none,
                     "the answer 429 does not declare Retry-After");
}

void gh_lint_operation_security(struct gh_lint *lint, const struct gh_openapi_operation *operation)
{
    struct gh_openapi_at own = member(operation->at, "security");
    bool is_said = own.value || member(root_of(lint), "security").value;
    gh_lint_tell(lint, GH_LINT_OPERATION_NO_SECURITY, operation->at, is_said, GH_STR(""),
                 "nothing says who may call it");
    if (is_said && writes(operation))
        gh_lint_tell(lint, GH_LINT_WRITE_PUBLIC, operation->at,
                     operation->secured || says_why(operation->at), GH_STR(""),
                     "anybody may call it, and it writes");
    judge_requirements(lint, own);
    judge_servers(lint, operation->at);
    judge_refusals(lint, operation);
}
