/* A lease is a row among the throttles, under a key that no hash of a name gives but by a chance of
   2^-120: the purge takes it away when nobody has taken it for a day. */
#include "identity/lease.h"

/* One that ends later than any could was taken by a clock that has been set back since. */
#define CLOCKS_US (60 * 1000000ull)

struct taking {
    uint8_t key[16];
    uint64_t now_us, for_us;
    bool taken;
};

static enum gh_err take(struct gh_tx *tx, void *args)
{
    struct taking *taking = args;
    struct gh_throttle_row row;
    enum gh_err err = tx->ops->throttle_get(tx, taking->key, &row);
    taking->taken = false;
    if (err == GH_OK && row.blocked_until_us > taking->now_us &&
        row.blocked_until_us - taking->now_us <= taking->for_us + CLOCKS_US)
        return GH_OK;
    if (err != GH_OK && err != GH_ERR_NOT_FOUND)
        return err;
    row = (struct gh_throttle_row){.first_us = taking->now_us,
                                   .last_us = taking->now_us,
                                   .blocked_until_us = taking->now_us + taking->for_us};
    memcpy(row.key, taking->key, sizeof(row.key));
    taking->taken = true;
    return tx->ops->throttle_put(tx, &row);
}

bool gh_lease_take(struct gh_store *store, enum gh_lease lease, uint64_t now_us, uint64_t for_us,
                   struct gh_arena *arena)
{
    struct taking taking = {.now_us = now_us, .for_us = for_us};
    if (!store->shared)
        return true;
    taking.key[14] = 1;
    taking.key[15] = (uint8_t)(lease + 1);
    return store->ops->run(store, take, &taking, arena) == GH_OK && taking.taken;
}
