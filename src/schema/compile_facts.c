/*
 * What is known of a schema before there is a value: the kinds it may accept, whether it is
 * readOnly, and which schemas its members and items have. Each answer errs to the open side.
 */
#include "base/assert.h"
#include "schema/compile.h"

/* How far and how much is looked through for one answer; beyond, nothing is known. */
#define LOOK_DEPTH_MAX 32
#define LOOKS_MAX      1024

static unsigned kinds_of_choices(const struct gh_schemas *schemas,
                                 const struct gh_schema_node *node, const struct gh_schema_op *op)
{
    const struct gh_json_value *values = schemas->documents[node->place.document].doc->values;
    unsigned kinds = 0;
    for (uint32_t i = 0; i < op->as.choices.count; i++) {
        const struct gh_json_value *value = &values[op->as.choices.choices[i].value];
        if (value->kind == GH_JSON_NUMBER)
            kinds |= GH_KIND_WHOLE;
        if (value->kind != GH_JSON_NUMBER || !value->is_integer)
            kinds |= GH_KIND_BIT(value->kind);
    }
    return kinds;
}

/* Those that the operation leaves. */
static unsigned kinds_of_op(const struct gh_schemas *schemas, const struct gh_schema_node *node,
                            const struct gh_schema_op *op)
{
    bool is_all = op->code == GH_OP_ALL_OF;
    if (op->code == GH_OP_REF)
        return schemas->nodes[op->as.node].accepts;
    if (op->code == GH_OP_CONST || op->code == GH_OP_ENUM)
        return kinds_of_choices(schemas, node, op);
    if (!is_all && op->code != GH_OP_ANY_OF && op->code != GH_OP_ONE_OF)
        return GH_KINDS_ALL | GH_KIND_WHOLE;
    unsigned kinds = is_all ? GH_KINDS_ALL | GH_KIND_WHOLE : 0;
    for (uint32_t i = 0; i < op->as.list.count; i++) {
        unsigned accepts = schemas->nodes[op->as.list.nodes[i]].accepts;
        kinds = is_all ? kinds & accepts : kinds | accepts;
    }
    return kinds;
}

static unsigned access_of_op(const struct gh_schemas *schemas, const struct gh_schema_op *op)
{
    unsigned access = 0;
    if (op->code == GH_OP_REF)
        return schemas->nodes[op->as.node].all_access;
    for (uint32_t i = 0; op->code == GH_OP_ALL_OF && i < op->as.list.count; i++)
        access |= schemas->nodes[op->as.list.nodes[i]].all_access;
    return access;
}

static bool settle(const struct gh_schemas *schemas, struct gh_schema_node *node)
{
    unsigned accepts = node->accepts, access = node->all_access;
    for (unsigned i = 0; i < node->any_end; i++) {
        accepts &= kinds_of_op(schemas, node, &node->ops[i]);
        access |= access_of_op(schemas, &node->ops[i]);
    }
    bool is_new = accepts != node->accepts || access != node->all_access;
    node->accepts = (uint8_t)accepts;
    node->all_access = (uint8_t)access;
    return is_new;
}

/* Kinds only go and access only comes, so this ends; mostly what is referred to comes later. */
void gh_compile_facts(struct gh_schemas *schemas, uint32_t first_new)
{
    for (uint32_t i = first_new; i < schemas->node_count; i++) {
        struct gh_schema_node *node = &schemas->nodes[i];
        bool takes_any_number = node->kinds & GH_KIND_BIT(GH_JSON_NUMBER);
        node->accepts = (uint8_t)(node->kinds | (takes_any_number ? GH_KIND_WHOLE : 0));
        node->all_access = node->access;
    }
    for (bool is_new = true; is_new;) {
        is_new = false;
        for (uint32_t i = schemas->node_count; i-- > first_new;)
            is_new |= settle(schemas, &schemas->nodes[i]);
    }
}

unsigned gh_schema_kinds(const struct gh_schemas *schemas, uint32_t schema)
{
    GH_ASSERT(schema < schemas->compiled_count);
    return schemas->nodes[schema].accepts;
}

