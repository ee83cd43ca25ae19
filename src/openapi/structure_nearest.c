/* The nearest name by optimal string alignment, where swapping two neighbours is one step. */
#include "openapi/structure.h"

#define WORD_BYTES_MAX 32

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(struct gh_str a, struct gh_str b)
{
    unsigned d[WORD_BYTES_MAX + 1][WORD_BYTES_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        d[i][0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            char c = gh_ascii_lower(a.ptr[i - 1]), e = gh_ascii_lower(b.ptr[j - 1]);
            d[i][j] = smaller(d[i - 1][j - 1] + (c != e), smaller(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && c == gh_ascii_lower(b.ptr[j - 2]) &&
                e == gh_ascii_lower(a.ptr[i - 2]))
                d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.len][b.len];
}

const char *gh_openapi_nearest(struct gh_str name, const struct gh_openapi_field *fields,
                               size_t count)
{
    unsigned best = name.len < 6 ? 2 : (unsigned)(name.len / 3) + 1; /* nearer than this */
    const char *nearest = NULL;
    if (name.len == 0 || name.len > WORD_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        unsigned apart = distance(name, gh_str_from_c(fields[i].name));
        if (apart < best) {
            best = apart;
            nearest = fields[i].name;
        }
    }
    return nearest;
}
