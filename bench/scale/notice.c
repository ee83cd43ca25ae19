#include "notice.h"

#include <stdlib.h>
#include <string.h>

#include "latency.h"
#include "shard.h"
#include "traffic.h"

/* Times are microseconds. */
#define MS    1000ull
#define NEVER UINT64_MAX

/* The channel is away in the second quarter of the run, the store in the last. */
#define CHANNEL_AWAY_MS 10000
#define STORE_AWAY_MS   4000

/* The channel fans out: so long for each subscriber. */
#define FAN_OUT_NS 1000

#define BINS   1000000u
#define BIN_US 100u

struct list {
    uint64_t *items;
    size_t count, capacity;
};

struct span {
    uint64_t from_us, until_us;
};

/* What a node went through. */
struct node {
    struct list cuts;    /* pairs: the channel was lost, it was subscribed again */
    struct list noticed; /* for each cut: when the node knew */
    struct list polls;   /* pairs: begun, answered */
    struct list claims;  /* pairs: complete as of, known at; by both ascending */
};

struct revocation {
    uint64_t at_us;
    uint64_t published_us; /* NEVER: nobody was told */
    uint32_t by;
};

struct notice {
    const struct scale_shape *shape;
    enum scale_way way;
    struct scale_random random;
    struct scale_latency channel, store;
    struct span channel_away, store_away;
    uint64_t end_us;
    struct node *nodes;
    struct revocation *revocations;
    size_t revocation_count;
    uint32_t *bins;
    uint64_t messages, polls, rows, pings;
    uint64_t max_us, unsure_us, pairs_seen;
    bool failed;
    struct scale_notice_result *result;
};

static void append(struct notice *notice, struct list *list, uint64_t item)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        uint64_t *items = realloc(list->items, capacity * sizeof(*items));
        if (!items) {
            notice->failed = true;
            return;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
}

static void append_pair(struct notice *notice, struct list *list, uint64_t first, uint64_t second)
{
    append(notice, list, first);
    append(notice, list, second);
}

static bool within(const struct span *span, uint64_t at_us)
{
    return at_us >= span->from_us && at_us < span->until_us;
}

static uint64_t pause_us(struct notice *notice, uint32_t failures)
{
    struct scale_link link = {.failures = failures};
    scale_link_lose(&link, 0, &notice->random);
    return link.away_until_ms * MS;
}

/* The node lost the channel; when it has it again. */
static uint64_t reconnected_us(struct notice *notice, uint64_t noticed_us)
{
    uint64_t at_us = noticed_us;
    for (uint32_t failures = 0;; failures++) {
        at_us += pause_us(notice, failures);
        if (!within(&notice->channel_away, at_us))
            return at_us + 2 * scale_latency_draw(&notice->channel, &notice->random);
    }
}

static void make_cuts(struct notice *notice, struct node *node)
{
    uint64_t at_us = 0;
    bool away_done = false;
    for (;;) {
        double wait_us = scale_random_wait(&notice->random, SCALE_CUT_MEAN_MS * 1000.0);
        uint64_t cut_us = at_us + (uint64_t)wait_us;
        bool silent = scale_random_next(&notice->random) & 1;
        if (!away_done && cut_us >= notice->channel_away.from_us) {
            away_done = true;
            cut_us = notice->channel_away.from_us > at_us ? notice->channel_away.from_us : at_us;
            silent = false;
        }
        if (cut_us >= notice->end_us)
            return;
        uint64_t noticed_us = cut_us + (silent ? 2 * SCALE_HEARTBEAT_MS * MS : 0);
        at_us = reconnected_us(notice, noticed_us);
        append_pair(notice, &node->cuts, cut_us, at_us);
        append(notice, &node->noticed, noticed_us);
    }
}

/* Reads the store; when the answer is there. */
static uint64_t poll_once(struct notice *notice, struct node *node, uint64_t at_us)
{
    notice->polls++;
    uint64_t answered_us =
        at_us + 3 * (uint64_t)scale_latency_draw(&notice->store, &notice->random);
    if (!within(&notice->store_away, at_us) && !within(&notice->store_away, answered_us))
        append_pair(notice, &node->polls, at_us, answered_us);
    else
        answered_us += 100 * MS; /* a pause before the next */
    return answered_us;
}

