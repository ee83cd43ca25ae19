/*
 * Compiling: a list of schemas that are referred to, worked off in order. A schema becomes a node
 * when something refers to it first, so recursion in schemas is none here.
 */
#include "schema/compile.h"

#include "base/assert.h"

const struct gh_json_value *gh_compile_keyword(const struct gh_schema_compiler *compiler,
                                               const char *name)
{
    return gh_json_get(compiler->doc, compiler->schema, gh_str_from_c(name));
}

uint32_t gh_compile_index(const struct gh_schema_compiler *compiler,
                          const struct gh_json_value *value)
{
    return (uint32_t)(value - compiler->doc->values);
}

bool gh_compile_fail(struct gh_schema_compiler *compiler, const struct gh_json_value *at,
                     const char *text)
{
    struct gh_place place = {compiler->place.document, gh_compile_index(compiler, at)};
    if (compiler->err == GH_OK)
        compiler->err =
            gh_schema_fail(compiler->schemas, place, gh_str_from_c(text), compiler->error);
    return false;
}

bool gh_compile_no_memory(struct gh_schema_compiler *compiler)
{
    if (compiler->err == GH_OK)
        compiler->err = gh_schema_no_memory(compiler->error);
    return false;
}

void *gh_compile_alloc(struct gh_schema_compiler *compiler, size_t count, size_t size)
{
    void *memory = gh_arena_zalloc(compiler->schemas->arena, count ? count : 1, size);
    if (!memory)
        gh_compile_no_memory(compiler);
    return memory;
}

struct gh_schema_op *gh_compile_op(struct gh_schema_compiler *compiler, enum gh_schema_op_code code,
                                   const struct gh_json_value *keyword)
{
    GH_ASSERT(compiler->op_count < GH_SCHEMA_OPS_MAX);
    struct gh_schema_op *op = &compiler->ops[compiler->op_count++];
    *op = (struct gh_schema_op){.code = code, .keyword = gh_compile_index(compiler, keyword)};
    return op;
}

bool gh_compile_node(struct gh_schemas *schemas, struct gh_place place, uint32_t *out_node)
{
    struct gh_schema_document *document = &schemas->documents[place.document];
    if (document->nodes[place.value] == GH_SCHEMA_NONE) {
        if (!gh_schema_grow(schemas->arena, &schemas->nodes, schemas->node_count,
                            &schemas->node_cap, sizeof(*schemas->nodes)))
            return false;
        schemas->nodes[schemas->node_count] =
            (struct gh_schema_node){.place = place, .resource = document->resources[place.value]};
        document->nodes[place.value] = schemas->node_count++;
    }
    *out_node = document->nodes[place.value];
    return true;
}

bool gh_compile_subschema(struct gh_schema_compiler *compiler, const struct gh_json_value *value,
                          uint32_t *out_node)
{
    struct gh_place place = {compiler->place.document, gh_compile_index(compiler, value)};
    return gh_compile_node(compiler->schemas, place, out_node) || gh_compile_no_memory(compiler);
}

bool gh_compile_count(struct gh_schema_compiler *compiler, const char *name, uint64_t *out,
                      uint32_t *out_keyword, bool *out_there)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, name);
    if (!keyword)
        return true;
    struct gh_decimal number = {0};
    if (keyword->kind == GH_JSON_NUMBER)
        number = gh_decimal_read(keyword->text);
    if (keyword->kind != GH_JSON_NUMBER || !gh_decimal_u64(&number, out))
        return gh_compile_fail(compiler, keyword, "This must be a whole number, 0 or more.");
    *out_keyword = gh_compile_index(compiler, keyword);
    *out_there = true;
    return true;
}

/* Which group an operation belongs to: any, numbers, strings, arrays, objects, the last. */
static unsigned group_of(enum gh_schema_op_code code)
{
    if (code >= GH_OP_UNEVALUATED_ITEMS)
        return 5;
    if (code >= GH_OP_MIN_PROPERTIES)
        return 4;
    if (code >= GH_OP_MIN_ITEMS)
        return 3;
    if (code >= GH_OP_LENGTH)
        return 2;
    return code >= GH_OP_MINIMUM;
}

/* Puts the operations in groups and the node in its place. */
static bool finish_node(struct gh_schema_compiler *compiler, uint32_t index)
{
    struct gh_schema_node *node = &compiler->node;
    uint16_t *ends[] = {&node->any_end,   &node->number_end, &node->string_end,
                        &node->array_end, &node->object_end, &node->all_end};
    struct gh_schema_op *ops = gh_compile_alloc(compiler, compiler->op_count, sizeof(*ops));
    uint16_t count = 0;
    if (!ops)
        return false;
    for (unsigned group = 0; group < 6; group++) {
        for (unsigned i = 0; i < compiler->op_count; i++) {
            if (group_of(compiler->ops[i].code) == group)
                ops[count++] = compiler->ops[i];
        }
        *ends[group] = count;
    }
    node->ops = ops;
    compiler->schemas->nodes[index] = *node;
    return true;
}

