/*
 * The metaschema of draft 2020-12 and its vocabularies, as https://json-schema.org publishes them,
 * without their remarks: schemas may refer to them.
 */
#include "schema/program.h"

#define BASE "https://json-schema.org/draft/2020-12/"
#define HEAD(path, vocabulary)                                                                     \
    "{\"$schema\":\"" BASE "schema\",\"$id\":\"" BASE path "\",\"$vocabulary\":{" vocabulary       \
    "},\"$dynamicAnchor\":\"meta\",\"type\":[\"object\",\"boolean\"],"
#define PART(name)          "\"" BASE "vocab/" name "\":true"
#define META(name)          "\"" name "\":{\"$dynamicRef\":\"#meta\"}"
#define LOCAL(name, target) "\"" name "\":{\"$ref\":\"#/$defs/" target "\"}"
#define MAP_OF_META         "{\"type\":\"object\",\"additionalProperties\":{\"$dynamicRef\":\"#meta\"}}"

#define ALL_PARTS                                                                                  \
    PART("core")                                                                                   \
    "," PART("applicator") "," PART("unevaluated") "," PART("validation") "," PART(                \
        "meta-data") "," PART("format-annotation") "," PART("content")

/* clang-format off */
static const char SCHEMA[] = HEAD("schema", ALL_PARTS)
    "\"allOf\":[{\"$ref\":\"meta/core\"},{\"$ref\":\"meta/applicator\"},"
    "{\"$ref\":\"meta/unevaluated\"},{\"$ref\":\"meta/validation\"},{\"$ref\":\"meta/meta-data\"},"
    "{\"$ref\":\"meta/format-annotation\"},{\"$ref\":\"meta/content\"}],"
    "\"properties\":{\"definitions\":" MAP_OF_META ",\"dependencies\":{\"type\":\"object\","
    "\"additionalProperties\":{\"anyOf\":[{\"$dynamicRef\":\"#meta\"},"
    "{\"$ref\":\"meta/validation#/$defs/stringArray\"}]}},"
    "\"$recursiveAnchor\":{\"$ref\":\"meta/core#/$defs/anchorString\"},"
    "\"$recursiveRef\":{\"$ref\":\"meta/core#/$defs/uriReferenceString\"}}}";

static const char CORE[] = HEAD("meta/core", PART("core"))
    "\"properties\":{\"$id\":{\"$ref\":\"#/$defs/uriReferenceString\",\"pattern\":\"^[^#]*#?$\"},"
    LOCAL("$schema", "uriString") "," LOCAL("$ref", "uriReferenceString") ","
    LOCAL("$anchor", "anchorString") "," LOCAL("$dynamicRef", "uriReferenceString") ","
    LOCAL("$dynamicAnchor", "anchorString") ","
    "\"$vocabulary\":{\"type\":\"object\",\"propertyNames\":{\"$ref\":\"#/$defs/uriString\"},"
    "\"additionalProperties\":{\"type\":\"boolean\"}},\"$comment\":{\"type\":\"string\"},"
    "\"$defs\":" MAP_OF_META "},"
    "\"$defs\":{\"anchorString\":{\"type\":\"string\","
    "\"pattern\":\"^[A-Za-z_][-A-Za-z0-9._]*$\"},"
    "\"uriString\":{\"type\":\"string\",\"format\":\"uri\"},"
    "\"uriReferenceString\":{\"type\":\"string\",\"format\":\"uri-reference\"}}}";

static const char APPLICATOR[] = HEAD("meta/applicator", PART("applicator"))
    "\"properties\":{" LOCAL("prefixItems", "schemaArray") "," META("items") "," META("contains")
    "," META("additionalProperties") ",\"properties\":" MAP_OF_META ","
    "\"patternProperties\":{\"type\":\"object\","
    "\"additionalProperties\":{\"$dynamicRef\":\"#meta\"},"
    "\"propertyNames\":{\"format\":\"regex\"}},\"dependentSchemas\":" MAP_OF_META ","
    META("propertyNames") "," META("if") "," META("then") "," META("else") ","
    LOCAL("allOf", "schemaArray") "," LOCAL("anyOf", "schemaArray") ","
    LOCAL("oneOf", "schemaArray") "," META("not") "},"
    "\"$defs\":{\"schemaArray\":{\"type\":\"array\",\"minItems\":1,"
    "\"items\":{\"$dynamicRef\":\"#meta\"}}}}";

