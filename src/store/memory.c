#include "store/memory.h"

#include <pthread.h>

#include "base/assert.h"
#include "store/memory_tables.h"

struct gh_memory_store {
    struct gh_store store; /* first */
    pthread_mutex_t lock;
    struct gh_memory_table tables[GH_MEMORY_TABLE_COUNT];
    uint64_t next_key, next_seq;
    unsigned failures;
    enum gh_err failure;
};

/* A unit under way; the lock is held. */
struct memory_tx {
    struct gh_tx tx; /* first */
    struct gh_memory_store *store;
};

static struct gh_memory_store *store_of(struct gh_tx *tx)
{
    return ((struct memory_tx *)tx)->store;
}

static struct gh_memory_table *table_of(struct gh_tx *tx, enum gh_memory_table_id id)
{
    return &store_of(tx)->tables[id];
}

/* ---- Finding rows ---- */

typedef bool row_test(const void *row, const void *wanted);

/* The index of the first row that passes from `from` on, or the count. */
static size_t find_from(const struct gh_memory_table *table, size_t from, row_test *test,
                        const void *wanted)
{
    size_t i = from;
    while (i < table->count && !test(gh_memory_row(table, i), wanted))
        i++;
    return i;
}

static size_t find(const struct gh_memory_table *table, row_test *test, const void *wanted)
{
    return find_from(table, 0, test, wanted);
}

static enum gh_err get(struct gh_tx *tx, enum gh_memory_table_id id, row_test *test,
                       const void *wanted, void *out_row)
{
    struct gh_memory_table *table = table_of(tx, id);
    size_t index = find(table, test, wanted);
    if (index == table->count)
        return GH_ERR_NOT_FOUND;
    return gh_memory_read(table, index, tx->arena, out_row) ? GH_OK : GH_ERR_MEMORY;
}

static enum gh_err insert(struct gh_tx *tx, enum gh_memory_table_id id, row_test *same,
                          const void *key, const void *row)
{
    struct gh_memory_table *table = table_of(tx, id);
    if (same && find(table, same, key) < table->count)
        return GH_ERR_EXISTS;
    return gh_memory_append(table, row) ? GH_OK : GH_ERR_MEMORY;
}

static enum gh_err update(struct gh_tx *tx, enum gh_memory_table_id id, row_test *same,
                          const void *key, const void *row)
{
    struct gh_memory_table *table = table_of(tx, id);
    size_t index = find(table, same, key);
    if (index == table->count)
        return GH_ERR_NOT_FOUND;
    return gh_memory_replace(table, index, row) ? GH_OK : GH_ERR_MEMORY;
}

static enum gh_err put(struct gh_tx *tx, enum gh_memory_table_id id, row_test *same,
                       const void *key, const void *row)
{
    enum gh_err err = update(tx, id, same, key, row);
    return err == GH_ERR_NOT_FOUND ? insert(tx, id, NULL, NULL, row) : err;
}

static size_t remove_all(struct gh_memory_table *table, row_test *test, const void *wanted,
                         size_t limit)
{
    size_t removed = 0;
    for (size_t i = find(table, test, wanted); i < table->count && removed < limit;
         i = find_from(table, i, test, wanted)) {
        gh_memory_remove(table, i);
        removed++;
    }
    return removed;
}

static enum gh_err remove_one(struct gh_tx *tx, enum gh_memory_table_id id, row_test *test,
                              const void *wanted)
{
    return remove_all(table_of(tx, id), test, wanted, 1) ? GH_OK : GH_ERR_NOT_FOUND;
}

static bool is_id(const struct gh_id *id, const void *wanted)
{
    return gh_str_eq(gh_id_str(id), *(const struct gh_str *)wanted);
}

static bool is_hash(const uint8_t *hash, const void *wanted)
{
    return memcmp(hash, wanted, GH_SHA256_BYTES) == 0;
}

/* ---- Accounts ---- */

static bool account_has_id(const void *row, const void *wanted)
{
    return is_id(&((const struct gh_account *)row)->id, wanted);
}

static bool account_has_email(const void *row, const void *wanted)
{
    return is_hash(((const struct gh_account *)row)->email_index, wanted);
}

static enum gh_err account_insert(struct gh_tx *tx, const struct gh_account *account)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_ACCOUNTS);
    struct gh_str id = gh_id_str(&account->id);
    if (find(table, account_has_id, &id) < table->count)
        return GH_ERR_EXISTS;
    return insert(tx, GH_MEMORY_ACCOUNTS, account_has_email, account->email_index, account);
}

