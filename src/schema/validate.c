/*
 * The validator: runs nodes of the program on values of the tape. It recurses as deep as schemas
 * and values are nested, under a limit; it takes a step for everything that costs time, and stops
 * for good when none are left.
 */
#include "schema/run.h"

#include "base/assert.h"

const struct gh_schema_limits gh_schema_limits_usual = {
    .steps_max = 2000000, .depth_max = GH_SCHEMA_DEPTH_MAX, .violations_max = 20};
const struct gh_schema_check_options gh_schema_check_usual = {
    .limits = {.steps_max = 2000000, .depth_max = GH_SCHEMA_DEPTH_MAX, .violations_max = 20}};

bool gh_run_stop(struct gh_schema_run *run, enum gh_schema_outcome why)
{
    if (!run->is_stopped) {
        run->is_stopped = true;
        run->stopped_by = why;
    }
    return false;
}

bool gh_run_stop_at(struct gh_schema_run *run, const struct gh_schema_node *node, uint32_t keyword,
                    uint32_t value, struct gh_str message)
{
    if (run->named_member != GH_SCHEMA_NONE)
        value = run->named_member;
    if (!run->is_stopped)
        run->stop = (struct gh_schema_stop){node, keyword, value, message};
    return gh_run_stop(run, GH_SCHEMA_TOO_COMPLEX);
}

bool gh_run_out_of_steps(struct gh_schema_run *run)
{
    run->steps = 0;
    return gh_run_stop(run, GH_SCHEMA_TOO_COMPLEX);
}

/* A number, where only whole ones are allowed. */
__attribute__((noinline)) static bool is_whole(const struct gh_schema_node *node,
                                               const struct gh_json_value *value)
{
    if (value->kind != GH_JSON_NUMBER || !(node->kinds & GH_KIND_WHOLE))
        return false;
    if (value->is_integer)
        return true;
    struct gh_decimal number = gh_decimal_read(value->text);
    return gh_decimal_is_integer(&number);
}

/* A string of the wrong length isn't looked at any further: patterns cost by its length. */
static bool run_strings(struct gh_schema_run *run, const struct gh_schema_node *node,
                        uint32_t value)
{
    for (unsigned i = node->number_end; i < node->string_end; i++) {
        if (!gh_run_string(run, node, &node->ops[i], value))
            return false;
    }
    return true;
}

static bool run_arrays(struct gh_schema_run *run, const struct gh_schema_node *node, uint32_t value,
                       gh_schema_marks *marks)
{
    bool good = true;
    for (unsigned i = node->string_end; i < node->array_end; i++) {
        good &= gh_run_array(run, node, &node->ops[i], value, marks);
        if (!good && !gh_run_goes_on(run))
            return false;
    }
    return good;
}

static bool run_objects(struct gh_schema_run *run, const struct gh_schema_node *node,
                        uint32_t value, gh_schema_marks *marks)
{
    bool good = true;
    for (unsigned i = node->array_end; i < node->object_end; i++) {
        good &= gh_run_object(run, node, &node->ops[i], value, marks);
        if (!good && !gh_run_goes_on(run))
            return false;
    }
    return good;
}

/* Of a value that contains no others. */
static inline bool run_plain(struct gh_schema_run *run, const struct gh_schema_node *node,
                             uint32_t value, enum gh_json_kind kind)
{
    if (kind == GH_JSON_STRING)
        return run_strings(run, node, value);
    return kind != GH_JSON_NUMBER || gh_run_numbers(run, node, value);
}

static bool run_kind(struct gh_schema_run *run, const struct gh_schema_node *node, uint32_t value,
                     gh_schema_marks *marks)
{
    enum gh_json_kind kind = gh_run_value(run, value)->kind;
    if (kind == GH_JSON_ARRAY)
        return run_arrays(run, node, value, marks);
    if (kind == GH_JSON_OBJECT)
        return run_objects(run, node, value, marks);
    return run_plain(run, node, value, kind);
}

/* All but unevaluated*. */
static bool run_ops(struct gh_schema_run *run, const struct gh_schema_node *node, uint32_t value,
                    gh_schema_marks *marks)
{
    bool good = run_kind(run, node, value, marks);
    for (unsigned i = 0; i < node->any_end; i++) {
        if (!good && !gh_run_goes_on(run))
            return false;
        good &= gh_run_logic(run, node, &node->ops[i], value, marks);
    }
    return good;
}

/* The operation for what nothing else evaluated in a value of this kind, or NULL. */
static const struct gh_schema_op *unevaluated_op(const struct gh_schema_node *node,
                                                 enum gh_json_kind kind)
{
    for (unsigned i = node->object_end; i < node->all_end; i++) {
        bool is_for_items = node->ops[i].code == GH_OP_UNEVALUATED_ITEMS;
        if (kind == (is_for_items ? GH_JSON_ARRAY : GH_JSON_OBJECT))
            return &node->ops[i];
    }
    return NULL;
}

static bool run_with_unevaluated(struct gh_schema_run *run, const struct gh_schema_node *node,
                                 const struct gh_schema_op *op, uint32_t value,
                                 gh_schema_marks *marks)
{
    gh_schema_marks *own = gh_marks_push(run, value);
    if (!own)
        return false;
    bool good = run_ops(run, node, value, own);
    /* What failed has marked too little: the rest would only be noise. */
    if (good)
        good = gh_run_unevaluated(run, op, value, own);
    if (good)
        gh_marks_add_all(run, value, marks);
    gh_marks_pop(run, value);
    return good;
}

