#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"

/* Parts, so that sorting stays in the cache. A record is 8 bytes: key, then time and flag. */
#define PART_BITS 8
#define PARTS     (1u << PART_BITS)
#define LOCAL_BIT 1u
#define MS_SHIFT  1

struct part {
    uint64_t *records;
    size_t count, capacity;
};

struct scale_ledger {
    struct part parts[PARTS];
};

struct scale_ledger *scale_ledger_new(void)
{
    return calloc(1, sizeof(struct scale_ledger));
}

void scale_ledger_free(struct scale_ledger *ledger)
{
    for (size_t i = 0; ledger && i < PARTS; i++)
        free(ledger->parts[i].records);
    free(ledger);
}

bool scale_ledger_write(struct scale_ledger *ledger, struct scale_admission admission)
{
    struct part *part = &ledger->parts[scale_mix(admission.key) >> (64 - PART_BITS)];
    if (part->count == part->capacity) {
        size_t capacity = part->capacity ? part->capacity + part->capacity / 2 : 1024;
        uint64_t *records = realloc(part->records, capacity * sizeof(*records));
        if (!records)
            return false;
        part->records = records;
        part->capacity = capacity;
    }
    uint32_t rest = admission.ms << MS_SHIFT | (admission.local ? LOCAL_BIT : 0);
    part->records[part->count++] = (uint64_t)admission.key << 32 | rest;
    return true;
}

/* By key, order of time kept: the part's bytes of the key, lowest first. */
static bool sort(struct part *part)
{
    uint64_t *other = malloc((part->count ? part->count : 1) * sizeof(*other));
    if (!other)
        return false;
    for (unsigned shift = 32; shift < 64; shift += 8) {
        size_t starts[257] = {0};
        for (size_t i = 0; i < part->count; i++)
            starts[(part->records[i] >> shift & 255) + 1]++;
        for (size_t i = 0; i < 256; i++)
            starts[i + 1] += starts[i];
        for (size_t i = 0; i < part->count; i++)
            other[starts[part->records[i] >> shift & 255]++] = part->records[i];
        uint64_t *sorted = other;
        other = part->records;
        part->records = sorted;
    }
    part->capacity = part->count;
    free(other);
    return true;
}

static uint32_t ms_of(uint64_t record)
{
    return (uint32_t)record >> MS_SHIFT;
}

static bool is_local(uint64_t record)
{
    return record & LOCAL_BIT;
}

/* The admissions of one key. */
struct history {
    const uint64_t *records;
    size_t count;
    struct scale_terms terms;
};

/* Which of the shard's memories admitted it; 2: none, a node did. */
static unsigned memory_of(const struct history *history, uint64_t record)
{
    uint32_t emptied_ms = history->terms.emptied_ms;
    return is_local(record) ? 2 : emptied_ms && ms_of(record) >= emptied_ms;
}

/* The most in any window, and whether a shard by itself exceeded the limit. */
static void judge_windows(const struct history *history, struct scale_finding *finding)
{
    const struct gh_limit_rule *rule = history->terms.rule;
    uint64_t most = 0, in[3] = {0};
    size_t first = 0;
    bool shared_wrong = false;
    for (size_t i = 0; i < history->count; i++) {
        /* (t - window, t] */
        while (ms_of(history->records[first]) + rule->window_ms <= ms_of(history->records[i]))
            in[memory_of(history, history->records[first++])]--;
        in[memory_of(history, history->records[i])]++;
        uint64_t all = in[0] + in[1] + in[2];
        most = all > most ? all : most;
        shared_wrong |= in[0] > rule->count || in[1] > rule->count;
    }
    finding->shared_violations += shared_wrong;
    finding->bound_violations += most > (uint64_t)history->terms.nodes_max * rule->count;
    finding->window_max = most > finding->window_max ? most : finding->window_max;
}

/* Greedy: which of them a log of instants had refused. `taken` has room for `count` of the rule. */
static uint64_t beyond_windows(const struct history *history, uint64_t *taken)
{
    const struct gh_limit_rule *rule = history->terms.rule;
    size_t count = 0;
    uint64_t beyond = 0;
    for (size_t i = 0; i < history->count; i++) {
        uint64_t now_ms = ms_of(history->records[i]);
        uint64_t *oldest = &taken[count % rule->count];
        if (count >= rule->count && *oldest + rule->window_ms > now_ms) {
            beyond++;
            continue;
        }
        *oldest = now_ms;
        count++;
    }
    return beyond;
}

