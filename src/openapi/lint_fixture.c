#include "openapi/lint_fixture.h"

#include <stdio.h>

#include "base/assert.h"

static const char FORMAT[] =
    "openapi: %s\n"
    "info: {title: t, version: '1'}\n"
    "security: [{key: []}]\n"
    "paths:\n"
    "  /things:\n"
    "    post:\n"
    "      operationId: put\n"
    "      requestBody:\n"
    "        content:\n"
    "          application/json:\n"
    "            schema: %s\n"
    "      responses:\n"
    "        '200': {description: ok}\n"
    "        '401': {description: no}\n"
    "        '422': {description: no}\n"
    "        '429': {description: no, headers: {Retry-After: {schema: {type: integer}}}}\n"
    "components:\n"
    "  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}\n"
    "  schemas: {%s}\n";

void gh_test_lint_text(struct gh_test_lint *lint, const char *text)
{
    lint->texts[0] = (struct gh_test_text){lint->name ? lint->name : "a.yaml", text};
    lint->texts[1] = (struct gh_test_text){NULL, NULL};
    lint->load.texts = lint->texts;
    lint->load.options.responses = lint->options.responses;
    gh_test_load(&lint->load);
    if (!lint->load.openapi)
        fputs(gh_test_problems(&lint->load), stderr);
    GH_ASSERT(lint->load.openapi);
    lint->report = gh_lint_run(&lint->load.arena, lint->load.openapi, &lint->options);
    GH_ASSERT(lint->report);
}

void gh_test_lint_body(struct gh_test_lint *lint, const char *version, const char *body,
                       const char *components)
{
    char text[16384];
    int len = snprintf(text, sizeof(text), FORMAT, version, body, components);
    GH_ASSERT(len > 0 && (size_t)len < sizeof(text));
    gh_test_lint_text(lint, text);
}

void gh_test_lint_done(struct gh_test_lint *lint)
{
    gh_test_load_done(&lint->load);
}

const struct gh_lint_finding *gh_test_lint_find(const struct gh_test_lint *lint,
                                                enum gh_lint_rule rule)
{
    for (size_t i = 0; i < lint->report->count; i++)
        if (lint->report->findings[i].rule == rule)
            return &lint->report->findings[i];
    return NULL;
}

size_t gh_test_lint_count(const struct gh_test_lint *lint, enum gh_lint_rule rule)
{
    size_t count = 0;
    for (size_t i = 0; i < lint->report->count; i++)
        count += lint->report->findings[i].rule == rule;
    return count;
}

const char *gh_test_lint_fix(struct gh_test_lint *lint)
{
    struct gh_fix fix;
    struct gh_arena *arena = &lint->load.arena;
    GH_ASSERT(gh_fix_make(arena, lint->load.openapi, lint->report, &fix) == GH_OK);
    struct gh_str text = gh_arena_dup(arena, fix.texts[0].text);
    GH_ASSERT(text.ptr);
    return text.ptr;
}
