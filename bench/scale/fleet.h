/*
 * Limits: nodes with a table each, clients that come to one node or to any, and shards that decide
 * for all of them. Shards and nodes count by gh_limit_decide, the product's own; what is modelled
 * is when it is asked, where, and what becomes of a question whose answer does not come.
 *
 * A node asks only for what its own table would admit. A request waits for its shard until the
 * deadline. An answer that is overdue closes the node's
 * connection to the shard, as store/redis_client.h does: what it waits for, and what comes until
 * the connection is there again, is decided by the node's own table. That is warm: whatever a shard
 * admits through a node is charged there too.
 */
#ifndef GH_SCALE_FLEET_H
#define GH_SCALE_FLEET_H

#include "ledger.h"
#include "shape.h"

/* The shard of that number has it; those behind are well. */
enum scale_fault {
    SCALE_FAULT_AWAY,     /* refuses connections for a time, comes back as it was */
    SCALE_FAULT_CUT,      /* the same, but packets vanish */
    SCALE_FAULT_SLOW,     /* answers, after the deadline */
    SCALE_FAULT_RESTART,  /* half a second away, then empty */
    SCALE_FAULT_FLUSH,    /* empty from one moment to the next */
    SCALE_FAULT_REPLACED, /* away for ten seconds, then another one, empty */
    SCALE_FAULT_NONE,
    SCALE_FAULT_COUNT
};
_Static_assert(SCALE_FAULT_NONE == SCALE_FAULTY_SHARDS, "a shard for each fault");

enum scale_rule { SCALE_RULE_RATE, SCALE_RULE_SEARCH, SCALE_RULE_LOGIN, SCALE_RULE_COUNT };

struct scale_fleet_part {
    uint64_t requests;
    uint64_t local;  /* decided by nodes themselves */
    uint64_t waited; /* of these, after waiting for the deadline */
    struct scale_finding findings[SCALE_RULE_COUNT];
    struct scale_finding hammer; /* the one client that does nothing but sign in, everywhere */
    uint32_t nodes_max;          /* the bound: so many limits */
};

struct scale_fleet_result {
    uint64_t requests, asked, writes;
    struct scale_fleet_part parts[SCALE_FAULT_COUNT];
    double out_per_s, in_per_s;         /* bytes of a node, the mean */
    double out_per_s_max, in_per_s_max; /* and of the busiest one */
    double formula_out, formula_in;     /* what the mean can't exceed */
    double shard_asked_per_s_max;
    uint32_t restarts;
    uint64_t entries;  /* keys in all shards at the end, expired ones included */
    uint64_t overflow; /* entries of shards that found no room: Redis has it, so the run is void */
    uint64_t node_evictions; /* of nodes: what the product would do; fall-backs are less warm */
    uint64_t over_bytes;     /* nodes over the formula */
};

/* A hammer comes so often to each node (sticky: to its own for all of them), each second. */
#define SCALE_HAMMER_PER_NODE_S 2

/* When the faults begin and end; what is emptied at once is so in the middle. */
static inline uint32_t scale_fault_from_ms(const struct scale_shape *shape)
{
    return shape->seconds * 250;
}
#define SCALE_FAULT_MS 20000u

/* `sticky`: a client comes to one node. False: no memory. */
bool scale_fleet_run(const struct scale_shape *shape, bool sticky,
                     struct scale_fleet_result *out_result);

#endif