static enum gh_err account_by_id(struct gh_tx *tx, struct gh_str id, struct gh_account *out)
{
    return get(tx, GH_MEMORY_ACCOUNTS, account_has_id, &id, out);
}

static enum gh_err account_by_email(struct gh_tx *tx, const uint8_t index[GH_SHA256_BYTES],
                                    struct gh_account *out)
{
    return get(tx, GH_MEMORY_ACCOUNTS, account_has_email, index, out);
}

static enum gh_err account_update(struct gh_tx *tx, const struct gh_account *account)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_ACCOUNTS);
    struct gh_str id = gh_id_str(&account->id);
    size_t owner = find(table, account_has_email, account->email_index);
    if (owner < table->count && !account_has_id(gh_memory_row(table, owner), &id))
        return GH_ERR_EXISTS;
    return update(tx, GH_MEMORY_ACCOUNTS, account_has_id, &id, account);
}

static bool session_has_account(const void *row, const void *wanted)
{
    return is_id(&((const struct gh_session_row *)row)->account, wanted);
}

static bool ticket_has_account(const void *row, const void *wanted)
{
    return is_id(&((const struct gh_ticket *)row)->account, wanted);
}

static bool recovery_has_account(const void *row, const void *wanted)
{
    return is_id(&((const struct gh_memory_recovery *)row)->account, wanted);
}

static bool device_has_account(const void *row, const void *wanted)
{
    return is_id(&((const struct gh_device_row *)row)->account, wanted);
}

static bool mail_has_account(const void *row, const void *wanted)
{
    return is_id(&((const struct gh_mail_row *)row)->account, wanted);
}

static enum gh_err account_delete(struct gh_tx *tx, struct gh_str id)
{
    static const struct {
        enum gh_memory_table_id id;
        row_test *test;
    } HANGS_ON_IT[] = {
        {GH_MEMORY_SESSIONS, session_has_account},    {GH_MEMORY_TICKETS, ticket_has_account},
        {GH_MEMORY_RECOVERIES, recovery_has_account}, {GH_MEMORY_DEVICES, device_has_account},
        {GH_MEMORY_MAILS, mail_has_account},
    };
    enum gh_err err = remove_one(tx, GH_MEMORY_ACCOUNTS, account_has_id, &id);
    for (size_t i = 0; err == GH_OK && i < sizeof(HANGS_ON_IT) / sizeof(HANGS_ON_IT[0]); i++)
        remove_all(table_of(tx, HANGS_ON_IT[i].id), HANGS_ON_IT[i].test, &id, SIZE_MAX);
    return err;
}

static bool has_role(const struct gh_account *account, struct gh_str role)
{
    for (struct gh_str rest = account->roles; rest.ptr;)
        if (gh_str_eq(gh_str_split(&rest, ','), role))
            return true;
    return false;
}

static bool account_is_asked_for(const void *row, const void *wanted)
{
    const struct gh_account *account = row;
    const struct gh_account_query *query = wanted;
    if (query->by_email && !account_has_email(account, query->email_index))
        return false;
    if (query->role.len && !has_role(account, query->role))
        return false;
    return strcmp(account->id.text, query->after.text) > 0;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct gh_account *)a)->id.text, ((const struct gh_account *)b)->id.text);
}

static enum gh_err account_page(struct gh_tx *tx, const struct gh_account_query *query,
                                struct gh_account **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_ACCOUNTS);
    struct gh_account *rows = gh_arena_zalloc(tx->arena, table->count + 1, sizeof(*rows));
    size_t count = 0;
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = find(table, account_is_asked_for, query); i < table->count;
         i = find_from(table, i + 1, account_is_asked_for, query))
        if (!gh_memory_read(table, i, tx->arena, &rows[count++]))
            return GH_ERR_MEMORY;
    if (count)
        qsort(rows, count, sizeof(*rows), compare_ids);
    *out_rows = rows;
    *out_count = count < query->limit ? count : query->limit;
    return GH_OK;
}

static enum gh_err account_count(struct gh_tx *tx, struct gh_str role, uint64_t *out_count)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_ACCOUNTS);
    *out_count = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct gh_account *account = gh_memory_row(table, i);
        *out_count += account->status == GH_ACCOUNT_ACTIVE && has_role(account, role);
    }
    return GH_OK;
}

