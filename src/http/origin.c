/*
 * Origins are compared byte for byte, so there must be one way only to write each; what a browser
 * would write in another way is refused with the reason, for messages of the configuration.
 */
#include "http/origin.h"

#include "base/num.h"
#include "http/authority.h"

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* RFC 3986 section 3.1, lower case. */
static bool is_scheme(struct gh_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!is_lower(c) && !(i > 0 && later))
            return false;
    }
    return s.len > 0;
}

static bool has_upper_case(struct gh_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z')
            return true;
    }
    return false;
}

static bool has_path(struct gh_str authority)
{
    return gh_str_find_char(authority, '/') < authority.len ||
           gh_str_find_char(authority, '?') < authority.len ||
           gh_str_find_char(authority, '#') < authority.len;
}

/* 0 for a scheme that has none we know. */
static uint16_t default_port_of(struct gh_str scheme)
{
    if (gh_str_eq(scheme, GH_STR("https")))
        return 443;
    return gh_str_eq(scheme, GH_STR("http")) ? 80 : 0;
}

/* Where the host ends: behind the bracket of an IP literal, or at the first ':'. */
static size_t host_len(struct gh_str authority)
{
    size_t close = 0;
    if (gh_str_starts_with(authority, GH_STR("[")))
        close = gh_str_find_char(authority, ']');
    return close + gh_str_find_char(gh_str_skip(authority, close), ':');
}

static bool is_host(struct gh_str host, bool allow_wildcard)
{
    if (gh_str_starts_with(host, GH_STR("*")) && !allow_wildcard)
        return false;
    return !gh_str_eq(host, GH_STR("*")) && gh_host_pattern_is_valid(host);
}

static enum gh_origin_fault parse_authority(struct gh_str authority, bool allow_wildcard,
                                            struct gh_origin *origin)
{
    size_t len = host_len(authority);
    origin->host = gh_str_first(authority, len);
    origin->port = default_port_of(origin->scheme);
    if (!is_host(origin->host, allow_wildcard))
        return GH_ORIGIN_MALFORMED;
    if (len == authority.len)
        return GH_ORIGIN_OK;
    uint64_t port;
    if (!gh_num_parse_u64(gh_str_skip(authority, len + 1), UINT16_MAX, &port) || port == 0)
        return GH_ORIGIN_MALFORMED;
    if (port == origin->port)
        return GH_ORIGIN_DEFAULT_PORT;
    origin->port = (uint16_t)port;
    return GH_ORIGIN_OK;
}

enum gh_origin_fault gh_origin_parse(struct gh_str text, bool allow_wildcard,
                                     struct gh_origin *out_origin)
{
    if (gh_str_eq(text, GH_STR("null")))
        return GH_ORIGIN_NULL;
    size_t mark = gh_str_find(text, GH_STR("://"));
    if (mark == text.len)
        return GH_ORIGIN_MALFORMED;
    struct gh_str authority = gh_str_skip(text, mark + 3);
    if (has_path(authority))
        return GH_ORIGIN_PATH;
    if (has_upper_case(text))
        return GH_ORIGIN_UPPER_CASE;
    struct gh_origin origin = {.scheme = gh_str_first(text, mark)};
    if (!is_scheme(origin.scheme))
        return GH_ORIGIN_MALFORMED;
    enum gh_origin_fault fault = parse_authority(authority, allow_wildcard, &origin);
    if (fault == GH_ORIGIN_OK)
        *out_origin = origin;
    return fault;
}
