/*
 * What admins may do to accounts that are there. Each is one unit: the change, its audit record,
 * the end of sessions that it takes, and the last-admin rule.
 */
#include "identity/admin.h"

#include "identity/address.h"
#include "identity/metadata.h"
#include "identity/outbox.h"
#include "identity/sessions.h"
#include "identity/throttle.h"
#include "identity/two_factor.h"
#include "json/writer.h"

#define PAGE_MAX           200
#define METADATA_BYTES_MAX (2 * 64 * 65 + 256) /* two texts of all roles there can be */

const char gh_admin_last_text[] = "this is the last admin: give the role to somebody else first";

enum gh_err gh_admin_is_last(struct gh_tx *tx, const struct gh_identity_call *call,
                             const struct gh_account *account, bool *out_last)
{
    uint64_t count = 0;
    bool is_admin = account->status == GH_ACCOUNT_ACTIVE &&
                    (gh_account_roles(call->settings, account) & call->settings->admin);
    enum gh_err err = is_admin ? tx->ops->account_count(tx, GH_STR("admin"), &count) : GH_OK;
    if (err == GH_OK)
        *out_last = is_admin && count <= 1;
    return err;
}

/* ---- Looking ---- */

struct page {
    struct gh_account_query query;
    struct gh_account *rows;
    size_t count;
};

static enum gh_err read_page(struct gh_tx *tx, void *args)
{
    struct page *page = args;
    return tx->ops->account_page(tx, &page->query, &page->rows, &page->count);
}

static enum gh_identity_result show_page(const struct gh_identity_call *call,
                                         const struct page *page,
                                         struct gh_account_view **out_users, size_t *out_count)
{
    struct gh_account_view *views =
        gh_arena_zalloc(call->arena, page->count ? page->count : 1, sizeof(*views));
    if (!views)
        return GH_IDENTITY_UNAVAILABLE;
    for (size_t i = 0; i < page->count; i++)
        if (!gh_account_view_of(call, &page->rows[i], &views[i]))
            return GH_IDENTITY_UNAVAILABLE;
    *out_users = views;
    *out_count = page->count;
    return GH_IDENTITY_OK;
}

enum gh_identity_result gh_users_page(struct gh_identity_call *call,
                                      const struct gh_user_query *query,
                                      struct gh_account_view **out_users, size_t *out_count)
{
    struct page page = {.query = {.role = query->role, .limit = query->limit}};
    struct gh_str email;
    if (!query->limit || query->limit > PAGE_MAX) {
        call->why = "limit: 1 to 200";
        return GH_IDENTITY_INVALID;
    }
    if (query->after.len && !gh_id_parse(query->after, &page.query.after)) {
        call->why = "after: not an id";
        return GH_IDENTITY_INVALID;
    }
    if (query->email.len) {
        if (!gh_email_normalise(call->arena, query->email, &email))
            return show_page(call, &page, out_users, out_count); /* nobody has it */
        page.query.by_email = true;
        gh_address_index(call, email, page.query.email_index);
    }
    if (gh_identity_read(call, read_page, &page) != GH_IDENTITY_OK)
        return GH_IDENTITY_UNAVAILABLE;
    return show_page(call, &page, out_users, out_count);
}

struct lookup {
    struct gh_str id;
    struct gh_account account;
};

static enum gh_err read_one(struct gh_tx *tx, void *args)
{
    struct lookup *lookup = args;
    return tx->ops->account_by_id(tx, lookup->id, &lookup->account);
}

enum gh_identity_result gh_user_get(struct gh_identity_call *call, struct gh_str id,
                                    struct gh_account_view *out_user)
{
    struct lookup lookup = {.id = id};
    struct gh_store *store = call->identity->store;
    enum gh_err err = store->ops->read(store, read_one, &lookup, call->arena);
    if (err != GH_OK)
        return err == GH_ERR_NOT_FOUND ? GH_IDENTITY_NOT_FOUND : GH_IDENTITY_UNAVAILABLE;
    return gh_account_view_of(call, &lookup.account, out_user) ? GH_IDENTITY_OK
                                                               : GH_IDENTITY_UNAVAILABLE;
}