/* ---- Sessions ---- */

static bool session_has_family(const void *row, const void *wanted)
{
    return is_id(&((const struct gh_session_row *)row)->family, wanted);
}

static bool session_has_id(const void *row, const void *wanted)
{
    return is_id(&((const struct gh_session_row *)row)->session_id, wanted);
}

static enum gh_err session_insert(struct gh_tx *tx, const struct gh_session_row *session)
{
    struct gh_str family = gh_id_str(&session->family);
    return insert(tx, GH_MEMORY_SESSIONS, session_has_family, &family, session);
}

static enum gh_err session_by_family(struct gh_tx *tx, struct gh_str family,
                                     struct gh_session_row *out)
{
    return get(tx, GH_MEMORY_SESSIONS, session_has_family, &family, out);
}

static enum gh_err session_by_id(struct gh_tx *tx, struct gh_str session_id,
                                 struct gh_session_row *out)
{
    return get(tx, GH_MEMORY_SESSIONS, session_has_id, &session_id, out);
}

static enum gh_err session_update(struct gh_tx *tx, const struct gh_session_row *session)
{
    struct gh_str family = gh_id_str(&session->family);
    return update(tx, GH_MEMORY_SESSIONS, session_has_family, &family, session);
}

static enum gh_err sessions_of(struct gh_tx *tx, struct gh_str account,
                               struct gh_session_row **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_SESSIONS);
    struct gh_session_row *rows = gh_arena_zalloc(tx->arena, table->count + 1, sizeof(*rows));
    size_t count = 0;
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = table->count; i-- > 0;) {
        const struct gh_session_row *row = gh_memory_row(table, i);
        if (row->revoked_us || !session_has_account(row, &account))
            continue;
        if (!gh_memory_read(table, i, tx->arena, &rows[count++]))
            return GH_ERR_MEMORY;
    }
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}

/* ---- Tickets ---- */

static bool ticket_has_hash(const void *row, const void *wanted)
{
    return is_hash(((const struct gh_ticket *)row)->hash, wanted);
}

static enum gh_err ticket_insert(struct gh_tx *tx, const struct gh_ticket *ticket)
{
    return insert(tx, GH_MEMORY_TICKETS, ticket_has_hash, ticket->hash, ticket);
}

static enum gh_err ticket_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                              struct gh_ticket *out)
{
    return get(tx, GH_MEMORY_TICKETS, ticket_has_hash, hash, out);
}

static enum gh_err ticket_update(struct gh_tx *tx, const struct gh_ticket *ticket)
{
    return update(tx, GH_MEMORY_TICKETS, ticket_has_hash, ticket->hash, ticket);
}

static enum gh_err ticket_delete(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES])
{
    return remove_one(tx, GH_MEMORY_TICKETS, ticket_has_hash, hash);
}

struct ticket_owner {
    struct gh_str account;
    enum gh_ticket_purpose purpose;
};

static bool ticket_is_of(const void *row, const void *wanted)
{
    const struct ticket_owner *owner = wanted;
    return ((const struct gh_ticket *)row)->purpose == owner->purpose &&
           ticket_has_account(row, &owner->account);
}

static enum gh_err tickets_delete_of(struct gh_tx *tx, struct gh_str account,
                                     enum gh_ticket_purpose purpose)
{
    struct ticket_owner owner = {account, purpose};
    remove_all(table_of(tx, GH_MEMORY_TICKETS), ticket_is_of, &owner, SIZE_MAX);
    return GH_OK;
}

/* ---- Recovery codes ---- */

static bool recovery_is(const void *row, const void *wanted)
{
    const struct gh_memory_recovery *a = row, *b = wanted;
    return is_hash(a->hash, b->hash) && strcmp(a->account.text, b->account.text) == 0;
}

static bool make_recovery(struct gh_str account, const uint8_t hash[GH_SHA256_BYTES],
                          struct gh_memory_recovery *out)
{
    memcpy(out->hash, hash, GH_SHA256_BYTES);
    return gh_id_parse(account, &out->account);
}

static enum gh_err recovery_set(struct gh_tx *tx, struct gh_str account,
                                const uint8_t (*hashes)[GH_SHA256_BYTES], size_t count)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_RECOVERIES);
    remove_all(table, recovery_has_account, &account, SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        struct gh_memory_recovery row;
        if (!make_recovery(account, hashes[i], &row))
            return GH_ERR_INVALID;
        if (!gh_memory_append(table, &row))
            return GH_ERR_MEMORY;
    }
    return GH_OK;
}

