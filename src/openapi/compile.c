/* Schemas into the registry, and what is wrong with them to the problems. */
#include "openapi/loader.h"

#include "openapi/place.h"
#include "openapi/structure.h"

/* Sets of schemas that are begun anew after an error; what is wrong after that stays untold. */
#define BROKEN_MAX 100

/* Many schemas lead to the one with the mistake, and the walk over the structure may have seen it
   too. */
static bool was_told(const struct gh_openapi_problems *problems, const struct gh_openapi_file *file,
                     size_t offset, enum gh_openapi_severity severity)
{
    unsigned line, column;
    gh_openapi_place(file, offset, &line, &column);
    for (size_t i = 0; i < problems->count; i++) {
        const struct gh_openapi_problem *problem = &problems->items[i];
        bool is_error = problem->severity == GH_OPENAPI_ERROR;
        if ((is_error || severity == GH_OPENAPI_WARNING) && problem->line == line &&
            problem->column == column && gh_str_eq(problem->file, file->path))
            return true;
    }
    return false;
}

/* The keyword where a pointer ends; empty: it ends at an item of a list. */
static struct gh_str keyword_of(struct gh_str pointer)
{
    struct gh_str token = GH_STR("");
    while (pointer.ptr && pointer.len)
        token = gh_str_split(&pointer, '/');
    return token.len && token.ptr[0] >= '0' && token.ptr[0] <= '9' ? GH_STR("") : token;
}

/* "This must be ...": theirs are sentences, ours begin with what they are about. */
static void put(struct gh_openapi_loader *loader, enum gh_openapi_severity severity,
                const struct gh_openapi_file *file, const struct gh_schema_error *error)
{
    struct gh_str text = error->text, keyword = keyword_of(error->pointer);
    if (gh_str_ends_with(text, GH_STR(".")))
        text.len--;
    bool is_about_keyword =
        gh_str_starts_with(text, GH_STR("This ")) || gh_str_starts_with(text, GH_STR("It "));
    char first = text.len ? gh_ascii_lower(text.ptr[0]) : ' ';
    if (is_about_keyword && keyword.len)
        gh_openapi_problem_put(loader->problems, loader->arena, severity, file, error->offset, NULL,
                               "\"%.*s\": %c%.*s", GH_STR_ARG(keyword), first,
                               GH_STR_ARG(gh_str_skip(text, 1)));
    else
        gh_openapi_problem_put(loader->problems, loader->arena, severity, file, error->offset, NULL,
                               "%c%.*s", first, GH_STR_ARG(gh_str_skip(text, 1)));
}

static void tell(struct gh_openapi_loader *loader, struct gh_openapi_at schema,
                 enum gh_openapi_severity severity, struct gh_schema_error error)
{
    const struct gh_openapi_file *file = gh_openapi_file_of(loader, error.uri);
    if (!file) {
        file = schema.file;
        error.offset = schema.value->start;
    }
    if (!was_told(loader->problems, file, error.offset, severity))
        put(loader, severity, file, &error);
}

/* False: there is a mistake, and the set was given up. */
static bool compile_value(struct gh_openapi_loader *loader, struct gh_openapi_registry *registry,
                          struct gh_openapi_at schema, enum gh_openapi_severity severity,
                          uint32_t *out_schema)
{
    struct gh_schema_error error;
    enum gh_err err = gh_schemas_compile_value(registry->schemas, &schema.file->doc, schema.value,
                                               out_schema, &error);
    if (err == GH_OK)
        return true;
    if (err == GH_ERR_MEMORY)
        gh_openapi_no_memory(loader);
    else
        tell(loader, schema, severity, error);
    registry->schemas = NULL;
    registry->broken_count++;
    return false;
}

static bool is_identifier(const struct gh_json_value *value)
{
    return value->kind == GH_JSON_STRING &&
           (gh_str_eq(value->name, GH_STR("$id")) || gh_str_eq(value->name, GH_STR("$anchor")) ||
            gh_str_eq(value->name, GH_STR("$dynamicAnchor")));
}

/* Schemas with names of their own come first: others can refer to them by name only after that. */
static void compile_named(struct gh_openapi_loader *loader, struct gh_openapi_registry *registry)
{
    for (size_t file = 0; file < loader->file_count; file++) {
        const struct gh_json_doc *doc = &loader->files[file]->doc;
        const struct gh_json_value *outermost = NULL;
        for (size_t i = 0; i < doc->count; i++) {
            bool is_within = outermost && i < outermost->next;
            if (!is_within && (loader->marks[file][i] & GH_MARK_ANY(GH_KIND_SCHEMA)))
                outermost = &doc->values[i];
            else if (!is_within || !is_identifier(&doc->values[i]))
                continue;
            else if (!compile_value(loader, registry, GH_OPENAPI_AT(loader->files[file], outermost),
                                    GH_OPENAPI_ERROR, &(uint32_t){0}))
                return;
        }
    }
}

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
    if (schemas && !loader->is_3_0)
        compile_named(loader, registry);
    return registry->schemas;
}

static uint32_t compile(struct gh_openapi_loader *loader, struct gh_openapi_registry *registry,
                        struct gh_openapi_at schema, enum gh_openapi_severity severity)
{
    uint32_t compiled;
    if (!schema.value || registry->broken_count >= BROKEN_MAX || loader->no_memory ||
        !gh_openapi_registry_ready(loader, registry) ||
        !compile_value(loader, registry, schema, severity, &compiled))
        return GH_OPENAPI_NO_SCHEMA;
    return compiled;
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
