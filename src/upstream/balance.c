/*
 * Every worker counts its own requests only: looking at the others' counts would share a cache line
 * on the hot path, and with several workers the sum evens out. Ties go to the server that was
 * chosen longest ago, which is also all there is to round robin.
 */
#include "upstream/balance.h"

static bool is_better(enum gh_upstream_balance balance, const struct gh_pool *a,
                      const struct gh_pool *b)
{
    if (balance == GH_BALANCE_LEAST_REQUESTS && a->requests != b->requests)
        return a->requests < b->requests;
    return a->picked < b->picked;
}

static bool is_full(const struct gh_pool *pool, uint64_t connections_max)
{
    return connections_max && pool->connections >= connections_max && !pool->idle_count;
}

/* The pool of server `i` when it may take the request, or NULL. */
static struct gh_pool *usable_pool(struct gh_upstream_call *call, size_t i,
                                   enum gh_server_state state, bool *any_full)
{
    struct gh_upstream_group *group = call->group;
    if (state == GH_SERVER_DOWN || (call->tried >> i & 1))
        return NULL;
    struct gh_pool *pool = gh_upstreams_pool(call->upstreams, group->servers[i]);
    if (pool && is_full(pool, group->settings.connections_max)) {
        *any_full = true;
        return NULL;
    }
    return pool;
}

struct gh_pool *gh_balance_pick(struct gh_upstream_call *call,
                                enum gh_upstream_failure *out_failure)
{
    struct gh_upstream_group *group = call->group;
    uint64_t now = gh_loop_now_ms(call->upstreams->loop);
    struct gh_pool *best = NULL;
    bool any_full = false;
    call->trial = false;
    for (size_t i = 0; i < group->server_count; i++) {
        enum gh_server_state state = gh_server_state(group->servers[i], now);
        struct gh_pool *pool = usable_pool(call, i, state, &any_full);
        if (!pool)
            continue;
        if (state == GH_SERVER_TRIAL) {
            /* One request pays for finding out; when it can't connect it goes elsewhere. */
            if (!gh_server_claim_trial(group->servers[i], now))
                continue;
            call->trial = true;
        } else if (best && !is_better(group->settings.balance, pool, best)) {
            continue;
        }
        best = pool;
        call->server_index = (unsigned)i;
        if (call->trial)
            break;
    }
    if (best)
        best->picked = ++call->upstreams->picks;
    else
        *out_failure = any_full ? GH_UPSTREAM_BUSY : GH_UPSTREAM_NO_SERVER;
    return best;
}
