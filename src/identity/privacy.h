/* Export and erasure of what is held on a person (GDPR articles 15, 17, 20). */
#ifndef GH_IDENTITY_PRIVACY_H
#define GH_IDENTITY_PRIVACY_H

#include "identity/identity.h"

/* One JSON document: account, sessions, devices, audit records, and the backend's own part (what
   hooks.export answers, under "application"). *out_records is audited. UNAVAILABLE: the hook
   failed: an export that is not complete is none. */
enum gh_identity_result gh_privacy_export(struct gh_identity_call *call, struct gh_str *out_json,
                                          uint64_t *out_records);
/*
 * Erases the caller's account: audits {initiated: true}, calls hooks.delete, removes all, audits
 * the end. UNAVAILABLE: the hook failed, the account is still there; trying again goes on.
 */
enum gh_identity_result gh_privacy_erase(struct gh_identity_call *call, struct gh_str password,
                                         struct gh_str code);

/* The bearer token of a hook: 60 seconds, aud its URL, sub, purpose, body_sha256. */
struct gh_str gh_hook_token(struct gh_identity_call *call, struct gh_str url, struct gh_str account,
                            const char *purpose, struct gh_str body);

#endif