static enum gh_err recovery_take(struct gh_tx *tx, struct gh_str account,
                                 const uint8_t hash[GH_SHA256_BYTES])
{
    struct gh_memory_recovery wanted;
    if (!make_recovery(account, hash, &wanted))
        return GH_ERR_NOT_FOUND;
    return remove_one(tx, GH_MEMORY_RECOVERIES, recovery_is, &wanted);
}

static enum gh_err recovery_count(struct gh_tx *tx, struct gh_str account, uint64_t *out_count)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_RECOVERIES);
    *out_count = 0;
    for (size_t i = 0; i < table->count; i++)
        *out_count += recovery_has_account(gh_memory_row(table, i), &account);
    return GH_OK;
}

/* ---- Throttles, devices ---- */

static bool throttle_has_key(const void *row, const void *wanted)
{
    return memcmp(((const struct gh_throttle_row *)row)->key, wanted, 16) == 0;
}

static enum gh_err throttle_get(struct gh_tx *tx, const uint8_t key[16],
                                struct gh_throttle_row *out)
{
    return get(tx, GH_MEMORY_THROTTLES, throttle_has_key, key, out);
}

static enum gh_err throttle_put(struct gh_tx *tx, const struct gh_throttle_row *row)
{
    return put(tx, GH_MEMORY_THROTTLES, throttle_has_key, row->key, row);
}

static enum gh_err throttle_delete(struct gh_tx *tx, const uint8_t key[16])
{
    return remove_one(tx, GH_MEMORY_THROTTLES, throttle_has_key, key);
}

static bool device_has_hash(const void *row, const void *wanted)
{
    return is_hash(((const struct gh_device_row *)row)->hash, wanted);
}

static enum gh_err device_put(struct gh_tx *tx, const struct gh_device_row *device)
{
    return put(tx, GH_MEMORY_DEVICES, device_has_hash, device->hash, device);
}

static enum gh_err device_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                              struct gh_device_row *out)
{
    return get(tx, GH_MEMORY_DEVICES, device_has_hash, hash, out);
}

static enum gh_err devices_of(struct gh_tx *tx, struct gh_str account,
                              struct gh_device_row **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_DEVICES);
    struct gh_device_row *rows = gh_arena_zalloc(tx->arena, table->count + 1, sizeof(*rows));
    size_t count = 0;
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = table->count; i-- > 0;)
        if (device_has_account(gh_memory_row(table, i), &account) &&
            !gh_memory_read(table, i, tx->arena, &rows[count++]))
            return GH_ERR_MEMORY;
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}

static enum gh_err devices_delete_of(struct gh_tx *tx, struct gh_str account)
{
    remove_all(table_of(tx, GH_MEMORY_DEVICES), device_has_account, &account, SIZE_MAX);
    return GH_OK;
}

/* ---- Mails ---- */

static bool mail_has_id(const void *row, const void *wanted)
{
    return is_id(&((const struct gh_mail_row *)row)->id, wanted);
}

static enum gh_err mail_insert(struct gh_tx *tx, const struct gh_mail_row *mail)
{
    struct gh_str id = gh_id_str(&mail->id);
    return insert(tx, GH_MEMORY_MAILS, mail_has_id, &id, mail);
}

static enum gh_err mail_take(struct gh_tx *tx, uint64_t now_us, uint64_t lease_until_us,
                             struct gh_mail_row *out)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_MAILS);
    size_t best = table->count;
    for (size_t i = 0; i < table->count; i++) {
        const struct gh_mail_row *mail = gh_memory_row(table, i);
        const struct gh_mail_row *first = best < table->count ? gh_memory_row(table, best) : NULL;
        if (mail->next_us <= now_us && (!first || mail->next_us < first->next_us))
            best = i;
    }
    if (best == table->count)
        return GH_ERR_NOT_FOUND;
    ((struct gh_mail_row *)gh_memory_row(table, best))->next_us = lease_until_us;
    return gh_memory_read(table, best, tx->arena, out) ? GH_OK : GH_ERR_MEMORY;
}

static enum gh_err mail_update(struct gh_tx *tx, const struct gh_mail_row *mail)
{
    struct gh_str id = gh_id_str(&mail->id);
    return update(tx, GH_MEMORY_MAILS, mail_has_id, &id, mail);
}

