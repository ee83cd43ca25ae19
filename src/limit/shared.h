/*
 * The port to limits that several processes share. A question is a group of limits, decided whole
 * and then charged, as gh_limit_decide does it, and with the same answers; but it is asked and
 * answered on an event loop, and whoever asks must be able to decide without an answer: the other
 * side may be away, slow or full. What is counted where then differs; gh_limit_decide over a table
 * that was charged all along (a warm one) admits at most the full limit on each node.
 *
 * A port belongs to one event loop. Adapter: store/redis_limits.h.
 */
#ifndef GH_LIMIT_SHARED_H
#define GH_LIMIT_SHARED_H

#include "limit/limit.h"

/* A question and its answer, in the asker's memory until it is answered or forgotten. */
struct gh_limit_ask {
    /* -- set by the asker -- */
    struct gh_limit_charge charges[GH_LIMIT_CHARGES_MAX]; /* keys: hashed with the port's secret */
    size_t count;
    /* The first so many are looked at whole, then charged. Those behind them are charged each for
       itself, once the first ones admit. */
    size_t together;
    /* Comes once, never inside `ask`. May ask and forget. */
    void (*answered)(struct gh_limit_ask *ask);
    void *owner;

    /* -- the answer -- */
    bool decided;         /* false: away. It may have been charged all the same */
    bool admitted;        /* by all of the first ones */
    size_t decided_count; /* decisions that there are: the first ones alone, or all */
    struct gh_limit_decision decisions[GH_LIMIT_CHARGES_MAX];

    /* -- the adapter's -- */
    void *adapter;
    uint64_t asked_us;
};

/* What becomes of a question. */
enum gh_limit_asked {
    GH_LIMIT_NOT_ASKED, /* no answer will come: away, or too many wait already */
    GH_LIMIT_ANSWERED,  /* at once, without `answered`: it was refused a moment ago */
    GH_LIMIT_ASKED,     /* `answered` comes */
};

struct gh_limit_shared;

struct gh_limit_shared_ops {
    /* The secret that keys are hashed with: the same on all nodes. False: away, don't ask. */
    bool (*ready)(struct gh_limit_shared *shared, struct gh_hash_key *out_secret);
    enum gh_limit_asked (*ask)(struct gh_limit_shared *shared, struct gh_limit_ask *ask);
    /* No answer is wanted any more. */
    void (*forget)(struct gh_limit_shared *shared, struct gh_limit_ask *ask);
};

/* An adapter's first member. */
struct gh_limit_shared {
    const struct gh_limit_shared_ops *ops;
};

#endif
