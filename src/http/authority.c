/*
 * One reader for the Host field, absolute-form targets, :authority, origins and the
 * hosts of the configuration, so that they can't disagree about what a host is.
 */
#include "http/authority.h"

#include "base/assert.h"
#include "base/num.h"

enum { LABEL_BYTES_MAX = 63, NAME_BYTES_MAX = 253 };

/* The canonical form of any host fits: a name, or an IPv6 address in brackets. */
typedef char host_memory[NAME_BYTES_MAX + 3];

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    char lower = gh_ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || is_digit(c) || c == '-' || c == '_';
}

static bool is_label(struct gh_str label)
{
    if (label.len == 0 || label.len > LABEL_BYTES_MAX)
        return false;
    for (size_t i = 0; i < label.len; i++) {
        if (!is_name_char(label.ptr[i]))
            return false;
    }
    return label.ptr[0] != '-' && label.ptr[label.len - 1] != '-';
}

/* All digits, or what some readers take for a hexadecimal number ("0x", "0x7f"). */
static bool is_numeric(struct gh_str label)
{
    bool hex = label.len >= 2 && label.ptr[0] == '0' && gh_ascii_lower(label.ptr[1]) == 'x';
    for (size_t i = hex ? 2 : 0; i < label.len; i++) {
        if (hex ? gh_num_hex_digit(label.ptr[i]) < 0 : !is_digit(label.ptr[i]))
            return false;
    }
    return true;
}

/* A registered name, possibly with its final dot, into `out` in lower case. */
static bool write_name(struct gh_str text, struct gh_buf *out)
{
    if (gh_str_ends_with(text, GH_STR(".")))
        text.len--;
    if (text.len > NAME_BYTES_MAX)
        return false;
    struct gh_str label = {0};
    for (struct gh_str rest = text; rest.ptr;) {
        label = gh_str_split(&rest, '.');
        if (!is_label(label))
            return false;
    }
    /* Some resolvers take such a name for an address: "0x7f.1", "1.2.3", "017700000001". */
    if (is_numeric(label))
        return false;
    for (size_t i = 0; i < text.len; i++)
        gh_buf_put_char(out, gh_ascii_lower(text.ptr[i]));
    return true;
}

/* "[v6]" without a zone. A mapped address becomes the IPv4 address that it is. */
static bool write_ip_literal(struct gh_str text, struct gh_buf *out)
{
    struct gh_ip ip;
    if (text.len < 2 || text.ptr[text.len - 1] != ']')
        return false;
    struct gh_str address = gh_str_of(text.ptr + 1, text.len - 2);
    bool is_v6 = gh_str_find_char(address, ':') < address.len;
    bool zone = gh_str_find_char(address, '%') < address.len;
    if (!is_v6 || zone || !gh_ip_parse(address, &ip))
        return false;
    bool brackets = ip.family == GH_IP_V6;
    if (brackets)
        gh_buf_put_char(out, '[');
    gh_ip_write(out, &ip);
    if (brackets)
        gh_buf_put_char(out, ']');
    return true;
}

/* Writes the canonical form of a host without port. */
static bool write_host(struct gh_str text, struct gh_buf *out, bool *out_is_ip)
{
    struct gh_ip ip;
    *out_is_ip = true;
    if (text.len && text.ptr[0] == '[')
        return write_ip_literal(text, out);
    if (gh_ip_parse(text, &ip)) {
        if (ip.family != GH_IP_V4) /* IPv6 without brackets */
            return false;
        gh_buf_put(out, text);
        return true;
    }
    *out_is_ip = false;
    return write_name(text, out);
}

/* Where the host ends: at ':' or, behind an IP literal, at what follows its bracket. */
static size_t host_len(struct gh_str text)
{
    size_t close = text.len && text.ptr[0] == '[' ? gh_str_find_char(text, ']') : 0;
    if (close == text.len)
        return text.len;
    return close + gh_str_find_char(gh_str_skip(text, close), ':');
}

bool gh_authority_parse(struct gh_str text, struct gh_arena *arena,
                        struct gh_authority *out_authority)
{
    size_t len = host_len(text);
    struct gh_str host = gh_str_first(text, len);
    uint64_t port = 0;
    if (len < text.len &&
        (!gh_num_parse_u64(gh_str_skip(text, len + 1), UINT16_MAX, &port) || port == 0))
        return false;
    host_memory memory;
    struct gh_buf canonical = gh_buf_over(memory, sizeof(memory));
    bool is_ip;
    if (!write_host(host, &canonical, &is_ip))
        return false;
    GH_ASSERT(!canonical.overflow);
    if (!gh_str_eq(host, gh_buf_str(&canonical))) {
        host = gh_arena_dup(arena, gh_buf_str(&canonical));
        if (!host.ptr)
            return false;
    }
    *out_authority = (struct gh_authority){.host = host, .port = (uint16_t)port, .is_ip = is_ip};
    return true;
}

bool gh_host_matches(struct gh_str pattern, struct gh_str host)
{
    if (gh_str_eq(pattern, GH_STR("*")))
        return true;
    if (!gh_str_starts_with(pattern, GH_STR("*.")))
        return gh_str_eq(pattern, host);
    struct gh_str suffix = gh_str_skip(pattern, 1); /* with its dot: whole labels only */
    return host.len > suffix.len && gh_str_ends_with(host, suffix);
}

bool gh_host_pattern_is_valid(struct gh_str pattern)
{
    if (gh_str_eq(pattern, GH_STR("*")))
        return true;
    bool wildcard = gh_str_starts_with(pattern, GH_STR("*."));
    struct gh_str host = gh_str_skip(pattern, wildcard ? 2 : 0);
    host_memory memory;
    struct gh_buf canonical = gh_buf_over(memory, sizeof(memory));
    bool is_ip;
    return write_host(host, &canonical, &is_ip) && !(wildcard && is_ip) &&
           gh_str_eq(host, gh_buf_str(&canonical));
}
