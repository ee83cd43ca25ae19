/*
 * Turns of a node's event loop: who arrives while it is busy is served in the next turn, and what
 * that turn asks of one shard goes out in one write.
 */
#ifndef GH_SCALE_TURNS_H
#define GH_SCALE_TURNS_H

#include <stdbool.h>

#include "shape.h"

/* What a request costs the loop, and what a turn costs besides (poll, timers). */
#define SCALE_REQUEST_NS 20000u
#define SCALE_TURN_NS    5000u

struct scale_turns {
    uint64_t start_ns, end_ns; /* of the latest turn that has requests; it may lie ahead */
    uint32_t number;
    uint32_t asked[SCALE_SHARDS_MAX]; /* the latest turn that wrote to the shard */
};

/* A request comes at `now_ns`. */
static inline void scale_turns_take(struct scale_turns *turns, uint64_t now_ns)
{
    if (turns->number && now_ns <= turns->start_ns) {
        turns->end_ns += SCALE_REQUEST_NS;
        return;
    }
    turns->start_ns = now_ns > turns->end_ns ? now_ns : turns->end_ns;
    turns->end_ns = turns->start_ns + SCALE_TURN_NS + SCALE_REQUEST_NS;
    turns->number++;
}

/* Its question goes to `shard`: whether that is a write of its own. */
static inline bool scale_turns_ask(struct scale_turns *turns, uint32_t shard)
{
    bool first = turns->asked[shard] != turns->number;
    turns->asked[shard] = turns->number;
    return first;
}

/* Questions for each write of one loop that is busy for `load` of its time. */
double scale_turns_measure(uint64_t seed, uint32_t shards, double load);

#endif
