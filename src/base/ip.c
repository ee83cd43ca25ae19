/*
 * Reading and writing IP addresses. Own code instead of inet_pton and inet_ntop, because those want
 * NUL-terminated text and are slow for something that is written into each request; the tests and
 * the fuzz target compare the two.
 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/num.h"

enum { V4_BYTES = 4, V6_BYTES = 16, V6_GROUPS = 8, GROUP_DIGITS_MAX = 4 };

static const uint8_t MAPPED_PREFIX[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One decimal number of an IPv4 address: 0 to 255 without redundant zeros. Advances *text. */
static bool take_octet(struct gh_str *text, uint8_t *out_octet)
{
    unsigned value = 0;
    size_t digits = 0;
    while (digits < text->len && is_digit(text->ptr[digits])) {
        value = value * 10 + (unsigned)(text->ptr[digits++] - '0');
        if (digits > 3)
            return false;
    }
    if (digits == 0 || value > 255 || (digits > 1 && text->ptr[0] == '0'))
        return false;
    *out_octet = (uint8_t)value;
    *text = gh_str_skip(*text, digits);
    return true;
}

static bool parse_v4(struct gh_str text, uint8_t *out_bytes)
{
    uint8_t bytes[V4_BYTES];
    for (int i = 0; i < V4_BYTES; i++) {
        if (i > 0) {
            if (text.len == 0 || text.ptr[0] != '.')
                return false;
            text = gh_str_skip(text, 1);
        }
        if (!take_octet(&text, &bytes[i]))
            return false;
    }
    if (text.len)
        return false;
    memcpy(out_bytes, bytes, sizeof(bytes));
    return true;
}

/* The groups of an IPv6 address as they are read. */
struct groups {
    uint8_t bytes[V6_BYTES];
    size_t len;   /* bytes read so far */
    size_t gap;   /* where "::" stood */
    bool has_gap; /* "::" was seen, a second one is an error */
};

