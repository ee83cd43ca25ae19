/*
 * Nanoseconds for a rate-limit decision in memory (SPEC section 13): with 100,000 clients, and at
 * random over ten million keys. Not a test: it only prints.
 *
 *     cc -O2 -std=gnu17 -D_GNU_SOURCE -Isrc -o limit_bench bench/limit_bench.c src/limit/gcra.c
 *         src/limit/limit.c src/limit/log.c src/limit/subwindow.c src/limit/table.c
 *         src/base/assert.c src/base/hash.c src/base/str.c -lpthread
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "limit/limit.h"

/* The best of so many is printed: others use the machine too. */
#define ROUNDS 5

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* splitmix64: the stream of keys; as good as hashes. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static struct gh_hash128 key_of(uint64_t client)
{
    return (struct gh_hash128){mix(client * 2), mix(client * 2 + 1)};
}

static void measure(const char *name, const struct gh_limit_rule *rule, uint64_t clients,
                    size_t slots, uint64_t decisions)
{
    struct gh_limit_table *table;
    if (gh_limit_table_open(slots, (struct gh_hash_key){1, 2}, &table) != GH_OK)
        exit(1);
    struct gh_limit_decision decision;
    uint64_t now_ms = 1000000, admitted = 0;
    for (uint64_t i = 0; i < clients; i++) {
        struct gh_limit_charge charge = {rule, key_of(i)};
        gh_limit_decide(table, &charge, 1, now_ms, false, &decision);
    }
    double ns = 1e9;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t began_ns = clock_ns();
        for (uint64_t i = round * decisions; i < (round + 1) * decisions; i++) {
            struct gh_limit_charge charge = {rule, key_of(mix(i) % clients)};
            admitted += gh_limit_decide(table, &charge, 1, now_ms + i / 2000, false, &decision);
        }
        double round_ns = (double)(clock_ns() - began_ns) / (double)decisions;
        ns = round_ns < ns ? round_ns : ns;
    }
    struct gh_limit_stats stats = gh_limit_table_stats(table);
    printf("%-24s %9llu clients %7.1f ns  admitted %3.0f %%  entries %llu, evicted %llu\n", name,
           (unsigned long long)clients, ns, 100.0 * (double)admitted / (double)(decisions * ROUNDS),
           (unsigned long long)stats.entries, (unsigned long long)stats.evictions);
    gh_limit_table_close(table);
}

int main(void)
{
    struct {
        const char *name;
        struct gh_limit_rule rule;
    } rules[] = {
        {"gcra 100/s burst 200", {GH_LIMIT_GCRA, 100, 1000, 200}},
        {"exact 5/minute", {GH_LIMIT_EXACT, 5, 60000, 0}},
        {"exact 16/minute", {GH_LIMIT_EXACT, 16, 60000, 0}},
        {"exact 1000/minute", {GH_LIMIT_EXACT, 1000, 60000, 0}},
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (!gh_limit_rule_prepare(&rules[i].rule))
            return 1;
        measure(rules[i].name, &rules[i].rule, 100000, 1 << 18, 2000000);
    }
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        measure(rules[i].name, &rules[i].rule, 10000000, 1 << 24, 4000000);
    return 0;
}
