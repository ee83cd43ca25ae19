/*
 * How many bytes at the beginning of a text are of one class: a range but for a few bytes of it.
 * For checks of whole values, where nearly always all of them are; sixteen at once where the
 * processor can, and never a byte read beside the text. The scalar form says what is meant, and a
 * test compares the other with it.
 */
#ifndef GH_BASE_SPAN_H
#define GH_BASE_SPAN_H

#include "base/str.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Write it as a constant, so that it is compiled into the loop. */
struct gh_span_class {
    uint8_t lowest, highest;
    const char *except; /* none, or a literal */
};

static inline bool gh_span_has(struct gh_span_class class, char c)
{
    if ((uint8_t)c < class.lowest || (uint8_t)c > class.highest)
        return false;
    for (const char *not = class.except; *not ; not ++) {
        if (c == *not )
            return false;
    }
    return true;
}

static inline size_t gh_span_scalar(struct gh_str text, struct gh_span_class class)
{
    size_t len = 0;
    while (len < text.len && gh_span_has(class, text.ptr[len]))
        len++;
    return len;
}

#if defined(__SSE2__)

#define GH_SPAN_INLINE static inline __attribute__((always_inline))
#define GH_SPAN_STEP   16

/* Bit n is set when byte n is not of the class. */
GH_SPAN_INLINE unsigned gh_span_others(__m128i bytes, struct gh_span_class class)
{
    /* What is below the range comes out above its width. */
    __m128i above = _mm_sub_epi8(bytes, _mm_set1_epi8((char)class.lowest));
    __m128i width = _mm_set1_epi8((char)(class.highest - class.lowest));
    __m128i inside = _mm_cmpeq_epi8(_mm_min_epu8(above, width), above);
    for (size_t i = 0, count = strlen(class.except); i < count; i++)
        inside = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(class.except[i])), inside);
    return (unsigned)_mm_movemask_epi8(inside) ^ 0xffff;
}

GH_SPAN_INLINE __m128i gh_span_load(const char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* Of 4 to 15 bytes: the first half of a step has the first 8 or 4, the second the last. */
GH_SPAN_INLINE size_t gh_span_short(struct gh_str text, struct gh_span_class class)
{
    size_t half = text.len >= 8 ? 8 : 4;
    uint64_t first = 0, last = 0;
    if (half == 8) {
        memcpy(&first, text.ptr, 8);
        memcpy(&last, text.ptr + text.len - 8, 8);
    } else {
        memcpy(&first, text.ptr, 4);
        memcpy(&last, text.ptr + text.len - 4, 4);
    }
    unsigned in_half = half == 8 ? 0xff : 0xf;
    __m128i both = _mm_set_epi64x((long long)last, (long long)first);
    unsigned others = gh_span_others(both, class);
    if (others & in_half)
        return (size_t)__builtin_ctz(others & in_half);
    others = others >> 8 & in_half;
    return others ? text.len - half + (size_t)__builtin_ctz(others) : text.len;
}

GH_SPAN_INLINE size_t gh_span(struct gh_str text, struct gh_span_class class)
{
    if (text.len < 4)
        return gh_span_scalar(text, class);
    if (text.len < GH_SPAN_STEP)
        return gh_span_short(text, class);
    for (size_t at = 0;; at += GH_SPAN_STEP) {
        /* The last step lies over bytes that were found good already. */
        if (text.len - at < GH_SPAN_STEP)
            at = text.len - GH_SPAN_STEP;
        unsigned others = gh_span_others(gh_span_load(text.ptr + at), class);
        if (others)
            return at + (size_t)__builtin_ctz(others);
        if (text.len - at == GH_SPAN_STEP)
            return text.len;
    }
}

#else

static inline size_t gh_span(struct gh_str text, struct gh_span_class class)
{
    return gh_span_scalar(text, class);
}

#endif

#endif
