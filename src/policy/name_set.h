/*
 * A frozen set of names, looked up in constant time whatever their number: hosts, origins, field
 * names. Built once from the configuration, so the hash needs no secret: outsiders choose what is
 * looked up, not what is in it, and the longest probe is bounded by what was put in.
 */
#ifndef GH_POLICY_NAME_SET_H
#define GH_POLICY_NAME_SET_H

#include "base/arena.h"

/* What `find` returns for a name that is not in the set. */
#define GH_NAME_ABSENT ((size_t)-1)

struct gh_name_set {
    const struct gh_str *names; /* borrowed, in the order given */
    size_t count;
    uint32_t *slots; /* 1 + index into names; 0: empty */
    uint32_t mask;
    bool fold_case;      /* ASCII letters compare equal in any case */
    uint32_t filter[32]; /* by length, a bit per first letter: most strangers end here */
};

/* `names` is borrowed. Of equal names the first counts. False: the arena is full. */
bool gh_name_set_build(struct gh_name_set *set, struct gh_arena *arena, const struct gh_str *names,
                       size_t count, bool fold_case);
/* The index of `name`, or GH_NAME_ABSENT. A zeroed set is empty. */
size_t gh_name_set_find(const struct gh_name_set *set, struct gh_str name);

#endif
