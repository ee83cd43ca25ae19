#include "identity/claim.h"

/* Longer than an unconfirmed account lives that a sign-up has made. */
#define CONTEST_LIFE_US (14ull * 24 * 60 * 60 * 1000000)

/* Neither hashes nor names hold control characters. */
#define SEPARATOR '\n'

struct gh_str gh_claim_text(struct gh_arena *arena, struct gh_str password_hash, struct gh_str name)
{
    return gh_arena_format(arena, "%.*s%c%.*s", GH_STR_ARG(password_hash), SEPARATOR,
                           GH_STR_ARG(name));
}

/* The mark is a ticket that no token leads to: it goes with the other links when one is used. */
static void mark_hash(const struct gh_identity_call *call, const struct gh_account *account,
                      uint8_t out[GH_SHA256_BYTES])
{
    gh_vault_index(call->identity->vault, "contest", gh_id_str(&account->id), out);
}

enum gh_err gh_claim_contest(struct gh_tx *tx, const struct gh_identity_call *call,
                             const struct gh_account *there)
{
    struct gh_ticket mark = {
        .purpose = GH_TICKET_CONFIRM_EMAIL,
        .account = there->id,
        .data = GH_STR(""),
        .created_us = call->now_us,
        .expires_us = call->now_us + CONTEST_LIFE_US,
    };
    mark_hash(call, there, mark.hash);
    enum gh_err err = tx->ops->ticket_delete(tx, mark.hash);
    return err == GH_OK || err == GH_ERR_NOT_FOUND ? tx->ops->ticket_insert(tx, &mark) : err;
}

static bool is_of_a_sign_up(const struct gh_identity_call *call, const struct gh_account *account)
{
    const struct gh_identity_settings *settings = call->settings;
    struct gh_str roles =
        gh_roles_text(call->arena, &settings->role_names, settings->default_roles);
    return !account->email_verified_us && !account->last_login_us && !account->totp_enabled &&
           !account->totp_secret.len && gh_str_eq(account->roles, roles);
}

static enum gh_err adopt(const struct gh_identity_call *call, struct gh_str data,
                         struct gh_account *account)
{
    struct gh_str name = data, hash = gh_str_split(&name, SEPARATOR);
    if (!name.ptr)
        return GH_ERR_INVALID;
    account->password_hash = hash;
    account->password_changed_us = call->now_us;
    account->name = gh_vault_seal(call->identity->vault, call->arena, "accounts.name",
                                  gh_id_str(&account->id), name);
    return account->name.ptr ? GH_OK : GH_ERR_MEMORY;
}

enum gh_err gh_claim_settle(struct gh_tx *tx, const struct gh_identity_call *call,
                            struct gh_str data, struct gh_account *account)
{
    uint8_t hash[GH_SHA256_BYTES];
    struct gh_ticket mark;
    if (!is_of_a_sign_up(call, account))
        return GH_OK;
    if (data.len)
        return adopt(call, data, account);
    mark_hash(call, account, hash);
    enum gh_err err = tx->ops->ticket_get(tx, hash, &mark);
    if (err == GH_OK) { /* nobody knows whose the password is: its owner sets one by a reset */
        account->password_hash = GH_STR("");
        account->password_changed_us = call->now_us;
    }
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}
