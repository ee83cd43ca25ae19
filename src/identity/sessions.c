/*
 * Sessions as their owners see them, and the rule of refresh tokens: the current one rotates, one
 * whose successor is young gets that successor again, any older one ends the family.
 */
#include "identity/sessions.h"

#include "identity/outbox.h"
#include "identity/refresh_token.h"

#define ROTATIONS_KEPT 8 /* in struct gh_session_row */

/* ---- Refresh ---- */

struct refresh {
    struct gh_identity_call *call;
    struct gh_refresh_token token;
    uint8_t hash[GH_SHA256_BYTES]; /* of its text */
    uint8_t secret[GH_KEY_BYTES];  /* of the family */
    struct gh_session_row row;
    struct gh_account account;
    struct gh_session_grant grant;
    struct gh_revoked revoked;
    enum gh_identity_result result;
};

/* The family and its secret; GH_ERR_NOT_FOUND: unknown, or the token was not made by us. */
static enum gh_err find_family(struct gh_tx *tx, struct refresh *refresh)
{
    const struct gh_identity_call *call = refresh->call;
    struct gh_str family = gh_id_str(&refresh->token.family);
    enum gh_err err = tx->ops->session_by_family(tx, family, &refresh->row);
    if (err != GH_OK)
        return err;
    struct gh_str secret = gh_vault_open_field(call->identity->vault, call->arena,
                                               "sessions.secret", family, refresh->row.secret);
    if (!secret.ptr || secret.len != GH_KEY_BYTES)
        return GH_ERR_NOT_FOUND;
    memcpy(refresh->secret, secret.ptr, GH_KEY_BYTES);
    gh_wipe((char *)secret.ptr, secret.len);
    return gh_refresh_token_is_of(&refresh->token, refresh->secret) ? GH_OK : GH_ERR_NOT_FOUND;
}

/* Did the successor of the token come less than the grace ago? (A clock that was set back by less
   than that does no harm.) */
static bool is_in_grace(const struct refresh *refresh)
{
    const struct gh_session_row *row = &refresh->row;
    uint64_t now_us = refresh->call->now_us, counter = refresh->token.counter;
    if (row->counter - counter > ROTATIONS_KEPT)
        return false;
    uint64_t came_us = row->rotations_us[(counter + 1) % ROTATIONS_KEPT];
    uint64_t age_us = now_us > came_us ? now_us - came_us : came_us - now_us;
    return age_us < refresh->call->settings->tokens.refresh_grace_ms * 1000;
}

static enum gh_err answer(struct refresh *refresh)
{
    struct gh_identity_call *call = refresh->call;
    enum gh_err err = gh_session_grant_of(call, &refresh->account, &refresh->row, &refresh->grant);
    if (err != GH_OK)
        return err;
    refresh->grant.refresh_token = gh_refresh_token_make(call->arena, &refresh->row.family,
                                                         refresh->secret, refresh->row.counter);
    if (!refresh->grant.refresh_token.ptr)
        return GH_ERR_MEMORY;
    refresh->result = GH_IDENTITY_OK;
    return GH_OK;
}

static enum gh_err rotate(struct gh_tx *tx, struct refresh *refresh)
{
    struct gh_identity_call *call = refresh->call;
    struct gh_session_row *row = &refresh->row;
    row->counter++;
    row->rotations_us[row->counter % ROTATIONS_KEPT] = row->last_used_us = call->now_us;
    row->ip = gh_vault_seal(call->identity->vault, call->arena, "sessions.ip",
                            gh_id_str(&row->family), call->client);
    enum gh_err err = row->ip.ptr ? answer(refresh) : GH_ERR_MEMORY;
    if (err != GH_OK)
        return err;
    gh_sha256(refresh->grant.refresh_token, row->token_hash);
    return tx->ops->session_update(tx, row);
}

/* Somebody has a token that was used up: the thief or the owner, and nobody can tell which. */
static enum gh_err end_reused(struct gh_tx *tx, struct refresh *refresh)
{
    struct gh_identity_call *call = refresh->call;
    struct gh_account_view view;
    struct gh_str account = gh_id_str(&refresh->account.id);
    if (!gh_account_view_of(call, &refresh->account, &view))
        return GH_ERR_INVALID;
    enum gh_err err = gh_session_revoke(tx, call, &refresh->row, &refresh->revoked);
    if (err == GH_OK)
        err = gh_identity_audit_session(tx, call, GH_AUDIT_SESSION_REVOKED, GH_AUDIT_FAILURE,
                                        account, gh_id_str(&refresh->row.session_id),
                                        GH_STR("{\"reason\":\"refresh_reuse\",\"count\":1}"));
    if (err == GH_OK)
        err = gh_outbox_put(tx, call, GH_MAIL_SESSION_REUSED, account, view.email, GH_STR(""));
    refresh->result = GH_IDENTITY_SESSION_REUSED;
    return err;
}

