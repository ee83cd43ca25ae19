#include "policy/route.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#define ROUTES_MAX 16

/* Routes as tests write them: "GET POST /path", or "/path" for all methods. */
struct fixture {
    struct gh_arena arena, request_arena;
    struct gh_config_load load;
    struct gh_route routes[ROUTES_MAX];
    struct gh_config_place places[ROUTES_MAX];
    size_t count;
    const struct gh_route_tree *tree;
};

static void add_route(struct fixture *f, const char *text)
{
    assert_true(f->count < ROUTES_MAX);
    struct gh_route *route = &f->routes[f->count];
    f->places[f->count] = (struct gh_config_place){(unsigned)f->count + 1, 3};
    struct gh_str rest = gh_str_from_c(text);
    size_t slash = gh_str_find_char(rest, '/');
    route->index = f->count++;
    route->pattern = gh_str_skip(rest, slash);
    route->methods = gh_str_first(rest, slash);
    rest = route->methods;
    while (rest.ptr && rest.len) {
        enum gh_method method = gh_method_of(gh_str_split(&rest, ' '));
        if (method == GH_METHOD_OTHER)
            continue;
        route->method_mask |= 1u << method;
        if (method == GH_METHOD_GET)
            route->method_mask |= 1u << GH_METHOD_HEAD;
    }
}

static void open_routes(struct fixture *f, const char *const *routes)
{
    *f = (struct fixture){0};
    gh_arena_init(&f->arena, 4096, 1 << 24);
    gh_arena_init(&f->request_arena, 4096, 1 << 16);
    gh_config_load_init(&f->load, &f->arena, "test", NULL, NULL);
    for (size_t i = 0; routes[i]; i++)
        add_route(f, routes[i]);
    f->tree = gh_route_tree_build(&f->load, f->routes, f->places, f->count);
}

static void close_routes(struct fixture *f)
{
    gh_arena_done(&f->arena);
    gh_arena_done(&f->request_arena);
}

/* "PATTERN a=1 b=2", "none", or "405 GET, HEAD" for a path and method. */
static const char *find(struct fixture *f, enum gh_method method, const char *path)
{
    const struct gh_route *route = NULL;
    struct gh_path_param params[GH_PATH_PARAMS_MAX];
    size_t count = 99;
    struct gh_str allow = {0};
    gh_arena_reset(&f->request_arena);
    switch (gh_route_find(f->tree, gh_str_from_c(path), method, &f->request_arena, &route, params,
                          &count, &allow)) {
    case GH_ROUTE_NONE:
        return "none";
    case GH_ROUTE_BAD_METHOD:
        return gh_arena_format(&f->request_arena, "405 %.*s", GH_STR_ARG(allow)).ptr;
    case GH_ROUTE_FOUND:
        break;
    }
    struct gh_str text = gh_arena_format(&f->request_arena, "%.*s", GH_STR_ARG(route->pattern));
    for (size_t i = 0; i < count; i++)
        text = gh_arena_format(&f->request_arena, "%.*s %.*s=%.*s", GH_STR_ARG(text),
                               GH_STR_ARG(params[i].name), GH_STR_ARG(params[i].value));
    return text.ptr;
}

static void expect(struct fixture *f, const char *path, const char *found)
{
    assert_string_equal(find(f, GH_METHOD_GET, path), found);
}

#define OPEN(f, ...)                                                                               \
    open_routes(f, (const char *const[]){__VA_ARGS__, NULL});                                      \
    assert_non_null((f)->tree)

static void the_most_specific_route_wins_whatever_its_place(void **state)
{
    (void)state;
    struct fixture f;
    OPEN(&f, "/**", "/users/**", "/users/{id}", "/users/{id}/keys", "/users/me", "/users/me/**");
    expect(&f, "/", "/**");
    expect(&f, "/other/thing", "/**");
    expect(&f, "/users", "/users/**");
    expect(&f, "/users/", "/users/**");
    expect(&f, "/users/7", "/users/{id} id=7");
    expect(&f, "/users/7/keys", "/users/{id}/keys id=7");
    expect(&f, "/users/7/other", "/users/**");
    expect(&f, "/users/me", "/users/me");
    expect(&f, "/users/me/keys", "/users/me/**");
    expect(&f, "/users/meh", "/users/{id} id=meh");
    close_routes(&f);
}

