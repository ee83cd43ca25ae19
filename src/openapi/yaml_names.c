/* Sorted, so that a map of a hundred thousand keys costs no more than it should. */
#include "openapi/yaml_names.h"

#include <stdlib.h>

struct named {
    struct gh_str name;
    uint32_t index;
};

static int compare(const void *a, const void *b)
{
    const struct named *one = a, *other = b;
    int order = gh_str_compare(one->name, other->name);
    return order ? order : one->index < other->index ? -1 : 1;
}

bool gh_openapi_yaml_names(const struct gh_json_value *values, uint32_t object,
                           uint32_t *out_repeated)
{
    uint32_t count = 0, first = UINT32_MAX;
    *out_repeated = 0;
    if (values[object].count < 2)
        return true;
    struct named *names = calloc(values[object].count, sizeof(*names));
    if (!names)
        return false;
    for (uint32_t i = object + 1; i < values[object].next; i = values[i].next)
        names[count++] = (struct named){values[i].name, i};
    qsort(names, count, sizeof(*names), compare);
    for (uint32_t i = 1; i < count; i++) {
        if (gh_str_eq(names[i - 1].name, names[i].name) && names[i].index < first)
            first = names[i].index;
    }
    free(names);
    if (first != UINT32_MAX)
        *out_repeated = first;
    return true;
}