struct look {
    const struct gh_schemas *schemas;
    enum gh_json_kind kind; /* ARRAY: its items; OBJECT: the member `name` */
    struct gh_str name;
    bool is_for_others; /* additionalProperties */
    unsigned left;
};

static uint32_t own_member(const struct look *look, const struct gh_schema_members *members)
{
    if (look->is_for_others)
        return members->pattern_count ? GH_SCHEMA_NONE : members->additional;
    uint32_t hash = gh_json_name_hash(look->name);
    for (uint32_t at = hash & members->slot_mask; members->slots && members->slots[at];
         at = (at + 1) & members->slot_mask) {
        const struct gh_schema_member *member = &members->members[members->slots[at] - 1];
        if (member->hash == hash && gh_str_eq(member->name, look->name))
            return member->node;
    }
    return GH_SCHEMA_NONE;
}

static uint32_t own_child(const struct look *look, const struct gh_schema_node *node)
{
    for (unsigned i = node->string_end; i < node->object_end; i++) {
        const struct gh_schema_op *op = &node->ops[i];
        if (op->code == GH_OP_ITEMS && look->kind == GH_JSON_ARRAY)
            return op->as.items->prefix_count ? GH_SCHEMA_NONE : op->as.items->rest;
        if (op->code == GH_OP_MEMBERS && look->kind == GH_JSON_OBJECT)
            return own_member(look, op->as.members);
    }
    return GH_SCHEMA_NONE;
}

/* The one alternative for values of the kind; NONE: there are none or several. */
static uint32_t only_alternative(const struct look *look, const struct gh_schema_op *op)
{
    uint32_t found = GH_SCHEMA_NONE;
    for (uint32_t i = 0; i < op->as.list.count; i++) {
        uint32_t node = op->as.list.nodes[i];
        if (!(look->schemas->nodes[node].accepts & GH_KIND_BIT(look->kind)))
            continue;
        if (found != GH_SCHEMA_NONE)
            return GH_SCHEMA_NONE;
        found = node;
    }
    return found;
}

static uint32_t find_child(struct look *look, uint32_t index, unsigned depth)
{
    if (index == GH_SCHEMA_NONE || depth == LOOK_DEPTH_MAX || look->left == 0)
        return GH_SCHEMA_NONE;
    look->left--;
    const struct gh_schema_node *node = &look->schemas->nodes[index];
    uint32_t found = own_child(look, node);
    for (unsigned i = 0; i < node->any_end && found == GH_SCHEMA_NONE; i++) {
        const struct gh_schema_op *op = &node->ops[i];
        if (op->code == GH_OP_REF)
            found = find_child(look, op->as.node, depth + 1);
        if (op->code == GH_OP_ANY_OF || op->code == GH_OP_ONE_OF)
            found = find_child(look, only_alternative(look, op), depth + 1);
        for (uint32_t k = 0;
             op->code == GH_OP_ALL_OF && k < op->as.list.count && found == GH_SCHEMA_NONE; k++)
            found = find_child(look, op->as.list.nodes[k], depth + 1);
    }
    return found;
}

static bool look_for(struct look look, uint32_t schema, uint32_t *out_schema)
{
    GH_ASSERT(schema < look.schemas->compiled_count);
    look.left = LOOKS_MAX;
    uint32_t found = find_child(&look, schema, 0);
    if (found == GH_SCHEMA_NONE)
        return false;
    *out_schema = found;
    return true;
}

bool gh_schema_property(const struct gh_schemas *schemas, uint32_t schema, struct gh_str name,
                        uint32_t *out_schema)
{
    struct look look = {.schemas = schemas, .kind = GH_JSON_OBJECT, .name = name};
    if (look_for(look, schema, out_schema))
        return true;
    look.is_for_others = true;
    return look_for(look, schema, out_schema);
}

bool gh_schema_items(const struct gh_schemas *schemas, uint32_t schema, uint32_t *out_schema)
{
    return look_for((struct look){.schemas = schemas, .kind = GH_JSON_ARRAY}, schema, out_schema);
}
