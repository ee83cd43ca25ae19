/*
 * A store that writes down what is asked of it, for tests of what must not be told apart: units
 * and the operations in them, as "read(throttle_get throttle_get account_by_email)". Operations
 * that no such test needs are left out (and calling them crashes).
 */
#ifndef GH_IDENTITY_STORE_TRACE_H
#define GH_IDENTITY_STORE_TRACE_H

#include "base/buf.h"
#include "identity/store.h"

struct gh_store_trace {
    struct gh_store store; /* first: use it in place of the other */
    struct gh_store *inner;
    char memory[4096];
    struct gh_buf text;
};

void gh_store_trace_init(struct gh_store_trace *trace, struct gh_store *inner);
/* What was asked since the last call; valid until the next operation. */
struct gh_str gh_store_trace_take(struct gh_store_trace *trace);

#endif
