/* The SQLite adapter: accounts and sessions. */
#include "store/sqlite_ops.h"

#include <endian.h>

#define ROTATIONS (sizeof(((struct gh_session_row *)0)->rotations_us) / sizeof(uint64_t))

/* ---- Accounts ---- */

static void put_account(struct gh_sqlite_call *call, const struct gh_account *account)
{
    gh_sqlite_put_id(call, &account->id);
    gh_sqlite_put_bytes(call, account->email_index, sizeof(account->email_index));
    gh_sqlite_put_sealed(call, account->email);
    gh_sqlite_put_u64(call, account->email_verified_us);
    gh_sqlite_put_text(call, account->password_hash);
    gh_sqlite_put_u64(call, account->password_changed_us);
    gh_sqlite_put_sealed(call, account->name);
    gh_sqlite_put_text(call, account->locale);
    gh_sqlite_put_text(call, account->roles);
    gh_sqlite_put_u64(call, account->status);
    gh_sqlite_put_u64(call, account->created_us);
    gh_sqlite_put_u64(call, account->last_login_us);
    gh_sqlite_put_sealed(call, account->totp_secret);
    gh_sqlite_put_u64(call, account->totp_enabled);
    gh_sqlite_put_u64(call, account->totp_last_step);
}

static void take_account(struct gh_sqlite_call *call, void *out_row)
{
    struct gh_account *account = out_row;
    account->id = gh_sqlite_take_id(call);
    gh_sqlite_take_bytes(call, account->email_index, sizeof(account->email_index));
    account->email = gh_sqlite_take_text(call);
    account->email_verified_us = gh_sqlite_take_u64(call);
    account->password_hash = gh_sqlite_take_text(call);
    account->password_changed_us = gh_sqlite_take_u64(call);
    account->name = gh_sqlite_take_text(call);
    account->locale = gh_sqlite_take_text(call);
    account->roles = gh_sqlite_take_text(call);
    account->status = (enum gh_account_status)gh_sqlite_take_number(call, GH_ACCOUNT_DISABLED);
    account->created_us = gh_sqlite_take_u64(call);
    account->last_login_us = gh_sqlite_take_u64(call);
    account->totp_secret = gh_sqlite_take_text(call);
    account->totp_enabled = gh_sqlite_take_number(call, 1);
    account->totp_last_step = gh_sqlite_take_u64(call);
}

static enum gh_err one_account(struct gh_sqlite_call *call, struct gh_account *out)
{
    struct gh_account account;
    bool found = gh_sqlite_next(call);
    if (found)
        take_account(call, &account);
    enum gh_err err = gh_sqlite_end_one(call, found);
    if (err == GH_OK)
        *out = account;
    return err;
}

enum gh_err gh_sqlite_account_insert(struct gh_tx *tx, const struct gh_account *account)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_ACCOUNT_INSERT);
    put_account(&call, account);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_account_by_id(struct gh_tx *tx, struct gh_str id, struct gh_account *out)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_ACCOUNT_BY_ID);
    gh_sqlite_put_text(&call, id);
    return one_account(&call, out);
}

enum gh_err gh_sqlite_account_by_email(struct gh_tx *tx, const uint8_t index[GH_SHA256_BYTES],
                                       struct gh_account *out)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_ACCOUNT_BY_EMAIL);
    gh_sqlite_put_bytes(&call, index, GH_SHA256_BYTES);
    return one_account(&call, out);
}

enum gh_err gh_sqlite_account_update(struct gh_tx *tx, const struct gh_account *account)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_ACCOUNT_UPDATE);
    put_account(&call, account);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_account_delete(struct gh_tx *tx, struct gh_str id)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_ACCOUNT_DELETE);
    gh_sqlite_put_text(&call, id);
    enum gh_err err = gh_sqlite_change_one(&call);
    if (err != GH_OK)
        return err;
    err = gh_sqlite_person_key_delete(tx, id);
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

enum gh_err gh_sqlite_account_page(struct gh_tx *tx, const struct gh_account_query *query,
                                   struct gh_account **out_rows, size_t *out_count)
{
    struct gh_sqlite_call call = gh_sqlite_begin(
        tx, query->by_email ? GH_SQLITE_ACCOUNT_PAGE_BY_EMAIL : GH_SQLITE_ACCOUNT_PAGE);
    gh_sqlite_put_id(&call, &query->after);
    gh_sqlite_put_text(&call, query->role);
    gh_sqlite_put_limit(&call, query->limit);
    if (query->by_email)
        gh_sqlite_put_bytes(&call, query->email_index, sizeof(query->email_index));
    void *rows;
    enum gh_err err = gh_sqlite_take_all(&call, take_account, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

enum gh_err gh_sqlite_account_count(struct gh_tx *tx, struct gh_str role, uint64_t *out_count)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_ACCOUNT_COUNT);
    gh_sqlite_put_u64(&call, GH_ACCOUNT_ACTIVE);
    gh_sqlite_put_text(&call, role);
    return gh_sqlite_count(&call, out_count);
}

