#include "base/str.h"

bool gh_str_ieq(struct gh_str a, struct gh_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (gh_ascii_lower(a.ptr[i]) != gh_ascii_lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool gh_str_starts_with(struct gh_str s, struct gh_str prefix)
{
    return s.len >= prefix.len && gh_str_eq(gh_str_first(s, prefix.len), prefix);
}

bool gh_str_ends_with(struct gh_str s, struct gh_str suffix)
{
    return s.len >= suffix.len && gh_str_eq(gh_str_skip(s, s.len - suffix.len), suffix);
}

size_t gh_str_find_char(struct gh_str s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? (size_t)(at - s.ptr) : s.len;
}

size_t gh_str_find(struct gh_str s, struct gh_str needle)
{
    if (needle.len == 0)
        return 0;
    if (needle.len > s.len)
        return s.len;
    const char *at = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return at ? (size_t)(at - s.ptr) : s.len;
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

struct gh_str gh_str_trim_ows(struct gh_str s)
{
    while (s.len && is_ows(s.ptr[0]))
        s = gh_str_skip(s, 1);
    while (s.len && is_ows(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct gh_str gh_str_split(struct gh_str *rest, char separator)
{
    size_t at = gh_str_find_char(*rest, separator);
    struct gh_str piece = gh_str_first(*rest, at);
    *rest = at == rest->len ? (struct gh_str){NULL, 0} : gh_str_skip(*rest, at + 1);
    return piece;
}

bool gh_str_next_list_item(struct gh_str *rest, struct gh_str *out_item)
{
    while (rest->ptr) {
        struct gh_str item = gh_str_trim_ows(gh_str_split(rest, ','));
        if (item.len) {
            *out_item = item;
            return true;
        }
    }
    return false;
}

int gh_str_compare(struct gh_str a, struct gh_str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}
