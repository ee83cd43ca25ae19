#include "identity/account.h"

#include "base/utf8.h"
#include "identity/address.h"
#include "identity/admin.h"
#include "identity/assurance.h"
#include "identity/claim.h"
#include "identity/metadata.h"
#include "identity/new_account.h"
#include "identity/outbox.h"
#include "identity/passwords.h"
#include "identity/sessions.h"
#include "identity/ticket.h"
#include "json/writer.h"

#define NAME_CHARACTERS_MAX 100
#define LOCALE_BYTES_MAX    35 /* RFC 5646 section 4.4.1 */
#define ACTIVITY_MAX        200
#define METADATA_BYTES_MAX  2048 /* an address, each byte escaped */

static enum gh_identity_result refuse(struct gh_identity_call *call, enum gh_identity_result result,
                                      const char *why)
{
    call->why = why;
    return result;
}

/* ---- Values ---- */

/* UTF-8 without control characters, and not too long. */
static bool is_name(struct gh_str name)
{
    size_t characters = 0;
    for (size_t len; name.len; name = gh_str_skip(name, len), characters++) {
        unsigned char first = (unsigned char)name.ptr[0];
        len = gh_utf8_sequence_len(name);
        bool c1 = len == 2 && first == 0xc2 && (unsigned char)name.ptr[1] < 0xa0;
        if (!len || first < ' ' || first == 0x7f || c1)
            return false;
    }
    return characters <= NAME_CHARACTERS_MAX;
}

/* Subtags of a language tag (RFC 5646 section 2.1), by their form; empty: none. */
static bool is_locale(struct gh_str locale)
{
    if (locale.len > LOCALE_BYTES_MAX)
        return false;
    bool first = true;
    for (struct gh_str rest = locale; locale.len && rest.ptr; first = false) {
        struct gh_str subtag = gh_str_split(&rest, '-');
        if (!subtag.len || subtag.len > 8 || (first && subtag.len < 2))
            return false;
        for (size_t i = 0; i < subtag.len; i++) {
            char c = gh_ascii_lower(subtag.ptr[i]);
            if ((c < 'a' || c > 'z') && (first || c < '0' || c > '9'))
                return false;
        }
    }
    return true;
}

/* ---- Sign-up ---- */

struct sign_up {
    struct gh_identity_call *call;
    struct gh_new_account from;
    struct gh_account account; /* as it will be when the address is free */
    bool taken;
};

static enum gh_err audit_refused(struct gh_tx *tx, struct sign_up *up,
                                 const struct gh_account *there)
{
    char memory[METADATA_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("email"), up->from.email);
    gh_buf_put_char(&buf, '}');
    if (buf.overflow)
        return GH_ERR_FULL;
    return gh_identity_audit(tx, up->call, GH_AUDIT_SIGNUP, GH_AUDIT_FAILURE, gh_id_str(&there->id),
                             gh_buf_str(&buf));
}

/* The password of a sign-up goes with its link. */
static enum gh_err send_link(struct gh_tx *tx, const struct sign_up *up,
                             const struct gh_account *account)
{
    struct gh_str claim = gh_claim_text(up->call->arena, up->from.password_hash, up->from.name);
    if (!claim.ptr)
        return GH_ERR_MEMORY;
    return gh_outbox_put(tx, up->call, GH_MAIL_CONFIRM, gh_id_str(&account->id), up->from.email,
                         claim);
}

static enum gh_err meet_account(struct gh_tx *tx, struct sign_up *up,
                                const struct gh_account *there)
{
    struct gh_identity_call *call = up->call;
    up->taken = true;
    enum gh_err err = GH_OK;
    if (call->settings->verify_email) {
        if (there->email_verified_us || there->status == GH_ACCOUNT_DISABLED) {
            err = gh_outbox_put(tx, call, GH_MAIL_ALREADY, gh_id_str(&there->id), up->from.email,
                                GH_STR(""));
        } else {
            err = gh_claim_contest(tx, call, there);
            if (err == GH_OK)
                err = send_link(tx, up, there);
        }
    }
    return err == GH_OK ? audit_refused(tx, up, there) : err;
}

