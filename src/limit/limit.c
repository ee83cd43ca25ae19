#include "limit/limit.h"

#include "base/assert.h"
#include "limit/table.h"

/* So that nanoseconds, with what a limit may be ahead, fit 64 bits. */
#define NOW_MS_MAX ((uint64_t)1 << 43)

#define NS_PER_MS 1000000u

/* Spares the hardened build clearing 350 bytes for each decision, of which 40 are used. */
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#else
#define UNINITIALIZED
#endif

bool gh_limit_rule_prepare(struct gh_limit_rule *rule)
{
    if (rule->count == 0 || rule->window_ms == 0 || rule->window_ms > GH_LIMIT_WINDOW_MS_MAX)
        return false;
    if (rule->kind == GH_LIMIT_EXACT) {
        /* A sub-window; rounded up, so that the twelve cover the window. */
        rule->unit = rule->count / 255 + (rule->count % 255 != 0);
        rule->step = (rule->window_ms + GH_LIMIT_SUBWINDOW_COUNT - 1) / GH_LIMIT_SUBWINDOW_COUNT;
        return true;
    }
    uint64_t interval_ns = (rule->window_ms * NS_PER_MS + rule->count - 1) / rule->count;
    if (rule->burst == 0 || interval_ns > GH_LIMIT_REFILL_MS_MAX * NS_PER_MS / rule->burst)
        return false;
    rule->step = interval_ns;
    return true;
}

enum gh_limit_form gh_limit_form_of(const struct gh_limit_rule *rule)
{
    if (rule->kind == GH_LIMIT_GCRA)
        return GH_LIMIT_TAT;
    return rule->count <= GH_LIMIT_LOG_COUNT_MAX ? GH_LIMIT_LOG : GH_LIMIT_SUBWINDOWS;
}

/* The entries of a key. Most forms have one at the most. */
static void find_entries(const struct gh_limit_spot *spot, const struct gh_limit_rule *rule,
                         struct gh_limit_view *out_view)
{
    bool spread = rule->kind == GH_LIMIT_EXACT && rule->count > GH_LIMIT_LOG_CELLS &&
                  rule->count <= GH_LIMIT_LOG_COUNT_MAX;
    gh_limit_table_find(spot, spread ? GH_LIMIT_CHUNKS_MAX : 1, out_view);
    /* A key stands for one rule. Should two share it all the same, the entry is the later one's. */
    if (out_view->count && out_view->entries[0]->form != gh_limit_form_of(rule))
        memset(out_view->entries[0], 0, sizeof(*out_view->entries[0]));
}

static void judge(const struct gh_limit_view *view, const struct gh_limit_question *question,
                  struct gh_limit_decision *out_decision)
{
    const struct gh_limit_entry *entry = view->count ? view->entries[0] : NULL;
    switch (gh_limit_form_of(question->rule)) {
    case GH_LIMIT_FORM_NONE:
        break;
    case GH_LIMIT_LOG:
        gh_limit_log_judge(view, question, out_decision);
        return;
    case GH_LIMIT_SUBWINDOWS:
        gh_limit_sub_judge(entry, question, out_decision);
        return;
    case GH_LIMIT_TAT:
        gh_limit_gcra_judge(entry, question, out_decision);
        return;
    }
    GH_ASSERT(!"a rule has a form");
}

static void charge_entry(struct gh_limit_entry *entry, const struct gh_limit_rule *rule,
                         uint64_t now_ms)
{
    switch (gh_limit_form_of(rule)) {
    case GH_LIMIT_FORM_NONE:
        break;
    case GH_LIMIT_LOG:
        gh_limit_log_charge(entry, rule, now_ms);
        return;
    case GH_LIMIT_SUBWINDOWS:
        gh_limit_sub_charge(entry, rule, now_ms);
        return;
    case GH_LIMIT_TAT:
        gh_limit_gcra_charge(entry, rule, now_ms);
        return;
    }
    GH_ASSERT(!"a rule has a form");
}

/* One gh_limit_decide. */
struct deciding {
    struct gh_limit_table *table;
    uint64_t now_ms;
    bool peek;
    /* The keys of the decision: their entries are not evicted for one another. */
    const struct gh_limit_spot *spots;
    size_t spot_count;
};

static void charge(const struct deciding *deciding, const struct gh_limit_spot *spot,
                   const struct gh_limit_rule *rule, struct gh_limit_view *view)
{
    bool log = gh_limit_form_of(rule) == GH_LIMIT_LOG;
    struct gh_limit_entry *entry = log           ? gh_limit_log_room(view, deciding->now_ms)
                                   : view->count ? view->entries[0]
                                                 : NULL;
    if (!entry) {
        entry = gh_limit_table_place(&deciding->table->shards[spot->shard], spot, deciding->now_ms,
                                     deciding->spots, deciding->spot_count);
        if (!entry)
            return;
        if (view->count < GH_LIMIT_CHUNKS_MAX)
            view->entries[view->count++] = entry;
    }
    charge_entry(entry, rule, deciding->now_ms);
    if (log && rule->count > GH_LIMIT_LOG_CELLS)
        gh_limit_log_mark(view, deciding->now_ms);
}

