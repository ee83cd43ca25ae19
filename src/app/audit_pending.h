/*
 * Refusals of the running minute (audit/window.h) in the store: beside the log what waits, in the
 * log what is due. Each function is one unit of run_bulk, all or nothing, so that every refusal is
 * in one place; its errors are those of run_bulk. Resets nothing: some 8 KiB of `arena` an entry.
 *
 * What is saved belongs to the chain that it was saved under, and so to who has that: a process
 * that took a chain since then, were it the same, finds there what it may not call its own any
 * more. `times` (audit_own of the store) says when it was saved.
 */
#ifndef GH_APP_AUDIT_PENDING_H
#define GH_APP_AUDIT_PENDING_H

#include "audit/window.h"
#include "identity/identity.h"

/* Appends records of what is due, and removes what was saved of it. *out_invalid: those that can be
   no record (a fault of ours); they alone are given up. GH_ERR_EXISTS: something of it is saved,
   and the process has taken a chain since. */
GH_MUST_USE enum gh_err gh_audit_pending_write(const struct gh_identity *identity,
                                               struct gh_arena *arena,
                                               const struct gh_window_entry *entries, size_t count,
                                               uint64_t times, uint64_t now_us,
                                               size_t *out_invalid);
/* Saves what is unsaved. Personal values are sealed as those of records; once, not again when a
   count grows. GH_ERR_EXISTS: the process has taken a chain since those times. */
GH_MUST_USE enum gh_err gh_audit_pending_save(const struct gh_identity *identity,
                                              struct gh_arena *arena,
                                              const struct gh_window_entry *entries, size_t count,
                                              uint64_t times, uint64_t now_us);

struct gh_audit_recovered {
    uint64_t times; /* when it was done */
    size_t records; /* that came into the log */
    size_t damaged; /* that could be none */
};
/* Moves what an earlier process had saved under this chain to the own one, at most `limit`.
   `chain`: one that nobody holds, or 0: the own one, of which nothing was saved by this process
   since it took it. *out_left: there may be more. GH_ERR_EXISTS: somebody took that chain
   meanwhile, and recovers it.
 */
GH_MUST_USE enum gh_err gh_audit_pending_recover(const struct gh_identity *identity,
                                                 struct gh_arena *arena, uint32_t chain,
                                                 size_t limit, uint64_t now_us,
                                                 struct gh_audit_recovered *out_recovered,
                                                 bool *out_left);

#endif