static enum gh_err mail_delete(struct gh_tx *tx, struct gh_str id)
{
    return remove_one(tx, GH_MEMORY_MAILS, mail_has_id, &id);
}

static enum gh_err mail_count(struct gh_tx *tx, uint64_t *out_count)
{
    *out_count = table_of(tx, GH_MEMORY_MAILS)->count;
    return GH_OK;
}

/* ---- Keys ---- */

static bool key_has_id(const void *row, const void *wanted)
{
    return ((const struct gh_key_row *)row)->id == *(const uint64_t *)wanted;
}

static enum gh_err key_insert(struct gh_tx *tx, const struct gh_key_row *key, uint64_t *out_id)
{
    struct gh_key_row row = *key;
    if (!row.id)
        row.id = ++store_of(tx)->next_key;
    else if (row.id > store_of(tx)->next_key)
        store_of(tx)->next_key = row.id;
    *out_id = row.id;
    return insert(tx, GH_MEMORY_KEYS, key_has_id, &row.id, &row);
}

static enum gh_err key_update(struct gh_tx *tx, const struct gh_key_row *key)
{
    return update(tx, GH_MEMORY_KEYS, key_has_id, &key->id, key);
}

static enum gh_err key_delete(struct gh_tx *tx, uint64_t id)
{
    return remove_one(tx, GH_MEMORY_KEYS, key_has_id, &id);
}

static enum gh_err keys_all(struct gh_tx *tx, struct gh_key_row **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_KEYS);
    struct gh_key_row *rows = gh_arena_zalloc(tx->arena, table->count + 1, sizeof(*rows));
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < table->count; i++)
        if (!gh_memory_read(table, i, tx->arena, &rows[i]))
            return GH_ERR_MEMORY;
    *out_rows = rows;
    *out_count = table->count;
    return GH_OK;
}

/* ---- Revocations ---- */

static bool revocation_has_id(const void *row, const void *wanted)
{
    return is_id(&((const struct gh_revocation_row *)row)->session_id, wanted);
}

static enum gh_err revocation_insert(struct gh_tx *tx, const struct gh_revocation_row *row)
{
    struct gh_str id = gh_id_str(&row->session_id);
    return put(tx, GH_MEMORY_REVOCATIONS, revocation_has_id, &id, row);
}

static enum gh_err revocations_since(struct gh_tx *tx, uint64_t now_us,
                                     struct gh_revocation_row **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_REVOCATIONS);
    struct gh_revocation_row *rows = gh_arena_zalloc(tx->arena, table->count + 1, sizeof(*rows));
    size_t count = 0;
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < table->count; i++) {
        const struct gh_revocation_row *row = gh_memory_row(table, i);
        if (row->until_us > now_us)
            rows[count++] = *row;
    }
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}

/* ---- Audit ---- */

static enum gh_err audit_append(struct gh_tx *tx, const struct gh_audit_record *record)
{
    struct gh_audit_record row = *record;
    row.seq = ++store_of(tx)->next_seq;
    return insert(tx, GH_MEMORY_AUDIT, NULL, NULL, &row);
}

static bool record_is_asked_for(const struct gh_audit_record *record,
                                const struct gh_audit_query *query)
{
    if (query->user_id.len && !gh_str_eq(record->user_id, query->user_id) &&
        !gh_str_eq(record->actor_id, query->user_id))
        return false;
    if (query->event.len && !gh_str_eq(gh_audit_event_facts(record->event)->name, query->event))
        return false;
    if (query->before_seq && record->seq >= query->before_seq)
        return false;
    return record->time_us >= query->since_us &&
           (!query->until_us || record->time_us < query->until_us);
}

static enum gh_err audit_page(struct gh_tx *tx, const struct gh_audit_query *query,
                              struct gh_audit_record **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = table_of(tx, GH_MEMORY_AUDIT);
    struct gh_audit_record *rows = gh_arena_zalloc(tx->arena, query->limit + 1, sizeof(*rows));
    size_t count = 0;
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = table->count; i-- > 0 && count < query->limit;)
        if (record_is_asked_for(gh_memory_row(table, i), query) &&
            !gh_memory_read(table, i, tx->arena, &rows[count++]))
            return GH_ERR_MEMORY;
    *out_rows = rows;
    *out_count = count;
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
    return ((const struct gh_revocation_row *)row)->until_us <= *(const uint64_t *)now_us;
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

