/*
 * What admins may do to accounts, the first admin, and what commands of the operator do: the same
 * functions with call->by = "command". Nobody chooses a password for somebody else.
 */
#ifndef GH_IDENTITY_ADMIN_H
#define GH_IDENTITY_ADMIN_H

#include "identity/identity.h"

struct gh_user_query {
    struct gh_str email; /* exact; empty: any */
    struct gh_str role;  /* empty: any */
    struct gh_str after; /* id; empty: from the start */
    size_t limit;        /* 1..200 */
};
enum gh_identity_result gh_users_page(struct gh_identity_call *call,
                                      const struct gh_user_query *query,
                                      struct gh_account_view **out_users, size_t *out_count);
enum gh_identity_result gh_user_get(struct gh_identity_call *call, struct gh_str id,
                                    struct gh_account_view *out_user);

/* NOT_FOUND; CONFLICT: the last admin. Access tokens of the account die at once. */
enum gh_identity_result gh_user_set_roles(struct gh_identity_call *call, struct gh_str id,
                                          gh_roles roles, struct gh_account_view *out_user);
enum gh_identity_result gh_user_unlock(struct gh_identity_call *call, struct gh_str id);
enum gh_identity_result gh_user_disable(struct gh_identity_call *call, struct gh_str id);
enum gh_identity_result gh_user_enable(struct gh_identity_call *call, struct gh_str id);
/* Takes the factor away; the owner is told, and must enrol again where a role needs it. */
enum gh_identity_result gh_user_reset_two_factor(struct gh_identity_call *call, struct gh_str id);
/* Sends a reset link and ends all sessions. */
enum gh_identity_result gh_user_reset_password(struct gh_identity_call *call, struct gh_str id);
enum gh_identity_result gh_user_delete(struct gh_identity_call *call, struct gh_str id);
enum gh_identity_result gh_user_end_sessions(struct gh_identity_call *call, struct gh_str id,
                                             uint64_t *out_count);

/* The first admin, by the one-time token. BAD_TOKEN, WEAK_PASSWORD, CONFLICT: there is one. */
enum gh_identity_result gh_setup_admin(struct gh_identity_call *call, struct gh_str token,
                                       struct gh_str email, struct gh_str password,
                                       struct gh_account_view *out_user);
/* A fresh setup token when there is no admin yet: ptr NULL when there is one. Replaces older ones.
 */
enum gh_identity_result gh_setup_token(struct gh_identity_call *call, struct gh_str *out_token);

/* A new, confirmed account (the command `user add`). `password` ptr NULL: none; a reset link is
   mailed. EMAIL_TAKEN. */
enum gh_identity_result gh_user_add(struct gh_identity_call *call, struct gh_str email,
                                    struct gh_str password, gh_roles roles,
                                    struct gh_account_view *out_user);

/* A link to set the password with, good for 24 hours: for the operator to hand on. Replaces links
   that were sent. */
enum gh_identity_result gh_user_setup_link(struct gh_identity_call *call, struct gh_str id,
                                           struct gh_str *out_link);

/* An account of an existing system (a line of `user import`). `password_hash`: bcrypt or argon2
   within bounds, or empty; `totp_secret`: Base32 or empty. E-mail, secret and name may be Fernet
   tokens of secrets.fernet. INVALID with why; EMAIL_TAKEN. */
struct gh_user_import {
    struct gh_str email, password_hash, totp_secret, name;
    gh_roles roles;
    bool email_verified;
};
enum gh_identity_result gh_user_import(struct gh_identity_call *call,
                                       const struct gh_user_import *user,
                                       struct gh_account_view *out_user);
/* Reads one JSON line into *out_user: {"email", "password_hash", "totp_secret", "roles": [..],
   "name", "email_verified"}. INVALID with why. */
enum gh_identity_result gh_user_import_parse(struct gh_identity_call *call, struct gh_str line,
                                             struct gh_user_import *out_user);

/* ---- For the files of identity ---- */

/* *out_last: without this account there would be no active admin any more. Inside the unit that
   takes it away, so that two admins can't remove each other at the same time. */
enum gh_err gh_admin_is_last(struct gh_tx *tx, const struct gh_identity_call *call,
                             const struct gh_account *account, bool *out_last);
/* Why that is refused: for call->why. */
extern const char gh_admin_last_text[];

#endif
