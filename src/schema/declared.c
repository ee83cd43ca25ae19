/* Sets of schemas, and those of their members and items. See declared.h. */
#include "schema/declared.h"

#include "base/assert.h"
#include "schema/program.h"

static void put(struct gh_schema_set *set, uint32_t schema)
{
    if (schema == GH_SCHEMA_NONE || set->count == GH_SCHEMA_SET_MAX)
        return;
    for (uint32_t i = 0; i < set->count; i++)
        if (set->items[i] == schema)
            return;
    set->items[set->count++] = schema;
}

static void put_discriminated(struct gh_schema_set *set,
                              const struct gh_schema_discriminator *discriminator)
{
    for (uint32_t i = 0; discriminator && i < discriminator->mapping_count; i++)
        put(set, discriminator->mappings[i].node);
}

static void put_led_to(struct gh_schema_set *set, const struct gh_schema_op *op)
{
    if (op->code == GH_OP_REF)
        put(set, op->as.node);
    if (op->code != GH_OP_ALL_OF && op->code != GH_OP_ANY_OF && op->code != GH_OP_ONE_OF)
        return;
    for (uint32_t i = 0; i < op->as.list.count; i++)
        put(set, op->as.list.nodes[i]);
    if (op->code != GH_OP_ALL_OF)
        put_discriminated(set, op->as.list.discriminator);
}

/* The set is its own list of what is still to be looked at. */
void gh_schema_set_add(const struct gh_schemas *schemas, struct gh_schema_set *set, uint32_t schema)
{
    GH_ASSERT(schema < schemas->compiled_count);
    uint32_t next = set->count;
    put(set, schema);
    for (; next < set->count; next++) {
        const struct gh_schema_node *node = &schemas->nodes[set->items[next]];
        for (unsigned i = 0; i < node->any_end; i++)
            put_led_to(set, &node->ops[i]);
    }
}

static const struct gh_schema_op *find_op(const struct gh_schemas *schemas, uint32_t schema,
                                          enum gh_schema_op_code code)
{
    const struct gh_schema_node *node = &schemas->nodes[schema];
    for (unsigned i = node->string_end; i < node->object_end; i++)
        if (node->ops[i].code == code)
            return &node->ops[i];
    return NULL;
}

static const struct gh_schema_member *find_member(const struct gh_schema_members *members,
                                                  struct gh_str name, uint32_t hash)
{
    for (uint32_t at = hash & members->slot_mask; members->slots && members->slots[at];
         at = (at + 1) & members->slot_mask) {
        const struct gh_schema_member *member = &members->members[members->slots[at] - 1];
        if (member->hash == hash && gh_str_eq(member->name, name))
            return member->node == GH_SCHEMA_NONE ? NULL : member;
    }
    return NULL;
}

/* `true` and {} declare nothing. */
static bool says_something(const struct gh_schemas *schemas, uint32_t schema)
{
    if (schema == GH_SCHEMA_NONE)
        return false;
    const struct gh_json_value *value = gh_place_value(schemas, schemas->nodes[schema].place);
    return value->kind == GH_JSON_OBJECT && value->count > 0;
}

static void add_others(const struct gh_schemas *schemas, const struct gh_schema_members *members,
                       struct gh_schema_set *out_set)
{
    if (says_something(schemas, members->additional))
        gh_schema_set_add(schemas, out_set, members->additional);
    for (uint32_t i = 0; i < members->pattern_count; i++)
        gh_schema_set_add(schemas, out_set, members->patterns[i].node);
}

enum gh_schema_declared gh_schema_set_member(const struct gh_schemas *schemas,
                                             const struct gh_schema_set *set, struct gh_str name,
                                             uint32_t name_hash, struct gh_str *out_name,
                                             struct gh_schema_set *out_set)
{
    enum gh_schema_declared declared = GH_SCHEMA_NOT_DECLARED;
    out_set->count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct gh_schema_op *op = find_op(schemas, set->items[i], GH_OP_MEMBERS);
        const struct gh_schema_member *member =
            op ? find_member(op->as.members, name, name_hash) : NULL;
        if (!member)
            continue;
        declared = GH_SCHEMA_DECLARED_BY_NAME;
        *out_name = member->name;
        gh_schema_set_add(schemas, out_set, member->node);
    }
    for (uint32_t i = 0; declared != GH_SCHEMA_DECLARED_BY_NAME && i < set->count; i++) {
        const struct gh_schema_op *op = find_op(schemas, set->items[i], GH_OP_MEMBERS);
        if (op)
            add_others(schemas, op->as.members, out_set);
        if (out_set->count)
            declared = GH_SCHEMA_DECLARED_AS_OTHER;
    }
    return declared;
}

void gh_schema_set_items(const struct gh_schemas *schemas, const struct gh_schema_set *set,
                         struct gh_schema_set *out_set)
{
    out_set->count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct gh_schema_op *op = find_op(schemas, set->items[i], GH_OP_ITEMS);
        if (!op)
            continue;
        for (uint32_t k = 0; k < op->as.items->prefix_count; k++)
            gh_schema_set_add(schemas, out_set, op->as.items->prefix[k]);
        if (op->as.items->rest != GH_SCHEMA_NONE)
            gh_schema_set_add(schemas, out_set, op->as.items->rest);
    }
}
