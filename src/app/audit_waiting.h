/*
 * Counts of refusals that wait for their record: the running minute (audit/window.h), and what of
 * it is saved under the chain of the log that this process writes. Where it loses that chain and
 * takes one, be it the same, what it had saved is not its own any more: who has the chain finds it
 * there and writes it, once. One thread's.
 */
#ifndef GH_APP_AUDIT_WAITING_H
#define GH_APP_AUDIT_WAITING_H

#include "app/audit_pending.h"

/* Records of one transaction: short ones, so that identity's own do not wait. */
#define GH_AUDIT_WAITING_BATCH 128
/* Counts that wait for the end of their minute are saved so often. */
#define GH_AUDIT_WAITING_SAVE_US UINT64_C(1000000)

struct gh_audit_waiting {
    struct gh_window *window;
    const struct gh_identity *identity;
    bool recovered;   /* what was saved under the own chain before it was taken is in the log */
    uint64_t times;   /* when that was done */
    uint64_t save_us; /* when counts are saved next */
};

/* Room for that many kinds. False without memory. `identity` comes before anything is written. */
bool gh_audit_waiting_open(struct gh_audit_waiting *waiting, size_t kinds_max,
                           struct gh_hash_key key);
void gh_audit_waiting_close(struct gh_audit_waiting *waiting); /* a zeroed one is fine */

/* Looks whether the own chain is as it was, and moves what others saved under it into the log;
 *out_recovered: how much. To be called before each writing. */
GH_MUST_USE enum gh_err gh_audit_waiting_recover(struct gh_audit_waiting *waiting,
                                                 struct gh_arena *arena, uint64_t now_us,
                                                 struct gh_audit_recovered *out_recovered);
/* The same of a chain that nobody holds. Somebody who takes it meanwhile does it, which is fine. */
GH_MUST_USE enum gh_err gh_audit_waiting_recover_chain(struct gh_audit_waiting *waiting,
                                                       struct gh_arena *arena, uint32_t chain,
                                                       uint64_t now_us,
                                                       struct gh_audit_recovered *out_recovered);

struct gh_audit_waiting_written {
    bool more;                    /* another batch may be due */
    size_t invalid;               /* of gh_audit_pending_write */
    uint64_t coalesced, overflow; /* refusals that are part of a count, and of one without kind */
};
/* Writes one batch of what is due, or with `all` of what is there. */
GH_MUST_USE enum gh_err gh_audit_waiting_write(struct gh_audit_waiting *waiting,
                                               struct gh_arena *arena, uint64_t now_us, bool all,
                                               struct gh_audit_waiting_written *out_written);
/* Saves what still waits when it is time for that, or `now`: a process that is killed loses what
   came since. */
GH_MUST_USE enum gh_err gh_audit_waiting_save(struct gh_audit_waiting *waiting,
                                              struct gh_arena *arena, uint64_t now_us, bool now);

#endif
