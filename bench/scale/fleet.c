#include "fleet.h"

#include <stdlib.h>

#include "base/assert.h"
#include "fleet_state.h"
#include "traffic.h"

/* A few clients send most: the i-th of n comes in proportion to 1 / (i + n / 10,000). */
#define ZIPF_SHIFT_PART 10000
/* How long entries live, times how often there is one: two kinds of a minute for a tenth of the
   requests, and the rate's. And room, for a table that is nearly full evicts. */
#define ENTRIES_PER_REQUEST_S 7.5
#define ROOM                  5.0
/* A small table has small parts, which fill unevenly; what stands for Redis must not evict. */
#define SHARD_SLOTS_MORE 20000

#define FIRST_MS 1u

static size_t slots_for(double requests_per_s)
{
    return (size_t)(requests_per_s * ENTRIES_PER_REQUEST_S * ROOM) + 256;
}

static struct gh_limit_table *open_table(size_t slots)
{
    struct gh_limit_table *table;
    return gh_limit_table_open(slots, (struct gh_hash_key){1, 2}, &table) == GH_OK ? table : NULL;
}

/* Without a table nothing can be decided; the run ends before the next question. */
static void replace_table(struct scale_fleet *fleet, struct gh_limit_table **table, size_t slots)
{
    gh_limit_table_close(*table);
    *table = open_table(slots);
    fleet->failed |= !*table;
}

static size_t node_slots(const struct scale_shape *shape)
{
    return slots_for(shape->node_requests_per_s);
}

static size_t shard_slots(const struct scale_shape *shape)
{
    double requests_per_s = (double)shape->nodes * shape->node_requests_per_s / shape->shards;
    return slots_for(requests_per_s) + SHARD_SLOTS_MORE;
}

static void set_rules(struct gh_limit_rule *rules)
{
    rules[SCALE_RULE_RATE] = (struct gh_limit_rule){GH_LIMIT_GCRA, 2, 1000, 10, 0, 0};
    rules[SCALE_RULE_SEARCH] = (struct gh_limit_rule){GH_LIMIT_EXACT, 30, 60000, 0, 0, 0};
    rules[SCALE_RULE_LOGIN] = (struct gh_limit_rule){GH_LIMIT_EXACT, 5, 60000, 0, 0, 0};
    for (size_t i = 0; i < SCALE_RULE_COUNT; i++) {
        bool prepared = gh_limit_rule_prepare(&rules[i]);
        GH_ASSERT(prepared);
    }
}

/* The first ids behind the clients that live on the shards with the faults. */
static void set_hammers(struct scale_fleet *fleet)
{
    uint32_t id = fleet->shape->clients, shards = fleet->shape->shards;
    fleet->hammer_count = shards < SCALE_FAULT_COUNT ? shards : SCALE_FAULT_COUNT;
    for (uint32_t shard = 0; shard < fleet->hammer_count; shard++) {
        while (scale_shard_of(fleet, id) != shard)
            id++;
        fleet->hammers[shard] = id++;
    }
}

static bool set_up(struct scale_fleet *fleet)
{
    const struct scale_shape *shape = fleet->shape;
    fleet->random = scale_random_stream(shape->seed, fleet->sticky ? 1 : 2);
    scale_latency_init(&fleet->latency, shape->round_trip_us);
    fleet->zipf_shift = shape->clients / (double)ZIPF_SHIFT_PART;
    fleet->zipf_log = log((shape->clients + fleet->zipf_shift) / fleet->zipf_shift);
    fleet->drawn_ms = FIRST_MS;
    set_rules(fleet->rules);
    set_hammers(fleet);
    fleet->nodes = calloc(shape->nodes, sizeof(*fleet->nodes));
    fleet->links = calloc((size_t)shape->nodes * shape->shards, sizeof(*fleet->links));
    fleet->ledger = scale_ledger_new();
    if (!fleet->nodes || !fleet->links || !fleet->ledger)
        return false;
    for (uint32_t i = 0; i < shape->nodes; i++)
        replace_table(fleet, &fleet->nodes[i].table, node_slots(shape));
    for (uint32_t i = 0; i < shape->shards; i++) {
        fleet->shards[i].schedule = scale_schedule_of(shape, i);
        replace_table(fleet, &fleet->shards[i].table, shard_slots(shape));
    }
    return !fleet->failed;
}

static void tear_down(struct scale_fleet *fleet)
{
    for (uint32_t i = 0; fleet->nodes && i < fleet->shape->nodes; i++)
        gh_limit_table_close(fleet->nodes[i].table);
    for (uint32_t i = 0; i < fleet->shape->shards; i++)
        gh_limit_table_close(fleet->shards[i].table);
    for (uint32_t i = 0; i < SCALE_WHEEL_MS; i++)
        free(fleet->wheel[i].events);
    free(fleet->pending.events);
    free(fleet->nodes);
    free(fleet->links);
    scale_ledger_free(fleet->ledger);
}

