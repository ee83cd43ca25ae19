/* Operations on objects. */
#include "schema/run.h"

static bool run_size(struct gh_schema_run *run, const struct gh_schema_node *node,
                     const struct gh_schema_op *op, uint32_t value)
{
    uint64_t count = gh_run_value(run, value)->count, bound = op->as.count;
    bool is_min = op->code == GH_OP_MIN_PROPERTIES;
    if (is_min ? count >= bound : count <= bound)
        return true;
    if (!gh_run_goes_on(run))
        return false;
    return gh_run_report(run, node, op->keyword, value,
                         gh_arena_format(run->arena, "must have at %s %llu member%s, not %llu",
                                         is_min ? "least" : "most", (unsigned long long)bound,
                                         bound == 1 ? "" : "s", (unsigned long long)count));
}

static inline uint64_t load_64(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

static inline uint32_t load_32(const char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* Names are short and mostly equal where this is asked: a call of memcmp costs more than it does.
   The last bytes are compared as a whole word, some of them again. */
static inline bool is_same(struct gh_str a, struct gh_str b)
{
    const size_t step = sizeof(uint64_t), half = step / 2;
    size_t at = 0;
    if (a.len != b.len)
        return false;
    if (a.len < half) {
        for (; at < a.len && a.ptr[at] == b.ptr[at]; at++)
            ;
        return at == a.len;
    }
    if (a.len < step)
        return load_32(a.ptr) == load_32(b.ptr) &&
               load_32(a.ptr + a.len - half) == load_32(b.ptr + a.len - half);
    for (; a.len - at > step; at += step) {
        if (load_64(a.ptr + at) != load_64(b.ptr + at))
            return false;
    }
    return load_64(a.ptr + a.len - step) == load_64(b.ptr + a.len - step);
}

/* Members mostly come in the order of the schema: *next is where the one behind the last found
   stands. */
static const struct gh_schema_member *find_member(const struct gh_schema_members *members,
                                                  const struct gh_json_value *value, uint32_t *next)
{
    if (*next < members->count && members->members[*next].hash == value->name_hash &&
        is_same(members->members[*next].name, value->name))
        return &members->members[(*next)++];
    if (!members->slots)
        return NULL;
    for (uint32_t at = value->name_hash & members->slot_mask; members->slots[at];
         at = (at + 1) & members->slot_mask) {
        const struct gh_schema_member *member = &members->members[members->slots[at] - 1];
        if (member->hash == value->name_hash && is_same(member->name, value->name)) {
            *next = members->slots[at];
            return member;
        }
    }
    return NULL;
}

/* A name has no place on the tape, so it gets a document of its own for the moment. */
static bool run_name(struct gh_schema_run *run, uint32_t node, uint32_t member)
{
    const struct gh_json_doc *doc = run->doc;
    uint32_t outer_member = run->named_member;
    const struct gh_json_value name = {
        .kind = GH_JSON_STRING,
        .next = 1,
        .end = (uint32_t)doc->values[member].name.len,
        .text = doc->values[member].name,
    };
    const struct gh_json_doc name_doc = {&name, 1};
    run->doc = &name_doc;
    run->named_member = member;
    bool good = gh_run_node(run, node, 0, NULL);
    run->doc = doc;
    run->named_member = outer_member;
    return good;
}

static bool run_patterns(struct gh_schema_run *run, const struct gh_schema_node *node,
                         const struct gh_schema_members *members, uint32_t member,
                         bool *out_evaluated)
{
    struct gh_str name = run->doc->values[member].name;
    bool good = true;
    for (uint32_t i = 0; i < members->pattern_count; i++) {
        const struct gh_schema_member_pattern *pattern = &members->patterns[i];
        enum gh_pattern_result result =
            gh_pattern_match(pattern->pattern, name, &run->patterns, &run->steps);
        if (result == GH_PATTERN_NO_MEMORY)
            return gh_run_stop(run, GH_SCHEMA_NO_MEMORY);
        if (result == GH_PATTERN_TOO_COMPLEX)
            return gh_run_stop_at(run, node, node->place.value, member,
                                  GH_STR("its name takes too much work to match with a pattern"));
        if (result == GH_PATTERN_NO_MATCH)
            continue;
        *out_evaluated = true;
        good &= gh_run_node(run, pattern->node, member, NULL);
        if (!good && !gh_run_goes_on(run))
            return false;
    }
    return good;
}

/* Of a required member: not if it is readOnly in a request, or writeOnly in a response. */
static inline bool is_asked_for(const struct gh_schema_run *run,
                                const struct gh_schema_member *member)
{
    return !run->refused || member->node == GH_SCHEMA_NONE ||
           !(run->schemas->nodes[member->node].all_access & run->refused);
}

/* One look at each member of an object. */
struct walk {
    const struct gh_schema_node *node;
    const struct gh_schema_members *members;
    uint32_t next; /* see find_member */
    uint32_t required_found;
};

static inline bool run_member(struct gh_schema_run *run, struct walk *walk, uint32_t member,
                              bool *out_evaluated)
{
    const struct gh_schema_members *members = walk->members;
    const struct gh_schema_member *known =
        find_member(members, gh_run_value(run, member), &walk->next);
    bool good = true, matched = false;
    if (members->names != GH_SCHEMA_NONE)
        good = run_name(run, members->names, member);
    if (known && known->required != GH_SCHEMA_NONE && is_asked_for(run, known))
        walk->required_found++;
    if (known && known->node != GH_SCHEMA_NONE) {
        *out_evaluated = true;
        good &= gh_run_node(run, known->node, member, NULL);
    }
    if (members->pattern_count && (good || gh_run_goes_on(run)))
        good &= run_patterns(run, walk->node, members, member, &matched);
    *out_evaluated |= matched;
    if (!*out_evaluated && members->additional != GH_SCHEMA_NONE && (good || gh_run_goes_on(run))) {
        *out_evaluated = true;
        good &= gh_run_node(run, members->additional, member, NULL);
    }
    return good;
}

/* Only when fewer are there than the list has. */
static bool has_all_asked_for(const struct gh_schema_run *run,
                              const struct gh_schema_members *members, uint32_t found)
{
    for (uint32_t i = 0; run->refused && i < members->required_count; i++)
        found += !is_asked_for(run, &members->members[members->required[i]]);
    return found >= members->required_count;
}

/* Only when some are known to be missing. */
static bool report_missing(struct gh_schema_run *run, const struct gh_schema_node *node,
                           const struct gh_schema_members *members, uint32_t value)
{
    const struct gh_json_value *object = gh_run_value(run, value);
    for (uint32_t i = 0; i < members->required_count && gh_run_goes_on(run); i++) {
        const struct gh_schema_member *member = &members->members[members->required[i]];
        if (!gh_run_take_steps(run, 1 + object->count))
            return false;
        if (is_asked_for(run, member) && !gh_json_get(run->doc, object, member->name))
            gh_run_report_name(run, node, members->required_keyword, value, member->name,
                               gh_arena_format(run->arena, "must have the member \"%.*s\"",
                                               GH_STR_ARG(member->name)));
    }
    return false;
}

static bool run_members(struct gh_schema_run *run, const struct gh_schema_node *node,
                        const struct gh_schema_members *members, uint32_t value,
                        gh_schema_marks *marks)
{
    const struct gh_json_value *values = run->doc->values;
    struct walk walk = {.node = node, .members = members};
    uint32_t ordinal = 0;
    bool good = true;
    if (!gh_run_take_steps(run, values[value].count))
        return false;
    for (uint32_t at = value + 1; at < values[value].next; at = values[at].next, ordinal++) {
        bool is_evaluated = false;
        good &= run_member(run, &walk, at, &is_evaluated);
        if (is_evaluated)
            gh_mark(marks, ordinal);
        if (!good && !gh_run_goes_on(run))
            return false;
    }
    if (walk.required_found < members->required_count &&
        !has_all_asked_for(run, members, walk.required_found))
        return report_missing(run, node, members, value);
    return good;
}

static bool run_dependency(struct gh_schema_run *run, const struct gh_schema_node *node,
                           const struct gh_schema_op *op,
                           const struct gh_schema_dependency *dependency, uint32_t value,
                           gh_schema_marks *marks)
{
    const struct gh_json_value *object = gh_run_value(run, value);
    bool good = true;
    if (!gh_run_take_steps(run, 1 + object->count))
        return false;
    if (!gh_json_get(run->doc, object, dependency->name))
        return true;
    if (op->code == GH_OP_DEPENDENT_SCHEMAS)
        return gh_run_node(run, dependency->node, value, marks);
    for (uint32_t i = 0; i < dependency->required_count; i++) {
        struct gh_str name = dependency->required[i];
        if (!gh_run_take_steps(run, 1 + object->count))
            return false;
        if (gh_json_get(run->doc, object, name))
            continue;
        good = false;
        if (!gh_run_goes_on(run))
            return false;
        gh_run_report_name(run, node, op->keyword, value, name,
                           gh_arena_format(run->arena,
                                           "must have the member \"%.*s\", since it has \"%.*s\"",
                                           GH_STR_ARG(name), GH_STR_ARG(dependency->name)));
    }
    return good;
}

bool gh_run_object(struct gh_schema_run *run, const struct gh_schema_node *node,
                   const struct gh_schema_op *op, uint32_t value, gh_schema_marks *marks)
{
    bool good = true;
    if (op->code == GH_OP_MEMBERS)
        return run_members(run, node, op->as.members, value, marks);
    if (op->code == GH_OP_MIN_PROPERTIES || op->code == GH_OP_MAX_PROPERTIES)
        return run_size(run, node, op, value);
    for (uint32_t i = 0; i < op->as.dependencies.count; i++) {
        good &= run_dependency(run, node, op, &op->as.dependencies.entries[i], value, marks);
        if (!good && !gh_run_goes_on(run))
            return false;
    }
    return good;
}
