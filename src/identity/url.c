#include "identity/url.h"

#include "base/num.h"

#define HOST_BYTES_MAX 253 /* RFC 1035 section 2.3.4, as text */

static bool is_alnum(char c)
{
    c = gh_ascii_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Visible ASCII but for what RFC 3986 leaves out of every part. */
static bool has_url_bytes_only(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || memchr("\"<>\\^`{|}", text.ptr[i], 9))
            return false;
    return true;
}

static bool is_name(struct gh_str host)
{
    if (host.len > HOST_BYTES_MAX)
        return false;
    for (struct gh_str rest = host; rest.ptr;) {
        struct gh_str label = gh_str_split(&rest, '.');
        if (!label.len || label.len > 63 || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-')
                return false;
    }
    return true;
}

/* Every label of digits only: an address that is not one, or one in a form that readers differ
   over. */
static bool looks_like_address(struct gh_str host)
{
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] != '.' && (host.ptr[i] < '0' || host.ptr[i] > '9'))
            return false;
    return true;
}

static bool parse_host(struct gh_str host, struct gh_url *url)
{
    url->host = host;
    if (host.len > 2 && host.ptr[0] == '[')
        return host.ptr[host.len - 1] == ']' && gh_str_find_char(host, '%') == host.len &&
               gh_ip_parse(gh_str_of(host.ptr + 1, host.len - 2), &url->ip);
    if (looks_like_address(host))
        return gh_ip_parse(host, &url->ip);
    url->ip = (struct gh_ip){.family = GH_IP_NONE};
    return is_name(host);
}

static bool parse_authority(struct gh_str authority, struct gh_url *url)
{
    size_t at = gh_str_find_char(authority, '@');
    url->userinfo = (struct gh_str){NULL, 0};
    if (at < authority.len) {
        url->userinfo = gh_str_first(authority, at);
        authority = gh_str_skip(authority, at + 1);
    }
    size_t bracket = gh_str_find_char(authority, ']');
    size_t from = bracket < authority.len ? bracket : 0;
    size_t colon = from + gh_str_find_char(gh_str_skip(authority, from), ':');
    uint64_t port = 0;
    if (colon < authority.len &&
        (!gh_num_parse_u64(gh_str_skip(authority, colon + 1), UINT16_MAX, &port) || port == 0))
        return false;
    url->port = (uint16_t)port;
    return parse_host(gh_str_first(authority, colon), url);
}

static bool is_scheme(struct gh_str scheme)
{
    for (size_t i = 0; i < scheme.len; i++)
        if (scheme.ptr[i] < 'a' || scheme.ptr[i] > 'z')
            return false;
    return scheme.len > 0;
}

bool gh_url_parse(struct gh_str text, struct gh_url *out_url)
{
    static const struct gh_str SEPARATOR = GH_STR_INIT("://");
    size_t scheme_len = gh_str_find(text, SEPARATOR);
    struct gh_url url = {.scheme = gh_str_first(text, scheme_len)};
    if (scheme_len == text.len || !is_scheme(url.scheme) || !has_url_bytes_only(text))
        return false;
    struct gh_str rest = gh_str_skip(text, scheme_len + SEPARATOR.len);
    size_t fragment = gh_str_find_char(rest, '#');
    url.has_fragment = fragment < rest.len;
    rest = gh_str_first(rest, fragment);
    size_t slash = gh_str_find_char(rest, '/'), query = gh_str_find_char(rest, '?');
    size_t end = slash < query ? slash : query;
    url.path = gh_str_skip(rest, end);
    if (!parse_authority(gh_str_first(rest, end), &url))
        return false;
    *out_url = url;
    return true;
}

bool gh_url_is_loopback(const struct gh_url *url)
{
    if (url->ip.family != GH_IP_NONE)
        return gh_ip_is_loopback(&url->ip);
    size_t suffix = sizeof(".localhost") - 1;
    return gh_str_ieq(url->host, GH_STR("localhost")) ||
           (url->host.len > suffix &&
            gh_str_ieq(gh_str_skip(url->host, url->host.len - suffix), GH_STR(".localhost")));
}

struct gh_str gh_url_host_of(struct gh_str text)
{
    struct gh_url url;
    return gh_url_parse(text, &url) ? url.host : GH_STR("localhost");
}
