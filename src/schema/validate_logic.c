/* const and enum, references, allOf, anyOf, oneOf, not, if. */
#include "schema/equal.h"
#include "schema/run.h"

/* References to look through when the kinds of an alternative are asked for. */
#define LOOK_THROUGH_MAX 8

static bool is_one_of(struct gh_schema_run *run, const struct gh_schema_node *node,
                      const struct gh_schema_op *op, uint32_t value)
{
    const struct gh_json_doc *doc = run->schemas->documents[node->place.document].doc;
    const struct gh_json_value *at = gh_run_value(run, value);
    uint64_t hash;
    if (!gh_run_take_steps(run, 1 + op->as.choices.count / 4))
        return false;
    if (!gh_json_hash(run->doc, value, run->arena, &run->steps, &hash))
        return gh_run_stop(run, run->steps ? GH_SCHEMA_NO_MEMORY : GH_SCHEMA_TOO_COMPLEX);
    for (uint32_t i = 0; i < op->as.choices.count; i++) {
        const struct gh_schema_choice *choice = &op->as.choices.choices[i];
        if (choice->hash != hash || choice->kind != at->kind)
            continue;
        if (gh_json_equal(run->doc, value, doc, choice->value, &run->steps))
            return true;
        if (run->steps == 0)
            return gh_run_stop(run, GH_SCHEMA_TOO_COMPLEX);
    }
    return false;
}

static bool run_choices(struct gh_schema_run *run, const struct gh_schema_node *node,
                        const struct gh_schema_op *op, uint32_t value)
{
    if (is_one_of(run, node, op, value))
        return true;
    if (!gh_run_goes_on(run))
        return false;
    return gh_run_report(run, node, op->keyword, value,
                         op->code == GH_OP_CONST
                             ? GH_STR("must be the one value allowed here")
                             : gh_arena_format(run->arena, "must be one of the %u values allowed",
                                               op->as.choices.count));
}

/* The outermost schema resource that has the anchor decides. */
static uint32_t find_dynamic(const struct gh_schema_run *run, const struct gh_schema_op *op)
{
    const struct gh_schemas *schemas = run->schemas;
    uint32_t found = op->as.dynamic.fallback;
    for (const struct gh_schema_scope *scope = run->scope; scope; scope = scope->outer) {
        for (uint32_t i = 0; i < schemas->dynamic_count; i++) {
            const struct gh_dynamic_target *target = &schemas->dynamic[i];
            if (target->resource == scope->resource &&
                gh_str_eq(target->name, op->as.dynamic.anchor))
                found = target->node;
        }
    }
    return found;
}

static uint32_t scope_depth(const struct gh_schema_run *run)
{
    uint32_t depth = 0;
    for (const struct gh_schema_scope *scope = run->scope; scope; scope = scope->outer)
        depth++;
    return depth;
}

static bool run_all_of(struct gh_schema_run *run, const struct gh_schema_op *op, uint32_t value,
                       gh_schema_marks *marks)
{
    bool good = true;
    for (uint32_t i = 0; i < op->as.list.count; i++) {
        good &= gh_run_node(run, op->as.list.nodes[i], value, marks);
        if (!good && !gh_run_goes_on(run))
            return false;
    }
    return good;
}

/* Quietly, with marks that count only if it is valid. */
static bool run_branch(struct gh_schema_run *run, uint32_t node, uint32_t value,
                       gh_schema_marks *marks)
{
    gh_schema_marks *own = NULL;
    if (marks) {
        own = gh_marks_push(run, value);
        if (!own)
            return false;
    }
    run->quiet++;
    bool good = gh_run_node(run, node, value, own);
    run->quiet--;
    if (own) {
        if (good)
            gh_marks_add(run, value, marks, own);
        gh_marks_pop(run, value);
    }
    return good;
}

static bool takes_kind(const struct gh_schema_run *run, uint32_t index, uint32_t value)
{
    unsigned kind = gh_run_value(run, value)->kind;
    for (unsigned i = 0; i < LOOK_THROUGH_MAX; i++) {
        const struct gh_schema_node *node = &run->schemas->nodes[index];
        bool takes_whole = kind == GH_JSON_NUMBER && (node->kinds & GH_KIND_WHOLE);
        if (!(node->kinds & GH_KIND_BIT(kind)) && !takes_whole)
            return false;
        if (node->any_end == 0 || node->ops[0].code != GH_OP_REF)
            return true;
        index = node->ops[0].as.node;
    }
    return true;
}

