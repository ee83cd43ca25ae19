/* Accounts that come from outside of sign-up: the first admin, and those of `user add`. */
#include "identity/admin.h"

#include "identity/metadata.h"
#include "identity/new_account.h"
#include "identity/outbox.h"
#include "identity/passwords.h"
#include "identity/ticket.h"

#define DAY_US ((uint64_t)24 * 60 * 60 * 1000000)

/* ---- The setup token ---- */

struct setup_token {
    struct gh_identity_call *call;
    struct gh_str token; /* ptr NULL: none is needed */
};

/* A token of an earlier start ends in any case. */
static enum gh_err replace_setup_token(struct gh_tx *tx, void *args)
{
    struct setup_token *setup = args;
    struct gh_ticket_request request = {
        .purpose = GH_TICKET_SETUP, .account = GH_STR(""), .data = GH_STR(""), .life_us = DAY_US};
    uint64_t admins = 0;
    setup->token = (struct gh_str){NULL, 0};
    enum gh_err err = tx->ops->account_count(tx, GH_STR("admin"), &admins);
    if (err != GH_OK)
        return err;
    return admins ? tx->ops->tickets_delete_of(tx, GH_STR(""), GH_TICKET_SETUP)
                  : gh_ticket_issue(tx, setup->call, &request, &setup->token);
}

enum gh_identity_result gh_setup_token(struct gh_identity_call *call, struct gh_str *out_token)
{
    struct setup_token setup = {.call = call};
    enum gh_identity_result result = gh_identity_run(call, replace_setup_token, &setup);
    if (result == GH_IDENTITY_OK)
        *out_token = setup.token;
    return result;
}

/* ---- The first admin ---- */

struct first_admin {
    struct gh_identity_call *call;
    struct gh_str token;
    struct gh_new_account from;
    struct gh_account account;
    enum gh_identity_result result;
};

/* *out_good: the token is that of a setup, in time, and there is no admin yet. */
static enum gh_err judge_setup(struct gh_tx *tx, struct first_admin *first, bool *out_good)
{
    struct gh_ticket ticket;
    uint64_t admins = 0;
    *out_good = false;
    enum gh_err err = gh_ticket_find(tx, first->call, first->token, GH_TICKET_SETUP, &ticket);
    if (err != GH_OK) {
        first->result = GH_IDENTITY_BAD_TOKEN;
        return err == GH_ERR_NOT_FOUND ? GH_OK : err;
    }
    err = tx->ops->account_count(tx, GH_STR("admin"), &admins);
    if (err != GH_OK)
        return err;
    if (admins) {
        first->call->why = "there is an admin already";
        first->result = GH_IDENTITY_CONFLICT;
        return GH_OK;
    }
    first->result = GH_IDENTITY_OK;
    *out_good = true;
    return GH_OK;
}

/* Before the password is hashed: strangers must not make us work. */
static enum gh_err look_at_setup(struct gh_tx *tx, void *args)
{
    bool good;
    return judge_setup(tx, args, &good);
}

static enum gh_err make_first_admin(struct gh_tx *tx, void *args)
{
    struct first_admin *first = args;
    bool good;
    enum gh_err err = judge_setup(tx, first, &good);
    if (err != GH_OK || !good)
        return err;
    err = gh_new_account_insert(tx, first->call, &first->from, &first->account);
    if (err == GH_ERR_EXISTS)
        first->result = GH_IDENTITY_EMAIL_TAKEN;
    if (err == GH_OK)
        err = tx->ops->tickets_delete_of(tx, GH_STR(""), GH_TICKET_SETUP);
    return err;
}

/* Runs a unit whose own result is *own: GH_ERR_EXISTS rolls back, and is told there. */
static enum gh_identity_result run_insert(struct gh_identity_call *call, gh_store_unit *unit,
                                          void *args, const enum gh_identity_result *own)
{
    enum gh_identity_result result = gh_identity_run(call, unit, args);
    return result == GH_IDENTITY_OK || *own == GH_IDENTITY_EMAIL_TAKEN ? *own : result;
}

