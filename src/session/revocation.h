/*
 * Sessions that ended before their access tokens expire, shared by all threads of the process.
 * It knows of other processes what it is told, and for how long that may be relied on.
 * Reading takes no lock. Memory is fixed: the table consists of small places, and when one is full
 * its oldest session is folded into an instant. Every token issued up to then whose session
 * belongs to that place is refused, and honest clients refresh.
 */
#ifndef GH_SESSION_REVOCATION_H
#define GH_SESSION_REVOCATION_H

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

struct gh_revocations;

/* `capacity`: sessions that it holds with little folding (rounded up to a power of two); takes 32
   bytes for each, as they come. NULL without memory. */
struct gh_revocations *gh_revocations_new(size_t capacity, struct gh_hash_key hash_key);
void gh_revocations_free(struct gh_revocations *revocations);

/* From any thread. `until_s`: when its last access token expires; it is refused up to and with that
   second. A session that is there already stays until the later of both. */
void gh_revocations_add(struct gh_revocations *revocations, struct gh_str session_id,
                        uint64_t until_s, uint64_t now_s);
/* True: a token of that session issued at `issued_s` is refused. */
bool gh_revocations_has(const struct gh_revocations *revocations, struct gh_str session_id,
                        uint64_t issued_s, uint64_t now_s);
/* Grows after each addition that changed something: unchanged means that nothing was revoked
   meanwhile. */
uint64_t gh_revocations_version(const struct gh_revocations *revocations);
/* Sessions in the table, with expired ones whose place nobody needed yet. */
size_t gh_revocations_count(const struct gh_revocations *revocations);

/* ---- Where other processes revoke, too ---- */

/* From now on the table holds only what somebody brings of the others' (gh_revocations_learned),
   and is out of date when that was longer than `age_max_ms` ago, and until the first time. Before
   other threads use it. */
void gh_revocations_share(struct gh_revocations *revocations, uint64_t age_max_ms);
/* All that any process had revoked by `at_ms` is in the table now. `at_ms`: of the monotonic clock,
   when the reading began that told it, not when it ended. From any thread; never goes back. */
void gh_revocations_learned(struct gh_revocations *revocations, uint64_t at_ms);
/* False: sessions that another process ended may still pass here. Where nothing is shared: true. */
bool gh_revocations_is_current(const struct gh_revocations *revocations, uint64_t now_ms);

#endif
