/* URIs (RFC 3986), IRIs (RFC 3987), templates of them (RFC 6570), JSON Pointers (RFC 6901). */
#include "base/ip.h"
#include "base/num.h"
#include "base/utf8.h"
#include "schema/format.h"
#include "schema/uri.h"

static bool is_alpha(char c)
{
    char lower = gh_ascii_lower(c);
    return lower >= 'a' && lower <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_unreserved_or_sub_delim(char c)
{
    return is_alpha(c) || is_digit(c) || (c && strchr("-._~!$&'()*+,;=", c));
}

/* RFC 3987 section 2.2: what ucschar (and, in a query, iprivate) leaves out. */
static bool is_wide_allowed(struct gh_str sequence, bool in_query)
{
    uint32_t code = 0;
    static const uint8_t FIRST_BITS[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    code = (uint8_t)sequence.ptr[0] & FIRST_BITS[sequence.len];
    for (size_t i = 1; i < sequence.len; i++)
        code = code << 6 | ((uint8_t)sequence.ptr[i] & 0x3f);
    if ((code >= 0xe000 && code <= 0xf8ff) || code >= 0xf0000)
        return in_query && (code & 0xffff) <= 0xfffd;
    return code >= 0xa0 && !(code >= 0xfdd0 && code <= 0xfdef) &&
           !(code >= 0xfff0 && code < 0x10000) && (code & 0xffff) < 0xfffe &&
           !(code >= 0xe0000 && code < 0xe1000);
}

/* Unreserved bytes, sub-delims, escapes, and `extra` (of a query it ends with '?'); `wide`: code
   points of IRIs too. */
static bool is_made_of(struct gh_str text, const char *extra, bool wide)
{
    bool in_query = gh_str_ends_with(gh_str_from_c(extra), GH_STR("?"));
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3 || gh_num_hex_digit(text.ptr[i + 1]) < 0 ||
                gh_num_hex_digit(text.ptr[i + 2]) < 0)
                return false;
            i += 2;
        } else if ((uint8_t)c >= 0x80) {
            size_t len = wide ? gh_utf8_sequence_len(gh_str_skip(text, i)) : 0;
            if (len == 0 || !is_wide_allowed(gh_str_of(text.ptr + i, len), in_query))
                return false;
            i += len - 1;
        } else if (!is_unreserved_or_sub_delim(c) && !(c && strchr(extra, c))) {
            return false;
        }
    }
    return true;
}

static bool is_scheme(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!is_alpha(c) && (i == 0 || (!is_digit(c) && c != '+' && c != '-' && c != '.')))
            return false;
    }
    return text.len > 0;
}

/* Between brackets: IPv6 or a form of the future. */
static bool is_ip_literal(struct gh_str text)
{
    if (text.len && gh_ascii_lower(text.ptr[0]) == 'v') {
        size_t dot = gh_str_find_char(text, '.');
        for (size_t i = 1; i < dot; i++) {
            if (gh_num_hex_digit(text.ptr[i]) < 0)
                return false;
        }
        struct gh_str rest = gh_str_skip(text, dot + 1);
        return dot > 1 && rest.len > 0 && gh_str_find_char(rest, '%') == rest.len &&
               is_made_of(rest, ":", false);
    }
    return gh_format_ipv6(text);
}

static bool is_authority(struct gh_str text, bool wide)
{
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '@')
        at--;
    if (at > 0 && !is_made_of(gh_str_first(text, at - 1), ":", wide))
        return false;
    text = gh_str_skip(text, at);
    struct gh_str port = {0};
    if (text.len && text.ptr[0] == '[') {
        size_t close = gh_str_find_char(text, ']');
        if (close == text.len || !is_ip_literal(gh_str_of(text.ptr + 1, close - 1)))
            return false;
        port = gh_str_skip(text, close + 1);
        if (port.len && port.ptr[0] != ':')
            return false;
    } else {
        size_t colon = gh_str_find_char(text, ':');
        if (!is_made_of(gh_str_first(text, colon), "", wide))
            return false;
        port = gh_str_skip(text, colon);
    }
    for (size_t i = 1; i < port.len; i++) {
        if (!is_digit(port.ptr[i]))
            return false;
    }
    return true;
}

