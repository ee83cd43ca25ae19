/* Operations on arrays. */
#include "schema/equal.h"
#include "schema/run.h"

/* So few scalars are compared pair by pair. */
#define FEW_ITEMS 8

static bool run_size(struct gh_schema_run *run, const struct gh_schema_node *node,
                     const struct gh_schema_op *op, uint32_t value)
{
    uint64_t count = gh_run_value(run, value)->count, bound = op->as.count;
    bool is_min = op->code == GH_OP_MIN_ITEMS;
    if (is_min ? count >= bound : count <= bound)
        return true;
    if (!gh_run_goes_on(run))
        return false;
    return gh_run_report(run, node, op->keyword, value,
                         gh_arena_format(run->arena, "must have at %s %llu item%s, not %llu",
                                         is_min ? "least" : "most", (unsigned long long)bound,
                                         bound == 1 ? "" : "s", (unsigned long long)count));
}

static bool run_items(struct gh_schema_run *run, const struct gh_schema_items *items,
                      uint32_t value, gh_schema_marks *marks)
{
    const struct gh_json_value *values = run->doc->values;
    uint32_t ordinal = 0;
    bool good = true;
    for (uint32_t at = value + 1; at < values[value].next; at = values[at].next, ordinal++) {
        uint32_t node = ordinal < items->prefix_count ? items->prefix[ordinal] : items->rest;
        if (node == GH_SCHEMA_NONE)
            break;
        gh_mark(marks, ordinal);
        if (gh_run_node(run, node, at, NULL))
            continue;
        good = false;
        if (!gh_run_goes_on(run))
            return false;
    }
    return good;
}

static bool run_contains(struct gh_schema_run *run, const struct gh_schema_node *node,
                         const struct gh_schema_op *op, uint32_t value, gh_schema_marks *marks)
{
    const struct gh_schema_contains *contains = op->as.contains;
    const struct gh_json_value *values = run->doc->values;
    uint64_t count = 0;
    uint32_t ordinal = 0;
    run->quiet++;
    for (uint32_t at = value + 1; at < values[value].next; at = values[at].next, ordinal++) {
        if (gh_run_node(run, contains->node, at, NULL)) {
            gh_mark(marks, ordinal);
            count++;
        }
        bool is_decided = count > contains->max ||
                          (!marks && count >= contains->min && contains->max == UINT64_MAX);
        if (run->is_stopped || is_decided)
            break;
    }
    run->quiet--;
    if (run->is_stopped)
        return false;
    if (count < contains->min) {
        if (!gh_run_goes_on(run))
            return false;
        return gh_run_report(
            run, node, contains->min_keyword, value,
            gh_arena_format(run->arena, "must have at least %llu item%s of the form wanted",
                            (unsigned long long)contains->min, contains->min == 1 ? "" : "s"));
    }
    if (count > contains->max)
        return gh_run_report(run, node, contains->max_keyword, value,
                             GH_STR("has too many items of the form that is limited"));
    return true;
}

/* The second of two equal items, or NONE. */
static uint32_t find_equal_pairwise(struct gh_schema_run *run, uint32_t value)
{
    const struct gh_json_value *values = run->doc->values;
    for (uint32_t at = value + 1; at < values[value].next; at = values[at].next) {
        for (uint32_t other = value + 1; other < at; other = values[other].next) {
            if (gh_json_equal(run->doc, at, run->doc, other, &run->steps))
                return at;
        }
    }
    return GH_SCHEMA_NONE;
}

static uint32_t find_equal_by_hash(struct gh_schema_run *run, uint32_t value)
{
    const struct gh_json_value *values = run->doc->values;
    uint32_t slot_count = 16;
    while (slot_count / 2 < values[value].count)
        slot_count *= 2;
    uint32_t *slots = gh_arena_zalloc(run->arena, slot_count, sizeof(*slots));
    if (!slots) {
        gh_run_stop(run, GH_SCHEMA_NO_MEMORY);
        return GH_SCHEMA_NONE;
    }
    const uint64_t *hashes = gh_json_child_hashes(run->doc, value, run->arena, &run->steps);
    if (!hashes) {
        gh_run_stop(run, run->steps ? GH_SCHEMA_NO_MEMORY : GH_SCHEMA_TOO_COMPLEX);
        return GH_SCHEMA_NONE;
    }
    for (uint32_t at = value + 1; at < values[value].next; at = values[at].next) {
        uint64_t hash = hashes[at - value - 1];
        uint32_t slot = (uint32_t)hash & (slot_count - 1);
        for (; slots[slot]; slot = (slot + 1) & (slot_count - 1)) {
            uint32_t other = slots[slot];
            if (!gh_run_take_steps(run, 1))
                return GH_SCHEMA_NONE;
            if (hashes[other - value - 1] == hash &&
                gh_json_equal(run->doc, at, run->doc, other, &run->steps))
                return at;
        }
        slots[slot] = at; /* never 0: that is the root */
    }
    return GH_SCHEMA_NONE;
}

static bool run_unique(struct gh_schema_run *run, const struct gh_schema_node *node,
                       const struct gh_schema_op *op, uint32_t value)
{
    const struct gh_json_value *at = gh_run_value(run, value);
    if (at->count < 2)
        return true;
    bool only_scalars = at->next - value - 1 == at->count;
    uint32_t twin = only_scalars && at->count <= FEW_ITEMS ? find_equal_pairwise(run, value)
                                                           : find_equal_by_hash(run, value);
    if (run->is_stopped || run->steps == 0)
        return gh_run_stop(run, GH_SCHEMA_TOO_COMPLEX);
    return twin == GH_SCHEMA_NONE ||
           gh_run_report(run, node, op->keyword, value, GH_STR("must not have equal items"));
}

bool gh_run_array(struct gh_schema_run *run, const struct gh_schema_node *node,
                  const struct gh_schema_op *op, uint32_t value, gh_schema_marks *marks)
{
    if (op->code == GH_OP_ITEMS)
        return run_items(run, op->as.items, value, marks);
    if (op->code == GH_OP_CONTAINS)
        return run_contains(run, node, op, value, marks);
    if (op->code == GH_OP_UNIQUE_ITEMS)
        return run_unique(run, node, op, value);
    return run_size(run, node, op, value);
}