static void make_polls(struct notice *notice, struct node *node)
{
    if (notice->way != SCALE_WAY_PUBLISH) {
        uint64_t at_us = scale_random_below(&notice->random, SCALE_POLL_MS) * MS;
        while (at_us < notice->end_us) {
            uint64_t answered_us = poll_once(notice, node, at_us);
            bool failed = within(&notice->store_away, at_us);
            at_us += failed ? 0 : SCALE_POLL_MS * MS;
            at_us = at_us > answered_us ? at_us : answered_us;
        }
        return;
    }
    for (size_t i = 0; i < node->noticed.count; i++) {
        uint64_t until_us = node->cuts.items[2 * i + 1];
        for (uint64_t at_us = node->noticed.items[i]; at_us < until_us; at_us += SCALE_POLL_MS * MS)
            poll_once(notice, node, at_us);
        poll_once(notice, node, until_us); /* subscribed: what was missed is read back */
    }
}

/* What answers to its PINGs tell a subscriber. */
static void make_heartbeats(struct notice *notice, struct list *claims, const struct node *node)
{
    size_t cut = 0;
    uint64_t first_us = scale_random_below(&notice->random, SCALE_HEARTBEAT_MS) * MS;
    for (uint64_t at_us = first_us; at_us < notice->end_us; at_us += SCALE_HEARTBEAT_MS * MS) {
        while (cut < node->cuts.count && node->cuts.items[cut + 1] <= at_us)
            cut += 2;
        if (cut < node->cuts.count && node->cuts.items[cut] <= at_us)
            continue;
        notice->pings++;
        append_pair(notice, claims, at_us,
                    at_us + scale_latency_draw(&notice->channel, &notice->random));
    }
}

static int by_first(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void make_claims(struct notice *notice, struct node *node)
{
    if (notice->way != SCALE_WAY_POLL)
        make_heartbeats(notice, &node->claims, node);
    for (size_t i = 0; i < node->polls.count; i += 2)
        append_pair(notice, &node->claims, node->polls.items[i], node->polls.items[i + 1]);
    if (!notice->failed && node->claims.count)
        qsort(node->claims.items, node->claims.count / 2, 2 * sizeof(uint64_t), by_first);
}

static bool is_cut(const struct node *node, uint64_t at_us, size_t *cursor)
{
    while (*cursor < node->cuts.count && node->cuts.items[*cursor + 1] <= at_us)
        *cursor += 2;
    return *cursor < node->cuts.count && node->cuts.items[*cursor] <= at_us;
}

static bool make_revocations(struct notice *notice)
{
    const struct scale_shape *shape = notice->shape;
    size_t room = (size_t)shape->revocations_per_s * shape->seconds * 2 + 1000, count = 0;
    notice->revocations = calloc(room, sizeof(*notice->revocations));
    if (!notice->revocations)
        return false;
    double mean_us = 1e6 / shape->revocations_per_s, at_us = 0;
    while (count < room) {
        at_us += scale_random_wait(&notice->random, mean_us);
        if (at_us + 2000.0 * MS >= (double)notice->end_us)
            break;
        struct revocation one = {.at_us = (uint64_t)at_us, .published_us = NEVER};
        one.by = scale_random_below(&notice->random, shape->nodes);
        bool orphan = scale_random_below(&notice->random, SCALE_ORPHAN_ONE_IN) == 0;
        if (within(&notice->store_away, one.at_us))
            continue; /* nothing can be committed */
        size_t cursor = 0;
        bool cut = is_cut(&notice->nodes[one.by], one.at_us, &cursor);
        notice->result->orphans += orphan;
        notice->result->unpublished += !orphan && cut;
        if (!orphan && !cut)
            one.published_us =
                one.at_us + scale_latency_draw(&notice->channel, &notice->random) / 2;
        notice->revocations[count++] = one;
    }
    notice->revocation_count = notice->result->revocations = count;
    return true;
}

/* A claim to be complete as of later than `at_us`, made before `seen_us`. */
static bool claimed(const struct node *node, uint64_t at_us, uint64_t seen_us)
{
    size_t low = 0, high = node->claims.count / 2;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (node->claims.items[2 * middle] > at_us)
            high = middle;
        else
            low = middle + 1;
    }
    for (size_t i = low; i < node->claims.count / 2 && node->claims.items[2 * i] < seen_us; i++) {
        if (node->claims.items[2 * i + 1] < seen_us)
            return true;
    }
    return false;
}