static bool run_in_scope(struct gh_schema_run *run, const struct gh_schema_node *node,
                         uint32_t value, gh_schema_marks *marks)
{
    const struct gh_schema_op *op = NULL;
    if (node->object_end < node->all_end)
        op = unevaluated_op(node, gh_run_value(run, value)->kind);
    return op ? run_with_unevaluated(run, node, op, value, marks)
              : run_ops(run, node, value, marks);
}

/* Kept apart from gh_run_node, as is_whole is: most often that needs the frame of neither. */
__attribute__((noinline)) static bool run_nested(struct gh_schema_run *run,
                                                 const struct gh_schema_node *node, uint32_t value,
                                                 gh_schema_marks *marks)
{
    const struct gh_schema_scope *outer = run->scope, inner = {outer, node->resource};
    if (run->depth_left == 0)
        return gh_run_stop(run, GH_SCHEMA_TOO_COMPLEX);
    run->depth_left--;
    if (!outer || outer->resource != node->resource)
        run->scope = &inner;
    bool good = run_in_scope(run, node, value, marks);
    run->scope = outer;
    run->depth_left++;
    return good && !run->is_stopped;
}

bool gh_run_node(struct gh_schema_run *run, uint32_t index, uint32_t value, gh_schema_marks *marks)
{
    const struct gh_schema_node *node = &run->schemas->nodes[index];
    enum gh_json_kind kind = gh_run_value(run, value)->kind;
    if (!gh_run_take_steps(run, 1))
        return false;
    /* What is checked as a whole is no member of anything. */
    if ((node->access & run->refused) && value != run->root)
        return gh_run_report_access(run, node, value);
    if (!(node->kinds & GH_KIND_BIT(kind)) && !is_whole(node, gh_run_value(run, value)))
        return gh_run_report_kind(run, node, value);
    /* Nothing applies another schema to it, so depth and scope are of no concern. */
    if (node->any_end == 0 && kind != GH_JSON_ARRAY && kind != GH_JSON_OBJECT)
        return run_plain(run, node, value, kind);
    return node->all_end == 0 || run_nested(run, node, value, marks);
}

/* A limit ended the run before anything was found wrong. */
static void report_stop(struct gh_schema_run *run, uint32_t schema, uint32_t value)
{
    const struct gh_schema_node *node = &run->schemas->nodes[schema];
    struct gh_schema_stop stop = run->stop;
    run->quiet = 0;
    run->doc = run->whole_doc;
    run->named_member = GH_SCHEMA_NONE;
    if (!stop.node)
        stop = (struct gh_schema_stop){node, node->place.value, value,
                                       GH_STR("takes too much work to check")};
    gh_run_report(run, stop.node, stop.keyword, stop.value, stop.message);
}

/* The second look, that says what is wrong. */
static void explain(struct gh_schema_run *run, uint32_t schema, uint32_t value,
                    const struct gh_schema_limits *limits)
{
    run->violations = gh_arena_zalloc(run->arena, limits->violations_max, sizeof(*run->violations));
    if (!run->violations) {
        run->is_stopped = false;
        gh_run_stop(run, GH_SCHEMA_NO_MEMORY);
        return;
    }
    run->violation_max = limits->violations_max;
    if (!run->is_stopped) {
        run->steps = limits->steps_max;
        gh_run_node(run, schema, value, NULL);
        /* It is known to be invalid, so too little for the whole list changes nothing. */
        run->is_stopped = run->is_stopped && run->stopped_by == GH_SCHEMA_NO_MEMORY;
    }
    if (run->violation_count == 0 && run->stopped_by != GH_SCHEMA_NO_MEMORY)
        report_stop(run, schema, value);
}

static unsigned refused_access(enum gh_schema_direction direction)
{
    switch (direction) {
    case GH_SCHEMA_ANY_WAY:
        return 0;
    case GH_SCHEMA_REQUEST:
        return GH_ACCESS_READ_ONLY;
    case GH_SCHEMA_RESPONSE:
        return GH_ACCESS_WRITE_ONLY;
    }
    return 0;
}

enum gh_schema_outcome gh_schema_check(const struct gh_schemas *schemas, uint32_t schema,
                                       const struct gh_json_doc *doc,
                                       const struct gh_json_value *value,
                                       const struct gh_schema_check_options *options,
                                       struct gh_arena *arena, struct gh_schema_report *out_report)
{
    const struct gh_schema_limits *limits = &options->limits;
    GH_ASSERT(schema < schemas->compiled_count && limits->depth_max <= GH_SCHEMA_DEPTH_MAX);
    uint32_t index = (uint32_t)(value - doc->values);
    struct gh_schema_run run = {
        .schemas = schemas,
        .doc = doc,
        .whole_doc = doc,
        .named_member = GH_SCHEMA_NONE,
        .arena = arena,
        .refused = refused_access(options->direction),
        .root = index,
        .steps = limits->steps_max,
        .depth_left = limits->depth_max,
        .patterns.arena = arena,
    };
    *out_report = (struct gh_schema_report){0};
    /* Most values are valid: the first look is quick and quiet. */
    bool good = gh_run_node(&run, schema, index, NULL);
    out_report->steps = limits->steps_max - run.steps;
    if (!good && limits->violations_max && run.stopped_by != GH_SCHEMA_NO_MEMORY)
        explain(&run, schema, index, limits);
    out_report->violations = run.violations;
    out_report->count = run.violation_count;
    if (run.is_stopped)
        return run.stopped_by;
    return good ? GH_SCHEMA_VALID : GH_SCHEMA_INVALID;
}