static bool compile_one(struct gh_schemas *schemas, uint32_t index, struct gh_schema_error *error,
                        enum gh_err *out_err)
{
    struct gh_schema_compiler compiler = {.schemas = schemas, .error = error};
    compiler.node = schemas->nodes[index];
    compiler.place = compiler.node.place;
    compiler.doc = schemas->documents[compiler.place.document].doc;
    compiler.schema = &compiler.doc->values[compiler.place.value];
    compiler.resource = compiler.node.resource;
    compiler.node.kinds = GH_KINDS_ALL;
    compiler.node.type_keyword = compiler.place.value;
    bool good = true;
    if (!schemas->resources[compiler.resource].vocabularies)
        compiler.err = gh_schema_set_vocabularies(schemas, compiler.resource, error);
    struct gh_schema_resource *resource = &schemas->resources[compiler.resource];
    resource->is_used = true;
    compiler.vocabularies = resource->vocabularies;
    if (compiler.err != GH_OK)
        good = false;
    else if (compiler.schema->kind == GH_JSON_BOOL)
        compiler.node.kinds = compiler.schema->boolean ? GH_KINDS_ALL : 0;
    else if (compiler.schema->kind != GH_JSON_OBJECT)
        good = gh_compile_fail(&compiler, compiler.schema, "A schema is an object or a boolean.");
    else
        good = gh_compile_general(&compiler) && gh_compile_scalar(&compiler) &&
               gh_compile_array(&compiler) && gh_compile_object(&compiler);
    good = good && finish_node(&compiler, index);
    *out_err = compiler.err;
    return good;
}

static bool is_wanted(const struct gh_schemas *schemas, struct gh_str name)
{
    for (uint32_t i = 0; i < schemas->dynamic_name_count; i++) {
        if (gh_str_eq(schemas->dynamic_names[i], name))
            return true;
    }
    return false;
}

static bool has_target(const struct gh_schemas *schemas, const struct gh_schema_anchor *anchor)
{
    for (uint32_t i = 0; i < schemas->dynamic_count; i++) {
        if (schemas->dynamic[i].resource == anchor->resource &&
            gh_str_eq(schemas->dynamic[i].name, anchor->name))
            return true;
    }
    return false;
}

/* Every $dynamicAnchor that a $dynamicRef may find: those of resources that are in use. */
static bool add_dynamic_targets(struct gh_schemas *schemas)
{
    for (uint32_t i = 0; i < schemas->anchor_count; i++) {
        const struct gh_schema_anchor *anchor = &schemas->anchors[i];
        const struct gh_schema_resource *resource = &schemas->resources[anchor->resource];
        if (!anchor->is_dynamic || !resource->is_used || !is_wanted(schemas, anchor->name) ||
            has_target(schemas, anchor))
            continue;
        struct gh_dynamic_target target = {.name = anchor->name, .resource = anchor->resource};
        struct gh_place place = {resource->document, anchor->value};
        if (!gh_schema_grow(schemas->arena, &schemas->dynamic, schemas->dynamic_count,
                            &schemas->dynamic_cap, sizeof(*schemas->dynamic)) ||
            !gh_compile_node(schemas, place, &target.node))
            return false;
        schemas->dynamic[schemas->dynamic_count++] = target;
    }
    return true;
}

static enum gh_err compile_place(struct gh_schemas *schemas, struct gh_place place,
                                 uint32_t *out_schema, struct gh_schema_error *error)
{
    enum gh_err err = GH_OK;
    uint32_t node;
    if (!gh_compile_node(schemas, place, &node))
        return gh_schema_no_memory(error);
    while (schemas->compiled_count < schemas->node_count) {
        if (!compile_one(schemas, schemas->compiled_count, error, &err))
            return err;
        schemas->compiled_count++;
        if (schemas->compiled_count == schemas->node_count && !add_dynamic_targets(schemas))
            return gh_schema_no_memory(error);
    }
    uint32_t first_new = schemas->checked_count;
    if (!gh_compile_check_loops(schemas, error, &err))
        return err;
    gh_compile_facts(schemas, first_new);
    *out_schema = node;
    return GH_OK;
}

enum gh_err gh_schemas_compile(struct gh_schemas *schemas, struct gh_str reference,
                               uint32_t *out_schema, struct gh_schema_error *out_error)
{
    const struct gh_schema_anchor *anchor;
    struct gh_place place, from = {0, 0};
    if (schemas->document_count == 0) {
        *out_error = (struct gh_schema_error){.text = GH_STR("There are no documents.")};
        return GH_ERR_INVALID;
    }
    enum gh_err err =
        gh_schema_find(schemas, GH_SCHEMA_NONE, reference, from, &place, &anchor, out_error);
    return err == GH_OK ? compile_place(schemas, place, out_schema, out_error) : err;
}

enum gh_err gh_schemas_compile_value(struct gh_schemas *schemas, const struct gh_json_doc *doc,
                                     const struct gh_json_value *value, uint32_t *out_schema,
                                     struct gh_schema_error *out_error)
{
    struct gh_place place = {0, (uint32_t)(value - doc->values)};
    while (place.document < schemas->document_count &&
           schemas->documents[place.document].doc->values != doc->values)
        place.document++;
    GH_ASSERT(place.document < schemas->document_count);
    enum gh_err err = GH_OK;
    if (schemas->documents[place.document].roles[place.value] != GH_ROLE_SCHEMA)
        err = gh_schema_scan(schemas, place, out_error);
    return err == GH_OK ? compile_place(schemas, place, out_schema, out_error) : err;
}
