#include "http/byte_class.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define T GH_BYTE_TOKEN
#define G GH_BYTE_TARGET
#define H GH_BYTE_HOST
#define V GH_BYTE_FIELD_VALUE

/* Sixteen bytes a row; byte_class_test compares it with the grammars. */
/* clang-format off */
const uint8_t gh_byte_class[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, V, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    V, T|G|V, G|V, T|V, T|G|V, T|V, T|G|V, T|G|V, G|V, G|V, T|G|V, T|G|V, G|V, T|G|H|V, T|G|H|V, G|V,
    T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, G|H|V, G|V, G|V, G|V, G|V, G|V,
    G|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V,
    T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, G|H|V, V, G|H|V, T|G|V, T|G|H|V,
    T|G|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V,
    T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, T|G|H|V, G|V, T|G|V, G|V, T|G|V, 0,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
};
/* clang-format on */

#undef T
#undef G
#undef H
#undef V

size_t gh_find_control_scalar(const char *bytes, size_t from, size_t to)
{
    while (from < to && gh_byte_is(bytes[from], GH_BYTE_FIELD_VALUE))
        from++;
    return from;
}

#if defined(__SSE2__)

#define STEP 16

/* Bit n is set when byte n of the step is a control byte. */
static unsigned controls_of(const char *at)
{
    const __m128i highest_control = _mm_set1_epi8(0x1f);
    __m128i step = _mm_loadu_si128((const __m128i *)(const void *)at);
    /* Unsigned step <= 0x1f, which SSE2 can only say with a minimum. */
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(step, highest_control), step);
    __m128i tab = _mm_cmpeq_epi8(step, _mm_set1_epi8('\t'));
    __m128i delete = _mm_cmpeq_epi8(step, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), delete));
}

size_t gh_find_control(const char *bytes, size_t from, size_t to)
{
    while (to - from >= STEP) {
        unsigned found = controls_of(bytes + from);
        if (found)
            return from + (size_t)__builtin_ctz(found);
        from += STEP;
    }
    return gh_find_control_scalar(bytes, from, to);
}

#else

size_t gh_find_control(const char *bytes, size_t from, size_t to)
{
    return gh_find_control_scalar(bytes, from, to);
}

#endif
