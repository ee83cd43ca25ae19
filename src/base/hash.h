/*
 * SipHash-2-4 with 64 and 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input
 * PRF", 2012), for the keys of tables that outsiders can fill. It keeps strangers from choosing
 * collisions; it is no signature.
 */
#ifndef GH_BASE_HASH_H
#define GH_BASE_HASH_H

#include "base/str.h"

/* The secret of a table, random at start. */
struct gh_hash_key {
    uint64_t k0, k1;
};

/* A 128-bit hash that stands for what was hashed. */
struct gh_hash128 {
    uint64_t lo, hi;
};

uint64_t gh_hash64(struct gh_hash_key key, struct gh_str bytes);
struct gh_hash128 gh_hash128(struct gh_hash_key key, struct gh_str bytes);

#endif
