/* Keywords for arrays. */
#include "schema/compile.h"

static bool compile_items(struct gh_schema_compiler *compiler)
{
    const struct gh_json_value *prefix = gh_compile_keyword(compiler, "prefixItems");
    const struct gh_json_value *rest = gh_compile_keyword(compiler, "items");
    if (compiler->vocabularies & GH_VOCABULARY_OPENAPI_30)
        prefix = NULL;
    if (!prefix && !rest)
        return true;
    struct gh_schema_items *items = gh_compile_alloc(compiler, 1, sizeof(*items));
    if (!items)
        return false;
    items->rest = GH_SCHEMA_NONE;
    if (rest && rest->kind == GH_JSON_ARRAY)
        return gh_compile_fail(compiler, rest,
                               "items is one schema; a list of them is called prefixItems.");
    if (rest && !gh_compile_subschema(compiler, rest, &items->rest))
        return false;
    if (prefix) {
        if (prefix->kind != GH_JSON_ARRAY || prefix->count == 0)
            return gh_compile_fail(compiler, prefix, "This must be a list of schemas.");
        uint32_t *nodes = gh_compile_alloc(compiler, prefix->count, sizeof(*nodes));
        if (!nodes)
            return false;
        items->prefix = nodes;
        for (const struct gh_json_value *item = gh_json_first(compiler->doc, prefix); item;
             item = gh_json_after(compiler->doc, prefix, item)) {
            if (!gh_compile_subschema(compiler, item, &nodes[items->prefix_count++]))
                return false;
        }
    }
    gh_compile_op(compiler, GH_OP_ITEMS, rest ? rest : prefix)->as.items = items;
    return true;
}

static bool compile_contains(struct gh_schema_compiler *compiler)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, "contains");
    bool there = false;
    if (!keyword || (compiler->vocabularies & GH_VOCABULARY_OPENAPI_30))
        return true;
    struct gh_schema_contains *contains = gh_compile_alloc(compiler, 1, sizeof(*contains));
    if (!contains)
        return false;
    contains->min = 1;
    contains->max = UINT64_MAX;
    contains->min_keyword = gh_compile_index(compiler, keyword);
    if (!gh_compile_subschema(compiler, keyword, &contains->node))
        return false;
    if ((compiler->vocabularies & GH_VOCABULARY_VALIDATION) &&
        (!gh_compile_count(compiler, "minContains", &contains->min, &contains->min_keyword,
                           &there) ||
         !gh_compile_count(compiler, "maxContains", &contains->max, &contains->max_keyword,
                           &there)))
        return false;
    gh_compile_op(compiler, GH_OP_CONTAINS, keyword)->as.contains = contains;
    return true;
}

static bool compile_sizes(struct gh_schema_compiler *compiler)
{
    static const struct {
        const char *name;
        enum gh_schema_op_code code;
    } SIZES[] = {{"minItems", GH_OP_MIN_ITEMS}, {"maxItems", GH_OP_MAX_ITEMS}};
    for (size_t i = 0; i < 2; i++) {
        uint64_t count;
        uint32_t keyword;
        bool there = false;
        if (!gh_compile_count(compiler, SIZES[i].name, &count, &keyword, &there))
            return false;
        if (there)
            gh_compile_op(compiler, SIZES[i].code, &compiler->doc->values[keyword])->as.count =
                count;
    }
    const struct gh_json_value *unique = gh_compile_keyword(compiler, "uniqueItems");
    if (unique && unique->kind != GH_JSON_BOOL)
        return gh_compile_fail(compiler, unique, "uniqueItems must be true or false.");
    if (unique && unique->boolean)
        gh_compile_op(compiler, GH_OP_UNIQUE_ITEMS, unique);
    return true;
}

bool gh_compile_array(struct gh_schema_compiler *compiler)
{
    if (!compiler->schema)
        return true;
    const struct gh_json_value *unevaluated = gh_compile_keyword(compiler, "unevaluatedItems");
    uint32_t node;
    if ((compiler->vocabularies & GH_VOCABULARY_VALIDATION) && !compile_sizes(compiler))
        return false;
    if ((compiler->vocabularies & GH_VOCABULARY_APPLICATOR) &&
        (!compile_items(compiler) || !compile_contains(compiler)))
        return false;
    if (!unevaluated || !(compiler->vocabularies & GH_VOCABULARY_UNEVALUATED) ||
        (compiler->vocabularies & GH_VOCABULARY_OPENAPI_30))
        return true;
    if (!gh_compile_subschema(compiler, unevaluated, &node))
        return false;
    gh_compile_op(compiler, GH_OP_UNEVALUATED_ITEMS, unevaluated)->as.node = node;
    return true;
}
