#include "gateway/held_body.h"

/* First room for a body whose length is not known, and for one that says it is longer than the
   second: a promise alone takes no more. */
#define BYTES_FIRST    4096
#define BYTES_PROMISED ((size_t)64 * 1024)

/* What is charged is what is allocated: an arena gives nothing back when a body outgrows its room.
 */
static bool charge(struct gh_held_body *held, size_t bytes)
{
    if (!held->budget)
        return true;
    if (!gh_body_budget_take(held->budget, bytes))
        return false;
    held->charged += bytes;
    return true;
}

static enum gh_hold grow(struct gh_held_body *held, struct gh_arena *arena, size_t need,
                         size_t expected, size_t max)
{
    size_t first = expected ? BYTES_PROMISED : BYTES_FIRST, factor = expected ? 4 : 2;
    size_t bound = expected ? expected : max;
    size_t cap = held->cap ? held->cap * factor : first;
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
        gh_body_budget_give(held->budget, held->charged);
    held->charged = 0;
}
