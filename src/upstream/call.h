/* What the files of a call share: call.c has its life, response.c reads the answer, connection.c
   brings the events. */
#ifndef GH_UPSTREAM_CALL_H
#define GH_UPSTREAM_CALL_H

#include "upstream/pool.h"

/* Events of the call's connection. */
void gh_call_on_open(struct gh_upstream_call *call);
void gh_call_on_read(struct gh_upstream_call *call, struct gh_str bytes);
void gh_call_on_eof(struct gh_upstream_call *call);
void gh_call_on_error(struct gh_upstream_call *call, enum gh_err err);

/* The connection died before anything came back: sends the request again where that is safe. */
void gh_call_lost(struct gh_upstream_call *call);
/* Closes the connection and ends the call; the call may be gone when this returns. */
void gh_call_fail(struct gh_upstream_call *call, enum gh_upstream_failure failure);
/* The answer is complete with `last`; `has_more`: bytes stood behind it. As above. */
void gh_call_finish(struct gh_upstream_call *call, struct gh_str last, bool has_more);
/* After `answered` or `tunnel` changed: the timer must not run longer than the new deadline. */
void gh_call_set_timer(struct gh_upstream_call *call);

#endif
