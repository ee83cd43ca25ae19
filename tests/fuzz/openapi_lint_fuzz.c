/*
 * Any document that loads is linted, and its constrained copy made. Properties: the copy loads, has
 * the same operations and no more findings than before, and findings lead to values of files. What
 * stands before a NUL is the document; behind it, evidence.
 */
#include "base/assert.h"
#include "openapi/fix.h"

#include <stdlib.h>

#define ARENA_BYTES_MAX ((size_t)128 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum gh_err read_text(void *context, struct gh_arena *arena, struct gh_str path,
                             struct gh_str *out_text)
{
    if (!gh_str_starts_with(path, GH_STR("a.")))
        return GH_ERR_NOT_FOUND;
    *out_text = *(const struct gh_str *)context;
    return GH_OK;
}

static const struct gh_openapi *load(struct gh_arena *arena, struct gh_str path, struct gh_str text)
{
    struct gh_str *context = gh_arena_alloc(arena, sizeof(*context));
    struct gh_openapi_problems *problems = gh_arena_zalloc(arena, 1, sizeof(*problems));
    if (!context || !problems)
        return NULL;
    *context = text;
    struct gh_openapi_source source = {.context = context, .read = read_text};
    struct gh_openapi_options options = {.responses = true};
    return gh_openapi_load(arena, &source, path, &options, problems);
}

static void check_findings(const struct gh_openapi *openapi, const struct gh_lint_report *report)
{
    unsigned line, column;
    GH_ASSERT(report->score <= 100);
    for (size_t i = 0; i < report->count; i++) {
        const struct gh_lint_finding *finding = &report->findings[i];
        const struct gh_json_doc *doc = &finding->at.file->doc;
        GH_ASSERT(finding->at.value >= doc->values && finding->at.value < doc->values + doc->count);
        GH_ASSERT(finding->message.len > 0);
        gh_openapi_place(finding->at.file, finding->at.value->start, &line, &column);
        GH_ASSERT(finding->line == line && finding->column == column);
        GH_ASSERT(finding->operation == GH_LINT_NO_OPERATION ||
                  finding->operation < openapi->operation_count);
    }
}

static void check_writers(const struct gh_openapi *openapi, const struct gh_lint_report *report,
                          const struct gh_lint_report *fixed, const struct gh_lint_options *options)
{
    FILE *out = fopen("/dev/null", "we");
    const struct gh_lint_record record = {.openapi = openapi,
                                          .report = report,
                                          .fixed = fixed,
                                          .options = options,
                                          .file = GH_STR("a"),
                                          .date = GH_STR("2026-01-31"),
                                          .digest = GH_STR("")};
    GH_ASSERT(out);
    gh_lint_write_text(out, &record);
    gh_lint_write_json(out, &record);
    gh_lint_write_sarif(out, &record);
    gh_lint_write_markdown(out, &record);
    fclose(out);
}

static void check(struct gh_arena *arena, struct gh_str path, struct gh_str text,
                  const struct gh_lint_options *options)
{
    struct gh_fix fix;
    const struct gh_openapi *openapi = load(arena, path, text);
    const struct gh_lint_report *report = openapi ? gh_lint_run(arena, openapi, options) : NULL;
    if (!report)
        return;
    check_findings(openapi, report);
    GH_ASSERT(gh_fix_make(arena, openapi, report, &fix) == GH_OK);
    const struct gh_openapi *copy = load(arena, path, fix.texts[0].text);
    GH_ASSERT(copy && copy->operation_count == openapi->operation_count);
    const struct gh_lint_report *fixed = gh_lint_run(arena, copy, options);
    GH_ASSERT(fixed && fixed->all.errors <= report->all.errors);
    check_writers(openapi, report, fixed, options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str text = gh_str_of((const char *)data, size);
    size_t cut = gh_str_find_char(text, '\0');
    struct gh_evidence evidence = {NULL, 0};
    struct gh_arena arena;
    unsigned line;
    const char *what;
    gh_arena_init(&arena, 65536, ARENA_BYTES_MAX);
    bool good =
        gh_evidence_parse(&arena, gh_str_skip(text, cut + 1), &evidence, &line, &what) == GH_OK;
    struct gh_lint_options options = {.responses = size % 2, .evidence = good ? &evidence : NULL};
    check(&arena, size % 4 == 3 ? GH_STR("a.json") : GH_STR("a.yaml"), gh_str_first(text, cut),
          &options);
    gh_arena_done(&arena);
    return 0;
}
