/* What was counted of refusals (audit/window.h) as records of the log. */
#ifndef GH_APP_AUDIT_REFUSALS_H
#define GH_APP_AUDIT_REFUSALS_H

#include "audit/tally.h"
#include "base/err.h"

/* Of what is written now: the times of a log do not go back for what had to wait. Texts live in
   `arena`, or are the entry's. GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_audit_refusal_record(struct gh_arena *arena,
                                                const struct gh_tally_entry *entry, uint64_t now_us,
                                                struct gh_audit_record *out_record);

#endif
