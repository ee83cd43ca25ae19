/* The memory store: accounts and what hangs on them. */
#include "store/memory_rows.h"

/* ---- Accounts ---- */

static bool account_has_id(const void *row, const void *wanted)
{
    return gh_memory_is_id(&((const struct gh_account *)row)->id, wanted);
}

static bool account_has_email(const void *row, const void *wanted)
{
    return gh_memory_is_hash(((const struct gh_account *)row)->email_index, wanted);
}

enum gh_err gh_memory_account_insert(struct gh_tx *tx, const struct gh_account *account)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_ACCOUNTS);
    struct gh_str id = gh_id_str(&account->id);
    if (!gh_memory_has_form(&account->id))
        return GH_ERR_INVALID;
    if (gh_memory_find(table, account_has_id, &id) < table->count)
        return GH_ERR_EXISTS;
    return gh_memory_insert(tx, GH_MEMORY_ACCOUNTS, account_has_email, account->email_index,
                            account);
}

enum gh_err gh_memory_account_by_id(struct gh_tx *tx, struct gh_str id, struct gh_account *out)
{
    return gh_memory_get(tx, GH_MEMORY_ACCOUNTS, account_has_id, &id, out);
}

enum gh_err gh_memory_account_by_email(struct gh_tx *tx, const uint8_t index[GH_SHA256_BYTES],
                                       struct gh_account *out)
{
    return gh_memory_get(tx, GH_MEMORY_ACCOUNTS, account_has_email, index, out);
}

enum gh_err gh_memory_account_update(struct gh_tx *tx, const struct gh_account *account)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_ACCOUNTS);
    struct gh_str id = gh_id_str(&account->id);
    size_t owner = gh_memory_find(table, account_has_email, account->email_index);
    if (owner < table->count && !account_has_id(gh_memory_row(table, owner), &id))
        return GH_ERR_EXISTS;
    return gh_memory_update(tx, GH_MEMORY_ACCOUNTS, account_has_id, &id, account);
}

static bool session_has_account(const void *row, const void *wanted)
{
    return gh_memory_is_id(&((const struct gh_session_row *)row)->account, wanted);
}

static bool ticket_has_account(const void *row, const void *wanted)
{
    return gh_memory_is_id(&((const struct gh_ticket *)row)->account, wanted);
}

static bool recovery_has_account(const void *row, const void *wanted)
{
    return gh_memory_is_id(&((const struct gh_memory_recovery *)row)->account, wanted);
}

static bool device_has_account(const void *row, const void *wanted)
{
    return gh_memory_is_id(&((const struct gh_device_row *)row)->account, wanted);
}

static bool mail_has_account(const void *row, const void *wanted)
{
    return gh_memory_is_id(&((const struct gh_mail_row *)row)->account, wanted);
}

enum gh_err gh_memory_account_delete(struct gh_tx *tx, struct gh_str id)
{
    static const struct {
        enum gh_memory_table_id id;
        gh_memory_row_test *test;
    } HANGS_ON_IT[] = {
        {GH_MEMORY_SESSIONS, session_has_account},    {GH_MEMORY_TICKETS, ticket_has_account},
        {GH_MEMORY_RECOVERIES, recovery_has_account}, {GH_MEMORY_DEVICES, device_has_account},
        {GH_MEMORY_MAILS, mail_has_account},
    };
    enum gh_err err = gh_memory_remove_one(tx, GH_MEMORY_ACCOUNTS, account_has_id, &id);
    size_t removed;
    for (size_t i = 0; err == GH_OK && i < sizeof(HANGS_ON_IT) / sizeof(HANGS_ON_IT[0]); i++)
        err = gh_memory_remove_all(tx, HANGS_ON_IT[i].id, HANGS_ON_IT[i].test, &id, SIZE_MAX,
                                   &removed);
    if (err == GH_OK && gh_memory_person_key_delete(tx, id) == GH_ERR_MEMORY)
        err = GH_ERR_MEMORY;
    return err;
}

static bool has_role(const struct gh_account *account, struct gh_str role)
{
    for (struct gh_str rest = account->roles; rest.ptr;)
        if (gh_str_eq(gh_str_split(&rest, ','), role))
            return true;
    return false;
}

static bool account_is_asked_for(const struct gh_account *account,
                                 const struct gh_account_query *query)
{
    if (query->by_email && !account_has_email(account, query->email_index))
        return false;
    return !query->role.len || has_role(account, query->role);
}

