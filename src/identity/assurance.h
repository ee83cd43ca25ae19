/*
 * Asking somebody who is signed in again: for the password, for a code, or both, under the throttle
 * of logins. One read unit, the hash outside of any, one unit that counts the failure or does what
 * the confirmation was asked for.
 */
#ifndef GH_IDENTITY_ASSURANCE_H
#define GH_IDENTITY_ASSURANCE_H

#include "identity/identity.h"
#include "identity/two_factor.h"

struct gh_assurance {
    struct gh_str password;           /* ptr NULL: not asked for */
    struct gh_str code;               /* ptr NULL: none given */
    bool needs_code;                  /* when the second factor is on */
    enum gh_audit_event code_refused; /* what a wrong code is audited as */
    /* Inside the unit of a success; NULL: nothing. Begins anew when the unit runs twice. */
    enum gh_err (*then)(struct gh_tx *tx, struct gh_identity_call *call, struct gh_account *account,
                        enum gh_factor_used used, void *context);
    void *context;
};
/* BAD_CREDENTIALS, BAD_CODE, THROTTLED, UNAVAILABLE (nothing was counted); SESSION_ENDED: the
   account is gone or disabled. */
enum gh_identity_result gh_assure(struct gh_identity_call *call,
                                  const struct gh_assurance *assurance);

/* {"email":..,"reason":..} for login_failed, in the call's arena; ptr NULL: it is full. */
struct gh_str gh_login_failed_metadata(const struct gh_identity_call *call, struct gh_str email,
                                       const char *reason);

#endif
