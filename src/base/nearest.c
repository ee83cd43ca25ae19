/*
 * The nearest of several words: optimal string alignment, the restricted Damerau-Levenshtein
 * distance, in which swapping two neighbours is one step.
 */
#include "base/nearest.h"

#define WORD_BYTES_MAX 64

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(struct gh_str a, struct gh_str b)
{
    unsigned rows[3][WORD_BYTES_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        before[j] = above[j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        char c = gh_ascii_lower(a.ptr[i - 1]);
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            char d = gh_ascii_lower(b.ptr[j - 1]);
            row[j] = smaller(above[j - 1] + (c != d), smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && c == gh_ascii_lower(b.ptr[j - 2]) &&
                d == gh_ascii_lower(a.ptr[i - 2]))
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
        unsigned *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b.len];
}

const char *gh_nearest(struct gh_str name, const char *const *candidates, size_t count)
{
    if (name.len == 0 || name.len > WORD_BYTES_MAX)
        return NULL;
    unsigned best = name.len < 6 ? 1 : (unsigned)(name.len / 3);
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        struct gh_str candidate = gh_str_from_c(candidates[i]);
        if (candidate.len == 0 || candidate.len > WORD_BYTES_MAX)
            continue;
        unsigned apart = distance(name, candidate);
        if (apart < best || (apart == best && !nearest)) {
            best = apart;
            nearest = candidates[i];
        }
    }
    return nearest;
}
