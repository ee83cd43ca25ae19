/*
 * Routes: lines of patterns, the last line a path. Whatever they are, the tree must find the route
 * that a plain comparison of all patterns finds, with the same parameters.
 */
#include "base/assert.h"
#include "policy/route.h"
#include "policy/route_pattern.h"

#define ROUTES_MAX 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* True when the pattern takes the path; *out_values are its parameters'. */
static bool matches(const struct gh_route_pattern *pattern, struct gh_str path,
                    struct gh_str *out_values)
{
    struct gh_str rest = gh_str_skip(path, 1);
    size_t values = 0;
    for (size_t i = 0; i < pattern->count; i++) {
        if (!rest.ptr)
            return false;
        struct gh_str segment = gh_str_split(&rest, '/');
        if (pattern->segments[i].is_param && segment.len)
            out_values[values++] = segment;
        else if (pattern->segments[i].is_param || !gh_str_eq(segment, pattern->segments[i].text))
            return false;
    }
    return !rest.ptr || pattern->rest;
}

/* Literal 0, parameter 1, nothing more 2, rest 3: the smaller one is the more specific. */
static int rank(const struct gh_route_pattern *pattern, size_t i)
{
    if (i < pattern->count)
        return pattern->segments[i].is_param;
    return pattern->rest ? 3 : 2;
}

static bool is_more_specific(const struct gh_route_pattern *a, const struct gh_route_pattern *b)
{
    for (size_t i = 0; i <= GH_ROUTE_SEGMENTS_MAX; i++) {
        if (rank(a, i) != rank(b, i))
            return rank(a, i) < rank(b, i);
    }
    return false;
}

static void check(const struct gh_route_tree *tree, const struct gh_route *routes,
                  const struct gh_route_pattern *patterns, size_t count, struct gh_str path,
                  struct gh_arena *arena)
{
    struct gh_str best_values[GH_PATH_PARAMS_MAX], values[GH_PATH_PARAMS_MAX];
    size_t best = count;
    for (size_t i = 0; path.len && path.ptr[0] == '/' && i < count; i++) {
        if (matches(&patterns[i], path, values) &&
            (best == count || is_more_specific(&patterns[i], &patterns[best]))) {
            best = i;
            memcpy(best_values, values, sizeof(values));
        }
    }
    const struct gh_route *route = NULL;
    struct gh_path_param params[GH_PATH_PARAMS_MAX];
    size_t param_count = 0;
    struct gh_str allow;
    enum gh_route_found found =
        gh_route_find(tree, path, GH_METHOD_GET, arena, &route, params, &param_count, &allow);
    GH_ASSERT(found == (best < count ? GH_ROUTE_FOUND : GH_ROUTE_NONE));
    if (found != GH_ROUTE_FOUND)
        return;
    GH_ASSERT(route == &routes[best]);
    GH_ASSERT(param_count == patterns[best].param_count);
    for (size_t i = 0; i < param_count; i++)
        GH_ASSERT(params[i].value.ptr == best_values[i].ptr &&
                  params[i].value.len == best_values[i].len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gh_route_pattern patterns[ROUTES_MAX];
    struct gh_route routes[ROUTES_MAX] = {0};
    struct gh_config_place places[ROUTES_MAX] = {0};
    struct gh_arena arena;
    struct gh_config_load load;
    size_t count = 0;
    gh_arena_init(&arena, 1 << 14, 1 << 24);
    gh_config_load_init(&load, &arena, "fuzz", NULL, NULL);
    struct gh_str rest = gh_str_of((const char *)data, size), line = {0};
    while (rest.ptr) {
        line = gh_str_split(&rest, '\n');
        if (!rest.ptr || count == ROUTES_MAX)
            break;
        if (!gh_route_pattern_parse(line, &arena, &patterns[count]))
            routes[count++].pattern = line;
    }
    const struct gh_route_tree *tree = gh_route_tree_build(&load, routes, places, count);
    /* What parses is refused only when it stands twice. */
    GH_ASSERT(tree || load.error_count > 0);
    if (tree)
        check(tree, routes, patterns, count, line, &arena);
    gh_arena_done(&arena);
    return 0;
}
