/*
 * When sessions were last used, so that idle time is counted from the last request and not from the
 * last refresh. Requests are far too many to be written one by one: uses are remembered, and
 * written together once in a while. What a crash loses makes sessions end earlier, never later.
 */
#ifndef GH_IDENTITY_SESSION_TOUCH_H
#define GH_IDENTITY_SESSION_TOUCH_H

#include "identity/identity.h"

/* Sessions that are remembered between two writes; uses of more are passed over. */
#define GH_SESSION_TOUCHES_MAX 8192

struct gh_session_touches; /* of one thread */

/* NULL without memory. */
struct gh_session_touches *gh_session_touches_new(struct gh_hash_key key);
void gh_session_touches_free(struct gh_session_touches *touches); /* NULL is fine */

/* Sessions by their id (what access tokens name). What is no id is passed over. */
void gh_session_touches_add(struct gh_session_touches *touches, struct gh_str session_id,
                            uint64_t now_us);
/*
 * Writes all that is remembered and forgets it, in units of run_bulk. Sessions that have ended or
 * got another id meanwhile are passed over. What an error leaves is tried again with the next call.
 * `arena` is scratch. Errors are those of run_bulk.
 */
GH_MUST_USE enum gh_err gh_session_touches_write(struct gh_session_touches *touches,
                                                 struct gh_store *store, struct gh_arena *arena);

#endif
