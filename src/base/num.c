#include "base/num.h"

bool gh_num_parse_u64(struct gh_str s, uint64_t max, uint64_t *out_value)
{
    if (s.len == 0 || (s.len > 1 && s.ptr[0] == '0'))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value))
            return false;
    }
    if (value > max)
        return false;
    *out_value = value;
    return true;
}

int gh_num_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = gh_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