static const char UNEVALUATED[] = HEAD("meta/unevaluated", PART("unevaluated"))
    "\"properties\":{" META("unevaluatedItems") "," META("unevaluatedProperties") "}}";

#define NUMBER(name) "\"" name "\":{\"type\":\"number\"}"
static const char VALIDATION[] = HEAD("meta/validation", PART("validation"))
    "\"properties\":{\"type\":{\"anyOf\":[{\"$ref\":\"#/$defs/simpleTypes\"},{\"type\":\"array\","
    "\"items\":{\"$ref\":\"#/$defs/simpleTypes\"},\"minItems\":1,\"uniqueItems\":true}]},"
    "\"const\":true,\"enum\":{\"type\":\"array\",\"items\":true},"
    "\"multipleOf\":{\"type\":\"number\",\"exclusiveMinimum\":0},"
    NUMBER("maximum") "," NUMBER("exclusiveMaximum") "," NUMBER("minimum") ","
    NUMBER("exclusiveMinimum") "," LOCAL("maxLength", "nonNegativeInteger") ","
    LOCAL("minLength", "nonNegativeInteger") ",\"pattern\":{\"type\":\"string\","
    "\"format\":\"regex\"}," LOCAL("maxItems", "nonNegativeInteger") ","
    LOCAL("minItems", "nonNegativeInteger") ",\"uniqueItems\":{\"type\":\"boolean\"},"
    LOCAL("maxContains", "nonNegativeInteger") "," LOCAL("minContains", "nonNegativeInteger") ","
    LOCAL("maxProperties", "nonNegativeInteger") "," LOCAL("minProperties", "nonNegativeInteger")
    "," LOCAL("required", "stringArray") ",\"dependentRequired\":{\"type\":\"object\","
    "\"additionalProperties\":{\"$ref\":\"#/$defs/stringArray\"}}},"
    "\"$defs\":{\"nonNegativeInteger\":{\"type\":\"integer\",\"minimum\":0},"
    "\"nonNegativeIntegerDefault0\":{\"$ref\":\"#/$defs/nonNegativeInteger\"},"
    "\"simpleTypes\":{\"enum\":[\"array\",\"boolean\",\"integer\",\"null\",\"number\",\"object\","
    "\"string\"]},\"stringArray\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
    "\"uniqueItems\":true}}}";

#define TEXT(name)   "\"" name "\":{\"type\":\"string\"}"
#define SWITCH(name) "\"" name "\":{\"type\":\"boolean\"}"
static const char META_DATA[] = HEAD("meta/meta-data", PART("meta-data"))
    "\"properties\":{" TEXT("title") "," TEXT("description") ",\"default\":true,"
    SWITCH("deprecated") "," SWITCH("readOnly") "," SWITCH("writeOnly") ","
    "\"examples\":{\"type\":\"array\",\"items\":true}}}";

static const char FORMAT_ANNOTATION[] =
    HEAD("meta/format-annotation", PART("format-annotation")) "\"properties\":{" TEXT("format") "}}";
static const char FORMAT_ASSERTION[] =
    HEAD("meta/format-assertion", PART("format-assertion")) "\"properties\":{" TEXT("format") "}}";
static const char CONTENT[] = HEAD("meta/content", PART("content"))
    "\"properties\":{" TEXT("contentEncoding") "," TEXT("contentMediaType") ","
    META("contentSchema") "}}";

/* clang-format on */

struct gh_str gh_metaschema_text(struct gh_str uri)
{
    static const struct {
        const char *name, *text;
    } TEXTS[] = {
        {"schema", SCHEMA},
        {"meta/core", CORE},
        {"meta/applicator", APPLICATOR},
        {"meta/unevaluated", UNEVALUATED},
        {"meta/validation", VALIDATION},
        {"meta/meta-data", META_DATA},
        {"meta/format-annotation", FORMAT_ANNOTATION},
        {"meta/format-assertion", FORMAT_ASSERTION},
        {"meta/content", CONTENT},
    };
    if (!gh_str_starts_with(uri, GH_STR(BASE)))
        return (struct gh_str){0};
    struct gh_str name = gh_str_skip(uri, sizeof(BASE) - 1);
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        if (gh_str_eq(name, gh_str_from_c(TEXTS[i].name)))
            return gh_str_from_c(TEXTS[i].text);
    }
    return (struct gh_str){0};
}
