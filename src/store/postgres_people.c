/* The PostgreSQL adapter: accounts and sessions. */
#include "store/postgres_ops.h"

#include <endian.h>

#define ROTATIONS (sizeof(((struct gh_session_row *)0)->rotations_us) / sizeof(uint64_t))

/* ---- Accounts ---- */

static void put_account(struct gh_postgres_call *call, const struct gh_account *account)
{
    gh_postgres_put_id(call, &account->id);
    gh_postgres_put_bytes(call, account->email_index, sizeof(account->email_index));
    gh_postgres_put_sealed(call, account->email);
    gh_postgres_put_u64(call, account->email_verified_us);
    gh_postgres_put_text(call, account->password_hash);
    gh_postgres_put_u64(call, account->password_changed_us);
    gh_postgres_put_sealed(call, account->name);
    gh_postgres_put_text(call, account->locale);
    gh_postgres_put_text(call, account->roles);
    gh_postgres_put_u64(call, account->status);
    gh_postgres_put_u64(call, account->created_us);
    gh_postgres_put_u64(call, account->last_login_us);
    gh_postgres_put_sealed(call, account->totp_secret);
    gh_postgres_put_flag(call, account->totp_enabled);
    gh_postgres_put_u64(call, account->totp_last_step);
}

static void take_account(struct gh_postgres_call *call, void *out_row)
{
    struct gh_account *account = out_row;
    account->id = gh_postgres_take_id(call);
    gh_postgres_take_bytes(call, account->email_index, sizeof(account->email_index));
    account->email = gh_postgres_take_text(call);
    account->email_verified_us = gh_postgres_take_u64(call);
    account->password_hash = gh_postgres_take_text(call);
    account->password_changed_us = gh_postgres_take_u64(call);
    account->name = gh_postgres_take_text(call);
    account->locale = gh_postgres_take_text(call);
    account->roles = gh_postgres_take_text(call);
    account->status = (enum gh_account_status)gh_postgres_take_number(call, GH_ACCOUNT_DISABLED);
    account->created_us = gh_postgres_take_u64(call);
    account->last_login_us = gh_postgres_take_u64(call);
    account->totp_secret = gh_postgres_take_text(call);
    account->totp_enabled = gh_postgres_take_flag(call);
    account->totp_last_step = gh_postgres_take_u64(call);
}

static enum gh_err one_account(struct gh_postgres_call *call, struct gh_account *out)
{
    struct gh_account account;
    bool found = gh_postgres_next(call);
    if (found)
        take_account(call, &account);
    enum gh_err err = gh_postgres_end_one(call, found);
    if (err == GH_OK)
        *out = account;
    return err;
}

enum gh_err gh_postgres_account_insert(struct gh_tx *tx, const struct gh_account *account)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_ACCOUNT_INSERT);
    put_account(&call, account);
    enum gh_err err = gh_postgres_change_one(&call);
    return err == GH_ERR_NOT_FOUND ? GH_ERR_EXISTS : err;
}

enum gh_err gh_postgres_account_by_id(struct gh_tx *tx, struct gh_str id, struct gh_account *out)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_ACCOUNT_BY_ID);
    gh_postgres_put_key(&call, id);
    return one_account(&call, out);
}

enum gh_err gh_postgres_account_by_email(struct gh_tx *tx, const uint8_t index[GH_SHA256_BYTES],
                                         struct gh_account *out)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_ACCOUNT_BY_EMAIL);
    gh_postgres_put_bytes(&call, index, GH_SHA256_BYTES);
    return one_account(&call, out);
}

enum gh_err gh_postgres_account_update(struct gh_tx *tx, const struct gh_account *account)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_ACCOUNT_UPDATE);
    put_account(&call, account);
    return gh_postgres_change_told(&call);
}

