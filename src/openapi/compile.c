/* Schemas into the registry, and what is wrong with them to the problems. */
#include "openapi/loader.h"

#include "openapi/place.h"

/* Sets of schemas that are begun anew after an error; what is wrong after that stays untold. */
#define BROKEN_MAX 100

bool gh_openapi_registry_ready(struct gh_openapi_loader *loader,
                               struct gh_openapi_registry *registry)
{
    if (registry->schemas)
        return true;
    struct gh_schema_options options = {
        .dialect = loader->is_3_0 ? GH_SCHEMA_OPENAPI_30 : GH_SCHEMA_2020_12,
        .assert_formats = loader->options->assert_formats,
    };
    struct gh_schemas *schemas = gh_schemas_new(registry->arena, &options);
    struct gh_schema_error error;
    for (size_t i = 0; schemas && i < loader->file_count; i++) {
        const struct gh_openapi_file *file = loader->files[i];
        if (gh_schemas_add(schemas, file->uri, &file->doc, GH_SCHEMA_HAS_SCHEMAS, &error) != GH_OK)
            schemas = NULL;
    }
    if (!schemas)
        gh_openapi_no_memory(loader);
    registry->schemas = schemas;
    return schemas;
}

static const struct gh_openapi_file *file_of(const struct gh_openapi_loader *loader,
                                             struct gh_str uri)
{
    for (size_t i = 0; i < loader->file_count; i++) {
        if (gh_str_eq(loader->files[i]->uri, uri))
            return loader->files[i];
    }
    return NULL;
}

/* Many schemas lead to the one with the mistake. */
static bool was_told(const struct gh_openapi_problems *problems, const struct gh_openapi_file *file,
                     const struct gh_schema_error *error)
{
    unsigned line, column;
    gh_openapi_place(file, error->offset, &line, &column);
    for (size_t i = 0; i < problems->count; i++) {
        const struct gh_openapi_problem *problem = &problems->items[i];
        if (problem->line == line && problem->column == column &&
            gh_str_eq(problem->file, file->path) && gh_str_eq(problem->what, error->text))
            return true;
    }
    return false;
}

static void tell(struct gh_openapi_loader *loader, struct gh_openapi_at schema,
                 enum gh_openapi_severity severity, struct gh_schema_error error)
{
    const struct gh_openapi_file *file = file_of(loader, error.uri);
    if (!file) {
        file = schema.file;
        error.offset = schema.value->start;
    }
    /* Their sentences end with a full stop, ours don't. */
    if (gh_str_ends_with(error.text, GH_STR(".")))
        error.text.len--;
    if (!was_told(loader->problems, file, &error))
        gh_openapi_problem_put(loader->problems, loader->arena, severity, file, error.offset, NULL,
                               "%.*s", GH_STR_ARG(error.text));
}

static uint32_t compile(struct gh_openapi_loader *loader, struct gh_openapi_registry *registry,
                        struct gh_openapi_at schema, enum gh_openapi_severity severity)
{
    struct gh_schema_error error;
    uint32_t compiled;
    if (!schema.value || registry->broken_count == BROKEN_MAX || loader->no_memory ||
        !gh_openapi_registry_ready(loader, registry))
        return GH_OPENAPI_NO_SCHEMA;
    enum gh_err err = gh_schemas_compile_value(registry->schemas, &schema.file->doc, schema.value,
                                               &compiled, &error);
    if (err == GH_OK)
        return compiled;
    if (err == GH_ERR_MEMORY)
        gh_openapi_no_memory(loader);
    else
        tell(loader, schema, severity, error);
    registry->schemas = NULL;
    registry->broken_count++;
    return GH_OPENAPI_NO_SCHEMA;
}

uint32_t gh_openapi_compile(struct gh_openapi_loader *loader, struct gh_openapi_at schema)
{
    return compile(loader, &loader->registry, schema, GH_OPENAPI_ERROR);
}

uint32_t gh_openapi_compile_remark(struct gh_openapi_loader *loader, struct gh_openapi_at schema,
                                   enum gh_openapi_severity severity)
{
    return compile(loader, &loader->remarks, schema, severity);
}
