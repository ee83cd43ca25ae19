#include "policy/route_pattern.h"

#include "http/target.h"

/* A name as in "{user_id}". */
static bool is_name(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = gh_ascii_lower(text.ptr[i]);
        bool digit = c >= '0' && c <= '9';
        if (!((c >= 'a' && c <= 'z') || c == '_' || (digit && i > 0)))
            return false;
    }
    return text.len > 0;
}

static bool has_any(struct gh_str text, const char *characters)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] && strchr(characters, text.ptr[i]))
            return true;
    }
    return false;
}

static const char *parse_param(struct gh_str name, struct gh_route_pattern *pattern)
{
    if (!is_name(name))
        return "a parameter's name has letters, digits and _, and begins with no digit";
    if (pattern->param_count == GH_PATH_PARAMS_MAX)
        return "it has too many parameters";
    for (size_t i = 0; i < pattern->count; i++) {
        if (pattern->segments[i].is_param && gh_str_eq(pattern->segments[i].text, name))
            return "it has two parameters of one name";
    }
    pattern->param_count++;
    pattern->segments[pattern->count++] = (struct gh_route_segment){true, name};
    return NULL;
}

static const char *parse_literal(struct gh_str segment, struct gh_arena *arena,
                                 struct gh_route_pattern *pattern)
{
    if (has_any(segment, "{}"))
        return "a {parameter} is a whole segment";
    if (has_any(segment, "*"))
        return "** stands alone at the end, and * nowhere else (a literal one is %2A)";
    if (has_any(segment, "?#"))
        return "a query or fragment is no part of a path";
    struct gh_str as_path = gh_arena_format(arena, "/%.*s", GH_STR_ARG(segment));
    char *memory = gh_arena_alloc(arena, segment.len + 2);
    if (!as_path.ptr || !memory)
        return "the configuration needs more memory than it may have";
    struct gh_buf out = gh_buf_over(memory, segment.len + 2);
    struct gh_path_traits traits;
    if (as_path.len != segment.len + 1 || gh_path_normalise(as_path, &out, &traits) != GH_PATH_OK)
        return "no request can have such a path";
    struct gh_str literal = gh_str_skip(gh_buf_str(&out), 1);
    if (segment.len && !literal.len)
        return "dot segments are resolved before routing, so that it would never match";
    pattern->segments[pattern->count++] = (struct gh_route_segment){false, literal};
    return NULL;
}

const char *gh_route_pattern_parse(struct gh_str text, struct gh_arena *arena,
                                   struct gh_route_pattern *out_pattern)
{
    out_pattern->count = out_pattern->param_count = 0;
    out_pattern->rest = false;
    if (text.len == 0 || text.ptr[0] != '/')
        return "it must begin with /";
    for (struct gh_str rest = gh_str_skip(text, 1); rest.ptr;) {
        struct gh_str segment = gh_str_split(&rest, '/');
        bool is_last = !rest.ptr;
        const char *wrong;
        if (out_pattern->count == GH_ROUTE_SEGMENTS_MAX)
            return "it has too many segments";
        if (gh_str_eq(segment, GH_STR("**"))) {
            out_pattern->rest = true;
            return is_last ? NULL : "** can stand at the end only";
        }
        if (!segment.len && !is_last)
            return "repeated slashes are merged before routing, so that it would never match";
        if (segment.len >= 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}')
            wrong = parse_param(gh_str_of(segment.ptr + 1, segment.len - 2), out_pattern);
        else
            wrong = parse_literal(segment, arena, out_pattern);
        if (wrong)
            return wrong;
    }
    return NULL;
}