static bool is_reference(struct gh_str text, bool wide, bool absolute)
{
    struct gh_uri uri = gh_uri_split(text);
    if (absolute && !uri.scheme.ptr)
        return false;
    if (uri.scheme.ptr && !is_scheme(uri.scheme))
        return false;
    if (uri.authority.ptr && !is_authority(uri.authority, wide))
        return false;
    /* A first segment with a colon would read as a scheme (section 4.2). */
    struct gh_str first = gh_str_first(uri.path, gh_str_find_char(uri.path, '/'));
    if (!uri.scheme.ptr && !uri.authority.ptr && gh_str_find_char(first, ':') < first.len)
        return false;
    return is_made_of(uri.path, ":@/", wide) && is_made_of(uri.query, ":@/?", wide) &&
           is_made_of(uri.fragment, ":@?/", wide);
}

bool gh_format_uri(struct gh_str text)
{
    return is_reference(text, false, true);
}

bool gh_format_uri_reference(struct gh_str text)
{
    return is_reference(text, false, false);
}

bool gh_format_iri(struct gh_str text)
{
    return is_reference(text, true, true);
}

bool gh_format_iri_reference(struct gh_str text)
{
    return is_reference(text, true, false);
}

static bool is_variable_name(struct gh_str name)
{
    for (struct gh_str rest = name; rest.ptr;) {
        struct gh_str part = gh_str_split(&rest, '.');
        if (part.len == 0)
            return false;
        for (size_t i = 0; i < part.len; i++) {
            if (part.ptr[i] == '%') {
                if (part.len - i < 3 || gh_num_hex_digit(part.ptr[i + 1]) < 0 ||
                    gh_num_hex_digit(part.ptr[i + 2]) < 0)
                    return false;
                i += 2;
            } else if (!is_alpha(part.ptr[i]) && !is_digit(part.ptr[i]) && part.ptr[i] != '_') {
                return false;
            }
        }
    }
    return true;
}

/* A name, then "*" or ":" and a length of 1 to 9999. */
static bool is_variable(struct gh_str text)
{
    size_t colon = gh_str_find_char(text, ':');
    uint64_t length;
    if (colon < text.len)
        return gh_num_parse_u64(gh_str_skip(text, colon + 1), 9999, &length) && length > 0 &&
               is_variable_name(gh_str_first(text, colon));
    if (gh_str_ends_with(text, GH_STR("*")))
        text.len--;
    return is_variable_name(text);
}

/* RFC 6570 section 2.2; operators that are reserved for the future belong to the grammar. */
static bool is_expression(struct gh_str text)
{
    if (text.len && strchr("+#./;?&=,!@|", text.ptr[0]))
        text = gh_str_skip(text, 1);
    for (struct gh_str rest = text; rest.ptr;) {
        if (!is_variable(gh_str_split(&rest, ',')))
            return false;
    }
    return true;
}

/* The apostrophe is one since erratum 6937 of RFC 6570. */
static bool is_template_literal(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3 || gh_num_hex_digit(text.ptr[i + 1]) < 0 ||
                gh_num_hex_digit(text.ptr[i + 2]) < 0)
                return false;
        } else if ((uint8_t)c >= 0x80) {
            size_t len = gh_utf8_sequence_len(gh_str_skip(text, i));
            if (len == 0 || !is_wide_allowed(gh_str_of(text.ptr + i, len), true))
                return false;
            i += len - 1;
        } else if (c <= ' ' || c == 0x7f || strchr("\"<>\\^`{|}", c)) {
            return false;
        }
    }
    return true;
}

bool gh_format_uri_template(struct gh_str text)
{
    while (text.len) {
        size_t open = gh_str_find_char(text, '{');
        if (!is_template_literal(gh_str_first(text, open)))
            return false;
        text = gh_str_skip(text, open);
        if (text.len == 0)
            break;
        size_t close = gh_str_find_char(text, '}');
        if (close == text.len || !is_expression(gh_str_of(text.ptr + 1, close - 1)))
            return false;
        text = gh_str_skip(text, close + 1);
    }
    return true;
}

bool gh_format_json_pointer(struct gh_str text)
{
    if (text.len && text.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char next = i + 1 < text.len ? text.ptr[i + 1] : '\0';
        if (text.ptr[i] == '~' && next != '0' && next != '1')
            return false;
    }
    return true;
}

bool gh_format_relative_json_pointer(struct gh_str text)
{
    size_t digits = 0;
    while (digits < text.len && is_digit(text.ptr[digits]))
        digits++;
    if (digits == 0 || (digits > 1 && text.ptr[0] == '0'))
        return false;
    text = gh_str_skip(text, digits);
    return gh_str_eq(text, GH_STR("#")) || gh_format_json_pointer(text);
}