/* The common case, without the book-keeping of several. The shard is locked. */
static bool decide_one(const struct deciding *deciding, const struct gh_limit_rule *rule,
                       struct gh_limit_decision *out_decision)
{
    struct gh_limit_question question = {
        .rule = rule, .now_ms = deciding->now_ms, .charging = !deciding->peek};
    struct gh_limit_view view;
    find_entries(deciding->spots, rule, &view);
    judge(&view, &question, out_decision);
    if (out_decision->allowed && !deciding->peek)
        charge(deciding, deciding->spots, rule, &view);
    return out_decision->allowed;
}

/* Charges before this one that have its key. */
static uint64_t count_same(const struct gh_limit_charge *charges, size_t index)
{
    uint64_t same = 0;
    for (size_t i = 0; i < index; i++)
        same += charges[i].key.lo == charges[index].key.lo &&
                charges[i].key.hi == charges[index].key.hi;
    return same;
}

/* Looks at all: `charging` says what is told of those that would admit. */
static bool judge_all(const struct deciding *deciding, const struct gh_limit_charge *charges,
                      bool charging, struct gh_limit_decision *decisions)
{
    bool allowed = true;
    for (size_t i = 0; i < deciding->spot_count; i++) {
        struct gh_limit_question question = {
            .rule = charges[i].rule,
            .now_ms = deciding->now_ms,
            .taken = count_same(charges, i),
            .charging = charging,
        };
        struct gh_limit_view view;
        find_entries(&deciding->spots[i], charges[i].rule, &view);
        judge(&view, &question, &decisions[i]);
        allowed &= decisions[i].allowed;
    }
    return allowed;
}

static bool decide_several(const struct deciding *deciding, const struct gh_limit_charge *charges,
                           struct gh_limit_decision *decisions)
{
    bool allowed = judge_all(deciding, charges, !deciding->peek, decisions);
    if (deciding->peek)
        return allowed;
    if (!allowed) {
        /* Those that would have admitted say what is left without the charge. */
        judge_all(deciding, charges, false, decisions);
        return false;
    }
    for (size_t i = 0; i < deciding->spot_count; i++) {
        struct gh_limit_view view;
        find_entries(&deciding->spots[i], charges[i].rule, &view);
        charge(deciding, &deciding->spots[i], charges[i].rule, &view);
    }
    return true;
}

/* A set of shards: ascending, each once. */
struct shard_set {
    unsigned items[GH_LIMIT_CHARGES_MAX];
    size_t count;
};

static void add_shard(struct shard_set *set, unsigned shard)
{
    size_t at = set->count;
    while (at > 0 && set->items[at - 1] > shard)
        at--;
    if (at > 0 && set->items[at - 1] == shard)
        return;
    for (size_t i = set->count; i > at; i--)
        set->items[i] = set->items[i - 1];
    set->items[at] = shard;
    set->count++;
}

/* In ascending order, as all threads do it, so that none waits for another in a circle. Time goes
   on from the latest that a shard has seen: workers' clocks are read at different moments. */
static void lock_shards(struct deciding *deciding, const struct shard_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct gh_limit_shard *shard = &deciding->table->shards[set->items[i]];
        gh_limit_shard_lock(shard);
        if (shard->now_ms > deciding->now_ms)
            deciding->now_ms = shard->now_ms;
    }
}

static void unlock_shards(const struct deciding *deciding, const struct shard_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct gh_limit_shard *shard = &deciding->table->shards[set->items[i]];
        if (!deciding->peek)
            shard->now_ms = deciding->now_ms;
        gh_limit_shard_unlock(shard);
    }
}

bool gh_limit_decide(struct gh_limit_table *table, const struct gh_limit_charge *charges,
                     size_t count, uint64_t now_ms, bool peek,
                     struct gh_limit_decision *out_decisions)
{
    GH_ASSERT(count <= GH_LIMIT_CHARGES_MAX && now_ms < NOW_MS_MAX);
    struct gh_limit_spot spots[GH_LIMIT_CHARGES_MAX] UNINITIALIZED;
    struct shard_set set UNINITIALIZED;
    set.count = 0;
    for (size_t i = 0; i < count; i++) {
        GH_ASSERT(charges[i].rule->step > 0);
        gh_limit_prefetch(table, charges[i].key);
        spots[i] = gh_limit_table_spot(table, charges[i].key);
        add_shard(&set, spots[i].shard);
    }
    struct deciding deciding = {table, now_ms, peek, spots, count};
    lock_shards(&deciding, &set);
    bool allowed = count == 1 ? decide_one(&deciding, charges[0].rule, out_decisions)
                              : decide_several(&deciding, charges, out_decisions);
    unlock_shards(&deciding, &set);
    return allowed;
}
