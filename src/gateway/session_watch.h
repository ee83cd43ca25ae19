/*
 * Answers that outlive the session they were given to: tunnels, server-sent events, long downloads.
 * A request is judged once, at its beginning; what still runs when its session is revoked ends
 * within a second of that (SPEC section 3, stage 12).
 */
#ifndef GH_GATEWAY_SESSION_WATCH_H
#define GH_GATEWAY_SESSION_WATCH_H

#include "gateway/worker.h"

/* Looks every half second from now on. The worker has a gate. */
void gh_session_watch_start(struct gh_worker *worker);

#endif
