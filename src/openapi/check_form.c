/* The body of a form as an object of its schema's properties. */
#include "json/build.h"
#include "openapi/check_job.h"

struct form_body {
    struct gh_input_job *job;
    const struct gh_openapi_media *media;
    struct gh_form form;
    bool *used;
    struct gh_json_builder builder;
};

const struct gh_openapi_encoding *gh_input_encoding(const struct gh_openapi_media *media,
                                                    struct gh_str property)
{
    for (size_t i = 0; i < media->encoding_count; i++) {
        if (gh_str_eq(media->encodings[i].property, property))
            return &media->encodings[i];
    }
    return NULL;
}

uint32_t gh_input_property(const struct gh_input_job *job, const struct gh_openapi_media *media,
                           struct gh_str name)
{
    uint32_t schema;
    return gh_schema_property(job->schemas, media->schema, name, &schema) ? schema : UINT32_MAX;
}

bool gh_input_is_object(const struct gh_input_job *job, uint32_t schema)
{
    if (schema == UINT32_MAX)
        return false;
    unsigned kinds = gh_schema_kinds(job->schemas, schema) & ~(1u << GH_JSON_NULL);
    return kinds == 1u << GH_JSON_OBJECT;
}

void gh_input_judge_form(struct gh_input_job *job, const struct gh_openapi_media *media,
                         struct gh_json_builder *builder, size_t violations_before)
{
    struct gh_json_doc doc;
    gh_json_build_end(builder);
    enum gh_json_status status = gh_json_build_finish(builder, &doc);
    if (status == GH_JSON_MEMORY)
        job->is_out_of_memory = true;
    else if (status != GH_JSON_OK)
        gh_input_add_status(job, (struct gh_input_place){.part = GH_INPUT_BODY},
                            status == GH_JSON_DUPLICATE_NAME ? GH_PARAMETER_REPEATED
                                                             : GH_PARAMETER_TOO_LARGE);
    else if (job->report->count == violations_before)
        gh_input_judge(job, GH_INPUT_BODY, GH_STR(""), media->schema, &doc);
}

static void settle(struct form_body *body, const struct gh_parameter *parameter,
                   enum gh_parameter_status status, const struct gh_json_doc *doc)
{
    if (status == GH_PARAMETER_OK)
        gh_json_build_copy(&body->builder, parameter->name, doc);
    else if (status != GH_PARAMETER_ABSENT)
        gh_input_add_status(body->job, gh_input_member(body->job, parameter->name), status);
}

static void read_property(struct form_body *body, const struct gh_parameter *parameter)
{
    struct gh_json_doc doc;
    enum gh_parameter_status status = gh_parameter_read_form(
        body->job->schemas, parameter, body->job->arena, &body->form, body->used, &doc);
    settle(body, parameter, status, &doc);
}

static void read_styled(struct form_body *body)
{
    for (size_t i = 0; i < body->media->encoding_count; i++) {
        const struct gh_openapi_encoding *encoding = &body->media->encodings[i];
        if (!encoding->styled)
            continue;
        read_property(body,
                      &(struct gh_parameter){
                          .name = encoding->property,
                          .in = GH_IN_QUERY,
                          .style = encoding->style,
                          .explode = encoding->explode,
                          .schema = gh_input_property(body->job, body->media, encoding->property),
                      });
    }
}

/* Of a name that the schema says nothing about: a string, or an array of them. */
static void read_unknown(struct form_body *body, struct gh_str name)
{
    const struct gh_form *form = &body->form;
    size_t count = 0;
    for (size_t i = 0; i < form->count; i++)
        count += gh_str_eq(form->fields[i].name, name);
    if (count > 1)
        gh_json_build_begin(&body->builder, name, GH_JSON_ARRAY);
    for (size_t i = 0; i < form->count; i++) {
        if (!gh_str_eq(form->fields[i].name, name))
            continue;
        body->used[i] = true;
        gh_json_build_string(&body->builder, name, form->fields[i].value);
    }
    if (count > 1)
        gh_json_build_end(&body->builder);
}

static bool is_json(const struct form_body *body, struct gh_str name, uint32_t schema)
{
    const struct gh_openapi_encoding *encoding = gh_input_encoding(body->media, name);
    if (encoding && encoding->content_types.len)
        return gh_media_kind(encoding->content_types) == GH_OPENAPI_BODY_JSON;
    return gh_input_is_object(body->job, schema);
}

static void read_plain(struct form_body *body)
{
    for (size_t i = 0; i < body->form.count && gh_input_goes_on(body->job); i++) {
        struct gh_str name = body->form.fields[i].name;
        if (body->used[i])
            continue;
        uint32_t schema = gh_input_property(body->job, body->media, name);
        if (schema == UINT32_MAX) {
            read_unknown(body, name);
            continue;
        }
        read_property(body, &(struct gh_parameter){
                                .name = name,
                                .in = GH_IN_QUERY,
                                .style = GH_STYLE_FORM,
                                .explode = true,
                                .is_json = is_json(body, name, schema),
                                .schema = schema,
                            });
        /* Whatever it was read as, it is not looked at again. */
        body->used[i] = true;
    }
}

void gh_input_check_form(struct gh_input_job *job, const struct gh_openapi_media *media,
                         struct gh_str text)
{
    struct form_body body = {.job = job, .media = media};
    size_t offset = 0, violations_before = job->report->count;
    enum gh_form_status status =
        gh_form_parse(job->arena, text, &job->limits->form, &body.form, &offset);
    if (status != GH_FORM_OK) {
        gh_input_add_form_status(job, (struct gh_input_place){.part = GH_INPUT_BODY}, status,
                                 offset);
        return;
    }
    if (media->schema == GH_OPENAPI_NO_SCHEMA || !job->schemas)
        return;
    body.used = gh_arena_zalloc(job->arena, body.form.count + 1, sizeof(*body.used));
    if (!body.used) {
        job->is_out_of_memory = true;
        return;
    }
    gh_json_build_init(&body.builder, job->arena, &job->limits->json);
    gh_json_build_begin(&body.builder, GH_STR(""), GH_JSON_OBJECT);
    read_styled(&body);
    read_plain(&body);
    gh_input_judge_form(job, media, &body.builder, violations_before);
}
