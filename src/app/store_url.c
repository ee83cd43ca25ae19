#include "app/store_url.h"

#include "base/ip.h"
#include "base/num.h"

static int hex_value(char c)
{
    c = gh_ascii_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ptr NULL: a percent sign without two digits, or no memory. */
static struct gh_str decode(struct gh_arena *arena, struct gh_str text)
{
    char *out = gh_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; out && i < text.len; i++) {
        out[len] = text.ptr[i];
        if (text.ptr[i] == '%') {
            int high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_value(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return (struct gh_str){NULL, 0};
            out[len] = (char)(high * 16 + low);
            i += 2;
        }
        len++;
    }
    return (struct gh_str){out, out ? len : 0};
}

/* An empty host is the socket of this machine, as one that is a path. */
static bool is_here(struct gh_str host)
{
    struct gh_ip ip;
    if (!host.len || host.ptr[0] == '/' || host.ptr[0] == '@' ||
        gh_str_ieq(host, GH_STR("localhost")))
        return true;
    if (host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = gh_str_of(host.ptr + 1, host.len - 2);
    return gh_ip_parse(host, &ip) && gh_ip_is_loopback(&ip);
}

static void add_hosts(struct gh_store_url *url, struct gh_str hosts)
{
    for (struct gh_str rest = hosts; rest.ptr;) {
        struct gh_str host = gh_str_split(&rest, ',');
        if (!url->remote.len && !is_here(host))
            url->remote = host;
    }
}

/* Empty: the default one. */
static bool is_port(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return true;
}

/* What is encoded as if it were a host's: "u:p%40db". A socket's name may begin with it. */
static bool has_at(struct gh_str host)
{
    return gh_str_find_char(gh_str_skip(host, 1), '@') + 1 < host.len;
}

static void add_port(struct gh_store_url *url, struct gh_str text)
{
    uint64_t port = 0;
    if (text.len && !gh_num_parse_u64(text, UINT16_MAX, &port))
        return;
    if (url->port_count < GH_STORE_URL_PLACES_MAX)
        url->ports[url->port_count++] = (uint16_t)port;
}

/* "db:5432,[::1]:5433" without the ports, each behind the last bracket. */
static void add_places(struct gh_arena *arena, struct gh_store_url *url, struct gh_str places)
{
    for (struct gh_str rest = places; rest.ptr;) {
        struct gh_str place = gh_str_split(&rest, ',');
        size_t address = place.len && place.ptr[0] == '[' ? gh_str_find_char(place, ']') : 0;
        size_t colon = address + gh_str_find_char(gh_str_skip(place, address), ':');
        struct gh_str host = decode(arena, gh_str_first(place, colon));
        url->is_valid &= host.ptr && is_port(gh_str_skip(place, colon + 1)) && !has_at(host);
        add_port(url, gh_str_skip(place, colon + 1));
        if (host.ptr)
            add_hosts(url, host);
    }
}

static bool names_a_file(struct gh_str parameter)
{
    static const char *const NAMES[] = {"sslrootcert", "sslcert",   "sslkey",
                                        "sslcrl",      "sslcrldir", "passfile"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (gh_str_eq(parameter, gh_str_from_c(NAMES[i])))
            return true;
    return false;
}

static void add_parameter(struct gh_arena *arena, struct gh_store_url *url, struct gh_str text)
{
    struct gh_str rest = text, name = decode(arena, gh_str_split(&rest, '='));
    struct gh_str value = rest.ptr ? decode(arena, rest) : rest;
    /* "u:12?x=3@db": what libpq would show as host and port is a password */
    if (!name.ptr || !value.ptr || gh_str_find_char(text, '@') < text.len) {
        url->is_valid = false;
        return;
    }
    if (gh_str_eq(name, GH_STR("password")))
        url->password = value;
    else if (gh_str_eq(name, GH_STR("user")))
        url->user = value;
    else if (gh_str_eq(name, GH_STR("host")) || gh_str_eq(name, GH_STR("hostaddr")))
        add_hosts(url, value);
    else if (gh_str_eq(name, GH_STR("sslmode")))
        url->verified =
            gh_str_eq(value, GH_STR("verify-full")) || gh_str_eq(value, GH_STR("verify-ca"));
    else if (gh_str_eq(name, GH_STR("port")))
        for (struct gh_str ports = value; ports.ptr;)
            add_port(url, gh_str_split(&ports, ','));
    else if (names_a_file(name) && url->file_count < GH_STORE_URL_FILES_MAX)
        url->files[url->file_count++] = value;
}

static void add_user(struct gh_arena *arena, struct gh_store_url *url, struct gh_str text)
{
    struct gh_str rest = text, user = gh_str_split(&rest, ':');
    url->user = decode(arena, user);
    if (rest.ptr)
        url->password = decode(arena, rest);
    url->is_valid &= url->user.ptr && (!rest.ptr || url->password.ptr);
    /* "u%3Apassword": the server would say that this user is unknown */
    if (url->user.ptr && gh_str_find_char(url->user, ':') < url->user.len)
        url->is_valid = false;
}

struct gh_store_url gh_store_url_read(struct gh_arena *arena, struct gh_str text)
{
    struct gh_store_url url = {.is_valid = true};
    size_t scheme = gh_str_find(text, GH_STR("://"));
    if (scheme == text.len)
        return (struct gh_store_url){.is_valid = false};
    struct gh_str parameters = gh_str_skip(text, scheme + 3);
    struct gh_str path = gh_str_split(&parameters, '?');
    struct gh_str authority = gh_str_split(&path, '/');
    size_t at = gh_str_find_char(authority, '@');
    if (at < authority.len) {
        add_user(arena, &url, gh_str_first(authority, at));
        authority = gh_str_skip(authority, at + 1);
    }
    /* The rest of a password that is not encoded: libpq would show it as a host or a port. */
    if (gh_str_find_char(authority, '@') < authority.len || gh_str_find_char(path, '@') < path.len)
        url.is_valid = false;
    add_places(arena, &url, authority);
    while (parameters.ptr)
        add_parameter(arena, &url, gh_str_split(&parameters, '&'));
    return url;
}
