/*
 * The second factor: TOTP (RFC 6238) and recovery codes. A code is good once: its step is compared
 * and stored in the unit that takes it, and units are serial.
 */
#include "identity/two_factor.h"

#include "base/base64.h"
#include "crypto/totp.h"
#include "identity/metadata.h"
#include "identity/outbox.h"
#include "identity/account.h"
#include "identity/assurance.h"
#include "identity/sessions.h"
#include "identity/url.h"

#define SECRET_FIELD         "accounts.totp_secret"
#define RECOVERY_BYTES       10 /* 80 bits */
#define RECOVERY_CHARS       GH_BASE32_LEN(RECOVERY_BYTES)
#define RECOVERY_GROUP_CHARS 4
#define URI_BYTES_MAX        1024
#define US_PER_SECOND        1000000u
#define ID_OF(call)          ((call)->subject->id)

static enum gh_identity_result charge(struct gh_identity_call *call)
{
    return gh_identity_take_quota(call, "two_factor", ID_OF(call)) ? GH_IDENTITY_OK
                                                                   : GH_IDENTITY_THROTTLED;
}

/* ---- Codes ---- */

/* Without the blanks that apps show and people copy. False: not six digits. */
static bool read_digits(struct gh_str code, char out[GH_TOTP_DIGITS])
{
    size_t count = 0;
    for (size_t i = 0; i < code.len; i++) {
        if (code.ptr[i] == ' ')
            continue;
        if (code.ptr[i] < '0' || code.ptr[i] > '9' || count == GH_TOTP_DIGITS)
            return false;
        out[count++] = code.ptr[i];
    }
    return count == GH_TOTP_DIGITS;
}

/* Lower case, without dashes and blanks. False: not of the length of a recovery code. */
static bool read_recovery(struct gh_str code, char out[RECOVERY_CHARS])
{
    size_t count = 0;
    for (size_t i = 0; i < code.len; i++) {
        if (code.ptr[i] == '-' || code.ptr[i] == ' ')
            continue;
        if (count == RECOVERY_CHARS)
            return false;
        out[count++] = gh_ascii_lower(code.ptr[i]);
    }
    return count == RECOVERY_CHARS;
}

static void hash_recovery(const struct gh_identity_call *call, struct gh_str account,
                          const char chars[RECOVERY_CHARS], uint8_t out[GH_SHA256_BYTES])
{
    char memory[GH_ID_LEN + 1 + RECOVERY_CHARS];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&buf, account);
    gh_buf_put_char(&buf, ':');
    gh_buf_put(&buf, gh_str_of(chars, RECOVERY_CHARS));
    gh_vault_index(call->identity->vault, "recovery", gh_buf_str(&buf), out);
    gh_wipe(memory, sizeof(memory));
}

/* Random codes and their hashes, made before the unit that stores them. */
struct fresh_codes {
    struct gh_recovery_codes shown;
    uint8_t hashes[GH_RECOVERY_CODES][GH_SHA256_BYTES];
};

static void make_recovery_code(const struct gh_identity_call *call, char shown[],
                               uint8_t hash[GH_SHA256_BYTES])
{
    uint8_t bytes[RECOVERY_BYTES];
    char chars[RECOVERY_CHARS];
    struct gh_buf base32 = gh_buf_over(chars, sizeof(chars));
    struct gh_buf groups = gh_buf_over(shown, GH_RECOVERY_CODE_LEN);
    gh_random_fill(&call->identity->random, bytes, sizeof(bytes));
    gh_base32_put(&base32, bytes, sizeof(bytes));
    for (size_t i = 0; i < RECOVERY_CHARS; i++) {
        chars[i] = gh_ascii_lower(chars[i]);
        if (i && i % RECOVERY_GROUP_CHARS == 0)
            gh_buf_put_char(&groups, '-');
        gh_buf_put_char(&groups, chars[i]);
    }
    shown[GH_RECOVERY_CODE_LEN] = 0;
    hash_recovery(call, ID_OF(call), chars, hash);
    gh_wipe(bytes, sizeof(bytes));
    gh_wipe(chars, sizeof(chars));
}

