/* Accounts that the operator makes: the first admin, `user add`, `user import`. */
#ifndef GH_IDENTITY_NEW_ACCOUNT_H
#define GH_IDENTITY_NEW_ACCOUNT_H

#include "identity/identity.h"

struct gh_new_account {
    struct gh_str email;         /* normalised */
    struct gh_str name;          /* empty: none */
    struct gh_str password_hash; /* empty: none */
    struct gh_str totp_secret;   /* bytes; empty: none, else it is on */
    gh_roles roles;
    bool email_verified;
    const char *changed_by; /* NULL: the actor of the call */
};

/* Before the unit: the row, its fields sealed. False: out of memory. */
bool gh_new_account_prepare(struct gh_identity_call *call, const struct gh_new_account *from,
                            struct gh_account *out_account);
/* Inside: inserts it and audits signup, and role_changed where it gets more than new accounts do.
   GH_ERR_EXISTS: the address is taken. */
enum gh_err gh_new_account_insert(struct gh_tx *tx, struct gh_identity_call *call,
                                  const struct gh_new_account *from,
                                  const struct gh_account *account);

#endif
