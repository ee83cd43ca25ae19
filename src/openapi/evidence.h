/*
 * Evidence: bounds of values that were seen in traffic, from which fix.h proposes constraints. JSON
 * Lines, each an object:
 *
 *     {"operation":"createPet","location":"body","pointer":"/name","kind":"string",
 *      "min":3,"max":40,"count":120}
 *
 * operation  operationId, or method and path template: "POST /pets"
 * location   path, query, header, cookie or body
 * name       of the parameter; not for a body
 * pointer    JSON Pointer into the value, "*" for any item of an array and any member of a map;
 *            may be left out for the whole value
 * kind       string (min and max are lengths in code points), integer and number (values), array
 *            (items), object (members)
 * extra      of an object: true when members came that the document does not declare
 * count      how many were seen
 *
 * Values themselves never stand in it, and numbers are told to two digits, rounded outwards.
 */
#ifndef GH_OPENAPI_EVIDENCE_H
#define GH_OPENAPI_EVIDENCE_H

#include "base/arena.h"
#include "base/err.h"

#define GH_EVIDENCE_LINES_MAX 100000
#define GH_EVIDENCE_COUNT_MAX ((uint64_t)INT64_MAX) /* more are not counted */

enum gh_evidence_kind {
    GH_EVIDENCE_STRING,
    GH_EVIDENCE_INTEGER,
    GH_EVIDENCE_NUMBER,
    GH_EVIDENCE_ARRAY,
    GH_EVIDENCE_OBJECT,
};
/* "string", "integer", "number", "array", "object". */
struct gh_str gh_evidence_kind_name(enum gh_evidence_kind kind);

struct gh_evidence_line {
    struct gh_str operation, location, name, pointer;
    enum gh_evidence_kind kind;
    double min, max;
    uint64_t count;
    bool extra;
};

struct gh_evidence {
    const struct gh_evidence_line *lines;
    size_t count;
};

/* GH_ERR_INVALID: *out_line is the number of the line that is not as above, *out_what says why.
   GH_ERR_FULL: too many lines. GH_ERR_MEMORY. The texts live in `arena`. */
GH_MUST_USE enum gh_err gh_evidence_parse(struct gh_arena *arena, struct gh_str text,
                                          struct gh_evidence *out_evidence, unsigned *out_line,
                                          const char **out_what);

/* The lines of both, in order, one for each place and kind. It borrows from both. GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_evidence_merge(struct gh_arena *arena, const struct gh_evidence *a,
                                          const struct gh_evidence *b,
                                          struct gh_evidence *out_evidence);
/* As gh_evidence_parse reads it. GH_ERR_FULL: longer than `bytes_max`. GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_evidence_write(struct gh_arena *arena,
                                          const struct gh_evidence *evidence, size_t bytes_max,
                                          struct gh_str *out_text);

#endif
