/*
 * What is known of values before there are any: examples and defaults of the document, and evidence
 * of what came. Both go along with the schemas, so that fix.h proposes nothing that refuses them.
 */
#include "openapi/lint_state.h"

#define KIND(name) (1u << GH_JSON_##name)

/* ---- Samples ---- */

struct samples {
    struct gh_openapi_at items[GH_LINT_SAMPLES_MAX];
    size_t count;
};

static void add_sample(struct samples *samples, struct gh_openapi_at at)
{
    if (at.value && samples->count < GH_LINT_SAMPLES_MAX)
        samples->items[samples->count++] = at;
}

static struct gh_lint_samples keep(struct gh_lint *lint, const struct samples *samples)
{
    struct gh_openapi_at *items =
        gh_arena_zalloc(&lint->scratch, samples->count + 1, sizeof(*items));
    if (!items)
        return (struct gh_lint_samples){NULL, 0};
    memcpy(items, samples->items, samples->count * sizeof(*items));
    return (struct gh_lint_samples){items, samples->count};
}

struct gh_lint_samples gh_lint_samples_of(struct gh_lint *lint, struct gh_openapi_at at)
{
    struct samples samples = {.count = 0};
    const struct gh_json_value *examples = gh_lint_get(at, GH_STR("examples"));
    add_sample(&samples, (struct gh_openapi_at){at.file, gh_lint_get(at, GH_STR("example"))});
    const struct gh_json_value *one = examples ? gh_json_first(&at.file->doc, examples) : NULL;
    for (; one; one = gh_json_after(&at.file->doc, examples, one)) {
        struct gh_openapi_at example = {at.file, one};
        struct gh_str reference = gh_json_string(gh_lint_get(example, GH_STR("$ref")));
        if (reference.ptr)
            example = gh_lint_follow(lint->openapi, at.file, reference);
        add_sample(&samples,
                   (struct gh_openapi_at){example.file, gh_lint_get(example, GH_STR("value"))});
    }
    return keep(lint, &samples);
}

struct gh_lint_samples gh_lint_samples_own(struct gh_lint *lint, const struct gh_lint_view *view,
                                           struct gh_lint_samples given)
{
    struct samples samples = {.count = 0};
    for (size_t i = 0; i < given.count; i++)
        add_sample(&samples, given.items[i]);
    for (size_t i = 0; i < view->count; i++) {
        struct gh_openapi_at at = view->parts[i];
        const struct gh_json_value *list = gh_lint_get(at, GH_STR("examples"));
        add_sample(&samples, (struct gh_openapi_at){at.file, gh_lint_get(at, GH_STR("example"))});
        add_sample(&samples, (struct gh_openapi_at){at.file, gh_lint_get(at, GH_STR("default"))});
        if (!list || list->kind != GH_JSON_ARRAY)
            continue;
        for (const struct gh_json_value *one = gh_json_first(&at.file->doc, list); one;
             one = gh_json_after(&at.file->doc, list, one))
            add_sample(&samples, (struct gh_openapi_at){at.file, one});
    }
    return keep(lint, &samples);
}

struct gh_lint_samples gh_lint_samples_items(struct gh_lint *lint, struct gh_lint_samples given)
{
    struct samples samples = {.count = 0};
    for (size_t i = 0; i < given.count; i++) {
        struct gh_openapi_at at = given.items[i];
        if (at.value->kind != GH_JSON_ARRAY)
            continue;
        for (const struct gh_json_value *one = gh_json_first(&at.file->doc, at.value); one;
             one = gh_json_after(&at.file->doc, at.value, one))
            add_sample(&samples, (struct gh_openapi_at){at.file, one});
    }
    return keep(lint, &samples);
}

struct gh_lint_samples gh_lint_samples_members(struct gh_lint *lint, struct gh_lint_samples given,
                                               struct gh_str name)
{
    struct samples samples = {.count = 0};
    for (size_t i = 0; i < given.count; i++)
        add_sample(&samples,
                   (struct gh_openapi_at){given.items[i].file, gh_lint_get(given.items[i], name)});
    return keep(lint, &samples);
}

/* ---- What was seen ---- */

