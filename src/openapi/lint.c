/* Running the rules over a document: checks are counted here, and the score is made of them. */
#include "openapi/lint_state.h"

#include <stdarg.h>
#include <stdlib.h>

#define SCRATCH_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define MESSAGE_BYTES_MAX 512
#define ERROR_WEIGHT      4 /* of a check whose failure is an error; of a warning: 1 */

/* ---- Checks ---- */

static struct gh_lint_tally *tally_of(struct gh_lint *lint)
{
    return lint->operation == GH_LINT_NO_OPERATION ? &lint->report->document
                                                   : &lint->tallies[lint->operation];
}

static void count_bad(struct gh_lint_tally *tally, enum gh_lint_rule rule)
{
    if (gh_lint_rule_facts(rule)->severity == GH_LINT_ERROR)
        tally->errors++;
    else
        tally->warnings++;
}

static struct gh_lint_finding *add_finding(struct gh_lint *lint, enum gh_lint_rule rule,
                                           struct gh_openapi_at at)
{
    if (lint->count == lint->room) {
        size_t room = lint->room ? 2 * lint->room : 64;
        struct gh_lint_finding *bigger = gh_arena_zalloc(lint->arena, room, sizeof(*bigger));
        if (!bigger) {
            lint->no_memory = true;
            return NULL;
        }
        if (lint->count)
            memcpy(bigger, lint->findings, lint->count * sizeof(*bigger));
        lint->findings = bigger;
        lint->room = room;
    }
    struct gh_lint_finding *finding = &lint->findings[lint->count++];
    *finding = (struct gh_lint_finding){.rule = rule,
                                        .at = at,
                                        .operation = lint->operation,
                                        .where = GH_STR(""),
                                        .message = GH_STR(""),
                                        .name = GH_STR("")};
    return finding;
}

/* A value may be met in several ways, and is good when it is good in all. */
static void weigh(struct gh_lint *lint, enum gh_lint_rule rule, bool is_fresh, bool is_good,
                  bool is_first_bad)
{
    const struct gh_lint_rule_facts *facts = gh_lint_rule_facts(rule);
    unsigned weight = facts->severity == GH_LINT_ERROR ? ERROR_WEIGHT : 1;
    if (is_fresh) {
        lint->weight[facts->part] += weight;
        lint->passed[facts->part] += weight;
        lint->report->all.checked++;
    }
    if (!is_good && is_first_bad) {
        lint->passed[facts->part] -= weight;
        count_bad(&lint->report->all, rule);
    }
}

struct gh_lint_finding *gh_lint_check(struct gh_lint *lint, enum gh_lint_rule rule,
                                      struct gh_openapi_at at, bool is_good)
{
    bool is_fresh = false;
    if (lint->options->ignored[rule] || !at.value || lint->no_memory)
        return NULL;
    struct gh_lint_entry *entry =
        gh_lint_table_put(&lint->table, lint->arena, at.value, (unsigned)rule, &is_fresh);
    if (!entry) {
        lint->no_memory = true;
        return NULL;
    }
    if (is_fresh) {
        entry->finding = UINT32_MAX;
        entry->bad_operation = entry->operation = GH_LINT_NO_OPERATION - 1;
    }
    bool is_first_bad = !is_good && entry->finding == UINT32_MAX;
    if (entry->operation != lint->operation)
        tally_of(lint)->checked++;
    entry->operation = lint->operation;
    weigh(lint, rule, is_fresh, is_good, is_first_bad);
    if (is_good)
        return NULL;
    bool is_new_here = entry->bad_operation != lint->operation;
    entry->bad_operation = lint->operation;
    if (is_new_here)
        count_bad(tally_of(lint), rule);
    struct gh_lint_finding *finding = is_first_bad ? add_finding(lint, rule, at) : NULL;
    if (finding)
        entry->finding = (uint32_t)(finding - lint->findings);
    if (is_new_here && entry->finding != UINT32_MAX)
        lint->findings[entry->finding].operation_count++;
    return finding;
}

struct gh_lint_finding *gh_lint_tell(struct gh_lint *lint, enum gh_lint_rule rule,
                                     struct gh_openapi_at at, bool is_good, struct gh_str where,
                                     const char *format, ...)
{
    char memory[MESSAGE_BYTES_MAX];
    va_list values;
    struct gh_lint_finding *finding = gh_lint_check(lint, rule, at, is_good);
    if (!finding)
        return NULL;
    va_start(values, format);
    int len = vsnprintf(memory, sizeof(memory), format, values);
    va_end(values);
    size_t kept = len < 0 ? 0 : (size_t)len < sizeof(memory) ? (size_t)len : sizeof(memory) - 1;
    finding->message = gh_arena_dup(lint->arena, gh_str_of(memory, kept));
    finding->where = gh_arena_dup(lint->arena, where);
    lint->no_memory |= !finding->message.ptr || !finding->where.ptr;
    return finding;
}

/* ---- The run ---- */

