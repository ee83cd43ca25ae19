/*
 * What other processes have ended, brought into the table of this one: sessions that were signed
 * out, revoked, or given other ids (a role, a step-up), by whichever node, command or admin.
 */
#ifndef GH_IDENTITY_SESSION_NEWS_H
#define GH_IDENTITY_SESSION_NEWS_H

#include "identity/store.h"
#include "session/revocation.h"

/* How far the store was read; zeroed at first. */
struct gh_session_news {
    uint64_t cursor;
};

/*
 * Reads what has come since the last time. `at_ms`: of the monotonic clock, just before this call:
 * for all that was committed by then the table is told to be complete. `now_us` leaves out what has
 * run out; no clock of another process counts. `arena`: for work, reset by it.
 */
GH_MUST_USE enum gh_err gh_session_news_read(struct gh_session_news *news, struct gh_store *store,
                                             struct gh_revocations *revocations, uint64_t now_us,
                                             uint64_t at_ms, struct gh_arena *arena);

#endif