static bool has_ended(const struct refresh *refresh)
{
    const struct gh_identity_call *call = refresh->call;
    return refresh->row.revoked_us || refresh->account.status == GH_ACCOUNT_DISABLED ||
           gh_session_end_us(call->settings, &refresh->account, &refresh->row) <= call->now_us;
}

static enum gh_err refresh_unit(struct gh_tx *tx, void *args)
{
    struct refresh *refresh = args;
    refresh->result = GH_IDENTITY_SESSION_ENDED;
    refresh->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = find_family(tx, refresh);
    if (err == GH_OK)
        err = tx->ops->account_by_id(tx, gh_id_str(&refresh->row.account), &refresh->account);
    if (err != GH_OK)
        return err == GH_ERR_NOT_FOUND ? GH_OK : err;
    uint64_t counter = refresh->token.counter, current = refresh->row.counter;
    if (has_ended(refresh) || counter > current)
        return GH_OK;
    if (counter == current)
        return memcmp(refresh->hash, refresh->row.token_hash, sizeof(refresh->hash)) == 0
                   ? rotate(tx, refresh)
                   : GH_OK;
    return is_in_grace(refresh) ? answer(refresh) : end_reused(tx, refresh);
}

enum gh_identity_result gh_session_refresh(struct gh_identity_call *call,
                                           struct gh_str refresh_token,
                                           struct gh_session_grant *out_grant)
{
    struct refresh refresh = {.call = call};
    if (!gh_refresh_token_parse(refresh_token, &refresh.token))
        return GH_IDENTITY_SESSION_ENDED;
    if (!gh_identity_take_quota(call, "refresh", gh_id_str(&refresh.token.family)))
        return GH_IDENTITY_THROTTLED;
    gh_sha256(refresh_token, refresh.hash);
    enum gh_identity_result result = gh_identity_run(call, refresh_unit, &refresh);
    gh_wipe(refresh.secret, sizeof(refresh.secret));
    if (result != GH_IDENTITY_OK)
        return result;
    gh_sessions_revoked(call, &refresh.revoked);
    if (refresh.result == GH_IDENTITY_OK)
        *out_grant = refresh.grant;
    return refresh.result;
}

/* ---- Logout ---- */

struct ending {
    struct gh_identity_call *call;
    struct gh_id family; /* of gh_session_end */
    struct refresh refresh;
    bool has_refresh;
    uint64_t count;
    struct gh_revoked revoked;
    enum gh_identity_result result;
};

static enum gh_err log_out(struct gh_tx *tx, struct ending *ending, struct gh_session_row *row)
{
    if (row->revoked_us)
        return GH_OK;
    enum gh_err err = gh_session_revoke(tx, ending->call, row, &ending->revoked);
    if (err == GH_OK)
        err = gh_identity_audit_session(tx, ending->call, GH_AUDIT_LOGOUT, GH_AUDIT_SUCCESS,
                                        gh_id_str(&row->account), gh_id_str(&row->session_id),
                                        GH_STR(""));
    return err;
}

