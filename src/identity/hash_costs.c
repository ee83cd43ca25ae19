#include "identity/hash_costs.h"

#include "identity/store.h"

#define PAGE_ROWS 500

bool gh_password_cost_eq(const struct gh_password_cost *a, const struct gh_password_cost *b)
{
    if (a->scheme != b->scheme)
        return false;
    if (a->scheme == GH_PASSWORD_BCRYPT)
        return a->log_rounds == b->log_rounds;
    return a->memory_bytes == b->memory_bytes && a->passes == b->passes && a->lanes == b->lanes;
}

/* ---- Counting ---- */

struct page {
    struct gh_account_query query;
    struct gh_account *rows;
    size_t count;
};

static enum gh_err read_page(struct gh_tx *tx, void *args)
{
    struct page *page = args;
    return tx->ops->account_page(tx, &page->query, &page->rows, &page->count);
}

/* GH_HASH_COSTS_MAX: there is no place for one more. */
static size_t place_of(struct gh_hash_costs *costs, const struct gh_password_cost *cost)
{
    size_t count = atomic_load(&costs->count);
    for (size_t i = 0; i < count; i++)
        if (gh_password_cost_eq(&costs->kinds[i].cost, cost))
            return i;
    if (count < GH_HASH_COSTS_MAX) {
        costs->kinds[count].cost = *cost;
        atomic_store(&costs->count, count + 1); /* readers see the cost before it counts */
    }
    return count;
}

static void count_page(struct gh_hash_costs *costs, const struct page *page,
                       uint64_t accounts[GH_HASH_COSTS_MAX])
{
    struct gh_password_cost cost;
    for (size_t i = 0; i < page->count; i++) {
        if (!gh_password_cost_of(page->rows[i].password_hash, &cost))
            continue;
        size_t place = place_of(costs, &cost);
        if (place < GH_HASH_COSTS_MAX)
            accounts[place]++;
    }
}

enum gh_err gh_hash_costs_count(struct gh_hash_costs *costs, struct gh_store *store,
                                struct gh_arena *arena, uint64_t accounts_max,
                                const atomic_bool *stop)
{
    uint64_t accounts[GH_HASH_COSTS_MAX] = {0};
    struct page page = {.query = {.limit = PAGE_ROWS}, .count = PAGE_ROWS};
    atomic_store(&costs->stale, false);
    for (uint64_t seen = 0; seen < accounts_max && page.count == PAGE_ROWS; seen += page.count) {
        if (stop && atomic_load(stop))
            return GH_ERR_CLOSED;
        gh_arena_reset(arena);
        enum gh_err err = store->ops->read(store, read_page, &page, arena);
        if (err != GH_OK)
            return err;
        count_page(costs, &page, accounts);
        if (page.count)
            page.query.after = page.rows[page.count - 1].id;
    }
    for (size_t i = 0; i < GH_HASH_COSTS_MAX; i++)
        atomic_store(&costs->kinds[i].accounts, accounts[i]);
    return GH_OK;
}

/* ---- Asking ---- */

/* A number below `total` (less than 2^32), even over all indexes; it moves little when the total
   does. */
static uint64_t part_of(const uint8_t index[GH_SHA256_BYTES], uint64_t total)
{
    uint64_t fraction = 0;
    for (size_t i = 0; i < 4; i++)
        fraction = fraction << 8 | index[i];
    return fraction * total >> 32;
}

struct gh_password_cost gh_hash_costs_pick(const struct gh_hash_costs *costs,
                                           const uint8_t index[GH_SHA256_BYTES],
                                           const struct gh_password_cost *now)
{
    uint64_t accounts[GH_HASH_COSTS_MAX], total = 0;
    size_t count = atomic_load(&costs->count);
    for (size_t i = 0; i < count; i++) {
        accounts[i] = atomic_load(&costs->kinds[i].accounts);
        total += accounts[i];
    }
    if (!total)
        return *now;
    uint64_t part = part_of(index, total);
    for (size_t i = 0; i < count; part -= accounts[i++])
        if (part < accounts[i])
            return costs->kinds[i].cost;
    return *now;
}
