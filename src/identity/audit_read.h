/* Reading the audit log with personal values in clear is in the log itself: who, and what was asked
   for. */
#ifndef GH_IDENTITY_AUDIT_READ_H
#define GH_IDENTITY_AUDIT_READ_H

#include "identity/identity.h"

/* Pages after the first one of the same reader and question stand under its record for so long. */
#define GH_AUDIT_READING_US (3600 * UINT64_C(1000000))

/*
 * Appends a record of the call's own reading of what `query` finds; whoever can't have one is shown
 * nothing. `goes_on`: it is asked for from somewhere in the log, as one page after another is; then
 * nothing is appended when the newest such record of this reader is of the same question and not
 * older than GH_AUDIT_READING_US. The call's arena is scratch. OK or UNAVAILABLE.
 */
GH_MUST_USE enum gh_identity_result gh_audit_read_note(struct gh_identity_call *call,
                                                       const struct gh_audit_query *query,
                                                       bool goes_on);

#endif
