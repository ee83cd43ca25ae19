/*
 * A tree over path segments. A lookup walks it depth first, literal child before parameter before
 * rest, so the first pattern it comes to is the most specific one, and decides: a method that its
 * routes do not take is refused, never left to a wider pattern, which may be less guarded. It
 * visits a node at most once (a tree, not a graph), and nodes with a parameter beside a literal are
 * few, so the cost is that of the path's segments, however many routes there are.
 *
 * The children of a node are hashed without a secret: outsiders choose what is looked up, not what
 * is in the table.
 */
#include "policy/route.h"

#include "policy/route_pattern.h"

#define CHILDREN_CAP_MIN 4

/* Spares the hardened build clearing the whole stack of a search for each request. */
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#else
#define UNINITIALIZED
#endif

/* A route at the place where its pattern ends. */
struct candidate {
    const struct gh_route *route;
    uint32_t methods; /* bits, all of them for a route without a list */
    struct gh_str *param_names;
    size_t param_count;
    struct candidate *next;
};

struct node;

struct child {
    struct gh_str segment;
    struct node *node; /* NULL: an empty slot */
};

struct node {
    struct child *children;
    uint32_t child_count, child_cap; /* the cap is a power of two, or 0 */
    struct node *param;
    struct candidate *exact; /* patterns that end here */
    struct candidate *rest;  /* patterns that go on with "**" */
};

struct gh_route_tree {
    struct node root;
};

/* FNV-1a. */
static uint32_t hash_segment(struct gh_str segment)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < segment.len; i++)
        hash = (hash ^ (uint8_t)segment.ptr[i]) * 16777619u;
    return hash ^ hash >> 15;
}

/* The slot of a segment, or the empty one where it would go. */
static struct child *child_slot(const struct node *node, struct gh_str segment)
{
    uint32_t at = hash_segment(segment);
    for (;; at++) {
        struct child *child = &node->children[at & (node->child_cap - 1)];
        if (!child->node || gh_str_eq(child->segment, segment))
            return child;
    }
}

static const struct node *find_child(const struct node *node, struct gh_str segment)
{
    return node->child_count ? child_slot(node, segment)->node : NULL;
}

/* ---- Building ---- */

struct build {
    struct gh_config_load *load;
    const struct gh_route *routes;
    const struct gh_config_place *places;
    bool failed;
};

static bool grow_children(struct gh_arena *arena, struct node *node)
{
    struct node grown = *node;
    grown.child_cap = node->child_cap ? 2 * node->child_cap : CHILDREN_CAP_MIN;
    grown.children = gh_arena_zalloc(arena, grown.child_cap, sizeof(*grown.children));
    if (!grown.children)
        return false;
    for (uint32_t i = 0; i < node->child_cap; i++) {
        if (node->children[i].node)
            *child_slot(&grown, node->children[i].segment) = node->children[i];
    }
    *node = grown;
    return true;
}

/* The child for a literal, made when it is not there; NULL: no memory. */
static struct node *literal_child(struct gh_arena *arena, struct node *node, struct gh_str segment)
{
    /* At most three quarters full. */
    if (4 * (node->child_count + 1) > 3 * node->child_cap && !grow_children(arena, node))
        return NULL;
    struct child *child = child_slot(node, segment);
    if (!child->node) {
        child->node = gh_arena_zalloc(arena, 1, sizeof(*child->node));
        child->segment = segment;
        node->child_count += child->node != NULL;
    }
    return child->node;
}

static struct node *param_child(struct gh_arena *arena, struct node *node)
{
    if (!node->param)
        node->param = gh_arena_zalloc(arena, 1, sizeof(*node->param));
    return node->param;
}

static uint32_t methods_of(const struct gh_route *route)
{
    return route->methods.len ? route->method_mask : (1u << GH_METHOD_COUNT) - 1;
}

/* A problem when a route with the same pattern has one of the methods; true: there is none. */
static bool check_overlap(struct build *build, const struct candidate *first,
                          const struct candidate *added)
{
    size_t index = (size_t)(added->route - build->routes);
    for (const struct candidate *other = first; other; other = other->next) {
        uint32_t common = other->methods & added->methods;
        if (!common)
            continue;
        struct gh_config_place there = build->places[other->route - build->routes];
        bool all = common == (1u << GH_METHOD_COUNT) - 1;
        struct gh_str method =
            all ? GH_STR("all methods") : gh_method_name((enum gh_method)__builtin_ctz(common));
        gh_config_problem_add(
            build->load, GH_CONFIG_ERROR, build->places[index],
            "give each its own methods (GET includes HEAD), or drop one of the routes",
            "the routes on lines %u and %u both take %.*s of %.*s", there.line,
            build->places[index].line, GH_STR_ARG(method), GH_STR_ARG(added->route->pattern));
        return false;
    }
    return true;
}

static bool add_candidate(struct build *build, struct candidate **list,
                          const struct gh_route *route, const struct gh_route_pattern *pattern)
{
    struct gh_arena *arena = build->load->arena;
    struct candidate *added = gh_arena_zalloc(arena, 1, sizeof(*added));
    struct gh_str *names = gh_arena_zalloc(arena, pattern->param_count, sizeof(*names));
    if (!added || !names)
        return false;
    for (size_t i = 0; i < pattern->count; i++) {
        if (pattern->segments[i].is_param)
            names[added->param_count++] = pattern->segments[i].text;
    }
    added->route = route;
    added->methods = methods_of(route);
    added->param_names = names;
    if (!check_overlap(build, *list, added))
        return false;
    while (*list)
        list = &(*list)->next;
    *list = added;
    return true;
}

