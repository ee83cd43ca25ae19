#include "report.h"

#include <inttypes.h>
#include <stdio.h>

#include "fleet.h"
#include "notice.h"
#include "turns.h"

struct checks {
    unsigned failed;
};

static void check(struct checks *checks, bool good, const char *what, const char *where)
{
    printf("- %s: %s (%s)\n", good ? "holds" : "FAILED", what, where);
    checks->failed += !good;
}

static void print_shape(const struct scale_shape *shape)
{
    printf("seed %" PRIu64 ": %u nodes, %u clients, %u shards, %u s\n\n", shape->seed, shape->nodes,
           shape->clients, shape->shards, shape->seconds);
    printf("- %u requests a second to each node; client i of n in proportion to 1 / (i + n / "
           "10,000)\n",
           shape->node_requests_per_s);
    printf("- limits: 2/second with burst 10 on all; 30/minute on 8 %%; 5/minute (sign-in) on 2 "
           "%%\n");
    printf("- for each fault a hammer: one client that only signs in, %u times a second for each "
           "node\n",
           SCALE_HAMMER_PER_NODE_S);
    printf("- round trip: median %u us, log-normal; deadline %u ms\n", shape->round_trip_us,
           shape->deadline_ms);
    printf("- faults from second %u on, for 20 s; one node in ten is restarted meanwhile\n",
           scale_fault_from_ms(shape) / 1000);
    printf("- %u revocations a second\n\n", shape->revocations_per_s);
}

static const char *fault_name(enum scale_fault fault)
{
    switch (fault) {
    case SCALE_FAULT_AWAY:
        return "away 20 s, comes back as it was";
    case SCALE_FAULT_CUT:
        return "cut off 20 s, packets vanish";
    case SCALE_FAULT_SLOW:
        return "slow 20 s, answers after the deadline";
    case SCALE_FAULT_RESTART:
        return "away half a second, then empty";
    case SCALE_FAULT_FLUSH:
        return "emptied";
    case SCALE_FAULT_REPLACED:
        return "away 10 s, then another one, empty";
    case SCALE_FAULT_NONE:
        return "well (all other shards)";
    case SCALE_FAULT_COUNT:
        break;
    }
    return "";
}

static void print_fleet(const struct scale_shape *shape, const char *balancing,
                        const struct scale_fleet_result *result)
{
    printf("### Limits, %s\n\n", balancing);
    puts("| shard | requests | decided by a node alone | after waiting for the deadline | admitted "
         "beyond a limit | of 1,000 admitted | most sign-ins of one client in a minute | the same "
         "of the hammer | bound |");
    puts("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (int i = 0; i < SCALE_FAULT_COUNT && i < (int)shape->shards; i++) {
        const struct scale_fleet_part *part = &result->parts[i];
        uint64_t beyond = 0, admitted = 0;
        for (int rule = 0; rule < SCALE_RULE_COUNT; rule++) {
            beyond += part->findings[rule].beyond;
            admitted += part->findings[rule].admitted;
        }
        printf("| %s | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %.3f | %" PRIu64
               " | %" PRIu64 " | %u |\n",
               fault_name((enum scale_fault)i), part->requests, part->local, part->waited, beyond,
               1000.0 * (double)beyond / (double)(admitted ? admitted : 1),
               part->findings[SCALE_RULE_LOGIN].window_max, part->hammer.window_max,
               part->nodes_max * 5);
    }
    printf(
        "\nThe bound: 5 sign-ins times %u nodes, %u restarts, and the shard's own (twice where it "
        "was emptied). Entries that nodes gave up for others: %" PRIu64 ".\n\n",
        shape->nodes, result->restarts, result->node_evictions);
}

static void print_traffic(const struct scale_shape *shape, const char *balancing,
                          const struct scale_fleet_result *result)
{
    const double all_s = (double)shape->nodes * shape->seconds;
    printf("| %s | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.0f | %" PRIu64 " |\n",
           balancing, (double)result->requests / all_s, (double)result->asked / all_s,
           result->out_per_s / 1000, result->out_per_s_max / 1000, result->formula_out / 1000,
           result->in_per_s / 1000, result->in_per_s_max / 1000, result->formula_in / 1000,
           result->shard_asked_per_s_max, result->entries);
}

static void check_fleet(struct checks *checks, const char *balancing,
                        const struct scale_fleet_result *result)
{
    uint64_t shared = 0, bound = 0, without = 0;
    for (int i = 0; i < SCALE_FAULT_COUNT; i++) {
        const struct scale_fleet_part *part = &result->parts[i];
        for (int rule = 0; rule <= SCALE_RULE_COUNT; rule++) {
            const struct scale_finding *finding =
                rule < SCALE_RULE_COUNT ? &part->findings[rule] : &part->hammer;
            shared += finding->shared_violations;
            bound += finding->bound_violations;
            /* Where no node decided alone and nothing was emptied, nothing is beyond. */
            if (i == SCALE_FAULT_NONE)
                without += finding->beyond > finding->local;
        }
    }
    check(checks, shared == 0, "a shard that remembers admits no more than the limit", balancing);
    check(checks, without == 0, "beyond a limit only what nodes decided alone", balancing);
    check(checks, bound == 0, "never more than nodes times the limit", balancing);
    check(checks, result->over_bytes == 0, "no node has more traffic than the formula", balancing);
    check(checks, result->overflow == 0, "no shard was short of memory", balancing);
}