static enum gh_err sign_up_unit(struct gh_tx *tx, void *args)
{
    struct sign_up *up = args;
    struct gh_account there;
    up->taken = false;
    enum gh_err err = tx->ops->account_by_email(tx, up->account.email_index, &there);
    if (err == GH_OK)
        return meet_account(tx, up, &there);
    if (err != GH_ERR_NOT_FOUND)
        return err;
    err = gh_new_account_insert(tx, up->call, &up->from, &up->account);
    if (err == GH_OK && up->call->settings->verify_email)
        err = send_link(tx, up, &up->account);
    return err;
}

/* What is asked for, checked; the hash is made in any case. */
static enum gh_identity_result prepare_sign_up(struct gh_identity_call *call,
                                               const struct gh_sign_up *request, struct sign_up *up)
{
    if (!gh_email_normalise(call->arena, request->email, &up->from.email))
        return refuse(call, GH_IDENTITY_INVALID, "email: not an address");
    if (!is_name(request->name))
        return refuse(call, GH_IDENTITY_INVALID, "name: at most 100 characters, no control ones");
    enum gh_identity_result result =
        gh_password_judge(call, request->password, up->from.email, request->name);
    if (result != GH_IDENTITY_OK)
        return result;
    up->from.name = request->name;
    up->from.roles = call->settings->default_roles;
    up->from.email_verified = !call->settings->verify_email;
    up->from.password_hash = gh_password_make(call, request->password);
    if (!up->from.password_hash.ptr || !gh_new_account_prepare(call, &up->from, &up->account))
        return GH_IDENTITY_UNAVAILABLE;
    return GH_IDENTITY_OK;
}

enum gh_identity_result gh_sign_up(struct gh_identity_call *call, const struct gh_sign_up *request,
                                   struct gh_account_view *out_view)
{
    struct sign_up up = {.call = call};
    struct gh_account_view view;
    enum gh_identity_result result = prepare_sign_up(call, request, &up);
    if (result == GH_IDENTITY_OK)
        result = gh_identity_run(call, sign_up_unit, &up);
    if (result != GH_IDENTITY_OK)
        return result;
    if (call->settings->verify_email) {
        *out_view = (struct gh_account_view){.id = {.text = ""}};
        return GH_IDENTITY_OK;
    }
    if (up.taken)
        return GH_IDENTITY_EMAIL_TAKEN;
    if (!gh_account_view_of(call, &up.account, &view))
        return GH_IDENTITY_UNAVAILABLE;
    *out_view = view;
    return GH_IDENTITY_OK;
}

/* ---- Confirming an address ---- */

struct confirming {
    struct gh_identity_call *call;
    struct gh_str token;
    struct gh_revoked revoked;
    enum gh_identity_result result;
};

static enum gh_err confirm_new(struct gh_tx *tx, struct confirming *confirming,
                               struct gh_account *account, struct gh_str data)
{
    struct gh_str id = gh_id_str(&account->id);
    enum gh_err err = gh_claim_settle(tx, confirming->call, data, account);
    if (!account->email_verified_us)
        account->email_verified_us = confirming->call->now_us;
    if (err == GH_OK)
        err = tx->ops->account_update(tx, account);
    if (err == GH_OK)
        err = tx->ops->tickets_delete_of(tx, id, GH_TICKET_CONFIRM_EMAIL);
    return err;
}

/* Access tokens name the old address, so sessions get new ids; links that went to the old address
   die with it. */
static enum gh_err confirm_change(struct gh_tx *tx, struct confirming *confirming,
                                  struct gh_account *account, struct gh_str email)
{
    struct gh_identity_call *call = confirming->call;
    struct gh_str id = gh_id_str(&account->id);
    struct gh_account other;
    uint8_t index[GH_SHA256_BYTES];
    gh_address_index(call, email, index);
    enum gh_err err = tx->ops->account_by_email(tx, index, &other);
    if (err == GH_OK && !gh_str_eq(gh_id_str(&other.id), id)) {
        confirming->result = GH_IDENTITY_BAD_TOKEN; /* somebody has it by now */
        return GH_OK;
    }
    if (err != GH_OK && err != GH_ERR_NOT_FOUND)
        return err;
    memcpy(account->email_index, index, sizeof(index));
    account->email = gh_vault_seal(call->identity->vault, call->arena, "accounts.email", id, email);
    account->email_verified_us = call->now_us;
    err = account->email.ptr ? tx->ops->account_update(tx, account) : GH_ERR_MEMORY;
    if (err == GH_OK)
        err = tx->ops->tickets_delete_of(tx, id, GH_TICKET_CHANGE_EMAIL);
    if (err == GH_OK)
        err = tx->ops->tickets_delete_of(tx, id, GH_TICKET_RESET);
    if (err == GH_OK)
        err = gh_sessions_renew(tx, call, id, &confirming->revoked);
    return err;
}

