/* The inside of the validator, for validate*.c, unevaluated.c and violation.c only. */
#ifndef GH_SCHEMA_RUN_H
#define GH_SCHEMA_RUN_H

#include "schema/program.h"

/* The schema resources that were entered, innermost first ($dynamicRef; core, section 7.1). */
struct gh_schema_scope {
    const struct gh_schema_scope *outer;
    uint32_t resource;
};

/* What the last straw was; node NULL: nothing in particular. */
struct gh_schema_stop {
    const struct gh_schema_node *node;
    uint32_t keyword, value;
    struct gh_str message;
};

struct gh_schema_run {
    const struct gh_schemas *schemas;
    const struct gh_json_doc *doc;
    struct gh_arena *arena;
    const struct gh_schema_scope *scope;
    unsigned refused; /* access that is not allowed, see program.h */
    uint32_t root;    /* what is checked */
    uint64_t steps;   /* left */
    unsigned depth_left;
    unsigned quiet; /* above 0: inside of what may fail, nothing is reported */
    bool is_stopped;
    enum gh_schema_outcome stopped_by;
    struct gh_schema_stop stop;

    /* While a member's name is checked, `doc` is that name alone. */
    const struct gh_json_doc *whole_doc;
    uint32_t named_member; /* or GH_SCHEMA_NONE */

    struct gh_pattern_scratch patterns;
    uint64_t *mark_words; /* unevaluated.c */
    size_t mark_count, mark_cap;

    struct gh_schema_violation *violations;
    size_t violation_count, violation_max;
};

/* One bit for each child of a container: it was evaluated. NULL: nobody asks. */
typedef uint64_t gh_schema_marks;

static inline const struct gh_json_value *gh_run_value(const struct gh_schema_run *run,
                                                       uint32_t value)
{
    return &run->doc->values[value];
}

/* Is it of use to look for more violations? */
static inline bool gh_run_goes_on(const struct gh_schema_run *run)
{
    return !run->quiet && !run->is_stopped && run->violation_count < run->violation_max;
}

static inline void gh_mark(gh_schema_marks *marks, uint32_t ordinal)
{
    if (marks)
        marks[ordinal / 64] |= UINT64_C(1) << ordinal % 64;
}

static inline bool gh_is_marked(const gh_schema_marks *marks, uint32_t ordinal)
{
    return marks[ordinal / 64] >> ordinal % 64 & 1;
}

/* validate.c: the heart. Checks a value against a node; true: it is valid. */
bool gh_run_node(struct gh_schema_run *run, uint32_t node, uint32_t value, gh_schema_marks *marks);
bool gh_run_stop(struct gh_schema_run *run, enum gh_schema_outcome why); /* always false */
/* As too complex, since no steps are left; always false. */
bool gh_run_out_of_steps(struct gh_schema_run *run);
/* False, and the run is stopped, when there are not as many left. */
static inline bool gh_run_take_steps(struct gh_schema_run *run, uint64_t count)
{
    if (run->steps < count)
        return gh_run_out_of_steps(run);
    run->steps -= count;
    return !run->is_stopped;
}
/* As too complex, for a reason worth telling. */
bool gh_run_stop_at(struct gh_schema_run *run, const struct gh_schema_node *node, uint32_t keyword,
                    uint32_t value, struct gh_str message);

/* validate_number.c: all operations on a number. */
bool gh_run_numbers(struct gh_schema_run *run, const struct gh_schema_node *node, uint32_t value);
/* Each runs one operation. */
bool gh_run_string(struct gh_schema_run *run, const struct gh_schema_node *node,
                   const struct gh_schema_op *op, uint32_t value);
bool gh_run_array(struct gh_schema_run *run, const struct gh_schema_node *node,
                  const struct gh_schema_op *op, uint32_t value, gh_schema_marks *marks);
bool gh_run_object(struct gh_schema_run *run, const struct gh_schema_node *node,
                   const struct gh_schema_op *op, uint32_t value, gh_schema_marks *marks);
/* validate_logic.c */
bool gh_run_logic(struct gh_schema_run *run, const struct gh_schema_node *node,
                  const struct gh_schema_op *op, uint32_t value, gh_schema_marks *marks);

/* unevaluated.c: marks for the children of `value`, all unset; NULL stops the run. */
gh_schema_marks *gh_marks_push(struct gh_schema_run *run, uint32_t value);
void gh_marks_pop(struct gh_schema_run *run, uint32_t value);
void gh_marks_add(struct gh_schema_run *run, uint32_t value, gh_schema_marks *to,
                  const gh_schema_marks *from);
void gh_marks_add_all(struct gh_schema_run *run, uint32_t value, gh_schema_marks *marks);
bool gh_run_unevaluated(struct gh_schema_run *run, const struct gh_schema_op *op, uint32_t value,
                        const gh_schema_marks *marks);

/* violation.c: reports; always false. `keyword`: value of a keyword in the node's document. Only
   when gh_run_goes_on; `message` lives in the arena or for ever, ptr NULL: the arena was full. */
bool gh_run_report(struct gh_schema_run *run, const struct gh_schema_node *node, uint32_t keyword,
                   uint32_t value, struct gh_str message);
bool gh_run_report_name(struct gh_schema_run *run, const struct gh_schema_node *node,
                        uint32_t keyword, uint32_t value, struct gh_str name,
                        struct gh_str message);
/* The node is readOnly or writeOnly and the value goes the wrong way. */
bool gh_run_report_access(struct gh_schema_run *run, const struct gh_schema_node *node,
                          uint32_t value);
/* The value's kind is none of the node's, or the node allows nothing. */
bool gh_run_report_kind(struct gh_schema_run *run, const struct gh_schema_node *node,
                        uint32_t value);

#endif
