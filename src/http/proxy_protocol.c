/*
 * Both versions are one header in front of everything else on a connection. What is in it is
 * believed, because the listener is reachable for the balancer only; so it is read as strictly as
 * any other input, and what makes no sense closes the connection.
 */
#include "http/proxy_protocol.h"

#include "base/num.h"

enum {
    V1_BYTES_MAX = 107, /* with CRLF: section 2.1 */
    V2_HEAD_BYTES = 16,
    V2_LENGTH_AT = 14,
    V2_V4_BYTES = 12, /* two addresses and two ports */
    V2_V6_BYTES = 36,
    TLV_HEAD_BYTES = 3,
    SSL_HEAD_BYTES = 5, /* flags and the result of the verification */
};

/* Values of the version 2 header: section 2.2. */
enum {
    COMMAND_LOCAL = 0x20,
    COMMAND_PROXY = 0x21,
    FAMILY_UNSPEC = 0x00,
    FAMILY_TCP4 = 0x11,
    FAMILY_TCP6 = 0x21,
    TLV_CRC32C = 0x03,
    TLV_SSL = 0x20,
    CLIENT_SSL = 0x01,
};

#define V1_PREFIX GH_STR("PROXY ")
#define V2_PREFIX GH_STR("\r\n\r\n\0\r\nQUIT\n")

static uint8_t byte_at(struct gh_str s, size_t at)
{
    return (uint8_t)s.ptr[at];
}

static size_t u16_at(struct gh_str s, size_t at)
{
    return (size_t)byte_at(s, at) << 8 | byte_at(s, at + 1);
}

/* The next word of a version 1 line; exactly one space ends it. */
static struct gh_str take_word(struct gh_str *rest)
{
    return rest->ptr ? gh_str_split(rest, ' ') : GH_STR("");
}

/* An address of the family that the line names, without zone. */
static bool parse_v1_address(struct gh_str text, bool v6, struct gh_ip *out_ip)
{
    bool has_colon = gh_str_find_char(text, ':') < text.len;
    bool has_zone = gh_str_find_char(text, '%') < text.len;
    return has_colon == v6 && !has_zone && gh_ip_parse(text, out_ip);
}

/* What follows "PROXY ", without CRLF. */
static bool parse_v1_line(struct gh_str line, struct gh_proxy_protocol *out_header)
{
    struct gh_str rest = line;
    struct gh_str family = take_word(&rest);
    if (gh_str_eq(family, GH_STR("UNKNOWN"))) { /* the rest of the line is to be ignored */
        *out_header = (struct gh_proxy_protocol){.is_local = true};
        return true;
    }
    bool v6 = gh_str_eq(family, GH_STR("TCP6"));
    if (!v6 && !gh_str_eq(family, GH_STR("TCP4")))
        return false;
    struct gh_str source = take_word(&rest), destination = take_word(&rest);
    struct gh_str source_port = take_word(&rest), destination_port = take_word(&rest);
    struct gh_ip source_ip, destination_ip;
    uint64_t source_number, destination_number;
    if (rest.ptr || !parse_v1_address(source, v6, &source_ip) ||
        !parse_v1_address(destination, v6, &destination_ip) ||
        !gh_num_parse_u64(source_port, UINT16_MAX, &source_number) ||
        !gh_num_parse_u64(destination_port, UINT16_MAX, &destination_number))
        return false;
    *out_header =
        (struct gh_proxy_protocol){.source = source_ip, .source_port = (uint16_t)source_number};
    return true;
}

static enum gh_proxy_protocol_status parse_v1(struct gh_str bytes,
                                              struct gh_proxy_protocol *out_header, size_t *out_len)
{
    struct gh_str window = gh_str_first(bytes, V1_BYTES_MAX);
    size_t end = gh_str_find(window, GH_STR("\r\n"));
    struct gh_str line = gh_str_first(window, end);
    bool complete = end < window.len;
    /* A CR may be the last byte so far, a LF never is. */
    size_t cr = gh_str_find_char(line, '\r');
    if (gh_str_find_char(line, '\n') < line.len || cr + 1 < line.len || (complete && cr < line.len))
        return GH_PROXY_PROTOCOL_ERROR;
    if (!complete)
        return bytes.len < V1_BYTES_MAX ? GH_PROXY_PROTOCOL_MORE : GH_PROXY_PROTOCOL_ERROR;
    if (!parse_v1_line(gh_str_skip(line, V1_PREFIX.len), out_header))
        return GH_PROXY_PROTOCOL_ERROR;
    *out_len = end + 2;
    return GH_PROXY_PROTOCOL_DONE;
}

