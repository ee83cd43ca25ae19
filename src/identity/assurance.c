#include "identity/assurance.h"

#include "identity/passwords.h"
#include "identity/throttle.h"
#include "json/writer.h"

#define METADATA_BYTES_MAX 2048 /* an address, each byte escaped */

struct asking {
    struct gh_identity_call *call;
    const struct gh_assurance *assurance;
    struct gh_account account;
    struct gh_account_view view;
    struct gh_throttle_keys keys;
    uint64_t changed_us; /* of the password that was verified */
    bool right_password;
    enum gh_identity_result result;
};

struct gh_str gh_login_failed_metadata(const struct gh_identity_call *call, struct gh_str email,
                                       const char *reason)
{
    char memory[METADATA_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("email"), email);
    gh_json_put_member(&buf, GH_STR("reason"), gh_str_from_c(reason));
    gh_buf_put_char(&buf, '}');
    return buf.overflow ? (struct gh_str){NULL, 0} : gh_arena_dup(call->arena, gh_buf_str(&buf));
}

/* GH_OK with result SESSION_ENDED when there is nobody to ask. */
static enum gh_err find_account(struct gh_tx *tx, struct asking *asking)
{
    asking->result = GH_IDENTITY_OK;
    enum gh_err err = tx->ops->account_by_id(tx, asking->call->subject->id, &asking->account);
    if (err == GH_ERR_NOT_FOUND ||
        (err == GH_OK && asking->account.status == GH_ACCOUNT_DISABLED)) {
        asking->result = GH_IDENTITY_SESSION_ENDED;
        return GH_OK;
    }
    return err;
}

static enum gh_err look(struct gh_tx *tx, void *args)
{
    struct asking *asking = args;
    struct gh_identity_call *call = asking->call;
    enum gh_err err = find_account(tx, asking);
    if (err != GH_OK || asking->result != GH_IDENTITY_OK)
        return err;
    if (!gh_account_view_of(call, &asking->account, &asking->view))
        return GH_ERR_INVALID;
    asking->changed_us = asking->account.password_changed_us;
    struct gh_str email = asking->view.email;
    bool known = gh_device_cookie_is_of(call, call->device, email, asking->changed_us);
    gh_throttle_keys(call, email, known, &asking->keys);
    if (!gh_throttle_admits(tx, call, &asking->keys))
        asking->result = GH_IDENTITY_THROTTLED;
    return GH_OK;
}

static enum gh_err refuse(struct gh_tx *tx, struct asking *asking, enum gh_audit_event event,
                          const char *reason, enum gh_identity_result result)
{
    struct gh_identity_call *call = asking->call;
    struct gh_str metadata = event == GH_AUDIT_LOGIN_FAILED
                                 ? gh_login_failed_metadata(call, asking->view.email, reason)
                                 : gh_arena_format(call->arena, "{\"reason\":\"%s\"}", reason);
    if (!metadata.ptr)
        return GH_ERR_MEMORY;
    asking->result = result;
    enum gh_err err = gh_throttle_failed(tx, call, &asking->keys);
    if (err == GH_OK)
        err = gh_identity_audit(tx, call, event, GH_AUDIT_FAILURE, call->subject->id, metadata);
    return err;
}

/* The code, where one is asked for. */
static enum gh_err take_code(struct gh_tx *tx, struct asking *asking, enum gh_factor_used *out_used)
{
    const struct gh_assurance *assurance = asking->assurance;
    bool needed = assurance->needs_code && asking->account.totp_enabled;
    if (!assurance->code.ptr) {
        if (needed) /* nothing was tried, so nothing is counted */
            asking->result = GH_IDENTITY_BAD_CODE;
        return GH_OK;
    }
    enum gh_err err =
        gh_two_factor_take(tx, asking->call, &asking->account, assurance->code, out_used);
    if (err != GH_OK || *out_used != GH_FACTOR_NONE)
        return err;
    if (assurance->password.ptr && !asking->account.totp_enabled)
        return GH_OK; /* a code beside the password of somebody who has no second factor */
    return refuse(tx, asking, assurance->code_refused, "code", GH_IDENTITY_BAD_CODE);
}

static enum gh_err decide(struct gh_tx *tx, void *args)
{
    struct asking *asking = args;
    const struct gh_assurance *assurance = asking->assurance;
    enum gh_factor_used used = GH_FACTOR_NONE;
    enum gh_err err = find_account(tx, asking);
    if (err != GH_OK || asking->result != GH_IDENTITY_OK)
        return err;
    /* Others may have guessed since it was looked up, here or on another node. */
    if (!gh_throttle_admits(tx, asking->call, &asking->keys)) {
        asking->result = GH_IDENTITY_THROTTLED;
        return GH_OK;
    }
    bool same = asking->account.password_changed_us == asking->changed_us;
    if (assurance->password.ptr && (!asking->right_password || !same))
        return refuse(tx, asking, GH_AUDIT_LOGIN_FAILED, "password", GH_IDENTITY_BAD_CREDENTIALS);
    err = take_code(tx, asking, &used);
    if (err != GH_OK || asking->result != GH_IDENTITY_OK)
        return err;
    /* A password alone forgives nothing where there is a second factor: between its guesses it
       would take their delays away. */
    if (used != GH_FACTOR_NONE || !asking->account.totp_enabled)
        err = gh_throttle_succeeded(tx, asking->call, &asking->keys);
    if (err == GH_OK && assurance->then)
        err = assurance->then(tx, asking->call, &asking->account, used, assurance->context);
    return err;
}

/* False: there was no memory to hash in. Nobody failed then. */
static bool verify(struct asking *asking)
{
    bool upgrade;
    const struct gh_account *account = &asking->account;
    enum gh_err err = gh_password_check(asking->call, account->email_index, account->password_hash,
                                        asking->assurance->password, &upgrade);
    asking->right_password = err == GH_OK;
    return err != GH_ERR_MEMORY;
}

enum gh_identity_result gh_assure(struct gh_identity_call *call,
                                  const struct gh_assurance *assurance)
{
    struct asking asking = {.call = call, .assurance = assurance};
    enum gh_identity_result result = gh_identity_read(call, look, &asking);
    if (result == GH_IDENTITY_OK)
        result = asking.result;
    if (result != GH_IDENTITY_OK)
        return result;
    if (assurance->password.ptr && !verify(&asking))
        return GH_IDENTITY_UNAVAILABLE;
    result = gh_identity_run(call, decide, &asking);
    return result == GH_IDENTITY_OK ? asking.result : result;
}
