/* Keywords for objects. */
#include "schema/compile.h"

static bool wants_object(struct gh_schema_compiler *compiler, const struct gh_json_value *keyword)
{
    return keyword->kind == GH_JSON_OBJECT ||
           gh_compile_fail(compiler, keyword, "This must be an object.");
}

/* Where a name is or belongs. */
static uint32_t *find_slot(const struct gh_schema_members *members, uint32_t *slots,
                           struct gh_str name, uint32_t hash)
{
    uint32_t at = hash & members->slot_mask;
    for (; slots[at]; at = (at + 1) & members->slot_mask) {
        const struct gh_schema_member *member = &members->members[slots[at] - 1];
        if (member->hash == hash && gh_str_eq(member->name, name))
            break;
    }
    return &slots[at];
}

struct member_table {
    struct gh_schema_members *members;
    struct gh_schema_member *items;
    uint32_t *slots;
    uint32_t count;
};

static struct gh_schema_member *add_member(struct member_table *table, struct gh_str name)
{
    uint32_t hash = gh_json_name_hash(name);
    uint32_t *slot = find_slot(table->members, table->slots, name, hash);
    if (!*slot) {
        table->items[table->count] = (struct gh_schema_member){
            .name = name, .hash = hash, .node = GH_SCHEMA_NONE, .required = GH_SCHEMA_NONE};
        *slot = ++table->count;
    }
    return &table->items[*slot - 1];
}

static bool add_properties(struct gh_schema_compiler *compiler, struct member_table *table,
                           const struct gh_json_value *properties)
{
    for (const struct gh_json_value *entry = gh_json_first(compiler->doc, properties); entry;
         entry = gh_json_after(compiler->doc, properties, entry)) {
        if (!gh_compile_subschema(compiler, entry, &add_member(table, entry->name)->node))
            return false;
    }
    return true;
}

static bool add_required(struct gh_schema_compiler *compiler, struct member_table *table,
                         const struct gh_json_value *required)
{
    uint32_t *indexes = gh_compile_alloc(compiler, required->count, sizeof(*indexes));
    uint32_t count = 0;
    if (!indexes)
        return false;
    for (const struct gh_json_value *entry = gh_json_first(compiler->doc, required); entry;
         entry = gh_json_after(compiler->doc, required, entry)) {
        if (entry->kind != GH_JSON_STRING)
            return gh_compile_fail(compiler, entry, "required must be a list of names.");
        struct gh_schema_member *member = add_member(table, entry->text);
        if (member->required == GH_SCHEMA_NONE) {
            indexes[count] = (uint32_t)(member - table->items);
            member->required = count++;
        }
    }
    table->members->required = indexes;
    table->members->required_count = count;
    table->members->required_keyword = gh_compile_index(compiler, required);
    return true;
}

static bool alloc_table(struct gh_schema_compiler *compiler, struct member_table *table,
                        uint32_t names_max)
{
    uint32_t slot_count = 4;
    while (slot_count / 2 < names_max)
        slot_count *= 2;
    table->slots = gh_compile_alloc(compiler, slot_count, sizeof(*table->slots));
    table->items = gh_compile_alloc(compiler, names_max, sizeof(*table->items));
    table->members->slots = table->slots;
    table->members->members = table->items;
    table->members->slot_mask = slot_count - 1;
    return table->slots && table->items;
}

static bool add_patterns(struct gh_schema_compiler *compiler, struct gh_schema_members *members,
                         const struct gh_json_value *keyword)
{
    struct gh_schema_member_pattern *patterns =
        gh_compile_alloc(compiler, keyword->count, sizeof(*patterns));
    if (!patterns)
        return false;
    members->patterns = patterns;
    for (const struct gh_json_value *entry = gh_json_first(compiler->doc, keyword); entry;
         entry = gh_json_after(compiler->doc, keyword, entry)) {
        struct gh_schema_member_pattern *pattern = &patterns[members->pattern_count++];
        struct gh_str reason;
        enum gh_err err = gh_pattern_compile(compiler->schemas->patterns, entry->name,
                                             &pattern->pattern, &reason);
        if (err == GH_ERR_INVALID) {
            struct gh_str text = gh_arena_format(
                compiler->schemas->arena, "Its name is no regular expression we can use. %.*s",
                GH_STR_ARG(reason));
            return text.ptr ? gh_compile_fail(compiler, entry, text.ptr)
                            : gh_compile_no_memory(compiler);
        }
        if (err != GH_OK)
            return gh_compile_no_memory(compiler);
        if (!gh_compile_subschema(compiler, entry, &pattern->node))
            return false;
    }
    return true;
}

struct member_keywords {
    const struct gh_json_value *properties, *patterns, *additional, *names, *required;
};

static bool find_keywords(struct gh_schema_compiler *compiler, struct member_keywords *out)
{
    bool is_openapi_30 = compiler->vocabularies & GH_VOCABULARY_OPENAPI_30;
    *out = (struct member_keywords){0};
    if (compiler->vocabularies & GH_VOCABULARY_APPLICATOR) {
        out->properties = gh_compile_keyword(compiler, "properties");
        out->additional = gh_compile_keyword(compiler, "additionalProperties");
        out->patterns = is_openapi_30 ? NULL : gh_compile_keyword(compiler, "patternProperties");
        out->names = is_openapi_30 ? NULL : gh_compile_keyword(compiler, "propertyNames");
    }
    if (compiler->vocabularies & GH_VOCABULARY_VALIDATION)
        out->required = gh_compile_keyword(compiler, "required");
    if ((out->properties && !wants_object(compiler, out->properties)) ||
        (out->patterns && !wants_object(compiler, out->patterns)))
        return false;
    if (out->required && out->required->kind != GH_JSON_ARRAY)
        return gh_compile_fail(compiler, out->required, "required must be a list of names.");
    return true;
}

