/*
 * Values that an existing system had sealed as Fernet tokens are opened when they are imported;
 * from then on they are sealed under our own key, and the Fernet keys can be taken away.
 */
#ifndef GH_IDENTITY_FERNET_IMPORT_H
#define GH_IDENTITY_FERNET_IMPORT_H

#include "identity/admin.h"

/* Puts what is in the token in the place of each of e-mail, TOTP secret and name that is one.
   False: no key opens it; call->why. */
bool gh_fernet_import(struct gh_identity_call *call, struct gh_user_import *user);

#endif
