/*
 * Routes: which one takes a request. The most specific match wins, not the first; the cost does not
 * grow with their number (a tree over path segments).
 *
 * Patterns: literal segments, "{name}" for one segment, "**" at the end for any rest (also none).
 * More specific: at the first segment where two patterns differ, literal before {name} before **.
 * Routes of one pattern may differ in methods.
 */
#ifndef GH_POLICY_ROUTE_H
#define GH_POLICY_ROUTE_H

#include "policy/request.h"
#include "policy/settings.h"

struct gh_header_block;
struct gh_input_rule;
struct gh_rate_policy;

/* A compiled route, frozen. */
struct gh_route {
    struct gh_str pattern; /* as written: the label in logs and metrics */
    size_t index;          /* in the file's order */
    struct gh_str methods; /* "GET, HEAD, POST": for Allow; empty: all methods */
    uint32_t method_mask;  /* bit per enum gh_method; other methods only when methods is empty */
    enum gh_target_kind target;
    size_t upstream;
    uint64_t request_body_max;
    uint64_t response_timeout_ms, idle_timeout_ms; /* 0: the upstream's */
    bool websocket;
    enum gh_encoded encoded;
    bool scrub_errors;
    enum gh_mode cors_mode, cross_site_mode;
    struct gh_access_rule access;
    bool sets_session;   /* an endpoint where somebody may come with an old session */
    bool gives_session;  /* in cookies */
    size_t ask_body_max; /* such an endpoint takes a JSON body of at most so many bytes; 0: none */
    const size_t *rate_limits; /* indices into the policy's rate policies */
    size_t rate_limit_count;
    uint8_t rate_points;    /* bit per enum gh_rate_point: some limit is judged there */
    uint8_t observed_rates; /* the same of limits that are observed only */
    const struct gh_header_block *block; /* response headers of this route */
    const struct gh_input_rule *input;   /* NULL: nothing is judged */
};

/* What compiling a route has to know beside its own settings. */
struct gh_route_context {
    const struct gh_str *upstream_names; /* the order gh_route.upstream counts in */
    size_t upstream_count;
    const struct gh_rate_policy *rates; /* compiled before the routes; may be NULL without any */
    size_t rate_count;
    uint64_t request_body_max;                 /* limits.request_body */
    bool scrub_errors;                         /* what GH_ERRORS_DEFAULT means */
    enum gh_mode cors_mode, cross_site_mode;   /* for routes that do not give their own */
    const struct gh_policy_identity *identity; /* NULL: off */
    bool production, unsafe_observe_access;
};

/*
 * Fills *out_route, all but `block` and `input`, from one entry of `routes`; `index` is its place
 * in the list. Unknown names of upstreams and rate limits, unknown methods and a missing upstream
 * are problems on `load`. False when there was one, or without memory.
 */
bool gh_route_compile(struct gh_config_load *load, const struct gh_route_settings *settings,
                      size_t index, const struct gh_route_context *context,
                      struct gh_route *out_route);

/* Sets rate_points and observed_rates from rate_limits. */
void gh_route_note_rates(struct gh_route *route, const struct gh_rate_policy *rates);

struct gh_route_tree;

/* Builds the tree; a pattern that is malformed or stands twice with overlapping methods
   is a problem on `load` at `places[i]`, the place of its path. NULL when there was one. The tree
   lives in load->arena; routes are borrowed. */
const struct gh_route_tree *gh_route_tree_build(struct gh_config_load *load,
                                                const struct gh_route *routes,
                                                const struct gh_config_place *places, size_t count);

enum gh_route_found {
    GH_ROUTE_NONE,       /* no pattern matches */
    GH_ROUTE_BAD_METHOD, /* *out_route has the most specific pattern; none of its methods fits */
    GH_ROUTE_FOUND,
};

/*
 * The route for a canonical path and a method (HEAD matches GET). Parameters are slices of `path`.
 * The most specific pattern that matches the path decides: when none of its routes takes the method
 * it is BAD_METHOD, and *out_allow (in `arena`) names the methods that they take. A wider pattern
 * is never asked, because it may be less guarded.
 */
enum gh_route_found gh_route_find(const struct gh_route_tree *tree, struct gh_str path,
                                  enum gh_method method, struct gh_arena *arena,
                                  const struct gh_route **out_route,
                                  struct gh_path_param *out_params, size_t *out_param_count,
                                  struct gh_str *out_allow);

#endif
