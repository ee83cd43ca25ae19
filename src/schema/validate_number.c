/* Operations on numbers. */
#include "schema/run.h"

static const char *complaint(enum gh_schema_op_code code)
{
    if (code == GH_OP_MINIMUM)
        return "must be at least";
    if (code == GH_OP_MAXIMUM)
        return "must be at most";
    if (code == GH_OP_EXCLUSIVE_MINIMUM)
        return "must be more than";
    if (code == GH_OP_EXCLUSIVE_MAXIMUM)
        return "must be less than";
    return "must be a multiple of";
}

static bool is_good(const struct gh_schema_op *op, const struct gh_decimal *number)
{
    if (op->code == GH_OP_MULTIPLE_OF)
        return gh_decimal_is_multiple(number, &op->as.number);
    int order = gh_decimal_compare(number, &op->as.number);
    if (op->code == GH_OP_MINIMUM)
        return order >= 0;
    if (op->code == GH_OP_MAXIMUM)
        return order <= 0;
    return op->code == GH_OP_EXCLUSIVE_MINIMUM ? order > 0 : order < 0;
}

bool gh_run_number(struct gh_schema_run *run, const struct gh_schema_node *node,
                   const struct gh_schema_op *op, uint32_t value, const struct gh_decimal *number)
{
    if (!gh_run_take_steps(run, 1 + number->digit_count / 8))
        return false;
    if (is_good(op, number))
        return true;
    if (!gh_run_goes_on(run))
        return false;
    const struct gh_json_doc *doc = run->schemas->documents[node->place.document].doc;
    struct gh_str bound = doc->values[op->keyword].text;
    return gh_run_report(
        run, node, op->keyword, value,
        gh_arena_format(run->arena, "%s %.*s", complaint(op->code), GH_STR_ARG(bound)));
}
