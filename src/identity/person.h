/*
 * Keys of persons and days: what personal values of the audit log are sealed under
 * (audit/personal.h). Wrapped by the vault, in the store, and read anew in each unit: a key that
 * is kept anywhere else would outlive an erasure.
 */
#ifndef GH_IDENTITY_PERSON_H
#define GH_IDENTITY_PERSON_H

#include "audit/personal.h"
#include "identity/vault.h"

struct gh_identity;

/*
 * The key that a record of `time_us` uses for an account, made at first need; that of the day where
 * `account` is empty. Of an account that was erased, a key that is stored nowhere: what is written
 * of somebody late is as gone as what was there. The name lives in the unit's arena. The number of
 * operations is the same for accounts that are known and that are not. Whoever is done with the key
 * wipes it.
 */
GH_MUST_USE enum gh_err gh_person_key(struct gh_tx *tx, const struct gh_identity *identity,
                                      struct gh_str account, uint64_t time_us,
                                      struct gh_audit_person *out_person);
/* One that is there. GH_ERR_NOT_FOUND: it is gone; GH_ERR_INVALID: the vault can't open it. */
GH_MUST_USE enum gh_err gh_person_key_find(struct gh_tx *tx, const struct gh_identity *identity,
                                           struct gh_str name, struct gh_audit_person *out_person);

#endif
