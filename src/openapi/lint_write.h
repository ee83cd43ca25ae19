/* Inside lint: what all ways of writing findings share. */
#ifndef GH_OPENAPI_LINT_WRITE_H
#define GH_OPENAPI_LINT_WRITE_H

#include "base/buf.h"
#include "openapi/lint.h"

const char *gh_lint_severity_name(enum gh_lint_severity severity);
/* Is it at or above the threshold? */
bool gh_lint_is_told(const struct gh_lint_record *record, const struct gh_lint_finding *finding);
/* "POST /pets", or "the document"; cut to what the buffer holds. */
void gh_lint_put_operation(struct gh_buf *buf, const struct gh_openapi *openapi,
                           uint32_t operation);
/* Bytes that a terminal would obey become "?". */
void gh_lint_write_tame(FILE *out, struct gh_str text);

#define GH_LINT_OPERATION_BYTES_MAX 512

#endif
