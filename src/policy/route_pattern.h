/* Path patterns of routes as texts: their grammar and what is refused. Internal to route.c. */
#ifndef GH_POLICY_ROUTE_PATTERN_H
#define GH_POLICY_ROUTE_PATTERN_H

#include "base/arena.h"
#include "policy/request.h"

/* Deeper than any API; it bounds the stack of a search. */
#define GH_ROUTE_SEGMENTS_MAX 64

struct gh_route_segment {
    bool is_param;
    struct gh_str text; /* a literal as in canonical paths, or the parameter's name */
};

struct gh_route_pattern {
    struct gh_route_segment segments[GH_ROUTE_SEGMENTS_MAX];
    size_t count;
    size_t param_count;
    bool rest; /* "**" at the end */
};

/*
 * Reads a pattern. NULL when it is good, else what is wrong with it, fit for "the path ...: %s".
 * Texts are slices of `text` or live in `arena`. Literals are normalised as paths are
 * (gh_path_normalise), so that they match canonical paths whatever way they were written.
 */
const char *gh_route_pattern_parse(struct gh_str text, struct gh_arena *arena,
                                   struct gh_route_pattern *out_pattern);

#endif
