/*
 * The queue of mails in the store. A row holds the kind and what it needs, sealed; the message and
 * the ticket behind its link are made when it is sent. The token of a link is a keyed hash of the
 * row's id, so that a second try sends the same mail again.
 */
#include "identity/outbox.h"

#include "base/base64.h"
#include "identity/address.h"
#include "identity/mail_text.h"
#include "identity/ticket.h"
#include "identity/url.h"
#include "json/writer.h"

#define SECOND_US     ((uint64_t)1000000)
#define MINUTE_US     (60 * SECOND_US)
#define HOUR_US       (60 * MINUTE_US)
#define AGE_US_MAX    (24 * HOUR_US)
#define LEASE_US      (5 * MINUTE_US) /* ten times what one transfer may take */
#define ROW_BYTES_MAX 4096            /* kind and an address, each byte escaped */
#define CONFIRM_PATH  "/account/confirm-email"
#define RESET_PATH    "/account/reset-password"

#define RECIPIENT_FIELD "mails.recipient"
#define MESSAGE_FIELD   "mails.message"

/* ---- Putting in ---- */

static bool is_one_line(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return false;
    return true;
}

enum gh_err gh_outbox_put(struct gh_tx *tx, const struct gh_identity_call *call,
                          enum gh_mail_kind kind, struct gh_str account, struct gh_str email,
                          struct gh_str data)
{
    struct gh_identity *identity = call->identity;
    const struct gh_vault *vault = identity->vault;
    char memory[ROW_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    struct gh_mail_row row = {
        .id = gh_identity_new_id(call), .created_us = call->now_us, .next_us = call->now_us};
    if (!email.len || !is_one_line(email) || (account.len && !gh_id_parse(account, &row.account)))
        return GH_ERR_INVALID;
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("kind"), gh_mail_kind_name(kind));
    gh_json_put_member(&buf, GH_STR("data"), data);
    gh_buf_put_char(&buf, '}');
    if (buf.overflow)
        return GH_ERR_FULL;
    struct gh_str id = gh_id_str(&row.id);
    row.recipient = gh_vault_seal(vault, call->arena, RECIPIENT_FIELD, id, email);
    row.message = gh_vault_seal(vault, call->arena, MESSAGE_FIELD, id, gh_buf_str(&buf));
    if (!row.recipient.ptr || !row.message.ptr)
        return GH_ERR_MEMORY;
    atomic_store(&identity->mail_waits, true);
    return tx->ops->mail_insert(tx, &row);
}

/* ---- Links ---- */

struct gh_str gh_outbox_link(const struct gh_identity_call *call, enum gh_mail_kind kind,
                             struct gh_str token)
{
    struct gh_str path = kind == GH_MAIL_RESET ? GH_STR(RESET_PATH) : GH_STR(CONFIRM_PATH);
    return gh_arena_format(call->arena, "%.*s%.*s#token=%.*s",
                           GH_STR_ARG(call->settings->public_url), GH_STR_ARG(path),
                           GH_STR_ARG(token));
}

static struct gh_str link_token(const struct gh_identity_call *call, struct gh_str mail_id)
{
    uint8_t bytes[GH_SHA256_BYTES];
    char memory[GH_BASE64URL_LEN(GH_SHA256_BYTES)];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_vault_index(call->identity->vault, "mails.link", mail_id, bytes);
    gh_base64url_put(&buf, bytes, sizeof(bytes));
    struct gh_str token = gh_arena_dup(call->arena, gh_buf_str(&buf));
    gh_wipe(bytes, sizeof(bytes));
    gh_wipe(memory, sizeof(memory));
    return token;
}

/* ---- Taking one out ---- */

struct step {
    struct gh_identity_call *call;
    struct gh_mail_row row;
    enum gh_mail_kind kind;
    struct gh_str recipient, data, token; /* token empty: no link */
    bool drop;    /* nobody to send it to, or too late: it is gone already */
    bool stopped; /* the sender ends: no try at all */
};

