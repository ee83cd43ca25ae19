/* Path templates (OpenAPI 3.1.1, section 4.8.2). Expressions must be whole segments, since the
   routes of the front door know no others. */
#include "openapi/loader.h"

enum gh_openapi_template_status gh_openapi_template_read(struct gh_str path,
                                                         struct gh_openapi_template *out)
{
    *out = (struct gh_openapi_template){0};
    if (path.len == 0 || path.ptr[0] != '/')
        return GH_OPENAPI_TEMPLATE_NO_SLASH;
    if (gh_str_find_char(path, '?') < path.len || gh_str_find_char(path, '#') < path.len)
        return GH_OPENAPI_TEMPLATE_URL;
    for (struct gh_str rest = gh_str_skip(path, 1); rest.ptr;) {
        struct gh_str segment = gh_str_split(&rest, '/');
        size_t open = gh_str_find_char(segment, '{'), close = gh_str_find_char(segment, '}');
        if (open == segment.len && close == segment.len)
            continue;
        if (close == segment.len || close < open + 2 || open == segment.len)
            return GH_OPENAPI_TEMPLATE_BRACE;
        if (open > 0 || close + 1 < segment.len)
            return GH_OPENAPI_TEMPLATE_PARTIAL;
        struct gh_str name = gh_str_of(segment.ptr + 1, segment.len - 2);
        if (gh_str_find_char(name, '{') < name.len)
            return GH_OPENAPI_TEMPLATE_BRACE;
        for (size_t i = 0; i < out->count; i++) {
            if (gh_str_eq(out->names[i], name))
                return GH_OPENAPI_TEMPLATE_REPEATED;
        }
        if (out->count == GH_OPENAPI_EXPRESSIONS_MAX)
            return GH_OPENAPI_TEMPLATE_TOO_MANY;
        out->names[out->count++] = name;
    }
    return GH_OPENAPI_TEMPLATE_OK;
}

bool gh_openapi_template_is_same(struct gh_str a, struct gh_str b)
{
    while (a.ptr && b.ptr) {
        struct gh_str one = gh_str_split(&a, '/'), other = gh_str_split(&b, '/');
        bool both = one.len && other.len && one.ptr[0] == '{' && other.ptr[0] == '{';
        if (!both && !gh_str_eq(one, other))
            return false;
    }
    return !a.ptr && !b.ptr;
}
