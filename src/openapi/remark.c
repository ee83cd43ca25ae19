/*
 * The schemas of a document once more: those that no request reaches are compiled to see that they
 * can be, contradictions within one are looked for, and examples and defaults are held against
 * theirs. Examples must not be wrong for a document to be of use, so these are warnings.
 */
#include "openapi/structure.h"

#include "schema/decimal.h"
#include "schema/pointer.h"

#define EXAMPLE_ARENA_BYTES ((size_t)16 * 1024 * 1024)

/* What is looked at. */
struct remarks {
    struct gh_openapi_loader *loader;
    struct gh_arena check_arena; /* of one check */
};

static bool is_schema(const struct gh_openapi_loader *loader, size_t file, uint32_t value)
{
    return loader->marks[file][value] & GH_MARK_ANY(GH_KIND_SCHEMA);
}

static enum gh_openapi_severity severity_of(const struct gh_openapi_loader *loader, size_t file,
                                            uint32_t value)
{
    bool matters =
        loader->options->responses || (loader->marks[file][value] & GH_MARK(GH_KIND_SCHEMA, true));
    return matters ? GH_OPENAPI_ERROR : GH_OPENAPI_WARNING;
}

/* The outermost ones, and when one of them has a mistake all within, so that none is hidden. */
static void compile_all(struct gh_openapi_loader *loader, size_t file)
{
    const struct gh_json_doc *doc = &loader->files[file]->doc;
    uint32_t behind = 0; /* the schema that was compiled */
    for (uint32_t i = 0; i < doc->count; i++) {
        if (!is_schema(loader, file, i) || i < behind)
            continue;
        if (gh_openapi_compile_remark(loader, GH_OPENAPI_AT(loader->files[file], &doc->values[i]),
                                      severity_of(loader, file, i)) != GH_OPENAPI_NO_SCHEMA)
            behind = doc->values[i].next;
    }
}

static bool read_number(struct gh_openapi_at at, struct gh_decimal *out)
{
    if (!at.value || at.value->kind != GH_JSON_NUMBER)
        return false;
    *out = gh_decimal_read(at.value->text);
    return true;
}

static void check_bounds(struct gh_openapi_loader *loader, struct gh_openapi_at schema)
{
    static const char *const PAIRS[][2] = {
        {"minLength", "maxLength"},         {"minItems", "maxItems"},
        {"minProperties", "maxProperties"}, {"minimum", "maximum"},
        {"minContains", "maxContains"},
    };
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        struct gh_openapi_at low_at = gh_openapi_member(schema, PAIRS[i][0]);
        struct gh_decimal low, high;
        if (read_number(low_at, &low) &&
            read_number(gh_openapi_member(schema, PAIRS[i][1]), &high) &&
            gh_decimal_compare(&low, &high) > 0)
            gh_openapi_warning(loader, low_at, NULL, "%s is over %s, so nothing is valid",
                               PAIRS[i][0], PAIRS[i][1]);
    }
}

/* Taken as the generators mean it that write it so. */
static void check_exclusive(struct gh_openapi_loader *loader, struct gh_openapi_at schema)
{
    static const char *const NAMES[] = {"exclusiveMinimum", "exclusiveMaximum"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        struct gh_openapi_at at = gh_openapi_member(schema, NAMES[i]);
        if (loader->is_3_0 && at.value && at.value->kind == GH_JSON_NUMBER)
            gh_openapi_warning(loader, at, NULL,
                               "in OpenAPI 3.0 this is true or false; it is read as the bound that "
                               "it is in 3.1");
    }
}

static bool is_of_type(const struct gh_json_value *value, struct gh_str type)
{
    switch (value->kind) {
    case GH_JSON_NULL:
        return gh_str_eq(type, GH_STR("null"));
    case GH_JSON_BOOL:
        return gh_str_eq(type, GH_STR("boolean"));
    case GH_JSON_NUMBER:
        return gh_str_eq(type, GH_STR("number")) ||
               (gh_str_eq(type, GH_STR("integer")) && value->is_integer);
    case GH_JSON_STRING:
        return gh_str_eq(type, GH_STR("string"));
    case GH_JSON_ARRAY:
        return gh_str_eq(type, GH_STR("array"));
    case GH_JSON_OBJECT:
        return gh_str_eq(type, GH_STR("object"));
    }
    return false;
}

/* `type: string` beside `enum: [1, 2]`: some choices can never be taken. */
static void check_enum(struct gh_openapi_loader *loader, struct gh_openapi_at schema)
{
    struct gh_openapi_at list = gh_openapi_member(schema, "enum");
    struct gh_str type = gh_json_string(gh_openapi_member(schema, "type").value);
    if (!list.value || list.value->kind != GH_JSON_ARRAY || !type.ptr)
        return;
    for (const struct gh_json_value *item = gh_json_first(&list.file->doc, list.value); item;
         item = gh_json_after(&list.file->doc, list.value, item)) {
        bool null_is_fine = item->kind == GH_JSON_NULL && loader->is_3_0 &&
                            gh_openapi_flag(schema, "nullable", false);
        if (is_of_type(item, type) || null_is_fine)
            continue;
        gh_openapi_warning(loader, GH_OPENAPI_AT(list.file, item),
                           item->kind == GH_JSON_BOOL || item->kind == GH_JSON_NULL
                               ? "put it in quotes if it is a string"
                               : NULL,
                           "this choice is not of the type \"%.*s\"", GH_STR_ARG(type));
        return;
    }
}

