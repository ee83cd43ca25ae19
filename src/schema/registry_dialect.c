/* Which keywords count in a resource: $schema, and the $vocabulary of the metaschema it names
   (core, section 8.1). */
#include "schema/program.h"
#include "schema/uri.h"

#define ALL_USUAL                                                                                  \
    (GH_VOCABULARY_CORE | GH_VOCABULARY_APPLICATOR | GH_VOCABULARY_UNEVALUATED |                   \
     GH_VOCABULARY_VALIDATION | GH_VOCABULARY_REMARKS)

#define METASCHEMA "https://json-schema.org/draft/2020-12/schema"
#define VOCABULARY "https://json-schema.org/draft/2020-12/vocab/"

static unsigned vocabulary_of(struct gh_str uri)
{
    static const struct {
        const char *name;
        unsigned bit;
    } NAMES[] = {
        {"core", GH_VOCABULARY_CORE},
        {"applicator", GH_VOCABULARY_APPLICATOR},
        {"unevaluated", GH_VOCABULARY_UNEVALUATED},
        {"validation", GH_VOCABULARY_VALIDATION},
        {"meta-data", GH_VOCABULARY_REMARKS},
        {"content", GH_VOCABULARY_REMARKS},
        {"format-annotation", GH_VOCABULARY_REMARKS},
        {"format-assertion", GH_VOCABULARY_FORMAT_ASSERTION},
    };
    if (gh_str_eq(uri, GH_STR("https://spec.openapis.org/oas/3.1/vocab/base")))
        return GH_VOCABULARY_REMARKS;
    if (!gh_str_starts_with(uri, GH_STR(VOCABULARY)))
        return 0;
    uri = gh_str_skip(uri, sizeof(VOCABULARY) - 1);
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (gh_str_eq(uri, gh_str_from_c(NAMES[i].name)))
            return NAMES[i].bit;
    }
    return 0;
}

static enum gh_err read_vocabulary(struct gh_schemas *schemas, struct gh_place metaschema,
                                   unsigned *out_vocabularies, struct gh_schema_error *error)
{
    const struct gh_json_doc *doc = schemas->documents[metaschema.document].doc;
    const struct gh_json_value *map =
        gh_json_get(doc, gh_place_value(schemas, metaschema), GH_STR("$vocabulary"));
    if (!map) {
        *out_vocabularies = ALL_USUAL;
        return GH_OK;
    }
    struct gh_place place = {metaschema.document, (uint32_t)(map - doc->values)};
    if (map->kind != GH_JSON_OBJECT)
        return gh_schema_fail(schemas, place, GH_STR("$vocabulary must be an object."), error);
    *out_vocabularies = GH_VOCABULARY_CORE;
    for (const struct gh_json_value *entry = gh_json_first(doc, map); entry;
         entry = gh_json_after(doc, map, entry)) {
        unsigned bit = vocabulary_of(entry->name);
        place.value = (uint32_t)(entry - doc->values);
        if (entry->kind != GH_JSON_BOOL)
            return gh_schema_fail(schemas, place,
                                  GH_STR("A vocabulary is required (true) or not (false)."), error);
        if (!bit && entry->boolean)
            return gh_schema_fail(schemas, place, GH_STR("This required vocabulary is not known."),
                                  error);
        *out_vocabularies |= bit;
    }
    return GH_OK;
}

/* Which OpenAPI 3.1 takes when a document says nothing. */
static bool is_usual(struct gh_str uri)
{
    return gh_str_eq(uri, GH_STR(METASCHEMA)) ||
           gh_str_eq(uri, GH_STR("https://spec.openapis.org/oas/3.1/dialect/base"));
}

static enum gh_err read_schema_keyword(struct gh_schemas *schemas, struct gh_place place,
                                       unsigned *out_vocabularies, struct gh_schema_error *error)
{
    const struct gh_json_value *keyword = gh_place_value(schemas, place);
    const struct gh_schema_anchor *anchor;
    struct gh_place metaschema;
    if (keyword->kind != GH_JSON_STRING)
        return gh_schema_fail(schemas, place, GH_STR("$schema must be a string."), error);
    struct gh_str uri = keyword->text;
    if (gh_str_ends_with(uri, GH_STR("#")))
        uri.len--;
    *out_vocabularies = ALL_USUAL;
    if (is_usual(uri))
        return GH_OK;
    if (gh_schema_find_resource(schemas, uri) == GH_SCHEMA_NONE && !gh_metaschema_text(uri).ptr)
        return gh_schema_fail(schemas, place,
                              GH_STR("This dialect of JSON Schema is not known: draft 2020-12 is, "
                                     "and metaschemas among the documents given."),
                              error);
    enum gh_err err =
        gh_schema_find(schemas, GH_SCHEMA_NONE, uri, place, &metaschema, &anchor, error);
    return err == GH_OK ? read_vocabulary(schemas, metaschema, out_vocabularies, error) : err;
}

enum gh_err gh_schema_set_vocabularies(struct gh_schemas *schemas, uint32_t index,
                                       struct gh_schema_error *error)
{
    /* Outwards to the first that says which, or is known. */
    unsigned vocabularies = 0;
    for (uint32_t at = index; at != GH_SCHEMA_NONE && !vocabularies;
         at = schemas->resources[at].parent) {
        struct gh_schema_resource resource = schemas->resources[at];
        const struct gh_json_doc *doc = schemas->documents[resource.document].doc;
        const struct gh_json_value *root = &doc->values[resource.root];
        const struct gh_json_value *keyword = NULL;
        vocabularies = resource.vocabularies;
        if (schemas->documents[resource.document].roles[resource.root] == GH_ROLE_SCHEMA)
            keyword = gh_json_get(doc, root, GH_STR("$schema"));
        if (vocabularies || !keyword || schemas->options.dialect == GH_SCHEMA_OPENAPI_30)
            continue;
        struct gh_place place = {resource.document, (uint32_t)(keyword - doc->values)};
        enum gh_err err = read_schema_keyword(schemas, place, &vocabularies, error);
        if (err != GH_OK)
            return err;
    }
    if (!vocabularies)
        vocabularies = ALL_USUAL;
    if (schemas->options.dialect != GH_SCHEMA_2020_12)
        vocabularies |= GH_VOCABULARY_OPENAPI;
    if (schemas->options.dialect == GH_SCHEMA_OPENAPI_30)
        vocabularies |= GH_VOCABULARY_OPENAPI_30;
    schemas->resources[index].vocabularies = vocabularies;
    return GH_OK;
}
