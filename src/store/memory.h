/* The reference adapter, in memory: for unit tests, and what the others are compared with. */
#ifndef GH_STORE_MEMORY_H
#define GH_STORE_MEMORY_H

#include "identity/store.h"

/* NULL without memory. */
struct gh_store *gh_memory_store_open(void);
/* The next `count` writes fail with `err` (for tests of what a failing store does). */
void gh_memory_store_fail(struct gh_store *store, unsigned count, enum gh_err err);

#endif
