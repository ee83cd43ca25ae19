/* Keywords for any kind of value: type, const, enum, references, and the logical applicators. */
#include "schema/compile.h"
#include "schema/equal.h"

static bool kind_bit(struct gh_str name, uint8_t *out_bit)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } KINDS[] = {
        {"null", GH_KIND_BIT(GH_JSON_NULL)},
        {"boolean", GH_KIND_BIT(GH_JSON_BOOL)},
        {"number", GH_KIND_BIT(GH_JSON_NUMBER)},
        {"string", GH_KIND_BIT(GH_JSON_STRING)},
        {"array", GH_KIND_BIT(GH_JSON_ARRAY)},
        {"object", GH_KIND_BIT(GH_JSON_OBJECT)},
        {"integer", GH_KIND_WHOLE},
    };
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (gh_str_eq(name, gh_str_from_c(KINDS[i].name))) {
            *out_bit = KINDS[i].bit;
            return true;
        }
    }
    return false;
}

static bool compile_type(struct gh_schema_compiler *compiler)
{
    const struct gh_json_value *type = gh_compile_keyword(compiler, "type"), *item = type;
    uint8_t kinds = 0, bit;
    if (!type)
        return true;
    bool is_list = type->kind == GH_JSON_ARRAY;
    if (is_list && (type->count == 0 || (compiler->vocabularies & GH_VOCABULARY_OPENAPI_30)))
        return gh_compile_fail(compiler, type, "type must name a kind of value.");
    if (is_list)
        item = gh_json_first(compiler->doc, type);
    for (; item; item = is_list ? gh_json_after(compiler->doc, type, item) : NULL) {
        if (item->kind != GH_JSON_STRING || !kind_bit(item->text, &bit))
            return gh_compile_fail(compiler, item,
                                   "type must be null, boolean, integer, number, string, array or "
                                   "object.");
        kinds |= bit;
    }
    if (compiler->vocabularies & GH_VOCABULARY_OPENAPI_30) {
        const struct gh_json_value *nullable = gh_compile_keyword(compiler, "nullable");
        if (nullable && nullable->kind == GH_JSON_BOOL && nullable->boolean)
            kinds |= GH_KIND_BIT(GH_JSON_NULL);
    }
    compiler->node.kinds = kinds;
    compiler->node.type_keyword = gh_compile_index(compiler, type);
    return true;
}

static bool fill_choice(struct gh_schema_compiler *compiler, const struct gh_json_value *value,
                        struct gh_schema_choice *choice)
{
    uint64_t steps = UINT64_MAX;
    choice->kind = value->kind;
    choice->value = gh_compile_index(compiler, value);
    return gh_json_hash(compiler->doc, choice->value, compiler->schemas->arena, &steps,
                        &choice->hash) ||
           gh_compile_no_memory(compiler);
}

static bool compile_enum(struct gh_schema_compiler *compiler)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, "const");
    if (keyword && !(compiler->vocabularies & GH_VOCABULARY_OPENAPI_30)) {
        struct gh_schema_choice *choice = gh_compile_alloc(compiler, 1, sizeof(*choice));
        if (!choice || !fill_choice(compiler, keyword, choice))
            return false;
        struct gh_schema_op *op = gh_compile_op(compiler, GH_OP_CONST, keyword);
        op->as.choices.choices = choice;
        op->as.choices.count = 1;
    }
    keyword = gh_compile_keyword(compiler, "enum");
    if (!keyword)
        return true;
    if (keyword->kind != GH_JSON_ARRAY)
        return gh_compile_fail(compiler, keyword, "enum must be a list of values.");
    struct gh_schema_choice *choices = gh_compile_alloc(compiler, keyword->count, sizeof(*choices));
    uint32_t count = 0;
    if (!choices)
        return false;
    for (const struct gh_json_value *item = gh_json_first(compiler->doc, keyword); item;
         item = gh_json_after(compiler->doc, keyword, item)) {
        if (!fill_choice(compiler, item, &choices[count++]))
            return false;
    }
    struct gh_schema_op *op = gh_compile_op(compiler, GH_OP_ENUM, keyword);
    op->as.choices.choices = choices;
    op->as.choices.count = count;
    return true;
}

static bool compile_reference(struct gh_schema_compiler *compiler,
                              const struct gh_json_value *keyword, bool is_dynamic)
{
    struct gh_schemas *schemas = compiler->schemas;
    struct gh_place from = {compiler->place.document, gh_compile_index(compiler, keyword)}, target;
    const struct gh_schema_anchor *anchor;
    uint32_t node;
    if (keyword->kind != GH_JSON_STRING)
        return gh_compile_fail(compiler, keyword, "A reference must be a string.");
    compiler->err = gh_schema_find(schemas, compiler->resource, keyword->text, from, &target,
                                   &anchor, compiler->error);
    if (compiler->err != GH_OK)
        return false;
    if (!gh_compile_node(schemas, target, &node))
        return gh_compile_no_memory(compiler);
    if (!is_dynamic || !anchor) {
        gh_compile_op(compiler, GH_OP_REF, keyword)->as.node = node;
        return true;
    }
    struct gh_schema_op *op = gh_compile_op(compiler, GH_OP_DYNAMIC_REF, keyword);
    op->as.dynamic.fallback = node;
    op->as.dynamic.anchor = anchor->name;
    if (!gh_schema_grow(schemas->arena, &schemas->dynamic_names, schemas->dynamic_name_count,
                        &schemas->dynamic_name_cap, sizeof(*schemas->dynamic_names)))
        return gh_compile_no_memory(compiler);
    bool known = false;
    for (uint32_t i = 0; i < schemas->dynamic_name_count; i++)
        known |= gh_str_eq(schemas->dynamic_names[i], anchor->name);
    if (!known)
        schemas->dynamic_names[schemas->dynamic_name_count++] = anchor->name;
    return true;
}

