#include "identity/new_account.h"

#include "identity/address.h"
#include "identity/metadata.h"
#include "json/writer.h"

#define METADATA_BYTES_MAX (2 * 64 * 65 + 256) /* two texts of all roles there can be */
#define SIGNUP_BYTES_MAX   2048                /* an address, each byte escaped */

bool gh_new_account_prepare(struct gh_identity_call *call, const struct gh_new_account *from,
                            struct gh_account *out_account)
{
    const struct gh_vault *vault = call->identity->vault;
    struct gh_account account = {
        .id = gh_identity_new_id(call),
        .password_hash = from->password_hash,
        .status = GH_ACCOUNT_ACTIVE,
        .created_us = call->now_us,
        .email_verified_us = from->email_verified ? call->now_us : 0,
        .password_changed_us = from->password_hash.len ? call->now_us : 0,
        .totp_enabled = from->totp_secret.len > 0,
        .locale = GH_STR(""),
    };
    struct gh_str id = gh_id_str(&account.id);
    gh_address_index(call, from->email, account.email_index);
    account.email = gh_vault_seal(vault, call->arena, "accounts.email", id, from->email);
    account.name = gh_vault_seal(vault, call->arena, "accounts.name", id, from->name);
    account.totp_secret =
        gh_vault_seal(vault, call->arena, "accounts.totp_secret", id, from->totp_secret);
    account.roles = gh_roles_text(call->arena, &call->settings->role_names, from->roles);
    if (!account.email.ptr || !account.name.ptr || !account.totp_secret.ptr || !account.roles.ptr)
        return false;
    *out_account = account;
    return true;
}

static enum gh_err audit_signup(struct gh_tx *tx, struct gh_identity_call *call,
                                const struct gh_new_account *from, struct gh_str id)
{
    char memory[SIGNUP_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("email"), from->email);
    gh_buf_put_char(&buf, '}');
    if (buf.overflow)
        return GH_ERR_FULL;
    return gh_identity_audit(tx, call, GH_AUDIT_SIGNUP, GH_AUDIT_SUCCESS, id, gh_buf_str(&buf));
}

static enum gh_err audit_roles(struct gh_tx *tx, struct gh_identity_call *call,
                               const struct gh_new_account *from, const struct gh_account *account)
{
    char memory[METADATA_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    struct gh_str by = from->changed_by ? gh_str_from_c(from->changed_by) : gh_metadata_actor(call);
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("old_role"), GH_STR(""));
    gh_json_put_member(&buf, GH_STR("new_role"), account->roles);
    gh_json_put_member(&buf, GH_STR("changed_by"), by);
    gh_buf_put_char(&buf, '}');
    if (buf.overflow)
        return GH_ERR_FULL;
    return gh_identity_audit(tx, call, GH_AUDIT_ROLE_CHANGED, GH_AUDIT_SUCCESS,
                             gh_id_str(&account->id), gh_buf_str(&buf));
}

enum gh_err gh_new_account_insert(struct gh_tx *tx, struct gh_identity_call *call,
                                  const struct gh_new_account *from,
                                  const struct gh_account *account)
{
    enum gh_err err = tx->ops->account_insert(tx, account);
    if (err == GH_OK)
        err = audit_signup(tx, call, from, gh_id_str(&account->id));
    if (err == GH_OK && (from->roles & ~call->settings->default_roles))
        err = audit_roles(tx, call, from, account);
    return err;
}
