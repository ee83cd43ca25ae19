#include "identity/identity.h"

#include "base/base64.h"
#include "identity/audit_log.h"

#define ADDRESS_BYTES_MAX 254 /* RFC 5321 section 4.5.3.1.3, less the angle brackets */
#define LOCAL_BYTES_MAX   64  /* RFC 5321 section 4.5.3.1.1 */
#define LABEL_BYTES_MAX   63  /* RFC 1035 section 2.3.4 */
#define TOKEN_BYTES       32
#define TRIES_MAX         3 /* of a unit that others come before */

/* ---- Addresses ---- */

static bool is_alnum(char c)
{
    char lower = gh_ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

/* A dot-atom (RFC 5322 section 3.2.3). */
static bool is_local_part(struct gh_str local)
{
    if (!local.len || local.len > LOCAL_BYTES_MAX)
        return false;
    for (size_t i = 0; i < local.len; i++) {
        char c = local.ptr[i];
        bool edge = i == 0 || i + 1 == local.len || local.ptr[i - 1] == '.';
        if (c == '.' ? edge : !is_alnum(c) && (!c || !strchr("!#$%&'*+-/=?^_`{|}~", c)))
            return false;
    }
    return true;
}

static bool is_label(struct gh_str label)
{
    if (!label.len || label.len > LABEL_BYTES_MAX || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-')
            return false;
    return true;
}

/* Labels, the last one not a number: 10.0.0.1 is an address of a host, not a domain. */
static bool is_domain(struct gh_str domain)
{
    bool letters = false;
    for (struct gh_str rest = domain; rest.ptr;) {
        struct gh_str label = gh_str_split(&rest, '.');
        if (!is_label(label))
            return false;
        letters = false;
        for (size_t i = 0; i < label.len; i++)
            letters |= label.ptr[i] < '0' || label.ptr[i] > '9';
    }
    return letters;
}

bool gh_email_normalise(struct gh_arena *arena, struct gh_str text, struct gh_str *out)
{
    text = gh_str_trim_ows(text);
    size_t at = gh_str_find_char(text, '@');
    if (text.len > ADDRESS_BYTES_MAX || at == text.len)
        return false;
    if (!is_local_part(gh_str_first(text, at)) || !is_domain(gh_str_skip(text, at + 1)))
        return false;
    char *copy = gh_arena_alloc(arena, text.len);
    if (!copy)
        return false;
    for (size_t i = 0; i < text.len; i++)
        copy[i] = i < at ? text.ptr[i] : gh_ascii_lower(text.ptr[i]);
    *out = gh_str_of(copy, text.len);
    return true;
}

/* ---- Records ---- */

enum gh_err gh_identity_audit_session(struct gh_tx *tx, const struct gh_identity_call *call,
                                      enum gh_audit_event event, enum gh_audit_outcome outcome,
                                      struct gh_str user_id, struct gh_str session_id,
                                      struct gh_str metadata)
{
    char session[GH_AUDIT_SESSION_LEN + 1];
    struct gh_audit_record record = {
        .time_us = call->now_us,
        .event = event,
        .user_id = user_id,
        .ip_address = call->client,
        .user_agent = gh_str_first(call->user_agent, GH_AUDIT_USER_AGENT_BYTES_MAX),
        .request_id = call->request_id,
        .outcome = outcome,
        .metadata = metadata,
    };
    if (call->subject)
        record.actor_id = call->subject->id;
    else if (!call->by.len) /* a command's actor is the operator, who has no account */
        record.actor_id = user_id;
    if (session_id.len) {
        gh_audit_session_hash(session_id, session);
        record.session = gh_str_of(session, GH_AUDIT_SESSION_LEN);
    }
    return gh_audit_log_append(tx, call->identity, &record);
}

enum gh_err gh_identity_audit(struct gh_tx *tx, const struct gh_identity_call *call,
                              enum gh_audit_event event, enum gh_audit_outcome outcome,
                              struct gh_str user_id, struct gh_str metadata)
{
    struct gh_str session = call->subject ? call->subject->session_id : (struct gh_str){"", 0};
    return gh_identity_audit_session(tx, call, event, outcome, user_id, session, metadata);
}

enum gh_err gh_identity_audit_gone(struct gh_tx *tx, const struct gh_identity_call *call,
                                   enum gh_audit_event event, struct gh_str user_id,
                                   struct gh_str metadata)
{
    struct gh_identity_call of_nobody = *call;
    if (call->subject && gh_str_eq(call->subject->id, user_id))
        of_nobody.client = of_nobody.user_agent = GH_STR("");
    return gh_identity_audit(tx, &of_nobody, event, GH_AUDIT_SUCCESS, user_id, metadata);
}

/* ---- Erasure ---- */

void gh_identity_forget(struct gh_identity *identity)
{
    atomic_store(&identity->scrub_waits, true);
    gh_identity_scrub(identity);
}

/* GH_ERR_INVALID: a store that keeps nothing, or was opened for reading. */
bool gh_identity_scrub(struct gh_identity *identity)
{
    if (!atomic_exchange(&identity->scrub_waits, false))
        return true;
    enum gh_err err = identity->store->ops->scrub(identity->store);
    if (err == GH_OK || err == GH_ERR_INVALID)
        return true;
    atomic_store(&identity->scrub_waits, true);
    return false;
}

/* ---- Units ---- */

typedef enum gh_err run_unit(struct gh_store *store, gh_store_unit *unit, void *args,
                             struct gh_arena *arena);

struct watched {
    gh_store_unit *unit;
    void *args;
    const struct gh_vault *vault;
    bool met_unknown;
};

/* What such a unit has decided is undone: it could not open a value, and a session whose secret
   can't be read is no forged one. */
static enum gh_err run_watched(struct gh_tx *tx, void *args)
{
    struct watched *watched = args;
    uint64_t before = gh_vault_unknown(watched->vault, tx->arena);
    enum gh_err err = watched->unit(tx, watched->args);
    watched->met_unknown = gh_vault_unknown(watched->vault, tx->arena) != before;
    return watched->met_unknown ? GH_ERR_INVALID : err;
}

/* Where others seal, too, a value may be under a key of which this process has not heard yet; and a
   row may come between a unit's look for it and its own: then it finds it the next time. */
static enum gh_err run_among_others(struct gh_identity_call *call, run_unit *run,
                                    gh_store_unit *unit, void *args)
{
    struct gh_identity *identity = call->identity;
    struct watched watched = {.unit = unit, .args = args, .vault = identity->vault};
    enum gh_err err = GH_OK;
    bool again = true;
    if (!identity->store->shared)
        return run(identity->store, unit, args, call->arena);
    for (unsigned tries = 0; again && tries < TRIES_MAX; tries++) {
        uint64_t seen = gh_vault_changes(identity->vault);
        err = run(identity->store, run_watched, &watched, call->arena);
        again = err == GH_ERR_EXISTS;
        if (err != GH_OK && watched.met_unknown)
            again = gh_vault_catch_up(identity->vault, identity->store, seen, call->now_us,
                                      call->arena) ||
                    tries == 0; /* it may have been the value of a call beside it */
    }
    return err;
}

enum gh_err gh_identity_write(struct gh_identity_call *call, gh_store_unit *unit, void *args)
{
    return run_among_others(call, call->identity->store->ops->run, unit, args);
}

enum gh_identity_result gh_identity_run(struct gh_identity_call *call, gh_store_unit *unit,
                                        void *args)
{
    struct gh_identity *identity = call->identity;
    enum gh_err err = gh_identity_write(call, unit, args);
    if (err == GH_OK && identity->wake && atomic_exchange(&identity->mail_waits, false))
        identity->wake(identity->wake_context);
    return err == GH_OK ? GH_IDENTITY_OK : GH_IDENTITY_UNAVAILABLE;
}

enum gh_identity_result gh_identity_read(struct gh_identity_call *call, gh_store_unit *unit,
                                         void *args)
{
    enum gh_err err = run_among_others(call, call->identity->store->ops->read, unit, args);
    return err == GH_OK ? GH_IDENTITY_OK : GH_IDENTITY_UNAVAILABLE;
}

bool gh_identity_take_quota(struct gh_identity_call *call, const char *policy, struct gh_str key)
{
    const struct gh_identity_quota *quota = &call->identity->quota;
    return !quota->take || quota->take(quota->context, policy, key, &call->retry_after_s);
}

/* ---- Accounts ---- */

gh_roles gh_account_roles(const struct gh_identity_settings *settings,
                          const struct gh_account *account)
{
    gh_roles roles = 0;
    if (!account->roles.len)
        return 0;
    for (struct gh_str rest = account->roles; rest.ptr;)
        roles |= gh_role_bit(&settings->role_names, gh_str_split(&rest, ','));
    return roles;
}

bool gh_account_must_enrol(const struct gh_identity_settings *settings,
                           const struct gh_account *account)
{
    return !account->totp_enabled && (gh_account_roles(settings, account) & settings->required_for);
}

bool gh_account_view_of(const struct gh_identity_call *call, const struct gh_account *account,
                        struct gh_account_view *out_view)
{
    const struct gh_vault *vault = call->identity->vault;
    struct gh_str id = gh_id_str(&account->id);
    struct gh_account_view view = {
        .id = account->id,
        .email = gh_vault_open_field(vault, call->arena, "accounts.email", id, account->email),
        .email_verified = account->email_verified_us != 0,
        .name = gh_vault_open_field(vault, call->arena, "accounts.name", id, account->name),
        .locale = account->locale,
        .roles = gh_account_roles(call->settings, account),
        .two_factor_enabled = account->totp_enabled,
        .must_enrol = gh_account_must_enrol(call->settings, account),
        .disabled = account->status == GH_ACCOUNT_DISABLED,
        .has_password = account->password_hash.len > 0,
        .created_us = account->created_us,
        .last_login_us = account->last_login_us,
    };
    if (!view.email.ptr || !view.name.ptr)
        return false;
    *out_view = view;
    return true;
}

/* ---- Random values ---- */

struct gh_id gh_identity_new_id(const struct gh_identity_call *call)
{
    uint8_t random[16];
    gh_random_fill(&call->identity->random, random, sizeof(random));
    return gh_id_make(random);
}

struct gh_str gh_identity_new_token(const struct gh_identity_call *call)
{
    uint8_t random[TOKEN_BYTES];
    char *text = gh_arena_alloc(call->arena, GH_BASE64URL_LEN(TOKEN_BYTES));
    if (!text)
        return (struct gh_str){NULL, 0};
    struct gh_buf buf = gh_buf_over(text, GH_BASE64URL_LEN(TOKEN_BYTES));
    gh_random_fill(&call->identity->random, random, sizeof(random));
    gh_base64url_put(&buf, random, sizeof(random));
    gh_wipe(random, sizeof(random));
    return gh_buf_str(&buf);
}
