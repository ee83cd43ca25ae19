/* Operations on strings. */
#include "schema/run.h"

/* Unicode code points of valid UTF-8: all bytes but those that continue one. */
static uint64_t length_of(struct gh_str text)
{
    uint64_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((uint8_t)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

static bool report_length(struct gh_schema_run *run, const struct gh_schema_node *node,
                          const struct gh_schema_length *length, uint32_t value, uint64_t count)
{
    bool is_long = count > length->max;
    uint64_t bound = is_long ? length->max : length->min;
    if (!gh_run_goes_on(run))
        return false;
    return gh_run_report(run, node, is_long ? length->max_keyword : length->min_keyword, value,
                         gh_arena_format(run->arena,
                                         "must be at %s %llu character%s long, not %llu",
                                         is_long ? "most" : "least", (unsigned long long)bound,
                                         bound == 1 ? "" : "s", (unsigned long long)count));
}

static bool run_pattern(struct gh_schema_run *run, const struct gh_schema_node *node,
                        const struct gh_schema_op *op, uint32_t value)
{
    const struct gh_json_value *at = gh_run_value(run, value);
    enum gh_pattern_result result =
        gh_pattern_match(op->as.pattern, at->text, &run->patterns, &run->steps);
    switch (result) {
    case GH_PATTERN_MATCH:
        return true;
    case GH_PATTERN_NO_MATCH:
        return gh_run_report(run, node, op->keyword, value, GH_STR("must match the pattern"));
    case GH_PATTERN_NO_MEMORY:
        return gh_run_stop(run, GH_SCHEMA_NO_MEMORY);
    case GH_PATTERN_TOO_COMPLEX:
        break;
    }
    return gh_run_stop_at(run, node, op->keyword, value,
                          GH_STR("takes too much work to match with the pattern"));
}

bool gh_run_string(struct gh_schema_run *run, const struct gh_schema_node *node,
                   const struct gh_schema_op *op, uint32_t value)
{
    const struct gh_json_value *at = gh_run_value(run, value);
    if (!gh_run_take_steps(run, 1 + at->text.len / 32))
        return false;
    if (op->code == GH_OP_PATTERN)
        return run_pattern(run, node, op, value);
    if (op->code == GH_OP_LENGTH) {
        /* A code point has one to four bytes, which mostly says enough. */
        if (at->text.len <= op->as.length.max && at->text.len / 4 >= op->as.length.min)
            return true;
        uint64_t count = length_of(at->text);
        if (count >= op->as.length.min && count <= op->as.length.max)
            return true;
        return report_length(run, node, &op->as.length, value, count);
    }
    if (op->as.format->is_valid(at->text))
        return true;
    if (!gh_run_goes_on(run))
        return false;
    return gh_run_report(run, node, op->keyword, value,
                         gh_arena_format(run->arena, "must be %s", op->as.format->wanted));
}
