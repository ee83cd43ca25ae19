/* The PostgreSQL adapter: mails, keys, revocations, and what has run out. */
#include "store/postgres_ops.h"

#define DAY_US ((uint64_t)86400 * 1000000)

/* ---- Mails ---- */

static void put_mail(struct gh_postgres_call *call, const struct gh_mail_row *mail)
{
    gh_postgres_put_id(call, &mail->id);
    gh_postgres_put_optional_id(call, &mail->account);
    gh_postgres_put_sealed(call, mail->recipient);
    gh_postgres_put_sealed(call, mail->message);
    gh_postgres_put_u64(call, mail->attempts);
    gh_postgres_put_u64(call, mail->created_us);
    gh_postgres_put_u64(call, mail->next_us);
}

enum gh_err gh_postgres_mail_insert(struct gh_tx *tx, const struct gh_mail_row *mail)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_MAIL_INSERT);
    put_mail(&call, mail);
    return gh_postgres_change_told(&call);
}

enum gh_err gh_postgres_mail_take(struct gh_tx *tx, uint64_t now_us, uint64_t lease_until_us,
                                  struct gh_mail_row *out)
{
    struct gh_mail_row mail;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_MAIL_TAKE);
    gh_postgres_put_u64(&call, now_us);
    gh_postgres_put_u64(&call, lease_until_us);
    bool found = gh_postgres_next(&call);
    if (found) {
        mail.id = gh_postgres_take_id(&call);
        mail.account = gh_postgres_take_id(&call);
        mail.recipient = gh_postgres_take_text(&call);
        mail.message = gh_postgres_take_text(&call);
        mail.attempts = gh_postgres_take_number(&call, UINT32_MAX);
        mail.created_us = gh_postgres_take_u64(&call);
        mail.next_us = gh_postgres_take_u64(&call);
    }
    enum gh_err err = gh_postgres_end_one(&call, found);
    if (err == GH_OK)
        *out = mail;
    return err;
}

enum gh_err gh_postgres_mail_update(struct gh_tx *tx, const struct gh_mail_row *mail)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_MAIL_UPDATE);
    put_mail(&call, mail);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_mail_delete(struct gh_tx *tx, struct gh_str id)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_MAIL_DELETE);
    gh_postgres_put_key(&call, id);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_mail_count(struct gh_tx *tx, uint64_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_MAIL_COUNT);
    return gh_postgres_count(&call, out_count);
}

/* ---- Keys ---- */

static void put_key(struct gh_postgres_call *call, const struct gh_key_row *key)
{
    if (key->id)
        gh_postgres_put_u64(call, key->id);
    else
        gh_postgres_put_sealed(call, (struct gh_str){"", 0}); /* NULL: the next number */
    gh_postgres_put_u64(call, key->purpose);
    gh_postgres_put_text(call, key->alg);
    gh_postgres_put_text(call, key->kid);
    gh_postgres_put_sealed(call, key->wrapped);
    gh_postgres_put_u64(call, key->created_us);
    gh_postgres_put_u64(call, key->retired_us);
}

static void take_key(struct gh_postgres_call *call, void *out_row)
{
    struct gh_key_row *key = out_row;
    key->id = gh_postgres_take_u64(call);
    key->purpose = (enum gh_key_purpose)gh_postgres_take_number(call, GH_KEY_AUDIT);
    key->alg = gh_postgres_take_text(call);
    key->kid = gh_postgres_take_text(call);
    key->wrapped = gh_postgres_take_text(call);
    key->created_us = gh_postgres_take_u64(call);
    key->retired_us = gh_postgres_take_u64(call);
}

enum gh_err gh_postgres_key_insert(struct gh_tx *tx, const struct gh_key_row *key, uint64_t *out_id)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_KEY_INSERT);
    put_key(&call, key);
    uint64_t id = 0;
    bool found = gh_postgres_next(&call);
    if (found)
        id = gh_postgres_take_u64(&call);
    enum gh_err err = gh_postgres_end_one(&call, found);
    if (err == GH_OK)
        *out_id = id;
    return err == GH_ERR_NOT_FOUND ? GH_ERR_EXISTS : err;
}