static enum gh_err logout_unit(struct gh_tx *tx, void *args)
{
    struct ending *ending = args;
    const struct gh_subject *subject = ending->call->subject;
    struct gh_session_row row;
    ending->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = GH_OK;
    if (subject && subject->session_id.len) {
        err = tx->ops->session_by_id(tx, subject->session_id, &row);
        if (err == GH_OK)
            err = log_out(tx, ending, &row);
        if (err != GH_OK && err != GH_ERR_NOT_FOUND)
            return err;
        err = GH_OK;
    }
    if (ending->has_refresh) { /* read after the above: mostly the same session */
        err = find_family(tx, &ending->refresh);
        if (err == GH_OK)
            err = log_out(tx, ending, &ending->refresh.row);
    }
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

enum gh_identity_result gh_logout(struct gh_identity_call *call, struct gh_str refresh_token)
{
    struct ending ending = {.call = call, .refresh = {.call = call}};
    ending.has_refresh =
        refresh_token.ptr && gh_refresh_token_parse(refresh_token, &ending.refresh.token);
    if (!ending.has_refresh && !call->subject)
        return GH_IDENTITY_OK;
    enum gh_identity_result result = gh_identity_run(call, logout_unit, &ending);
    gh_wipe(ending.refresh.secret, sizeof(ending.refresh.secret));
    if (result == GH_IDENTITY_OK)
        gh_sessions_revoked(call, &ending.revoked);
    return result;
}

/* ---- One's sessions ---- */

struct listing {
    struct gh_identity_call *call;
    struct gh_account account;
    struct gh_session_row *rows;
    size_t count;
};

static enum gh_err list_unit(struct gh_tx *tx, void *args)
{
    struct listing *listing = args;
    struct gh_str id = listing->call->subject->id;
    enum gh_err err = tx->ops->account_by_id(tx, id, &listing->account);
    if (err == GH_OK)
        err = tx->ops->sessions_of(tx, id, &listing->rows, &listing->count);
    return err;
}

static bool show(const struct listing *listing, const struct gh_session_row *row,
                 struct gh_session_view *out_view)
{
    const struct gh_identity_call *call = listing->call;
    const struct gh_vault *vault = call->identity->vault;
    struct gh_str family = gh_id_str(&row->family);
    struct gh_session_view view = {
        .id = row->family,
        .device = gh_vault_open_field(vault, call->arena, "sessions.device", family, row->device),
        .ip = gh_vault_open_field(vault, call->arena, "sessions.ip", family, row->ip),
        .created_us = row->created_us,
        .last_used_us = row->last_used_us,
        .expires_us = gh_session_end_us(call->settings, &listing->account, row),
        .current = gh_str_eq(gh_id_str(&row->session_id), call->subject->session_id),
        .two_factor = row->two_factor,
        .remember = row->remember,
    };
    if (!view.device.ptr || !view.ip.ptr)
        return false;
    *out_view = view;
    return true;
}

enum gh_identity_result gh_sessions_list(struct gh_identity_call *call,
                                         struct gh_session_view **out_sessions, size_t *out_count)
{
    struct listing listing = {.call = call};
    enum gh_identity_result result = gh_identity_read(call, list_unit, &listing);
    if (result != GH_IDENTITY_OK)
        return result;
    size_t count = 0;
    struct gh_session_view *views =
        gh_arena_zalloc(call->arena, listing.count ? listing.count : 1, sizeof(*views));
    if (!views)
        return GH_IDENTITY_UNAVAILABLE;
    for (size_t i = 0; i < listing.count; i++) {
        const struct gh_session_row *row = &listing.rows[i];
        if (gh_session_end_us(call->settings, &listing.account, row) <= call->now_us)
            continue;
        if (!show(&listing, row, &views[count++]))
            return GH_IDENTITY_UNAVAILABLE;
    }
    *out_sessions = views;
    *out_count = count;
    return GH_IDENTITY_OK;
}

static enum gh_err end_unit(struct gh_tx *tx, void *args)
{
    struct ending *ending = args;
    struct gh_identity_call *call = ending->call;
    struct gh_session_row row;
    ending->result = GH_IDENTITY_NOT_FOUND;
    ending->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = tx->ops->session_by_family(tx, gh_id_str(&ending->family), &row);
    if (err == GH_ERR_NOT_FOUND ||
        (err == GH_OK &&
         (row.revoked_us || !gh_str_eq(gh_id_str(&row.account), call->subject->id))))
        return GH_OK;
    ending->result = GH_IDENTITY_OK;
    if (err == GH_OK)
        err = gh_session_revoke(tx, call, &row, &ending->revoked);
    if (err == GH_OK)
        err = gh_identity_audit(tx, call, GH_AUDIT_SESSION_REVOKED, GH_AUDIT_SUCCESS,
                                call->subject->id, GH_STR("{\"reason\":\"owner\",\"count\":1}"));
    return err;
}

enum gh_identity_result gh_session_end(struct gh_identity_call *call, struct gh_str family)
{
    struct ending ending = {.call = call};
    if (!gh_id_parse(family, &ending.family))
        return GH_IDENTITY_NOT_FOUND;
    enum gh_identity_result result = gh_identity_run(call, end_unit, &ending);
    if (result == GH_IDENTITY_OK)
        result = ending.result;
    if (result == GH_IDENTITY_OK)
        gh_sessions_revoked(call, &ending.revoked);
    return result;
}

static enum gh_err end_others_unit(struct gh_tx *tx, void *args)
{
    struct ending *ending = args;
    const struct gh_subject *subject = ending->call->subject;
    struct gh_session_row *rows;
    size_t count;
    ending->count = 0;
    ending->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = tx->ops->sessions_of(tx, subject->id, &rows, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++)
        ending->count += !gh_str_eq(gh_id_str(&rows[i].session_id), subject->session_id);
    if (err == GH_OK)
        err = gh_sessions_revoke(tx, ending->call, subject->id, subject->session_id, "owner",
                                 &ending->revoked);
    return err;
}

enum gh_identity_result gh_sessions_end_others(struct gh_identity_call *call, uint64_t *out_count)
{
    struct ending ending = {.call = call};
    enum gh_identity_result result = gh_identity_run(call, end_others_unit, &ending);
    if (result != GH_IDENTITY_OK)
        return result;
    gh_sessions_revoked(call, &ending.revoked);
    *out_count = ending.count;
    return GH_IDENTITY_OK;
}