static enum gh_err verify_unit(struct gh_tx *tx, void *args)
{
    struct confirming *confirming = args;
    struct gh_identity_call *call = confirming->call;
    struct gh_ticket ticket;
    struct gh_account account;
    confirming->result = GH_IDENTITY_OK;
    confirming->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = gh_ticket_find(tx, call, confirming->token, GH_TICKET_CONFIRM_EMAIL, &ticket);
    if (err == GH_ERR_NOT_FOUND)
        err = gh_ticket_find(tx, call, confirming->token, GH_TICKET_CHANGE_EMAIL, &ticket);
    if (err == GH_OK)
        err = tx->ops->account_by_id(tx, gh_id_str(&ticket.account), &account);
    if (err == GH_ERR_NOT_FOUND || (err == GH_OK && account.status == GH_ACCOUNT_DISABLED)) {
        confirming->result = GH_IDENTITY_BAD_TOKEN;
        return GH_OK;
    }
    if (err == GH_OK)
        err = ticket.purpose == GH_TICKET_CONFIRM_EMAIL
                  ? confirm_new(tx, confirming, &account, ticket.data)
                  : confirm_change(tx, confirming, &account, ticket.data);
    if (err != GH_OK || confirming->result != GH_IDENTITY_OK)
        return err;
    return gh_identity_audit(tx, call, GH_AUDIT_EMAIL_VERIFIED, GH_AUDIT_SUCCESS,
                             gh_id_str(&account.id), GH_STR(""));
}

enum gh_identity_result gh_email_verify(struct gh_identity_call *call, struct gh_str token)
{
    struct confirming confirming = {.call = call, .token = token};
    enum gh_identity_result result = gh_identity_run(call, verify_unit, &confirming);
    if (result == GH_IDENTITY_OK)
        result = confirming.result;
    if (result == GH_IDENTITY_OK)
        gh_sessions_revoked(call, &confirming.revoked);
    return result;
}

struct mailing {
    struct gh_identity_call *call;
    struct gh_str email, old_email;
};

/* Queued for everybody: whether there is somebody to write to is looked up when it is sent. */
static enum gh_err resend_unit(struct gh_tx *tx, void *args)
{
    struct mailing *mailing = args;
    return gh_outbox_put(tx, mailing->call, GH_MAIL_CONFIRM, GH_STR(""), mailing->email,
                         GH_STR(""));
}

enum gh_identity_result gh_email_resend(struct gh_identity_call *call, struct gh_str email)
{
    struct mailing mailing = {.call = call};
    if (!gh_email_normalise(call->arena, email, &mailing.email))
        return refuse(call, GH_IDENTITY_INVALID, "email: not an address");
    return gh_identity_run(call, resend_unit, &mailing);
}

/* ---- Another address ---- */

/* A taken address is not told: its link is not sent then (see outbox.c). */
static enum gh_err send_links(struct gh_tx *tx, struct gh_identity_call *call,
                              struct gh_account *account, enum gh_factor_used used, void *context)
{
    const struct mailing *mailing = context;
    struct gh_account_view view;
    struct gh_str id = gh_id_str(&account->id);
    (void)used;
    if (!gh_account_view_of(call, account, &view))
        return GH_ERR_INVALID;
    enum gh_err err = tx->ops->tickets_delete_of(tx, id, GH_TICKET_CHANGE_EMAIL);
    if (err == GH_OK)
        err = gh_outbox_put(tx, call, GH_MAIL_CHANGE_CONFIRM, id, mailing->email, mailing->email);
    if (err == GH_OK)
        err = gh_outbox_put(tx, call, GH_MAIL_CHANGE_NOTICE, id, view.email, GH_STR(""));
    if (err == GH_OK)
        err = gh_identity_audit(tx, call, GH_AUDIT_PROFILE_UPDATED, GH_AUDIT_SUCCESS, id,
                                GH_STR("{\"fields\":[\"email\"]}"));
    return err;
}

