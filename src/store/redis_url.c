#include "store/redis_url.h"

#include <sys/un.h>

#include "base/num.h"

#define PORT_DEFAULT 6379
#define HOST_BYTES   253 /* of a name of the DNS, as text */

static const char OUT_OF_MEMORY[] = "out of memory";

static const struct scheme {
    struct gh_str prefix;
    bool tls, is_unix;
} SCHEMES[] = {
    {GH_STR_INIT("redis://"), false, false},     {GH_STR_INIT("rediss://"), true, false},
    {GH_STR_INIT("valkey://"), false, false},    {GH_STR_INIT("valkeys://"), true, false},
    {GH_STR_INIT("redis+unix://"), false, true},
};

/* ---- User and password ---- */

/* What ends the authority of a URL for those who look for passwords to hide (config/show.c). */
static bool ends_authority(char c)
{
    return (unsigned char)c <= 0x20 || c == 0x7f || c == '?' || c == '#' || c == '"' || c == '\'' ||
           c == ',';
}

/* Percent-decoding (RFC 3986 section 2.1); a NUL would end the text for others. */
static const char *decode(struct gh_str text, struct gh_arena *arena, struct gh_str *out)
{
    char *bytes = gh_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    if (!bytes)
        return OUT_OF_MEMORY;
    for (size_t i = 0; i < text.len; i++) {
        if (ends_authority(text.ptr[i]))
            return "special characters in user or password are percent-encoded: # is %23";
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? gh_num_hex_digit(text.ptr[i + 1]) : -1;
            int low = high >= 0 ? gh_num_hex_digit(text.ptr[i + 2]) : -1;
            if (low < 0 || high + low == 0)
                return "a percent sign in user or password is written as %25";
            c = (char)(high << 4 | low);
            i += 2;
        }
        bytes[len++] = c;
    }
    bytes[len] = '\0';
    *out = gh_str_of(bytes, len);
    return NULL;
}

/* Cuts "user:password@" off `rest`. The last @ ends it: an unencoded one in a password, too. */
static const char *take_credentials(struct gh_str *rest, struct gh_arena *arena,
                                    struct gh_redis_url *url)
{
    size_t end = gh_str_find_char(*rest, '/');
    size_t at = end;
    for (size_t i = 0; i < end; i++) {
        if (rest->ptr[i] == '@')
            at = i;
    }
    if (at == end)
        return gh_str_find_char(*rest, '@') < rest->len
                   ? "a slash in user or password is written as %2F"
                   : NULL;
    struct gh_str user = gh_str_first(*rest, at);
    size_t colon = gh_str_find_char(user, ':');
    struct gh_str password = gh_str_skip(user, colon + 1);
    *rest = gh_str_skip(*rest, at + 1);
    if (colon == user.len || password.len == 0)
        return "a user or an @ stands before a host only with a password: redis://user:password@";
    const char *problem = decode(gh_str_first(user, colon), arena, &url->user);
    return problem ? problem : decode(password, arena, &url->password);
}

/* ---- Places ---- */

static const char *parse_database(struct gh_str text, struct gh_redis_url *url)
{
    uint64_t database;
    if (!gh_num_parse_u64(text, GH_REDIS_DATABASE_MAX, &database))
        return "the database of Redis is a number: redis://host/0";
    url->database = (uint32_t)database;
    return NULL;
}

static bool is_name(struct gh_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = gh_ascii_lower(host.ptr[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
            return false;
    }
    return host.len > 0 && host.len <= HOST_BYTES;
}

static const char *parse_host(struct gh_str host, struct gh_arena *arena, struct gh_redis_url *url)
{
    bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed)
        host = gh_str_of(host.ptr + 1, host.len - 2);
    bool is_ip = gh_ip_parse(host, &url->ip);
    if (!is_ip)
        url->ip.family = GH_IP_NONE;
    if (is_ip ? bracketed != (url->ip.family == GH_IP_V6) : bracketed || !is_name(host))
        return "the host of Redis is not well-formed: redis://host:6379";
    url->host = gh_arena_dup(arena, host);
    return url->host.ptr ? NULL : OUT_OF_MEMORY;
}

