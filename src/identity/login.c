/*
 * Signing in. What must not be told apart from outside goes one way here: unknown, wrong, disabled
 * and unconfirmed each read once, hash once, unknown at the cost of some account, and write the
 * same rows once.
 */
#include "identity/login.h"

#include "identity/address.h"
#include "identity/assurance.h"
#include "identity/passwords.h"
#include "identity/sessions.h"
#include "identity/throttle.h"
#include "identity/ticket.h"
#include "identity/two_factor.h"

#define EMAIL_BYTES_MAX 254
#define REMEMBER_DATA   GH_STR("remember")

/* ---- A success ---- */

/* Somebody who has shown who they are: what is written, and what comes back. */
struct entry {
    struct gh_identity_call *call;
    struct gh_str email;
    struct gh_throttle_keys keys;
    bool known_device, remember;
    const char *method; /* "password", "totp", "recovery" */
    struct gh_session_grant grant;
    struct gh_revoked revoked; /* older sessions, if there were too many */
};

#define DEVICES_MAX 100

/* Forgets the oldest devices of an account that has as many as it may. */
static enum gh_err make_room(struct gh_tx *tx, const struct gh_id *account)
{
    struct gh_device_row *rows; /* newest first */
    size_t count;
    enum gh_err err = tx->ops->devices_of(tx, gh_id_str(account), &rows, &count);
    for (size_t i = DEVICES_MAX - 1; err == GH_OK && i < count; i++)
        err = tx->ops->device_delete(tx, rows[i].hash);
    return err;
}

/* A device that is known keeps its cookie and its first day. */
static enum gh_err put_device(struct gh_tx *tx, struct entry *entry,
                              const struct gh_account *account)
{
    const struct gh_identity_call *call = entry->call;
    struct gh_device_row row;
    struct gh_str cookie =
        entry->known_device ? call->device : gh_device_cookie_make(call, entry->email);
    struct gh_str agent = gh_str_first(call->user_agent, GH_AUDIT_USER_AGENT_BYTES_MAX);
    uint8_t hash[GH_SHA256_BYTES];
    if (!cookie.ptr)
        return GH_ERR_MEMORY;
    gh_sha256(cookie, hash);
    enum gh_err err = tx->ops->device_get(tx, hash, &row);
    if (err == GH_ERR_NOT_FOUND) {
        row = (struct gh_device_row){.created_us = call->now_us};
        err = make_room(tx, &account->id);
    }
    if (err != GH_OK)
        return err;
    memcpy(row.hash, hash, sizeof(hash));
    row.account = account->id;
    row.last_used_us = call->now_us;
    row.label = gh_vault_seal(call->identity->vault, call->arena, "devices.label",
                              gh_id_str(&account->id), agent);
    if (!row.label.ptr)
        return GH_ERR_MEMORY;
    entry->grant.device = entry->known_device ? (struct gh_str){NULL, 0} : cookie;
    return tx->ops->device_put(tx, &row);
}

static enum gh_err audit_login(struct gh_tx *tx, const struct entry *entry)
{
    const struct gh_identity_call *call = entry->call;
    const struct gh_session_grant *grant = &entry->grant;
    struct gh_str metadata = gh_arena_format(call->arena, "{\"method\":\"%s\",\"new_device\":%s}",
                                             entry->method, entry->known_device ? "false" : "true");
    if (!metadata.ptr)
        return GH_ERR_MEMORY;
    return gh_identity_audit_session(tx, call, GH_AUDIT_LOGIN, GH_AUDIT_SUCCESS,
                                     gh_id_str(&grant->account.id), gh_id_str(&grant->session_id),
                                     metadata);
}

static enum gh_err enter(struct gh_tx *tx, struct entry *entry, struct gh_account *account,
                         bool two_factor)
{
    struct gh_session_open open = {
        .account = account, .two_factor = two_factor, .remember = entry->remember};
    account->last_login_us = entry->call->now_us;
    entry->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = tx->ops->account_update(tx, account);
    if (err == GH_OK)
        err = gh_session_open(tx, entry->call, &open, &entry->revoked, &entry->grant);
    if (err == GH_OK)
        err = put_device(tx, entry, account);
    if (err == GH_OK)
        err = gh_throttle_succeeded(tx, entry->call, &entry->keys);
    return err == GH_OK ? audit_login(tx, entry) : err;
}