static void goes_back_when_the_more_specific_branch_ends(void **state)
{
    (void)state;
    struct fixture f;
    OPEN(&f, "/a/b/c/d", "/a/{x}/c/e", "/{w}/b/{y}/f", "/a/b/**", "/{p}/{q}/{r}/{s}/{t}");
    expect(&f, "/a/b/c/d", "/a/b/c/d");
    expect(&f, "/a/z/c/e", "/a/{x}/c/e x=z");
    expect(&f, "/a/b/c/e", "/a/b/**");
    expect(&f, "/a/b/c/f", "/a/b/**"); /* literal a before {w}, though {w} would match too */
    expect(&f, "/k/b/c/f", "/{w}/b/{y}/f w=k y=c");
    expect(&f, "/a/z/c/d/u", "/{p}/{q}/{r}/{s}/{t} p=a q=z r=c s=d t=u");
    expect(&f, "/a/z/c/d", "none");
    close_routes(&f);
}

static void a_rest_takes_also_nothing_and_a_final_slash(void **state)
{
    (void)state;
    struct fixture f;
    OPEN(&f, "/a/**", "/b/{id}/**");
    expect(&f, "/a", "/a/**");
    expect(&f, "/a/", "/a/**");
    expect(&f, "/a/b/c/", "/a/**");
    expect(&f, "/ab", "none");
    expect(&f, "/", "none");
    expect(&f, "/b/1", "/b/{id}/** id=1");
    expect(&f, "/b/1/2", "/b/{id}/** id=1");
    expect(&f, "/b", "none");
    expect(&f, "/b/", "none");
    close_routes(&f);
}

static void a_final_slash_is_another_path(void **state)
{
    (void)state;
    struct fixture f;
    OPEN(&f, "/", "/a", "/b/", "/c/{x}");
    expect(&f, "/", "/");
    expect(&f, "/a", "/a");
    expect(&f, "/a/", "none");
    expect(&f, "/b/", "/b/");
    expect(&f, "/b", "none");
    expect(&f, "/c/", "none"); /* a parameter is never empty */
    expect(&f, "/c/1/", "none");
    close_routes(&f);
}

static void compares_whole_segments_byte_for_byte(void **state)
{
    (void)state;
    struct fixture f;
    OPEN(&f, "/admin", "/caf%C3%A9", "/a%20b", "/x%2fy", "/%61bc", "/{n}/t~");
    expect(&f, "/Admin", "none");
    expect(&f, "/admi", "none");
    expect(&f, "/admin2", "none");
    expect(&f, "/caf%C3%A9", "/caf%C3%A9");
    expect(&f, "/a%20b", "/a%20b");
    expect(&f, "/x%2Fy", "/x%2fy"); /* patterns are normalised as paths are */
    expect(&f, "/abc", "/%61bc");
    expect(&f, "/a%2Fb/t~", "/{n}/t~ n=a%2Fb");
    close_routes(&f);
}

static void refuses_what_is_no_path(void **state)
{
    (void)state;
    struct fixture f;
    OPEN(&f, "/**");
    expect(&f, "", "none");
    expect(&f, "*", "none");
    expect(&f, "a/b", "none");
    close_routes(&f);
}

static void methods_choose_among_routes_of_the_most_specific_pattern(void **state)
{
    (void)state;
    struct fixture f;
    OPEN(&f, "GET /u/{id}", "DELETE PATCH /u/{user}", "POST /u/**", "OPTIONS /u/me", "PUT /v");
    assert_string_equal(find(&f, GH_METHOD_GET, "/u/1"), "/u/{id} id=1");
    assert_string_equal(find(&f, GH_METHOD_HEAD, "/u/1"), "/u/{id} id=1");
    assert_string_equal(find(&f, GH_METHOD_PATCH, "/u/1"), "/u/{user} user=1");
    assert_string_equal(find(&f, GH_METHOD_PUT, "/u/1"), "405 GET, HEAD, PATCH, DELETE");
    assert_string_equal(find(&f, GH_METHOD_GET, "/v"), "405 PUT");
    assert_string_equal(find(&f, GH_METHOD_GET, "/w"), "none");
    close_routes(&f);
}

static void a_method_never_falls_through_to_a_wider_pattern(void **state)
{
    (void)state;
    struct fixture f;
    OPEN(&f, "GET /u/{id}", "POST /u/**", "OPTIONS /u/me", "PUT /v", "/**");
    assert_string_equal(find(&f, GH_METHOD_POST, "/u/1"), "405 GET, HEAD");
    assert_string_equal(find(&f, GH_METHOD_POST, "/u/1/2"), "/u/**");
    assert_string_equal(find(&f, GH_METHOD_DELETE, "/u/1/2"), "405 POST");
    assert_string_equal(find(&f, GH_METHOD_GET, "/u/me"), "405 OPTIONS");
    assert_string_equal(find(&f, GH_METHOD_OTHER, "/u/me"), "405 OPTIONS");
    assert_string_equal(find(&f, GH_METHOD_GET, "/v"), "405 PUT");
    assert_string_equal(find(&f, GH_METHOD_GET, "/w"), "/**");
    close_routes(&f);
}