static const char *parse_tcp(struct gh_str rest, struct gh_arena *arena, struct gh_redis_url *url)
{
    if (gh_str_find_char(rest, '?') < rest.len || gh_str_find_char(rest, '#') < rest.len)
        return "the URL of Redis takes no ?option: redis://host:6379/0";
    size_t slash = gh_str_find_char(rest, '/');
    struct gh_str host = gh_str_first(rest, slash), database = gh_str_skip(rest, slash + 1);
    /* The colon of the port is the last one, and not inside of brackets. */
    size_t colon = host.len;
    for (size_t i = host.len; i > 0 && host.ptr[i - 1] != ']'; i--) {
        if (host.ptr[i - 1] == ':') {
            colon = i - 1;
            break;
        }
    }
    uint64_t port = PORT_DEFAULT;
    if (colon < host.len &&
        (!gh_num_parse_u64(gh_str_skip(host, colon + 1), UINT16_MAX, &port) || port == 0))
        return "the port of Redis is a number from 1 to 65535";
    url->port = (uint16_t)port;
    const char *problem = parse_host(gh_str_first(host, colon), arena, url);
    if (!problem && database.len > 0)
        problem = parse_database(database, url);
    if (problem)
        return problem;
    bool v6 = url->ip.family == GH_IP_V6;
    url->text = gh_arena_format(arena, "%s%.*s%s:%u/%u", v6 ? "[" : "", GH_STR_ARG(url->host),
                                v6 ? "]" : "", (unsigned)url->port, (unsigned)url->database);
    return url->text.ptr ? NULL : OUT_OF_MEMORY;
}

static const char *parse_unix(struct gh_str path, struct gh_arena *arena, struct gh_redis_url *url)
{
    struct sockaddr_un address;
    size_t question = gh_str_find_char(path, '?');
    struct gh_str query = gh_str_skip(path, question + 1);
    path = gh_str_first(path, question);
    if (path.len < 2 || path.ptr[0] != '/' || path.ptr[1] == '/' || memchr(path.ptr, 0, path.len))
        return "a Unix socket is written as unix:/absolute/path";
    if (path.len >= sizeof address.sun_path)
        return "the path of a Unix socket has at most 107 bytes";
    if (query.len > 0 && !gh_str_starts_with(query, GH_STR("db=")))
        return "behind the path of a Unix socket only ?db=NUMBER may stand";
    const char *problem = query.len > 0 ? parse_database(gh_str_skip(query, 3), url) : NULL;
    if (problem)
        return problem;
    url->path = gh_arena_dup(arena, path);
    url->text = gh_arena_format(arena, "unix:%.*s", GH_STR_ARG(path));
    return url->path.ptr && url->text.ptr ? NULL : OUT_OF_MEMORY;
}

static const char *parse_scheme(const struct scheme *scheme, struct gh_str rest,
                                struct gh_arena *arena, struct gh_redis_url *url)
{
    url->tls = scheme->tls;
    const char *problem = take_credentials(&rest, arena, url);
    if (problem)
        return problem;
    return scheme->is_unix ? parse_unix(rest, arena, url) : parse_tcp(rest, arena, url);
}

const char *gh_redis_url_parse(struct gh_str text, struct gh_arena *arena,
                               struct gh_redis_url *out_url)
{
    struct gh_redis_url url = {.ip.family = GH_IP_NONE};
    const char *problem = "Redis is redis://, rediss:// or unix: (no Sentinel, no cluster)";
    if (text.len > GH_REDIS_URL_BYTES_MAX)
        return "the URL of Redis has at most 2048 bytes";
    if (gh_str_starts_with(text, GH_STR("unix:"))) {
        struct gh_str path = gh_str_skip(text, 5);
        /* unix:///path says the same */
        if (gh_str_starts_with(path, GH_STR("///")))
            path = gh_str_skip(path, 2);
        problem = parse_unix(path, arena, &url);
    }
    for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES; i++) {
        if (gh_str_starts_with(text, SCHEMES[i].prefix))
            problem =
                parse_scheme(&SCHEMES[i], gh_str_skip(text, SCHEMES[i].prefix.len), arena, &url);
    }
    if (!problem)
        *out_url = url;
    return problem;
}
