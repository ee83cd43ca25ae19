/* Documents by URI, and what a reference leads to (core, sections 8.2 and 9). */
#include "schema/pointer.h"
#include "schema/program.h"
#include "schema/uri.h"

#define FIRST_CAP 16

bool gh_schema_grow(struct gh_arena *arena, void *items, uint32_t count, uint32_t *cap, size_t size)
{
    void *old;
    memcpy(&old, items, sizeof(old));
    if (count < *cap)
        return true;
    uint32_t new_cap = *cap ? *cap * 2 : FIRST_CAP;
    void *grown = new_cap > *cap ? gh_arena_zalloc(arena, new_cap, size) : NULL;
    if (!grown)
        return false;
    if (count)
        memcpy(grown, old, count * size);
    memcpy(items, &grown, sizeof(grown));
    *cap = new_cap;
    return true;
}

enum gh_err gh_schema_no_memory(struct gh_schema_error *error)
{
    *error = (struct gh_schema_error){.text = GH_STR("The schemas take too much memory.")};
    return GH_ERR_MEMORY;
}

enum gh_err gh_schema_fail(struct gh_schemas *schemas, struct gh_place place, struct gh_str text,
                           struct gh_schema_error *error)
{
    const struct gh_schema_document *document = &schemas->documents[place.document];
    char *memory = gh_arena_alloc(schemas->arena, GH_SCHEMA_POINTER_BYTES_MAX);
    if (!memory || !text.ptr)
        return gh_schema_no_memory(error);
    struct gh_buf buf = gh_buf_over(memory, GH_SCHEMA_POINTER_BYTES_MAX);
    gh_json_pointer_put(&buf, document->doc, place.value);
    *error = (struct gh_schema_error){
        .uri = document->uri,
        .pointer = gh_buf_str(&buf),
        .offset = document->doc->values[place.value].start,
        .text = text,
    };
    return GH_ERR_INVALID;
}

struct gh_schemas *gh_schemas_new(struct gh_arena *arena, const struct gh_schema_options *options)
{
    struct gh_schemas *schemas = gh_arena_zalloc(arena, 1, sizeof(*schemas));
    if (!schemas)
        return NULL;
    schemas->arena = arena;
    schemas->options = *options;
    schemas->patterns = gh_pattern_space_new(arena);
    return schemas->patterns ? schemas : NULL;
}

uint32_t gh_schema_find_document(const struct gh_schemas *schemas, struct gh_str uri)
{
    for (uint32_t i = 0; i < schemas->document_count; i++) {
        if (gh_str_eq(schemas->documents[i].uri, uri))
            return i;
    }
    return GH_SCHEMA_NONE;
}

uint32_t gh_schema_find_resource(const struct gh_schemas *schemas, struct gh_str uri)
{
    for (uint32_t i = 0; i < schemas->resource_count; i++) {
        if (gh_str_eq(schemas->resources[i].uri, uri))
            return i;
    }
    return GH_SCHEMA_NONE;
}

static bool alloc_marks(struct gh_schemas *schemas, struct gh_schema_document *document)
{
    size_t count = document->doc->count;
    document->roles = gh_arena_zalloc(schemas->arena, count, sizeof(*document->roles));
    document->resources = gh_arena_zalloc(schemas->arena, count, sizeof(*document->resources));
    document->nodes = gh_arena_zalloc(schemas->arena, count, sizeof(*document->nodes));
    if (!document->roles || !document->resources || !document->nodes)
        return false;
    memset(document->nodes, 0xff, count * sizeof(*document->nodes));
    return true;
}

enum gh_err gh_schemas_add(struct gh_schemas *schemas, struct gh_str uri,
                           const struct gh_json_doc *doc, enum gh_schema_content content,
                           struct gh_schema_error *out_error)
{
    struct gh_uri parts = gh_uri_split(uri);
    if (parts.fragment.ptr) /* an empty one is no part of a name */
        uri = gh_str_first(uri, gh_str_find_char(uri, '#'));
    if (gh_schema_find_document(schemas, uri) != GH_SCHEMA_NONE) {
        *out_error = (struct gh_schema_error){
            .uri = uri, .text = GH_STR("There is already a document of this name.")};
        return GH_ERR_EXISTS;
    }
    if (!gh_schema_grow(schemas->arena, &schemas->documents, schemas->document_count,
                        &schemas->document_cap, sizeof(*schemas->documents)) ||
        !gh_schema_grow(schemas->arena, &schemas->resources, schemas->resource_count,
                        &schemas->resource_cap, sizeof(*schemas->resources)))
        return gh_schema_no_memory(out_error);
    struct gh_schema_document document = {.uri = uri, .doc = doc};
    if (!alloc_marks(schemas, &document))
        return gh_schema_no_memory(out_error);
    uint32_t index = schemas->document_count++, resource = schemas->resource_count++;
    for (size_t i = 0; i < doc->count; i++)
        document.resources[i] = resource;
    schemas->documents[index] = document;
    schemas->resources[resource] =
        (struct gh_schema_resource){.uri = uri, .document = index, .parent = GH_SCHEMA_NONE};
    if (content == GH_SCHEMA_HAS_SCHEMAS)
        return GH_OK;
    return gh_schema_scan(schemas, (struct gh_place){index, 0}, out_error);
}

