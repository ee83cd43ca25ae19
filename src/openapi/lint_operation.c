/* What an operation takes: its parameters and bodies, and with --responses what it answers. */
#include "openapi/lint_names.h"
#include "openapi/lint_state.h"

#define KIND(name) (1u << GH_JSON_##name)

static struct gh_str place_of(enum gh_parameter_in in)
{
    switch (in) {
    case GH_IN_PATH:
        return GH_STR("path");
    case GH_IN_QUERY:
        return GH_STR("query");
    case GH_IN_HEADER:
        return GH_STR("header");
    case GH_IN_COOKIE:
        return GH_STR("cookie");
    }
    return GH_STR("");
}

static bool is_restricted(const struct gh_lint_view *view)
{
    static const char *const NAMES[] = {"enum", "const", "pattern"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (gh_lint_view_get(view, gh_str_from_c(NAMES[i]), NULL))
            return true;
    return false;
}

/* What logs, histories and strangers learn from URLs. */
static void judge_in_url(struct gh_lint *lint, const struct gh_openapi_parameter *parameter,
                         const struct gh_lint_item *item)
{
    struct gh_lint_view view = {.openapi = lint->openapi};
    struct gh_str where = gh_lint_where(lint, item);
    bool integer = false;
    gh_lint_view_add(&view, parameter->schema_at);
    unsigned kinds = gh_lint_view_types(&view, &integer);
    gh_lint_tell(lint, GH_LINT_CREDENTIALS_IN_URL, parameter->at,
                 !gh_lint_is_credential(parameter->name), where,
                 "a secret stands in the URL: \"%.*s\"", GH_STR_ARG(parameter->name));
    if (gh_lint_meaning_of(parameter->name) == GH_MEANS_ID)
        gh_lint_tell(lint, GH_LINT_NUMERIC_ID, parameter->at, !(kinds & KIND(NUMBER)), where,
                     "the id is a number, so others can be guessed");
    if (gh_lint_is_target(parameter->name))
        gh_lint_tell(lint, GH_LINT_URL_PARAMETER, parameter->at, is_restricted(&view), where,
                     "it looks like an address to call or to go to, and takes any");
}

static void judge_parameter(struct gh_lint *lint, const struct gh_openapi_parameter *parameter)
{
    struct gh_openapi_at schema = parameter->schema_at;
    struct gh_lint_item item = {.schemas = &schema,
                                .schema_count = 1,
                                .place = place_of(parameter->in),
                                .field = parameter->name,
                                .pointer = GH_STR(""),
                                .name = parameter->name,
                                .required = parameter->required};
    gh_lint_tell(lint, GH_LINT_PARAMETER_NO_SCHEMA, parameter->at, schema.value != NULL,
                 gh_lint_where(lint, &item), "the parameter has no schema");
    if (!schema.value)
        return;
    item.samples = gh_lint_samples_of(lint, parameter->at);
    if (parameter->in == GH_IN_PATH || parameter->in == GH_IN_QUERY)
        judge_in_url(lint, parameter, &item);
    gh_lint_walk(lint, &item);
}

static void walk_media(struct gh_lint *lint, const struct gh_openapi_media *media,
                       struct gh_str place, bool is_response)
{
    struct gh_openapi_at schema = media->schema_at;
    struct gh_lint_item item = {.schemas = &schema,
                                .schema_count = 1,
                                .place = place,
                                .field = GH_STR(""),
                                .pointer = GH_STR(""),
                                .name = GH_STR(""),
                                .required = true,
                                .response = is_response,
                                .binary = media->kind == GH_OPENAPI_BODY_MULTIPART ||
                                          media->kind == GH_OPENAPI_BODY_OPAQUE,
                                .samples = gh_lint_samples_of(lint, media->at)};
    if (schema.value)
        gh_lint_walk(lint, &item);
}

static void judge_body(struct gh_lint *lint, const struct gh_openapi_operation *operation)
{
    struct gh_str place = GH_STR("body");
    for (size_t i = 0; i < operation->media_count; i++) {
        const struct gh_openapi_media *media = &operation->media[i];
        gh_lint_tell(lint, GH_LINT_BODY_ANY_CONTENT_TYPE, media->at,
                     gh_str_find_char(media->range, '*') == media->range.len, place,
                     "any content type is taken: \"%.*s\"", GH_STR_ARG(media->range));
        gh_lint_tell(lint, GH_LINT_BODY_NO_SCHEMA, media->at,
                     media->schema_at.value || media->kind == GH_OPENAPI_BODY_OPAQUE, place,
                     "a body of %.*s may hold anything", GH_STR_ARG(media->range));
        walk_media(lint, media, place, false);
    }
}

void gh_lint_operation(struct gh_lint *lint, const struct gh_openapi_operation *operation)
{
    gh_lint_operation_security(lint, operation);
    for (size_t i = 0; i < operation->parameter_count; i++)
        judge_parameter(lint, &operation->parameters[i]);
    if (operation->has_body)
        judge_body(lint, operation);
    for (size_t i = 0; lint->options->responses && i < operation->response_count; i++)
        for (size_t k = 0; k < operation->responses[i].media_count; k++)
            walk_media(lint, &operation->responses[i].media[k], GH_STR("response"), true);
}
