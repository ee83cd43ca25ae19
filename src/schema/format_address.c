/* Addresses: e-mail, IP, and UUID. */
#include "base/ip.h"
#include "base/utf8.h"
#include "schema/format.h"

#define LOCAL_PART_BYTES_MAX 64

bool gh_format_ipv4(struct gh_str text)
{
    struct gh_ip ip;
    return gh_str_find_char(text, ':') == text.len && gh_str_find_char(text, '%') == text.len &&
           gh_ip_parse(text, &ip);
}

bool gh_format_ipv6(struct gh_str text)
{
    struct gh_ip ip;
    return gh_str_find_char(text, ':') < text.len && gh_str_find_char(text, '%') == text.len &&
           gh_ip_parse(text, &ip);
}

/* All digits are counted, none is waited for: which are letters can't be foreseen. */
bool gh_format_uuid(struct gh_str text)
{
    unsigned digits = 0;
    if (text.len != 36 || text.ptr[8] != '-' || text.ptr[13] != '-' || text.ptr[18] != '-' ||
        text.ptr[23] != '-')
        return false;
    for (size_t i = 0; i < 36; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        digits += (uint8_t)(c - '0') < 10 || (uint8_t)((c | 0x20) - 'a') < 6;
    }
    return digits == 32;
}

/* RFC 5322 section 3.2.3; bytes above 127 belong to RFC 6531. */
static bool is_atext(char c, bool international)
{
    char lower = gh_ascii_lower(c);
    if ((uint8_t)c >= 0x80)
        return international;
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_dot_string(struct gh_str text, bool international)
{
    for (struct gh_str rest = text; rest.ptr;) {
        struct gh_str atom = gh_str_split(&rest, '.');
        if (atom.len == 0)
            return false;
        for (size_t i = 0; i < atom.len; i++) {
            if (!is_atext(atom.ptr[i], international))
                return false;
        }
    }
    return true;
}

/* With its quotes. */
static bool is_quoted_string(struct gh_str text, bool international)
{
    if (text.len < 2 || text.ptr[text.len - 1] != '"')
        return false;
    for (size_t i = 1; i < text.len - 1; i++) {
        char c = text.ptr[i];
        if (c == '\\')
            c = ++i < text.len - 1 ? text.ptr[i] : '\0';
        else if (c == '"')
            return false;
        if ((uint8_t)c >= 0x80 ? !international : c < ' ' || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_address_literal(struct gh_str text)
{
    if (text.len < 2 || text.ptr[text.len - 1] != ']')
        return false;
    text = gh_str_of(text.ptr + 1, text.len - 2);
    if (gh_str_ieq(gh_str_first(text, 5), GH_STR("IPv6:")))
        return gh_format_ipv6(gh_str_skip(text, 5));
    return gh_format_ipv4(text);
}

static bool is_email(struct gh_str text, bool international)
{
    size_t at = text.len; /* the last one: a quoted local part may have others */
    while (at > 0 && text.ptr[at - 1] != '@')
        at--;
    if (at < 2 || at == text.len)
        return false;
    struct gh_str local = gh_str_first(text, at - 1), domain = gh_str_skip(text, at);
    if (local.len > LOCAL_PART_BYTES_MAX)
        return false;
    if (local.ptr[0] == '"' ? !is_quoted_string(local, international)
                            : !is_dot_string(local, international))
        return false;
    if (domain.ptr[0] == '[')
        return is_address_literal(domain);
    return international ? gh_format_idn_hostname(domain) : gh_format_hostname(domain);
}

bool gh_format_email(struct gh_str text)
{
    return is_email(text, false);
}

bool gh_format_idn_email(struct gh_str text)
{
    return gh_utf8_is_valid(text) && is_email(text, true);
}
