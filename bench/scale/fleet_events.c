#include "fleet_state.h"

#include <stdlib.h>

#include "traffic.h"

/* Of 100 requests so many search and so many sign in; all are charged to the rate. */
#define SEARCH_PERCENT 8
#define LOGIN_PERCENT  2

static void push(struct scale_fleet *fleet, struct scale_slot *slot, struct scale_event event)
{
    if (slot->count == slot->capacity) {
        size_t capacity = slot->capacity ? 2 * slot->capacity : 64;
        struct scale_event *events = realloc(slot->events, capacity * sizeof(*events));
        if (!events) {
            fleet->failed = true;
            return;
        }
        slot->events = events;
        slot->capacity = capacity;
    }
    slot->events[slot->count++] = event;
}

static void schedule(struct scale_fleet *fleet, struct scale_event event,
                     enum scale_event_kind kind, uint32_t at_ms)
{
    event.kind = (uint8_t)kind;
    struct scale_slot *slot =
        at_ms <= fleet->now_ms ? &fleet->pending : &fleet->wheel[at_ms % SCALE_WHEEL_MS];
    push(fleet, slot, event);
}

static bool is_hammer(const struct scale_fleet *fleet, uint32_t client)
{
    return client >= fleet->shape->clients;
}

static uint32_t key_number(uint32_t client, enum scale_rule rule)
{
    return client * SCALE_RULE_COUNT + rule;
}

/* The limits of a request: at most two. */
static size_t charges_of(const struct scale_fleet *fleet, const struct scale_event *event,
                         struct gh_limit_charge charges[2])
{
    const enum scale_rule wanted[2] = {event->rule, SCALE_RULE_RATE};
    size_t count = event->rule == SCALE_RULE_RATE || is_hammer(fleet, event->client) ? 1 : 2;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = key_number(event->client, wanted[i]);
        charges[i] = (struct gh_limit_charge){&fleet->rules[wanted[i]],
                                              {scale_mix(2 * number), scale_mix(2 * number + 1)}};
    }
    return count;
}

static void admit(struct scale_fleet *fleet, const struct scale_event *event, size_t count,
                  bool local)
{
    struct scale_admission admission = {key_number(event->client, event->rule), fleet->now_ms,
                                        local};
    bool good = scale_ledger_write(fleet->ledger, admission);
    admission.key = key_number(event->client, SCALE_RULE_RATE);
    if (count == 2)
        good &= scale_ledger_write(fleet->ledger, admission);
    fleet->failed |= !good;
}

static void decide_alone(struct scale_fleet *fleet, const struct scale_event *event)
{
    struct gh_limit_charge charges[2];
    struct gh_limit_decision decisions[2];
    size_t count = charges_of(fleet, event, charges);
    struct scale_node *node = &fleet->nodes[event->node];
    bool allowed = gh_limit_decide(node->table, charges, count, fleet->now_ms, false, decisions);
    if (allowed || fleet->shape->plant == SCALE_PLANT_OPEN)
        admit(fleet, event, count, true);
    scale_part_of(fleet, event->client)->local++;
}

/* The question arrives. What the shard decides holds if the node still hears of it. */
static void decide_shared(struct scale_fleet *fleet, const struct scale_event *event)
{
    uint32_t number = scale_shard_of(fleet, event->client);
    struct scale_shard *shard = &fleet->shards[number];
    struct scale_link *link = &fleet->links[event->node * fleet->shape->shards + number];
    enum scale_reach reach = scale_reach_at(&shard->schedule, fleet->now_ms);
    bool lost = link->away_until_ms > fleet->now_ms;
    if (reach == SCALE_REACH_SILENT) {
        schedule(fleet, *event, SCALE_OVERDUE, fleet->now_ms + fleet->shape->deadline_ms);
        return;
    }
    if (reach == SCALE_REACH_REFUSED) {
        scale_link_lose(link, fleet->now_ms, &fleet->random);
        decide_alone(fleet, event);
        return;
    }
    struct gh_limit_charge charges[2];
    struct gh_limit_decision decisions[2];
    size_t count = charges_of(fleet, event, charges);
    bool allowed = gh_limit_decide(shard->table, charges, count, fleet->now_ms, false, decisions);
    fleet->nodes[event->node].in_bytes += scale_answer_bytes(decisions, (uint32_t)count);
    if (event->kind == SCALE_ASKED && lost) {
        decide_alone(fleet, event);
    } else if (event->kind == SCALE_ASKED && allowed) {
        admit(fleet, event, count, false);
        gh_limit_decide(fleet->nodes[event->node].table, charges, count, fleet->now_ms, false,
                        decisions);
    }
}

