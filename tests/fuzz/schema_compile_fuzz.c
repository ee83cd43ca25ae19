/*
 * Any JSON as a schema. Properties: an error has a sentence and a pointer that leads to a value; a
 * schema that compiles answers for a few values, twice the same, and within its limits; what is
 * valid is of a kind that the schema is said to accept, and so are its members and items.
 */
#include "base/assert.h"
#include "schema/pointer.h"
#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const VALUES[] = {
    "null",
    "[1,2.5,\"a\",[],{},1e400,true,\"a\"]",
    "{\"a\":{\"a\":[1,1.0]},\"b\":\"2024-02-29\",\"$id\":\"x\",\"\":-0.5}",
    "\"aaaaaaaaaaaaaaaaaaaaaaaa!\"",
    "123456789012345678901234567890",
};

static void check_report(const struct gh_json_doc *doc, const struct gh_schema_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct gh_schema_violation *violation = &report->violations[i];
        GH_ASSERT(violation->message.len && violation->keyword.ptr);
        GH_ASSERT(gh_json_pointer_find(doc, gh_json_root(doc), violation->pointer) ==
                  &doc->values[violation->value]);
    }
}

static void check_kind(const struct gh_schemas *schemas, uint32_t schema,
                       const struct gh_json_value *value)
{
    unsigned kinds = gh_schema_kinds(schemas, schema);
    bool is_whole = value->kind == GH_JSON_NUMBER && (kinds & GH_SCHEMA_INTEGER);
    GH_ASSERT(is_whole || (kinds & 1u << value->kind));
}

/* `value` is valid. */
static void check_facts(const struct gh_schemas *schemas, uint32_t schema,
                        const struct gh_json_doc *doc, const struct gh_json_value *value)
{
    uint32_t child_schema;
    check_kind(schemas, schema, value);
    for (const struct gh_json_value *child = gh_json_first(doc, value); child;
         child = gh_json_after(doc, value, child)) {
        bool known = child->name.ptr
                         ? gh_schema_property(schemas, schema, child->name, &child_schema)
                         : gh_schema_items(schemas, schema, &child_schema);
        if (known)
            check_kind(schemas, child_schema, child);
    }
}

static void check_value(const struct gh_schemas *schemas, uint32_t schema,
                        enum gh_schema_direction direction, struct gh_arena *arena,
                        struct gh_str text)
{
    struct gh_schema_check_options options = {
        .limits = {.steps_max = 50000, .depth_max = 100, .violations_max = 5},
        .direction = direction};
    struct gh_schema_report report, again;
    struct gh_json_doc doc;
    GH_ASSERT(gh_json_parse(arena, text, &gh_json_small, &doc, NULL) == GH_JSON_OK);
    enum gh_schema_outcome outcome =
        gh_schema_check(schemas, schema, &doc, doc.values, &options, arena, &report);
    if (outcome == GH_SCHEMA_NO_MEMORY)
        return;
    GH_ASSERT((outcome == GH_SCHEMA_VALID) == (report.count == 0));
    GH_ASSERT(report.count <= options.limits.violations_max &&
              report.steps <= options.limits.steps_max);
    check_report(&doc, &report);
    if (outcome == GH_SCHEMA_VALID)
        check_facts(schemas, schema, &doc, doc.values);
    enum gh_schema_outcome second =
        gh_schema_check(schemas, schema, &doc, doc.values, &options, arena, &again);
    if (second == GH_SCHEMA_NO_MEMORY)
        return;
    GH_ASSERT(second == outcome && again.count == report.count && again.steps == report.steps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena arena;
    struct gh_json_doc doc;
    struct gh_schema_error error = {0};
    uint32_t schema;
    if (size == 0)
        return 0;
    /* The first byte chooses the options. */
    struct gh_schema_options options = {
        .dialect = data[0] & 1   ? GH_SCHEMA_OPENAPI_30
                   : data[0] & 4 ? GH_SCHEMA_OPENAPI_31
                                 : GH_SCHEMA_2020_12,
        .assert_formats = data[0] & 2,
    };
    struct gh_str text = gh_str_of((const char *)data + 1, size - 1);
    gh_arena_init(&arena, 64 * 1024, 32 << 20);
    struct gh_schemas *schemas = gh_schemas_new(&arena, &options);
    if (gh_json_parse(&arena, text, &gh_json_small, &doc, NULL) == GH_JSON_OK) {
        enum gh_err err =
            gh_schemas_add(schemas, GH_STR("test:/a"), &doc, GH_SCHEMA_IS_SCHEMA, &error);
        if (err == GH_OK)
            err = gh_schemas_compile(schemas, GH_STR("test:/a"), &schema, &error);
        if (err == GH_OK) {
            for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++)
                check_value(schemas, schema, (enum gh_schema_direction)(data[0] >> 4 & 1), &arena,
                            gh_str_from_c(VALUES[i]));
        } else {
            GH_ASSERT(error.text.len);
            if (gh_str_eq(error.uri, GH_STR("test:/a")))
                GH_ASSERT(gh_json_pointer_find(&doc, gh_json_root(&doc), error.pointer));
        }
    }
    gh_arena_done(&arena);
    return 0;
}
