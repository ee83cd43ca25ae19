/* The memory store: tickets, mails, keys, revocations, and what has run out. */
#include "store/memory_rows.h"

/* ---- Tickets ---- */

static bool ticket_has_hash(const void *row, const void *wanted)
{
    return gh_memory_is_hash(((const struct gh_ticket *)row)->hash, wanted);
}

enum gh_err gh_memory_ticket_insert(struct gh_tx *tx, const struct gh_ticket *ticket)
{
    enum gh_err err = gh_memory_check_account(tx, &ticket->account);
    return err == GH_OK
               ? gh_memory_insert(tx, GH_MEMORY_TICKETS, ticket_has_hash, ticket->hash, ticket)
               : err;
}

enum gh_err gh_memory_ticket_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                                 struct gh_ticket *out)
{
    return gh_memory_get(tx, GH_MEMORY_TICKETS, ticket_has_hash, hash, out);
}

enum gh_err gh_memory_ticket_update(struct gh_tx *tx, const struct gh_ticket *ticket)
{
    enum gh_err err = gh_memory_check_account(tx, &ticket->account);
    return err == GH_OK
               ? gh_memory_update(tx, GH_MEMORY_TICKETS, ticket_has_hash, ticket->hash, ticket)
               : err;
}

enum gh_err gh_memory_ticket_delete(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES])
{
    return gh_memory_remove_one(tx, GH_MEMORY_TICKETS, ticket_has_hash, hash);
}

struct ticket_owner {
    struct gh_str account;
    enum gh_ticket_purpose purpose;
};

static bool ticket_is_of(const void *row, const void *wanted)
{
    const struct gh_ticket *ticket = row;
    const struct ticket_owner *owner = wanted;
    return ticket->purpose == owner->purpose && gh_memory_is_id(&ticket->account, &owner->account);
}

enum gh_err gh_memory_tickets_delete_of(struct gh_tx *tx, struct gh_str account,
                                        enum gh_ticket_purpose purpose)
{
    struct ticket_owner owner = {account, purpose};
    size_t removed;
    return gh_memory_remove_all(tx, GH_MEMORY_TICKETS, ticket_is_of, &owner, SIZE_MAX, &removed);
}

/* ---- Mails ---- */

static bool mail_has_id(const void *row, const void *wanted)
{
    return gh_memory_is_id(&((const struct gh_mail_row *)row)->id, wanted);
}

enum gh_err gh_memory_mail_insert(struct gh_tx *tx, const struct gh_mail_row *mail)
{
    struct gh_str id = gh_id_str(&mail->id);
    enum gh_err err = gh_memory_has_form(&mail->id) ? gh_memory_check_account(tx, &mail->account)
                                                    : GH_ERR_INVALID;
    return err == GH_OK ? gh_memory_insert(tx, GH_MEMORY_MAILS, mail_has_id, &id, mail) : err;
}

/* Waits longer. */
static bool is_before(const struct gh_mail_row *a, const struct gh_mail_row *b)
{
    if (a->next_us != b->next_us)
        return a->next_us < b->next_us;
    if (a->created_us != b->created_us)
        return a->created_us < b->created_us;
    return strcmp(a->id.text, b->id.text) < 0;
}

enum gh_err gh_memory_mail_take(struct gh_tx *tx, uint64_t now_us, uint64_t lease_until_us,
                                struct gh_mail_row *out)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_MAILS);
    const struct gh_mail_row *best = NULL;
    for (size_t i = 0; i < table->count; i++) {
        const struct gh_mail_row *mail = gh_memory_row(table, i);
        if (mail->next_us <= now_us && (!best || is_before(mail, best)))
            best = mail;
    }
    if (!best)
        return GH_ERR_NOT_FOUND;
    struct gh_mail_row leased = *best;
    struct gh_str id = gh_id_str(&leased.id);
    leased.next_us = lease_until_us;
    enum gh_err err = gh_memory_update(tx, GH_MEMORY_MAILS, mail_has_id, &id, &leased);
    return err == GH_OK ? gh_memory_get(tx, GH_MEMORY_MAILS, mail_has_id, &id, out) : err;
}

enum gh_err gh_memory_mail_update(struct gh_tx *tx, const struct gh_mail_row *mail)
{
    struct gh_str id = gh_id_str(&mail->id);
    enum gh_err err = gh_memory_check_account(tx, &mail->account);
    return err == GH_OK ? gh_memory_update(tx, GH_MEMORY_MAILS, mail_has_id, &id, mail) : err;
}

enum gh_err gh_memory_mail_delete(struct gh_tx *tx, struct gh_str id)
{
    return gh_memory_remove_one(tx, GH_MEMORY_MAILS, mail_has_id, &id);
}

enum gh_err gh_memory_mail_count(struct gh_tx *tx, uint64_t *out_count)
{
    *out_count = gh_memory_table_of(tx, GH_MEMORY_MAILS)->count;
    return GH_OK;
}

/* ---- Keys ---- */

static bool key_has_id(const void *row, const void *wanted)
{
    return ((const struct gh_key_row *)row)->id == *(const uint64_t *)wanted;
}

