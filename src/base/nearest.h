/* What somebody may have meant, for messages. */
#ifndef GH_BASE_NEAREST_H
#define GH_BASE_NEAREST_H

#include "base/str.h"

/* Of several candidates the one nearest to `name` (optimal string alignment, at most a third of its
   length apart but at least one; letters of either case are equal), or NULL. */
const char *gh_nearest(struct gh_str name, const char *const *candidates, size_t count);

#endif