static void handle(struct scale_fleet *fleet, const struct scale_event *event)
{
    switch ((enum scale_event_kind)event->kind) {
    case SCALE_ASKED:
    case SCALE_ASKED_LATE:
        decide_shared(fleet, event);
        return;
    case SCALE_OVERDUE: {
        uint32_t shard = scale_shard_of(fleet, event->client);
        struct scale_link *link = &fleet->links[event->node * fleet->shape->shards + shard];
        if (link->away_until_ms <= fleet->now_ms)
            scale_link_lose(link, fleet->now_ms, &fleet->random);
        scale_part_of(fleet, event->client)->waited++;
        decide_alone(fleet, event);
        return;
    }
    case SCALE_ALONE:
        decide_alone(fleet, event);
        return;
    }
}

/* Memory of what is decided soon is brought near while the others are decided. */
#define PREFETCH_AHEAD 12

static void prefetch(const struct scale_fleet *fleet, const struct scale_event *event)
{
    struct gh_limit_charge charges[2];
    size_t count = charges_of(fleet, event, charges);
    const struct scale_shard *shard = &fleet->shards[scale_shard_of(fleet, event->client)];
    for (size_t i = 0; i < count; i++) {
        gh_limit_prefetch(shard->table, charges[i].key);
        gh_limit_prefetch(fleet->nodes[event->node].table, charges[i].key);
    }
}

void scale_fleet_events(struct scale_fleet *fleet)
{
    struct scale_slot *slot = &fleet->wheel[fleet->now_ms % SCALE_WHEEL_MS];
    for (size_t i = 0; i < slot->count; i++)
        push(fleet, &fleet->pending, slot->events[i]);
    slot->count = 0;
    for (size_t i = 0; i < fleet->pending.count; i++) {
        if (i + PREFETCH_AHEAD < fleet->pending.count)
            prefetch(fleet, &fleet->pending.events[i + PREFETCH_AHEAD]);
        struct scale_event event = fleet->pending.events[i]; /* handling may move the array */
        handle(fleet, &event);
    }
    fleet->pending.count = 0;
}

static void account_question(struct scale_fleet *fleet, const struct scale_event *event,
                             uint32_t shard)
{
    struct scale_node *node = &fleet->nodes[event->node];
    struct gh_limit_charge charges[2];
    const struct gh_limit_rule *rules[2];
    size_t count = charges_of(fleet, event, charges);
    for (size_t i = 0; i < count; i++)
        rules[i] = charges[i].rule;
    uint32_t times = fleet->shape->plant == SCALE_PLANT_CHATTY ? 2 : 1;
    node->out_bytes += times * scale_question_bytes(rules, (uint32_t)count);
    fleet->result->asked++;
    fleet->shards[shard].asked++;
    if (scale_turns_ask(&node->turns, shard)) {
        fleet->result->writes++;
        node->out_bytes += times * SCALE_WRITE_OUT;
        node->in_bytes += times * SCALE_WRITE_IN;
    }
}

/* Over what a node has admitted by itself nobody else need be asked (policy/rate.c). */
static bool is_refused_here(const struct scale_fleet *fleet, const struct scale_event *event)
{
    struct gh_limit_charge charges[2];
    struct gh_limit_decision decisions[2];
    size_t count = charges_of(fleet, event, charges);
    return !gh_limit_decide(fleet->nodes[event->node].table, charges, count, fleet->now_ms, true,
                            decisions);
}

