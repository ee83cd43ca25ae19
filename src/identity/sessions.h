/*
 * Sessions: opened at sign-in, kept alive by refresh tokens that rotate, ended by their owner, by
 * admins, by time, or when a refresh token is used twice.
 *
 * A refresh token is base64url of family id (16 bytes), counter (8 bytes, big-endian) and
 * HMAC-SHA256 of the counter under the family's secret (32 bytes). The successor is computed, not
 * drawn: all calls inside the grace get the same one.
 */
#ifndef GH_IDENTITY_SESSIONS_H
#define GH_IDENTITY_SESSIONS_H

#include "identity/identity.h"

/* SESSION_ENDED, SESSION_REUSED (the family is revoked, audited once, and mailed). */
enum gh_identity_result gh_session_refresh(struct gh_identity_call *call,
                                           struct gh_str refresh_token,
                                           struct gh_session_grant *out_grant);
/* Ends the session of the access token (call->subject) or of the refresh token; OK also when there
   was none. */
enum gh_identity_result gh_logout(struct gh_identity_call *call, struct gh_str refresh_token);

struct gh_session_view {
    struct gh_id id; /* the family's: stays over refreshes */
    struct gh_str device, ip;
    uint64_t created_us, last_used_us, expires_us;
    bool current, two_factor, remember;
};
enum gh_identity_result gh_sessions_list(struct gh_identity_call *call,
                                         struct gh_session_view **out_sessions, size_t *out_count);
/* One of one's own; NOT_FOUND. */
enum gh_identity_result gh_session_end(struct gh_identity_call *call, struct gh_str family);
enum gh_identity_result gh_sessions_end_others(struct gh_identity_call *call, uint64_t *out_count);

/* ---- For the files of identity: inside units. Revocations reach the table of this process when
   the unit has committed: keep the list and call gh_sessions_revoked then. ---- */

/* An account has at most so many sessions: one more ends the oldest. */
#define GH_SESSIONS_MAX 100

/* Each of them twice: ended, or given another id before. */
#define GH_REVOKED_MAX (2 * GH_SESSIONS_MAX)
struct gh_revoked {
    struct gh_id session_ids[GH_REVOKED_MAX];
    size_t count;
};

struct gh_session_open {
    const struct gh_account *account;
    bool two_factor, remember;
};
/* A new session: row, first refresh token, access token in *out_grant. */
enum gh_err gh_session_open(struct gh_tx *tx, struct gh_identity_call *call,
                            const struct gh_session_open *open, struct gh_revoked *revoked,
                            struct gh_session_grant *out_grant);
/* The session of call->subject, looked at again by a unit that acts on what an earlier one has
   confirmed. GH_ERR_NOT_FOUND: it has ended, or the account is disabled. */
enum gh_err gh_session_own(struct gh_tx *tx, const struct gh_identity_call *call,
                           const struct gh_account *account, struct gh_session_row *out_row);
/*
 * The session of call->subject, confirmed again just now (`by_code`: by the second factor): a new
 * id, an access token in *out_grant, no new refresh token. GH_ERR_NOT_FOUND: it has ended.
 */
enum gh_err gh_session_confirm(struct gh_tx *tx, struct gh_identity_call *call,
                               const struct gh_account *account, bool by_code,
                               struct gh_revoked *revoked, struct gh_session_grant *out_grant);
/* Was call->subject asked for a password or code within settings->sessions.fresh_ms? */
bool gh_session_is_fresh(const struct gh_identity_call *call);
/* All sessions of an account but `except` (a session id; empty: none of them spared). */
enum gh_err gh_sessions_revoke(struct gh_tx *tx, const struct gh_identity_call *call,
                               struct gh_str account, struct gh_str except, const char *reason,
                               struct gh_revoked *revoked);
/* Gives every session of an account a new id: access tokens die, refresh goes on with the roles
   and assurance of now. */
enum gh_err gh_sessions_renew(struct gh_tx *tx, const struct gh_identity_call *call,
                              struct gh_str account, struct gh_revoked *revoked);
/* One session, and its access tokens with it. */
enum gh_err gh_session_revoke(struct gh_tx *tx, const struct gh_identity_call *call,
                              struct gh_session_row *session, struct gh_revoked *revoked);
/* Until when a session lasts if it is not used again, under the bounds of now: idle, absolute, and
   those of admins. */
uint64_t gh_session_end_us(const struct gh_identity_settings *settings,
                           const struct gh_account *account, const struct gh_session_row *session);
/* What comes back of a session that is good: account and access token; no refresh token yet.
   GH_ERR_MEMORY; GH_ERR_INVALID: the account's fields can't be opened. */
enum gh_err gh_session_grant_of(struct gh_identity_call *call, const struct gh_account *account,
                                const struct gh_session_row *session,
                                struct gh_session_grant *out_grant);
/* After the commit. */
void gh_sessions_revoked(const struct gh_identity_call *call, const struct gh_revoked *revoked);

#endif
