/*
 * Openings of personal values, as an exported line shows them (audit/personal.h):
 *
 *   {"actor":{"salt":"<64 hex digits>","ip_address":"..","user_agent":".."},
 *    "subject":{"salt":"..","metadata.email":".."}}
 *
 * Each value is under the name that goes into its commitment.
 */
#ifndef GH_AUDIT_OPENING_H
#define GH_AUDIT_OPENING_H

#include "audit/record.h"
#include "base/err.h"

/* GH_OK: all are the values that the row commits to. GH_ERR_INVALID: one is not, or malformed;
   GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_audit_check_openings(struct gh_arena *arena,
                                                const struct gh_audit_row *row,
                                                struct gh_str openings);

#endif