/* One node in ten is restarted, one after the other, while shards have their faults. */
static void restart_nodes(struct scale_fleet *fleet)
{
    const struct scale_shape *shape = fleet->shape;
    uint32_t restarts = shape->nodes / 10, from_ms = scale_fault_from_ms(shape);
    while (fleet->result->restarts < restarts &&
           fleet->now_ms >= from_ms + fleet->result->restarts * SCALE_FAULT_MS / restarts) {
        uint32_t number = fleet->result->restarts++ * 10;
        replace_table(fleet, &fleet->nodes[number].table, node_slots(shape));
        for (uint32_t i = 0; i < shape->shards; i++)
            fleet->links[number * shape->shards + i] = (struct scale_link){0};
    }
}

static void empty_shards(struct scale_fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->shape->shards; i++) {
        bool planted =
            fleet->shape->plant == SCALE_PLANT_FORGET && fleet->now_ms % 7000 == 100 * (i % 60);
        if (fleet->shards[i].schedule.emptied_ms == fleet->now_ms || planted)
            replace_table(fleet, &fleet->shards[i].table, shard_slots(fleet->shape));
    }
}

static struct scale_terms terms_of(const void *context, uint32_t key)
{
    const struct scale_fleet *fleet = context;
    uint32_t shard = scale_shard_of(fleet, key / SCALE_RULE_COUNT);
    const struct scale_fleet_part *part = scale_part_of(fleet, key / SCALE_RULE_COUNT);
    return (struct scale_terms){
        .rule = &fleet->rules[key % SCALE_RULE_COUNT],
        .emptied_ms = fleet->shards[shard].schedule.emptied_ms,
        .nodes_max = part->nodes_max,
    };
}

static struct scale_finding *finding_of(const void *context, uint32_t key)
{
    const struct scale_fleet *fleet = context;
    struct scale_fleet_part *part = scale_part_of(fleet, key / SCALE_RULE_COUNT);
    bool hammer = key / SCALE_RULE_COUNT >= fleet->shape->clients;
    return hammer ? &part->hammer : &part->findings[key % SCALE_RULE_COUNT];
}

/* Each node by itself, and what comes from its shard: once, and once more after it was emptied. */
static void set_bounds(struct scale_fleet *fleet)
{
    for (uint32_t i = 0; i < SCALE_FAULT_COUNT; i++)
        fleet->result->parts[i].nodes_max = fleet->shape->nodes + fleet->result->restarts + 1 +
                                            (fleet->shards[i].schedule.emptied_ms != 0);
}

static void sum_traffic(struct scale_fleet *fleet)
{
    struct scale_fleet_result *result = fleet->result;
    const double seconds = fleet->shape->seconds, nodes = fleet->shape->nodes;
    for (uint32_t i = 0; i < fleet->shape->nodes; i++) {
        const struct scale_node *node = &fleet->nodes[i];
        double out = (double)node->out_bytes / seconds, in = (double)node->in_bytes / seconds;
        double out_max = scale_out_bytes_max(node->requests, node->limits) / seconds;
        double in_max = scale_in_bytes_max(node->requests, node->limits) / seconds;
        result->out_per_s += out / nodes;
        result->in_per_s += in / nodes;
        result->formula_out += out_max / nodes;
        result->formula_in += in_max / nodes;
        result->out_per_s_max = out > result->out_per_s_max ? out : result->out_per_s_max;
        result->in_per_s_max = in > result->in_per_s_max ? in : result->in_per_s_max;
        result->over_bytes += out > out_max || in > in_max;
        struct gh_limit_stats stats = gh_limit_table_stats(node->table);
        result->node_evictions += stats.evictions + stats.unrecorded;
    }
    for (uint32_t i = 0; i < fleet->shape->shards; i++) {
        struct gh_limit_stats stats = gh_limit_table_stats(fleet->shards[i].table);
        double asked = (double)fleet->shards[i].asked / seconds;
        result->overflow += stats.evictions + stats.unrecorded;
        result->entries += stats.entries;
        if (asked > result->shard_asked_per_s_max)
            result->shard_asked_per_s_max = asked;
    }
}

static void run(struct scale_fleet *fleet)
{
    const uint32_t end_ms = fleet->shape->seconds * 1000;
    scale_fleet_draw(fleet);
    for (fleet->now_ms = FIRST_MS; fleet->now_ms < end_ms && !fleet->failed; fleet->now_ms++) {
        empty_shards(fleet);
        restart_nodes(fleet);
        if (fleet->failed)
            return;
        scale_fleet_arrivals(fleet);
        scale_fleet_events(fleet);
    }
}

bool scale_fleet_run(const struct scale_shape *shape, bool sticky,
                     struct scale_fleet_result *out_result)
{
    struct scale_fleet *fleet = calloc(1, sizeof(*fleet));
    if (!fleet)
        return false;
    *out_result = (struct scale_fleet_result){0};
    fleet->shape = shape;
    fleet->sticky = sticky;
    fleet->result = out_result;
    bool good = set_up(fleet);
    if (good) {
        run(fleet);
        set_bounds(fleet);
        good = !fleet->failed;
    }
    if (good) {
        sum_traffic(fleet);
        good = scale_ledger_judge(fleet->ledger, fleet, terms_of, finding_of);
    }
    tear_down(fleet);
    free(fleet);
    return good;
}
