/* Sessions inside units: opened, confirmed again, given new ids, ended. See sessions.h. */
#include "identity/sessions.h"

#include "base/assert.h"
#include "identity/refresh_token.h"
#include "session/access_token.h"

#define SECOND_US 1000000ull
/* What clocks of verifiers may be behind ours. */
#define LEEWAY_US (60 * SECOND_US)

/* ---- How long ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_admin(const struct gh_identity_settings *settings, const struct gh_account *account)
{
    return (gh_account_roles(settings, account) & settings->admin) != 0;
}

uint64_t gh_session_end_us(const struct gh_identity_settings *settings,
                           const struct gh_account *account, const struct gh_session_row *session)
{
    uint64_t idle_us = session->idle_us, end_us = session->expires_us;
    if (is_admin(settings, account)) {
        idle_us = least(idle_us, settings->sessions.admin.idle_ms * 1000);
        end_us = least(end_us, session->created_us + settings->sessions.admin.absolute_ms * 1000);
    }
    return least(end_us, session->last_used_us + idle_us);
}

/* Admins are not remembered: their bounds hold whatever was ticked. */
static void set_bounds(const struct gh_identity_settings *settings, struct gh_session_row *session)
{
    uint64_t idle_ms = settings->sessions.idle_ms, absolute_ms = settings->sessions.absolute_ms;
    if (session->remember)
        idle_ms = absolute_ms = settings->sessions.remember_ms;
    session->idle_us = idle_ms * 1000;
    session->expires_us = session->created_us + absolute_ms * 1000;
}

bool gh_session_is_fresh(const struct gh_identity_call *call)
{
    return call->subject &&
           call->now_us / SECOND_US <=
               call->subject->authenticated_s + call->settings->sessions.fresh_ms / 1000;
}

/* ---- What comes back ---- */

static bool make_access_token(struct gh_identity_call *call, const struct gh_session_row *session,
                              uint64_t end_us, struct gh_session_grant *grant)
{
    const struct gh_identity_settings *settings = call->settings;
    const struct gh_token_key_set *keys =
        settings->transport == GH_TRANSPORT_COOKIE ? &call->keys->cookie : &call->keys->ring;
    GH_ASSERT(keys->count > 0);
    uint64_t until_us = least(end_us, call->now_us + settings->tokens.access_ms * 1000);
    struct gh_access_claims claims = {
        .subject = {.id = gh_id_str(&grant->account.id),
                    .session_id = gh_id_str(&session->session_id),
                    .email = grant->account.email,
                    .roles = grant->account.roles,
                    .two_factor = grant->two_factor,
                    .must_enrol = grant->account.must_enrol,
                    .authenticated_s = grant->authenticated_s,
                    .expires_s = until_us / SECOND_US},
        .issuer = settings->public_url,
        .audience = settings->tokens.audience,
        .issued_s = call->now_us / SECOND_US,
    };
    grant->access_s = claims.subject.expires_s - claims.issued_s;
    grant->access_token =
        gh_access_token_make(call->arena, &keys->keys[0], &settings->role_names, &claims);
    return grant->access_token.ptr != NULL;
}

enum gh_err gh_session_grant_of(struct gh_identity_call *call, const struct gh_account *account,
                                const struct gh_session_row *session,
                                struct gh_session_grant *out_grant)
{
    uint64_t end_us = gh_session_end_us(call->settings, account, session);
    struct gh_session_grant grant = {
        .session_id = session->session_id,
        .refresh_s = session->remember ? (session->expires_us - call->now_us) / SECOND_US : 0,
        .authenticated_s = session->authenticated_us / SECOND_US,
        .two_factor = session->two_factor && account->totp_enabled,
    };
    if (!gh_account_view_of(call, account, &grant.account))
        return GH_ERR_INVALID;
    if (!make_access_token(call, session, end_us, &grant))
        return GH_ERR_MEMORY;
    *out_grant = grant;
    return GH_OK;
}

/* ---- Ending, and other ids ---- */

static void keep(struct gh_revoked *revoked, const struct gh_id *session_id)
{
    GH_ASSERT(revoked->count < GH_REVOKED_MAX);
    revoked->session_ids[revoked->count++] = *session_id;
}