/* A leaky bucket that holds `bursts` times the burst and leaks as many times the rate, in
   nanoseconds of one request. */
struct bucket {
    uint64_t level_ns, last_ms, highest_ns;
};

static uint64_t pour(struct bucket *bucket, uint64_t now_ms, uint64_t leaks, uint64_t interval_ns)
{
    uint64_t leaked_ns = (now_ms - bucket->last_ms) * leaks * 1000000u;
    bucket->level_ns = bucket->level_ns > leaked_ns ? bucket->level_ns - leaked_ns : 0;
    bucket->level_ns += interval_ns;
    bucket->last_ms = now_ms;
    if (bucket->level_ns > bucket->highest_ns)
        bucket->highest_ns = bucket->level_ns;
    return bucket->level_ns;
}

static void judge_rate(const struct history *history, struct scale_finding *finding)
{
    const struct gh_limit_rule *rule = history->terms.rule;
    const uint64_t interval_ns = (rule->window_ms * 1000000u + rule->count - 1) / rule->count;
    const uint64_t capacity_ns = rule->burst * interval_ns;
    const uint32_t nodes_max = history->terms.nodes_max;
    struct bucket shared[3] = {{0}}, all = {0}, bound = {0};
    for (size_t i = 0; i < history->count; i++) {
        uint64_t now_ms = ms_of(history->records[i]);
        pour(&shared[memory_of(history, history->records[i])], now_ms, 1, interval_ns);
        pour(&all, now_ms, 1, interval_ns);
        pour(&bound, now_ms, nodes_max, interval_ns);
    }
    finding->shared_violations +=
        shared[0].highest_ns > capacity_ns || shared[1].highest_ns > capacity_ns;
    finding->bound_violations += bound.highest_ns > nodes_max * capacity_ns;
    uint64_t most = all.highest_ns / interval_ns;
    finding->window_max = most > finding->window_max ? most : finding->window_max;
}

static uint64_t beyond_rate(const struct history *history)
{
    const struct gh_limit_rule *rule = history->terms.rule;
    const uint64_t interval_ns = (rule->window_ms * 1000000u + rule->count - 1) / rule->count;
    struct bucket bucket = {0};
    uint64_t beyond = 0;
    for (size_t i = 0; i < history->count; i++) {
        if (pour(&bucket, ms_of(history->records[i]), 1, interval_ns) > rule->burst * interval_ns) {
            bucket.level_ns -= interval_ns;
            beyond++;
        }
    }
    return beyond;
}

static bool judge_key(const struct history *history, struct scale_finding *finding)
{
    uint64_t beyond;
    finding->keys++;
    finding->admitted += history->count;
    for (size_t i = 0; i < history->count; i++)
        finding->local += is_local(history->records[i]);
    if (history->terms.rule->kind == GH_LIMIT_GCRA) {
        judge_rate(history, finding);
        beyond = beyond_rate(history);
    } else {
        uint64_t *taken = calloc(history->terms.rule->count, sizeof(*taken));
        if (!taken)
            return false;
        judge_windows(history, finding);
        beyond = beyond_windows(history, taken);
        free(taken);
    }
    finding->beyond += beyond;
    finding->keys_beyond += beyond > 0;
    return true;
}

bool scale_ledger_judge(struct scale_ledger *ledger, const void *context, scale_terms_of terms_of,
                        scale_finding_of finding_of)
{
    for (size_t p = 0; p < PARTS; p++) {
        struct part *part = &ledger->parts[p];
        if (!sort(part))
            return false;
        for (size_t start = 0, end; start < part->count; start = end) {
            uint32_t key = (uint32_t)(part->records[start] >> 32);
            for (end = start; end < part->count && part->records[end] >> 32 == key; end++)
                ;
            struct history history = {part->records + start, end - start, terms_of(context, key)};
            if (!judge_key(&history, finding_of(context, key)))
                return false;
        }
        free(part->records); /* judged: the peak stays low */
        *part = (struct part){0};
    }
    return true;
}
