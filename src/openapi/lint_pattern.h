/* Inside lint: what a regular expression looks like. Nothing is matched; doubt counts as trouble.
 */
#ifndef GH_OPENAPI_LINT_PATTERN_H
#define GH_OPENAPI_LINT_PATTERN_H

#include "base/str.h"

struct gh_lint_pattern {
    bool is_anchored; /* each alternative begins with ^ and ends with $ */
    bool explodes;    /* something that repeats can be split in more than one way */
};
struct gh_lint_pattern gh_lint_pattern_look(struct gh_str pattern);

#endif
