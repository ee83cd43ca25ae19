/*
 * What the password hashes in the store cost, and how many have each cost: imported ones may take
 * much longer to verify than ours, or much less. An address without an account is verified at one
 * of these costs, always the same and as often as accounts have it, so that time tells nothing.
 *
 * One thread counts, any may ask. Costs that come when the table is full are left out.
 */
#ifndef GH_IDENTITY_HASH_COSTS_H
#define GH_IDENTITY_HASH_COSTS_H

#include <stdatomic.h>

#include "base/arena.h"
#include "crypto/hash.h"
#include "crypto/password.h"

struct gh_store;

#define GH_HASH_COSTS_MAX 16

/* All zero: nothing is known, everybody's cost is that of now. */
struct gh_hash_costs {
    struct {
        struct gh_password_cost cost;
        atomic_uint_fast64_t accounts;
    } kinds[GH_HASH_COSTS_MAX];
    atomic_size_t count; /* grows only */
    atomic_bool stale;   /* accounts were imported since */
};

/* Counts `accounts_max` accounts at most, a page at a time (ids are random: a part is a sample of
   all). `arena` is reset for each. `stop`: ends it; NULL: nothing does. Of one thread. */
GH_MUST_USE enum gh_err gh_hash_costs_count(struct gh_hash_costs *costs, struct gh_store *store,
                                            struct gh_arena *arena, uint64_t accounts_max,
                                            const atomic_bool *stop);
/* The cost of the address with that index while it has no hash of its own. `now`: of new hashes. */
struct gh_password_cost gh_hash_costs_pick(const struct gh_hash_costs *costs,
                                           const uint8_t index[GH_SHA256_BYTES],
                                           const struct gh_password_cost *now);

bool gh_password_cost_eq(const struct gh_password_cost *a, const struct gh_password_cost *b);

#endif