static enum gh_err purge(struct gh_tx *tx, uint64_t now_us, size_t limit, uint64_t *out_removed)
{
    static const struct {
        enum gh_memory_table_id id;
        row_test *test;
    } RULES[] = {
        {GH_MEMORY_TICKETS, ticket_ran_out},         {GH_MEMORY_SESSIONS, session_ran_out},
        {GH_MEMORY_REVOCATIONS, revocation_ran_out}, {GH_MEMORY_THROTTLES, throttle_ran_out},
        {GH_MEMORY_DEVICES, device_ran_out},
    };
    *out_removed = 0;
    for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++)
        *out_removed +=
            remove_all(table_of(tx, RULES[i].id), RULES[i].test, &now_us, limit - *out_removed);
    return GH_OK;
}

static const struct gh_tx_ops TX_OPS = {
    .account_insert = account_insert,
    .account_by_id = account_by_id,
    .account_by_email = account_by_email,
    .account_update = account_update,
    .account_delete = account_delete,
    .account_page = account_page,
    .account_count = account_count,
    .session_insert = session_insert,
    .session_by_family = session_by_family,
    .session_by_id = session_by_id,
    .session_update = session_update,
    .sessions_of = sessions_of,
    .ticket_insert = ticket_insert,
    .ticket_get = ticket_get,
    .ticket_update = ticket_update,
    .ticket_delete = ticket_delete,
    .tickets_delete_of = tickets_delete_of,
    .recovery_set = recovery_set,
    .recovery_take = recovery_take,
    .recovery_count = recovery_count,
    .throttle_get = throttle_get,
    .throttle_put = throttle_put,
    .throttle_delete = throttle_delete,
    .device_put = device_put,
    .device_get = device_get,
    .devices_of = devices_of,
    .devices_delete_of = devices_delete_of,
    .mail_insert = mail_insert,
    .mail_take = mail_take,
    .mail_update = mail_update,
    .mail_delete = mail_delete,
    .mail_count = mail_count,
    .key_insert = key_insert,
    .key_update = key_update,
    .key_delete = key_delete,
    .keys_all = keys_all,
    .revocation_insert = revocation_insert,
    .revocations_since = revocations_since,
    .audit_append = audit_append,
    .audit_page = audit_page,
    .purge = purge,
};

/* ---- Transactions: one at a time ---- */

static enum gh_err store_run(struct gh_store *base, gh_store_unit *unit, void *args,
                             struct gh_arena *arena)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    struct gh_memory_table before[GH_MEMORY_TABLE_COUNT];
    struct memory_tx tx = {{&TX_OPS, arena}, store};
    pthread_mutex_lock(&store->lock);
    enum gh_err err = GH_ERR_MEMORY;
    if (store->failures) {
        store->failures--;
        err = store->failure;
    } else if (gh_memory_tables_copy(store->tables, before)) {
        err = unit(&tx.tx, args);
        if (err != GH_OK) { /* back to what was */
            gh_memory_tables_free(store->tables);
            memcpy(store->tables, before, sizeof(before));
        } else {
            gh_memory_tables_free(before);
        }
    }
    pthread_mutex_unlock(&store->lock);
    return err;
}

static enum gh_err store_read(struct gh_store *base, gh_store_unit *unit, void *args,
                              struct gh_arena *arena)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    struct memory_tx tx = {{&TX_OPS, arena}, store};
    pthread_mutex_lock(&store->lock);
    enum gh_err err = unit(&tx.tx, args);
    pthread_mutex_unlock(&store->lock);
    return err;
}

static void store_close(struct gh_store *base)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    gh_memory_tables_free(store->tables);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static const struct gh_store_ops STORE_OPS = {store_run, store_read, store_close};

struct gh_store *gh_memory_store_open(void)
{
    struct gh_memory_store *store = calloc(1, sizeof(*store));
    if (!store)
        return NULL;
    store->store.ops = &STORE_OPS;
    pthread_mutex_init(&store->lock, NULL);
    gh_memory_tables_init(store->tables);
    return &store->store;
}

void gh_memory_store_fail(struct gh_store *base, unsigned count, enum gh_err err)
{
    struct gh_memory_store *store = (struct gh_memory_store *)base;
    pthread_mutex_lock(&store->lock);
    store->failures = count;
    store->failure = err;
    pthread_mutex_unlock(&store->lock);
}
