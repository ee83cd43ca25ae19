/*
 * How many bytes of request bodies the process may hold at once for stages that must see them. An
 * exchange alone is bounded by its route; this bounds all of them together.
 */
#ifndef GH_GATEWAY_BODY_BUDGET_H
#define GH_GATEWAY_BODY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* A thousand bodies of the default cap of keys (64 KiB). */
#define GH_BODY_BUDGET_BYTES_DEFAULT (64u * 1024 * 1024)

struct gh_body_budget {
    atomic_size_t taken;
    size_t max;
};

/* Takes `bytes`, all or nothing. False: too much is held already. */
static inline bool gh_body_budget_take(struct gh_body_budget *budget, size_t bytes)
{
    size_t taken = atomic_load_explicit(&budget->taken, memory_order_relaxed);
    do {
        if (bytes > budget->max - taken)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&budget->taken, &taken, taken + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

/* Less than half is left. */
static inline bool gh_body_budget_is_scarce(const struct gh_body_budget *budget)
{
    return atomic_load_explicit(&budget->taken, memory_order_relaxed) > budget->max / 2;
}

static inline void gh_body_budget_give(struct gh_body_budget *budget, size_t bytes)
{
    atomic_fetch_sub_explicit(&budget->taken, bytes, memory_order_relaxed);
}

#endif