static bool compile_members(struct gh_schema_compiler *compiler)
{
    struct member_keywords keywords;
    if (!find_keywords(compiler, &keywords))
        return false;
    if (!keywords.properties && !keywords.patterns && !keywords.additional && !keywords.names &&
        !keywords.required)
        return true;
    struct gh_schema_members *members = gh_compile_alloc(compiler, 1, sizeof(*members));
    if (!members)
        return false;
    struct member_table table = {.members = members};
    uint32_t names_max = (keywords.properties ? keywords.properties->count : 0) +
                         (keywords.required ? keywords.required->count : 0);
    members->additional = members->names = GH_SCHEMA_NONE;
    if (names_max && !alloc_table(compiler, &table, names_max))
        return false;
    if ((keywords.properties && !add_properties(compiler, &table, keywords.properties)) ||
        (keywords.required && !add_required(compiler, &table, keywords.required)) ||
        (keywords.patterns && !add_patterns(compiler, members, keywords.patterns)) ||
        (keywords.additional &&
         !gh_compile_subschema(compiler, keywords.additional, &members->additional)) ||
        (keywords.names && !gh_compile_subschema(compiler, keywords.names, &members->names)))
        return false;
    members->count = table.count;
    gh_compile_op(compiler, GH_OP_MEMBERS, compiler->schema)->as.members = members;
    return true;
}

static bool fill_required(struct gh_schema_compiler *compiler, const struct gh_json_value *list,
                          struct gh_schema_dependency *dependency)
{
    if (list->kind != GH_JSON_ARRAY)
        return gh_compile_fail(compiler, list, "This must be a list of names.");
    struct gh_str *names = gh_compile_alloc(compiler, list->count, sizeof(*names));
    if (!names)
        return false;
    for (const struct gh_json_value *entry = gh_json_first(compiler->doc, list); entry;
         entry = gh_json_after(compiler->doc, list, entry)) {
        if (entry->kind != GH_JSON_STRING)
            return gh_compile_fail(compiler, entry, "This must be a list of names.");
        names[dependency->required_count++] = entry->text;
    }
    dependency->required = names;
    return true;
}

/* dependentRequired and dependentSchemas, or `dependencies`, which was both in earlier drafts. Each
   reads the entries that are its own. */
static bool compile_dependencies(struct gh_schema_compiler *compiler, const char *name,
                                 enum gh_schema_op_code code, bool is_both)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, name);
    uint32_t count = 0;
    if (!keyword)
        return true;
    if (!wants_object(compiler, keyword))
        return false;
    struct gh_schema_dependency *entries =
        gh_compile_alloc(compiler, keyword->count, sizeof(*entries));
    if (!entries)
        return false;
    for (const struct gh_json_value *entry = gh_json_first(compiler->doc, keyword); entry;
         entry = gh_json_after(compiler->doc, keyword, entry)) {
        bool is_list = entry->kind == GH_JSON_ARRAY;
        if (is_both && is_list != (code == GH_OP_DEPENDENT_REQUIRED))
            continue;
        struct gh_schema_dependency *dependency = &entries[count++];
        dependency->name = entry->name;
        if (code == GH_OP_DEPENDENT_REQUIRED
                ? !fill_required(compiler, entry, dependency)
                : !gh_compile_subschema(compiler, entry, &dependency->node))
            return false;
    }
    struct gh_schema_op *op = gh_compile_op(compiler, code, keyword);
    op->as.dependencies.entries = entries;
    op->as.dependencies.count = count;
    return true;
}

static bool compile_sizes(struct gh_schema_compiler *compiler)
{
    static const struct {
        const char *name;
        enum gh_schema_op_code code;
    } SIZES[] = {{"minProperties", GH_OP_MIN_PROPERTIES}, {"maxProperties", GH_OP_MAX_PROPERTIES}};
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
    return true;
}

bool gh_compile_object(struct gh_schema_compiler *compiler)
{
    if (!compiler->schema)
        return true;
    bool is_openapi_30 = compiler->vocabularies & GH_VOCABULARY_OPENAPI_30;
    const struct gh_json_value *unevaluated = gh_compile_keyword(compiler, "unevaluatedProperties");
    uint32_t node;
    if ((compiler->vocabularies & GH_VOCABULARY_VALIDATION) && !compile_sizes(compiler))
        return false;
    if (!compile_members(compiler))
        return false;
    if (is_openapi_30)
        return true;
    if ((compiler->vocabularies & GH_VOCABULARY_VALIDATION) &&
        (!compile_dependencies(compiler, "dependentRequired", GH_OP_DEPENDENT_REQUIRED, false) ||
         !compile_dependencies(compiler, "dependencies", GH_OP_DEPENDENT_REQUIRED, true)))
        return false;
    if ((compiler->vocabularies & GH_VOCABULARY_APPLICATOR) &&
        (!compile_dependencies(compiler, "dependentSchemas", GH_OP_DEPENDENT_SCHEMAS, false) ||
         !compile_dependencies(compiler, "dependencies", GH_OP_DEPENDENT_SCHEMAS, true)))
        return false;
    if (!unevaluated || !(compiler->vocabularies & GH_VOCABULARY_UNEVALUATED))
        return true;
    if (!gh_compile_subschema(compiler, unevaluated, &node))
        return false;
    gh_compile_op(compiler, GH_OP_UNEVALUATED_PROPERTIES, unevaluated)->as.node = node;
    return true;
}