static void note_seen(struct notice *notice, const struct node *node, uint64_t at_us,
                      uint64_t seen_us)
{
    uint64_t age_us = seen_us == NEVER ? NEVER : seen_us - at_us;
    bool before_loss = at_us + SCALE_NOTICE_BOUND_MS * MS > notice->store_away.from_us &&
                       at_us < notice->store_away.from_us;
    if (age_us > SCALE_NOTICE_BOUND_MS * MS && claimed(node, at_us, seen_us))
        *(before_loss ? &notice->result->harm_twice : &notice->result->harm) += 1;
    if (seen_us == NEVER) {
        notice->result->unseen++;
        return;
    }
    uint64_t bin = age_us / BIN_US;
    notice->bins[bin < BINS ? bin : BINS - 1]++;
    notice->max_us = age_us > notice->max_us ? age_us : notice->max_us;
    notice->pairs_seen++;
}

/* When each revocation reaches the node: by the channel or by the store, whichever is first. */
static void follow(struct notice *notice, uint32_t number)
{
    const struct node *node = &notice->nodes[number];
    size_t cut = 0, poll = 0;
    for (size_t i = 0; i < notice->revocation_count; i++) {
        const struct revocation *one = &notice->revocations[i];
        if (one->by == number)
            continue;
        while (poll < node->polls.count && node->polls.items[poll] < one->at_us)
            poll += 2;
        uint64_t seen_us = poll < node->polls.count ? node->polls.items[poll + 1] : NEVER;
        notice->rows += poll < node->polls.count;
        if (notice->way != SCALE_WAY_POLL && one->published_us != NEVER &&
            !is_cut(node, one->published_us, &cut)) {
            uint64_t trip_us = scale_latency_draw(&notice->channel, &notice->random) / 2;
            uint64_t heard_us = one->published_us + trip_us + number * FAN_OUT_NS / 1000;
            seen_us = heard_us < seen_us ? heard_us : seen_us;
            notice->messages++;
        }
        note_seen(notice, node, one->at_us, seen_us);
    }
}

static void sum_unsure(struct notice *notice, const struct node *node)
{
    uint64_t sure_us = SCALE_NOTICE_BOUND_MS * MS; /* as of the start */
    for (size_t i = 0; i < node->claims.count; i += 2) {
        uint64_t known_us = node->claims.items[i + 1];
        uint64_t until_us = node->claims.items[i] + SCALE_NOTICE_BOUND_MS * MS;
        if (known_us > sure_us)
            notice->unsure_us += known_us - sure_us;
        sure_us = until_us > sure_us ? until_us : sure_us;
    }
}

static double percentile_ms(const struct notice *notice, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)notice->pairs_seen), sum = 0;
    for (uint32_t i = 0; i < BINS; i++) {
        sum += notice->bins[i];
        if (sum > wanted)
            return (i + 1) * (double)BIN_US / 1000;
    }
    return 0;
}

