/* Exchanges that are over, kept by their worker for the next requests with the first block of their
   arenas. */
#ifndef GH_GATEWAY_EXCHANGE_POOL_H
#define GH_GATEWAY_EXCHANGE_POOL_H

#include "gateway/exchange.h"

/* Zeroed but for its arena and its request; NULL without memory. */
struct gh_exchange *gh_exchange_pool_take(struct gh_worker *worker);
/* Wipes what it held. */
void gh_exchange_pool_give(struct gh_worker *worker, struct gh_exchange *exchange);
void gh_exchange_pool_free(struct gh_worker *worker);

#endif