static void other_methods_need_a_route_without_a_list(void **state)
{
    (void)state;
    struct fixture f;
    OPEN(&f, "GET POST PUT PATCH DELETE OPTIONS /a", "/b");
    assert_string_equal(find(&f, GH_METHOD_OTHER, "/a"),
                        "405 GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    assert_string_equal(find(&f, GH_METHOD_OTHER, "/b"), "/b");
    close_routes(&f);
}

static void a_refusal_by_method_is_told_of_the_most_specific_route(void **state)
{
    (void)state;
    struct fixture f;
    OPEN(&f, "GET /**", "GET /a/{x}", "GET /a/b");
    const struct gh_route *route = NULL;
    struct gh_path_param params[GH_PATH_PARAMS_MAX];
    size_t count;
    struct gh_str allow;
    assert_int_equal(gh_route_find(f.tree, GH_STR("/a/b"), GH_METHOD_PUT, &f.request_arena, &route,
                                   params, &count, &allow),
                     GH_ROUTE_BAD_METHOD);
    assert_ptr_equal(route, &f.routes[2]);
    assert_int_equal(count, 0);
    close_routes(&f);
}

/* The only problem, which must say `what`. */
static void expect_problem(const char *const *routes, unsigned line, const char *what)
{
    struct fixture f;
    open_routes(&f, routes);
    assert_null(f.tree);
    assert_int_equal(f.load.error_count, 1);
    assert_int_equal(f.load.problems->place.line, line);
    if (gh_str_find(f.load.problems->what, gh_str_from_c(what)) == f.load.problems->what.len)
        fail_msg("%.*s", GH_STR_ARG(f.load.problems->what));
    close_routes(&f);
}

#define REFUSES(line, what, ...)                                                                   \
    expect_problem((const char *const[]){__VA_ARGS__, NULL}, line, what)

static void refuses_one_pattern_twice_with_a_common_method(void **state)
{
    (void)state;
    REFUSES(3, "lines 1 and 3 both take all methods of /a", "/a", "/b", "/a");
    REFUSES(2, "lines 1 and 2 both take GET of /u/{user}", "GET POST /u/{id}", "GET /u/{user}");
    REFUSES(2, "both take HEAD of /a", "GET /a", "HEAD /a");
    REFUSES(2, "both take POST of /a/**", "/a/**", "POST /a/**");
    REFUSES(2, "both take all methods of /%61", "/a", "/%61");
    REFUSES(2, "both take all methods of /x%2F", "/x%2f", "/x%2F");
}

static void refuses_malformed_patterns(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "/a//b",    "//",           "/a/./b",   "/a/../b",  "/..",       "/a/{",  "/a/}",  "/a/{}",
        "/a/x{id}", "/a/{id}x",     "/a/{1d}",  "/a/{i-d}", "/{a}/{a}",  "/**/a", "/a/*",  "/a/**b",
        "/***",     "/a?b",         "/a#b",     "/a b",     "/a%2",      "/a%zz", "/a%00", "/a\\b",
        "/a%5cb",   "/caf\xc3\xa9", "/a%C0%AF", "/a/{{b}}", "/a/{b}{c}", "/%ff",
    };
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        REFUSES(1, "the path \"", patterns[i]);
}

static void refuses_patterns_out_of_bounds(void **state)
{
    (void)state;
    char deep[1000] = "", wide[1000] = "";
    for (int i = 0; i < 65; i++)
        strcat(deep, "/a");
    for (int i = 0; i < 17; i++)
        sprintf(wide + strlen(wide), "/{p%d}", i);
    REFUSES(1, "too many segments", deep);
    REFUSES(1, "too many parameters", wide);
    deep[2 * 64] = '\0';
    struct fixture f;
    OPEN(&f, deep);
    expect(&f, deep, deep);
    close_routes(&f);
}

static void a_path_deeper_than_all_patterns_is_harmless(void **state)
{
    (void)state;
    struct fixture f;
    static char path[8193];
    for (size_t i = 0; i < 8192; i++)
        path[i] = i % 2 ? 'a' : '/';
    OPEN(&f, "/a/{b}/a/{c}", "/{d}/a/{e}/a", "/a/a/**");
    expect(&f, path, "/a/a/**");
    path[1] = 'b';
    expect(&f, path, "none");
    close_routes(&f);
}