/* A pointer to const arrays is no conversion that C makes by itself. */
static enum gh_err store_codes(struct gh_tx *tx, struct gh_str account,
                               const struct fresh_codes *codes)
{
    return tx->ops->recovery_set(tx, account, (const uint8_t(*)[GH_SHA256_BYTES])codes->hashes,
                                 GH_RECOVERY_CODES);
}

static void make_codes(const struct gh_identity_call *call, struct fresh_codes *codes)
{
    for (size_t i = 0; i < GH_RECOVERY_CODES; i++)
        make_recovery_code(call, codes->shown.codes[i], codes->hashes[i]);
}

/* ---- Taking a code ---- */

/* *out_step: of a code whose step was not used yet. False: wrong, or used. */
static bool match_totp(const struct gh_identity_call *call, const struct gh_account *account,
                       const char digits[GH_TOTP_DIGITS], uint64_t *out_step)
{
    struct gh_str secret = gh_vault_open_field(call->identity->vault, call->arena, SECRET_FIELD,
                                               gh_id_str(&account->id), account->totp_secret);
    if (!secret.ptr || !secret.len)
        return false;
    bool matches =
        gh_totp_match(secret, gh_str_of(digits, GH_TOTP_DIGITS), call->now_us / US_PER_SECOND,
                      (unsigned)call->settings->two_factor.drift, out_step);
    gh_wipe((char *)secret.ptr, secret.len);
    return matches && *out_step > account->totp_last_step;
}

static enum gh_err take_totp(struct gh_tx *tx, const struct gh_identity_call *call,
                             struct gh_account *account, const char digits[GH_TOTP_DIGITS],
                             enum gh_factor_used *out_used)
{
    uint64_t step;
    if (!match_totp(call, account, digits, &step))
        return GH_OK;
    account->totp_last_step = step;
    *out_used = GH_FACTOR_TOTP;
    return tx->ops->account_update(tx, account);
}

static enum gh_err mail_owner(struct gh_tx *tx, const struct gh_identity_call *call,
                              const struct gh_account *account, enum gh_mail_kind kind)
{
    struct gh_account_view view;
    if (!gh_account_view_of(call, account, &view))
        return GH_ERR_INVALID;
    return gh_outbox_put(tx, call, kind, gh_id_str(&account->id), view.email, GH_STR(""));
}

static enum gh_err take_recovery(struct gh_tx *tx, const struct gh_identity_call *call,
                                 const struct gh_account *account, const char chars[RECOVERY_CHARS],
                                 enum gh_factor_used *out_used)
{
    uint8_t hash[GH_SHA256_BYTES];
    hash_recovery(call, gh_id_str(&account->id), chars, hash);
    enum gh_err err = tx->ops->recovery_take(tx, gh_id_str(&account->id), hash);
    if (err == GH_ERR_NOT_FOUND)
        return GH_OK;
    if (err == GH_OK)
        err = mail_owner(tx, call, account, GH_MAIL_RECOVERY_USED);
    if (err == GH_OK)
        *out_used = GH_FACTOR_RECOVERY;
    return err;
}

enum gh_err gh_two_factor_take(struct gh_tx *tx, struct gh_identity_call *call,
                               struct gh_account *account, struct gh_str code,
                               enum gh_factor_used *out_used)
{
    char digits[GH_TOTP_DIGITS], chars[RECOVERY_CHARS];
    *out_used = GH_FACTOR_NONE;
    if (!account->totp_enabled)
        return GH_OK;
    if (read_digits(code, digits))
        return take_totp(tx, call, account, digits, out_used);
    if (read_recovery(code, chars))
        return take_recovery(tx, call, account, chars, out_used);
    return GH_OK;
}

