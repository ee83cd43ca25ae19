/*
 * Sessions that ended before their access tokens expire, shared by all threads of the process.
 * Reading takes no lock. When the table is full the oldest are folded into one instant: every
 * token issued before it is refused, and honest clients refresh.
 */
#ifndef GH_SESSION_REVOCATION_H
#define GH_SESSION_REVOCATION_H

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

struct gh_revocations;

/* `capacity`: sessions at the most (rounded up to a power of two). NULL without memory. */
struct gh_revocations *gh_revocations_new(size_t capacity, struct gh_hash_key hash_key);
void gh_revocations_free(struct gh_revocations *revocations);

/* From any thread. `until_s`: when its last access token expires. */
void gh_revocations_add(struct gh_revocations *revocations, struct gh_str session_id,
                        uint64_t until_s, uint64_t now_s);
/* True: a token of that session issued at `issued_s` is refused. */
bool gh_revocations_has(const struct gh_revocations *revocations, struct gh_str session_id,
                        uint64_t issued_s, uint64_t now_s);
/* Grows with each addition: unchanged means that nothing was revoked meanwhile. */
uint64_t gh_revocations_version(const struct gh_revocations *revocations);
size_t gh_revocations_count(const struct gh_revocations *revocations);

#endif
