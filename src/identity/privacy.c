/*
 * Erasure. It spans a call to somebody else, so it is two units: that it begins is committed before
 * the backend is asked, and only when the backend is done the account goes. What stops in between
 * leaves the account there, and its owner can go on.
 */
#include "identity/privacy.h"

#include "identity/account.h"
#include "identity/admin.h"
#include "identity/hook.h"
#include "identity/outbox.h"
#include "identity/sessions.h"
#include "identity/throttle.h"

struct erasure {
    struct gh_identity_call *call;
    struct gh_account account;
    struct gh_revoked revoked;
    enum gh_identity_result result;
};

static enum gh_err audit(struct gh_tx *tx, const struct erasure *erasure,
                         enum gh_audit_outcome outcome, struct gh_str metadata)
{
    return gh_identity_audit(tx, erasure->call, GH_AUDIT_DATA_DELETION, outcome,
                             erasure->call->subject->id, metadata);
}

/* Loads the account; the result says whether it may go. */
static enum gh_err judge(struct gh_tx *tx, struct erasure *erasure)
{
    struct gh_identity_call *call = erasure->call;
    bool last = true;
    erasure->result = GH_IDENTITY_OK;
    enum gh_err err = tx->ops->account_by_id(tx, call->subject->id, &erasure->account);
    if (err == GH_ERR_NOT_FOUND) {
        erasure->result = GH_IDENTITY_NOT_FOUND;
        return GH_OK;
    }
    if (err == GH_OK)
        err = gh_admin_is_last(tx, call, &erasure->account, &last);
    if (err == GH_OK && last) {
        call->why = gh_admin_last_text;
        erasure->result = GH_IDENTITY_CONFLICT;
    }
    return err;
}

/* Looks again whether the session that was confirmed is one still; later the backend has begun to
   erase, and it goes on. */
static enum gh_err begin(struct gh_tx *tx, void *args)
{
    struct erasure *erasure = args;
    struct gh_session_row own;
    enum gh_err err = judge(tx, erasure);
    if (err != GH_OK || erasure->result != GH_IDENTITY_OK)
        return err;
    err = gh_session_own(tx, erasure->call, &erasure->account, &own);
    if (err == GH_ERR_NOT_FOUND)
        erasure->result = GH_IDENTITY_SESSION_ENDED;
    if (err != GH_OK)
        return err == GH_ERR_NOT_FOUND ? GH_OK : err;
    return audit(tx, erasure, GH_AUDIT_SUCCESS, GH_STR("{\"initiated\":true}"));
}

static enum gh_err note_failure(struct gh_tx *tx, void *args)
{
    return audit(tx, args, GH_AUDIT_FAILURE, GH_STR("{\"initiated\":true,\"completed\":false}"));
}

static enum gh_err remove_all(struct gh_tx *tx, struct erasure *erasure, struct gh_str email)
{
    const struct gh_identity_call *call = erasure->call;
    struct gh_str id = gh_id_str(&erasure->account.id);
    enum gh_err err =
        gh_sessions_revoke(tx, call, id, GH_STR(""), "account_deleted", &erasure->revoked);
    if (err == GH_OK)
        err = tx->ops->account_delete(tx, id);
    if (err == GH_OK)
        err = gh_throttle_forgive(tx, call, email);
    if (err == GH_OK)
        err = gh_identity_audit_gone(tx, call, GH_AUDIT_DATA_DELETION, id,
                                     GH_STR("{\"initiated\":true,\"completed\":true}"));
    /* of no account: mails of the account went with it */
    return err == GH_OK ? gh_outbox_put(tx, call, GH_MAIL_DELETED, GH_STR(""), email, GH_STR(""))
                        : err;
}

static enum gh_err finish(struct gh_tx *tx, void *args)
{
    struct erasure *erasure = args;
    struct gh_account_view view;
    erasure->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = judge(tx, erasure);
    if (err != GH_OK || erasure->result != GH_IDENTITY_OK)
        return err;
    if (!gh_account_view_of(erasure->call, &erasure->account, &view))
        return GH_ERR_INVALID;
    return remove_all(tx, erasure, view.email);
}

static enum gh_identity_result run(struct erasure *erasure, gh_store_unit *unit)
{
    enum gh_identity_result result = gh_identity_run(erasure->call, unit, erasure);
    return result == GH_IDENTITY_OK ? erasure->result : result;
}

enum gh_identity_result gh_privacy_erase(struct gh_identity_call *call, struct gh_str password,
                                         struct gh_str code)
{
    struct erasure erasure = {.call = call};
    struct gh_str url = call->settings->hooks.delete, answer;
    enum gh_identity_result result = gh_account_confirm(call, password, code);
    if (result == GH_IDENTITY_OK)
        result = run(&erasure, begin);
    if (result != GH_IDENTITY_OK)
        return result;
    if (url.len && !gh_hook_call(call, call->arena, url, call->subject->id, "delete", &answer)) {
        (void)run(&erasure, note_failure); /* the answer is the same if that can't be noted */
        return GH_IDENTITY_UNAVAILABLE;
    }
    result = run(&erasure, finish);
    if (result == GH_IDENTITY_OK) {
        gh_sessions_revoked(call, &erasure.revoked);
        gh_identity_forget(call->identity);
    }
    return result;
}
