/*
 * Are the names of an object all different? Few are compared by their hashes pair by pair, many
 * through a table. The hash has no secret, so somebody could send names whose hashes agree: then
 * the names are sorted, and the cost stays bounded for everyone.
 */
#include <stdlib.h>

#include "json/parse_hash.h"
#include "json/parse_state.h"

/* Looks at the table for each name, on average, after which somebody has prepared the names. */
#define LOOKS_PER_NAME 8

uint32_t gh_json_name_hash(struct gh_str name)
{
    uint64_t hash = gh_json_hash_begin(name);
    for (; name.len > GH_JSON_HASH_STEP; name = gh_str_skip(name, GH_JSON_HASH_STEP))
        hash = gh_json_hash_mix(hash, gh_json_hash_load(gh_str_first(name, GH_JSON_HASH_STEP)));
    return gh_json_hash_end(gh_json_hash_mix(hash, gh_json_hash_load(name)));
}

/* Exact, for names whose hashes gave no answer. */
struct named {
    struct gh_str name;
    uint32_t index;
};

static int compare_names(const void *a, const void *b)
{
    const struct named *one = a, *other = b;
    if (one->name.len != other->name.len)
        return one->name.len < other->name.len ? -1 : 1;
    int order = one->name.len ? memcmp(one->name.ptr, other->name.ptr, one->name.len) : 0;
    return order ? order : one->index < other->index ? -1 : 1;
}

static enum gh_json_status check_sorted(struct gh_json_parser *parser, uint32_t object,
                                        uint32_t *out_index)
{
    const struct gh_json_value *values = parser->values;
    uint32_t count = 0, first = GH_JSON_NO_VALUE;
    struct named *names = gh_arena_zalloc(parser->arena, values[object].count, sizeof(*names));
    if (!names)
        return GH_JSON_MEMORY;
    for (uint32_t i = object + 1; i < values[object].next; i = values[i].next)
        names[count++] = (struct named){values[i].name, i};
    qsort(names, count, sizeof(*names), compare_names);
    for (uint32_t i = 1; i < count; i++) {
        if (gh_str_eq(names[i - 1].name, names[i].name) && names[i].index < first)
            first = names[i].index;
    }
    if (first == GH_JSON_NO_VALUE)
        return GH_JSON_OK;
    *out_index = first;
    return GH_JSON_DUPLICATE_NAME;
}

static enum gh_json_status check_few(struct gh_json_parser *parser, uint32_t object,
                                     uint32_t *out_index)
{
    const struct gh_json_value *values = parser->values;
    uint32_t hashes[GH_JSON_FEW], count = 0;
    for (uint32_t i = object + 1; i < values[object].next; i = values[i].next)
        hashes[count++] = values[i].name_hash;
    return gh_json_are_distinct(hashes, count) ? GH_JSON_OK
                                               : check_sorted(parser, object, out_index);
}

/* A table of at least twice as many slots, all free. Returns their number, a power of two; 0: the
   arena is full. */
static size_t clear_slots(struct gh_json_parser *parser, uint32_t names)
{
    size_t wanted = 64;
    while (wanted / 2 < names)
        wanted *= 2;
    if (parser->slot_count < wanted) {
        parser->slot_count = 0;
        parser->slots = gh_arena_zalloc(parser->arena, wanted, sizeof(*parser->slots));
        if (!parser->slots)
            return 0;
        parser->slot_count = wanted;
    } else {
        memset(parser->slots, 0, wanted * sizeof(*parser->slots));
    }
    return wanted;
}

/* Slots hold indexes of values; 0, the root, is no member and means free. */
static enum gh_json_status check_many(struct gh_json_parser *parser, uint32_t object,
                                      uint32_t *out_index)
{
    const struct gh_json_value *values = parser->values;
    uint64_t looks = (uint64_t)values[object].count * LOOKS_PER_NAME;
    size_t slot_count = clear_slots(parser, values[object].count);
    if (slot_count == 0)
        return GH_JSON_MEMORY;
    size_t mask = slot_count - 1;
    for (uint32_t i = object + 1; i < values[object].next; i = values[i].next) {
        size_t slot = values[i].name_hash & mask;
        for (; parser->slots[slot]; slot = (slot + 1) & mask) {
            const struct gh_json_value *other = &values[parser->slots[slot]];
            if (looks-- == 0)
                return check_sorted(parser, object, out_index);
            if (other->name_hash == values[i].name_hash && gh_str_eq(other->name, values[i].name)) {
                *out_index = i;
                return GH_JSON_DUPLICATE_NAME;
            }
        }
        parser->slots[slot] = i;
    }
    return GH_JSON_OK;
}

enum gh_json_status gh_json_check_names(struct gh_json_parser *parser, uint32_t object,
                                        uint32_t *out_index)
{
    if (parser->values[object].count <= GH_JSON_FEW)
        return check_few(parser, object, out_index);
    return check_many(parser, object, out_index);
}