/* CRC-32C (RFC 3720 appendix B.4) over the header with the checksum's own bytes as zero. */
static uint32_t crc32c_without(struct gh_str header, size_t hole_at)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < header.len; i++) {
        bool in_hole = i >= hole_at && i < hole_at + 4;
        crc ^= in_hole ? 0 : byte_at(header, i);
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static bool crc_is_right(struct gh_str header, size_t value_at, size_t value_len)
{
    if (value_len != 4)
        return false;
    uint32_t given =
        (uint32_t)u16_at(header, value_at) << 16 | (uint32_t)u16_at(header, value_at + 2);
    return crc32c_without(header, value_at) == given;
}

/* TLVs from `at` to the end of the header; unknown types are skipped, known ones stand once. */
static bool parse_tlvs(struct gh_str header, size_t at, bool *out_tls)
{
    bool has_crc = false, has_ssl = false, tls = false;
    while (at < header.len) {
        if (header.len - at < TLV_HEAD_BYTES)
            return false;
        uint8_t type = byte_at(header, at);
        size_t len = u16_at(header, at + 1);
        at += TLV_HEAD_BYTES;
        if (len > header.len - at)
            return false;
        if (type == TLV_CRC32C) {
            if (has_crc || !crc_is_right(header, at, len))
                return false;
            has_crc = true;
        } else if (type == TLV_SSL) {
            if (has_ssl || len < SSL_HEAD_BYTES)
                return false;
            has_ssl = true;
            tls = byte_at(header, at) & CLIENT_SSL;
        }
        at += len;
    }
    *out_tls = tls;
    return true;
}

/* Address bytes as a value, mapped addresses folded as everywhere. */
static struct gh_ip ip_of_bytes(const char *bytes, bool v6)
{
    static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};
    bool mapped = v6 && memcmp(bytes, MAPPED, sizeof(MAPPED)) == 0;
    struct gh_ip ip = {.family = v6 && !mapped ? GH_IP_V6 : GH_IP_V4};
    memcpy(ip.bytes, mapped ? bytes + sizeof(MAPPED) : bytes, ip.family == GH_IP_V6 ? 16 : 4);
    return ip;
}

/* A whole version 2 header. */
static bool parse_v2_header(struct gh_str header, struct gh_proxy_protocol *out_header)
{
    uint8_t command = byte_at(header, 12), family = byte_at(header, 13);
    if (command == COMMAND_LOCAL) { /* the address block is to be ignored */
        *out_header = (struct gh_proxy_protocol){.is_local = true};
        return true;
    }
    bool v6 = family == FAMILY_TCP6, unspec = family == FAMILY_UNSPEC;
    if (command != COMMAND_PROXY || !(v6 || unspec || family == FAMILY_TCP4))
        return false;
    if (unspec) { /* "the receiver should ignore the address information" */
        *out_header = (struct gh_proxy_protocol){.is_local = true};
        return true;
    }
    size_t address_bytes = v6 ? V2_V6_BYTES : V2_V4_BYTES;
    struct gh_proxy_protocol parsed = {0};
    if (header.len - V2_HEAD_BYTES < address_bytes ||
        !parse_tlvs(header, V2_HEAD_BYTES + address_bytes, &parsed.tls))
        return false;
    parsed.source = ip_of_bytes(header.ptr + V2_HEAD_BYTES, v6);
    /* Source and destination address, then source and destination port. */
    parsed.source_port = (uint16_t)u16_at(header, V2_HEAD_BYTES + address_bytes - 4);
    *out_header = parsed;
    return true;
}

static enum gh_proxy_protocol_status parse_v2(struct gh_str bytes,
                                              struct gh_proxy_protocol *out_header, size_t *out_len)
{
    if (bytes.len < V2_HEAD_BYTES)
        return GH_PROXY_PROTOCOL_MORE;
    size_t len = V2_HEAD_BYTES + u16_at(bytes, V2_LENGTH_AT);
    if (len > GH_PROXY_PROTOCOL_BYTES_MAX)
        return GH_PROXY_PROTOCOL_ERROR;
    if (bytes.len < len)
        return GH_PROXY_PROTOCOL_MORE;
    if (!parse_v2_header(gh_str_first(bytes, len), out_header))
        return GH_PROXY_PROTOCOL_ERROR;
    *out_len = len;
    return GH_PROXY_PROTOCOL_DONE;
}

/* True when the bytes so far could become a text that begins with `prefix`. */
static bool could_begin_with(struct gh_str bytes, struct gh_str prefix)
{
    return gh_str_starts_with(prefix, gh_str_first(bytes, prefix.len));
}

enum gh_proxy_protocol_status gh_proxy_protocol_parse(struct gh_str bytes,
                                                      struct gh_proxy_protocol *out_header,
                                                      size_t *out_len)
{
    if (could_begin_with(bytes, V1_PREFIX))
        return bytes.len < V1_PREFIX.len ? GH_PROXY_PROTOCOL_MORE
                                         : parse_v1(bytes, out_header, out_len);
    if (could_begin_with(bytes, V2_PREFIX))
        return bytes.len < V2_PREFIX.len ? GH_PROXY_PROTOCOL_MORE
                                         : parse_v2(bytes, out_header, out_len);
    return GH_PROXY_PROTOCOL_ERROR;
}
