/* Accounts: sign-up, confirmation of addresses, profile, deletion by their owner. */
#ifndef GH_IDENTITY_ACCOUNT_H
#define GH_IDENTITY_ACCOUNT_H

#include "identity/audit_log.h"

struct gh_sign_up {
    struct gh_str email, password;
    struct gh_str name; /* empty: none */
};
/*
 * Makes an account. With confirmation required the result is OK whether or not the address was
 * known (an owner gets a notice instead of a link, an unconfirmed account takes the new password),
 * and out_view is left empty; else EMAIL_TAKEN. INVALID, WEAK_PASSWORD.
 */
enum gh_identity_result gh_sign_up(struct gh_identity_call *call, const struct gh_sign_up *request,
                                   struct gh_account_view *out_view);
/* Confirms by the token of a mail: a new account, or the new address of one. BAD_TOKEN. */
enum gh_identity_result gh_email_verify(struct gh_identity_call *call, struct gh_str token);
/* Sends the link again if there is an unconfirmed account; OK in every case. */
enum gh_identity_result gh_email_resend(struct gh_identity_call *call, struct gh_str email);
/* Needs the password: a link goes to the new address, a notice to the old; the new one counts when
   it is confirmed. */
enum gh_identity_result gh_email_change(struct gh_identity_call *call, struct gh_str password,
                                        struct gh_str email);

enum gh_identity_result gh_account_get(struct gh_identity_call *call,
                                       struct gh_account_view *out_view);
/* ptr NULL: leave as it is; empty: none. name at most 100 characters, locale a language tag. */
enum gh_identity_result gh_profile_update(struct gh_identity_call *call, struct gh_str name,
                                          struct gh_str locale, struct gh_account_view *out_view);
/* One's own account: password, and a code when the second factor is on. CONFLICT: the last admin.
 */
enum gh_identity_result gh_account_remove(struct gh_identity_call *call, struct gh_str password,
                                          struct gh_str code);

/* One's own audit records of every chain, newest first; `before` a position, 0: all. */
enum gh_identity_result gh_account_activity(struct gh_identity_call *call, uint64_t before,
                                            size_t limit, struct gh_audit_entries *out_entries);

/* ---- For the files of identity ---- */

/* Is `password` the caller's, and `code` their second factor if it is on? Counts and audits
   failures as logins do: BAD_CREDENTIALS, BAD_CODE, THROTTLED. ptr NULL of code: none given. */
enum gh_identity_result gh_account_confirm(struct gh_identity_call *call, struct gh_str password,
                                           struct gh_str code);
/* The password alone, whether a second factor is on or not. */
enum gh_identity_result gh_account_confirm_password(struct gh_identity_call *call,
                                                    struct gh_str password);

#endif
