/*
 * From `input` of a route and the loaded document to a rule. The document's operations become
 * patterns of the same tree that routes are found by; its parameters get names of ours there, since
 * OpenAPI lets them have any.
 */
#include "policy/input.h"

#include "policy/policy.h"

#define PATTERN_BYTES_MAX 4096

static void add_full(struct gh_config_load *load)
{
    gh_config_problem_add(load, GH_CONFIG_ERROR, (struct gh_config_place){0}, NULL,
                          "the configuration needs more memory than it may have");
}

/* ---- Patterns ---- */

/* Braces of a whole segment get a name of ours; "*" in a literal is written as an escape. */
static void put_template(struct gh_buf *out, struct gh_str path)
{
    unsigned number = 0;
    for (struct gh_str rest = gh_str_skip(path, 1); rest.ptr;) {
        struct gh_str segment = gh_str_split(&rest, '/');
        gh_buf_put_char(out, '/');
        if (segment.len && segment.ptr[0] == '{') {
            gh_buf_format(out, "{p%u}", number++);
            continue;
        }
        for (size_t i = 0; i < segment.len; i++)
            gh_buf_put(out, segment.ptr[i] == '*' ? GH_STR("%2A") : gh_str_of(segment.ptr + i, 1));
    }
}

static struct gh_str make_pattern(struct gh_arena *arena, struct gh_str base, struct gh_str path)
{
    char memory[PATTERN_BYTES_MAX];
    struct gh_buf out = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&out, base);
    put_template(&out, path);
    return out.overflow ? (struct gh_str){0} : gh_arena_dup(arena, gh_buf_str(&out));
}

/* A GET answers HEAD too, unless the document says what HEAD is. */
static uint32_t method_mask(const struct gh_openapi *document,
                            const struct gh_openapi_operation *operation)
{
    enum gh_method method = gh_method_of(operation->method);
    uint32_t mask = 1u << method;
    if (method != GH_METHOD_GET)
        return mask;
    for (size_t i = 0; i < document->operation_count; i++) {
        const struct gh_openapi_operation *other = &document->operations[i];
        if (gh_str_eq(other->method, GH_STR("HEAD")) && gh_str_eq(other->path, operation->path))
            return mask;
    }
    return mask | 1u << GH_METHOD_HEAD;
}

static bool make_operation(struct gh_arena *arena, struct gh_input_api *api, size_t index)
{
    const struct gh_openapi_operation *declared = &api->document->operations[index];
    struct gh_route *pattern = &api->patterns[index];
    struct gh_input_operation *operation = &api->operations[index];
    pattern->pattern = make_pattern(arena, api->base_path, declared->path);
    pattern->index = index;
    pattern->methods = declared->method;
    pattern->method_mask = method_mask(api->document, declared);
    operation->declared = declared;
    operation->label = declared->id.len
                           ? declared->id
                           : gh_arena_format(arena, "%.*s %.*s", GH_STR_ARG(declared->method),
                                             GH_STR_ARG(declared->path));
    return pattern->pattern.ptr && operation->label.ptr;
}

/* ---- A document at a base path ---- */

static struct gh_str base_path_of(const struct gh_input_settings *settings)
{
    struct gh_str base =
        settings->base_path_given ? settings->base_path : settings->document->base_path;
    while (base.len && base.ptr[base.len - 1] == '/')
        base.len--;
    return base;
}

static size_t count_all(const struct gh_input_api *apis)
{
    return apis ? apis->operations[0].number + apis->operation_count : 0;
}

static bool make_operations(struct gh_config_load *load, const struct gh_input_settings *settings,
                            struct gh_input_api *api, size_t first_number)
{
    size_t count = api->document->operation_count;
    struct gh_config_place *places = gh_arena_zalloc(load->arena, count, sizeof(*places));
    api->patterns = gh_arena_zalloc(load->arena, count, sizeof(*api->patterns));
    api->operations = gh_arena_zalloc(load->arena, count, sizeof(*api->operations));
    if (!places || !api->patterns || !api->operations)
        return false;
    for (size_t i = 0; i < count; i++) {
        places[i] = gh_config_where(load, &settings->openapi);
        if (!make_operation(load->arena, api, i))
            return false;
        api->operations[i].number = first_number + i;
    }
    api->operation_count = count;
    unsigned before = load->error_count;
    api->tree = gh_route_tree_build(load, api->patterns, places, count);
    return api->tree || load->error_count > before;
}