/* No alternative fits. If only one is for values of this kind, it says what is wrong. */
static bool explain_none(struct gh_schema_run *run, const struct gh_schema_node *node,
                         const struct gh_schema_op *op, uint32_t value)
{
    uint32_t candidates = 0, candidate = 0;
    size_t before = run->violation_count;
    if (!gh_run_goes_on(run))
        return false;
    for (uint32_t i = 0; i < op->as.list.count; i++) {
        if (takes_kind(run, op->as.list.nodes[i], value)) {
            candidates++;
            candidate = op->as.list.nodes[i];
        }
    }
    if (candidates == 1)
        gh_run_node(run, candidate, value, NULL);
    if (run->violation_count > before || run->is_stopped)
        return false;
    return gh_run_report(
        run, node, op->keyword, value,
        gh_arena_format(run->arena, "fits none of the %u forms allowed", op->as.list.count));
}

/* An object says in a member which of the forms it has: only that one is looked at. */
static bool run_discriminated(struct gh_schema_run *run, const struct gh_schema_node *node,
                              const struct gh_schema_discriminator *discriminator, uint32_t value,
                              gh_schema_marks *marks)
{
    const struct gh_json_value *object = gh_run_value(run, value);
    if (!gh_run_take_steps(run, 1 + object->count + discriminator->mapping_count))
        return false;
    const struct gh_json_value *member = gh_json_get(run->doc, object, discriminator->name);
    for (uint32_t i = 0; member && i < discriminator->mapping_count; i++) {
        const struct gh_schema_mapping *mapping = &discriminator->mappings[i];
        if (member->kind == GH_JSON_STRING && gh_str_eq(mapping->value, member->text))
            return gh_run_node(run, mapping->node, value, marks);
    }
    if (!gh_run_goes_on(run))
        return false;
    if (member)
        return gh_run_report(run, node, discriminator->keyword,
                             (uint32_t)(member - run->doc->values),
                             GH_STR("must name one of the forms allowed"));
    return gh_run_report_name(run, node, discriminator->keyword, value, discriminator->name,
                              gh_arena_format(run->arena,
                                              "must have the member \"%.*s\", which names its form",
                                              GH_STR_ARG(discriminator->name)));
}

static bool run_any_of(struct gh_schema_run *run, const struct gh_schema_node *node,
                       const struct gh_schema_op *op, uint32_t value, gh_schema_marks *marks)
{
    bool is_one = op->code == GH_OP_ONE_OF;
    uint32_t fits = 0;
    if (op->as.list.discriminator && gh_run_value(run, value)->kind == GH_JSON_OBJECT)
        return run_discriminated(run, node, op->as.list.discriminator, value, marks);
    for (uint32_t i = 0; i < op->as.list.count; i++) {
        fits += run_branch(run, op->as.list.nodes[i], value, marks);
        if (run->is_stopped)
            return false;
        if (is_one ? fits > 1 : fits && !marks)
            break;
    }
    if (fits == 0)
        return explain_none(run, node, op, value);
    if (!is_one || fits == 1)
        return true;
    return gh_run_report(run, node, op->keyword, value,
                         GH_STR("fits more than one of the forms of which it must fit one"));
}

static bool run_not(struct gh_schema_run *run, const struct gh_schema_node *node,
                    const struct gh_schema_op *op, uint32_t value)
{
    run->quiet++;
    bool fits = gh_run_node(run, op->as.node, value, NULL);
    run->quiet--;
    if (run->is_stopped)
        return false;
    return !fits || gh_run_report(run, node, op->keyword, value,
                                  GH_STR("has the one form that is not allowed"));
}

static bool run_if(struct gh_schema_run *run, const struct gh_schema_op *op, uint32_t value,
                   gh_schema_marks *marks)
{
    bool fits = run_branch(run, op->as.branch.condition, value, marks);
    uint32_t next = fits ? op->as.branch.yes : op->as.branch.no;
    if (run->is_stopped)
        return false;
    return next == GH_SCHEMA_NONE || gh_run_node(run, next, value, marks);
}

bool gh_run_logic(struct gh_schema_run *run, const struct gh_schema_node *node,
                  const struct gh_schema_op *op, uint32_t value, gh_schema_marks *marks)
{
    switch ((int)op->code) {
    case GH_OP_CONST:
    case GH_OP_ENUM:
        return run_choices(run, node, op, value);
    case GH_OP_REF:
        return gh_run_node(run, op->as.node, value, marks);
    case GH_OP_DYNAMIC_REF:
        if (!gh_run_take_steps(run, scope_depth(run)))
            return false;
        return gh_run_node(run, find_dynamic(run, op), value, marks);
    case GH_OP_ALL_OF:
        return run_all_of(run, op, value, marks);
    case GH_OP_ANY_OF:
    case GH_OP_ONE_OF:
        return run_any_of(run, node, op, value, marks);
    case GH_OP_NOT:
        return run_not(run, node, op, value);
    default:
        return run_if(run, op, value, marks);
    }
}
