#include "gateway/exchange_pool.h"

#include <stdlib.h>

/* Exchanges kept for reuse by one worker. */
#define FREE_EXCHANGES_MAX 256

struct gh_exchange *gh_exchange_pool_take(struct gh_worker *worker)
{
    struct gh_exchange *exchange = worker->free_exchanges;
    if (exchange) {
        worker->free_exchanges = exchange->next;
        worker->free_exchange_count--;
        struct gh_arena arena = exchange->arena;
        memset(exchange, 0, offsetof(struct gh_exchange, request));
        exchange->arena = arena;
        return exchange;
    }
    exchange = calloc(1, sizeof(*exchange));
    if (exchange)
        gh_arena_init(&exchange->arena, GH_EXCHANGE_ARENA_BLOCK, GH_EXCHANGE_ARENA_BYTES_MAX);
    return exchange;
}

void gh_exchange_pool_give(struct gh_worker *worker, struct gh_exchange *exchange)
{
    if (worker->free_exchange_count >= FREE_EXCHANGES_MAX) {
        gh_arena_done(&exchange->arena);
        free(exchange);
        return;
    }
    gh_arena_reset(&exchange->arena);
    exchange->arena.allocated_max = GH_EXCHANGE_ARENA_BYTES_MAX;
    exchange->next = worker->free_exchanges;
    worker->free_exchanges = exchange;
    worker->free_exchange_count++;
}

void gh_exchange_pool_free(struct gh_worker *worker)
{
    while (worker->free_exchanges) {
        struct gh_exchange *exchange = worker->free_exchanges;
        worker->free_exchanges = exchange->next;
        gh_arena_done(&exchange->arena);
        free(exchange);
    }
    worker->free_exchange_count = 0;
}
