/*
 * A lane: threads for work that blocks, behind a bounded queue, so that one kind of it can't starve
 * another or the event loops (ARCHITECTURE.md, "Blocking work").
 */
#ifndef GH_NET_LANE_H
#define GH_NET_LANE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct gh_lane;

struct gh_lane_options {
    const char *name; /* of the threads, at most 15 bytes: "hash" */
    unsigned threads; /* at least 1 */
    size_t queue_max; /* jobs that may wait beside those that run */
    int niceness;     /* 0..19 */
};

GH_MUST_USE enum gh_err gh_lane_open(const struct gh_lane_options *options,
                                     struct gh_lane **out_lane);
/* Runs what is queued, then joins the threads. NULL is fine. */
void gh_lane_close(struct gh_lane *lane);

/* Runs `fn(arg)` on a thread of the lane. From any thread. GH_ERR_FULL: too many wait;
   GH_ERR_CLOSED. */
GH_MUST_USE enum gh_err gh_lane_post(struct gh_lane *lane, void (*fn)(void *arg), void *arg);

struct gh_lane_stats {
    size_t waiting, running;
    uint64_t done, refused;
    uint64_t wait_us; /* that jobs have waited, in sum */
};
struct gh_lane_stats gh_lane_stats(struct gh_lane *lane);

#endif
