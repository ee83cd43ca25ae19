/*
 * Where the entries stand: shards of buckets of eight. A key has a bucket of its own and a second
 * one for when that is full, both in one shard, so that one lock covers a key. Internal to this
 * module.
 */
#ifndef GH_LIMIT_TABLE_H
#define GH_LIMIT_TABLE_H

#include <stdalign.h>
#include <stdatomic.h>

#include "limit/entry.h"

#define GH_LIMIT_BUCKET_SLOTS 8

/* A tag of 0 is an empty slot; a slot never becomes empty again. */
struct gh_limit_slot {
    uint64_t tag;
    struct gh_limit_entry entry;
};
_Static_assert(sizeof(struct gh_limit_slot) == 32, "two slots a cache line");

/*
 * Four cache lines. The i-th place to look for a key is slot `start ^ i`: first both slots of one
 * line, then its neighbour, so that most keys cost one line. They are filled in this order, so an
 * empty slot ends a search.
 */
struct gh_limit_bucket {
    alignas(64) struct gh_limit_slot slots[GH_LIMIT_BUCKET_SLOTS];
};

struct gh_limit_shard {
    alignas(64) atomic_bool locked;
    uint64_t now_ms; /* the latest time seen, under the lock */
    /* written under the lock, read by anyone */
    _Atomic uint64_t entries, evictions, unrecorded;
};

struct gh_limit_table {
    struct gh_hash_key key;
    struct gh_limit_bucket *buckets; /* shard after shard */
    size_t buckets_per_shard;
    unsigned shard_bits;
    size_t mapped_bytes;
    struct gh_limit_shard shards[];
};

/* Where a key lives. */
struct gh_limit_spot {
    uint64_t tag;
    unsigned shard;
    unsigned start;
    struct gh_limit_bucket *first, *second; /* may be the same */
};

struct gh_limit_spot gh_limit_table_spot(const struct gh_limit_table *table, struct gh_hash128 key);
void gh_limit_shard_lock(struct gh_limit_shard *shard);
void gh_limit_shard_unlock(struct gh_limit_shard *shard);

/* The entries with the spot's tag, at most `count_max`. */
void gh_limit_table_find(const struct gh_limit_spot *spot, size_t count_max,
                         struct gh_limit_view *out_view);
/*
 * A zeroed entry for the spot's tag: an empty or idle slot, else the one of the nearest to idle
 * that refuses nobody and is none of `pinned`. NULL when there is none.
 */
struct gh_limit_entry *gh_limit_table_place(struct gh_limit_shard *shard,
                                            const struct gh_limit_spot *spot, uint64_t now_ms,
                                            const struct gh_limit_spot *pinned,
                                            size_t pinned_count);

#endif
