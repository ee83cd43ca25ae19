/*
 * How many signatures a client may let us check in vain. Failures are counted for a minute from the
 * first; of four clients in one place the one with the least failures makes room.
 */
#include "session/gate_state.h"

#define FAILURES_MAX 20
#define WINDOW_S     60

static bool is_current(const struct gh_gate_failures *failures, uint64_t now_s)
{
    return failures->count && now_s >= failures->since_s && now_s - failures->since_s < WINDOW_S;
}

/* `client` is a hash already. */
static size_t place_of(uint64_t client)
{
    uint64_t mixed = client * 0x9e3779b97f4a7c15u >> 32;
    return mixed % (GH_GATE_BUDGET_CLIENTS / GH_GATE_BUDGET_WAYS) * GH_GATE_BUDGET_WAYS;
}

bool gh_gate_is_over_budget(const struct gh_gate *gate, uint64_t client, uint64_t now_s)
{
    const struct gh_gate_failures *place = &gate->failures[place_of(client)];
    for (size_t i = 0; i < GH_GATE_BUDGET_WAYS; i++)
        if (place[i].client == client && is_current(&place[i], now_s))
            return place[i].count >= FAILURES_MAX;
    return false;
}

void gh_gate_count_failure(struct gh_gate *gate, uint64_t client, uint64_t now_s)
{
    struct gh_gate_failures *place = &gate->failures[place_of(client)], *chosen = NULL;
    for (size_t i = 0; i < GH_GATE_BUDGET_WAYS; i++) {
        if (!is_current(&place[i], now_s))
            place[i] = (struct gh_gate_failures){0};
        if (place[i].count && place[i].client == client) {
            place[i].count++;
            return;
        }
        if (!chosen || place[i].count < chosen->count)
            chosen = &place[i];
    }
    *chosen = (struct gh_gate_failures){.client = client, .since_s = now_s, .count = 1};
}
