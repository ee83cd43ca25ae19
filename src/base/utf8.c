#include "base/utf8.h"

/* How long a sequence is by its first byte, and what its second byte may be. */
struct lead {
    size_t len; /* 0: not a first byte */
    uint8_t second_min, second_max;
};

static struct lead lead_of(uint8_t first)
{
    if (first < 0x80)
        return (struct lead){1, 0, 0};
    if (first >= 0xc2 && first <= 0xdf)
        return (struct lead){2, 0x80, 0xbf};
    if (first == 0xe0)
        return (struct lead){3, 0xa0, 0xbf}; /* below: overlong */
    if (first == 0xed)
        return (struct lead){3, 0x80, 0x9f}; /* above: surrogates */
    if (first >= 0xe1 && first <= 0xef)
        return (struct lead){3, 0x80, 0xbf};
    if (first == 0xf0)
        return (struct lead){4, 0x90, 0xbf}; /* below: overlong */
    if (first >= 0xf1 && first <= 0xf3)
        return (struct lead){4, 0x80, 0xbf};
    if (first == 0xf4)
        return (struct lead){4, 0x80, 0x8f}; /* above: past U+10FFFF */
    return (struct lead){0, 0, 0};
}

size_t gh_utf8_sequence_len(struct gh_str s)
{
    if (s.len == 0)
        return 0;
    struct lead lead = lead_of((uint8_t)s.ptr[0]);
    if (lead.len <= 1)
        return lead.len;
    if (s.len < lead.len)
        return 0;
    uint8_t second = (uint8_t)s.ptr[1];
    if (second < lead.second_min || second > lead.second_max)
        return 0;
    for (size_t i = 2; i < lead.len; i++) {
        if (((uint8_t)s.ptr[i] & 0xc0) != 0x80)
            return 0;
    }
    return lead.len;
}

bool gh_utf8_is_valid(struct gh_str s)
{
    while (s.len) {
        size_t len = gh_utf8_sequence_len(s);
        if (len == 0)
            return false;
        s = gh_str_skip(s, len);
    }
    return true;
}
