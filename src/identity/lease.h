/*
 * Jobs that one of several processes over a store does for all: whoever comes first takes the
 * lease, and the others leave the job alone until it has run out. Done twice they do no harm, so
 * clocks that are apart, and a process that dies, cost a little work and nothing else.
 */
#ifndef GH_IDENTITY_LEASE_H
#define GH_IDENTITY_LEASE_H

#include "identity/store.h"

/* Kept in the store by these numbers: never reorder. */
enum gh_lease {
    GH_LEASE_PURGE,       /* what has run out */
    GH_LEASE_UNCONFIRMED, /* accounts that nobody confirmed */
    GH_LEASE_ROTATION,    /* values under retired keys */
};

/* True: it is this process's for `for_us`; always so where the store is not shared. `arena`: for
   work. */
bool gh_lease_take(struct gh_store *store, enum gh_lease lease, uint64_t now_us, uint64_t for_us,
                   struct gh_arena *arena);

#endif
