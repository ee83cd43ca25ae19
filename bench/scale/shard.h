/*
 * A shard: a table that decides, and whether it can be reached. And a node's connection to it.
 */
#ifndef GH_SCALE_SHARD_H
#define GH_SCALE_SHARD_H

#include "fleet.h"
#include "random.h"

enum scale_reach {
    SCALE_REACH_WELL,
    SCALE_REACH_SLOW,
    SCALE_REACH_REFUSED, /* one learns it at once */
    SCALE_REACH_SILENT   /* one learns it by waiting */
};

struct scale_schedule {
    uint32_t from_ms, until_ms; /* of SLOW, REFUSED, SILENT; equal: never */
    enum scale_reach reach;
    uint32_t emptied_ms; /* 0: never */
};

struct scale_schedule scale_schedule_of(const struct scale_shape *shape, uint32_t shard);

static inline enum scale_reach scale_reach_at(const struct scale_schedule *schedule,
                                              uint32_t now_ms)
{
    bool affected = now_ms >= schedule->from_ms && now_ms < schedule->until_ms;
    return affected ? schedule->reach : SCALE_REACH_WELL;
}

/* As store/redis_client.h has it: a pause of at most 100 ms, twice that for each failure up to 5 s,
   drawn evenly; 2 s for an attempt that nobody answers. */
#define SCALE_BACKOFF_MIN_MS     100u
#define SCALE_BACKOFF_MAX_MS     5000u
#define SCALE_CONNECT_TIMEOUT_MS 2000u

struct scale_link {
    uint32_t away_until_ms; /* the next attempt; 0: connected */
    uint32_t failures;
};

void scale_link_lose(struct scale_link *link, uint32_t now_ms, struct scale_random *random);
/* Makes the attempts that were due. Whether it is connected now. */
bool scale_link_up(struct scale_link *link, const struct scale_schedule *schedule, uint32_t now_ms,
                   struct scale_random *random);

#endif