static bool compile_access(struct gh_schema_compiler *compiler)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } KEYWORDS[] = {{"readOnly", GH_ACCESS_READ_ONLY}, {"writeOnly", GH_ACCESS_WRITE_ONLY}};
    for (size_t i = 0; i < 2; i++) {
        const struct gh_json_value *keyword = gh_compile_keyword(compiler, KEYWORDS[i].name);
        if (keyword && keyword->kind != GH_JSON_BOOL)
            return gh_compile_fail(compiler, keyword, "This must be true or false.");
        if (keyword && keyword->boolean)
            compiler->node.access |= KEYWORDS[i].bit;
    }
    return true;
}

static bool compile_list(struct gh_schema_compiler *compiler, const char *name,
                         enum gh_schema_op_code code)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, name);
    uint32_t count = 0;
    if (!keyword)
        return true;
    if (keyword->kind != GH_JSON_ARRAY || keyword->count == 0)
        return gh_compile_fail(compiler, keyword, "This must be a list of schemas.");
    uint32_t *nodes = gh_compile_alloc(compiler, keyword->count, sizeof(*nodes));
    if (!nodes)
        return false;
    for (const struct gh_json_value *item = gh_json_first(compiler->doc, keyword); item;
         item = gh_json_after(compiler->doc, keyword, item)) {
        if (!gh_compile_subschema(compiler, item, &nodes[count++]))
            return false;
    }
    const struct gh_schema_discriminator *discriminator = NULL;
    if (code != GH_OP_ALL_OF && !gh_compile_discriminator(compiler, keyword, nodes, &discriminator))
        return false;
    struct gh_schema_op *op = gh_compile_op(compiler, code, keyword);
    op->as.list.nodes = nodes;
    op->as.list.count = count;
    op->as.list.discriminator = discriminator;
    return true;
}

static bool compile_if(struct gh_schema_compiler *compiler)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, "if");
    const struct gh_json_value *parts[] = {gh_compile_keyword(compiler, "then"),
                                           gh_compile_keyword(compiler, "else")};
    uint32_t nodes[] = {GH_SCHEMA_NONE, GH_SCHEMA_NONE}, condition;
    if (!keyword)
        return true;
    if (!gh_compile_subschema(compiler, keyword, &condition))
        return false;
    for (size_t i = 0; i < 2; i++) {
        if (parts[i] && !gh_compile_subschema(compiler, parts[i], &nodes[i]))
            return false;
    }
    struct gh_schema_op *op = gh_compile_op(compiler, GH_OP_IF, keyword);
    op->as.branch.condition = condition;
    op->as.branch.yes = nodes[0];
    op->as.branch.no = nodes[1];
    return true;
}

static bool compile_applicators(struct gh_schema_compiler *compiler)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, "not");
    uint32_t node;
    if (!compile_list(compiler, "allOf", GH_OP_ALL_OF) ||
        !compile_list(compiler, "anyOf", GH_OP_ANY_OF) ||
        !compile_list(compiler, "oneOf", GH_OP_ONE_OF))
        return false;
    if (keyword) {
        if (!gh_compile_subschema(compiler, keyword, &node))
            return false;
        gh_compile_op(compiler, GH_OP_NOT, keyword)->as.node = node;
    }
    return (compiler->vocabularies & GH_VOCABULARY_OPENAPI_30) || compile_if(compiler);
}

bool gh_compile_general(struct gh_schema_compiler *compiler)
{
    bool is_openapi_30 = compiler->vocabularies & GH_VOCABULARY_OPENAPI_30;
    const struct gh_json_value *reference = gh_compile_keyword(compiler, "$ref");
    const struct gh_json_value *dynamic = gh_compile_keyword(compiler, "$dynamicRef");
    if (reference && !compile_reference(compiler, reference, false))
        return false;
    if (is_openapi_30 && reference) { /* nothing beside it counts */
        compiler->schema = NULL;
        return true;
    }
    if (dynamic && !is_openapi_30 && !compile_reference(compiler, dynamic, true))
        return false;
    if ((compiler->vocabularies & GH_VOCABULARY_REMARKS) && !compile_access(compiler))
        return false;
    if ((compiler->vocabularies & GH_VOCABULARY_VALIDATION) &&
        (!compile_type(compiler) || !compile_enum(compiler)))
        return false;
    return !(compiler->vocabularies & GH_VOCABULARY_APPLICATOR) || compile_applicators(compiler);
}
