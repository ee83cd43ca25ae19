/*
 * Between a request and a call of the identity service: deep copies in both directions, since the
 * two live on different threads and end at different times. No socket, no clock but the wall's.
 */
#ifndef GH_GATEWAY_SERVICE_CALL_FILL_H
#define GH_GATEWAY_SERVICE_CALL_FILL_H

#include "base/err.h"
#include "gateway/snapshot.h"
#include "policy/service_call.h"

/* Fills an empty call, whose arena is ready, from a request that all stages have let on. The call
   points into `snapshot` for its settings; the caller keeps it. GH_ERR_MEMORY: over its cap. */
GH_MUST_USE enum gh_err gh_service_call_fill(struct gh_service_call *call,
                                             const struct gh_request *request,
                                             const struct gh_snapshot *snapshot);
/* What a client says that it is; empty where it says nothing, or says it twice. */
struct gh_str gh_service_user_agent(const struct gh_fields *fields);
/* Makes request->reply a copy of `reply`, in the request's arena. */
GH_MUST_USE enum gh_err gh_service_reply_copy(struct gh_request *request,
                                              const struct gh_reply *reply);

#endif
