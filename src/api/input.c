/*
 * Requests are judged by the document that the service publishes, with the engine that judges
 * requests to upstreams (SPEC sections 4 and 8).
 */
#include "api/endpoint.h"
#include "base/assert.h"
#include "json/parse.h"
#include "policy/input.h"

#define FILE_NAME GH_STR("openapi.json")

/* ---- Loading ---- */

static enum gh_err read_document(void *context, struct gh_arena *arena, struct gh_str path,
                                 struct gh_str *out_text)
{
    char *memory = gh_arena_alloc(arena, GH_API_DOCUMENT_BYTES_MAX);
    struct gh_buf buf = gh_buf_over(memory, memory ? GH_API_DOCUMENT_BYTES_MAX : 0);
    GH_ASSERT(gh_str_eq(path, FILE_NAME));
    gh_api_put_document(&buf, context);
    *out_text = gh_buf_str(&buf);
    return buf.overflow ? GH_ERR_MEMORY : GH_OK;
}

static const struct gh_openapi_operation *find(const struct gh_openapi *document, const char *id)
{
    for (size_t i = 0; i < document->operation_count; i++)
        if (gh_str_eq(document->operations[i].id, gh_str_from_c(id)))
            return &document->operations[i];
    GH_ASSERT(!"the document has all endpoints");
    return NULL;
}

enum gh_err gh_api_load_inputs(struct gh_api *api, struct gh_arena *arena,
                               const struct gh_identity_settings *settings, bool answers)
{
    const struct gh_openapi_options options = {.responses = answers};
    struct gh_openapi_source source = {.context = (void *)settings, .read = read_document};
    struct gh_api_inputs *inputs = gh_arena_zalloc(arena, 1, sizeof(*inputs));
    size_t count;
    gh_api_endpoints(&count);
    const struct gh_openapi_operation **operations =
        gh_arena_zalloc(arena, count, sizeof(*operations));
    struct gh_openapi_problems *problems = gh_arena_alloc(arena, sizeof(*problems));
    if (!inputs || !operations || !problems)
        return GH_ERR_MEMORY;
    inputs->document = gh_openapi_load(arena, &source, FILE_NAME, &options, problems);
    if (!inputs->document)
        return GH_ERR_MEMORY; /* the document is ours: nothing else can be wrong with it */
    for (size_t i = 0; i < count; i++)
        operations[i] = find(inputs->document, gh_endpoint_at(i)->operation);
    inputs->operations = operations;
    api->inputs = inputs;
    return GH_OK;
}

/* ---- Judging ---- */

static bool is_no_json(const struct gh_input_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->violations[i].part == GH_INPUT_BODY &&
            gh_str_eq(report->violations[i].rule, GH_STR("syntax")))
            return true;
    return false;
}

static void refuse(struct gh_api_request *request, const struct gh_input_report *report)
{
    struct gh_arena *arena = &request->call->arena;
    struct gh_str detail = gh_input_detail(arena, report);
    struct gh_str errors = gh_input_errors(arena, report);
    if (!detail.ptr || !errors.ptr)
        gh_api_is_ok(request, GH_IDENTITY_UNAVAILABLE);
    else if (is_no_json(report))
        gh_api_reply_problem_with(request, 400, GH_STR("The body must be a JSON object."), errors);
    else
        gh_api_reply_problem_with(request, 422, detail, errors);
}

/* Where members are declared, no body is an empty object, and where none are, such an object is no
   body. */
static struct gh_str body_of(const struct gh_api_request *request)
{
    struct gh_str body = request->call->body;
    if (request->endpoint->member_count)
        return body.len ? body : GH_STR("{}");
    return gh_str_eq(gh_str_trim_ows(body), GH_STR("{}")) ? GH_STR("") : body;
}

static enum gh_input_outcome judge(struct gh_api_request *request, struct gh_str body,
                                   struct gh_input_checked *checked)
{
    const struct gh_api_inputs *inputs = request->api->inputs;
    const struct gh_service_call *call = request->call;
    struct gh_input_limits limits = gh_input_usual;
    struct gh_str values[GH_PATH_PARAMS_MAX];
    struct gh_field room[1];
    struct gh_fields fields;
    limits.json = gh_json_small;
    gh_fields_init(&fields, room, 1);
    if (body.len) /* the gateway saw to it that it is of this type */
        gh_fields_add(&fields, GH_STR("Content-Type"), GH_STR("application/json"));
    for (size_t i = 0; i < call->param_count; i++)
        values[i] = call->params[i].value;
    const struct gh_input_request input = {
        .openapi = inputs->document,
        .operation = inputs->operations[call->endpoint],
        .limits = &limits,
        .undeclared = {.query = true},
        .path_values = values,
        .path_value_count = call->param_count,
        .query = call->query,
        .fields = &fields,
        .has_body = body.len > 0,
    };
    enum gh_input_outcome outcome = gh_input_check_head(&input, &request->call->arena, checked);
    if (checked->media && (outcome == GH_INPUT_OK || outcome == GH_INPUT_VIOLATIONS))
        outcome = gh_input_check_body(&input, &request->call->arena, body, checked);
    return outcome;
}

bool gh_api_check_input(struct gh_api_request *request)
{
    struct gh_input_checked checked;
    struct gh_str body = body_of(request);
    switch (judge(request, body, &checked)) {
    case GH_INPUT_OK:
        return gh_api_read_body(request, body);
    case GH_INPUT_VIOLATIONS:
    case GH_INPUT_UNSUPPORTED_TYPE:
        refuse(request, &checked.report);
        return false;
    case GH_INPUT_NO_MEMORY:
        break;
    }
    return gh_api_is_ok(request, GH_IDENTITY_UNAVAILABLE);
}
