/*
 * Paths as file URIs. A relative path stands below as many made-up folders as it can lead up, so
 * that "../a.yaml" has a URI of its own.
 */
#include "base/buf.h"
#include "openapi/loader.h"
#include "schema/uri.h"

#define RELATIVE   "file://relative"
#define LEVEL      "/^"
#define LEVELS_MAX 24

static bool is_plain(char c)
{
    char lower = gh_ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~/!$&'()*+,;=:@", c) != NULL);
}

struct gh_str gh_openapi_uri_of_path(struct gh_arena *arena, struct gh_str path)
{
    size_t cap = sizeof(RELATIVE) + LEVELS_MAX * (sizeof(LEVEL) - 1) + 1 + path.len * 3;
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return (struct gh_str){0};
    struct gh_buf buf = gh_buf_over(memory, cap);
    if (path.len && path.ptr[0] == '/') {
        gh_buf_put(&buf, GH_STR("file://"));
    } else {
        gh_buf_put(&buf, GH_STR(RELATIVE));
        for (unsigned i = 0; i < LEVELS_MAX; i++)
            gh_buf_put(&buf, GH_STR(LEVEL));
        gh_buf_put_char(&buf, '/');
    }
    for (size_t i = 0; i < path.len; i++) {
        if (is_plain(path.ptr[i]))
            gh_buf_put_char(&buf, path.ptr[i]);
        else
            gh_buf_format(&buf, "%%%02X", (unsigned char)path.ptr[i]);
    }
    /* Resolving takes the dot segments out. */
    return buf.overflow ? (struct gh_str){0}
                        : gh_uri_resolve(arena, (struct gh_str){0}, gh_buf_str(&buf));
}

struct gh_str gh_openapi_path_of_uri(struct gh_arena *arena, struct gh_str uri)
{
    struct gh_str path = gh_uri_decode(arena, gh_uri_split(uri).path);
    if (!path.ptr || !gh_str_starts_with(uri, GH_STR(RELATIVE)))
        return path;
    unsigned levels = 0;
    for (; levels < LEVELS_MAX && gh_str_starts_with(path, GH_STR(LEVEL "/")); levels++)
        path = gh_str_skip(path, sizeof(LEVEL) - 1);
    path = gh_str_skip(path, 1);
    size_t cap = LEVELS_MAX * 3 + path.len;
    char *memory = gh_arena_alloc(arena, cap ? cap : 1);
    if (!memory || levels == 0)
        return (struct gh_str){0};
    struct gh_buf buf = gh_buf_over(memory, cap);
    for (; levels < LEVELS_MAX; levels++)
        gh_buf_put(&buf, GH_STR("../"));
    gh_buf_put(&buf, path);
    return gh_buf_str(&buf);
}