/* ---- Sessions ---- */

/* `rotations` is the caller's, because bound bytes must outlive the call. */
static void put_session(struct gh_sqlite_call *call, const struct gh_session_row *session,
                        uint64_t rotations[ROTATIONS])
{
    for (size_t i = 0; i < ROTATIONS; i++)
        rotations[i] = htobe64(session->rotations_us[i]);
    gh_sqlite_put_id(call, &session->family);
    gh_sqlite_put_id(call, &session->session_id);
    gh_sqlite_put_id(call, &session->account);
    gh_sqlite_put_sealed(call, session->secret);
    gh_sqlite_put_u64(call, session->counter);
    gh_sqlite_put_bytes(call, session->token_hash, sizeof(session->token_hash));
    gh_sqlite_put_bytes(call, rotations, ROTATIONS * sizeof(rotations[0]));
    gh_sqlite_put_u64(call, session->created_us);
    gh_sqlite_put_u64(call, session->last_used_us);
    gh_sqlite_put_u64(call, session->expires_us);
    gh_sqlite_put_u64(call, session->authenticated_us);
    gh_sqlite_put_u64(call, session->idle_us);
    gh_sqlite_put_u64(call, session->two_factor);
    gh_sqlite_put_u64(call, session->remember);
    gh_sqlite_put_u64(call, session->revoked_us);
    gh_sqlite_put_sealed(call, session->device);
    gh_sqlite_put_sealed(call, session->ip);
}

static void take_session(struct gh_sqlite_call *call, void *out_row)
{
    struct gh_session_row *session = out_row;
    session->family = gh_sqlite_take_id(call);
    session->session_id = gh_sqlite_take_id(call);
    session->account = gh_sqlite_take_id(call);
    session->secret = gh_sqlite_take_text(call);
    session->counter = gh_sqlite_take_u64(call);
    gh_sqlite_take_bytes(call, session->token_hash, sizeof(session->token_hash));
    gh_sqlite_take_bytes(call, session->rotations_us, sizeof(session->rotations_us));
    for (size_t i = 0; i < ROTATIONS; i++)
        session->rotations_us[i] = be64toh(session->rotations_us[i]);
    session->created_us = gh_sqlite_take_u64(call);
    session->last_used_us = gh_sqlite_take_u64(call);
    session->expires_us = gh_sqlite_take_u64(call);
    session->authenticated_us = gh_sqlite_take_u64(call);
    session->idle_us = gh_sqlite_take_u64(call);
    session->two_factor = gh_sqlite_take_number(call, 1);
    session->remember = gh_sqlite_take_number(call, 1);
    session->revoked_us = gh_sqlite_take_u64(call);
    session->device = gh_sqlite_take_text(call);
    session->ip = gh_sqlite_take_text(call);
}

static enum gh_err one_session(struct gh_tx *tx, enum gh_sqlite_statement statement,
                               struct gh_str key, struct gh_session_row *out)
{
    struct gh_session_row session;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, statement);
    gh_sqlite_put_text(&call, key);
    bool found = gh_sqlite_next(&call);
    if (found)
        take_session(&call, &session);
    enum gh_err err = gh_sqlite_end_one(&call, found);
    if (err == GH_OK)
        *out = session;
    return err;
}

enum gh_err gh_sqlite_session_insert(struct gh_tx *tx, const struct gh_session_row *session)
{
    uint64_t rotations[ROTATIONS];
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_SESSION_INSERT);
    put_session(&call, session, rotations);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_session_by_family(struct gh_tx *tx, struct gh_str family,
                                        struct gh_session_row *out)
{
    return one_session(tx, GH_SQLITE_SESSION_BY_FAMILY, family, out);
}

enum gh_err gh_sqlite_session_by_id(struct gh_tx *tx, struct gh_str session_id,
                                    struct gh_session_row *out)
{
    return one_session(tx, GH_SQLITE_SESSION_BY_ID, session_id, out);
}

enum gh_err gh_sqlite_session_update(struct gh_tx *tx, const struct gh_session_row *session)
{
    uint64_t rotations[ROTATIONS];
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_SESSION_UPDATE);
    put_session(&call, session, rotations);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_sessions_of(struct gh_tx *tx, struct gh_str account,
                                  struct gh_session_row **out_rows, size_t *out_count)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_SESSIONS_OF);
    gh_sqlite_put_text(&call, account);
    void *rows;
    enum gh_err err = gh_sqlite_take_all(&call, take_session, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}
