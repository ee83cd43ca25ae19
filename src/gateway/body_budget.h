/*
 * How many bytes of bodies the process may hold at once: of requests for stages that must see them,
 * or of answers that are not taken. An exchange alone is bounded by its route, a connection by its
 * codec; this bounds all of them together, and while little is left what each client has of it.
 */
#ifndef GH_GATEWAY_BODY_BUDGET_H
#define GH_GATEWAY_BODY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "gateway/client_count.h"

/* A thousand bodies of the default cap of keys (64 KiB). */
#define GH_BODY_BUDGET_BYTES_DEFAULT (64u * 1024 * 1024)

struct gh_body_budget {
    atomic_size_t taken;
    atomic_size_t max;               /* may become another one while some is taken */
    struct gh_client_count *clients; /* bytes of each client; NULL: nobody counts */
};

/* Takes `bytes`, all or nothing. False: too much is held already. */
static inline bool gh_body_budget_take(struct gh_body_budget *budget, size_t bytes)
{
    size_t taken = atomic_load_explicit(&budget->taken, memory_order_relaxed);
    do {
        size_t max = atomic_load_explicit(&budget->max, memory_order_relaxed);
        if (taken > max || bytes > max - taken)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&budget->taken, &taken, taken + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

/* The same for a client (NULL: nobody's) that has no more than its share when the budget is scarce.
   `counted` grows by what is counted as its own: gh_body_budget_give_for needs it back. */
bool gh_body_budget_take_for(struct gh_body_budget *budget, const struct gh_ip *client,
                             size_t bytes, size_t *counted);
/* For what is there already: taken in any case, so that `taken` may be more than `max` until enough
   is given back. False: gh_body_budget_take_for would have refused it. */
bool gh_body_budget_charge_for(struct gh_body_budget *budget, const struct gh_ip *client,
                               size_t bytes, size_t *counted);
void gh_body_budget_give_for(struct gh_body_budget *budget, const struct gh_ip *client,
                             size_t bytes, size_t counted);

/* Less than half is left. */
static inline bool gh_body_budget_is_scarce(const struct gh_body_budget *budget)
{
    return atomic_load_explicit(&budget->taken, memory_order_relaxed) >
           atomic_load_explicit(&budget->max, memory_order_relaxed) / 2;
}

static inline void gh_body_budget_give(struct gh_body_budget *budget, size_t bytes)
{
    atomic_fetch_sub_explicit(&budget->taken, bytes, memory_order_relaxed);
}

#endif