static void ask(struct scale_fleet *fleet, const struct scale_coming *coming, uint32_t shard)
{
    const struct scale_event *event = &coming->event;
    account_question(fleet, event, shard);
    uint32_t trip_us = scale_latency_draw(&fleet->latency, &fleet->random);
    uint32_t deadline_us = fleet->shape->deadline_ms * 1000;
    if (scale_reach_at(&fleet->shards[shard].schedule, fleet->now_ms) == SCALE_REACH_SLOW)
        trip_us += 2 * deadline_us;
    uint32_t asked_ms = (uint32_t)(coming->at_ms + trip_us / 2000.0);
    bool late = trip_us > deadline_us;
    schedule(fleet, *event, late ? SCALE_ASKED_LATE : SCALE_ASKED, asked_ms);
    if (late)
        schedule(fleet, *event, SCALE_OVERDUE, fleet->now_ms + fleet->shape->deadline_ms);
}

static void arrive(struct scale_fleet *fleet, const struct scale_coming *coming)
{
    const struct scale_event *event = &coming->event;
    struct scale_node *node = &fleet->nodes[event->node];
    uint32_t shard = scale_shard_of(fleet, event->client);
    struct scale_link *link = &fleet->links[event->node * fleet->shape->shards + shard];
    node->requests++;
    node->limits += event->rule == SCALE_RULE_RATE || is_hammer(fleet, event->client) ? 1 : 2;
    fleet->result->requests++;
    scale_part_of(fleet, event->client)->requests++;
    scale_turns_take(&node->turns, (uint64_t)(coming->at_ms * 1e6));
    if (is_refused_here(fleet, event) && fleet->shape->plant != SCALE_PLANT_OPEN)
        return;
    if (scale_link_up(link, &fleet->shards[shard].schedule, fleet->now_ms, &fleet->random))
        ask(fleet, coming, shard);
    else
        schedule(fleet, *event, SCALE_ALONE, fleet->now_ms);
}

/* Zipf's law over ranks 0 .. clients - 1, by the inverse of its integral. */
static uint32_t draw_client(struct scale_fleet *fleet)
{
    double u = scale_random_unit(&fleet->random);
    double rank = fleet->zipf_shift * (exp(u * fleet->zipf_log) - 1);
    uint32_t client = (uint32_t)rank;
    return client < fleet->shape->clients ? client : fleet->shape->clients - 1;
}

static struct scale_event draw_request(struct scale_fleet *fleet)
{
    const struct scale_shape *shape = fleet->shape;
    struct scale_random *random = &fleet->random;
    struct scale_event event = {0};
    /* Hammers share two requests for each node and second, each. */
    uint32_t drawn = scale_random_below(random, shape->node_requests_per_s);
    if (drawn < fleet->hammer_count * SCALE_HAMMER_PER_NODE_S) {
        event.client = fleet->hammers[drawn / SCALE_HAMMER_PER_NODE_S];
        event.rule = SCALE_RULE_LOGIN;
    } else {
        event.client = draw_client(fleet);
        uint32_t percent = scale_random_below(random, 100);
        event.rule = percent < LOGIN_PERCENT                    ? SCALE_RULE_LOGIN
                     : percent < LOGIN_PERCENT + SEARCH_PERCENT ? SCALE_RULE_SEARCH
                                                                : SCALE_RULE_RATE;
    }
    event.node = (uint16_t)(fleet->sticky ? scale_mix(event.client * 3u + 1) % shape->nodes
                                          : scale_random_below(random, shape->nodes));
    return event;
}

static void draw(struct scale_fleet *fleet, struct scale_coming *coming)
{
    const struct scale_shape *shape = fleet->shape;
    double mean_ms = 1000.0 / ((double)shape->nodes * shape->node_requests_per_s);
    fleet->drawn_ms += scale_random_wait(&fleet->random, mean_ms);
    coming->at_ms = fleet->drawn_ms;
    coming->event = draw_request(fleet);
    prefetch(fleet, &coming->event);
}

void scale_fleet_draw(struct scale_fleet *fleet)
{
    for (size_t i = 0; i < SCALE_COMING; i++)
        draw(fleet, &fleet->coming[i]);
}

void scale_fleet_arrivals(struct scale_fleet *fleet)
{
    struct scale_coming *first = &fleet->coming[fleet->coming_first];
    while (first->at_ms < fleet->now_ms + 1) {
        arrive(fleet, first);
        draw(fleet, first);
        fleet->coming_first = (fleet->coming_first + 1) % SCALE_COMING;
        first = &fleet->coming[fleet->coming_first];
    }
}
