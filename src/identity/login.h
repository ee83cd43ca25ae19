/* Signing in: password, second step, step-up. */
#ifndef GH_IDENTITY_LOGIN_H
#define GH_IDENTITY_LOGIN_H

#include "identity/identity.h"

struct gh_login {
    struct gh_str email, password;
    bool remember;
};
struct gh_login_answer {
    bool two_factor_required;
    struct gh_str challenge;       /* for gh_login_second_step, 5 minutes, five tries */
    struct gh_session_grant grant; /* when no second step is needed */
};
/*
 * BAD_CREDENTIALS for unknown, wrong, disabled and unconfirmed alike, after the same work;
 * THROTTLED likewise. Audits login or login_failed {email, reason}; a success upgrades the hash.
 */
enum gh_identity_result gh_login(struct gh_identity_call *call, const struct gh_login *request,
                                 struct gh_login_answer *out_answer);
/* `code`: six digits, or a recovery code. BAD_TOKEN: no such challenge any more (sign in again);
   BAD_CODE; THROTTLED. */
enum gh_identity_result gh_login_second_step(struct gh_identity_call *call, struct gh_str challenge,
                                             struct gh_str code,
                                             struct gh_session_grant *out_grant);
/* Makes the session fresh by password or code (exactly one has ptr not NULL); its id changes. */
enum gh_identity_result gh_step_up(struct gh_identity_call *call, struct gh_str password,
                                   struct gh_str code, struct gh_session_grant *out_grant);

#endif