/* One group of hexadecimal digits, or the IPv4 tail. Advances *text. */
static bool take_group(struct groups *groups, struct gh_str *text)
{
    size_t end = gh_str_find_char(*text, ':');
    struct gh_str group = gh_str_first(*text, end);
    if (end == text->len && gh_str_find_char(group, '.') < group.len) {
        if (groups->len > V6_BYTES - V4_BYTES || !parse_v4(group, groups->bytes + groups->len))
            return false;
        groups->len += V4_BYTES;
        *text = gh_str_skip(*text, end);
        return true;
    }
    if (group.len == 0 || group.len > GROUP_DIGITS_MAX || groups->len == V6_BYTES)
        return false;
    unsigned value = 0;
    for (size_t i = 0; i < group.len; i++) {
        int digit = gh_num_hex_digit(group.ptr[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (unsigned)digit;
    }
    groups->bytes[groups->len++] = (uint8_t)(value >> 8);
    groups->bytes[groups->len++] = (uint8_t)value;
    *text = gh_str_skip(*text, end);
    return true;
}

/* Behind a group stands the end, ":" and a group, or "::". */
static bool take_separator(struct groups *groups, struct gh_str *text)
{
    *text = gh_str_skip(*text, 1); /* the ':' that ended the group */
    if (text->len == 0)
        return false;
    if (text->ptr[0] != ':')
        return true;
    if (groups->has_gap)
        return false;
    groups->has_gap = true;
    groups->gap = groups->len;
    *text = gh_str_skip(*text, 1);
    return true;
}

static bool parse_v6(struct gh_str text, uint8_t out_bytes[V6_BYTES])
{
    struct groups groups = {0};
    if (gh_str_starts_with(text, GH_STR("::"))) {
        groups.has_gap = true;
        text = gh_str_skip(text, 2);
    }
    while (text.len) {
        if (!take_group(&groups, &text))
            return false;
        if (text.len && !take_separator(&groups, &text))
            return false;
    }
    if (groups.has_gap ? groups.len > V6_BYTES - 2 : groups.len != V6_BYTES)
        return false;
    size_t tail = groups.has_gap ? groups.len - groups.gap : 0;
    memset(out_bytes, 0, V6_BYTES);
    memcpy(out_bytes, groups.bytes, groups.len - tail);
    memcpy(out_bytes + V6_BYTES - tail, groups.bytes + groups.gap, tail);
    return true;
}

static struct gh_ip from_v4(const void *bytes)
{
    struct gh_ip ip = {.family = GH_IP_V4};
    memcpy(ip.bytes, bytes, V4_BYTES);
    return ip;
}

/* Folds IPv4-mapped addresses. */
static struct gh_ip from_v6(const uint8_t *bytes)
{
    if (memcmp(bytes, MAPPED_PREFIX, sizeof(MAPPED_PREFIX)) == 0)
        return from_v4(bytes + sizeof(MAPPED_PREFIX));
    struct gh_ip ip = {.family = GH_IP_V6};
    memcpy(ip.bytes, bytes, V6_BYTES);
    return ip;
}

/* Interface names and numbers, as RFC 6874 lets them stand unescaped. */
static bool is_zone(struct gh_str zone)
{
    for (size_t i = 0; i < zone.len; i++) {
        char c = gh_ascii_lower(zone.ptr[i]);
        bool mark = c == '-' || c == '.' || c == '_' || c == '~';
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !mark)
            return false;
    }
    return zone.len > 0;
}

static bool parse_v6_with_zone(struct gh_str text, struct gh_ip *out_ip)
{
    size_t percent = gh_str_find_char(text, '%');
    if (percent < text.len && !is_zone(gh_str_skip(text, percent + 1)))
        return false;
    uint8_t bytes[V6_BYTES];
    if (!parse_v6(gh_str_first(text, percent), bytes))
        return false;
    *out_ip = from_v6(bytes);
    return true;
}

bool gh_ip_parse(struct gh_str text, struct gh_ip *out_ip)
{
    if (gh_str_find_char(text, ':') < text.len)
        return parse_v6_with_zone(text, out_ip);
    uint8_t bytes[V4_BYTES];
    if (!parse_v4(text, bytes))
        return false;
    *out_ip = from_v4(bytes);
    return true;
}

/* "" or ":port". */
static bool parse_port_suffix(struct gh_str text, uint16_t *out_port)
{
    uint64_t port = 0;
    if (text.len) {
        if (text.ptr[0] != ':' || !gh_num_parse_u64(gh_str_skip(text, 1), UINT16_MAX, &port))
            return false;
    }
    *out_port = (uint16_t)port;
    return true;
}

static bool parse_bracketed(struct gh_str text, struct gh_ip *out_ip, uint16_t *out_port)
{
    size_t close = gh_str_find_char(text, ']');
    struct gh_ip ip;
    if (close == text.len || !parse_v6_with_zone(gh_str_of(text.ptr + 1, close - 1), &ip) ||
        !parse_port_suffix(gh_str_skip(text, close + 1), out_port))
        return false;
    *out_ip = ip;
    return true;
}

bool gh_ip_parse_with_port(struct gh_str text, struct gh_ip *out_ip, uint16_t *out_port)
{
    if (text.len && text.ptr[0] == '[')
        return parse_bracketed(text, out_ip, out_port);
    size_t colon = gh_str_find_char(text, ':');
    struct gh_str behind = gh_str_skip(text, colon + 1);
    bool one_colon = colon < text.len && gh_str_find_char(behind, ':') == behind.len;
    if (!one_colon) { /* an address alone; IPv6 has two colons at least */
        if (!gh_ip_parse(text, out_ip))
            return false;
        *out_port = 0;
        return true;
    }
    uint8_t bytes[V4_BYTES];
    if (!parse_v4(gh_str_first(text, colon), bytes) ||
        !parse_port_suffix(gh_str_skip(text, colon), out_port))
        return false;
    *out_ip = from_v4(bytes);
    return true;
}

static unsigned full_bits(enum gh_ip_family family)
{
    return family == GH_IP_V4 ? 8 * V4_BYTES : 8 * V6_BYTES;
}

bool gh_ip_network_parse(struct gh_str text, struct gh_ip_network *out_network)
{
    size_t slash = gh_str_find_char(text, '/');
    struct gh_str address = gh_str_first(text, slash);
    struct gh_ip ip;
    if (gh_str_find_char(address, '%') < address.len || !gh_ip_parse(address, &ip))
        return false;
    bool mapped = ip.family == GH_IP_V4 && gh_str_find_char(address, ':') < address.len;
    unsigned folded_bits = mapped ? 8 * sizeof(MAPPED_PREFIX) : 0;
    uint64_t bits = full_bits(ip.family) + folded_bits;
    if (slash < text.len && !gh_num_parse_u64(gh_str_skip(text, slash + 1), bits, &bits))
        return false;
    if (bits < folded_bits) /* such a network holds more than the mapped addresses */
        return false;
    unsigned prefix_bits = (unsigned)bits - folded_bits;
    struct gh_ip base = gh_ip_mask(&ip, prefix_bits, prefix_bits);
    if (!gh_ip_eq(&base, &ip))
        return false;
    *out_network = (struct gh_ip_network){.base = base, .prefix_bits = prefix_bits};
    return true;
}

bool gh_ip_network_contains(const struct gh_ip_network *network, const struct gh_ip *ip)
{
    if (network->base.family != ip->family || ip->family == GH_IP_NONE)
        return false;
    size_t whole = network->prefix_bits / 8;
    if (memcmp(network->base.bytes, ip->bytes, whole) != 0)
        return false;
    unsigned rest = network->prefix_bits % 8;
    return rest == 0 || (network->base.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest) == 0;
}

struct gh_ip gh_ip_from_sockaddr(const struct sockaddr *address, uint16_t *out_port)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        *out_port = ntohs(in.sin_port);
        return from_v4(&in.sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof(in6));
        *out_port = ntohs(in6.sin6_port);
        return from_v6(in6.sin6_addr.s6_addr);
    }
    *out_port = 0;
    return (struct gh_ip){.family = GH_IP_NONE};
}

