/* Loading: read, walk the structure, compile, check, all problems in one run. */
#include "openapi/loader.h"
#include "openapi/place.h"
#include "openapi/structure.h"

#define SCRATCH_BLOCK_BYTES 65536

/* "3.0.3" and the like. False: it is no version that we know, which is told. */
static bool read_version(struct gh_openapi_loader *loader, struct gh_openapi_at root)
{
    struct gh_openapi_at openapi = gh_openapi_member(root, "openapi");
    struct gh_openapi_at swagger = gh_openapi_member(root, "swagger");
    if (!openapi.value && swagger.value) {
        gh_openapi_error(loader, swagger, "convert it to OpenAPI 3, with swagger2openapi or others",
                         "Swagger 2.0 is not supported");
        return false;
    }
    if (!openapi.value) {
        gh_openapi_error(loader, root, "begin it with \"openapi: 3.1.0\"",
                         "this is no OpenAPI document: \"openapi\" is missing");
        return false;
    }
    struct gh_str text = gh_json_string(openapi.value);
    loader->is_3_0 = gh_str_starts_with(text, GH_STR("3.0."));
    if (loader->is_3_0 || gh_str_starts_with(text, GH_STR("3.1.")))
        return true;
    text = openapi.value->text.ptr ? openapi.value->text : GH_STR("");
    if (openapi.value->kind == GH_JSON_NUMBER || gh_str_eq(text, GH_STR("3.0")) ||
        gh_str_eq(text, GH_STR("3.1")))
        gh_openapi_error(loader, openapi, "write it in full, \"3.1.0\"",
                         "the version must be a string of three numbers");
    else
        gh_openapi_error(loader, openapi, "versions 3.0 and 3.1 are",
                         "OpenAPI \"%.*s\" is not supported", GH_STR_ARG(text));
    return false;
}

/* Which JSON Schema its schemas are of; what else they are of says each one's $schema. */
static void check_dialect(struct gh_openapi_loader *loader, struct gh_openapi_at root)
{
    struct gh_openapi_at at = gh_openapi_member(root, "jsonSchemaDialect");
    struct gh_str dialect = gh_json_string(at.value);
    if (!dialect.ptr || loader->is_3_0 ||
        gh_str_eq(dialect, GH_STR("https://json-schema.org/draft/2020-12/schema")) ||
        gh_str_starts_with(dialect, GH_STR("https://spec.openapis.org/oas/3.1/dialect/")))
        return;
    gh_openapi_error(loader, at, "leave it out, or write it for draft 2020-12",
                     "the dialect \"%.*s\" of JSON Schema is not supported", GH_STR_ARG(dialect));
}

static void read_info(struct gh_openapi_loader *loader, struct gh_openapi_at root)
{
    struct gh_openapi_at info = gh_openapi_member(root, "info");
    struct gh_str title = gh_json_string(gh_openapi_member(info, "title").value);
    struct gh_str version = gh_json_string(gh_openapi_member(info, "version").value);
    loader->openapi->title = title.ptr ? title : GH_STR("");
    loader->openapi->version = version.ptr ? version : GH_STR("");
}

static void load(struct gh_openapi_loader *loader, struct gh_str path)
{
    const struct gh_openapi_file *file =
        gh_openapi_read_path(loader, path, (struct gh_openapi_at){0});
    if (!file)
        return;
    struct gh_openapi_at root = {file, gh_json_root(&file->doc)};
    if (root.value->kind != GH_JSON_OBJECT) {
        gh_openapi_error(loader, root, NULL, "this is no OpenAPI document, which is a map");
        return;
    }
    if (!read_version(loader, root))
        return;
    loader->openapi->is_3_0 = loader->is_3_0;
    check_dialect(loader, root);
    gh_openapi_walk(loader);
    read_info(loader, root);
    gh_openapi_read_servers(loader);
    gh_openapi_registry_ready(loader, &loader->registry);
    if (!gh_openapi_read_operations(loader)) {
        gh_openapi_no_memory(loader);
        return;
    }
    gh_openapi_check_operations(loader);
    gh_openapi_remark(loader);
}

const struct gh_openapi *gh_openapi_load(struct gh_arena *arena,
                                         const struct gh_openapi_source *source, struct gh_str path,
                                         const struct gh_openapi_options *options,
                                         struct gh_openapi_problems *problems)
{
    struct gh_openapi_loader *loader = gh_arena_zalloc(arena, 1, sizeof(*loader));
    struct gh_openapi *openapi = gh_arena_zalloc(arena, 1, sizeof(*openapi));
    problems->count = 0;
    problems->error_count = problems->warning_count = 0;
    if (!loader || !openapi) {
        gh_openapi_problem_add(problems, arena, GH_OPENAPI_ERROR, (struct gh_openapi_at){0}, NULL,
                               "no memory for the document");
        return NULL;
    }
    loader->arena = arena;
    loader->source = source;
    loader->options = options;
    loader->problems = problems;
    loader->openapi = openapi;
    loader->registry.arena = arena;
    gh_arena_init(&loader->scratch, SCRATCH_BLOCK_BYTES, arena->allocated_max);
    loader->remarks.arena = &loader->scratch;
    load(loader, path);
    gh_arena_done(&loader->scratch);
    openapi->schemas = loader->registry.schemas;
    openapi->response_schemas = options->responses ? openapi->schemas : NULL;
    openapi->files = loader->files;
    openapi->file_count = loader->file_count;
    gh_openapi_problems_sort(openapi, problems);
    return problems->error_count ? NULL : openapi;
}