/* A search must not become slow by design of the path: {a}/{b}/... beside literals everywhere. */
static void twins_at_every_depth_are_searched_once_each(void **state)
{
    (void)state;
    struct fixture f = {0};
    gh_arena_init(&f.arena, 1 << 16, 1 << 26);
    gh_arena_init(&f.request_arena, 4096, 1 << 16);
    gh_config_load_init(&f.load, &f.arena, "test", NULL, NULL);
    enum { DEPTH = 10, COUNT = 1 << DEPTH };
    static struct gh_route routes[COUNT];
    static struct gh_config_place places[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        struct gh_str pattern = GH_STR("");
        for (unsigned depth = 0; depth < DEPTH; depth++)
            pattern = i >> depth & 1
                          ? gh_arena_format(&f.arena, "%.*s/a", GH_STR_ARG(pattern))
                          : gh_arena_format(&f.arena, "%.*s/{p%u}", GH_STR_ARG(pattern), depth);
        routes[i] = (struct gh_route){.pattern = pattern, .index = i};
    }
    f.tree = gh_route_tree_build(&f.load, routes, places, COUNT);
    assert_non_null(f.tree);
    expect(&f, "/a/a/a/a/a/a/a/a/a/a", "/a/a/a/a/a/a/a/a/a/a");
    expect(&f, "/a/a/a/a/a/a/a/a/a/b", "/a/a/a/a/a/a/a/a/a/{p9} p9=b");
    expect(&f, "/b/a/a/a/a/a/a/a/a/a", "/{p0}/a/a/a/a/a/a/a/a/a p0=b");
    expect(&f, "/a/a/a/a/a/a/a/a/a/a/a", "none");
    close_routes(&f);
}

static void ten_thousand_routes_are_all_found(void **state)
{
    (void)state;
    struct fixture f = {0};
    gh_arena_init(&f.arena, 1 << 16, 1 << 26);
    gh_arena_init(&f.request_arena, 4096, 1 << 16);
    gh_config_load_init(&f.load, &f.arena, "test", NULL, NULL);
    enum { COUNT = 10000 };
    static struct gh_route routes[COUNT];
    static struct gh_config_place places[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        routes[i] = (struct gh_route){
            .pattern = gh_arena_format(&f.arena, "/api/service%u/{id}/part", i), .index = i};
    f.tree = gh_route_tree_build(&f.load, routes, places, COUNT);
    assert_non_null(f.tree);
    for (unsigned i = 0; i < COUNT; i++) {
        char path[64], found[64];
        snprintf(path, sizeof(path), "/api/service%u/%u/part", i, i);
        snprintf(found, sizeof(found), "/api/service%u/{id}/part id=%u", i, i);
        expect(&f, path, found);
    }
    expect(&f, "/api/service10000/1/part", "none");
    close_routes(&f);
}

static void a_full_arena_gives_no_tree(void **state)
{
    (void)state;
    for (size_t max = 0; max < 4000; max += 40) {
        struct fixture f = {0};
        gh_arena_init(&f.arena, 64, max);
        gh_config_load_init(&f.load, &f.arena, "test", NULL, NULL);
        add_route(&f, "/a/{b}/c");
        add_route(&f, "/a/{b}/d");
        const struct gh_route_tree *tree =
            gh_route_tree_build(&f.load, f.routes, f.places, f.count);
        if (tree)
            assert_int_equal(f.load.error_count, 0);
        gh_arena_done(&f.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_route_wins_whatever_its_place),
        cmocka_unit_test(goes_back_when_the_more_specific_branch_ends),
        cmocka_unit_test(a_rest_takes_also_nothing_and_a_final_slash),
        cmocka_unit_test(a_final_slash_is_another_path),
        cmocka_unit_test(compares_whole_segments_byte_for_byte),
        cmocka_unit_test(refuses_what_is_no_path),
        cmocka_unit_test(methods_choose_among_routes_of_the_most_specific_pattern),
        cmocka_unit_test(a_method_never_falls_through_to_a_wider_pattern),
        cmocka_unit_test(other_methods_need_a_route_without_a_list),
        cmocka_unit_test(a_refusal_by_method_is_told_of_the_most_specific_route),
        cmocka_unit_test(refuses_one_pattern_twice_with_a_common_method),
        cmocka_unit_test(refuses_malformed_patterns),
        cmocka_unit_test(refuses_patterns_out_of_bounds),
        cmocka_unit_test(a_path_deeper_than_all_patterns_is_harmless),
        cmocka_unit_test(twins_at_every_depth_are_searched_once_each),
        cmocka_unit_test(ten_thousand_routes_are_all_found),
        cmocka_unit_test(a_full_arena_gives_no_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