/* ---- Changing ---- */

/* One change of one account: what all of them need. */
struct change {
    struct gh_identity_call *call;
    struct gh_str id;
    enum gh_err (*apply)(struct gh_tx *tx, struct change *change);
    struct gh_account account;
    struct gh_account_view view; /* as it was */
    gh_roles roles;              /* of set_roles */
    struct gh_revoked revoked;
    uint64_t ended;
    enum gh_identity_result result;
};

static enum gh_err change_unit(struct gh_tx *tx, void *args)
{
    struct change *change = args;
    change->result = GH_IDENTITY_OK;
    change->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = tx->ops->account_by_id(tx, change->id, &change->account);
    if (err == GH_ERR_NOT_FOUND) {
        change->result = GH_IDENTITY_NOT_FOUND;
        return GH_OK;
    }
    if (err != GH_OK)
        return err;
    if (!gh_account_view_of(change->call, &change->account, &change->view))
        return GH_ERR_INVALID;
    return change->apply(tx, change);
}

static enum gh_identity_result run_change(struct change *change)
{
    enum gh_identity_result result = gh_identity_run(change->call, change_unit, change);
    if (result == GH_IDENTITY_OK)
        result = change->result;
    if (result == GH_IDENTITY_OK)
        gh_sessions_revoked(change->call, &change->revoked);
    return result;
}

static enum gh_identity_result change_account(struct gh_identity_call *call, struct gh_str id,
                                              enum gh_err (*apply)(struct gh_tx *tx,
                                                                   struct change *change))
{
    struct change change = {.call = call, .id = id, .apply = apply};
    return run_change(&change);
}

static enum gh_err audit_by(struct gh_tx *tx, const struct change *change,
                            enum gh_audit_event event)
{
    struct gh_str metadata = gh_metadata_by(change->call);
    if (!metadata.ptr)
        return GH_ERR_MEMORY;
    return gh_identity_audit(tx, change->call, event, GH_AUDIT_SUCCESS, change->id, metadata);
}

/* False: it is refused (change->result), or the store failed (*out_err). */
static bool may_take_admin(struct gh_tx *tx, struct change *change, enum gh_err *out_err)
{
    bool last = true;
    *out_err = gh_admin_is_last(tx, change->call, &change->account, &last);
    if (*out_err == GH_OK && last) {
        change->call->why = gh_admin_last_text;
        change->result = GH_IDENTITY_CONFLICT;
    }
    return *out_err == GH_OK && !last;
}

static enum gh_err end_sessions(struct gh_tx *tx, struct change *change, const char *reason)
{
    return gh_sessions_revoke(tx, change->call, change->id, GH_STR(""), reason, &change->revoked);
}

/* ---- Roles ---- */

static enum gh_err audit_roles(struct gh_tx *tx, const struct change *change,
                               struct gh_str new_role)
{
    char *memory = gh_arena_alloc(change->call->arena, METADATA_BYTES_MAX);
    if (!memory)
        return GH_ERR_MEMORY;
    struct gh_buf buf = gh_buf_over(memory, METADATA_BYTES_MAX);
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("old_role"), change->account.roles);
    gh_json_put_member(&buf, GH_STR("new_role"), new_role);
    gh_json_put_member(&buf, GH_STR("changed_by"), gh_metadata_actor(change->call));
    gh_buf_put_char(&buf, '}');
    if (buf.overflow)
        return GH_ERR_FULL;
    return gh_identity_audit(tx, change->call, GH_AUDIT_ROLE_CHANGED, GH_AUDIT_SUCCESS, change->id,
                             gh_buf_str(&buf));
}

