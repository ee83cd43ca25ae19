/* The second factor: TOTP and recovery codes. */
#ifndef GH_IDENTITY_TWO_FACTOR_H
#define GH_IDENTITY_TWO_FACTOR_H

#include "identity/identity.h"

struct gh_two_factor_setup {
    struct gh_str secret; /* Base32 */
    struct gh_str uri;    /* otpauth://totp/... */
};
/* Begins (or begins again) to enrol. CONFLICT: it is on; FORBIDDEN: the session is not fresh (a
   stolen one must not lock its owner out). */
enum gh_identity_result gh_two_factor_setup(struct gh_identity_call *call,
                                            struct gh_two_factor_setup *out_setup);

#define GH_RECOVERY_CODES 10
/* "abcd-efgh-ijkl-mnop": 80 bits, Base32 in lower case. */
#define GH_RECOVERY_CODE_LEN 19
struct gh_recovery_codes {
    char codes[GH_RECOVERY_CODES][GH_RECOVERY_CODE_LEN + 1];
};
/* A right code switches it on, is used up by that, ends the other sessions, renews this one
   (*out_grant) and gives the recovery codes. BAD_CODE, CONFLICT, SESSION_ENDED, THROTTLED. */
enum gh_identity_result gh_two_factor_enable(struct gh_identity_call *call, struct gh_str code,
                                             struct gh_recovery_codes *out_codes,
                                             struct gh_session_grant *out_grant);
/* Password and code switch it off; ends the other sessions, renews this one as one of a single
   factor (*out_grant). FORBIDDEN where a role of the caller needs it, CONFLICT, SESSION_ENDED. */
enum gh_identity_result gh_two_factor_disable(struct gh_identity_call *call, struct gh_str password,
                                              struct gh_str code,
                                              struct gh_session_grant *out_grant);
/* New ones for old; needs a code (not a recovery code). */
enum gh_identity_result gh_two_factor_recovery_codes(struct gh_identity_call *call,
                                                     struct gh_str code,
                                                     struct gh_recovery_codes *out_codes);

/* ---- For the files of identity ---- */

enum gh_factor_used { GH_FACTOR_NONE, GH_FACTOR_TOTP, GH_FACTOR_RECOVERY };
/*
 * Takes a code of the account inside a unit: a TOTP code whose step was not used yet (the step is
 * stored), or a recovery code (removed, and its use is mailed). NONE: it is wrong, used, or there
 * is no second factor. `account` is updated.
 */
enum gh_err gh_two_factor_take(struct gh_tx *tx, struct gh_identity_call *call,
                               struct gh_account *account, struct gh_str code,
                               enum gh_factor_used *out_used);
/* Takes the factor away inside a unit: secret, recovery codes, challenges under way. `account` is
   updated and stored. */
enum gh_err gh_two_factor_clear(struct gh_tx *tx, struct gh_account *account);

#endif