/* `since_us`: of the password; 0 while that isn't known, or nobody's. */
static void set_keys(struct entry *entry, struct gh_str email, uint64_t since_us)
{
    const struct gh_identity_call *call = entry->call;
    entry->email = email;
    entry->known_device = gh_device_cookie_is_of(call, call->device, email, since_us);
    gh_throttle_keys(call, email, entry->known_device, &entry->keys);
}

/* ---- The password ---- */

struct login {
    struct gh_identity_call *call;
    struct entry entry;
    uint8_t index[GH_SHA256_BYTES];
    bool found, admitted;
    struct gh_account account;   /* as it was read */
    struct gh_str upgraded_hash; /* ptr NULL: the old one stays */
    const char *verdict;         /* of judge() */
    const char *refusal;         /* that, or what the unit found; NULL: none */
    struct gh_str challenge;     /* ptr NULL: signed in without a second step */
};

static enum gh_err look(struct gh_tx *tx, void *args)
{
    struct login *login = args;
    enum gh_err err = tx->ops->account_by_email(tx, login->index, &login->account);
    login->found = err == GH_OK;
    if (err != GH_OK && err != GH_ERR_NOT_FOUND)
        return err;
    set_keys(&login->entry, login->entry.email,
             login->found ? login->account.password_changed_us : 0);
    login->admitted = gh_throttle_admits(tx, login->call, &login->entry.keys);
    return GH_OK;
}

/* Why not, for the audit log alone; NULL: come in. */
static const char *judge(const struct login *login, bool right_password)
{
    if (!login->found)
        return "unknown";
    if (!right_password)
        return "password";
    if (login->account.status == GH_ACCOUNT_DISABLED)
        return "disabled";
    if (login->call->settings->verify_email && !login->account.email_verified_us)
        return "unverified";
    if (login->call->wants_second_factor && !login->account.totp_enabled)
        return "second_factor";
    return NULL;
}

static enum gh_err refuse(struct gh_tx *tx, struct login *login)
{
    struct gh_identity_call *call = login->call;
    struct gh_str metadata = gh_login_failed_metadata(call, login->entry.email, login->refusal);
    if (!metadata.ptr)
        return GH_ERR_MEMORY;
    enum gh_err err = gh_throttle_failed(tx, call, &login->entry.keys);
    if (err == GH_OK)
        err =
            gh_identity_audit(tx, call, GH_AUDIT_LOGIN_FAILED, GH_AUDIT_FAILURE,
                              login->found ? gh_id_str(&login->account.id) : GH_STR(""), metadata);
    return err;
}

static enum gh_err ask_second_step(struct gh_tx *tx, struct login *login,
                                   const struct gh_account *account)
{
    struct gh_ticket_request request = {
        .purpose = GH_TICKET_CHALLENGE,
        .account = gh_id_str(&account->id),
        .data = login->entry.remember ? REMEMBER_DATA : GH_STR(""),
        .life_us = GH_CHALLENGE_LIFE_US,
    };
    enum gh_err err = GH_OK;
    if (login->upgraded_hash.ptr)
        err = tx->ops->account_update(tx, account);
    return err == GH_OK ? gh_ticket_issue(tx, login->call, &request, &login->challenge) : err;
}

/* What was verified outside may be over by now: removed, disabled, another password. */
static enum gh_err admit(struct gh_tx *tx, struct login *login)
{
    struct gh_account account;
    enum gh_err err = tx->ops->account_by_id(tx, gh_id_str(&login->account.id), &account);
    if (err != GH_OK && err != GH_ERR_NOT_FOUND)
        return err;
    if (err == GH_ERR_NOT_FOUND || account.status == GH_ACCOUNT_DISABLED ||
        (login->call->wants_second_factor && !account.totp_enabled) ||
        account.password_changed_us != login->account.password_changed_us) {
        login->refusal = "password";
        return refuse(tx, login);
    }
    if (login->upgraded_hash.ptr)
        account.password_hash = login->upgraded_hash;
    return account.totp_enabled ? ask_second_step(tx, login, &account)
                                : enter(tx, &login->entry, &account, false);
}

static enum gh_err finish(struct gh_tx *tx, void *args)
{
    struct login *login = args;
    /* Nothing of a run that came to nothing. */
    login->refusal = login->verdict;
    login->challenge = (struct gh_str){NULL, 0};
    login->entry.grant = (struct gh_session_grant){.access_s = 0};
    login->entry.revoked = (struct gh_revoked){.count = 0};
    /* Others may have guessed while this password was hashed, here or on another node: who comes
       too late is not told whether it was the right one. */
    login->admitted = gh_throttle_admits(tx, login->call, &login->entry.keys);
    if (!login->admitted)
        return GH_OK;
    return login->refusal ? refuse(tx, login) : admit(tx, login);
}

