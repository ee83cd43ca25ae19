#include "gateway/held_body.h"

#define BYTES_FIRST 4096
/* A body of known length has room for so many times what has come of it: a promise alone takes no
   more. */
#define PROMISED_FACTOR 4

/* What is charged is what is allocated: an arena gives nothing back when a body outgrows its room.
 */
static bool charge(struct gh_held_body *held, size_t bytes)
{
    if (!held->budget)
        return true;
    if (!gh_body_budget_take_for(held->budget, held->client, bytes, &held->counted))
        return false;
    held->charged += bytes;
    return true;
}

static enum gh_hold grow(struct gh_held_body *held, struct gh_arena *arena, size_t need,
                         size_t expected, size_t max)
{
    size_t bound = expected ? expected : max;
    size_t cap = expected ? need * PROMISED_FACTOR : held->cap * 2;
    if (cap < BYTES_FIRST)
        cap = BYTES_FIRST;
    if (cap > bound)
        cap = bound;
    if (cap < need)
        cap = need;
    if (!charge(held, cap))
        return GH_HOLD_OVER_BUDGET;
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return GH_HOLD_NO_MEMORY;
    if (held->len)
        memcpy(memory, held->ptr, held->len);
    held->ptr = memory;
    held->cap = cap;
    return GH_HOLD_OK;
}

enum gh_hold gh_held_body_add(struct gh_held_body *held, struct gh_arena *arena,
                              struct gh_str bytes, size_t expected, size_t max)
{
    if (bytes.len > SIZE_MAX / 4 - held->len)
        return GH_HOLD_NO_MEMORY;
    size_t need = held->len + bytes.len;
    enum gh_hold hold = need > held->cap ? grow(held, arena, need, expected, max) : GH_HOLD_OK;
    if (hold != GH_HOLD_OK)
        return hold;
    if (bytes.len)
        memcpy(held->ptr + held->len, bytes.ptr, bytes.len);
    held->len = need;
    return GH_HOLD_OK;
}

void gh_held_body_release(struct gh_held_body *held)
{
    if (held->charged)
        gh_body_budget_give_for(held->budget, held->client, held->charged, held->counted);
    held->charged = held->counted = 0;
}
