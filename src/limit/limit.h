/*
 * Rate limits as pure functions over a table that is passed in: time is an argument.
 *
 * Two kinds. EXACT: no window of `window_ms` ever admits more than `count`. Up to
 * GH_LIMIT_LOG_COUNT_MAX that is a log of instants, exact to the millisecond; above, twelve
 * sub-windows that count the partly expired one in full. GCRA (ITU-T I.371, the "virtual
 * scheduling" form): a rate with a burst.
 *
 * The table is shared by all workers: fixed memory, sharded, a spin lock per shard held under
 * 100 ns. When full it evicts entries whose limit is idle, then those nearest to idle, never active
 * offenders (who are being refused). When a newcomer finds nothing but offenders in its place, it
 * is admitted and not recorded (`unrecorded` counts that): refusing it would let a flood lock
 * everyone out, evicting an offender would let the flood go on.
 *
 * Not here: what is counted for whom (policy/rate.h), limits shared through Redis.
 */
#ifndef GH_LIMIT_LIMIT_H
#define GH_LIMIT_LIMIT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/hash.h"

enum gh_limit_kind { GH_LIMIT_EXACT, GH_LIMIT_GCRA };

struct gh_limit_rule {
    enum gh_limit_kind kind;
    uint32_t count;     /* at most so many ... */
    uint64_t window_ms; /* ... in so long */
    uint32_t burst;     /* GCRA: how many at once; at least 1 */
    /* derived by gh_limit_rule_prepare */
    uint32_t unit; /* what a closed sub-window is counted in */
    uint64_t step; /* GCRA: ns between two; EXACT: ms of a sub-window */
};

/* The longest log of instants; larger counts use sub-windows. Five instants fit an entry, so a
   log takes up to four of them. */
#define GH_LIMIT_LOG_COUNT_MAX 16
/* 30 days: offsets of 32 bits in milliseconds hold 49. */
#define GH_LIMIT_WINDOW_MS_MAX ((uint64_t)30 * 24 * 3600 * 1000)
/* How long a GCRA limit may take from empty to full, so that nanoseconds fit 64 bits: 10 years. */
#define GH_LIMIT_REFILL_MS_MAX ((uint64_t)3650 * 24 * 3600 * 1000)

/* Checks a rule and derives the last fields; each rule must have been through it. False: a zero
   count, window or burst, or one of the bounds above. */
bool gh_limit_rule_prepare(struct gh_limit_rule *rule);

/* A rule and whom it is counted for: a hash over policy name, rule shape and source. */
struct gh_limit_charge {
    const struct gh_limit_rule *rule;
    struct gh_hash128 key;
};

struct gh_limit_decision {
    bool allowed;            /* this limit alone would admit it */
    uint32_t remaining;      /* after this charge, if it was made */
    uint64_t retry_after_ms; /* when refused: until one more would be admitted; else 0 */
    uint64_t reset_ms;       /* until `remaining` grows again (for RateLimit's t); 0: it is full */
};

struct gh_limit_table;

/* Charges of one decision at the most. */
#define GH_LIMIT_CHARGES_MAX 8

/*
 * At least `slot_count` entries of 32 bytes each, mapped lazily. `key` is what gh_limit_table_key
 * gives back. GH_ERR_INVALID for 0 or more than 2^32, GH_ERR_MEMORY when the kernel refuses.
 */
GH_MUST_USE enum gh_err gh_limit_table_open(size_t slot_count, struct gh_hash_key key,
                                            struct gh_limit_table **out_table);
void gh_limit_table_close(struct gh_limit_table *table);
/* The secret that keys of this table are hashed with. */
struct gh_hash_key gh_limit_table_key(const struct gh_limit_table *table);

/*
 * Looks at all charges; only if all would be admitted, charges all, in one atomic step (all shards
 * are locked, in order). Returns whether all were admitted; *out_decisions has one entry each.
 * Charges with the same key count one after the other. `now_ms` is monotonic, below 2^43; a step
 * backwards is taken as no step. `peek`: look, never charge.
 */
bool gh_limit_decide(struct gh_limit_table *table, const struct gh_limit_charge *charges,
                     size_t count, uint64_t now_ms, bool peek,
                     struct gh_limit_decision *out_decisions);

/* Brings the memory of a key near, some 100 ns before gh_limit_decide wants it. */
void gh_limit_prefetch(const struct gh_limit_table *table, struct gh_hash128 key);

/* For metrics. */
struct gh_limit_stats {
    uint64_t entries;    /* in use, idle ones included */
    uint64_t evictions;  /* of entries that were not idle: the table is too small */
    uint64_t unrecorded; /* newcomers admitted without being counted, see above */
};
struct gh_limit_stats gh_limit_table_stats(const struct gh_limit_table *table);

#endif
