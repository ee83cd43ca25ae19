#include "http/h2_budget.h"

#include <string.h>

#define WINDOW_MS 1000

static const uint32_t MOST[GH_H2_COST_COUNT] = {
#define X(name, word, most) [GH_H2_COST_##name] = (most),
    GH_H2_COSTS(X)
#undef X
};

static void move_window(struct gh_h2_budget *budget, uint64_t now_ms)
{
    uint64_t age_ms = now_ms - budget->window_start_ms;
    if (age_ms < WINDOW_MS)
        return;
    budget->window_start_ms = now_ms;
    budget->free_updates_before = age_ms < 2 * WINDOW_MS ? budget->free_updates : 0;
    budget->free_updates = 0;
    memset(budget->spent, 0, sizeof(budget->spent));
}

bool gh_h2_budget_spend(struct gh_h2_budget *budget, uint64_t now_ms, enum gh_h2_cost cost,
                        uint32_t amount)
{
    move_window(budget, now_ms);
    uint64_t most = MOST[cost];
    if (cost == GH_H2_COST_WINDOW_UPDATE)
        most += budget->free_updates + budget->free_updates_before;
    uint32_t *spent = &budget->spent[cost];
    *spent = amount > UINT32_MAX - *spent ? UINT32_MAX : *spent + amount;
    if (*spent > most)
        gh_h2_budget_exceed(budget, cost);
    return *spent <= most;
}

void gh_h2_budget_exceed(struct gh_h2_budget *budget, enum gh_h2_cost cost)
{
    if (budget->is_over)
        return;
    budget->is_over = true;
    budget->over = cost;
}

const char *gh_h2_budget_word(const struct gh_h2_budget *budget)
{
    static const char *const WORDS[GH_H2_COST_COUNT] = {
#define X(name, word, most) [GH_H2_COST_##name] = (word),
        GH_H2_COSTS(X)
#undef X
    };
    return budget->is_over ? WORDS[budget->over] : "other";
}

void gh_h2_budget_sent(struct gh_h2_budget *budget, uint64_t now_ms, size_t bytes)
{
    move_window(budget, now_ms);
    budget->free_updates += 2 + bytes / GH_H2_BYTES_PER_WINDOW_UPDATE;
}
