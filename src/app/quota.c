#include "app/quota.h"

#include "base/assert.h"

static const struct {
    const char *name, *setting;
    uint32_t count;
    uint64_t window_ms;
} QUOTAS[GH_QUOTA_COUNT] = {
#define X(id, name, setting, count, seconds) {name, setting, count, (seconds)*1000ull},
    GH_QUOTAS(X)
#undef X
};

static const struct gh_rate_settings *find(const struct gh_config_map *rate_limits,
                                           const char *name)
{
    const struct gh_rate_settings *items = rate_limits->items;
    for (size_t i = 0; i < rate_limits->count; i++)
        if (gh_str_eq(rate_limits->keys[i], gh_str_from_c(name)))
            return &items[i];
    return NULL;
}

static struct gh_limit_rule rule_of(const struct gh_rate_settings *settings)
{
    struct gh_limit_rule rule = {
        .kind = settings->burst ? GH_LIMIT_GCRA : GH_LIMIT_EXACT,
        .count = (uint32_t)settings->limit.count,
        .window_ms = settings->limit.window_ms,
        .burst = (uint32_t)settings->burst,
    };
    return rule;
}

void gh_quota_rules_of(const struct gh_config_map *rate_limits, struct gh_quota_rules *out_rules)
{
    for (size_t i = 0; i < GH_QUOTA_COUNT; i++) {
        struct gh_limit_rule *rule = &out_rules->rules[i];
        const struct gh_rate_settings *settings = find(rate_limits, QUOTAS[i].setting);
        if (settings)
            *rule = rule_of(settings);
        if (settings && gh_limit_rule_prepare(rule)) /* else the policy has told it */
            continue;
        *rule = (struct gh_limit_rule){
            .kind = GH_LIMIT_EXACT, .count = QUOTAS[i].count, .window_ms = QUOTAS[i].window_ms};
        bool prepared = gh_limit_rule_prepare(rule);
        GH_ASSERT(prepared);
    }
}

static size_t index_of(const char *name)
{
    for (size_t i = 0; i < GH_QUOTA_COUNT; i++)
        if (strcmp(QUOTAS[i].name, name) == 0)
            return i;
    GH_ASSERT(!"a quota that there is");
    return 0;
}

/* A quota and whose it is. */
struct source {
    size_t index;
    const struct gh_limit_rule *rule;
    struct gh_str key;
};

/* Over name, shape and source, as the keys of the policy's own limits. */
static struct gh_hash128 hash_of(const void *what, struct gh_hash_key secret)
{
    const struct source *source = what;
    const struct gh_limit_rule *rule = source->rule;
    struct {
        uint64_t index, kind, count, window_ms, burst;
        struct gh_hash128 source;
    } parts = {source->index,   rule->kind,  rule->count,
               rule->window_ms, rule->burst, gh_hash128(secret, source->key)};
    secret.k0 ^= 0x71756f7461; /* apart from the policy's keys */
    return gh_hash128(secret, gh_str_of((const char *)&parts, sizeof(parts)));
}

/* In common with others. False: that could not be decided. What was admitted is charged here too;
   what this process alone has admitted too much of need not be asked. */
static bool decide_shared(const struct gh_quota_books *books, const struct source *source,
                          const struct gh_limit_charge *charge, uint64_t now_ms,
                          struct gh_limit_decision *out_decision)
{
    const struct gh_shared_question question = {source->rule, hash_of, source};
    if (!books->shared || !gh_limit_decide(books->table, charge, 1, now_ms, true, out_decision) ||
        !gh_shared_limits_decide(books->shared, &question, out_decision))
        return false;
    struct gh_limit_decision here;
    if (out_decision->allowed)
        gh_limit_decide(books->table, charge, 1, now_ms, false, &here);
    return true;
}

bool gh_quota_take(const struct gh_quota_books *books, const struct gh_quota_rules *rules,
                   const char *name, struct gh_str key, uint64_t now_ms,
                   uint64_t *out_retry_after_s)
{
    size_t index = index_of(name);
    const struct source source = {index, &rules->rules[index], key};
    struct gh_limit_charge charge = {source.rule,
                                     hash_of(&source, gh_limit_table_key(books->table))};
    struct gh_limit_decision decision;
    if (!decide_shared(books, &source, &charge, now_ms, &decision))
        gh_limit_decide(books->table, &charge, 1, now_ms, false, &decision);
    if (!decision.allowed)
        *out_retry_after_s = (decision.retry_after_ms + 999) / 1000;
    return decision.allowed;
}
