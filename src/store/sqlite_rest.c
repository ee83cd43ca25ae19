/* The SQLite adapter: mails, keys, revocations, and what has run out. */
#include "store/sqlite_ops.h"

#define DAY_US ((uint64_t)86400 * 1000000)

/* ---- Mails ---- */

static void put_mail(struct gh_sqlite_call *call, const struct gh_mail_row *mail)
{
    gh_sqlite_put_id(call, &mail->id);
    gh_sqlite_put_id(call, &mail->account);
    gh_sqlite_put_sealed(call, mail->recipient);
    gh_sqlite_put_sealed(call, mail->message);
    gh_sqlite_put_u64(call, mail->attempts);
    gh_sqlite_put_u64(call, mail->created_us);
    gh_sqlite_put_u64(call, mail->next_us);
}

enum gh_err gh_sqlite_mail_insert(struct gh_tx *tx, const struct gh_mail_row *mail)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_MAIL_INSERT);
    put_mail(&call, mail);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_mail_take(struct gh_tx *tx, uint64_t now_us, uint64_t lease_until_us,
                                struct gh_mail_row *out)
{
    struct gh_mail_row mail;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_MAIL_TAKE);
    gh_sqlite_put_u64(&call, now_us);
    gh_sqlite_put_u64(&call, lease_until_us);
    bool found = gh_sqlite_next(&call);
    if (found) {
        mail.id = gh_sqlite_take_id(&call);
        mail.account = gh_sqlite_take_id(&call);
        mail.recipient = gh_sqlite_take_text(&call);
        mail.message = gh_sqlite_take_text(&call);
        mail.attempts = gh_sqlite_take_number(&call, UINT32_MAX);
        mail.created_us = gh_sqlite_take_u64(&call);
        mail.next_us = gh_sqlite_take_u64(&call);
        gh_sqlite_next(&call); /* the change is done when there are no more rows */
    }
    enum gh_err err = gh_sqlite_end_one(&call, found);
    if (err == GH_OK)
        *out = mail;
    return err;
}

enum gh_err gh_sqlite_mail_update(struct gh_tx *tx, const struct gh_mail_row *mail)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_MAIL_UPDATE);
    put_mail(&call, mail);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_mail_delete(struct gh_tx *tx, struct gh_str id)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_MAIL_DELETE);
    gh_sqlite_put_text(&call, id);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_mail_count(struct gh_tx *tx, uint64_t *out_count)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_MAIL_COUNT);
    return gh_sqlite_count(&call, out_count);
}

/* ---- Keys ---- */

static void put_key(struct gh_sqlite_call *call, const struct gh_key_row *key)
{
    if (key->id)
        gh_sqlite_put_u64(call, key->id);
    else
        gh_sqlite_put_text(call, (struct gh_str){"", 0}); /* NULL: the next number */
    gh_sqlite_put_u64(call, key->purpose);
    gh_sqlite_put_text(call, key->alg);
    gh_sqlite_put_text(call, key->kid);
    gh_sqlite_put_sealed(call, key->wrapped);
    gh_sqlite_put_u64(call, key->created_us);
    gh_sqlite_put_u64(call, key->retired_us);
}

static void take_key(struct gh_sqlite_call *call, void *out_row)
{
    struct gh_key_row *key = out_row;
    key->id = gh_sqlite_take_u64(call);
    key->purpose = (enum gh_key_purpose)gh_sqlite_take_number(call, GH_KEY_AUDIT);
    key->alg = gh_sqlite_take_text(call);
    key->kid = gh_sqlite_take_text(call);
    key->wrapped = gh_sqlite_take_text(call);
    key->created_us = gh_sqlite_take_u64(call);
    key->retired_us = gh_sqlite_take_u64(call);
}

enum gh_err gh_sqlite_key_insert(struct gh_tx *tx, const struct gh_key_row *key, uint64_t *out_id)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_KEY_INSERT);
    put_key(&call, key);
    enum gh_err err = gh_sqlite_change_one(&call);
    if (err == GH_OK)
        *out_id = (uint64_t)sqlite3_last_insert_rowid(call.tx->connection->db);
    return err;
}

enum gh_err gh_sqlite_key_update(struct gh_tx *tx, const struct gh_key_row *key)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_KEY_UPDATE);
    put_key(&call, key);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_key_delete(struct gh_tx *tx, uint64_t id)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_KEY_DELETE);
    gh_sqlite_put_u64(&call, id);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_keys_all(struct gh_tx *tx, struct gh_key_row **out_rows, size_t *out_count)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_KEYS_ALL);
    void *rows;
    enum gh_err err = gh_sqlite_take_all(&call, take_key, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

/* ---- Revocations ---- */

static void take_revocation(struct gh_sqlite_call *call, void *out_row)
{
    struct gh_revocation_row *row = out_row;
    row->session_id = gh_sqlite_take_id(call);
    row->until_us = gh_sqlite_take_u64(call);
}

enum gh_err gh_sqlite_revocation_insert(struct gh_tx *tx, const struct gh_revocation_row *row)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_REVOCATION_PUT);
    gh_sqlite_put_id(&call, &row->session_id);
    gh_sqlite_put_u64(&call, row->until_us);
    return gh_sqlite_change_one(&call);
}

/* All of them: nobody else puts any there. */
enum gh_err gh_sqlite_revocations_since(struct gh_tx *tx, uint64_t cursor, uint64_t now_us,
                                        struct gh_revocation_row **out_rows, size_t *out_count,
                                        uint64_t *out_cursor)
{
    (void)cursor;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_REVOCATIONS_SINCE);
    gh_sqlite_put_u64(&call, now_us);
    void *rows;
    enum gh_err err =
        gh_sqlite_take_all(&call, take_revocation, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    *out_cursor = 0;
    return err;
}

/* ---- What has run out ---- */

enum gh_err gh_sqlite_purge(struct gh_tx *tx, uint64_t now_us, size_t limit, uint64_t *out_removed)
{
    static const struct {
        enum gh_sqlite_statement statement;
        uint64_t quiet_us; /* ?3 of those that have it */
    } KINDS[] = {
        {GH_SQLITE_PURGE_TICKETS, 0},
        {GH_SQLITE_PURGE_SESSIONS, 0},
        {GH_SQLITE_PURGE_REVOCATIONS, 0},
        {GH_SQLITE_PURGE_THROTTLES, DAY_US},
        {GH_SQLITE_PURGE_DEVICES, 180 * DAY_US},
    };
    uint64_t removed = 0, changed;
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]) && removed < limit; i++) {
        struct gh_sqlite_call call = gh_sqlite_begin(tx, KINDS[i].statement);
        gh_sqlite_put_limit(&call, limit - (size_t)removed);
        gh_sqlite_put_u64(&call, now_us);
        if (KINDS[i].quiet_us)
            gh_sqlite_put_u64(&call, KINDS[i].quiet_us);
        enum gh_err err = gh_sqlite_change(&call, &changed);
        if (err != GH_OK)
            return err;
        removed += changed;
    }
    *out_removed = removed;
    return GH_OK;
}
