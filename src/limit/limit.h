/*
 * Rate limits as pure functions over a table that is passed in: time is an argument.
 *
 * Two kinds. EXACT: no window of `window_ms` ever admits more than `count` (a log of instants for
 * small counts, sub-windows that count the partly expired one in full for large ones). GCRA (ITU-T
 * I.371, the "virtual scheduling" form): a rate with a burst.
 *
 * The table is shared by all workers: fixed memory, sharded, a spin lock per shard held under
 * 100 ns. When full it evicts entries whose limit is idle, never active offenders.
 */
#ifndef GH_LIMIT_LIMIT_H
#define GH_LIMIT_LIMIT_H

#include "base/err.h"
#include "base/hash.h"

enum gh_limit_kind { GH_LIMIT_EXACT, GH_LIMIT_GCRA };

struct gh_limit_rule {
    enum gh_limit_kind kind;
    uint32_t count;     /* at most so many ... */
    uint64_t window_ms; /* ... in so long */
    uint32_t burst;     /* GCRA: how many at once; at least 1 */
};

/* A rule and whom it is counted for: a hash over policy name, rule shape and source. */
struct gh_limit_charge {
    const struct gh_limit_rule *rule;
    struct gh_hash128 key;
};

struct gh_limit_decision {
    bool allowed;
    uint32_t remaining;      /* after this charge, if it was made */
    uint64_t retry_after_ms; /* when refused: until one more would be admitted; else 0 */
    uint64_t reset_ms;       /* until `remaining` grows again (for RateLimit's t) */
};

struct gh_limit_table;

/* Charges of one decision at the most. */
#define GH_LIMIT_CHARGES_MAX 8

/* `slot_count` entries of 32 bytes each, mapped lazily. GH_ERR_MEMORY when the kernel refuses. */
GH_MUST_USE enum gh_err gh_limit_table_open(size_t slot_count, struct gh_hash_key key,
                                            struct gh_limit_table **out_table);
void gh_limit_table_close(struct gh_limit_table *table);

/*
 * Looks at all charges; only if all would be admitted, charges all, in one atomic step (all shards
 * are locked, in order). Returns whether all were admitted; *out_decisions has one entry each.
 * `now_ms` is monotonic; a step backwards is taken as no step. `peek`: look, never charge.
 */
bool gh_limit_decide(struct gh_limit_table *table, const struct gh_limit_charge *charges,
                     size_t count, uint64_t now_ms, bool peek,
                     struct gh_limit_decision *out_decisions);

/* For metrics. */
struct gh_limit_stats {
    uint64_t entries, evictions, refused_full;
};
struct gh_limit_stats gh_limit_table_stats(const struct gh_limit_table *table);

#endif
