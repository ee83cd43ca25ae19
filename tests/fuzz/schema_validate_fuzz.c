/*
 * Any JSON against fixed schemas that have every keyword, and the metaschema. Properties: the
 * answer is the same each time, and without violations asked for; limits hold; pointers of
 * violations lead to the values they are about.
 */
#include "base/assert.h"
#include "schema/pointer.h"
#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char SCHEMA[] =
    "{\"$id\":\"test:/all\",\"$dynamicAnchor\":\"node\",\"type\":[\"object\",\"array\",\"integer\","
    "\"string\",\"null\"],\"minProperties\":1,\"maxProperties\":6,\"properties\":{"
    "\"a\":{\"$dynamicRef\":\"#node\"},\"b\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":20,"
    "\"pattern\":\"^(a+)+b?$\",\"format\":\"date-time\"},"
    "\"c\":{\"oneOf\":[{\"multipleOf\":0.01},{\"minimum\":-5,\"exclusiveMaximum\":1e30},"
    "{\"type\":\"array\"}]},\"d\":{\"enum\":[1,\"x\",{\"y\":[1.0,null]}]},"
    "\"e\":{\"anyOf\":[{\"$ref\":\"#/$defs/named\"},{\"type\":\"null\"}]},"
    "\"f\":{\"format\":\"uri\"},\"g\":{\"format\":\"idn-email\"},\"h\":{\"format\":\"regex\"}},"
    "\"patternProperties\":{\"^x\":{\"type\":\"number\"}},"
    "\"propertyNames\":{\"maxLength\":8},\"dependentRequired\":{\"b\":[\"a\"]},"
    "\"dependentSchemas\":{\"c\":{\"required\":[\"a\"]}},"
    "\"if\":{\"required\":[\"a\"]},\"then\":{\"properties\":{\"z\":{\"const\":1}}},"
    "\"else\":{\"not\":{\"required\":[\"z\"]}},\"unevaluatedProperties\":{\"type\":\"boolean\"},"
    "\"prefixItems\":[{\"$ref\":\"#\"},true],\"contains\":{\"type\":\"string\"},\"minContains\":0,"
    "\"maxContains\":3,\"uniqueItems\":true,\"maxItems\":12,"
    "\"unevaluatedItems\":{\"type\":[\"string\",\"integer\"]},"
    "\"$defs\":{\"named\":{\"$id\":\"named\",\"type\":\"object\",\"required\":[\"n\"],"
    "\"allOf\":[{\"properties\":{\"n\":{\"format\":\"hostname\"}}},{\"properties\":{\"m\":"
    "{\"format\":\"uri-template\"}}}],\"unevaluatedProperties\":false}}}";

static void check(const struct gh_schemas *schemas, uint32_t schema, const struct gh_json_doc *doc,
                  struct gh_arena *arena)
{
    struct gh_schema_check_options options = {
        .limits = {.steps_max = 200000, .depth_max = 200, .violations_max = 8}};
    struct gh_schema_report report, again;
    enum gh_schema_outcome outcome =
        gh_schema_check(schemas, schema, doc, doc->values, &options, arena, &report);
    GH_ASSERT(outcome != GH_SCHEMA_NO_MEMORY);
    GH_ASSERT((outcome == GH_SCHEMA_VALID) == (report.count == 0));
    GH_ASSERT(report.count <= options.limits.violations_max &&
              report.steps <= options.limits.steps_max);
    for (size_t i = 0; i < report.count; i++) {
        const struct gh_schema_violation *violation = &report.violations[i];
        const struct gh_json_value *value =
            gh_json_pointer_find(doc, gh_json_root(doc), violation->pointer);
        GH_ASSERT(value && violation->message.len && violation->keyword.len);
        GH_ASSERT(violation->pointer.len <= GH_SCHEMA_POINTER_BYTES_MAX);
        uint32_t index = (uint32_t)(value - doc->values);
        GH_ASSERT(index == violation->value ||
                  (index < violation->value && violation->value < value->next));
    }
    GH_ASSERT(gh_schema_check(schemas, schema, doc, doc->values, &options, arena, &again) ==
              outcome);
    GH_ASSERT(again.count == report.count && again.steps == report.steps);
    options.limits.violations_max = 0;
    GH_ASSERT(gh_schema_check(schemas, schema, doc, doc->values, &options, arena, &again) ==
              outcome);
    GH_ASSERT(again.count == 0 && again.steps == report.steps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gh_arena schema_arena;
    static struct gh_json_doc schema_doc;
    static struct gh_schemas *schemas;
    static uint32_t schema, metaschema;
    struct gh_schema_options options = {.assert_formats = true};
    struct gh_schema_error error;
    struct gh_arena arena;
    struct gh_json_doc doc;
    if (!schemas) {
        gh_arena_init(&schema_arena, 64 * 1024, 8 << 20);
        GH_ASSERT(gh_json_parse(&schema_arena, gh_str_from_c(SCHEMA), &gh_json_small, &schema_doc,
                                NULL) == GH_JSON_OK);
        schemas = gh_schemas_new(&schema_arena, &options);
        GH_ASSERT(gh_schemas_add(schemas, GH_STR("test:/all"), &schema_doc, GH_SCHEMA_IS_SCHEMA,
                                 &error) == GH_OK);
        GH_ASSERT(gh_schemas_compile(schemas, GH_STR("test:/all"), &schema, &error) == GH_OK);
        GH_ASSERT(gh_schemas_compile(schemas,
                                     GH_STR("https://json-schema.org/draft/2020-12/schema"),
                                     &metaschema, &error) == GH_OK);
    }
    gh_arena_init(&arena, 64 * 1024, 64 << 20);
    if (gh_json_parse(&arena, gh_str_of((const char *)data, size), &gh_json_small, &doc, NULL) ==
        GH_JSON_OK) {
        check(schemas, schema, &doc, &arena);
        check(schemas, metaschema, &doc, &arena);
    }
    gh_arena_done(&arena);
    return 0;
}