static void look_at_all(struct gh_lint *lint)
{
    lint->operation = GH_LINT_NO_OPERATION;
    gh_lint_security(lint);
    for (size_t i = 0; i < lint->openapi->operation_count && !lint->no_memory; i++) {
        lint->operation = (uint32_t)i;
        lint->visited = (struct gh_lint_table){NULL, 0, 0};
        gh_lint_evidence_begin(lint, &lint->openapi->operations[i]);
        gh_lint_operation(lint, &lint->openapi->operations[i]);
        gh_arena_reset(&lint->scratch);
    }
}

/* The places of findings in their order, without looking along a file again for each. */
static void place(struct gh_lint *lint)
{
    const struct gh_openapi_file *file = NULL;
    unsigned line = 1;
    size_t at = 0, line_start = 0;
    for (size_t i = 0; i < lint->count; i++) {
        struct gh_lint_finding *finding = &lint->findings[i];
        size_t offset = finding->at.value->start;
        if (finding->at.file != file || offset < at) {
            file = finding->at.file;
            line = 1;
            at = line_start = 0;
        }
        for (; at < offset && at < file->text.len; at++) {
            if (file->text.ptr[at] != '\n')
                continue;
            line++;
            line_start = at + 1;
        }
        finding->line = line;
        finding->column = (unsigned)(at - line_start) + 1;
    }
}

/* Would a value that was seen, or an example, be refused by what mends it? */
static bool is_refused(const struct gh_lint_finding *finding, const struct gh_lint_seen *seen)
{
    bool was_empty = (seen->any_example && seen->example_length_min < 1) ||
                     (seen->count && seen->length_min < 1);
    return (finding->rule == GH_LINT_EMAIL_NO_FORMAT && seen->not_email) ||
           (finding->rule == GH_LINT_CODE_NO_PATTERN && seen->not_code) ||
           (finding->rule == GH_LINT_PHONE_NO_PATTERN && seen->not_phone) ||
           (finding->rule == GH_LINT_STRING_NO_MIN_LENGTH && was_empty) ||
           (finding->rule == GH_LINT_OBJECT_OPEN && seen->has_other_members);
}

/* Only now it is known of all objects whether others are made of them, and what all operations have
   seen. */
static void settle(struct gh_lint *lint)
{
    for (size_t i = 0; i < lint->count; i++) {
        struct gh_lint_finding *finding = &lint->findings[i];
        const struct gh_json_value *value = finding->at.value;
        const struct gh_lint_entry *entry =
            gh_lint_table_find(&lint->table, value, GH_LINT_TAG_SEEN);
        if (entry && !finding->seen)
            finding->seen = entry->seen;
        if (finding->rule == GH_LINT_OBJECT_OPEN &&
            gh_lint_table_find(&lint->table, value, GH_LINT_TAG_COMPOSED))
            finding->fixable = false;
        if (finding->seen && is_refused(finding, finding->seen))
            finding->fixable = false;
    }
}

static int compare(const void *left, const void *right)
{
    const struct gh_lint_finding *a = left, *b = right;
    int files = a->at.file == b->at.file ? 0 : gh_str_compare(a->at.file->path, b->at.file->path);
    if (files)
        return files;
    if (a->at.value != b->at.value)
        return a->at.value < b->at.value ? -1 : 1;
    return (int)a->rule - (int)b->rule;
}

static unsigned part_of_score(const struct gh_lint *lint, enum gh_lint_part part, unsigned most)
{
    uint64_t weight = lint->weight[part];
    return weight ? (unsigned)(most * lint->passed[part] / weight) : most;
}

static void finish(struct gh_lint *lint)
{
    struct gh_lint_report *report = lint->report;
    settle(lint);
    if (lint->count)
        qsort(lint->findings, lint->count, sizeof(*lint->findings), compare);
    place(lint);
    report->findings = lint->findings;
    report->count = lint->count;
    report->operations = lint->tallies;
    report->operation_count = lint->openapi->operation_count;
    report->score_security = part_of_score(lint, GH_LINT_SECURITY, 30);
    report->score_data = part_of_score(lint, GH_LINT_DATA, 70);
    report->score = report->score_security + report->score_data;
    report->is_cut = lint->steps >= GH_LINT_STEPS_MAX;
}

const struct gh_lint_report *gh_lint_run(struct gh_arena *arena, const struct gh_openapi *openapi,
                                         const struct gh_lint_options *options)
{
    struct gh_lint lint = {.arena = arena, .openapi = openapi, .options = options};
    lint.report = gh_arena_zalloc(arena, 1, sizeof(*lint.report));
    lint.tallies = gh_arena_zalloc(arena, openapi->operation_count + 1, sizeof(*lint.tallies));
    if (!lint.report || !lint.tallies)
        return NULL;
    gh_arena_init(&lint.scratch, 64u * 1024, SCRATCH_BYTES_MAX);
    look_at_all(&lint);
    gh_arena_done(&lint.scratch);
    if (lint.no_memory)
        return NULL;
    finish(&lint);
    return lint.report;
}

size_t gh_lint_count(const struct gh_lint_report *report, enum gh_lint_severity threshold)
{
    return report->all.errors + (threshold == GH_LINT_WARNING ? report->all.warnings : 0);
}