/* The index of the first one asked for behind the id `after`, or the count. */
static size_t next_account(const struct gh_memory_table *table,
                           const struct gh_account_query *query, const char *after)
{
    size_t best = table->count;
    for (size_t i = 0; i < table->count; i++) {
        const struct gh_account *account = gh_memory_row(table, i);
        const struct gh_account *first = best < table->count ? gh_memory_row(table, best) : NULL;
        if (strcmp(account->id.text, after) > 0 && account_is_asked_for(account, query) &&
            (!first || strcmp(account->id.text, first->id.text) < 0))
            best = i;
    }
    return best;
}

enum gh_err gh_memory_account_page(struct gh_tx *tx, const struct gh_account_query *query,
                                   struct gh_account **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_ACCOUNTS);
    size_t most = query->limit < table->count ? query->limit : table->count, count = 0;
    struct gh_account *rows = gh_arena_zalloc(tx->arena, most + 1, sizeof(*rows));
    const char *after = query->after.text;
    if (!rows)
        return GH_ERR_MEMORY;
    while (count < most) {
        size_t index = next_account(table, query, after);
        if (index == table->count)
            break;
        if (!gh_memory_read(table, index, tx->arena, &rows[count]))
            return GH_ERR_MEMORY;
        after = rows[count++].id.text;
    }
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}

enum gh_err gh_memory_account_count(struct gh_tx *tx, struct gh_str role, uint64_t *out_count)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_ACCOUNTS);
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
    return gh_memory_is_id(&((const struct gh_session_row *)row)->family, wanted);
}

static bool session_has_id(const void *row, const void *wanted)
{
    return gh_memory_is_id(&((const struct gh_session_row *)row)->session_id, wanted);
}

/* The other rules of a row to be; the family is looked at by the caller. */
static enum gh_err check_session(struct gh_tx *tx, const struct gh_session_row *session)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_SESSIONS);
    struct gh_str id = gh_id_str(&session->session_id), family = gh_id_str(&session->family);
    if (!gh_memory_has_form(&session->family) || !gh_memory_has_form(&session->session_id) ||
        !gh_memory_has_form(&session->account))
        return GH_ERR_INVALID;
    size_t owner = gh_memory_find(table, session_has_id, &id);
    if (owner < table->count && !session_has_family(gh_memory_row(table, owner), &family))
        return GH_ERR_EXISTS;
    return gh_memory_check_account(tx, &session->account);
}

enum gh_err gh_memory_session_insert(struct gh_tx *tx, const struct gh_session_row *session)
{
    struct gh_str family = gh_id_str(&session->family);
    enum gh_err err = check_session(tx, session);
    return err == GH_OK
               ? gh_memory_insert(tx, GH_MEMORY_SESSIONS, session_has_family, &family, session)
               : err;
}

enum gh_err gh_memory_session_by_family(struct gh_tx *tx, struct gh_str family,
                                        struct gh_session_row *out)
{
    return gh_memory_get(tx, GH_MEMORY_SESSIONS, session_has_family, &family, out);
}

enum gh_err gh_memory_session_by_id(struct gh_tx *tx, struct gh_str session_id,
                                    struct gh_session_row *out)
{
    return gh_memory_get(tx, GH_MEMORY_SESSIONS, session_has_id, &session_id, out);
}

enum gh_err gh_memory_session_update(struct gh_tx *tx, const struct gh_session_row *session)
{
    struct gh_str family = gh_id_str(&session->family);
    enum gh_err err = check_session(tx, session);
    return err == GH_OK
               ? gh_memory_update(tx, GH_MEMORY_SESSIONS, session_has_family, &family, session)
               : err;
}

/* Newest first. */
static int compare_sessions(const void *left, const void *right)
{
    const struct gh_session_row *a = left, *b = right;
    if (a->created_us != b->created_us)
        return a->created_us < b->created_us ? 1 : -1;
    return strcmp(b->family.text, a->family.text);
}

enum gh_err gh_memory_sessions_of(struct gh_tx *tx, struct gh_str account,
                                  struct gh_session_row **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_SESSIONS);
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
    if (count)
        qsort(rows, count, sizeof(*rows), compare_sessions);
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}

/* ---- Recovery codes ---- */

static bool recovery_is(const void *row, const void *wanted)
{
    const struct gh_memory_recovery *a = row, *b = wanted;
    return gh_memory_is_hash(a->hash, b->hash) && strcmp(a->account.text, b->account.text) == 0;
}