enum gh_err gh_memory_key_insert(struct gh_tx *tx, const struct gh_key_row *key, uint64_t *out_id)
{
    struct gh_key_row row = *key;
    uint64_t *last = &gh_memory_store_of(tx)->last_key;
    if (!row.id)
        row.id = *last + 1;
    enum gh_err err = gh_memory_insert(tx, GH_MEMORY_KEYS, key_has_id, &row.id, &row);
    if (err != GH_OK)
        return err;
    if (row.id > *last)
        *last = row.id;
    *out_id = row.id;
    return GH_OK;
}

enum gh_err gh_memory_key_update(struct gh_tx *tx, const struct gh_key_row *key)
{
    return gh_memory_update(tx, GH_MEMORY_KEYS, key_has_id, &key->id, key);
}

enum gh_err gh_memory_key_delete(struct gh_tx *tx, uint64_t id)
{
    return gh_memory_remove_one(tx, GH_MEMORY_KEYS, key_has_id, &id);
}

static int compare_keys(const void *left, const void *right)
{
    const struct gh_key_row *a = left, *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

enum gh_err gh_memory_keys_all(struct gh_tx *tx, struct gh_key_row **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_KEYS);
    struct gh_key_row *rows = gh_arena_zalloc(tx->arena, table->count + 1, sizeof(*rows));
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < table->count; i++)
        if (!gh_memory_read(table, i, tx->arena, &rows[i]))
            return GH_ERR_MEMORY;
    if (table->count)
        qsort(rows, table->count, sizeof(*rows), compare_keys);
    *out_rows = rows;
    *out_count = table->count;
    return GH_OK;
}

/* ---- Revocations ---- */

static bool revocation_has_id(const void *row, const void *wanted)
{
    const struct gh_memory_revocation *revocation = row;
    return gh_memory_is_id(&revocation->row.session_id, wanted);
}

enum gh_err gh_memory_revocation_insert(struct gh_tx *tx, const struct gh_revocation_row *row)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_REVOCATIONS);
    struct gh_str id = gh_id_str(&row->session_id);
    struct gh_memory_revocation later = {*row, gh_memory_store_of(tx)->last_revocation + 1};
    if (!gh_memory_has_form(&row->session_id))
        return GH_ERR_INVALID;
    size_t index = gh_memory_find(table, revocation_has_id, &id);
    if (index < table->count) {
        const struct gh_memory_revocation *there = gh_memory_row(table, index);
        if (there->row.until_us >= later.row.until_us)
            later = *there;
    }
    enum gh_err err = gh_memory_put(tx, GH_MEMORY_REVOCATIONS, revocation_has_id, &id, &later);
    if (err == GH_OK)
        gh_memory_store_of(tx)->last_revocation++; /* also when the unit fails: a gap */
    return err;
}

/* Units come one after another here, so their numbers tell what is new. */
enum gh_err gh_memory_revocations_since(struct gh_tx *tx, uint64_t cursor, uint64_t now_us,
                                        struct gh_revocation_row **out_rows, size_t *out_count,
                                        uint64_t *out_cursor)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_REVOCATIONS);
    struct gh_revocation_row *rows = gh_arena_zalloc(tx->arena, table->count + 1, sizeof(*rows));
    size_t count = 0;
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < table->count; i++) {
        const struct gh_memory_revocation *there = gh_memory_row(table, i);
        if (there->position > cursor && there->row.until_us > now_us)
            rows[count++] = there->row;
    }
    *out_rows = rows;
    *out_count = count;
    *out_cursor = gh_memory_store_of(tx)->last_revocation;
    return GH_OK;
}

/* ---- What has run out ---- */

#define DAY_US 86400000000ull

static bool ticket_ran_out(const void *row, const void *now_us)
{
    return ((const struct gh_ticket *)row)->expires_us <= *(const uint64_t *)now_us;
}

static bool session_ran_out(const void *row, const void *now_us)
{
    return ((const struct gh_session_row *)row)->expires_us <= *(const uint64_t *)now_us;
}

static bool revocation_ran_out(const void *row, const void *now_us)
{
    return ((const struct gh_memory_revocation *)row)->row.until_us <= *(const uint64_t *)now_us;
}

static bool throttle_ran_out(const void *row, const void *now_us)
{
    const struct gh_throttle_row *throttle = row;
    uint64_t now = *(const uint64_t *)now_us;
    return throttle->last_us + DAY_US <= now && throttle->blocked_until_us <= now;
}

static bool device_ran_out(const void *row, const void *now_us)
{
    const struct gh_device_row *device = row;
    return device->last_used_us + 180 * DAY_US <= *(const uint64_t *)now_us;
}

enum gh_err gh_memory_purge(struct gh_tx *tx, uint64_t now_us, size_t limit, uint64_t *out_removed)
{
    static const struct {
        enum gh_memory_table_id id;
        gh_memory_row_test *test;
    } RULES[] = {
        {GH_MEMORY_TICKETS, ticket_ran_out},         {GH_MEMORY_SESSIONS, session_ran_out},
        {GH_MEMORY_REVOCATIONS, revocation_ran_out}, {GH_MEMORY_THROTTLES, throttle_ran_out},
        {GH_MEMORY_DEVICES, device_ran_out},
    };
    size_t removed = 0, of_these;
    for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++) {
        enum gh_err err = gh_memory_remove_all(tx, RULES[i].id, RULES[i].test, &now_us,
                                               limit - removed, &of_these);
        if (err != GH_OK)
            return err;
        removed += of_these;
    }
    *out_removed = removed;
    return GH_OK;
}