static void sum_up(struct notice *notice)
{
    struct scale_notice_result *result = notice->result;
    const double all_s = (double)notice->shape->nodes * notice->shape->seconds;
    const double messages = (double)notice->messages / all_s, polls = (double)notice->polls / all_s;
    const double pings = (double)notice->pings / all_s, rows = (double)notice->rows / all_s;
    const double segment = SCALE_SEGMENT_BYTES;
    result->p50_ms = percentile_ms(notice, 0.5);
    result->p99_ms = percentile_ms(notice, 0.99);
    result->p999_ms = percentile_ms(notice, 0.999);
    result->max_ms = (double)notice->max_us / 1000;
    result->unsure_s = (double)notice->unsure_us / 1e6 / notice->shape->nodes;
    result->messages_per_s = messages;
    result->polls_per_s = polls;
    result->in_per_s = messages * (SCALE_MESSAGE_BYTES + segment) + rows * SCALE_ROW_BYTES +
                       polls * (SCALE_QUERY_IN + segment) + pings * (SCALE_PING_BYTES + segment);
    result->out_per_s = messages * segment + polls * (SCALE_QUERY_OUT + 2 * segment) +
                        pings * (SCALE_PING_BYTES + 2 * segment);
    double rate = (double)notice->revocation_count / notice->shape->seconds;
    bool channel = notice->way != SCALE_WAY_POLL;
    /* A store that is away is asked ten times a second. */
    double most_polls =
        1000.0 / SCALE_POLL_MS + 10.0 * STORE_AWAY_MS / 1000 / notice->shape->seconds;
    double most_pings = channel ? 1000.0 / SCALE_HEARTBEAT_MS : 0;
    result->formula_in = rate * (channel ? SCALE_MESSAGE_BYTES + segment : 0) +
                         rate * SCALE_ROW_BYTES + most_polls * (SCALE_QUERY_IN + segment) +
                         most_pings * (SCALE_PING_BYTES + segment);
    result->formula_out = (channel ? rate * segment : 0) +
                          most_polls * (SCALE_QUERY_OUT + 2 * segment) +
                          most_pings * (SCALE_PING_BYTES + 2 * segment);
}

static bool set_up(struct notice *notice)
{
    const struct scale_shape *shape = notice->shape;
    notice->random = scale_random_stream(shape->seed, 10 + notice->way);
    scale_latency_init(&notice->channel, shape->round_trip_us);
    scale_latency_init(&notice->store, shape->round_trip_us);
    notice->end_us = shape->seconds * 1000 * MS;
    notice->channel_away.from_us = notice->end_us / 4;
    notice->channel_away.until_us = notice->channel_away.from_us + CHANNEL_AWAY_MS * MS;
    notice->store_away.from_us = notice->end_us / 4 * 3;
    notice->store_away.until_us = notice->store_away.from_us + STORE_AWAY_MS * MS;
    notice->nodes = calloc(shape->nodes, sizeof(*notice->nodes));
    notice->bins = calloc(BINS, sizeof(*notice->bins));
    return notice->nodes && notice->bins;
}

static void live(struct notice *notice)
{
    for (uint32_t i = 0; i < notice->shape->nodes; i++) {
        struct node *node = &notice->nodes[i];
        make_cuts(notice, node);
        if (notice->shape->plant != SCALE_PLANT_DEAF || i > 0)
            make_polls(notice, node);
        make_claims(notice, node);
        sum_unsure(notice, node);
    }
}

static void tear_down(struct notice *notice)
{
    for (uint32_t i = 0; notice->nodes && i < notice->shape->nodes; i++) {
        free(notice->nodes[i].cuts.items);
        free(notice->nodes[i].noticed.items);
        free(notice->nodes[i].polls.items);
        free(notice->nodes[i].claims.items);
    }
    free(notice->nodes);
    free(notice->bins);
    free(notice->revocations);
}

bool scale_notice_run(const struct scale_shape *shape, enum scale_way way,
                      struct scale_notice_result *out_result)
{
    struct notice notice = {.shape = shape, .way = way, .result = out_result};
    *out_result = (struct scale_notice_result){0};
    bool good = set_up(&notice);
    if (good) {
        live(&notice);
        good = !notice.failed && make_revocations(&notice);
    }
    if (good) {
        for (uint32_t i = 0; i < shape->nodes; i++)
            follow(&notice, i);
        sum_up(&notice);
    }
    tear_down(&notice);
    return good;
}
