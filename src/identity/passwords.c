#include "identity/passwords.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "identity/account.h"
#include "identity/breach.h"
#include "identity/address.h"
#include "identity/metadata.h"
#include "identity/outbox.h"
#include "identity/sessions.h"
#include "identity/throttle.h"
#include "identity/ticket.h"
#include "identity/url.h"
#include "json/writer.h"

/* Guesses as a power of ten under which a password is refused: where zxcvbn's scale says "safely
   unguessable" (3 of 4), which a throttled attacker never gets near, and one with a stolen slow
   hash only at some cost. */
#define GUESSES_LOG10_MIN  8.0
#define METADATA_BYTES_MAX 2048

/* ---- What is accepted ---- */

/* Code points; false: not UTF-8, or with control characters. */
static bool count_characters(struct gh_str text, uint64_t *out_count)
{
    uint64_t count = 0;
    for (size_t len; text.len; text = gh_str_skip(text, len), count++) {
        unsigned char first = (unsigned char)text.ptr[0];
        len = gh_utf8_sequence_len(text);
        bool c1 = len == 2 && first == 0xc2 && (unsigned char)text.ptr[1] < 0xa0;
        if (!len || first < 0x20 || first == 0x7f || c1)
            return false;
    }
    *out_count = count;
    return true;
}

static enum gh_identity_result refuse(struct gh_identity_call *call, const char *why)
{
    call->why = why;
    return GH_IDENTITY_WEAK_PASSWORD;
}

static enum gh_identity_result refuse_length(struct gh_identity_call *call, const char *which,
                                             uint64_t bound)
{
    struct gh_str why = gh_arena_format(call->arena, "the password must have at %s %llu characters",
                                        which, (unsigned long long)bound);
    return refuse(call, why.ptr ? why.ptr : "the password is too short or too long");
}

static enum gh_identity_result judge_form(struct gh_identity_call *call, struct gh_str password)
{
    const struct gh_identity_settings *settings = call->settings;
    uint64_t characters;
    if (!count_characters(password, &characters))
        return refuse(call, "the password has control characters in it");
    if (characters < settings->passwords.min_length)
        return refuse_length(call, "least", settings->passwords.min_length);
    if (characters > settings->passwords.max_length)
        return refuse_length(call, "most", settings->passwords.max_length);
    if (settings->passwords.hash == GH_PASSWORD_BCRYPT &&
        password.len > GH_BCRYPT_PASSWORD_BYTES_MAX)
        return refuse(call, "the password must not be longer than 72 bytes");
    return GH_IDENTITY_OK;
}

/* A service that fails has said nothing: people must be able to choose a password meanwhile. */
static bool is_breached(struct gh_identity_call *call, struct gh_str password)
{
    uint8_t digest[GH_SHA1_BYTES];
    bool found = false;
    if (!call->settings->passwords.breach.len)
        return false;
    gh_sha1(password, digest);
    return gh_breach_find(call, digest, &found) == GH_OK && found;
}

enum gh_identity_result gh_password_judge(struct gh_identity_call *call, struct gh_str password,
                                          struct gh_str email, struct gh_str name)
{
    enum gh_identity_result result = judge_form(call, password);
    if (result != GH_IDENTITY_OK)
        return result;
    struct gh_str own_words[] = {email, name, gh_url_host_of(call->settings->public_url)};
    struct gh_password_strength strength = gh_password_strength(password, own_words, 3);
    if (strength.is_common)
        return refuse(call, "the password is one of the most common ones");
    if (strength.guesses_log10 < GUESSES_LOG10_MIN)
        return refuse(call, "the password is too easy to guess: use more words or characters that "
                            "do not belong together, and nothing about yourself");
    if (is_breached(call, password))
        return refuse(call, "the password is known from a breach elsewhere: never use it again");
    return GH_IDENTITY_OK;
}

/* ---- Hashing ---- */

static struct gh_password_cost cost_of(const struct gh_identity_settings *settings)
{
    return (struct gh_password_cost){
        .scheme = settings->passwords.hash,
        .memory_bytes = settings->passwords.memory_bytes / 1024 * 1024, /* as hashes say it */
        .passes = (unsigned)settings->passwords.passes,
        .lanes = 1,
        .log_rounds = (unsigned)settings->passwords.log_rounds,
    };
}

