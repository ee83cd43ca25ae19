/*
 * The log in the store, verified (audit/verify.h): for the operator's command and for the admins'
 * endpoint. It is read page by page, each in a reading unit of its own, so that no transaction
 * stays open for long, and in memory of a fixed size for each chain.
 */
#ifndef GH_IDENTITY_AUDIT_CHECK_H
#define GH_IDENTITY_AUDIT_CHECK_H

#include "audit/verify.h"
#include "identity/store.h"

/*
 * The whole log, chain after chain. `records_max`: one that is longer is GH_ERR_FULL; 0: of any
 * length. Other errors are those of the store, GH_ERR_MEMORY, and GH_ERR_FULL for more than
 * GH_AUDIT_CHAINS_MAX chains: there is no verdict. What is appended meanwhile may be in it or not;
 * retention that drops records meanwhile is no fault.
 */
GH_MUST_USE enum gh_err gh_audit_check_store(struct gh_store *store,
                                             const struct gh_audit_verify_options *options,
                                             uint64_t records_max,
                                             struct gh_audit_verdict *out_verdict);

/* A verdict as one JSON object: `seq`, `first_seq`, `last_seq` and `signed_through` are of `chain`,
   the rest of all. `with_keys`: signatures were checked. */
#define GH_AUDIT_VERDICT_BYTES_MAX 768
void gh_audit_verdict_put_json(struct gh_buf *buf, const struct gh_audit_verdict *verdict,
                               bool with_keys);

#endif