enum gh_identity_result gh_setup_admin(struct gh_identity_call *call, struct gh_str token,
                                       struct gh_str email, struct gh_str password,
                                       struct gh_account_view *out_user)
{
    struct first_admin first = {.call = call, .token = token};
    enum gh_identity_result result = gh_identity_read(call, look_at_setup, &first);
    if (result != GH_IDENTITY_OK || first.result != GH_IDENTITY_OK)
        return result != GH_IDENTITY_OK ? result : first.result;
    first.from = (struct gh_new_account){
        .name = GH_STR(""),
        .totp_secret = GH_STR(""),
        .roles = call->settings->default_roles | call->settings->admin,
        .email_verified = true,
        .changed_by = "setup",
    };
    if (!gh_email_normalise(call->arena, email, &first.from.email)) {
        call->why = "email: not an address";
        return GH_IDENTITY_INVALID;
    }
    result = gh_password_judge(call, password, first.from.email, GH_STR(""));
    if (result != GH_IDENTITY_OK)
        return result;
    first.from.password_hash = gh_password_make(call, password);
    if (!first.from.password_hash.ptr || !gh_new_account_prepare(call, &first.from, &first.account))
        return GH_IDENTITY_UNAVAILABLE;
    result = run_insert(call, make_first_admin, &first, &first.result);
    if (result == GH_IDENTITY_OK && !gh_account_view_of(call, &first.account, out_user))
        return GH_IDENTITY_UNAVAILABLE;
    return result;
}

/* ---- user add ---- */

struct adding {
    struct gh_identity_call *call;
    struct gh_new_account from;
    struct gh_account account;
    enum gh_identity_result result;
};

static enum gh_err add(struct gh_tx *tx, void *args)
{
    struct adding *adding = args;
    adding->result = GH_IDENTITY_OK;
    enum gh_err err = gh_new_account_insert(tx, adding->call, &adding->from, &adding->account);
    if (err == GH_ERR_EXISTS)
        adding->result = GH_IDENTITY_EMAIL_TAKEN;
    if (err == GH_OK && !adding->from.password_hash.len)
        err = gh_outbox_put(tx, adding->call, GH_MAIL_RESET, gh_id_str(&adding->account.id),
                            adding->from.email, GH_STR(""));
    return err;
}

enum gh_identity_result gh_user_add(struct gh_identity_call *call, struct gh_str email,
                                    struct gh_str password, gh_roles roles,
                                    struct gh_account_view *out_user)
{
    struct adding adding = {.call = call,
                            .from = {.name = GH_STR(""),
                                     .totp_secret = GH_STR(""),
                                     .password_hash = GH_STR(""),
                                     .roles = roles ? roles : call->settings->default_roles,
                                     .email_verified = true}};
    if (!gh_email_normalise(call->arena, email, &adding.from.email)) {
        call->why = "email: not an address";
        return GH_IDENTITY_INVALID;
    }
    if (password.ptr) {
        enum gh_identity_result judged =
            gh_password_judge(call, password, adding.from.email, GH_STR(""));
        if (judged != GH_IDENTITY_OK)
            return judged;
        adding.from.password_hash = gh_password_make(call, password);
    }
    if (!adding.from.password_hash.ptr ||
        !gh_new_account_prepare(call, &adding.from, &adding.account))
        return GH_IDENTITY_UNAVAILABLE;
    enum gh_identity_result result = run_insert(call, add, &adding, &adding.result);
    if (result == GH_IDENTITY_OK && !gh_account_view_of(call, &adding.account, out_user))
        return GH_IDENTITY_UNAVAILABLE;
    return result;
}

/* ---- A link for the operator to hand on ---- */

struct linking {
    struct gh_identity_call *call;
    struct gh_str id, token;
    enum gh_identity_result result;
};

static enum gh_err replace_reset(struct gh_tx *tx, void *args)
{
    struct linking *linking = args;
    struct gh_account account;
    struct gh_ticket_request request = {
        .purpose = GH_TICKET_RESET, .account = linking->id, .data = GH_STR(""), .life_us = DAY_US};
    linking->result = GH_IDENTITY_OK;
    enum gh_err err = tx->ops->account_by_id(tx, linking->id, &account);
    if (err == GH_ERR_NOT_FOUND) {
        linking->result = GH_IDENTITY_NOT_FOUND;
        return GH_OK;
    }
    if (err == GH_OK)
        err = gh_ticket_issue(tx, linking->call, &request, &linking->token);
    struct gh_str metadata = gh_metadata_by(linking->call);
    if (err == GH_OK && !metadata.ptr)
        err = GH_ERR_MEMORY;
    return err == GH_OK ? gh_identity_audit(tx, linking->call, GH_AUDIT_PASSWORD_RESET_REQUEST,
                                            GH_AUDIT_SUCCESS, linking->id, metadata)
                        : err;
}

enum gh_identity_result gh_user_setup_link(struct gh_identity_call *call, struct gh_str id,
                                           struct gh_str *out_link)
{
    struct linking linking = {.call = call, .id = id};
    enum gh_identity_result result = gh_identity_run(call, replace_reset, &linking);
    if (result == GH_IDENTITY_OK)
        result = linking.result;
    if (result != GH_IDENTITY_OK)
        return result;
    struct gh_str link = gh_outbox_link(call, GH_MAIL_RESET, linking.token);
    if (!link.ptr)
        return GH_IDENTITY_UNAVAILABLE;
    *out_link = link;
    return GH_IDENTITY_OK;
}
