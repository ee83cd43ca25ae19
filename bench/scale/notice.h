/*
 * Revocations: a node commits one to the store, and all others have to know. Three ways to tell
 * them; what is missed, and how long a node goes on in good faith.
 *
 * A node claims to be complete as of an instant: when the server of channels answered it, or when
 * it began to read the store. It serves signed-in routes for SCALE_NOTICE_BOUND_MS from there, then
 * answers 503. A claim is false when something committed before it was not known; it does harm
 * when that is still so after the bound.
 */
#ifndef GH_SCALE_NOTICE_H
#define GH_SCALE_NOTICE_H

#include "shape.h"

enum scale_way {
    SCALE_WAY_POLL,    /* the store is read every SCALE_POLL_MS */
    SCALE_WAY_PUBLISH, /* a channel; the store is read while that is away, and after */
    SCALE_WAY_BOTH,    /* a channel, and the store is read all the same */
    SCALE_WAY_COUNT
};

#define SCALE_NOTICE_BOUND_MS 1000
#define SCALE_POLL_MS         250 /* as app/identity_watch.c */
/* A connection that is silent so long is asked (PING), and given up after as long again. */
#define SCALE_HEARTBEAT_MS 250
/* A node's connection to the channel breaks so often; every other time nobody says so. */
#define SCALE_CUT_MEAN_MS 120000
/* Of so many who commit one, one dies before it has published. */
#define SCALE_ORPHAN_ONE_IN 2000

/* Bytes with their frames: a message of the channel ("message", its name, id and instant), a row
   of the store, a query and its answer without rows, PING and PONG. */
#define SCALE_MESSAGE_BYTES 110
#define SCALE_ROW_BYTES     64
#define SCALE_QUERY_OUT     120
#define SCALE_QUERY_IN      90
#define SCALE_PING_BYTES    14

struct scale_notice_result {
    uint64_t revocations, orphans;
    uint64_t unpublished; /* the node that committed them was cut off from the channel */
    double p50_ms, p99_ms, p999_ms, max_ms; /* over all nodes and revocations that were seen */
    uint64_t unseen;                        /* at the end of the run */
    uint64_t harm;                          /* nodes that served somebody beyond the bound */
    uint64_t harm_twice; /* the same where nothing was published and the store went away before the
                            next reading: two faults at once */
    double unsure_s;     /* 503, seconds of a node, the mean */
    double messages_per_s, polls_per_s; /* of a node, the mean */
    double in_per_s, out_per_s;         /* bytes */
    double formula_in, formula_out;
};

/* False: no memory. */
bool scale_notice_run(const struct scale_shape *shape, enum scale_way way,
                      struct scale_notice_result *out_result);

#endif
