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

/* A number of few digits: its whole part and what a fraction adds to that, as a sign. */
struct quick {
    int64_t whole;
    int more;
};

#define QUICK_BYTES 18

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* False: too long, or with an exponent. */
static inline bool read_quick(struct gh_str text, struct quick *out)
{
    const char *at = text.ptr, *end = at + text.len;
    int sign = *at == '-' ? -1 : 1;
    int64_t whole = 0;
    bool has_more = false;
    if (text.len > QUICK_BYTES)
        return false;
    for (at += *at == '-'; at < end && is_digit(*at); at++)
        whole = whole * 10 + (*at - '0');
    if (at < end && *at == '.') {
        for (at++; at < end && is_digit(*at); at++)
            has_more |= *at != '0';
    }
    *out = (struct quick){.whole = sign * whole, .more = has_more ? sign : 0};
    return at == end;
}

static inline int compare_quick(const struct quick *number, int64_t bound)
{
    int order = (number->whole > bound) - (number->whole < bound);
    return order ? order : number->more;
}

static inline bool is_in_order(enum gh_schema_op_code code, int order)
{
    if (code == GH_OP_MINIMUM)
        return order >= 0;
    if (code == GH_OP_MAXIMUM)
        return order <= 0;
    return code == GH_OP_EXCLUSIVE_MINIMUM ? order > 0 : order < 0;
}

static bool is_good(struct gh_schema_run *run, const struct gh_schema_op *op, struct gh_str text)
{
    if (!gh_run_take_steps(run, text.len / 4))
        return false;
    struct gh_decimal number = gh_decimal_read(text);
    if (op->code == GH_OP_MULTIPLE_OF)
        return gh_decimal_is_multiple(&number, &op->as.number);
    return is_in_order(op->code, gh_decimal_compare(&number, &op->as.number));
}

static bool report(struct gh_schema_run *run, const struct gh_schema_node *node,
                   const struct gh_schema_op *op, uint32_t value)
{
    const struct gh_json_doc *doc = run->schemas->documents[node->place.document].doc;
    struct gh_str bound = doc->values[op->keyword].text;
    return gh_run_report(
        run, node, op->keyword, value,
        gh_arena_format(run->arena, "%s %.*s", complaint(op->code), GH_STR_ARG(bound)));
}

bool gh_run_numbers(struct gh_schema_run *run, const struct gh_schema_node *node, uint32_t value)
{
    struct gh_str text = gh_run_value(run, value)->text;
    struct quick quick;
    bool good = true;
    if (node->any_end == node->number_end)
        return true;
    if (!gh_run_take_steps(run, 1u + node->number_end - node->any_end))
        return false;
    bool is_quick = read_quick(text, &quick);
    for (unsigned i = node->any_end; i < node->number_end; i++) {
        const struct gh_schema_op *op = &node->ops[i];
        bool has_order = is_quick && op->code != GH_OP_MULTIPLE_OF && op->as.number.is_small;
        if (has_order ? is_in_order(op->code, compare_quick(&quick, op->as.number.small))
                      : is_good(run, op, text))
            continue;
        good = false;
        if (!gh_run_goes_on(run))
            return false;
        report(run, node, op, value);
    }
    return good;
}
