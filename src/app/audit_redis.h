/* Records of the log into a stream of Redis: XADD with the node's name and a line of JSON, where
   the entries of many nodes wait for `gatehouse consume` or anybody else. */
#ifndef GH_APP_AUDIT_REDIS_H
#define GH_APP_AUDIT_REDIS_H

#include "app/audit_destination.h"

/* As gh_audit_deliver: all were taken, or it failed and those before come once more. Connects for
   each call, and waits 10 seconds at most. */
GH_MUST_USE enum gh_err gh_audit_redis_send(const struct gh_audit_destination *destination,
                                            const struct gh_str *messages, size_t count,
                                            const atomic_bool *stop, struct gh_arena *arena,
                                            struct gh_str *out_detail);

#endif
