/* Is it a file, and how long may it be? Through $ref, allOf, and anyOf and oneOf where only one
   alternative is for strings. */
#include "schema/parameter.h"
#include "schema/program.h"

#define LOOK_DEPTH_MAX 16
#define LOOKS_MAX      256

struct look {
    const struct gh_schemas *schemas;
    struct gh_parameter_file found;
    unsigned left;
};

static void look_at_keywords(struct look *look, const struct gh_schema_node *node)
{
    const struct gh_json_doc *doc = look->schemas->documents[node->place.document].doc;
    const struct gh_json_value *schema = gh_place_value(look->schemas, node->place);
    struct gh_str format = gh_json_string(gh_json_get(doc, schema, GH_STR("format")));
    bool has_media_type = gh_json_get(doc, schema, GH_STR("contentMediaType")) != NULL;
    bool is_text = gh_json_get(doc, schema, GH_STR("contentEncoding")) != NULL;
    if ((format.ptr && gh_str_eq(format, GH_STR("binary"))) || (has_media_type && !is_text))
        look->found.is_binary = true;
}

static void look_at_lengths(struct look *look, const struct gh_schema_node *node)
{
    for (unsigned i = node->number_end; i < node->string_end; i++) {
        const struct gh_schema_length *length = &node->ops[i].as.length;
        if (node->ops[i].code != GH_OP_LENGTH)
            continue;
        if (length->min > look->found.bytes_min)
            look->found.bytes_min = length->min;
        if (length->max < look->found.bytes_max)
            look->found.bytes_max = length->max;
    }
}

static uint32_t only_string(const struct look *look, const struct gh_schema_op *op)
{
    uint32_t found = GH_SCHEMA_NONE;
    for (uint32_t i = 0; i < op->as.list.count; i++) {
        uint32_t node = op->as.list.nodes[i];
        if (!(gh_schema_kinds(look->schemas, node) & 1u << GH_JSON_STRING))
            continue;
        if (found != GH_SCHEMA_NONE)
            return GH_SCHEMA_NONE;
        found = node;
    }
    return found;
}

/* As deep as LOOK_DEPTH_MAX. */
static void look_at_node(struct look *look, uint32_t index, unsigned depth)
{
    if (index == GH_SCHEMA_NONE || depth == LOOK_DEPTH_MAX || look->left == 0)
        return;
    look->left--;
    const struct gh_schema_node *node = &look->schemas->nodes[index];
    look_at_keywords(look, node);
    look_at_lengths(look, node);
    for (unsigned i = 0; i < node->any_end; i++) {
        const struct gh_schema_op *op = &node->ops[i];
        if (op->code == GH_OP_REF)
            look_at_node(look, op->as.node, depth + 1);
        if (op->code == GH_OP_ANY_OF || op->code == GH_OP_ONE_OF)
            look_at_node(look, only_string(look, op), depth + 1);
        for (uint32_t k = 0; op->code == GH_OP_ALL_OF && k < op->as.list.count; k++)
            look_at_node(look, op->as.list.nodes[k], depth + 1);
    }
}

struct gh_parameter_file gh_parameter_file_of(const struct gh_schemas *schemas, uint32_t schema)
{
    struct look look = {.schemas = schemas, .found = {.bytes_max = UINT64_MAX}, .left = LOOKS_MAX};
    look_at_node(&look, schema, 0);
    return look.found;
}
