/* The base path of an API: that of its first server's URL (OpenAPI 3.1.1, section 4.8.5). */
#include "base/buf.h"
#include "openapi/loader.h"
#include "schema/uri.h"

#define URL_BYTES_MAX 2048

/* The URL with its variables' defaults put in. False: told. */
static bool fill_in(struct gh_openapi_loader *loader, struct gh_openapi_at server,
                    struct gh_openapi_at url, struct gh_buf *buf)
{
    struct gh_openapi_at variables = gh_openapi_member(server, "variables");
    for (struct gh_str rest = url.value->text; rest.len;) {
        size_t open = gh_str_find_char(rest, '{');
        gh_buf_put(buf, gh_str_first(rest, open));
        rest = gh_str_skip(rest, open);
        if (rest.len == 0)
            break;
        size_t close = gh_str_find_char(rest, '}');
        if (close == rest.len) {
            gh_openapi_error(loader, url, NULL, "a \"{\" has no \"}\"");
            return false;
        }
        struct gh_str name = gh_str_of(rest.ptr + 1, close - 1);
        struct gh_openapi_at variable = variables;
        if (variables.value)
            variable.value = gh_json_get(&variables.file->doc, variables.value, name);
        struct gh_str text = gh_json_string(gh_openapi_member(variable, "default").value);
        if (!text.ptr) {
            gh_openapi_error(loader, url, "give it one under \"variables\"",
                             "the variable \"%.*s\" has no default", GH_STR_ARG(name));
            return false;
        }
        gh_buf_put(buf, text);
        rest = gh_str_skip(rest, close + 1);
    }
    if (buf->overflow)
        gh_openapi_error(loader, url, NULL, "the URL is too long");
    return !buf->overflow;
}

/* ptr NULL: told, or no memory. */
static struct gh_str base_path_of(struct gh_openapi_loader *loader, struct gh_openapi_at server)
{
    char memory[URL_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    struct gh_openapi_at url = gh_openapi_member(server, "url");
    if (!gh_json_string(url.value).ptr || !fill_in(loader, server, url, &buf))
        return (struct gh_str){0};
    struct gh_uri parts = gh_uri_split(gh_buf_str(&buf));
    struct gh_str path = parts.path;
    while (path.len && path.ptr[path.len - 1] == '/')
        path.len--;
    if (path.len && path.ptr[0] != '/' && !gh_str_eq(path, GH_STR("."))) {
        gh_openapi_warning(loader, url, "begin it with \"/\" or \"https://\"",
                           "a URL relative to where the document lies is taken from the root");
        path = gh_str_eq(gh_str_first(path, 2), GH_STR("./")) ? gh_str_skip(path, 1) : path;
    }
    bool needs_slash = path.len && path.ptr[0] != '/' && !gh_str_eq(path, GH_STR("."));
    if (gh_str_eq(path, GH_STR(".")))
        path = GH_STR("");
    return gh_arena_format(loader->arena, "%s%.*s", needs_slash ? "/" : "", GH_STR_ARG(path));
}

void gh_openapi_read_servers(struct gh_openapi_loader *loader)
{
    const struct gh_openapi_file *file = loader->files[0];
    struct gh_openapi_at servers =
        gh_openapi_member(GH_OPENAPI_AT(file, gh_json_root(&file->doc)), "servers");
    struct gh_str base = {0};
    loader->openapi->base_path = GH_STR("");
    if (!servers.value || servers.value->kind != GH_JSON_ARRAY)
        return;
    for (const struct gh_json_value *item = gh_json_first(&file->doc, servers.value); item;
         item = gh_json_after(&file->doc, servers.value, item)) {
        struct gh_str path = base_path_of(loader, GH_OPENAPI_AT(file, item));
        if (!base.ptr && path.ptr)
            loader->openapi->base_path = base = path;
        else if (path.ptr && !gh_str_eq(path, base))
            gh_openapi_warning(loader, GH_OPENAPI_AT(file, item), NULL,
                               "the path of the first server counts, \"%.*s\"; that of this one, "
                               "\"%.*s\", does not",
                               GH_STR_ARG(base), GH_STR_ARG(path));
    }
}