static struct gh_input_api *find_api(struct gh_config_load *load,
                                     const struct gh_input_settings *settings,
                                     struct gh_input_api **apis)
{
    struct gh_str base = base_path_of(settings);
    for (struct gh_input_api *api = *apis; api; api = api->next)
        if (api->document == settings->document && gh_str_eq(api->base_path, base))
            return api;
    struct gh_input_api *api = gh_arena_zalloc(load->arena, 1, sizeof(*api));
    if (!api) {
        add_full(load);
        return NULL;
    }
    api->document = settings->document;
    api->base_path = base;
    if (!make_operations(load, settings, api, count_all(*apis))) {
        add_full(load);
        return NULL;
    }
    if (!api->tree)
        return NULL;
    api->next = *apis;
    *apis = api;
    return api;
}

/* ---- The rule ---- */

/* A brace would be read as a parameter, and all parameters behind it as others. */
static bool check_base_path(struct gh_config_load *load, const struct gh_input_settings *settings)
{
    struct gh_str base = base_path_of(settings);
    if (!base.len ||
        (base.ptr[0] == '/' &&
         gh_str_find_char(base, '{') + gh_str_find_char(base, '*') + gh_str_find_char(base, '}') ==
             3 * base.len))
        return true;
    gh_config_problem_add(load, GH_CONFIG_ERROR,
                          settings->base_path_given ? gh_config_where(load, &settings->base_path)
                                                    : gh_config_where(load, &settings->openapi),
                          "set input.base_path to a path such as /api/v1, or \"\" for none",
                          "\"%.*s\" can't stand before the document's paths",
                          GH_STR_ARG(gh_config_show(load->arena, base)));
    return false;
}

static void set_limits(struct gh_input_rule *rule, const struct gh_input_settings *settings,
                       uint64_t request_body_max)
{
    rule->body_max = settings->body < request_body_max ? settings->body : request_body_max;
    rule->limits = gh_input_usual;
    rule->limits.violations_max = (size_t)settings->violations;
    rule->limits.schema.violations_max = (size_t)settings->violations;
    rule->limits.json.bytes_max = (size_t)rule->body_max;
    rule->limits.json.depth_max = (unsigned)settings->depth;
    rule->limits.form.bytes_max = (size_t)rule->body_max;
    rule->limits.multipart.bytes_max = request_body_max;
    rule->limits.multipart.part_bytes_max = request_body_max;
}

const struct gh_input_rule *gh_input_compile(struct gh_config_load *load,
                                             const struct gh_input_settings *settings,
                                             uint64_t request_body_max, struct gh_input_api **apis)
{
    if (!settings->openapi.len) {
        struct gh_config_place place = gh_config_where(load, settings);
        if (place.line)
            gh_config_problem_add(load, GH_CONFIG_ERROR, place, "add openapi: FILE",
                                  "input names no document");
        return NULL;
    }
    if (settings->mode == GH_MODE_OFF)
        return NULL;
    if (!settings->document) { /* what is not there must not be let pass */
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->openapi),
                              NULL, "the document %.*s was not read",
                              GH_STR_ARG(gh_config_show(load->arena, settings->openapi)));
        return NULL;
    }
    if (!settings->document->operation_count) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->openapi),
                              NULL, "the document %.*s has no operations",
                              GH_STR_ARG(gh_config_show(load->arena, settings->openapi)));
        return NULL;
    }
    if (!check_base_path(load, settings))
        return NULL;
    struct gh_input_rule *rule = gh_arena_zalloc(load->arena, 1, sizeof(*rule));
    if (!rule) {
        add_full(load);
        return NULL;
    }
    rule->api = find_api(load, settings, apis);
    rule->file = settings->openapi;
    rule->mode = settings->mode;
    rule->observe_responses = settings->responses == GH_INPUT_RESPONSES_OBSERVE;
    rule->undeclared = settings->undeclared;
    rule->evidence = settings->collector;
    set_limits(rule, settings, request_body_max);
    return rule->api ? rule : NULL;
}

/* ---- Finding ---- */

enum gh_route_found gh_input_find(const struct gh_input_api *api, struct gh_str path,
                                  enum gh_method method, struct gh_arena *arena,
                                  const struct gh_input_operation **out_operation,
                                  struct gh_str *out_values, size_t *out_value_count,
                                  struct gh_str *out_allow)
{
    struct gh_path_param params[GH_PATH_PARAMS_MAX];
    const struct gh_route *pattern = NULL;
    size_t count = 0;
    enum gh_route_found found =
        gh_route_find(api->tree, path, method, arena, &pattern, params, &count, out_allow);
    if (found != GH_ROUTE_FOUND)
        return found;
    *out_operation = &api->operations[pattern->index];
    for (size_t i = 0; i < count; i++)
        out_values[i] = params[i].value;
    *out_value_count = count;
    return found;
}

const struct gh_input_api *gh_policy_input_apis(const struct gh_policy *policy,
                                                size_t *out_operation_count)
{
    *out_operation_count = count_all(policy->input_apis);
    return policy->input_apis;
}