enum gh_err gh_two_factor_clear(struct gh_tx *tx, struct gh_account *account)
{
    account->totp_secret = GH_STR("");
    account->totp_enabled = false;
    account->totp_last_step = 0;
    enum gh_err err = tx->ops->account_update(tx, account);
    if (err == GH_OK)
        err = tx->ops->recovery_set(tx, gh_id_str(&account->id), NULL, 0);
    if (err == GH_OK)
        err = tx->ops->tickets_delete_of(tx, gh_id_str(&account->id), GH_TICKET_CHALLENGE);
    return err;
}

/* ---- Setup ---- */

struct setup {
    struct gh_identity_call *call;
    struct gh_str sealed;
    struct gh_str email;
    enum gh_identity_result result;
};

static enum gh_err begin_setup(struct gh_tx *tx, void *args)
{
    struct setup *setup = args;
    struct gh_account account;
    struct gh_account_view view;
    setup->result = GH_IDENTITY_OK;
    enum gh_err err = tx->ops->account_by_id(tx, ID_OF(setup->call), &account);
    if (err == GH_ERR_NOT_FOUND)
        setup->result = GH_IDENTITY_NOT_FOUND;
    if (err != GH_OK)
        return err == GH_ERR_NOT_FOUND ? GH_OK : err;
    if (account.totp_enabled) {
        setup->call->why = "the second factor is on already";
        setup->result = GH_IDENTITY_CONFLICT;
        return GH_OK;
    }
    if (!gh_account_view_of(setup->call, &account, &view))
        return GH_ERR_INVALID;
    setup->email = view.email;
    account.totp_secret = setup->sealed;
    account.totp_last_step = 0; /* steps of another secret */
    return tx->ops->account_update(tx, &account);
}

static void put_percent(struct gh_buf *buf, struct gh_str text)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        char lower = gh_ascii_lower((char)c);
        if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c))) {
            gh_buf_put_char(buf, (char)c);
            continue;
        }
        gh_buf_put_char(buf, '%');
        gh_buf_put_char(buf, DIGITS[c >> 4]);
        gh_buf_put_char(buf, DIGITS[c & 15]);
    }
}

