/* What a run of fleet.h holds. Internal to fleet.c and fleet_events.c. */
#ifndef GH_SCALE_FLEET_STATE_H
#define GH_SCALE_FLEET_STATE_H

#include "fleet.h"
#include "latency.h"
#include "shard.h"
#include "turns.h"

enum scale_event_kind {
    SCALE_ASKED, /* reaches a shard; the answer will be in time */
    SCALE_ASKED_LATE /* reaches a shard; nobody will be waiting any more */,
    SCALE_ALONE,   /* the node decides */
    SCALE_OVERDUE, /* the same, after the deadline: the connection is closed */
};

struct scale_event {
    uint32_t client;
    uint16_t node;
    uint8_t rule; /* enum scale_rule: what beside the rate is charged */
    uint8_t kind; /* enum scale_event_kind */
};

/* A request that will come. */
struct scale_coming {
    double at_ms;
    struct scale_event event;
};
/* So many are drawn ahead, so that their memory is near when they come. */
#define SCALE_COMING 16

/* Events of one millisecond. */
struct scale_slot {
    struct scale_event *events;
    size_t count, capacity;
};

#define SCALE_WHEEL_MS 1024u

struct scale_node {
    struct gh_limit_table *table;
    struct scale_turns turns;
    uint64_t requests, limits, out_bytes, in_bytes;
};

struct scale_shard {
    struct gh_limit_table *table;
    struct scale_schedule schedule;
    uint64_t asked;
};

struct scale_fleet {
    const struct scale_shape *shape;
    bool sticky;
    bool failed; /* no memory */
    struct scale_random random;
    struct scale_latency latency;
    struct gh_limit_rule rules[SCALE_RULE_COUNT];
    struct scale_node *nodes;
    struct scale_link *links; /* node after node */
    struct scale_shard shards[SCALE_SHARDS_MAX];
    uint32_t hammers[SCALE_FAULT_COUNT]; /* one for each part; behind the other clients */
    uint32_t hammer_count;
    struct scale_slot wheel[SCALE_WHEEL_MS];
    struct scale_slot pending; /* of this millisecond */
    uint32_t now_ms;
    struct scale_coming coming[SCALE_COMING]; /* a ring, from `coming_first` on */
    size_t coming_first;
    double drawn_ms; /* when the last of them comes */
    double zipf_shift, zipf_log;
    struct scale_ledger *ledger;
    struct scale_fleet_result *result;
};

static inline uint32_t scale_shard_of(const struct scale_fleet *fleet, uint32_t client)
{
    return (uint32_t)(scale_mix(client ^ 0x5ca1ab1e00000000u) % fleet->shape->shards);
}

static inline struct scale_fleet_part *scale_part_of(const struct scale_fleet *fleet,
                                                     uint32_t client)
{
    uint32_t shard = scale_shard_of(fleet, client);
    return &fleet->result->parts[shard < SCALE_FAULT_NONE ? shard : SCALE_FAULT_NONE];
}

/* Requests that come in this millisecond, and what was sent before and has its time now. */
void scale_fleet_draw(struct scale_fleet *fleet); /* the first ones, once */
void scale_fleet_arrivals(struct scale_fleet *fleet);
void scale_fleet_events(struct scale_fleet *fleet);

#endif
