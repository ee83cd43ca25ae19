/*
 * Finds the schemas within a schema, their $id and their anchors. The tape has every container
 * before what it contains, so one walk along it is enough: a value's role follows from its parent's
 * role and its name.
 */
#include "schema/program.h"
#include "schema/uri.h"

struct keyword_role {
    const char *name;
    enum gh_schema_role role;
};

static const struct keyword_role ROLES[] = {
    {"$defs", GH_ROLE_SCHEMA_MAP},
    {"additionalProperties", GH_ROLE_SCHEMA},
    {"allOf", GH_ROLE_SCHEMA_LIST},
    {"anyOf", GH_ROLE_SCHEMA_LIST},
    {"contains", GH_ROLE_SCHEMA},
    {"contentSchema", GH_ROLE_SCHEMA},
    {"definitions", GH_ROLE_SCHEMA_MAP},
    {"dependencies", GH_ROLE_SCHEMA_MAP},
    {"dependentSchemas", GH_ROLE_SCHEMA_MAP},
    {"else", GH_ROLE_SCHEMA},
    {"if", GH_ROLE_SCHEMA},
    {"items", GH_ROLE_SCHEMA},
    {"not", GH_ROLE_SCHEMA},
    {"oneOf", GH_ROLE_SCHEMA_LIST},
    {"patternProperties", GH_ROLE_SCHEMA_MAP},
    {"prefixItems", GH_ROLE_SCHEMA_LIST},
    {"properties", GH_ROLE_SCHEMA_MAP},
    {"propertyNames", GH_ROLE_SCHEMA},
    {"then", GH_ROLE_SCHEMA},
    {"unevaluatedItems", GH_ROLE_SCHEMA},
    {"unevaluatedProperties", GH_ROLE_SCHEMA},
};

static enum gh_schema_role role_of_keyword(struct gh_str name)
{
    for (size_t i = 0; i < sizeof(ROLES) / sizeof(ROLES[0]); i++) {
        if (gh_str_eq(name, gh_str_from_c(ROLES[i].name)))
            return ROLES[i].role;
    }
    return GH_ROLE_NONE;
}

static enum gh_schema_role role_of_child(enum gh_schema_role parent,
                                         const struct gh_json_value *child)
{
    switch (parent) {
    case GH_ROLE_NONE:
        return GH_ROLE_NONE;
    case GH_ROLE_SCHEMA:
        return child->name.ptr ? role_of_keyword(child->name) : GH_ROLE_NONE;
    case GH_ROLE_SCHEMA_MAP:
        return child->name.ptr ? GH_ROLE_SCHEMA : GH_ROLE_NONE;
    case GH_ROLE_SCHEMA_LIST:
        return child->name.ptr ? GH_ROLE_NONE : GH_ROLE_SCHEMA;
    }
    return GH_ROLE_NONE;
}

static enum gh_err add_resource(struct gh_schemas *schemas, struct gh_place place,
                                const struct gh_json_value *id, struct gh_schema_error *error)
{
    struct gh_schema_document *document = &schemas->documents[place.document];
    uint32_t parent = document->resources[place.value];
    struct gh_place id_place = {place.document, (uint32_t)(id - document->doc->values)};
    if (id->kind != GH_JSON_STRING)
        return gh_schema_fail(schemas, id_place, GH_STR("$id must be a string."), error);
    struct gh_str fragment = gh_uri_split(id->text).fragment;
    if (fragment.len)
        return gh_schema_fail(schemas, id_place,
                              GH_STR("$id must have no fragment; use $anchor for a name within."),
                              error);
    struct gh_str uri = gh_uri_resolve(schemas->arena, schemas->resources[parent].uri, id->text);
    if (!uri.ptr || !gh_schema_grow(schemas->arena, &schemas->resources, schemas->resource_count,
                                    &schemas->resource_cap, sizeof(*schemas->resources)))
        return gh_schema_no_memory(error);
    /* Seen before, or the document's own name. */
    const struct gh_schema_resource *around = &schemas->resources[parent];
    if (around->root == place.value &&
        (around->parent != GH_SCHEMA_NONE || gh_str_eq(uri, around->uri)))
        return GH_OK;
    uint32_t same = gh_schema_find_resource(schemas, uri);
    if (same != GH_SCHEMA_NONE)
        return gh_schema_fail(schemas, id_place, GH_STR("Another schema has the same $id."), error);
    schemas->resources[schemas->resource_count] = (struct gh_schema_resource){
        .uri = uri, .document = place.document, .root = place.value, .parent = parent};
    document->resources[place.value] = schemas->resource_count++;
    return GH_OK;
}