/* A metaschema that we know is registered when it is first asked for. */
static enum gh_err add_metaschema(struct gh_schemas *schemas, struct gh_str uri,
                                  uint32_t *out_resource, struct gh_schema_error *error)
{
    struct gh_str text = gh_metaschema_text(uri);
    if (!text.ptr)
        return GH_OK;
    struct gh_json_doc *doc = gh_arena_alloc(schemas->arena, sizeof(*doc));
    if (!doc || gh_json_parse(schemas->arena, text, &gh_json_small, doc, NULL) != GH_JSON_OK)
        return gh_schema_no_memory(error);
    enum gh_err err = gh_schemas_add(schemas, uri, doc, GH_SCHEMA_IS_SCHEMA, error);
    if (err == GH_OK)
        *out_resource = gh_schema_find_resource(schemas, uri);
    return err;
}

static const struct gh_schema_anchor *find_anchor(const struct gh_schemas *schemas,
                                                  uint32_t resource, struct gh_str name)
{
    for (uint32_t i = 0; i < schemas->anchor_count; i++) {
        const struct gh_schema_anchor *anchor = &schemas->anchors[i];
        if (anchor->resource == resource && gh_str_eq(anchor->name, name))
            return anchor;
    }
    return NULL;
}

/* A pointer counts from the root of the resource. */
static uint32_t find_pointer(const struct gh_schemas *schemas,
                             const struct gh_schema_resource *resource, struct gh_str pointer)
{
    const struct gh_json_doc *doc = schemas->documents[resource->document].doc;
    const struct gh_json_value *value =
        gh_json_pointer_find(doc, doc->values + resource->root, pointer);
    return value ? (uint32_t)(value - doc->values) : GH_SCHEMA_NONE;
}

enum gh_err gh_schema_find(struct gh_schemas *schemas, uint32_t resource, struct gh_str reference,
                           struct gh_place from, struct gh_place *out_place,
                           const struct gh_schema_anchor **out_anchor,
                           struct gh_schema_error *error)
{
    struct gh_str base = {0};
    if (resource != GH_SCHEMA_NONE)
        base = schemas->resources[resource].uri;
    struct gh_str uri = gh_uri_resolve(schemas->arena, base, reference);
    struct gh_str encoded = gh_uri_split(reference).fragment;
    if (!uri.ptr)
        return gh_schema_no_memory(error);
    /* What only adds a fragment stays where it is, also when two resources share a name. */
    uint32_t target = resource;
    if (resource == GH_SCHEMA_NONE || !gh_str_eq(uri, base))
        target = gh_schema_find_resource(schemas, uri);
    enum gh_err err = GH_OK;
    if (target == GH_SCHEMA_NONE)
        err = add_metaschema(schemas, uri, &target, error);
    if (err != GH_OK)
        return err;
    if (target == GH_SCHEMA_NONE)
        return gh_schema_fail(schemas, from,
                              gh_arena_format(schemas->arena,
                                              "It refers to \"%.*s\", which is not among the "
                                              "documents given.",
                                              GH_STR_ARG(uri)),
                              error);
    /* A document goes by the name it was given and by its own $id. */
    const struct gh_schema_resource *named = &schemas->resources[target];
    target = schemas->documents[named->document].resources[named->root];
    struct gh_str fragment = gh_uri_decode(schemas->arena, encoded);
    *out_anchor = NULL;
    uint32_t value = GH_SCHEMA_NONE;
    if (fragment.ptr && (fragment.len == 0 || fragment.ptr[0] == '/')) {
        value = find_pointer(schemas, &schemas->resources[target], fragment);
    } else if (fragment.ptr) {
        const struct gh_schema_anchor *anchor = find_anchor(schemas, target, fragment);
        if (anchor)
            value = anchor->value;
        if (anchor && anchor->is_dynamic)
            *out_anchor = anchor;
    }
    if (value == GH_SCHEMA_NONE)
        return gh_schema_fail(schemas, from,
                              gh_arena_format(schemas->arena,
                                              "It refers to \"#%.*s\", and there is nothing there.",
                                              GH_STR_ARG(encoded)),
                              error);
    *out_place = (struct gh_place){schemas->resources[target].document, value};
    const struct gh_schema_document *document = &schemas->documents[out_place->document];
    if (document->roles[value] != GH_ROLE_SCHEMA)
        return gh_schema_scan(schemas, *out_place, error);
    return GH_OK;
}
