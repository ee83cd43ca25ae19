/* The reference adapter, in memory: for unit tests, and what the others are compared with. */
#ifndef GH_STORE_MEMORY_H
#define GH_STORE_MEMORY_H

#include "identity/store.h"

/* NULL without memory. */
struct gh_store *gh_memory_store_open(void);
/* The next `count` writes fail with `err` (for tests of what a failing store does). */
void gh_memory_store_fail(struct gh_store *store, unsigned count, enum gh_err err);

/* Chains of the audit log, as several processes would leave them; at first there is chain 1, and it
   is held here. Chains that are not there yet come, and those before them, held by nobody. */
#define GH_MEMORY_CHAINS_MAX 64
/* From now on this process writes that chain; the one that it wrote is held by nobody. */
void gh_memory_store_hold(struct gh_store *store, uint32_t chain);
/* A new process opens the store, and writes the chain that the one before wrote. */
void gh_memory_store_restart(struct gh_store *store);
/* Another process holds that chain, which is not the one that this process writes. */
void gh_memory_store_hold_elsewhere(struct gh_store *store, uint32_t chain);
/* That process is dead: nobody holds its chain. */
void gh_memory_store_give_up(struct gh_store *store, uint32_t chain);

#endif
