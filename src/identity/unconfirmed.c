#include "identity/unconfirmed.h"

#define LIFE_US (7ull * 24 * 60 * 60 * 1000000)

struct sweep {
    struct gh_identity_call *call;
    struct gh_account_query query;
    struct gh_account *rows;
    size_t count;
};

static enum gh_err read_page(struct gh_tx *tx, void *args)
{
    struct sweep *sweep = args;
    return tx->ops->account_page(tx, &sweep->query, &sweep->rows, &sweep->count);
}

/* An imported account has a password that was never set here. */
static bool is_over(const struct gh_identity_call *call, const struct gh_account *account)
{
    return account->status == GH_ACCOUNT_ACTIVE && !account->email_verified_us &&
           !account->last_login_us && !account->totp_secret.len && account->password_changed_us &&
           account->created_us + LIFE_US <= call->now_us;
}

static enum gh_err drop(struct gh_tx *tx, const struct gh_identity_call *call, struct gh_str id)
{
    struct gh_account account;
    enum gh_err err = tx->ops->account_by_id(tx, id, &account);
    if (err != GH_OK || !is_over(call, &account)) /* confirmed meanwhile */
        return err == GH_ERR_NOT_FOUND ? GH_OK : err;
    err = tx->ops->account_delete(tx, id);
    return err == GH_OK ? gh_identity_audit(tx, call, GH_AUDIT_ACCOUNT_DELETED, GH_AUDIT_SUCCESS,
                                            id, GH_STR("{\"by\":\"unconfirmed\"}"))
                        : err;
}

static enum gh_err drop_all(struct gh_tx *tx, void *args)
{
    const struct sweep *sweep = args;
    enum gh_err err = GH_OK;
    for (size_t i = 0; err == GH_OK && i < sweep->count; i++)
        if (is_over(sweep->call, &sweep->rows[i]))
            err = drop(tx, sweep->call, gh_id_str(&sweep->rows[i].id));
    return err;
}

enum gh_identity_result gh_unconfirmed_drop(struct gh_identity_call *call, struct gh_id *cursor,
                                            bool *out_more)
{
    struct gh_store *store = call->identity->store;
    struct sweep sweep = {.call = call, .query = {.after = *cursor, .limit = GH_UNCONFIRMED_ROWS}};
    bool found = false;
    if (gh_identity_read(call, read_page, &sweep) != GH_IDENTITY_OK)
        return GH_IDENTITY_UNAVAILABLE;
    for (size_t i = 0; i < sweep.count; i++)
        found |= is_over(call, &sweep.rows[i]);
    if (found && store->ops->run_bulk(store, drop_all, &sweep, call->arena) != GH_OK)
        return GH_IDENTITY_UNAVAILABLE;
    if (found)
        gh_identity_forget(call->identity);
    *out_more = sweep.count == GH_UNCONFIRMED_ROWS;
    if (sweep.count)
        *cursor = sweep.rows[sweep.count - 1].id;
    return GH_IDENTITY_OK;
}