/* An address that can't be one is looked for and counted all the same. */
static void set_address(struct login *login, struct gh_str email)
{
    struct gh_str normalised;
    if (!gh_email_normalise(login->call->arena, email, &normalised))
        normalised = gh_str_first(email, EMAIL_BYTES_MAX);
    gh_address_index(login->call, normalised, login->index);
    set_keys(&login->entry, normalised, 0);
}

enum gh_identity_result gh_login(struct gh_identity_call *call, const struct gh_login *request,
                                 struct gh_login_answer *out_answer)
{
    struct login login = {.call = call, .entry = {.call = call, .method = "password"}};
    bool upgrade;
    login.entry.remember = request->remember;
    set_address(&login, request->email);
    struct gh_str key = gh_str_of((const char *)login.entry.keys.account, 16);
    if (!gh_identity_take_quota(call, "login_account", key))
        return GH_IDENTITY_THROTTLED;
    enum gh_identity_result result = gh_identity_read(call, look, &login);
    if (result != GH_IDENTITY_OK)
        return result;
    if (!login.admitted)
        return GH_IDENTITY_THROTTLED;
    struct gh_str hash = login.found ? login.account.password_hash : GH_STR("");
    enum gh_err err = gh_password_check(call, login.index, hash, request->password, &upgrade);
    if (err == GH_ERR_MEMORY) /* for known and unknown alike; nobody's failure */
        return GH_IDENTITY_UNAVAILABLE;
    login.verdict = judge(&login, err == GH_OK);
    if (!login.verdict && upgrade)
        login.upgraded_hash = gh_password_make(call, request->password);
    result = gh_identity_run(call, finish, &login);
    if (result != GH_IDENTITY_OK)
        return result;
    if (!login.admitted)
        return GH_IDENTITY_THROTTLED;
    if (login.refusal)
        return GH_IDENTITY_BAD_CREDENTIALS;
    gh_sessions_revoked(call, &login.entry.revoked);
    *out_answer = (struct gh_login_answer){.two_factor_required = login.challenge.ptr != NULL,
                                           .challenge = login.challenge,
                                           .grant = login.entry.grant};
    return GH_IDENTITY_OK;
}

/* ---- The second step ---- */

struct second_step {
    struct gh_identity_call *call;
    struct gh_str challenge, code;
    struct entry entry;
    struct gh_ticket ticket;
    struct gh_account account;
    enum gh_identity_result result;
};

/* The challenge, its account, and whether it may be tried now: in each of both units. */
static enum gh_err find_challenge(struct gh_tx *tx, struct second_step *step)
{
    struct gh_identity_call *call = step->call;
    struct gh_account_view view;
    step->result = GH_IDENTITY_OK;
    enum gh_err err = gh_ticket_find(tx, call, step->challenge, GH_TICKET_CHALLENGE, &step->ticket);
    if (err == GH_OK)
        err = tx->ops->account_by_id(tx, gh_id_str(&step->ticket.account), &step->account);
    if (err == GH_ERR_NOT_FOUND || (err == GH_OK && (step->account.status == GH_ACCOUNT_DISABLED ||
                                                     !step->account.totp_enabled))) {
        step->result = GH_IDENTITY_BAD_TOKEN;
        return GH_OK;
    }
    if (err != GH_OK)
        return err;
    if (!gh_account_view_of(call, &step->account, &view))
        return GH_ERR_INVALID;
    set_keys(&step->entry, view.email, step->account.password_changed_us);
    if (!gh_throttle_admits(tx, call, &step->entry.keys))
        step->result = GH_IDENTITY_THROTTLED;
    return GH_OK;
}

static enum gh_err look_at_challenge(struct gh_tx *tx, void *args)
{
    return find_challenge(tx, args);
}

static enum gh_err refuse_code(struct gh_tx *tx, struct second_step *step)
{
    step->result = GH_IDENTITY_BAD_CODE;
    enum gh_err err = gh_ticket_missed(tx, &step->ticket, GH_CHALLENGE_TRIES);
    if (err == GH_OK)
        err = gh_throttle_failed(tx, step->call, &step->entry.keys);
    if (err == GH_OK)
        err = gh_identity_audit(tx, step->call, GH_AUDIT_TWO_FACTOR_FAILED, GH_AUDIT_FAILURE,
                                gh_id_str(&step->account.id), GH_STR("{\"reason\":\"login\"}"));
    return err;
}