static void print_turns(uint64_t seed)
{
    static const uint32_t shards[] = {1, 4, 16, 64};
    static const int loads[] = {10, 30, 50, 70, 80, 90, 95};
    printf("### Questions in one write\n\nA loop whose requests cost %u us each and whose turns %u "
           "us besides.\n\n",
           SCALE_REQUEST_NS / 1000, SCALE_TURN_NS / 1000);
    puts("| busy | requests/s | 1 shard | 4 shards | 16 shards | 64 shards |");
    puts("|---:|---:|---:|---:|---:|---:|");
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        double load = loads[i] / 100.0;
        printf("| %d %% | %.0f |", loads[i], 1e9 * load / SCALE_REQUEST_NS);
        for (size_t j = 0; j < sizeof(shards) / sizeof(shards[0]); j++)
            printf(" %.2f |", scale_turns_measure(seed, shards[j], load));
        putchar('\n');
    }
    putchar('\n');
}

static const char *way_name(enum scale_way way)
{
    switch (way) {
    case SCALE_WAY_POLL:
        return "store read four times a second";
    case SCALE_WAY_PUBLISH:
        return "published; store read while the channel is away";
    case SCALE_WAY_BOTH:
        return "published, and store read four times a second";
    case SCALE_WAY_COUNT:
        break;
    }
    return "";
}

static void print_notice(enum scale_way way, const struct scale_notice_result *result)
{
    printf("| %s | %.1f | %.1f | %.1f | %.0f | %" PRIu64 " | %" PRIu64 " | %" PRIu64
           " | %.2f | %.1f | %.2f | %.2f | %.2f | %.2f | %.2f |\n",
           way_name(way), result->p50_ms, result->p99_ms, result->p999_ms, result->max_ms,
           result->harm, result->harm_twice, result->unseen, result->unsure_s,
           result->messages_per_s, result->polls_per_s, result->in_per_s / 1000,
           result->formula_in / 1000, result->out_per_s / 1000, result->formula_out / 1000);
}

static void check_notice(struct checks *checks, enum scale_way way,
                         const struct scale_notice_result *result)
{
    const char *where = way_name(way);
    if (way != SCALE_WAY_PUBLISH) { /* the reason why the store is read all the same */
        check(checks, result->harm == 0, "no node serves a revoked session beyond the bound",
              where);
        check(checks, result->unseen == 0, "each revocation reaches each node", where);
    }
    bool within =
        result->in_per_s <= result->formula_in && result->out_per_s <= result->formula_out;
    check(checks, within, "no more traffic than the formula", where);
}

int scale_report(const struct scale_shape *shape)
{
    struct scale_fleet_result fleets[2];
    struct scale_notice_result notices[SCALE_WAY_COUNT];
    static const char *const balancings[2] = {"any node", "a node for each client"};
    struct checks checks = {0};
    print_shape(shape);
    for (int i = 0; i < 2; i++) {
        fflush(stdout);
        if (!scale_fleet_run(shape, i == 1, &fleets[i]))
            return 2;
        print_fleet(shape, balancings[i], &fleets[i]);
    }
    puts("### Traffic of limits, each node\n\n| balancing | requests/s | questions/s | out kB/s | "
         "busiest | formula, mean | in kB/s | busiest | formula, mean | busiest shard, questions/s "
         "| keys, expired too |");
    puts("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (int i = 0; i < 2; i++)
        print_traffic(shape, balancings[i], &fleets[i]);
    putchar('\n');
    print_turns(shape->seed);
    puts("### Revocations\n\n| way | p50 ms | p99 ms | p99.9 ms | longest ms | served beyond the "
         "bound | of two faults at once | unseen | 503, s of each node | messages/s | readings/s | "
         "in kB/s | formula | out kB/s | formula |");
    puts("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (int way = 0; way < SCALE_WAY_COUNT; way++) {
        if (!scale_notice_run(shape, (enum scale_way)way, &notices[way]))
            return 2;
        print_notice((enum scale_way)way, &notices[way]);
    }
    puts("\n### Checks\n");
    for (int i = 0; i < 2; i++)
        check_fleet(&checks, balancings[i], &fleets[i]);
    for (int way = 0; way < SCALE_WAY_COUNT; way++)
        check_notice(&checks, (enum scale_way)way, &notices[way]);
    return checks.failed ? 1 : 0;
}