static bool is_of_operation(const struct gh_evidence_line *line,
                            const struct gh_openapi_operation *operation)
{
    char memory[512];
    struct gh_buf both = gh_buf_over(memory, sizeof(memory));
    if (operation->id.ptr && gh_str_eq(operation->id, line->operation))
        return true;
    gh_buf_format(&both, "%.*s %.*s", GH_STR_ARG(operation->method), GH_STR_ARG(operation->path));
    return !both.overflow && gh_str_eq(gh_buf_str(&both), line->operation);
}

void gh_lint_evidence_begin(struct gh_lint *lint, const struct gh_openapi_operation *operation)
{
    const struct gh_evidence *evidence = lint->options->evidence;
    lint->lines = NULL;
    lint->line_count = 0;
    if (!evidence || !evidence->count)
        return;
    lint->lines = gh_arena_zalloc(&lint->scratch, evidence->count, sizeof(*lint->lines));
    lint->no_memory |= !lint->lines;
    for (size_t i = 0; lint->lines && i < evidence->count; i++)
        if (is_of_operation(&evidence->lines[i], operation))
            lint->lines[lint->line_count++] = &evidence->lines[i];
}

static bool is_of(const struct gh_evidence_line *line, const struct gh_lint_item *item)
{
    return gh_str_eq(line->location, item->place) && gh_str_eq(line->name, item->field);
}

static unsigned kind_of_evidence(enum gh_evidence_kind kind)
{
    switch (kind) {
    case GH_EVIDENCE_STRING:
        return KIND(STRING);
    case GH_EVIDENCE_INTEGER:
    case GH_EVIDENCE_NUMBER:
        return KIND(NUMBER);
    case GH_EVIDENCE_ARRAY:
        return KIND(ARRAY);
    case GH_EVIDENCE_OBJECT:
        return KIND(OBJECT);
    }
    return 0;
}

bool gh_lint_has_evidence(const struct gh_lint *lint, const struct gh_lint_item *item)
{
    for (size_t i = 0; i < lint->line_count; i++)
        if (gh_str_starts_with(lint->lines[i]->pointer, item->pointer) &&
            is_of(lint->lines[i], item))
            return true;
    return false;
}

static void widen(double *min, double *max, double low, double high, bool is_first)
{
    if (is_first || low < *min)
        *min = low;
    if (is_first || high > *max)
        *max = high;
}

static void see_line(struct gh_lint_seen *seen, const struct gh_evidence_line *line)
{
    bool first = seen->count == 0;
    switch (line->kind) {
    case GH_EVIDENCE_STRING:
        widen(&seen->length_min, &seen->length_max, line->min, line->max, first);
        break;
    case GH_EVIDENCE_INTEGER:
    case GH_EVIDENCE_NUMBER:
        widen(&seen->number_min, &seen->number_max, line->min, line->max, first);
        break;
    case GH_EVIDENCE_ARRAY:
        if (line->max > seen->items_max)
            seen->items_max = line->max;
        break;
    case GH_EVIDENCE_OBJECT:
        if (line->max > seen->members_max)
            seen->members_max = line->max;
        seen->has_other_members |= line->extra;
        break;
    }
    seen->count += line->count;
}

struct gh_lint_seen *gh_lint_seen_of(struct gh_lint *lint, struct gh_openapi_at owner,
                                     const struct gh_lint_item *item, unsigned kind)
{
    bool is_fresh = false;
    if (!owner.value || (!item->samples.count && !lint->line_count))
        return NULL;
    struct gh_lint_entry *entry =
        gh_lint_table_put(&lint->table, lint->arena, owner.value, GH_LINT_TAG_SEEN, &is_fresh);
    if (entry && !entry->seen)
        entry->seen = gh_arena_zalloc(lint->arena, 1, sizeof(*entry->seen));
    if (!entry || !entry->seen) {
        lint->no_memory = true;
        return NULL;
    }
    for (size_t i = 0; i < lint->line_count; i++) {
        const struct gh_evidence_line *line = lint->lines[i];
        if (kind_of_evidence(line->kind) == kind && gh_str_eq(line->pointer, item->pointer) &&
            is_of(line, item))
            see_line(entry->seen, line);
    }
    return entry->seen;
}