enum gh_identity_result gh_email_change(struct gh_identity_call *call, struct gh_str password,
                                        struct gh_str email)
{
    struct mailing mailing = {.call = call};
    if (!gh_email_normalise(call->arena, email, &mailing.email))
        return refuse(call, GH_IDENTITY_INVALID, "email: not an address");
    struct gh_assurance assurance = {.password = password,
                                     .code_refused = GH_AUDIT_TWO_FACTOR_FAILED,
                                     .then = send_links,
                                     .context = &mailing};
    return gh_assure(call, &assurance);
}

/* ---- Profile ---- */

struct profile {
    struct gh_identity_call *call;
    struct gh_str name, locale; /* ptr NULL: as it is */
    struct gh_account_view view;
    enum gh_identity_result result;
};

/* NOT_FOUND when it was removed meanwhile. */
static enum gh_err find_own(struct gh_tx *tx, struct profile *profile, struct gh_account *out)
{
    profile->result = GH_IDENTITY_OK;
    enum gh_err err = tx->ops->account_by_id(tx, profile->call->subject->id, out);
    if (err == GH_ERR_NOT_FOUND)
        profile->result = GH_IDENTITY_NOT_FOUND;
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static enum gh_err get_unit(struct gh_tx *tx, void *args)
{
    struct profile *profile = args;
    struct gh_account account;
    enum gh_err err = find_own(tx, profile, &account);
    if (err != GH_OK || profile->result != GH_IDENTITY_OK)
        return err;
    return gh_account_view_of(profile->call, &account, &profile->view) ? GH_OK : GH_ERR_INVALID;
}

enum gh_identity_result gh_account_get(struct gh_identity_call *call,
                                       struct gh_account_view *out_view)
{
    struct profile profile = {.call = call};
    enum gh_identity_result result = gh_identity_read(call, get_unit, &profile);
    if (result == GH_IDENTITY_OK)
        result = profile.result;
    if (result == GH_IDENTITY_OK)
        *out_view = profile.view;
    return result;
}

static enum gh_err store_profile(struct gh_tx *tx, struct profile *profile,
                                 struct gh_account *account, const char *fields)
{
    const struct gh_identity_call *call = profile->call;
    struct gh_str id = gh_id_str(&account->id);
    if (profile->name.ptr)
        account->name =
            gh_vault_seal(call->identity->vault, call->arena, "accounts.name", id, profile->name);
    if (profile->locale.ptr)
        account->locale = profile->locale;
    struct gh_str metadata = gh_arena_format(call->arena, "{\"fields\":[%s]}", fields);
    if (!account->name.ptr || !metadata.ptr)
        return GH_ERR_MEMORY;
    enum gh_err err = tx->ops->account_update(tx, account);
    if (err == GH_OK)
        err = gh_identity_audit(tx, call, GH_AUDIT_PROFILE_UPDATED, GH_AUDIT_SUCCESS, id, metadata);
    if (err == GH_OK && !gh_account_view_of(call, account, &profile->view))
        err = GH_ERR_INVALID;
    return err;
}

static enum gh_err update_unit(struct gh_tx *tx, void *args)
{
    struct profile *profile = args;
    struct gh_account account;
    enum gh_err err = find_own(tx, profile, &account);
    if (err != GH_OK || profile->result != GH_IDENTITY_OK)
        return err;
    if (!gh_account_view_of(profile->call, &account, &profile->view))
        return GH_ERR_INVALID;
    bool name = profile->name.ptr && !gh_str_eq(profile->name, profile->view.name);
    bool locale = profile->locale.ptr && !gh_str_eq(profile->locale, profile->view.locale);
    if (!name && !locale)
        return GH_OK;
    return store_profile(tx, profile, &account,
                         name && locale ? "\"name\",\"locale\""
                         : name         ? "\"name\""
                                        : "\"locale\"");
}

enum gh_identity_result gh_profile_update(struct gh_identity_call *call, struct gh_str name,
                                          struct gh_str locale, struct gh_account_view *out_view)
{
    struct profile profile = {.call = call, .name = name, .locale = locale};
    if (!is_name(name))
        return refuse(call, GH_IDENTITY_INVALID, "name: at most 100 characters, no control ones");
    if (!is_locale(locale))
        return refuse(call, GH_IDENTITY_INVALID, "locale: not a language tag");
    enum gh_identity_result result = gh_identity_run(call, update_unit, &profile);
    if (result == GH_IDENTITY_OK)
        result = profile.result;
    if (result == GH_IDENTITY_OK)
        *out_view = profile.view;
    return result;
}

/* ---- Removal ---- */

struct removal {
    struct gh_identity_call *call;
    struct gh_revoked revoked;
    bool last;
};

/* The mail hangs on no account: the account's mails go with it. */
static enum gh_err remove_account(struct gh_tx *tx, struct gh_identity_call *call,
                                  struct gh_account *account, enum gh_factor_used used,
                                  void *context)
{
    struct removal *removal = context;
    struct gh_account_view view;
    struct gh_str id = gh_id_str(&account->id), metadata = gh_metadata_by(call);
    (void)used;
    removal->revoked = (struct gh_revoked){.count = 0};
    removal->last = false;
    enum gh_err err = gh_admin_is_last(tx, call, account, &removal->last);
    if (err != GH_OK || removal->last)
        return err;
    if (!metadata.ptr || !gh_account_view_of(call, account, &view))
        return GH_ERR_INVALID;
    err = gh_sessions_revoke(tx, call, id, GH_STR(""), "account_deleted", &removal->revoked);
    if (err == GH_OK)
        err = tx->ops->account_delete(tx, id);
    if (err == GH_OK)
        err = gh_outbox_put(tx, call, GH_MAIL_DELETED, GH_STR(""), view.email, GH_STR(""));
    if (err == GH_OK)
        err = gh_identity_audit_gone(tx, call, GH_AUDIT_ACCOUNT_DELETED, id, metadata);
    return err;
}

enum gh_identity_result gh_account_remove(struct gh_identity_call *call, struct gh_str password,
                                          struct gh_str code)
{
    struct removal removal = {.call = call};
    struct gh_assurance assurance = {
        .password = password,
        .code = code,
        .needs_code = true,
        .code_refused = GH_AUDIT_TWO_FACTOR_FAILED,
        .then = remove_account,
        .context = &removal,
    };
    enum gh_identity_result result = gh_assure(call, &assurance);
    if (result != GH_IDENTITY_OK)
        return result;
    if (removal.last)
        return refuse(call, GH_IDENTITY_CONFLICT, gh_admin_last_text);
    gh_sessions_revoked(call, &removal.revoked);
    gh_identity_forget(call->identity);
    return GH_IDENTITY_OK;
}

/* ---- One's own records ---- */

enum gh_identity_result gh_account_activity(struct gh_identity_call *call, uint64_t before,
                                            size_t limit, struct gh_audit_entries *out_entries)
{
    struct gh_audit_query query = {
        .every_chain = true, .user_id = call->subject->id, .before_seq = before, .limit = limit};
    if (!limit || limit > ACTIVITY_MAX)
        return refuse(call, GH_IDENTITY_INVALID, "limit: 1 to 200");
    return gh_audit_log_page(call->identity, call->arena, &query, out_entries) == GH_OK
               ? GH_IDENTITY_OK
               : GH_IDENTITY_UNAVAILABLE;
}

/* ---- For the files of identity ---- */

enum gh_identity_result gh_account_confirm(struct gh_identity_call *call, struct gh_str password,
                                           struct gh_str code)
{
    struct gh_assurance assurance = {.password = password,
                                     .code = code,
                                     .needs_code = true,
                                     .code_refused = GH_AUDIT_TWO_FACTOR_FAILED};
    return gh_assure(call, &assurance);
}

enum gh_identity_result gh_account_confirm_password(struct gh_identity_call *call,
                                                    struct gh_str password)
{
    struct gh_assurance assurance = {.password = password,
                                     .code_refused = GH_AUDIT_TWO_FACTOR_FAILED};
    return gh_assure(call, &assurance);
}