static bool open_row(struct step *step)
{
    const struct gh_vault *vault = step->call->identity->vault;
    struct gh_arena *arena = step->call->arena;
    struct gh_str id = gh_id_str(&step->row.id);
    struct gh_json_doc doc;
    struct gh_str text = gh_vault_open_field(vault, arena, MESSAGE_FIELD, id, step->row.message);
    step->recipient = gh_vault_open_field(vault, arena, RECIPIENT_FIELD, id, step->row.recipient);
    if (!text.ptr || !step->recipient.len || !is_one_line(step->recipient) ||
        gh_json_parse(arena, text, &gh_json_small, &doc, NULL) != GH_JSON_OK)
        return false;
    const struct gh_json_value *root = gh_json_root(&doc);
    struct gh_str kind = gh_json_string(gh_json_get(&doc, root, GH_STR("kind")));
    step->data = gh_json_string(gh_json_get(&doc, root, GH_STR("data")));
    return kind.ptr && step->data.ptr && gh_mail_kind_parse(kind, &step->kind);
}

/* What is known now, not when it was asked for; also the end of links that were used already. */
static bool is_wanted(const struct step *step, const struct gh_account *account)
{
    if (account->status != GH_ACCOUNT_ACTIVE)
        return false;
    switch (step->kind) {
    case GH_MAIL_CONFIRM:
        return !account->email_verified_us;
    case GH_MAIL_RESET:
        return (account->email_verified_us || !step->call->settings->verify_email) &&
               account->password_changed_us <= step->row.created_us;
    case GH_MAIL_CHANGE_CONFIRM: /* asked for with a password that is the one of now */
        return account->password_changed_us <= step->row.created_us;
    case GH_MAIL_ALREADY:
    case GH_MAIL_CHANGE_NOTICE:
    case GH_MAIL_PASSWORD_CHANGED:
    case GH_MAIL_TWO_FACTOR_ON:
    case GH_MAIL_TWO_FACTOR_OFF:
    case GH_MAIL_RECOVERY_USED:
    case GH_MAIL_SESSION_REUSED:
    case GH_MAIL_DELETED:
        break;
    }
    return true;
}

/* GH_ERR_NOT_FOUND: nobody. */
static enum gh_err find_account(struct gh_tx *tx, const struct step *step,
                                struct gh_account *out_account)
{
    uint8_t index[GH_SHA256_BYTES];
    if (gh_id_str(&step->row.account).len)
        return tx->ops->account_by_id(tx, gh_id_str(&step->row.account), out_account);
    gh_address_index(step->call, step->recipient, index);
    return tx->ops->account_by_email(tx, index, out_account);
}