/* The form that authenticator apps read (the Key URI Format of Google Authenticator). */
static struct gh_str setup_uri(const struct gh_identity_call *call, struct gh_str email,
                               struct gh_str secret)
{
    char memory[URI_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    struct gh_str issuer = gh_url_host_of(call->settings->public_url);
    gh_buf_put(&buf, GH_STR("otpauth://totp/"));
    put_percent(&buf, issuer);
    gh_buf_put_char(&buf, ':');
    put_percent(&buf, email);
    gh_buf_put(&buf, GH_STR("?secret="));
    gh_buf_put(&buf, secret);
    gh_buf_put(&buf, GH_STR("&issuer="));
    put_percent(&buf, issuer);
    gh_buf_put(&buf, GH_STR("&algorithm=SHA1&digits=6&period=30"));
    struct gh_str uri = {NULL, 0};
    if (!buf.overflow)
        uri = gh_arena_dup(call->arena, gh_buf_str(&buf));
    gh_wipe(memory, sizeof(memory));
    return uri;
}

enum gh_identity_result gh_two_factor_setup(struct gh_identity_call *call,
                                            struct gh_two_factor_setup *out_setup)
{
    if (!gh_session_is_fresh(call)) {
        call->why = "confirm your password first";
        return GH_IDENTITY_FORBIDDEN;
    }
    uint8_t secret[GH_TOTP_SECRET_BYTES];
    char text[GH_BASE32_LEN(GH_TOTP_SECRET_BYTES)];
    struct gh_buf base32 = gh_buf_over(text, sizeof(text));
    gh_random_fill(&call->identity->random, secret, sizeof(secret));
    gh_base32_put(&base32, secret, sizeof(secret));
    struct setup setup = {.call = call,
                          .sealed = gh_vault_seal(call->identity->vault, call->arena, SECRET_FIELD,
                                                  ID_OF(call),
                                                  gh_str_of((char *)secret, sizeof(secret)))};
    gh_wipe(secret, sizeof(secret));
    if (!setup.sealed.ptr)
        return GH_IDENTITY_UNAVAILABLE;
    enum gh_identity_result result = gh_identity_run(call, begin_setup, &setup);
    if (result != GH_IDENTITY_OK || setup.result != GH_IDENTITY_OK)
        return result != GH_IDENTITY_OK ? result : setup.result;
    struct gh_two_factor_setup made = {.secret = gh_arena_dup(call->arena, gh_buf_str(&base32))};
    gh_wipe(text, sizeof(text));
    made.uri = setup_uri(call, setup.email, made.secret);
    if (!made.secret.ptr || !made.uri.ptr)
        return GH_IDENTITY_UNAVAILABLE;
    *out_setup = made;
    return GH_IDENTITY_OK;
}

/* ---- Switching on ---- */

struct enabling {
    struct gh_identity_call *call;
    struct gh_str code;
    struct fresh_codes codes;
    struct gh_revoked revoked;
    struct gh_session_grant grant;
    bool session_ended;
    enum gh_identity_result result;
};

static enum gh_err refuse_code(struct gh_tx *tx, struct gh_identity_call *call, const char *reason,
                               enum gh_identity_result *out_result)
{
    struct gh_str metadata = gh_arena_format(call->arena, "{\"reason\":\"%s\"}", reason);
    *out_result = GH_IDENTITY_BAD_CODE;
    if (!metadata.ptr)
        return GH_ERR_MEMORY;
    return gh_identity_audit(tx, call, GH_AUDIT_TWO_FACTOR_FAILED, GH_AUDIT_FAILURE, ID_OF(call),
                             metadata);
}

/* The others end; this one goes on under a new id, with both factors. */
static enum gh_err strengthen_session(struct gh_tx *tx, struct enabling *on,
                                      const struct gh_account *account)
{
    enum gh_err err =
        gh_sessions_revoke(tx, on->call, gh_id_str(&account->id), on->call->subject->session_id,
                           "two_factor_enabled", &on->revoked);
    return err == GH_OK ? gh_session_confirm(tx, on->call, account, true, &on->revoked, &on->grant)
                        : err;
}

static enum gh_err switch_on(struct gh_tx *tx, struct enabling *on, struct gh_account *account,
                             uint64_t step)
{
    account->totp_enabled = true;
    account->totp_last_step = step;
    enum gh_err err = tx->ops->account_update(tx, account);
    if (err == GH_OK)
        err = store_codes(tx, gh_id_str(&account->id), &on->codes);
    if (err == GH_OK)
        err = gh_identity_audit(tx, on->call, GH_AUDIT_TWO_FACTOR_ENABLED, GH_AUDIT_SUCCESS,
                                gh_id_str(&account->id), GH_STR(""));
    if (err == GH_OK)
        err = mail_owner(tx, on->call, account, GH_MAIL_TWO_FACTOR_ON);
    if (err == GH_OK)
        err = strengthen_session(tx, on, account);
    return err;
}

static enum gh_err enable(struct gh_tx *tx, void *args)
{
    struct enabling *on = args;
    struct gh_account account;
    char digits[GH_TOTP_DIGITS];
    uint64_t step;
    on->result = GH_IDENTITY_OK;
    on->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = tx->ops->account_by_id(tx, ID_OF(on->call), &account);
    if (err == GH_ERR_NOT_FOUND) {
        on->result = GH_IDENTITY_NOT_FOUND;
        return GH_OK;
    }
    if (err != GH_OK)
        return err;
    if (account.totp_enabled || !account.totp_secret.len) {
        on->call->why = account.totp_enabled ? "the second factor is on already"
                                             : "there is no second factor to confirm: set it up "
                                               "first";
        on->result = GH_IDENTITY_CONFLICT;
        return GH_OK;
    }
    if (!read_digits(on->code, digits) || !match_totp(on->call, &account, digits, &step))
        return refuse_code(tx, on->call, "enrolment", &on->result);
    err = switch_on(tx, on, &account, step);
    on->session_ended = err == GH_ERR_NOT_FOUND;
    return err;
}

enum gh_identity_result gh_two_factor_enable(struct gh_identity_call *call, struct gh_str code,
                                             struct gh_recovery_codes *out_codes,
                                             struct gh_session_grant *out_grant)
{
    enum gh_identity_result result = charge(call);
    if (result != GH_IDENTITY_OK)
        return result;
    struct enabling on = {.call = call, .code = code};
    make_codes(call, &on.codes);
    result = gh_identity_run(call, enable, &on);
    if (on.session_ended)
        result = GH_IDENTITY_SESSION_ENDED;
    else if (result == GH_IDENTITY_OK)
        result = on.result;
    if (result == GH_IDENTITY_OK) {
        gh_sessions_revoked(call, &on.revoked);
        *out_codes = on.codes.shown;
        *out_grant = on.grant;
    }
    gh_wipe(&on.codes, sizeof(on.codes));
    return result;
}

/* ---- Switching off ---- */

struct disabling {
    struct gh_identity_call *call;
    struct gh_revoked revoked;
    struct gh_session_grant grant;
    bool session_ended;
    enum gh_identity_result result;
};

/* What a role demands, and what is there at all. */
static enum gh_identity_result judge_disabling(struct gh_identity_call *call,
                                               const struct gh_account *account)
{
    if (!account->totp_enabled) {
        call->why = "there is no second factor";
        return GH_IDENTITY_CONFLICT;
    }
    if (gh_account_roles(call->settings, account) & call->settings->required_for) {
        call->why = "a role of this account needs the second factor";
        return GH_IDENTITY_FORBIDDEN;
    }
    return GH_IDENTITY_OK;
}

static enum gh_err look_before_disabling(struct gh_tx *tx, void *args)
{
    struct disabling *off = args;
    struct gh_account account;
    enum gh_err err = tx->ops->account_by_id(tx, ID_OF(off->call), &account);
    if (err == GH_OK)
        off->result = judge_disabling(off->call, &account);
    else if (err == GH_ERR_NOT_FOUND)
        off->result = GH_IDENTITY_NOT_FOUND;
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

/* The others end; this one goes on under a new id, as one of a single factor. */
static enum gh_err weaken_session(struct gh_tx *tx, struct disabling *off,
                                  const struct gh_account *account)
{
    struct gh_str own_id = off->call->subject->session_id;
    struct gh_session_row own;
    enum gh_err err = gh_sessions_revoke(tx, off->call, gh_id_str(&account->id), own_id,
                                         "two_factor_disabled", &off->revoked);
    if (err == GH_OK)
        err = tx->ops->session_by_id(tx, own_id, &own);
    if (err != GH_OK)
        return err;
    own.two_factor = false;
    err = tx->ops->session_update(tx, &own);
    return err == GH_OK
               ? gh_session_confirm(tx, off->call, account, false, &off->revoked, &off->grant)
               : err;
}

static enum gh_err disable(struct gh_tx *tx, void *args)
{
    struct disabling *off = args;
    struct gh_account account;
    off->revoked = (struct gh_revoked){.count = 0};
    enum gh_err err = tx->ops->account_by_id(tx, ID_OF(off->call), &account);
    if (err != GH_OK)
        return err;
    off->result = judge_disabling(off->call, &account);
    if (off->result != GH_IDENTITY_OK)
        return GH_OK;
    struct gh_str metadata = gh_metadata_by(off->call);
    err = metadata.ptr ? gh_two_factor_clear(tx, &account) : GH_ERR_MEMORY;
    if (err == GH_OK)
        err = gh_identity_audit(tx, off->call, GH_AUDIT_TWO_FACTOR_DISABLED, GH_AUDIT_SUCCESS,
                                ID_OF(off->call), metadata);
    if (err == GH_OK)
        err = mail_owner(tx, off->call, &account, GH_MAIL_TWO_FACTOR_OFF);
    if (err == GH_OK)
        err = weaken_session(tx, off, &account);
    off->session_ended = err == GH_ERR_NOT_FOUND;
    return err;
}

enum gh_identity_result gh_two_factor_disable(struct gh_identity_call *call, struct gh_str password,
                                              struct gh_str code,
                                              struct gh_session_grant *out_grant)
{
    struct disabling off = {.call = call};
    enum gh_identity_result result = gh_identity_read(call, look_before_disabling, &off);
    if (result != GH_IDENTITY_OK || off.result != GH_IDENTITY_OK)
        return result != GH_IDENTITY_OK ? result : off.result;
    result = gh_account_confirm(call, password, code);
    if (result != GH_IDENTITY_OK)
        return result;
    result = gh_identity_run(call, disable, &off);
    if (off.session_ended)
        result = GH_IDENTITY_SESSION_ENDED;
    else if (result == GH_IDENTITY_OK)
        result = off.result;
    if (result == GH_IDENTITY_OK) {
        gh_sessions_revoked(call, &off.revoked);
        *out_grant = off.grant;
    }
    return result;
}

/* ---- New recovery codes ---- */

struct renewing {
    struct gh_identity_call *call;
    struct fresh_codes codes;
    enum gh_identity_result result;
};

static enum gh_err look_before_renewing(struct gh_tx *tx, void *args)
{
    struct renewing *renewing = args;
    struct gh_account account;
    renewing->result = GH_IDENTITY_OK;
    enum gh_err err = tx->ops->account_by_id(tx, ID_OF(renewing->call), &account);
    if (err == GH_OK && !account.totp_enabled) {
        renewing->call->why = "there is no second factor";
        renewing->result = GH_IDENTITY_CONFLICT;
    }
    return err;
}

static enum gh_err store_renewed(struct gh_tx *tx, struct gh_identity_call *call,
                                 struct gh_account *account, enum gh_factor_used used,
                                 void *context)
{
    const struct renewing *renewing = context;
    (void)used;
    enum gh_err err = store_codes(tx, gh_id_str(&account->id), &renewing->codes);
    if (err == GH_OK)
        err = gh_identity_audit(tx, call, GH_AUDIT_PROFILE_UPDATED, GH_AUDIT_SUCCESS, ID_OF(call),
                                GH_STR("{\"fields\":[\"recovery_codes\"]}"));
    return err;
}

/* A code of the app only: new recovery codes for an old one would make one of them good for ever.
   What is none is asked for as one that is wrong. */
enum gh_identity_result gh_two_factor_recovery_codes(struct gh_identity_call *call,
                                                     struct gh_str code,
                                                     struct gh_recovery_codes *out_codes)
{
    enum gh_identity_result result = charge(call);
    if (result != GH_IDENTITY_OK)
        return result;
    char digits[GH_TOTP_DIGITS];
    struct renewing renewing = {.call = call};
    struct gh_assurance assurance = {
        .code = read_digits(code, digits) ? code : GH_STR(""),
        .code_refused = GH_AUDIT_TWO_FACTOR_FAILED,
        .then = store_renewed,
        .context = &renewing,
    };
    make_codes(call, &renewing.codes);
    result = gh_identity_read(call, look_before_renewing, &renewing);
    if (result == GH_IDENTITY_OK)
        result = renewing.result;
    if (result == GH_IDENTITY_OK)
        result = gh_assure(call, &assurance);
    if (result == GH_IDENTITY_OK)
        *out_codes = renewing.codes.shown;
    gh_wipe(&renewing.codes, sizeof(renewing.codes));
    return result;
}