static enum gh_err apply_roles(struct gh_tx *tx, struct change *change)
{
    const struct gh_identity_settings *settings = change->call->settings;
    struct gh_str text = gh_roles_text(change->call->arena, &settings->role_names, change->roles);
    enum gh_err err = GH_OK;
    if (!text.ptr)
        return GH_ERR_MEMORY;
    if (gh_str_eq(text, change->account.roles))
        return GH_OK;
    if (!(change->roles & settings->admin) && !may_take_admin(tx, change, &err))
        return err;
    err = audit_roles(tx, change, text);
    change->account.roles = text;
    if (err == GH_OK)
        err = tx->ops->account_update(tx, &change->account);
    if (err == GH_OK)
        err = gh_sessions_renew(tx, change->call, change->id, &change->revoked);
    return err;
}

enum gh_identity_result gh_user_set_roles(struct gh_identity_call *call, struct gh_str id,
                                          gh_roles roles, struct gh_account_view *out_user)
{
    const struct gh_role_names *names = &call->settings->role_names;
    gh_roles known =
        names->count >= GH_ROLES_MAX ? ~(gh_roles)0 : ((gh_roles)1 << names->count) - 1;
    if (!roles || (roles & ~known)) {
        call->why = roles ? "roles: one is not configured" : "roles: an account has one at least";
        return GH_IDENTITY_INVALID;
    }
    struct change change = {.call = call, .id = id, .apply = apply_roles, .roles = roles};
    enum gh_identity_result result = run_change(&change);
    if (result == GH_IDENTITY_OK && !gh_account_view_of(call, &change.account, out_user))
        return GH_IDENTITY_UNAVAILABLE;
    return result;
}

/* ---- Locks ---- */

static enum gh_err apply_unlock(struct gh_tx *tx, struct change *change)
{
    enum gh_err err = gh_throttle_forgive(tx, change->call, change->view.email);
    return err == GH_OK ? audit_by(tx, change, GH_AUDIT_ACCOUNT_UNLOCKED) : err;
}

enum gh_identity_result gh_user_unlock(struct gh_identity_call *call, struct gh_str id)
{
    return change_account(call, id, apply_unlock);
}

/* What somebody else may have begun with the account. */
static enum gh_err drop_links(struct gh_tx *tx, const struct change *change)
{
    enum gh_err err = tx->ops->tickets_delete_of(tx, change->id, GH_TICKET_RESET);
    if (err == GH_OK)
        err = tx->ops->tickets_delete_of(tx, change->id, GH_TICKET_CHALLENGE);
    if (err == GH_OK)
        err = tx->ops->tickets_delete_of(tx, change->id, GH_TICKET_CHANGE_EMAIL);
    return err;
}

static enum gh_err apply_disable(struct gh_tx *tx, struct change *change)
{
    enum gh_err err;
    if (change->account.status == GH_ACCOUNT_DISABLED)
        return GH_OK;
    if (!may_take_admin(tx, change, &err))
        return err;
    change->account.status = GH_ACCOUNT_DISABLED;
    err = tx->ops->account_update(tx, &change->account);
    if (err == GH_OK)
        err = drop_links(tx, change);
    if (err == GH_OK)
        err = audit_by(tx, change, GH_AUDIT_ACCOUNT_LOCKED);
    return err == GH_OK ? end_sessions(tx, change, "account_disabled") : err;
}

enum gh_identity_result gh_user_disable(struct gh_identity_call *call, struct gh_str id)
{
    return change_account(call, id, apply_disable);
}

static enum gh_err apply_enable(struct gh_tx *tx, struct change *change)
{
    if (change->account.status == GH_ACCOUNT_ACTIVE)
        return GH_OK;
    change->account.status = GH_ACCOUNT_ACTIVE;
    enum gh_err err = tx->ops->account_update(tx, &change->account);
    return err == GH_OK ? audit_by(tx, change, GH_AUDIT_ACCOUNT_UNLOCKED) : err;
}