static bool make_recovery(struct gh_str account, const uint8_t hash[GH_SHA256_BYTES],
                          struct gh_memory_recovery *out)
{
    memcpy(out->hash, hash, GH_SHA256_BYTES);
    return gh_id_parse(account, &out->account);
}

enum gh_err gh_memory_recovery_set(struct gh_tx *tx, struct gh_str account,
                                   const uint8_t (*hashes)[GH_SHA256_BYTES], size_t count)
{
    struct gh_memory_recovery row;
    size_t removed;
    enum gh_err err = gh_memory_remove_all(tx, GH_MEMORY_RECOVERIES, recovery_has_account, &account,
                                           SIZE_MAX, &removed);
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        if (!make_recovery(account, hashes[i], &row))
            return GH_ERR_NOT_FOUND;
        err = gh_memory_check_account(tx, &row.account);
        if (err == GH_OK)
            err = gh_memory_insert(tx, GH_MEMORY_RECOVERIES, recovery_is, &row, &row);
    }
    return err;
}

enum gh_err gh_memory_recovery_take(struct gh_tx *tx, struct gh_str account,
                                    const uint8_t hash[GH_SHA256_BYTES])
{
    struct gh_memory_recovery wanted;
    if (!make_recovery(account, hash, &wanted))
        return GH_ERR_NOT_FOUND;
    return gh_memory_remove_one(tx, GH_MEMORY_RECOVERIES, recovery_is, &wanted);
}

enum gh_err gh_memory_recovery_count(struct gh_tx *tx, struct gh_str account, uint64_t *out_count)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_RECOVERIES);
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

enum gh_err gh_memory_throttle_get(struct gh_tx *tx, const uint8_t key[16],
                                   struct gh_throttle_row *out)
{
    return gh_memory_get(tx, GH_MEMORY_THROTTLES, throttle_has_key, key, out);
}

enum gh_err gh_memory_throttle_put(struct gh_tx *tx, const struct gh_throttle_row *row)
{
    return gh_memory_put(tx, GH_MEMORY_THROTTLES, throttle_has_key, row->key, row);
}

enum gh_err gh_memory_throttle_delete(struct gh_tx *tx, const uint8_t key[16])
{
    return gh_memory_remove_one(tx, GH_MEMORY_THROTTLES, throttle_has_key, key);
}

static bool device_has_hash(const void *row, const void *wanted)
{
    return gh_memory_is_hash(((const struct gh_device_row *)row)->hash, wanted);
}

enum gh_err gh_memory_device_put(struct gh_tx *tx, const struct gh_device_row *device)
{
    enum gh_err err = gh_memory_has_form(&device->account)
                          ? gh_memory_check_account(tx, &device->account)
                          : GH_ERR_INVALID;
    return err == GH_OK
               ? gh_memory_put(tx, GH_MEMORY_DEVICES, device_has_hash, device->hash, device)
               : err;
}

enum gh_err gh_memory_device_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                                 struct gh_device_row *out)
{
    return gh_memory_get(tx, GH_MEMORY_DEVICES, device_has_hash, hash, out);
}

/* Newest first. */
static int compare_devices(const void *left, const void *right)
{
    const struct gh_device_row *a = left, *b = right;
    if (a->created_us != b->created_us)
        return a->created_us < b->created_us ? 1 : -1;
    return memcmp(b->hash, a->hash, sizeof(a->hash));
}

enum gh_err gh_memory_devices_of(struct gh_tx *tx, struct gh_str account,
                                 struct gh_device_row **out_rows, size_t *out_count)
{
    struct gh_memory_table *table = gh_memory_table_of(tx, GH_MEMORY_DEVICES);
    struct gh_device_row *rows = gh_arena_zalloc(tx->arena, table->count + 1, sizeof(*rows));
    size_t count = 0;
    if (!rows)
        return GH_ERR_MEMORY;
    for (size_t i = table->count; i-- > 0;)
        if (device_has_account(gh_memory_row(table, i), &account) &&
            !gh_memory_read(table, i, tx->arena, &rows[count++]))
            return GH_ERR_MEMORY;
    if (count)
        qsort(rows, count, sizeof(*rows), compare_devices);
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}

enum gh_err gh_memory_device_delete(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES])
{
    return gh_memory_remove_one(tx, GH_MEMORY_DEVICES, device_has_hash, hash);
}

enum gh_err gh_memory_devices_delete_of(struct gh_tx *tx, struct gh_str account)
{
    size_t removed;
    return gh_memory_remove_all(tx, GH_MEMORY_DEVICES, device_has_account, &account, SIZE_MAX,
                                &removed);
}
