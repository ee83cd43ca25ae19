/*
 * A request body while it is held: until the upstream takes it, or until a stage that asked for it
 * has seen all of it. Lives in the exchange's arena.
 */
#ifndef GH_GATEWAY_HELD_BODY_H
#define GH_GATEWAY_HELD_BODY_H

#include "base/arena.h"
#include "gateway/body_budget.h"

struct gh_held_body {
    char *ptr;
    size_t len, cap;
    size_t unpaid;                 /* of `len`: not yet paid back to the codec */
    struct gh_body_budget *budget; /* what it is charged to; NULL: nothing */
    const struct gh_ip *client;    /* whose it is; NULL: nobody's, and no share bounds it */
    size_t charged, counted;       /* ... to the budget; of them among the client's */
};

enum gh_hold { GH_HOLD_OVER_BUDGET, GH_HOLD_NO_MEMORY, GH_HOLD_OK };

/* Adds bytes. `expected`: the length of the whole when it is known, else 0; `max`: over it nobody
   asks for more room. */
enum gh_hold gh_held_body_add(struct gh_held_body *held, struct gh_arena *arena,
                              struct gh_str bytes, size_t expected, size_t max);
/* All of it, for as long as the caller has it: adding to it makes a copy. */
static inline void gh_held_body_lend(struct gh_held_body *held, struct gh_str bytes)
{
    held->ptr = (char *)(uintptr_t)bytes.ptr;
    held->len = bytes.len;
    held->cap = 0;
}
static inline bool gh_held_body_is_lent(const struct gh_held_body *held)
{
    return held->len > held->cap;
}
/* The arena is about to go: gives the charge back. */
void gh_held_body_release(struct gh_held_body *held);

static inline struct gh_str gh_held_body_str(const struct gh_held_body *held)
{
    return held->len ? (struct gh_str){held->ptr, held->len} : (struct gh_str){"", 0};
}

#endif