/* A new address that somebody has by now (its owner too, who has used the link). */
static enum gh_err is_address_free(struct gh_tx *tx, const struct step *step, bool *out_free)
{
    uint8_t index[GH_SHA256_BYTES];
    struct gh_account other;
    *out_free = true;
    if (step->kind != GH_MAIL_CHANGE_CONFIRM)
        return GH_OK;
    gh_address_index(step->call, step->data, index);
    enum gh_err err = tx->ops->account_by_email(tx, index, &other);
    *out_free = err == GH_ERR_NOT_FOUND;
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static enum gh_ticket_purpose purpose_of(enum gh_mail_kind kind)
{
    if (kind == GH_MAIL_RESET)
        return GH_TICKET_RESET;
    return kind == GH_MAIL_CONFIRM ? GH_TICKET_CONFIRM_EMAIL : GH_TICKET_CHANGE_EMAIL;
}

/* The ticket of an earlier try, if there is one, begins anew. */
static enum gh_err put_ticket(struct gh_tx *tx, struct step *step, const struct gh_account *account)
{
    const struct gh_identity_call *call = step->call;
    struct gh_ticket ticket = {
        .purpose = purpose_of(step->kind),
        .account = account->id,
        .data = gh_vault_seal(call->identity->vault, call->arena, "tickets.data",
                              gh_id_str(&account->id), step->data),
        .created_us = call->now_us,
        .expires_us = call->now_us + GH_LINK_LIFE_US,
    };
    step->token = link_token(call, gh_id_str(&step->row.id));
    if (!step->token.ptr || !ticket.data.ptr)
        return GH_ERR_MEMORY;
    gh_vault_index(call->identity->vault, "ticket", step->token, ticket.hash);
    enum gh_err err = tx->ops->ticket_delete(tx, ticket.hash);
    if (err == GH_OK || err == GH_ERR_NOT_FOUND)
        err = tx->ops->ticket_insert(tx, &ticket);
    return err;
}

static enum gh_err drop(struct gh_tx *tx, struct step *step)
{
    step->drop = true;
    return tx->ops->mail_delete(tx, gh_id_str(&step->row.id));
}

static enum gh_err take(struct gh_tx *tx, void *args)
{
    struct step *step = args;
    const struct gh_identity_call *call = step->call;
    struct gh_account account;
    bool is_free = false;
    step->drop = false;
    step->token = GH_STR("");
    enum gh_err err = tx->ops->mail_take(tx, call->now_us, call->now_us + LEASE_US, &step->row);
    if (err != GH_OK)
        return err;
    if (call->now_us >= step->row.created_us + AGE_US_MAX || !open_row(step))
        return drop(tx, step);
    if (!gh_mail_kind_has_link(step->kind))
        return GH_OK;
    err = find_account(tx, step, &account);
    if (err == GH_ERR_NOT_FOUND)
        return drop(tx, step);
    if (err == GH_OK)
        err = is_address_free(tx, step, &is_free);
    if (err != GH_OK)
        return err;
    if (!is_free || !is_wanted(step, &account))
        return drop(tx, step);
    return put_ticket(tx, step, &account);
}

/* ---- Sending ---- */

static enum gh_err send(struct step *step, const struct gh_mailer *mailer)
{
    struct gh_identity_call *call = step->call;
    struct gh_str site = gh_url_host_of(call->settings->public_url);
    struct gh_mail_parts parts = {
        .kind = step->kind,
        .from = call->settings->mail.from,
        .recipient = step->recipient,
        .message_id = gh_arena_format(call->arena, "%s@%.*s", step->row.id.text, GH_STR_ARG(site)),
        .site = site,
        .link = GH_STR(""),
        .time_us = call->now_us,
    };
    if (step->token.len)
        parts.link = gh_outbox_link(call, step->kind, step->token);
    if (!parts.message_id.ptr || !parts.link.ptr)
        return GH_ERR_MEMORY;
    struct gh_str message = gh_mail_write(call->arena, &parts);
    if (!message.ptr)
        return GH_ERR_MEMORY;
    return mailer->send(mailer->context, call->arena, parts.recipient, parts.message_id, message,
                        parts.link);
}

static uint64_t pause_us(unsigned attempts)
{
    static const uint64_t PAUSES[] = {10 * SECOND_US, 30 * SECOND_US, 2 * MINUTE_US,
                                      10 * MINUTE_US, 30 * MINUTE_US, HOUR_US};
    size_t last = sizeof(PAUSES) / sizeof(PAUSES[0]) - 1;
    return PAUSES[attempts <= last ? attempts : last];
}

static enum gh_err put_back(struct gh_tx *tx, void *args)
{
    struct step *step = args;
    struct gh_mail_row row = step->row;
    row.next_us = step->call->now_us + (step->stopped ? 0 : pause_us(row.attempts));
    row.attempts += !step->stopped;
    enum gh_err err = row.next_us < row.created_us + AGE_US_MAX
                          ? tx->ops->mail_update(tx, &row)
                          : tx->ops->mail_delete(tx, gh_id_str(&row.id));
    return err == GH_ERR_NOT_FOUND ? GH_OK : err; /* its account is gone meanwhile */
}

static enum gh_err take_away(struct gh_tx *tx, void *args)
{
    struct step *step = args;
    enum gh_err err = tx->ops->mail_delete(tx, gh_id_str(&step->row.id));
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

enum gh_identity_result gh_outbox_step(struct gh_identity_call *call,
                                       const struct gh_mailer *mailer)
{
    struct step step = {.call = call};
    enum gh_err err = gh_identity_write(call, take, &step);
    if (err == GH_ERR_NOT_FOUND)
        return GH_IDENTITY_NOT_FOUND;
    if (err != GH_OK)
        return GH_IDENTITY_UNAVAILABLE;
    if (step.drop)
        return GH_IDENTITY_OK;
    enum gh_err sent = send(&step, mailer);
    step.stopped = sent == GH_ERR_CLOSED;
    bool over = sent == GH_OK || sent == GH_ERR_REFUSED;
    err = gh_identity_write(call, over ? take_away : put_back, &step);
    if (sent == GH_ERR_REFUSED) {
        call->why = "the server refuses this mail for good";
        return GH_IDENTITY_INVALID;
    }
    return sent == GH_OK && err == GH_OK ? GH_IDENTITY_OK : GH_IDENTITY_UNAVAILABLE;
}
