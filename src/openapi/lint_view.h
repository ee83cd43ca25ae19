/*
 * Inside lint: a view of a schema is all schema objects that a value must satisfy at one place: the
 * schema itself, what $ref leads to, and the members of allOf. Where alternatives (anyOf, oneOf)
 * begin, a view ends: each alternative is a view of its own, which contains what stands around it.
 */
#ifndef GH_OPENAPI_LINT_VIEW_H
#define GH_OPENAPI_LINT_VIEW_H

#include "openapi/openapi.h"

#define GH_LINT_VIEW_MAX 48

struct gh_lint_view {
    const struct gh_openapi *openapi;
    struct gh_openapi_at parts[GH_LINT_VIEW_MAX];
    size_t count;
    struct gh_openapi_at root; /* the outermost part that is more than a $ref */
    bool not_followed;         /* a reference leads where this can't go, or there is too much */
    bool is_false;             /* a part is `false`: nothing is valid */
    bool is_alternative;       /* an example need not be one of it */
    struct gh_openapi_at reference; /* that one */
};

/* Adds a schema and all that it needs; false: it was there already. */
bool gh_lint_view_add(struct gh_lint_view *view, struct gh_openapi_at schema);
/* The first part with that member, NULL: none. */
const struct gh_json_value *gh_lint_view_get(const struct gh_lint_view *view, struct gh_str name,
                                             struct gh_openapi_at *out_part);
/* Kinds of values, 1 << enum gh_json_kind; NUMBER also for integers. Of `type` and nullable; 0: no
   type is said. *out_integer: whole numbers only. */
unsigned gh_lint_view_types(const struct gh_lint_view *view, bool *out_integer);
/* What the keywords speak of, where no type is said. */
unsigned gh_lint_view_implied(const struct gh_lint_view *view);
/* `reference` of $ref in a file; value NULL: it can't be followed. */
struct gh_openapi_at gh_lint_follow(const struct gh_openapi *openapi,
                                    const struct gh_openapi_file *file, struct gh_str reference);

static inline const struct gh_json_value *gh_lint_get(struct gh_openapi_at at, struct gh_str name)
{
    return at.value ? gh_json_get(&at.file->doc, at.value, name) : NULL;
}

#endif
