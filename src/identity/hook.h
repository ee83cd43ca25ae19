/* Calls of the backend's hooks: what it holds on a person is asked for, or erased. */
#ifndef GH_IDENTITY_HOOK_H
#define GH_IDENTITY_HOOK_H

#include "identity/privacy.h"

/* Posts {"user_id": ...} with a hook token. *out_body: of a 200, in `arena`; ptr NULL for
   another status of 2xx. False: it could not be reached or answered otherwise (call->why). */
bool gh_hook_call(struct gh_identity_call *call, struct gh_arena *arena, struct gh_str url,
                  struct gh_str account, const char *purpose, struct gh_str *out_body);

#endif