static bool add_route(struct build *build, struct gh_route_tree *tree, const struct gh_route *route)
{
    struct gh_arena *arena = build->load->arena;
    struct gh_route_pattern pattern;
    const char *wrong = gh_route_pattern_parse(route->pattern, arena, &pattern);
    if (wrong) {
        gh_config_problem_add(
            build->load, GH_CONFIG_ERROR, build->places[route - build->routes],
            "literal segments, {name} for one segment, ** at the end for any rest",
            "the path \"%.*s\": %s", GH_STR_ARG(route->pattern), wrong);
        return false;
    }
    struct node *node = &tree->root;
    for (size_t i = 0; i < pattern.count && node; i++)
        node = pattern.segments[i].is_param ? param_child(arena, node)
                                            : literal_child(arena, node, pattern.segments[i].text);
    return node && add_candidate(build, pattern.rest ? &node->rest : &node->exact, route, &pattern);
}

const struct gh_route_tree *gh_route_tree_build(struct gh_config_load *load,
                                                const struct gh_route *routes,
                                                const struct gh_config_place *places, size_t count)
{
    struct build build = {load, routes, places, false};
    struct gh_route_tree *tree = gh_arena_zalloc(load->arena, 1, sizeof(*tree));
    if (!tree)
        return NULL;
    for (size_t i = 0; i < count; i++)
        build.failed |= !add_route(&build, tree, &routes[i]);
    return build.failed ? NULL : tree;
}

/* ---- Finding ---- */

enum step { STEP_LITERAL, STEP_PARAM, STEP_REST, STEP_BACK };

/* A node on the way, and what has been tried from it. */
struct frame {
    const struct node *node;
    size_t at;           /* where the next segment begins; path.len + 1: there is none */
    size_t len;          /* of that segment */
    struct gh_str value; /* of the parameter by which the node was reached; ptr NULL: none */
    enum step step;
};

struct search {
    struct gh_str path;
    struct frame frames[GH_ROUTE_SEGMENTS_MAX + 1];
    size_t depth;
    const struct candidate *pattern; /* the routes of the pattern that matches; NULL: none yet */
};

static void push(struct search *search, const struct node *node, size_t at, struct gh_str value)
{
    size_t len = gh_str_find_char(gh_str_skip(search->path, at), '/');
    /* The tree is no deeper than patterns are long. */
    search->frames[search->depth++] =
        (struct frame){.node = node, .at = at, .len = len, .value = value};
}

/* One step from the top frame; the search is over when it has set search->pattern. */
static void take_step(struct search *search)
{
    struct frame *frame = &search->frames[search->depth - 1];
    const struct node *node = frame->node;
    const struct gh_str none = {NULL, 0};
    if (frame->at > search->path.len) {
        search->depth--;
        search->pattern = node->exact ? node->exact : node->rest;
        return;
    }
    struct gh_str segment = gh_str_of(search->path.ptr + frame->at, frame->len);
    size_t next_at = frame->at + segment.len + 1;
    const struct node *child;
    switch (frame->step) {
    case STEP_LITERAL:
        frame->step = STEP_PARAM;
        child = find_child(node, segment);
        if (child)
            push(search, child, next_at, none);
        return;
    case STEP_PARAM:
        frame->step = STEP_REST;
        if (node->param && segment.len)
            push(search, node->param, next_at, segment);
        return;
    case STEP_REST:
        frame->step = STEP_BACK;
        search->pattern = node->rest;
        return;
    case STEP_BACK:
        break;
    }
    search->depth--;
}

static void put_params(const struct search *search, size_t depth, const struct candidate *found,
                       struct gh_path_param *out_params, size_t *out_param_count)
{
    size_t count = 0;
    for (size_t i = 0; i < depth && count < found->param_count; i++) {
        if (search->frames[i].value.ptr) {
            out_params[count].name = found->param_names[count];
            out_params[count].value = search->frames[i].value;
            count++;
        }
    }
    *out_param_count = count;
}

static struct gh_str write_allow(struct gh_arena *arena, const struct candidate *list)
{
    char text[128];
    struct gh_buf out = gh_buf_over(text, sizeof(text));
    uint32_t methods = 0;
    for (const struct candidate *candidate = list; candidate; candidate = candidate->next)
        methods |= candidate->methods;
    for (unsigned method = 0; method < GH_METHOD_COUNT; method++) {
        if (methods & 1u << method) {
            gh_buf_put(&out, out.len ? GH_STR(", ") : GH_STR(""));
            gh_buf_put(&out, gh_method_name((enum gh_method)method));
        }
    }
    return gh_arena_dup(arena, gh_buf_str(&out));
}

enum gh_route_found gh_route_find(const struct gh_route_tree *tree, struct gh_str path,
                                  enum gh_method method, struct gh_arena *arena,
                                  const struct gh_route **out_route,
                                  struct gh_path_param *out_params, size_t *out_param_count,
                                  struct gh_str *out_allow)
{
    struct search search UNINITIALIZED;
    if (path.len == 0 || path.ptr[0] != '/')
        return GH_ROUTE_NONE;
    search.path = path;
    search.depth = 0;
    search.pattern = NULL;
    push(&search, &tree->root, 1, (struct gh_str){NULL, 0});
    size_t depth = 0;
    while (!search.pattern && search.depth > 0) {
        depth = search.depth;
        take_step(&search);
    }
    const struct candidate *found = search.pattern;
    if (!found)
        return GH_ROUTE_NONE;
    while (found && !(found->methods & 1u << method))
        found = found->next;
    if (found) {
        *out_route = found->route;
        put_params(&search, depth, found, out_params, out_param_count);
        return GH_ROUTE_FOUND;
    }
    *out_route = search.pattern->route;
    *out_param_count = 0;
    *out_allow = write_allow(arena, search.pattern);
    return GH_ROUTE_BAD_METHOD;
}
