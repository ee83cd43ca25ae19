/*
 * The discriminator of OpenAPI (3.1, section 4.8.25): a member whose value says which of the
 * alternatives of anyOf or oneOf a value has. Only alternatives that are a $ref can be named, by
 * the last part of the reference or in `mapping`.
 */
#include "schema/compile.h"

struct alternative {
    struct gh_str name; /* ptr NULL: no reference */
    struct gh_place target;
    uint32_t node;
};

static const struct gh_json_value *find_keyword(struct gh_schema_compiler *compiler)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, "discriminator");
    return (compiler->vocabularies & GH_VOCABULARY_OPENAPI) ? keyword : NULL;
}

static bool find_target(struct gh_schema_compiler *compiler, const struct gh_json_value *at,
                        struct gh_str reference, struct gh_place *out_target)
{
    struct gh_place from = {compiler->place.document, gh_compile_index(compiler, at)};
    const struct gh_schema_anchor *anchor;
    compiler->err = gh_schema_find(compiler->schemas, compiler->resource, reference, from,
                                   out_target, &anchor, compiler->error);
    return compiler->err == GH_OK;
}

static struct gh_str last_part(struct gh_str reference)
{
    size_t at = reference.len;
    while (at && reference.ptr[at - 1] != '/' && reference.ptr[at - 1] != '#')
        at--;
    return gh_str_skip(reference, at);
}

static bool read_alternatives(struct gh_schema_compiler *compiler, const struct gh_json_value *list,
                              const uint32_t *nodes, struct alternative *out)
{
    uint32_t count = 0;
    for (const struct gh_json_value *item = gh_json_first(compiler->doc, list); item;
         item = gh_json_after(compiler->doc, list, item), count++) {
        const struct gh_json_value *reference = gh_json_get(compiler->doc, item, GH_STR("$ref"));
        out[count].node = nodes[count];
        out[count].target =
            (struct gh_place){compiler->place.document, gh_compile_index(compiler, item)};
        if (!reference || reference->kind != GH_JSON_STRING)
            continue;
        out[count].name = last_part(reference->text);
        if (!find_target(compiler, reference, reference->text, &out[count].target))
            return false;
    }
    return true;
}

/* A bare name is a component's; anything else, and what no alternative is called, a reference. */
static bool find_mapped(struct gh_schema_compiler *compiler, const struct gh_json_value *entry,
                        const struct alternative *alternatives, uint32_t count, uint32_t *out_node)
{
    struct gh_place target;
    if (entry->kind != GH_JSON_STRING)
        return gh_compile_fail(compiler, entry, "A mapping leads to a schema's name or reference.");
    for (uint32_t i = 0; i < count; i++) {
        if (alternatives[i].name.ptr && gh_str_eq(alternatives[i].name, entry->text)) {
            *out_node = alternatives[i].node;
            return true;
        }
    }
    if (!find_target(compiler, entry, entry->text, &target))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (alternatives[i].target.document == target.document &&
            alternatives[i].target.value == target.value) {
            *out_node = alternatives[i].node;
            return true;
        }
    }
    return gh_compile_fail(compiler, entry, "The mapping leads to none of the forms listed.");
}

/* Explicit ones first: they win. */
static bool add_mappings(struct gh_schema_compiler *compiler, const struct gh_json_value *mapping,
                         const struct alternative *alternatives, uint32_t count,
                         struct gh_schema_discriminator *discriminator)
{
    uint32_t max = count + (mapping ? mapping->count : 0);
    struct gh_schema_mapping *mappings = gh_compile_alloc(compiler, max, sizeof(*mappings));
    if (!mappings)
        return false;
    for (const struct gh_json_value *entry = gh_json_first(compiler->doc, mapping); entry;
         entry = gh_json_after(compiler->doc, mapping, entry)) {
        struct gh_schema_mapping *next = &mappings[discriminator->mapping_count++];
        next->value = entry->name;
        if (!find_mapped(compiler, entry, alternatives, count, &next->node))
            return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (alternatives[i].name.ptr)
            mappings[discriminator->mapping_count++] =
                (struct gh_schema_mapping){alternatives[i].name, alternatives[i].node};
    }
    discriminator->mappings = mappings;
    return true;
}

bool gh_compile_discriminator(struct gh_schema_compiler *compiler, const struct gh_json_value *list,
                              const uint32_t *nodes, const struct gh_schema_discriminator **out)
{
    const struct gh_json_value *keyword = find_keyword(compiler);
    if (!keyword)
        return true;
    if (keyword->kind != GH_JSON_OBJECT)
        return gh_compile_fail(compiler, keyword, "This must be an object.");
    const struct gh_json_value *name = gh_json_get(compiler->doc, keyword, GH_STR("propertyName"));
    const struct gh_json_value *mapping = gh_json_get(compiler->doc, keyword, GH_STR("mapping"));
    if (!name || name->kind != GH_JSON_STRING)
        return gh_compile_fail(compiler, keyword, "A discriminator needs a propertyName.");
    if (mapping && mapping->kind != GH_JSON_OBJECT)
        return gh_compile_fail(compiler, mapping, "This must be an object.");
    struct gh_schema_discriminator *discriminator =
        gh_compile_alloc(compiler, 1, sizeof(*discriminator));
    struct alternative *alternatives =
        gh_compile_alloc(compiler, list->count, sizeof(*alternatives));
    if (!discriminator || !alternatives)
        return false;
    discriminator->name = name->text;
    discriminator->keyword = gh_compile_index(compiler, keyword);
    if (!read_alternatives(compiler, list, nodes, alternatives) ||
        !add_mappings(compiler, mapping, alternatives, list->count, discriminator))
        return false;
    *out = discriminator;
    return true;
}