enum gh_err gh_postgres_account_delete(struct gh_tx *tx, struct gh_str id)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_ACCOUNT_DELETE);
    gh_postgres_put_key(&call, id);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_account_page(struct gh_tx *tx, const struct gh_account_query *query,
                                     struct gh_account **out_rows, size_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(
        tx, query->by_email ? GH_POSTGRES_ACCOUNT_PAGE_BY_EMAIL : GH_POSTGRES_ACCOUNT_PAGE);
    gh_postgres_put_optional_id(&call, &query->after);
    gh_postgres_put_text(&call, query->role);
    gh_postgres_put_limit(&call, query->limit);
    if (query->by_email)
        gh_postgres_put_bytes(&call, query->email_index, sizeof(query->email_index));
    void *rows;
    enum gh_err err =
        gh_postgres_take_all(&call, take_account, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

enum gh_err gh_postgres_account_count(struct gh_tx *tx, struct gh_str role, uint64_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_ACCOUNT_COUNT);
    gh_postgres_put_u64(&call, GH_ACCOUNT_ACTIVE);
    gh_postgres_put_key(&call, role);
    return gh_postgres_count(&call, out_count);
}

/* ---- Sessions ---- */

/* `rotations` is the caller's, because bound bytes must outlive the call. */
static void put_session(struct gh_postgres_call *call, const struct gh_session_row *session,
                        uint64_t rotations[ROTATIONS])
{
    for (size_t i = 0; i < ROTATIONS; i++)
        rotations[i] = htobe64(session->rotations_us[i]);
    gh_postgres_put_id(call, &session->family);
    gh_postgres_put_id(call, &session->session_id);
    gh_postgres_put_id(call, &session->account);
    gh_postgres_put_sealed(call, session->secret);
    gh_postgres_put_u64(call, session->counter);
    gh_postgres_put_bytes(call, session->token_hash, sizeof(session->token_hash));
    gh_postgres_put_bytes(call, rotations, ROTATIONS * sizeof(rotations[0]));
    gh_postgres_put_u64(call, session->created_us);
    gh_postgres_put_u64(call, session->last_used_us);
    gh_postgres_put_u64(call, session->expires_us);
    gh_postgres_put_u64(call, session->authenticated_us);
    gh_postgres_put_u64(call, session->idle_us);
    gh_postgres_put_flag(call, session->two_factor);
    gh_postgres_put_flag(call, session->remember);
    gh_postgres_put_u64(call, session->revoked_us);
    gh_postgres_put_sealed(call, session->device);
    gh_postgres_put_sealed(call, session->ip);
}

static void take_session(struct gh_postgres_call *call, void *out_row)
{
    struct gh_session_row *session = out_row;
    session->family = gh_postgres_take_id(call);
    session->session_id = gh_postgres_take_id(call);
    session->account = gh_postgres_take_id(call);
    session->secret = gh_postgres_take_text(call);
    session->counter = gh_postgres_take_u64(call);
    gh_postgres_take_bytes(call, session->token_hash, sizeof(session->token_hash));
    gh_postgres_take_bytes(call, session->rotations_us, sizeof(session->rotations_us));
    for (size_t i = 0; i < ROTATIONS; i++)
        session->rotations_us[i] = be64toh(session->rotations_us[i]);
    session->created_us = gh_postgres_take_u64(call);
    session->last_used_us = gh_postgres_take_u64(call);
    session->expires_us = gh_postgres_take_u64(call);
    session->authenticated_us = gh_postgres_take_u64(call);
    session->idle_us = gh_postgres_take_u64(call);
    session->two_factor = gh_postgres_take_flag(call);
    session->remember = gh_postgres_take_flag(call);
    session->revoked_us = gh_postgres_take_u64(call);
    session->device = gh_postgres_take_text(call);
    session->ip = gh_postgres_take_text(call);
}

static enum gh_err one_session(struct gh_tx *tx, enum gh_postgres_statement statement,
                               struct gh_str key, struct gh_session_row *out)
{
    struct gh_session_row session;
    struct gh_postgres_call call = gh_postgres_begin(tx, statement);
    gh_postgres_put_key(&call, key);
    bool found = gh_postgres_next(&call);
    if (found)
        take_session(&call, &session);
    enum gh_err err = gh_postgres_end_one(&call, found);
    if (err == GH_OK)
        *out = session;
    return err;
}

enum gh_err gh_postgres_session_insert(struct gh_tx *tx, const struct gh_session_row *session)
{
    uint64_t rotations[ROTATIONS];
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_SESSION_INSERT);
    put_session(&call, session, rotations);
    return gh_postgres_change_told(&call);
}

enum gh_err gh_postgres_session_by_family(struct gh_tx *tx, struct gh_str family,
                                          struct gh_session_row *out)
{
    return one_session(tx, GH_POSTGRES_SESSION_BY_FAMILY, family, out);
}

enum gh_err gh_postgres_session_by_id(struct gh_tx *tx, struct gh_str session_id,
                                      struct gh_session_row *out)
{
    return one_session(tx, GH_POSTGRES_SESSION_BY_ID, session_id, out);
}

enum gh_err gh_postgres_session_update(struct gh_tx *tx, const struct gh_session_row *session)
{
    uint64_t rotations[ROTATIONS];
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_SESSION_UPDATE);
    put_session(&call, session, rotations);
    return gh_postgres_change_told(&call);
}

enum gh_err gh_postgres_sessions_of(struct gh_tx *tx, struct gh_str account,
                                    struct gh_session_row **out_rows, size_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_SESSIONS_OF);
    gh_postgres_put_key(&call, account);
    void *rows;
    enum gh_err err =
        gh_postgres_take_all(&call, take_session, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}
