/*
 * Schemas that apply themselves to the same value ({"$ref": "#"}) would never end. Those that can
 * be seen are refused here; through a $dynamicRef the validator's depth ends them.
 */
#include "schema/compile.h"

enum colour { UNSEEN, OPEN, DONE };

struct visit {
    uint32_t node, op, part;
};

/* The next node that `op` applies to the same value, from *part on; NONE: no more. */
static uint32_t next_applied(const struct gh_schema_op *op, uint32_t *part)
{
    uint32_t at = (*part)++;
    if (op->code == GH_OP_REF || op->code == GH_OP_NOT)
        return at == 0 ? op->as.node : GH_SCHEMA_NONE;
    if (op->code == GH_OP_ALL_OF || op->code == GH_OP_ANY_OF || op->code == GH_OP_ONE_OF)
        return at < op->as.list.count ? op->as.list.nodes[at] : GH_SCHEMA_NONE;
    if (op->code == GH_OP_DEPENDENT_SCHEMAS)
        return at < op->as.dependencies.count ? op->as.dependencies.entries[at].node
                                              : GH_SCHEMA_NONE;
    if (op->code == GH_OP_IF) {
        const uint32_t parts[] = {op->as.branch.condition, op->as.branch.yes, op->as.branch.no};
        while (at < 3 && parts[at] == GH_SCHEMA_NONE)
            at = (*part)++;
        return at < 3 ? parts[at] : GH_SCHEMA_NONE;
    }
    return GH_SCHEMA_NONE;
}

/* Walks from `start`; the node that leads back, or NONE. */
static uint32_t find_loop(const struct gh_schemas *schemas, uint32_t start, uint8_t *colours,
                          struct visit *stack)
{
    uint32_t depth = 0;
    stack[depth++] = (struct visit){.node = start};
    colours[start] = OPEN;
    while (depth) {
        struct visit *top = &stack[depth - 1];
        const struct gh_schema_node *node = &schemas->nodes[top->node];
        if (top->op == node->all_end) {
            colours[top->node] = DONE;
            depth--;
            continue;
        }
        uint32_t next = next_applied(&node->ops[top->op], &top->part);
        if (next == GH_SCHEMA_NONE) {
            top->op++;
            top->part = 0;
        } else if (colours[next] == OPEN) {
            return top->node;
        } else if (colours[next] == UNSEEN) {
            colours[next] = OPEN;
            stack[depth++] = (struct visit){.node = next};
        }
    }
    return GH_SCHEMA_NONE;
}

bool gh_compile_check_loops(struct gh_schemas *schemas, struct gh_schema_error *error,
                            enum gh_err *out_err)
{
    struct gh_arena scratch;
    bool good = false;
    gh_arena_init(&scratch, 64 * 1024, SIZE_MAX);
    uint8_t *colours = gh_arena_zalloc(&scratch, schemas->node_count, 1);
    struct visit *stack = gh_arena_zalloc(&scratch, schemas->node_count, sizeof(*stack));
    if (!colours || !stack) {
        *out_err = gh_schema_no_memory(error);
        goto end;
    }
    for (uint32_t i = schemas->checked_count; i < schemas->node_count; i++) {
        uint32_t loop =
            colours[i] == UNSEEN ? find_loop(schemas, i, colours, stack) : GH_SCHEMA_NONE;
        if (loop == GH_SCHEMA_NONE)
            continue;
        *out_err = gh_schema_fail(schemas, schemas->nodes[loop].place,
                                  GH_STR("The schema leads back to itself without a step into the "
                                         "value; checking would never end."),
                                  error);
        goto end;
    }
    schemas->checked_count = schemas->node_count;
    good = true;
end:
    gh_arena_done(&scratch);
    return good;
}
