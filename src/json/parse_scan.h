/*
 * The searches that a parser of JSON spends its time in, on sixteen bytes at once where the
 * processor can. The scalar forms are the reference that a test compares them with.
 */
#ifndef GH_JSON_PARSE_SCAN_H
#define GH_JSON_PARSE_SCAN_H

#include "base/str.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static inline bool gh_json_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* A byte of a string that stands for itself and needs no look: ASCII but '"', '\' and controls. */
static inline bool gh_json_is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

static inline const char *gh_json_skip_plain_scalar(const char *at, const char *end)
{
    while (at < end && gh_json_is_plain(*at))
        at++;
    return at;
}

static inline const char *gh_json_skip_space_scalar(const char *at, const char *end)
{
    while (at < end && gh_json_is_space(*at))
        at++;
    return at;
}

static inline const char *gh_json_skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* A good number without an exponent that is over before the text is; NULL: not such a one. */
static inline const char *gh_json_skip_number_scalar(const char *start, const char *end,
                                                     bool *out_is_integer)
{
    const char *digits = start + (start < end && *start == '-');
    const char *at = gh_json_skip_digits(digits, end);
    if (at == end || at == digits || (*digits == '0' && at - digits > 1))
        return NULL;
    *out_is_integer = *at != '.';
    if (*at == '.') {
        digits = at + 1;
        at = gh_json_skip_digits(digits, end);
        if (at == end || at == digits)
            return NULL;
    }
    return *at == 'e' || *at == 'E' ? NULL : at;
}

#if defined(__SSE2__)

#define GH_JSON_STEP 16

static inline __m128i gh_json_load(const char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* The first byte from `at` that is not plain, or `end`. */
static inline const char *gh_json_skip_plain(const char *at, const char *end)
{
    while (end - at >= GH_JSON_STEP) {
        __m128i step = gh_json_load(at);
        /* Signed, so that bytes above 127 are small too. */
        __m128i low = _mm_cmplt_epi8(step, _mm_set1_epi8(0x20));
        __m128i quote = _mm_cmpeq_epi8(step, _mm_set1_epi8('"'));
        __m128i backslash = _mm_cmpeq_epi8(step, _mm_set1_epi8('\\'));
        int found = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, quote), backslash));
        if (found)
            return at + __builtin_ctz((unsigned)found);
        at += GH_JSON_STEP;
    }
    return gh_json_skip_plain_scalar(at, end);
}

/* The first byte from `at` that is no space, or `end`. */
static inline const char *gh_json_skip_spaces(const char *at, const char *end)
{
    while (end - at >= GH_JSON_STEP) {
        __m128i step = gh_json_load(at);
        __m128i space = _mm_cmpeq_epi8(step, _mm_set1_epi8(' '));
        __m128i newline = _mm_cmpeq_epi8(step, _mm_set1_epi8('\n'));
        __m128i carriage = _mm_cmpeq_epi8(step, _mm_set1_epi8('\r'));
        __m128i tab = _mm_cmpeq_epi8(step, _mm_set1_epi8('\t'));
        __m128i any = _mm_or_si128(_mm_or_si128(space, newline), _mm_or_si128(carriage, tab));
        unsigned others = ~(unsigned)_mm_movemask_epi8(any) & 0xffff;
        if (others)
            return at + __builtin_ctz(others);
        at += GH_JSON_STEP;
    }
    return gh_json_skip_space_scalar(at, end);
}

/* One look at sixteen bytes finds the end of most numbers, without a branch for each digit. */
static inline const char *gh_json_skip_number(const char *start, const char *end,
                                              bool *out_is_integer)
{
    const char *digits = start + (*start == '-');
    if (end - digits < GH_JSON_STEP)
        return gh_json_skip_number_scalar(start, end, out_is_integer);
    __m128i moved = _mm_sub_epi8(gh_json_load(digits), _mm_set1_epi8('0'));
    __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(moved, _mm_set1_epi8(9)), moved);
    unsigned others = ~(unsigned)_mm_movemask_epi8(is_digit) & 0xffff;
    unsigned point = others & (0 - others); /* the first, as a bit */
    if (point <= 1 || (*digits == '0' && point > 2))
        return point ? NULL : gh_json_skip_number_scalar(start, end, out_is_integer);
    const char *at = digits + __builtin_ctz(others);
    *out_is_integer = *at != '.';
    if (*at == '.') {
        others ^= point;
        if (others == 0)
            return gh_json_skip_number_scalar(start, end, out_is_integer);
        if (others & point << 1)
            return NULL;
        at = digits + __builtin_ctz(others);
    }
    return *at == 'e' || *at == 'E' ? NULL : at;
}

#else

static inline const char *gh_json_skip_number(const char *start, const char *end,
                                              bool *out_is_integer)
{
    return gh_json_skip_number_scalar(start, end, out_is_integer);
}

static inline const char *gh_json_skip_plain(const char *at, const char *end)
{
    return gh_json_skip_plain_scalar(at, end);
}

static inline const char *gh_json_skip_spaces(const char *at, const char *end)
{
    return gh_json_skip_space_scalar(at, end);
}

#endif

/* The same; most often there is none or one. */
static inline const char *gh_json_skip_space(const char *at, const char *end)
{
    if (at < end && (unsigned char)*at > ' ')
        return at;
    if (end - at >= 2 && *at == ' ' && (unsigned char)at[1] > ' ')
        return at + 1;
    return gh_json_skip_spaces(at, end);
}

#endif
