/*
 * unevaluatedItems and unevaluatedProperties (core, section 11): which children of a container were
 * evaluated by the keywords beside and below, as bits on a stack. What a branch that failed has
 * evaluated doesn't count, so each branch has bits of its own.
 */
#include "schema/run.h"

/* Words: so many containers as large as the document, one within the other, and some more. */
#define NESTED_MAX  32
#define WORDS_EXTRA 4096

static size_t word_count(const struct gh_schema_run *run, uint32_t value)
{
    return (gh_run_value(run, value)->count + 63) / 64;
}

gh_schema_marks *gh_marks_push(struct gh_schema_run *run, uint32_t value)
{
    size_t count = word_count(run, value);
    if (!run->mark_words) {
        run->mark_cap = (run->whole_doc->count / 64 + 1) * NESTED_MAX + WORDS_EXTRA;
        run->mark_words = gh_arena_alloc(run->arena, run->mark_cap * sizeof(*run->mark_words));
        if (!run->mark_words) {
            gh_run_stop(run, GH_SCHEMA_NO_MEMORY);
            return NULL;
        }
    }
    if (count > run->mark_cap - run->mark_count) {
        gh_run_stop(run, GH_SCHEMA_TOO_COMPLEX);
        return NULL;
    }
    gh_schema_marks *marks = run->mark_words + run->mark_count;
    memset(marks, 0, count * sizeof(*marks));
    run->mark_count += count;
    return gh_run_take_steps(run, 1 + count) ? marks : NULL;
}

void gh_marks_pop(struct gh_schema_run *run, uint32_t value)
{
    run->mark_count -= word_count(run, value);
}

void gh_marks_add(struct gh_schema_run *run, uint32_t value, gh_schema_marks *to,
                  const gh_schema_marks *from)
{
    for (size_t i = 0; to && i < word_count(run, value); i++)
        to[i] |= from[i];
}

void gh_marks_add_all(struct gh_schema_run *run, uint32_t value, gh_schema_marks *marks)
{
    if (marks)
        memset(marks, 0xff, word_count(run, value) * sizeof(*marks));
}

bool gh_run_unevaluated(struct gh_schema_run *run, const struct gh_schema_op *op, uint32_t value,
                        const gh_schema_marks *marks)
{
    const struct gh_json_value *values = run->doc->values;
    uint32_t ordinal = 0;
    bool good = true;
    if (!gh_run_take_steps(run, values[value].count))
        return false;
    for (uint32_t at = value + 1; at < values[value].next; at = values[at].next, ordinal++) {
        if (gh_is_marked(marks, ordinal) || gh_run_node(run, op->as.node, at, NULL))
            continue;
        good = false;
        if (!gh_run_goes_on(run))
            return false;
    }
    return good;
}