struct gh_str gh_password_make(const struct gh_identity_call *call, struct gh_str password)
{
    char text[GH_PASSWORD_HASH_BYTES_MAX];
    struct gh_password_cost cost = cost_of(call->settings);
    if (gh_password_hash(&cost, password, text) != GH_OK)
        return (struct gh_str){NULL, 0};
    return gh_arena_dup(call->arena, gh_str_from_c(text));
}

static const char *argon2_name(enum gh_password_scheme scheme)
{
    return scheme == GH_PASSWORD_ARGON2I ? "argon2i" : "argon2id";
}

static bool is_of_cost(struct gh_str hash, const struct gh_password_cost *wanted)
{
    struct gh_password_cost cost;
    return gh_password_cost_of(hash, &cost) && gh_password_cost_eq(&cost, wanted);
}

/* A hash of nobody's password, so that verifying takes the same way as for those who are there.
 * Zero salt and zero digest: no password gives it but by a chance of 2^-184. */
static struct gh_str decoy(const struct gh_identity_call *call, const struct gh_password_cost *cost)
{
    static const char ZEROS[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static const char DOTS[] = ".....................................................";
    if (cost->scheme == GH_PASSWORD_BCRYPT)
        return gh_arena_format(call->arena, "$2b$%02u$%.53s", cost->log_rounds, DOTS);
    return gh_arena_format(
        call->arena, "$%s$v=19$m=%llu,t=%u,p=%u$%.22s$%.43s", argon2_name(cost->scheme),
        (unsigned long long)(cost->memory_bytes / 1024), cost->passes, cost->lanes, ZEROS, ZEROS);
}

enum gh_err gh_password_check(const struct gh_identity_call *call,
                              const uint8_t index[GH_SHA256_BYTES], struct gh_str hash,
                              struct gh_str password, bool *out_upgrade)
{
    struct gh_password_cost cost = cost_of(call->settings);
    struct gh_password_cost other = gh_hash_costs_pick(&call->identity->hash_costs, index, &cost);
    struct gh_str nobody = decoy(call, &other);
    *out_upgrade = false;
    if (!nobody.ptr)
        return GH_ERR_MEMORY;
    enum gh_err err = gh_password_verify(hash.len ? hash : nobody, password);
    if (err == GH_ERR_MEMORY)
        return err;
    GH_ASSERT(hash.len || err == GH_ERR_NOT_FOUND); /* else nothing was computed */
    if (err != GH_OK || !hash.len)
        return GH_ERR_NOT_FOUND;
    *out_upgrade = !is_of_cost(hash, &cost);
    return GH_OK;
}

/* ---- Change ---- */

struct change {
    struct gh_identity_call *call;
    struct gh_str hash;
    uint64_t changed_us; /* as it was when the current password was verified */
    struct gh_account_view view;
    struct gh_revoked revoked;
    enum gh_identity_result result;
};

/* What a new password takes with it: other sessions, half-done logins, links that were sent, that
   to another address too, which who knew the old password may have asked for; and known devices,
   whose cookies are older than it from now on. */
static enum gh_err store_password(struct gh_tx *tx, struct gh_identity_call *call,
                                  struct gh_account *account, struct gh_str hash)
{
    struct gh_str id = gh_id_str(&account->id);
    account->password_hash = hash;
    account->password_changed_us = call->now_us;
    enum gh_err err = tx->ops->account_update(tx, account);
    if (err == GH_OK)
        err = tx->ops->tickets_delete_of(tx, id, GH_TICKET_CHALLENGE);
    if (err == GH_OK)
        err = tx->ops->tickets_delete_of(tx, id, GH_TICKET_RESET);
    if (err == GH_OK)
        err = tx->ops->tickets_delete_of(tx, id, GH_TICKET_CHANGE_EMAIL);
    return err == GH_OK ? tx->ops->devices_delete_of(tx, id) : err;
}

static enum gh_err tell(struct gh_tx *tx, struct gh_identity_call *call,
                        const struct gh_account *account, struct gh_str metadata)
{
    struct gh_account_view view;
    struct gh_str id = gh_id_str(&account->id);
    if (!gh_account_view_of(call, account, &view))
        return GH_ERR_INVALID;
    enum gh_err err =
        gh_identity_audit(tx, call, GH_AUDIT_PASSWORD_CHANGE, GH_AUDIT_SUCCESS, id, metadata);
    if (err == GH_OK)
        err = gh_outbox_put(tx, call, GH_MAIL_PASSWORD_CHANGED, id, view.email, GH_STR(""));
    return err;
}

static enum gh_err look_before_change(struct gh_tx *tx, void *args)
{
    struct change *change = args;
    struct gh_account account;
    change->result = GH_IDENTITY_OK;
    enum gh_err err = tx->ops->account_by_id(tx, change->call->subject->id, &account);
    if (err == GH_ERR_NOT_FOUND) {
        change->result = GH_IDENTITY_NOT_FOUND;
        return GH_OK;
    }
    if (err != GH_OK)
        return err;
    change->changed_us = account.password_changed_us;
    return gh_account_view_of(change->call, &account, &change->view) ? GH_OK : GH_ERR_INVALID;
}

static enum gh_err change_unit(struct gh_tx *tx, void *args)
{
    struct change *change = args;
    struct gh_identity_call *call = change->call;
    struct gh_account account;
    struct gh_session_row own;
    change->result = GH_IDENTITY_OK;
    change->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = tx->ops->account_by_id(tx, call->subject->id, &account);
    /* Somebody else (a reset) was faster: what was verified is not the password any more. */
    if (err == GH_ERR_NOT_FOUND ||
        (err == GH_OK && account.password_changed_us != change->changed_us)) {
        change->result = GH_IDENTITY_BAD_CREDENTIALS;
        return GH_OK;
    }
    if (err == GH_OK)
        err = gh_session_own(tx, call, &account, &own);
    if (err == GH_ERR_NOT_FOUND) {
        change->result = GH_IDENTITY_SESSION_ENDED;
        return GH_OK;
    }
    if (err == GH_OK)
        err = store_password(tx, call, &account, change->hash);
    if (err == GH_OK)
        err = gh_sessions_revoke(tx, call, gh_id_str(&account.id), call->subject->session_id,
                                 "password_change", &change->revoked);
    if (err == GH_OK) {
        struct gh_str metadata = gh_metadata_by(call);
        err = metadata.ptr ? tell(tx, call, &account, metadata) : GH_ERR_MEMORY;
    }
    return err;
}

enum gh_identity_result gh_password_change(struct gh_identity_call *call, struct gh_str current,
                                           struct gh_str code, struct gh_str next)
{
    struct change change = {.call = call};
    enum gh_identity_result result = gh_identity_read(call, look_before_change, &change);
    if (result == GH_IDENTITY_OK)
        result = change.result;
    if (result == GH_IDENTITY_OK)
        result = gh_password_judge(call, next, change.view.email, change.view.name);
    if (result == GH_IDENTITY_OK)
        result = gh_session_is_fresh(call) ? gh_account_confirm_password(call, current)
                                           : gh_account_confirm(call, current, code);
    if (result != GH_IDENTITY_OK)
        return result;
    change.hash = gh_password_make(call, next);
    if (!change.hash.ptr)
        return GH_IDENTITY_UNAVAILABLE;
    result = gh_identity_run(call, change_unit, &change);
    if (result == GH_IDENTITY_OK)
        result = change.result;
    if (result == GH_IDENTITY_OK)
        gh_sessions_revoked(call, &change.revoked);
    return result;
}

/* ---- Reset ---- */

struct reset {
    struct gh_identity_call *call;
    struct gh_str email; /* of the request; normalised */
    struct gh_str token, hash;
    struct gh_account_view view;
    struct gh_revoked revoked;
    enum gh_identity_result result;
};

static enum gh_err request_unit(struct gh_tx *tx, void *args)
{
    struct reset *reset = args;
    struct gh_identity_call *call = reset->call;
    uint8_t index[GH_SHA256_BYTES];
    char memory[METADATA_BYTES_MAX];
    struct gh_buf metadata = gh_buf_over(memory, sizeof(memory));
    struct gh_account account = {.id = {.text = ""}};
    gh_address_index(call, reset->email, index);
    enum gh_err err = tx->ops->account_by_email(tx, index, &account);
    bool known = err == GH_OK;
    if (!known && err != GH_ERR_NOT_FOUND)
        return err;
    gh_buf_put_char(&metadata, '{');
    gh_json_put_member(&metadata, GH_STR("email"), reset->email);
    gh_json_put_member_bool(&metadata, GH_STR("known"), known);
    gh_buf_put_char(&metadata, '}');
    err = gh_outbox_put(tx, call, GH_MAIL_RESET, GH_STR(""), reset->email, GH_STR(""));
    if (err == GH_OK)
        err = gh_identity_audit(tx, call, GH_AUDIT_PASSWORD_RESET_REQUEST, GH_AUDIT_SUCCESS,
                                known ? gh_id_str(&account.id) : GH_STR(""), gh_buf_str(&metadata));
    return err;
}

enum gh_identity_result gh_password_reset_request(struct gh_identity_call *call,
                                                  struct gh_str email)
{
    struct reset reset = {.call = call};
    if (!gh_email_normalise(call->arena, email, &reset.email)) {
        call->why = "email: not an address";
        return GH_IDENTITY_INVALID;
    }
    return gh_identity_run(call, request_unit, &reset);
}

/* The ticket and its account, or BAD_TOKEN. */
static enum gh_err find_reset(struct gh_tx *tx, struct reset *reset, struct gh_ticket *out_ticket,
                              struct gh_account *out_account)
{
    reset->result = GH_IDENTITY_OK;
    enum gh_err err = gh_ticket_find(tx, reset->call, reset->token, GH_TICKET_RESET, out_ticket);
    if (err == GH_OK)
        err = tx->ops->account_by_id(tx, gh_id_str(&out_ticket->account), out_account);
    if (err == GH_ERR_NOT_FOUND || (err == GH_OK && out_account->status == GH_ACCOUNT_DISABLED)) {
        reset->result = GH_IDENTITY_BAD_TOKEN;
        return GH_OK;
    }
    return err;
}

static enum gh_err look_before_reset(struct gh_tx *tx, void *args)
{
    struct reset *reset = args;
    struct gh_ticket ticket;
    struct gh_account account;
    enum gh_err err = find_reset(tx, reset, &ticket, &account);
    if (err != GH_OK || reset->result != GH_IDENTITY_OK)
        return err;
    return gh_account_view_of(reset->call, &account, &reset->view) ? GH_OK : GH_ERR_INVALID;
}

/* The link reached the mailbox: the address is confirmed by that too. */
static enum gh_err reset_unit(struct gh_tx *tx, void *args)
{
    struct reset *reset = args;
    struct gh_identity_call *call = reset->call;
    struct gh_ticket ticket;
    struct gh_account account;
    reset->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = find_reset(tx, reset, &ticket, &account);
    if (err != GH_OK || reset->result != GH_IDENTITY_OK)
        return err;
    if (!account.email_verified_us)
        account.email_verified_us = call->now_us;
    err = store_password(tx, call, &account, reset->hash);
    if (err == GH_OK)
        err = tx->ops->tickets_delete_of(tx, gh_id_str(&account.id), GH_TICKET_CONFIRM_EMAIL);
    if (err == GH_OK)
        err = gh_sessions_revoke(tx, call, gh_id_str(&account.id), GH_STR(""), "password_reset",
                                 &reset->revoked);
    if (err == GH_OK)
        err = gh_throttle_forgive(tx, call, reset->view.email);
    if (err == GH_OK)
        err = tell(tx, call, &account, GH_STR("{\"by\":\"reset\"}"));
    return err;
}

enum gh_identity_result gh_password_reset(struct gh_identity_call *call, struct gh_str token,
                                          struct gh_str next)
{
    struct reset reset = {.call = call, .token = token};
    enum gh_identity_result result = gh_identity_read(call, look_before_reset, &reset);
    if (result == GH_IDENTITY_OK)
        result = reset.result;
    if (result == GH_IDENTITY_OK)
        result = gh_password_judge(call, next, reset.view.email, reset.view.name);
    if (result != GH_IDENTITY_OK)
        return result;
    reset.hash = gh_password_make(call, next);
    if (!reset.hash.ptr)
        return GH_IDENTITY_UNAVAILABLE;
    result = gh_identity_run(call, reset_unit, &reset);
    if (result == GH_IDENTITY_OK)
        result = reset.result;
    if (result == GH_IDENTITY_OK)
        gh_sessions_revoked(call, &reset.revoked);
    return result;
}