/* Access tokens of that id are refused until the last of them has run out, under whatever setting
   it was issued: one that was lowered may be raised again. */
static uint64_t revoked_until_us(const struct gh_identity_call *call)
{
    return call->now_us + GH_ACCESS_MS_MAX * 1000 + LEEWAY_US;
}

static enum gh_err revoke_id(struct gh_tx *tx, const struct gh_identity_call *call,
                             const struct gh_id *session_id, struct gh_revoked *revoked)
{
    struct gh_revocation_row row = {
        .session_id = *session_id,
        .until_us = revoked_until_us(call),
    };
    enum gh_err err = tx->ops->revocation_insert(tx, &row);
    if (err == GH_OK)
        keep(revoked, session_id);
    return err;
}

enum gh_err gh_session_revoke(struct gh_tx *tx, const struct gh_identity_call *call,
                              struct gh_session_row *session, struct gh_revoked *revoked)
{
    session->revoked_us = call->now_us;
    enum gh_err err = tx->ops->session_update(tx, session);
    return err == GH_OK ? revoke_id(tx, call, &session->session_id, revoked) : err;
}

static enum gh_err audit_revoked(struct gh_tx *tx, const struct gh_identity_call *call,
                                 struct gh_str account, const char *reason, size_t count)
{
    struct gh_str metadata = gh_arena_format(call->arena, "{\"reason\":\"%s\",\"count\":%llu}",
                                             reason, (unsigned long long)count);
    if (!metadata.ptr)
        return GH_ERR_MEMORY;
    return gh_identity_audit(tx, call, GH_AUDIT_SESSION_REVOKED, GH_AUDIT_SUCCESS, account,
                             metadata);
}

enum gh_err gh_sessions_revoke(struct gh_tx *tx, const struct gh_identity_call *call,
                               struct gh_str account, struct gh_str except, const char *reason,
                               struct gh_revoked *revoked)
{
    struct gh_session_row *rows;
    size_t count, ended = 0;
    enum gh_err err = tx->ops->sessions_of(tx, account, &rows, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        if (except.len && gh_str_eq(gh_id_str(&rows[i].session_id), except))
            continue;
        err = gh_session_revoke(tx, call, &rows[i], revoked);
        ended++;
    }
    return err == GH_OK && ended ? audit_revoked(tx, call, account, reason, ended) : err;
}

/* The old id dies with the access tokens that name it. */
static enum gh_err change_id(struct gh_tx *tx, const struct gh_identity_call *call,
                             struct gh_session_row *session, struct gh_revoked *revoked)
{
    enum gh_err err = revoke_id(tx, call, &session->session_id, revoked);
    session->session_id = gh_identity_new_id(call);
    return err == GH_OK ? tx->ops->session_update(tx, session) : err;
}

enum gh_err gh_sessions_renew(struct gh_tx *tx, const struct gh_identity_call *call,
                              struct gh_str account, struct gh_revoked *revoked)
{
    struct gh_session_row *rows;
    size_t count;
    enum gh_err err = tx->ops->sessions_of(tx, account, &rows, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++)
        err = change_id(tx, call, &rows[i], revoked);
    return err;
}

enum gh_err gh_session_own(struct gh_tx *tx, const struct gh_identity_call *call,
                           const struct gh_account *account, struct gh_session_row *out_row)
{
    struct gh_session_row row;
    enum gh_err err = tx->ops->session_by_id(tx, call->subject->session_id, &row);
    if (err != GH_OK)
        return err;
    if (account->status == GH_ACCOUNT_DISABLED || row.revoked_us ||
        !gh_str_eq(gh_id_str(&row.account), gh_id_str(&account->id)) ||
        gh_session_end_us(call->settings, account, &row) <= call->now_us)
        return GH_ERR_NOT_FOUND;
    *out_row = row;
    return GH_OK;
}

