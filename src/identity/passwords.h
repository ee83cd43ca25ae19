/* Passwords: what is accepted, how they are hashed and upgraded, change and reset. */
#ifndef GH_IDENTITY_PASSWORDS_H
#define GH_IDENTITY_PASSWORDS_H

#include "identity/identity.h"

/* Needs the current one (and a code when the second factor is on and the session is not fresh);
   ends all other sessions. */
enum gh_identity_result gh_password_change(struct gh_identity_call *call, struct gh_str current,
                                           struct gh_str code, struct gh_str next);
/* OK in every case, after the same work: the mail, if there is somebody to write to, is made
   later. */
enum gh_identity_result gh_password_reset_request(struct gh_identity_call *call,
                                                  struct gh_str email);
/* Ends all sessions, never skips the second factor of the next sign-in. BAD_TOKEN, WEAK_PASSWORD
   (the token then stays good). */
enum gh_identity_result gh_password_reset(struct gh_identity_call *call, struct gh_str token,
                                          struct gh_str next);

/* ---- For the files of identity ---- */

/* WEAK_PASSWORD with call->why: length in characters, 72 bytes under bcrypt, strength, the common
   list, the address or name in it, a breach (UNAVAILABLE is taken as "not breached" and audited in
   the log only). */
enum gh_identity_result gh_password_judge(struct gh_identity_call *call, struct gh_str password,
                                          struct gh_str email, struct gh_str name);
/* A hash under the settings' cost, in the arena; ptr NULL: no memory. Slow. */
struct gh_str gh_password_make(const struct gh_identity_call *call, struct gh_str password);
/* Verifies: GH_OK; GH_ERR_NOT_FOUND: it is not the password. For an empty hash (no such account, no
   password) work is done as for some account (hash_costs.h; `index`: of the address) and NOT_FOUND
   said. GH_ERR_MEMORY: there was none to hash in, nothing is known. *out_upgrade: the hash should
   be made anew. Slow. */
GH_MUST_USE enum gh_err gh_password_check(const struct gh_identity_call *call,
                                          const uint8_t index[GH_SHA256_BYTES], struct gh_str hash,
                                          struct gh_str password, bool *out_upgrade);

#endif