static bool is_anchor_name(struct gh_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = gh_ascii_lower(name.ptr[i]);
        bool is_start = (c >= 'a' && c <= 'z') || c == '_';
        if (!is_start && (i == 0 || !((c >= '0' && c <= '9') || c == '-' || c == '.')))
            return false;
    }
    return name.len > 0;
}

static enum gh_err add_anchor(struct gh_schemas *schemas, struct gh_place place,
                              const struct gh_json_value *keyword, struct gh_schema_error *error)
{
    const struct gh_schema_document *document = &schemas->documents[place.document];
    struct gh_place keyword_place = {place.document, (uint32_t)(keyword - document->doc->values)};
    if (keyword->kind != GH_JSON_STRING || !is_anchor_name(keyword->text))
        return gh_schema_fail(schemas, keyword_place,
                              GH_STR("An anchor is a letter or '_', then letters, digits, '-', '_' "
                                     "and '.'."),
                              error);
    struct gh_schema_anchor anchor = {
        .name = keyword->text,
        .resource = document->resources[place.value],
        .value = place.value,
        .is_dynamic = gh_str_eq(keyword->name, GH_STR("$dynamicAnchor")),
    };
    for (uint32_t i = 0; i < schemas->anchor_count; i++) {
        struct gh_schema_anchor *other = &schemas->anchors[i];
        if (other->resource != anchor.resource || !gh_str_eq(other->name, anchor.name))
            continue;
        if (other->value != anchor.value)
            return gh_schema_fail(schemas, keyword_place,
                                  GH_STR("The same anchor stands twice in one schema resource."),
                                  error);
        other->is_dynamic |= anchor.is_dynamic;
        return GH_OK;
    }
    if (!gh_schema_grow(schemas->arena, &schemas->anchors, schemas->anchor_count,
                        &schemas->anchor_cap, sizeof(*schemas->anchors)))
        return gh_schema_no_memory(error);
    schemas->anchors[schemas->anchor_count++] = anchor;
    return GH_OK;
}

/* In OpenAPI 3.0 these are no keywords. */
static bool has_identifiers(const struct gh_schemas *schemas)
{
    return schemas->options.dialect == GH_SCHEMA_2020_12;
}

static enum gh_err scan_schema(struct gh_schemas *schemas, struct gh_place place,
                               struct gh_schema_error *error)
{
    const struct gh_schema_document *document = &schemas->documents[place.document];
    const struct gh_json_doc *doc = document->doc;
    const struct gh_json_value *schema = &doc->values[place.value];
    enum gh_err err = GH_OK;
    if (schema->kind != GH_JSON_OBJECT || !has_identifiers(schemas))
        return GH_OK;
    const struct gh_json_value *id = gh_json_get(doc, schema, GH_STR("$id"));
    const struct gh_json_value *anchors[] = {
        gh_json_get(doc, schema, GH_STR("$anchor")),
        gh_json_get(doc, schema, GH_STR("$dynamicAnchor")),
    };
    if (id)
        err = add_resource(schemas, place, id, error);
    for (size_t i = 0; i < 2 && err == GH_OK; i++) {
        if (anchors[i])
            err = add_anchor(schemas, place, anchors[i], error);
    }
    return err;
}

enum gh_err gh_schema_scan(struct gh_schemas *schemas, struct gh_place root,
                           struct gh_schema_error *error)
{
    const struct gh_schema_document *document = &schemas->documents[root.document];
    const struct gh_json_doc *doc = document->doc;
    uint8_t *roles = document->roles;
    uint32_t *resources = document->resources, end = doc->values[root.value].next;
    roles[root.value] = GH_ROLE_SCHEMA;
    for (uint32_t i = root.value; i < end; i++) {
        if (roles[i] == GH_ROLE_SCHEMA) {
            enum gh_err err = scan_schema(schemas, (struct gh_place){root.document, i}, error);
            if (err != GH_OK)
                return err;
        }
        const struct gh_json_value *value = &doc->values[i];
        for (const struct gh_json_value *child = gh_json_first(doc, value); child;
             child = gh_json_after(doc, value, child)) {
            uint32_t at = (uint32_t)(child - doc->values);
            /* What was known as a schema with a name of its own before stays so. */
            if (roles[at] == GH_ROLE_NONE)
                roles[at] = (uint8_t)role_of_child(roles[i], child);
            if (schemas->resources[resources[at]].root != at)
                resources[at] = resources[i];
        }
    }
    return GH_OK;
}