enum gh_err gh_session_confirm(struct gh_tx *tx, struct gh_identity_call *call,
                               const struct gh_account *account, bool by_code,
                               struct gh_revoked *revoked, struct gh_session_grant *out_grant)
{
    struct gh_session_row row;
    enum gh_err err = gh_session_own(tx, call, account, &row);
    if (err != GH_OK)
        return err;
    row.authenticated_us = row.last_used_us = call->now_us;
    row.two_factor |= by_code;
    err = change_id(tx, call, &row, revoked);
    return err == GH_OK ? gh_session_grant_of(call, account, &row, out_grant) : err;
}

/* ---- Opening ---- */

static bool seal_row(struct gh_identity_call *call, const uint8_t secret[GH_KEY_BYTES],
                     struct gh_session_row *row)
{
    const struct gh_vault *vault = call->identity->vault;
    struct gh_str family = gh_id_str(&row->family);
    struct gh_str agent = gh_str_first(call->user_agent, GH_AUDIT_USER_AGENT_BYTES_MAX);
    row->secret = gh_vault_seal(vault, call->arena, "sessions.secret", family,
                                gh_str_of((const char *)secret, GH_KEY_BYTES));
    row->device = gh_vault_seal(vault, call->arena, "sessions.device", family, agent);
    row->ip = gh_vault_seal(vault, call->arena, "sessions.ip", family, call->client);
    return row->secret.ptr && row->device.ptr && row->ip.ptr;
}

/* Ends the oldest sessions of an account that has as many as it may. */
static enum gh_err make_room(struct gh_tx *tx, const struct gh_identity_call *call,
                             struct gh_str account, struct gh_revoked *revoked)
{
    struct gh_session_row *rows; /* newest first */
    size_t count, ended = 0;
    enum gh_err err = tx->ops->sessions_of(tx, account, &rows, &count);
    for (size_t i = GH_SESSIONS_MAX - 1; err == GH_OK && i < count; i++, ended++)
        err = gh_session_revoke(tx, call, &rows[i], revoked);
    return err == GH_OK && ended ? audit_revoked(tx, call, account, "too_many", ended) : err;
}

enum gh_err gh_session_open(struct gh_tx *tx, struct gh_identity_call *call,
                            const struct gh_session_open *open, struct gh_revoked *revoked,
                            struct gh_session_grant *out_grant)
{
    uint8_t secret[GH_KEY_BYTES];
    struct gh_session_grant grant;
    struct gh_session_row row = {
        .family = gh_identity_new_id(call),
        .session_id = gh_identity_new_id(call),
        .account = open->account->id,
        .rotations_us = {call->now_us},
        .created_us = call->now_us,
        .last_used_us = call->now_us,
        .authenticated_us = call->now_us,
        .two_factor = open->two_factor,
        .remember = open->remember && !is_admin(call->settings, open->account),
    };
    set_bounds(call->settings, &row);
    gh_random_fill(&call->identity->random, secret, sizeof(secret));
    bool sealed = seal_row(call, secret, &row);
    struct gh_str token = gh_refresh_token_make(call->arena, &row.family, secret, row.counter);
    gh_wipe(secret, sizeof(secret));
    if (!sealed || !token.ptr)
        return GH_ERR_MEMORY;
    gh_sha256(token, row.token_hash);
    enum gh_err err = gh_session_grant_of(call, open->account, &row, &grant);
    if (err == GH_OK)
        err = make_room(tx, call, gh_id_str(&row.account), revoked);
    if (err == GH_OK)
        err = tx->ops->session_insert(tx, &row);
    if (err != GH_OK)
        return err;
    grant.refresh_token = token;
    *out_grant = grant;
    return GH_OK;
}

/* ---- After the commit ---- */

void gh_sessions_revoked(const struct gh_identity_call *call, const struct gh_revoked *revoked)
{
    const struct gh_identity *identity = call->identity;
    uint64_t until_s = revoked_until_us(call) / SECOND_US + 1;
    for (size_t i = 0; i < revoked->count; i++)
        gh_revocations_add(identity->revocations, gh_id_str(&revoked->session_ids[i]), until_s,
                           call->now_us / SECOND_US);
    if (identity->revoked && revoked->count)
        identity->revoked(identity->revoked_context, revoked->session_ids, revoked->count, until_s);
}
