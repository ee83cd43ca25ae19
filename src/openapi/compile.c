/* Schemas into the registries of requests and answers. */
#include "openapi/loader.h"

#include "openapi/place.h"

static struct gh_schemas *new_schemas(struct gh_openapi_loader *loader)
{
    struct gh_schema_options options = {
        .dialect = loader->is_3_0 ? GH_SCHEMA_OPENAPI_30 : GH_SCHEMA_2020_12,
        .assert_formats = loader->options->assert_formats,
    };
    struct gh_schemas *schemas = gh_schemas_new(loader->arena, &options);
    struct gh_schema_error error;
    for (size_t i = 0; schemas && i < loader->file_count; i++) {
        const struct gh_openapi_file *file = loader->files[i];
        if (gh_schemas_add(schemas, file->uri, &file->doc, GH_SCHEMA_HAS_SCHEMAS, &error) != GH_OK)
            schemas = NULL;
    }
    if (!schemas)
        gh_openapi_no_memory(loader);
    return schemas;
}

static void tell(struct gh_openapi_loader *loader, struct gh_openapi_at schema,
                 const struct gh_schema_error *error)
{
    const struct gh_openapi_file *file = schema.file;
    for (size_t i = 0; i < loader->file_count; i++) {
        if (gh_str_eq(loader->files[i]->uri, error->uri))
            file = loader->files[i];
    }
    gh_openapi_problem_put(loader->problems, loader->arena, GH_OPENAPI_ERROR, file, error->offset,
                           NULL, "%.*s", GH_STR_ARG(error->text));
}

uint32_t gh_openapi_compile(struct gh_openapi_loader *loader, struct gh_openapi_registry *registry,
                            struct gh_openapi_at schema)
{
    struct gh_schema_error error;
    uint32_t compiled;
    if (!schema.value || registry->is_broken)
        return GH_OPENAPI_NO_SCHEMA;
    if (!registry->schemas)
        registry->schemas = new_schemas(loader);
    if (!registry->schemas)
        return GH_OPENAPI_NO_SCHEMA;
    if (gh_schemas_compile_value(registry->schemas, &schema.file->doc, schema.value, &compiled,
                                 &error) == GH_OK)
        return compiled;
    registry->is_broken = true;
    tell(loader, schema, &error);
    return GH_OPENAPI_NO_SCHEMA;
}
