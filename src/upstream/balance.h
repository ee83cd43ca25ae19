/* Which server takes a request. */
#ifndef GH_UPSTREAM_BALANCE_H
#define GH_UPSTREAM_BALANCE_H

#include "upstream/pool.h"

/*
 * The pool to use for `call`, whose server_index and trial are set; servers in call->tried are left
 * out. NULL: *out_failure says whether all are down (NO_SERVER) or full (BUSY).
 */
struct gh_pool *gh_balance_pick(struct gh_upstream_call *call,
                                enum gh_upstream_failure *out_failure);

#endif
