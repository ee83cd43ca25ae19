/*
 * Every admission of a run, written down, and afterwards judged by rules of its own: nothing here
 * knows how a limiter counts. That is what makes it a witness.
 */
#ifndef GH_SCALE_LEDGER_H
#define GH_SCALE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "limit/limit.h"

struct scale_ledger;

/* Who admitted it. */
struct scale_admission {
    uint32_t key;
    uint32_t ms; /* below 2^20 */
    bool local;  /* a node by itself; else its shard */
};

struct scale_ledger *scale_ledger_new(void);
void scale_ledger_free(struct scale_ledger *ledger);
/* In the order of time. False: no memory. */
bool scale_ledger_write(struct scale_ledger *ledger, struct scale_admission admission);

/* What holds for a key. */
struct scale_terms {
    const struct gh_limit_rule *rule;
    /* The shard's memory was empty at this instant: what it admitted before and after is counted
       apart. 0: never. */
    uint32_t emptied_ms;
    uint32_t nodes_max; /* with all that may go wrong, `nodes_max` times the limit */
};

struct scale_finding {
    uint64_t keys, admitted, local;
    uint64_t beyond;      /* what a limiter that forgets nothing had refused */
    uint64_t keys_beyond; /* keys with any of them */
    uint64_t window_max;  /* most of one key in one window; GCRA: most at once, over its rate */
    uint64_t shared_violations; /* a shard that remembers admitted more than the limit */
    uint64_t bound_violations;  /* more than nodes_max limits in a window */
};

typedef struct scale_terms (*scale_terms_of)(const void *context, uint32_t key);
typedef struct scale_finding *(*scale_finding_of)(const void *context, uint32_t key);

/* Adds each key's findings to the one that `finding_of` names. False: no memory. */
bool scale_ledger_judge(struct scale_ledger *ledger, const void *context, scale_terms_of terms_of,
                        scale_finding_of finding_of);

#endif