static char *write_octet(char *at, uint8_t octet)
{
    if (octet >= 100)
        *at++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *at++ = (char)('0' + octet / 10 % 10);
    *at++ = (char)('0' + octet % 10);
    return at;
}

/* On the path of each request (X-Forwarded-For, log): no format string, one put. */
static void write_v4(struct gh_buf *buf, const uint8_t *bytes)
{
    char text[sizeof("255.255.255.255")];
    char *at = text;
    for (int i = 0; i < V4_BYTES; i++) {
        at = write_octet(at, bytes[i]);
        *at++ = '.';
    }
    gh_buf_put(buf, gh_str_of(text, (size_t)(at - text) - 1));
}

static unsigned group_at(const uint8_t *bytes, size_t index)
{
    return (unsigned)bytes[2 * index] << 8 | bytes[2 * index + 1];
}

/* The first of the longest runs of two or more zero groups; *out_len is 0 when there is none. */
static size_t longest_zero_run(const uint8_t *bytes, size_t *out_len)
{
    size_t best = 0, best_len = 1; /* one group alone is not shortened: RFC 5952 section 4.2.2 */
    for (size_t i = 0; i < V6_GROUPS; i++) {
        size_t end = i;
        while (end < V6_GROUPS && group_at(bytes, end) == 0)
            end++;
        if (end - i > best_len) {
            best = i;
            best_len = end - i;
        }
        if (end > i)
            i = end - 1;
    }
    *out_len = best_len > 1 ? best_len : 0;
    return best;
}

static void write_v6(struct gh_buf *buf, const uint8_t *bytes)
{
    char memory[sizeof("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")];
    struct gh_buf text = gh_buf_over(memory, sizeof(memory));
    size_t run_len, run = longest_zero_run(bytes, &run_len);
    for (size_t i = 0; i < V6_GROUPS; i++) {
        if (run_len && i == run) {
            gh_buf_put(&text, GH_STR("::"));
            i += run_len - 1;
            continue;
        }
        if (i > 0 && !(run_len && i == run + run_len))
            gh_buf_put_char(&text, ':');
        gh_buf_put_hex(&text, group_at(bytes, i));
    }
    GH_ASSERT(!text.overflow);
    gh_buf_put(buf, gh_buf_str(&text));
}

void gh_ip_write(struct gh_buf *buf, const struct gh_ip *ip)
{
    switch (ip->family) {
    case GH_IP_NONE:
        gh_buf_put(buf, GH_STR("unknown"));
        return;
    case GH_IP_V4:
        write_v4(buf, ip->bytes);
        return;
    case GH_IP_V6:
        write_v6(buf, ip->bytes);
        return;
    }
}

struct gh_ip gh_ip_mask(const struct gh_ip *ip, unsigned v4_bits, unsigned v6_bits)
{
    struct gh_ip network = *ip;
    unsigned bits = ip->family == GH_IP_V4 ? v4_bits : v6_bits;
    if (ip->family == GH_IP_NONE || bits >= full_bits(ip->family))
        return network;
    size_t whole = bits / 8;
    network.bytes[whole] &= (uint8_t)(0xff00u >> (bits % 8));
    memset(network.bytes + whole + 1, 0, V6_BYTES - whole - 1);
    return network;
}

bool gh_ip_eq(const struct gh_ip *a, const struct gh_ip *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, V6_BYTES) == 0;
}

/* True when the first `bits` bits of the address are those of `prefix`. */
static bool has_prefix(const struct gh_ip *ip, enum gh_ip_family family, const uint8_t prefix[2],
                       unsigned bits)
{
    struct gh_ip_network network = {.base = {.family = family}, .prefix_bits = bits};
    memcpy(network.base.bytes, prefix, 2);
    return gh_ip_network_contains(&network, ip);
}

bool gh_ip_is_private(const struct gh_ip *ip)
{
    static const struct {
        enum gh_ip_family family;
        uint8_t prefix[2];
        unsigned bits;
    } NETWORKS[] = {
        {GH_IP_V4, {10, 0}, 8},       {GH_IP_V4, {172, 16}, 12}, {GH_IP_V4, {192, 168}, 16},
        {GH_IP_V4, {169, 254}, 16},   {GH_IP_V4, {100, 64}, 10}, {GH_IP_V6, {0xfc, 0}, 7},
        {GH_IP_V6, {0xfe, 0x80}, 10},
    };
    for (size_t i = 0; i < sizeof(NETWORKS) / sizeof(NETWORKS[0]); i++) {
        if (has_prefix(ip, NETWORKS[i].family, NETWORKS[i].prefix, NETWORKS[i].bits))
            return true;
    }
    return gh_ip_is_loopback(ip);
}

bool gh_ip_is_loopback(const struct gh_ip *ip)
{
    static const uint8_t V6_LOOPBACK[V6_BYTES] = {[15] = 1};
    return has_prefix(ip, GH_IP_V4, (const uint8_t[2]){127, 0}, 8) ||
           (ip->family == GH_IP_V6 && memcmp(ip->bytes, V6_LOOPBACK, V6_BYTES) == 0);
}
