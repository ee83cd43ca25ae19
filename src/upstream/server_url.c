#include "upstream/server_url.h"

#include <sys/un.h>

#include "http/authority.h"
#include "upstream/upstream.h"

#define URL_BYTES_MAX 512

static const char *parse_unix(struct gh_str path, struct gh_arena *arena, struct gh_server_url *url)
{
    struct sockaddr_un address;
    if (path.len < 2 || path.ptr[0] != '/')
        return "a Unix socket is written as unix:/absolute/path";
    if (path.len >= sizeof address.sun_path)
        return "the path of a Unix socket has at most 107 bytes";
    if (memchr(path.ptr, 0, path.len))
        return "the path of a Unix socket holds no NUL";
    url->path = gh_arena_dup(arena, path);
    url->text = gh_arena_format(arena, "unix:%.*s", GH_STR_ARG(path));
    return url->path.ptr && url->text.ptr ? NULL : "out of memory";
}

static const char *parse_host(struct gh_str rest, struct gh_arena *arena, struct gh_server_url *url)
{
    struct gh_authority authority;
    if (gh_str_find_char(rest, '@') < rest.len)
        return "no user name or password may stand in the URL of a server";
    /* "http://host:port/" names the same server; anything longer is a path. */
    if (gh_str_ends_with(rest, GH_STR("/")))
        rest.len--;
    if (gh_str_find_char(rest, '/') < rest.len || gh_str_find_char(rest, '?') < rest.len ||
        gh_str_find_char(rest, '#') < rest.len)
        return "the URL of a server has no path: http://host:port";
    if (!gh_authority_parse(rest, arena, &authority))
        return "host or port is not well-formed: http://host:port";
    url->port = authority.port ? authority.port : url->tls ? 443 : 80;
    struct gh_str host = authority.host;
    url->text = gh_arena_format(arena, "%.*s:%u", GH_STR_ARG(host), (unsigned)url->port);
    if (host.len > 2 && host.ptr[0] == '[')
        host = gh_str_of(host.ptr + 1, host.len - 2);
    url->host = gh_arena_dup(arena, host);
    if (!url->host.ptr || !url->text.ptr)
        return "out of memory";
    if (authority.is_ip && !gh_ip_parse(host, &url->ip))
        return "the address is not well-formed";
    return NULL;
}

const char *gh_server_url_parse(struct gh_str text, struct gh_arena *arena,
                                struct gh_server_url *out_url)
{
    static const struct gh_str http = GH_STR_INIT("http://"), https = GH_STR_INIT("https://"),
                               unix_socket = GH_STR_INIT("unix:");
    struct gh_server_url url = {.ip.family = GH_IP_NONE};
    const char *problem;
    if (text.len > URL_BYTES_MAX)
        return "the URL of a server has at most 512 bytes";
    url.tls = gh_str_starts_with(text, https);
    if (gh_str_starts_with(text, unix_socket))
        problem = parse_unix(gh_str_skip(text, unix_socket.len), arena, &url);
    else if (url.tls || gh_str_starts_with(text, http))
        problem = parse_host(gh_str_skip(text, url.tls ? https.len : http.len), arena, &url);
    else
        problem = "a server is http://host:port, https://host:port or unix:/path";
    if (!problem)
        *out_url = url;
    return problem;
}

const char *gh_upstream_server_problem(struct gh_str url)
{
    struct gh_server_url parsed;
    struct gh_arena arena;
    gh_arena_init(&arena, 1024, 8192);
    const char *problem = gh_server_url_parse(url, &arena, &parsed);
    gh_arena_done(&arena);
    return problem;
}
