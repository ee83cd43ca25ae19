#include "policy/name_set.h"

/* FNV-1a (Fowler, Noll, Vo), over bytes with ASCII letters folded: equal names hash equal whether
   or not the set folds, and one loop serves both. */
static uint32_t name_hash(struct gh_str name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (uint8_t)gh_ascii_lower(name.ptr[i])) * 16777619u;
    return hash ^ hash >> 15;
}

static bool name_eq(const struct gh_name_set *set, struct gh_str a, struct gh_str b)
{
    return set->fold_case ? gh_str_ieq(a, b) : gh_str_eq(a, b);
}

static uint32_t filter_bit(struct gh_str name)
{
    return name.len ? 1u << ((uint8_t)name.ptr[0] & 31) : 1u;
}

/* The slot that holds `name`, or the empty one where it would go. */
static uint32_t probe(const struct gh_name_set *set, struct gh_str name)
{
    uint32_t at = name_hash(name) & set->mask;
    while (set->slots[at] && !name_eq(set, set->names[set->slots[at] - 1], name))
        at = (at + 1) & set->mask;
    return at;
}

bool gh_name_set_build(struct gh_name_set *set, struct gh_arena *arena, const struct gh_str *names,
                       size_t count, bool fold_case)
{
    *set = (struct gh_name_set){.names = names, .fold_case = fold_case};
    if (!count)
        return true;
    size_t slot_count = 4;
    while (slot_count < count * 2)
        slot_count *= 2;
    set->slots = gh_arena_zalloc(arena, slot_count, sizeof(*set->slots));
    if (!set->slots)
        return false;
    set->mask = (uint32_t)(slot_count - 1);
    set->count = count;
    for (size_t i = 0; i < count; i++) {
        uint32_t at = probe(set, names[i]);
        if (!set->slots[at])
            set->slots[at] = (uint32_t)i + 1;
        set->filter[names[i].len & 31] |= filter_bit(names[i]);
    }
    return true;
}

size_t gh_name_set_find(const struct gh_name_set *set, struct gh_str name)
{
    if (!(set->filter[name.len & 31] & filter_bit(name)))
        return GH_NAME_ABSENT;
    uint32_t slot = set->slots[probe(set, name)];
    return slot ? slot - 1 : GH_NAME_ABSENT;
}