static void check_array(struct gh_openapi_loader *loader, struct gh_openapi_at schema)
{
    struct gh_str type = gh_json_string(gh_openapi_member(schema, "type").value);
    if (loader->is_3_0 && gh_str_eq(type, GH_STR("array")) &&
        !gh_openapi_member(schema, "items").value)
        gh_openapi_warning(loader, schema, "add \"items: {}\" if they can be anything",
                           "an array must have \"items\" in OpenAPI 3.0");
}

/* Pointers count from the root of the document; what is wanted is the part within the example. */
static struct gh_str pointer_within(struct gh_arena *arena, struct gh_openapi_at example,
                                    struct gh_str pointer)
{
    char *memory = gh_arena_alloc(arena, GH_SCHEMA_POINTER_BYTES_MAX);
    if (!memory)
        return GH_STR("");
    struct gh_buf buf = gh_buf_over(memory, GH_SCHEMA_POINTER_BYTES_MAX);
    gh_json_pointer_put(&buf, &example.file->doc,
                        (uint32_t)(example.value - example.file->doc.values));
    return gh_str_skip(pointer, buf.len);
}

static void check_example(struct remarks *remarks, struct gh_openapi_at schema,
                          struct gh_openapi_at example, const char *noun)
{
    struct gh_openapi_loader *loader = remarks->loader;
    struct gh_schema_report report = {0};
    struct gh_schema_check_options options = gh_schema_check_usual;
    if (!schema.value || !example.value || loader->remarks.broken_count)
        return;
    options.limits.violations_max = 1;
    uint32_t compiled = gh_openapi_compile_remark(loader, schema, GH_OPENAPI_WARNING);
    if (compiled == GH_OPENAPI_NO_SCHEMA)
        return;
    gh_arena_reset(&remarks->check_arena);
    enum gh_schema_outcome outcome =
        gh_schema_check(loader->remarks.schemas, compiled, &example.file->doc, example.value,
                        &options, &remarks->check_arena, &report);
    if (outcome != GH_SCHEMA_INVALID || report.count == 0)
        return;
    struct gh_str message = report.violations[0].message;
    struct gh_str pointer =
        pointer_within(&remarks->check_arena, example, report.violations[0].pointer);
    if (gh_str_ends_with(message, GH_STR(".")))
        message.len--;
    gh_openapi_warning(loader, example, NULL, "%s is not valid against its schema%s%.*s: %.*s",
                       noun, pointer.len ? ", at " : "", GH_STR_ARG(pointer), GH_STR_ARG(message));
}

/* A Parameter, Header or Media Type Object: `example`, and `examples` by name. */
static void check_holder(struct remarks *remarks, struct gh_openapi_at holder)
{
    struct gh_openapi_at schema = gh_openapi_member(holder, "schema");
    struct gh_openapi_at map = gh_openapi_member(holder, "examples");
    check_example(remarks, schema, gh_openapi_member(holder, "example"), "the example");
    if (!map.value || map.value->kind != GH_JSON_OBJECT)
        return;
    for (const struct gh_json_value *item = gh_json_first(&map.file->doc, map.value); item;
         item = gh_json_after(&map.file->doc, map.value, item)) {
        struct gh_openapi_at example =
            gh_openapi_follow(remarks->loader, GH_OPENAPI_AT(map.file, item));
        check_example(remarks, schema, gh_openapi_member(example, "value"), "the example");
    }
}

static void check_schema(struct remarks *remarks, struct gh_openapi_at schema)
{
    struct gh_openapi_loader *loader = remarks->loader;
    bool is_reference = gh_openapi_member(schema, "$ref").value;
    if (schema.value->kind != GH_JSON_OBJECT || (is_reference && loader->is_3_0))
        return;
    check_bounds(loader, schema);
    check_exclusive(loader, schema);
    check_enum(loader, schema);
    check_array(loader, schema);
    check_example(remarks, schema, gh_openapi_member(schema, "example"), "the example");
    check_example(remarks, schema, gh_openapi_member(schema, "default"), "the default");
    struct gh_openapi_at list = gh_openapi_member(schema, "examples");
    if (!list.value || list.value->kind != GH_JSON_ARRAY || loader->is_3_0)
        return;
    for (const struct gh_json_value *item = gh_json_first(&list.file->doc, list.value); item;
         item = gh_json_after(&list.file->doc, list.value, item))
        check_example(remarks, schema, GH_OPENAPI_AT(list.file, item), "the example");
}

static void check_file(struct remarks *remarks, size_t file)
{
    struct gh_openapi_loader *loader = remarks->loader;
    const struct gh_json_doc *doc = &loader->files[file]->doc;
    const uint64_t holders =
        GH_MARK_ANY(GH_KIND_PARAMETER) | GH_MARK_ANY(GH_KIND_HEADER) | GH_MARK_ANY(GH_KIND_MEDIA);
    for (uint32_t i = 0; i < doc->count && !loader->no_memory; i++) {
        struct gh_openapi_at at = {loader->files[file], &doc->values[i]};
        if (loader->marks[file][i] & holders)
            check_holder(remarks, at);
        if (is_schema(loader, file, i))
            check_schema(remarks, at);
    }
}

void gh_openapi_remark(struct gh_openapi_loader *loader)
{
    struct remarks remarks = {.loader = loader};
    gh_arena_init(&remarks.check_arena, 65536, EXAMPLE_ARENA_BYTES);
    for (size_t i = 0; i < loader->file_count; i++)
        compile_all(loader, i);
    for (size_t i = 0; i < loader->file_count; i++)
        check_file(&remarks, i);
    gh_arena_done(&remarks.check_arena);
}
