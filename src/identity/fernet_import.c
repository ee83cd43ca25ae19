#include "identity/fernet_import.h"

#include "crypto/fernet.h"

static bool open_value(struct gh_identity_call *call, const char *why, struct gh_str *value)
{
    if (!gh_fernet_looks_like(*value))
        return true;
    struct gh_str plain = gh_vault_open_fernet(call->identity->vault, call->arena, *value);
    if (!plain.ptr) {
        call->why = why;
        return false;
    }
    *value = plain;
    return true;
}

bool gh_fernet_import(struct gh_identity_call *call, struct gh_user_import *user)
{
    return open_value(call, "email: a Fernet token that no key of secrets.fernet opens",
                      &user->email) &&
           open_value(call, "totp_secret: a Fernet token that no key of secrets.fernet opens",
                      &user->totp_secret) &&
           open_value(call, "name: a Fernet token that no key of secrets.fernet opens",
                      &user->name);
}