enum gh_err gh_postgres_key_update(struct gh_tx *tx, const struct gh_key_row *key)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_KEY_UPDATE);
    put_key(&call, key);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_key_delete(struct gh_tx *tx, uint64_t id)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_KEY_DELETE);
    gh_postgres_put_u64(&call, id);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_keys_all(struct gh_tx *tx, struct gh_key_row **out_rows, size_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_KEYS_ALL);
    void *rows;
    enum gh_err err = gh_postgres_take_all(&call, take_key, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

/* ---- Revocations ---- */

enum gh_err gh_postgres_revocation_insert(struct gh_tx *tx, const struct gh_revocation_row *row)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_REVOCATION_PUT);
    gh_postgres_put_id(&call, &row->session_id);
    gh_postgres_put_u64(&call, row->until_us);
    return gh_postgres_change_one(&call);
}

/* All of them: nobody else puts any there. */
/* Each row has what the reading is known by; where there are none, one without a session. */
struct revocation {
    uint64_t oldest; /* transaction that was under way */
    struct gh_revocation_row row;
};

static void take_revocation(struct gh_postgres_call *call, void *out_row)
{
    struct revocation *revocation = out_row;
    revocation->oldest = gh_postgres_take_u64(call);
    revocation->row.session_id = gh_postgres_take_id(call);
    revocation->row.until_us = gh_postgres_take_u64(call);
}

/* A cursor is of one server since its start: another one, which was a standby, may give numbers of
   transactions again. So the cursor has in its upper bits which it was; one of another starts from
   the beginning. */
enum gh_err gh_postgres_revocations_since(struct gh_tx *tx, uint64_t cursor, uint64_t now_us,
                                          struct gh_revocation_row **out_rows, size_t *out_count,
                                          uint64_t *out_cursor)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_REVOCATIONS_SINCE);
    gh_postgres_put_u64(&call, cursor);
    gh_postgres_put_u64(&call, now_us);
    void *taken;
    size_t count;
    enum gh_err err =
        gh_postgres_take_all(&call, take_revocation, sizeof(struct revocation), &taken, &count);
    if (err != GH_OK)
        return err;
    const struct revocation *revocations = taken;
    struct gh_revocation_row *rows = gh_arena_zalloc(tx->arena, count ? count : 1, sizeof(*rows));
    if (!count || !rows)
        return gh_postgres_fail((struct gh_postgres_tx *)tx, rows ? GH_ERR_IO : GH_ERR_MEMORY);
    for (size_t i = 0; i < count; i++)
        rows[i] = revocations[i].row;
    *out_rows = rows;
    *out_count = rows[0].session_id.text[0] ? count : 0;
    *out_cursor = revocations[0].oldest;
    return GH_OK;
}

/* ---- What has run out ---- */

enum gh_err gh_postgres_purge(struct gh_tx *tx, uint64_t now_us, size_t limit,
                              uint64_t *out_removed)
{
    static const struct {
        enum gh_postgres_statement statement;
        uint64_t quiet_us; /* $3 of those that have it */
    } KINDS[] = {
        {GH_POSTGRES_PURGE_TICKETS, 0},
        {GH_POSTGRES_PURGE_SESSIONS, 0},
        {GH_POSTGRES_PURGE_REVOCATIONS, 0},
        {GH_POSTGRES_PURGE_THROTTLES, DAY_US},
        {GH_POSTGRES_PURGE_DEVICES, 180 * DAY_US},
    };
    uint64_t removed = 0, changed;
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]) && removed < limit; i++) {
        struct gh_postgres_call call = gh_postgres_begin(tx, KINDS[i].statement);
        gh_postgres_put_limit(&call, limit - (size_t)removed);
        gh_postgres_put_u64(&call, now_us);
        if (KINDS[i].quiet_us)
            gh_postgres_put_u64(&call, KINDS[i].quiet_us);
        enum gh_err err = gh_postgres_change(&call, &changed);
        if (err != GH_OK)
            return err;
        removed += changed;
    }
    *out_removed = removed;
    return GH_OK;
}