static enum gh_err take_step(struct gh_tx *tx, void *args)
{
    struct second_step *step = args;
    enum gh_factor_used used = GH_FACTOR_NONE;
    enum gh_err err = find_challenge(tx, step);
    if (err != GH_OK || step->result != GH_IDENTITY_OK)
        return err;
    err = gh_two_factor_take(tx, step->call, &step->account, step->code, &used);
    if (err != GH_OK)
        return err;
    if (used == GH_FACTOR_NONE)
        return refuse_code(tx, step);
    step->entry.method = used == GH_FACTOR_TOTP ? "totp" : "recovery";
    step->entry.remember = gh_str_eq(step->ticket.data, REMEMBER_DATA);
    err = tx->ops->ticket_delete(tx, step->ticket.hash);
    return err == GH_OK ? enter(tx, &step->entry, &step->account, true) : err;
}

enum gh_identity_result gh_login_second_step(struct gh_identity_call *call, struct gh_str challenge,
                                             struct gh_str code, struct gh_session_grant *out_grant)
{
    struct second_step step = {
        .call = call, .challenge = challenge, .code = code, .entry = {.call = call}};
    enum gh_identity_result result = gh_identity_read(call, look_at_challenge, &step);
    if (result == GH_IDENTITY_OK)
        result = step.result;
    if (result != GH_IDENTITY_OK)
        return result;
    if (!gh_identity_take_quota(call, "two_factor", gh_id_str(&step.account.id)))
        return GH_IDENTITY_THROTTLED;
    result = gh_identity_run(call, take_step, &step);
    if (result == GH_IDENTITY_OK)
        result = step.result;
    if (result != GH_IDENTITY_OK)
        return result;
    gh_sessions_revoked(call, &step.entry.revoked);
    *out_grant = step.entry.grant;
    return GH_IDENTITY_OK;
}

/* ---- Step-up ---- */

struct step_up {
    struct gh_revoked revoked;
    struct gh_session_grant grant;
    bool ended;
};

static enum gh_err confirm_session(struct gh_tx *tx, struct gh_identity_call *call,
                                   struct gh_account *account, enum gh_factor_used used,
                                   void *context)
{
    struct step_up *up = context;
    const char *method = used == GH_FACTOR_NONE   ? "password"
                         : used == GH_FACTOR_TOTP ? "totp"
                                                  : "recovery";
    up->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err =
        gh_session_confirm(tx, call, account, used != GH_FACTOR_NONE, &up->revoked, &up->grant);
    up->ended = err == GH_ERR_NOT_FOUND;
    if (err != GH_OK)
        return up->ended ? GH_OK : err;
    struct gh_str metadata = gh_arena_format(
        call->arena, "{\"method\":\"%s\",\"new_device\":false,\"step_up\":true}", method);
    if (!metadata.ptr)
        return GH_ERR_MEMORY;
    return gh_identity_audit_session(tx, call, GH_AUDIT_LOGIN, GH_AUDIT_SUCCESS,
                                     gh_id_str(&account->id), gh_id_str(&up->grant.session_id),
                                     metadata);
}

enum gh_identity_result gh_step_up(struct gh_identity_call *call, struct gh_str password,
                                   struct gh_str code, struct gh_session_grant *out_grant)
{
    struct step_up up = {.ended = false};
    struct gh_assurance assurance = {
        .password = password,
        .code = code,
        .code_refused = GH_AUDIT_LOGIN_FAILED,
        .then = confirm_session,
        .context = &up,
    };
    if (!password.ptr == !code.ptr) {
        call->why = "either the password or a code is needed";
        return GH_IDENTITY_INVALID;
    }
    if (!gh_identity_take_quota(call, "two_factor", call->subject->id))
        return GH_IDENTITY_THROTTLED;
    enum gh_identity_result result = gh_assure(call, &assurance);
    if (result != GH_IDENTITY_OK)
        return result;
    if (up.ended)
        return GH_IDENTITY_SESSION_ENDED;
    gh_sessions_revoked(call, &up.revoked);
    *out_grant = up.grant;
    return GH_IDENTITY_OK;
}
