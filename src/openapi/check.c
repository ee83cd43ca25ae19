/* Checking a request's head, its whole body, and an answer. */
#include "openapi/check.h"

#include "openapi/check_job.h"

static struct gh_input_job job_of(const struct gh_input_request *request, struct gh_arena *arena,
                                  struct gh_input_checked *checked)
{
    return (struct gh_input_job){
        .schemas = request->openapi->schemas,
        .direction = GH_SCHEMA_REQUEST,
        .limits = request->limits,
        .arena = arena,
        .report = &checked->report,
        .evidence = request->evidence,
        .operation = request->operation,
        .notes = &checked->notes,
    };
}

/* No coding but "identity", which says nothing (RFC 9110 section 8.4.1). */
static bool is_encoded(const struct gh_fields *fields)
{
    for (const struct gh_field *line = gh_fields_find(fields, GH_FIELD_CONTENT_ENCODING); line;
         line = gh_fields_find_next(fields, line)) {
        struct gh_str rest = line->value, coding;
        while (gh_str_next_list_item(&rest, &coding)) {
            if (!gh_str_ieq(coding, GH_STR("identity")))
                return true;
        }
    }
    return false;
}

/* False: the body is of a type that is not taken. */
static bool check_type(struct gh_input_job *job, const struct gh_input_request *request,
                       struct gh_input_checked *checked)
{
    const struct gh_openapi_operation *operation = request->operation;
    const struct gh_input_place place = {.part = GH_INPUT_BODY};
    const struct gh_field *line = gh_fields_find(request->fields, GH_FIELD_CONTENT_TYPE);
    if (!request->has_body && operation->has_body && operation->body_required)
        gh_input_add(job, place, GH_STR("required"), "is missing");
    if (request->has_body && !operation->has_body)
        gh_input_add(job, place, GH_STR("undeclared"), "no body is declared");
    if (!request->has_body || !operation->has_body)
        return true;
    if (line && gh_fields_find_next(request->fields, line)) {
        gh_input_add(job, place, GH_STR("content_type"), "has several content types");
        return false;
    }
    if (!gh_input_find_media(job, operation->media, operation->media_count,
                             line ? line->value : (struct gh_str){0}, checked))
        return false;
    if (checked->kind == GH_OPENAPI_BODY_OPAQUE || !is_encoded(request->fields))
        return true;
    checked->media = NULL;
    gh_input_add(job, place, GH_STR("content_encoding"), "must not be encoded");
    return false;
}

enum gh_input_outcome gh_input_check_head(const struct gh_input_request *request,
                                          struct gh_arena *arena, struct gh_input_checked *out)
{
    *out = (struct gh_input_checked){0};
    gh_input_report_init(&out->report, request->limits);
    struct gh_input_job job = job_of(request, arena, out);
    gh_input_check_parameters(&job, request);
    bool is_good_type = check_type(&job, request, out);
    if (!is_good_type && !job.is_out_of_memory)
        return GH_INPUT_UNSUPPORTED_TYPE;
    bool is_all = !out->media || out->kind == GH_OPENAPI_BODY_OPAQUE; /* no body is judged */
    return is_all ? gh_input_conclude(&job) : gh_input_outcome_of(&job);
}

enum gh_input_outcome gh_input_check_body(const struct gh_input_request *request,
                                          struct gh_arena *arena, struct gh_str body,
                                          struct gh_input_checked *checked)
{
    struct gh_input_stream stream;
    const struct gh_input_job job = job_of(request, arena, checked);
    if (!gh_input_stream_init(&stream, &job, checked, request->operation->body_required))
        return GH_INPUT_NO_MEMORY;
    return gh_input_check_whole(&stream, body);
}

struct gh_input_stream *gh_input_stream_new(const struct gh_input_request *request,
                                            struct gh_arena *arena,
                                            struct gh_input_checked *checked)
{
    struct gh_input_stream *stream = gh_arena_alloc(arena, sizeof(*stream));
    const struct gh_input_job job = job_of(request, arena, checked);
    if (!stream || !gh_input_stream_init(stream, &job, checked, request->operation->body_required))
        return NULL;
    return stream;
}

static const struct gh_openapi_response *find_response(const struct gh_openapi_operation *operation,
                                                       unsigned status)
{
    for (size_t i = 0; i < operation->response_count; i++) {
        const struct gh_openapi_response *declared = &operation->responses[i];
        if (status >= declared->status_min && status <= declared->status_max)
            return declared;
    }
    return NULL;
}

/* Of these there never is a body (RFC 9110 sections 6.4.1). */
static bool has_no_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

enum gh_input_outcome gh_input_check_response(const struct gh_input_response *response,
                                              struct gh_arena *arena,
                                              struct gh_input_report *out_report)
{
    const struct gh_openapi_response *declared =
        find_response(response->operation, response->status);
    struct gh_input_checked checked = {0};
    struct gh_input_stream stream;
    struct gh_input_place place = {.part = GH_INPUT_BODY};
    gh_input_report_init(out_report, response->limits);
    struct gh_input_job job = {
        .schemas = response->openapi->response_schemas,
        .direction = GH_SCHEMA_RESPONSE,
        .limits = response->limits,
        .arena = arena,
        .report = out_report,
    };
    if (!declared) {
        place.name = GH_STR("status");
        gh_input_add(&job, place, GH_STR("undeclared"), "%u is not declared", response->status);
        return gh_input_outcome_of(&job);
    }
    if (!response->body.len && (!declared->media_count || has_no_body(response->status)))
        return GH_INPUT_OK;
    if (!declared->media_count) {
        gh_input_add(&job, place, GH_STR("undeclared"), "no body is declared");
        return gh_input_outcome_of(&job);
    }
    if (!gh_input_find_media(&job, declared->media, declared->media_count, response->content_type,
                             &checked))
        return job.is_out_of_memory ? GH_INPUT_NO_MEMORY : GH_INPUT_UNSUPPORTED_TYPE;
    if (!gh_input_stream_init(&stream, &job, &checked, true))
        return GH_INPUT_NO_MEMORY;
    return gh_input_check_whole(&stream, response->body);
}