enum gh_identity_result gh_user_enable(struct gh_identity_call *call, struct gh_str id)
{
    return change_account(call, id, apply_enable);
}

/* ---- Factors ---- */

static enum gh_err apply_reset_two_factor(struct gh_tx *tx, struct change *change)
{
    if (!change->account.totp_enabled && !change->account.totp_secret.len)
        return GH_OK;
    enum gh_err err = gh_two_factor_clear(tx, &change->account);
    if (err == GH_OK)
        err = audit_by(tx, change, GH_AUDIT_TWO_FACTOR_DISABLED);
    if (err == GH_OK)
        err = gh_outbox_put(tx, change->call, GH_MAIL_TWO_FACTOR_OFF, change->id,
                            change->view.email, GH_STR(""));
    return err == GH_OK ? end_sessions(tx, change, "two_factor_reset") : err;
}

enum gh_identity_result gh_user_reset_two_factor(struct gh_identity_call *call, struct gh_str id)
{
    return change_account(call, id, apply_reset_two_factor);
}

static enum gh_err apply_reset_password(struct gh_tx *tx, struct change *change)
{
    if (change->account.status == GH_ACCOUNT_DISABLED) {
        change->call->why = "the account is disabled: enable it first";
        change->result = GH_IDENTITY_CONFLICT;
        return GH_OK;
    }
    enum gh_err err = drop_links(tx, change);
    if (err == GH_OK)
        err = gh_outbox_put(tx, change->call, GH_MAIL_RESET, change->id, change->view.email,
                            GH_STR(""));
    if (err == GH_OK)
        err = audit_by(tx, change, GH_AUDIT_PASSWORD_RESET_REQUEST);
    return err == GH_OK ? end_sessions(tx, change, "password_reset_by_admin") : err;
}

enum gh_identity_result gh_user_reset_password(struct gh_identity_call *call, struct gh_str id)
{
    return change_account(call, id, apply_reset_password);
}

/* ---- Ends ---- */

static enum gh_err apply_delete(struct gh_tx *tx, struct change *change)
{
    struct gh_str metadata = gh_metadata_by(change->call);
    enum gh_err err;
    if (!may_take_admin(tx, change, &err))
        return err;
    err = end_sessions(tx, change, "account_deleted");
    if (err == GH_OK)
        err = tx->ops->account_delete(tx, change->id);
    if (err == GH_OK)
        err = gh_throttle_forgive(tx, change->call, change->view.email);
    if (err == GH_OK && !metadata.ptr)
        err = GH_ERR_MEMORY;
    if (err == GH_OK)
        err = gh_identity_audit_gone(tx, change->call, GH_AUDIT_ACCOUNT_DELETED, change->id,
                                     metadata);
    /* of no account: mails of the account went with it */
    return err == GH_OK ? gh_outbox_put(tx, change->call, GH_MAIL_DELETED, GH_STR(""),
                                        change->view.email, GH_STR(""))
                        : err;
}

enum gh_identity_result gh_user_delete(struct gh_identity_call *call, struct gh_str id)
{
    enum gh_identity_result result = change_account(call, id, apply_delete);
    if (result == GH_IDENTITY_OK)
        gh_identity_forget(call->identity);
    return result;
}

static enum gh_err apply_end_sessions(struct gh_tx *tx, struct change *change)
{
    struct gh_session_row *rows;
    size_t count;
    enum gh_err err = tx->ops->sessions_of(tx, change->id, &rows, &count);
    if (err != GH_OK)
        return err;
    change->ended = count;
    return end_sessions(tx, change, "ended_by_admin");
}

enum gh_identity_result gh_user_end_sessions(struct gh_identity_call *call, struct gh_str id,
                                             uint64_t *out_count)
{
    struct change change = {.call = call, .id = id, .apply = apply_end_sessions};
    enum gh_identity_result result = run_change(&change);
    if (result == GH_IDENTITY_OK)
        *out_count = change.ended;
    return result;
}
