/* One JSON line and the counters for each request, refusals included (SPEC section 3, stage 17).
   Never in it: query strings, cookies, Authorization, bodies. */
#ifndef GH_GATEWAY_ACCESS_LOG_H
#define GH_GATEWAY_ACCESS_LOG_H

#include "gateway/exchange.h"

void gh_access_log(struct gh_exchange *exchange);

#endif
