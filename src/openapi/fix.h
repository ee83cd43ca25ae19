/*
 * The constrained copy of a document: its own text, with the keywords that lint misses put in where
 * the schemas stand. Order, comments and layout stay; YAML stays YAML and JSON stays JSON, in block
 * and in flow style.
 *
 * The bounds are wide on purpose (docs/openapi-lint.md lists them): they are to stop what is absurd
 * and refuse nothing that was meant. Examples and defaults of the document stay valid, and evidence
 * (evidence.h) takes the place of the defaults where enough was seen.
 */
#ifndef GH_OPENAPI_FIX_H
#define GH_OPENAPI_FIX_H

#include "openapi/lint.h"

/* So many observations may narrow a default; fewer only widen it. */
#define GH_FIX_EVIDENCE_MIN 30

struct gh_fix_text {
    const struct gh_openapi_file *file;
    struct gh_str text; /* the file's own where nothing was to be put in */
    size_t edit_count;
};

struct gh_fix {
    const struct gh_fix_text *texts; /* one for each file of the document */
    size_t count, edit_count;
};

/* Mends what can be of the findings. GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_fix_make(struct gh_arena *arena, const struct gh_openapi *openapi,
                                    const struct gh_lint_report *report, struct gh_fix *out_fix);

#endif
