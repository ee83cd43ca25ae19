/* The SQLite adapter: what guards a sign-in (tickets, recovery codes, throttles, devices). */
#include "store/sqlite_ops.h"

/* ---- Tickets ---- */

static void put_ticket(struct gh_sqlite_call *call, const struct gh_ticket *ticket)
{
    gh_sqlite_put_bytes(call, ticket->hash, sizeof(ticket->hash));
    gh_sqlite_put_u64(call, ticket->purpose);
    gh_sqlite_put_id(call, &ticket->account);
    gh_sqlite_put_sealed(call, ticket->data);
    gh_sqlite_put_u64(call, ticket->tries);
    gh_sqlite_put_u64(call, ticket->created_us);
    gh_sqlite_put_u64(call, ticket->expires_us);
}

static void take_ticket(struct gh_sqlite_call *call, struct gh_ticket *ticket)
{
    gh_sqlite_take_bytes(call, ticket->hash, sizeof(ticket->hash));
    ticket->purpose = (enum gh_ticket_purpose)gh_sqlite_take_number(call, GH_TICKET_SETUP);
    ticket->account = gh_sqlite_take_id(call);
    ticket->data = gh_sqlite_take_text(call);
    ticket->tries = gh_sqlite_take_number(call, UINT32_MAX);
    ticket->created_us = gh_sqlite_take_u64(call);
    ticket->expires_us = gh_sqlite_take_u64(call);
}

enum gh_err gh_sqlite_ticket_insert(struct gh_tx *tx, const struct gh_ticket *ticket)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_TICKET_INSERT);
    put_ticket(&call, ticket);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_ticket_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                                 struct gh_ticket *out)
{
    struct gh_ticket ticket;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_TICKET_GET);
    gh_sqlite_put_bytes(&call, hash, GH_SHA256_BYTES);
    bool found = gh_sqlite_next(&call);
    if (found)
        take_ticket(&call, &ticket);
    enum gh_err err = gh_sqlite_end_one(&call, found);
    if (err == GH_OK)
        *out = ticket;
    return err;
}

enum gh_err gh_sqlite_ticket_update(struct gh_tx *tx, const struct gh_ticket *ticket)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_TICKET_UPDATE);
    put_ticket(&call, ticket);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_ticket_delete(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES])
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_TICKET_DELETE);
    gh_sqlite_put_bytes(&call, hash, GH_SHA256_BYTES);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_tickets_delete_of(struct gh_tx *tx, struct gh_str account,
                                        enum gh_ticket_purpose purpose)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_TICKETS_DELETE_OF);
    gh_sqlite_put_text(&call, account);
    gh_sqlite_put_u64(&call, purpose);
    return gh_sqlite_change_any(&call);
}

/* ---- Recovery codes ---- */

static enum gh_err insert_recovery(struct gh_tx *tx, struct gh_str account,
                                   const uint8_t hash[GH_SHA256_BYTES])
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_RECOVERY_INSERT);
    gh_sqlite_put_text(&call, account);
    gh_sqlite_put_bytes(&call, hash, GH_SHA256_BYTES);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_recovery_set(struct gh_tx *tx, struct gh_str account,
                                   const uint8_t (*hashes)[GH_SHA256_BYTES], size_t count)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_RECOVERY_DELETE_OF);
    gh_sqlite_put_text(&call, account);
    enum gh_err err = gh_sqlite_change_any(&call);
    for (size_t i = 0; err == GH_OK && i < count; i++)
        err = insert_recovery(tx, account, hashes[i]);
    return err;
}

enum gh_err gh_sqlite_recovery_take(struct gh_tx *tx, struct gh_str account,
                                    const uint8_t hash[GH_SHA256_BYTES])
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_RECOVERY_TAKE);
    gh_sqlite_put_text(&call, account);
    gh_sqlite_put_bytes(&call, hash, GH_SHA256_BYTES);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_recovery_count(struct gh_tx *tx, struct gh_str account, uint64_t *out_count)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_RECOVERY_COUNT);
    gh_sqlite_put_text(&call, account);
    return gh_sqlite_count(&call, out_count);
}

/* ---- Throttles ---- */

enum gh_err gh_sqlite_throttle_get(struct gh_tx *tx, const uint8_t key[16],
                                   struct gh_throttle_row *out)
{
    struct gh_throttle_row row;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_THROTTLE_GET);
    gh_sqlite_put_bytes(&call, key, sizeof(row.key));
    bool found = gh_sqlite_next(&call);
    if (found) {
        gh_sqlite_take_bytes(&call, row.key, sizeof(row.key));
        row.failures = gh_sqlite_take_u64(&call);
        row.first_us = gh_sqlite_take_u64(&call);
        row.last_us = gh_sqlite_take_u64(&call);
        row.blocked_until_us = gh_sqlite_take_u64(&call);
    }
    enum gh_err err = gh_sqlite_end_one(&call, found);
    if (err == GH_OK)
        *out = row;
    return err;
}

enum gh_err gh_sqlite_throttle_put(struct gh_tx *tx, const struct gh_throttle_row *row)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_THROTTLE_PUT);
    gh_sqlite_put_bytes(&call, row->key, sizeof(row->key));
    gh_sqlite_put_u64(&call, row->failures);
    gh_sqlite_put_u64(&call, row->first_us);
    gh_sqlite_put_u64(&call, row->last_us);
    gh_sqlite_put_u64(&call, row->blocked_until_us);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_throttle_delete(struct gh_tx *tx, const uint8_t key[16])
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_THROTTLE_DELETE);
    gh_sqlite_put_bytes(&call, key, sizeof((struct gh_throttle_row){.failures = 0}.key));
    return gh_sqlite_change_one(&call);
}

/* ---- Devices ---- */

static void take_device(struct gh_sqlite_call *call, void *out_row)
{
    struct gh_device_row *device = out_row;
    gh_sqlite_take_bytes(call, device->hash, sizeof(device->hash));
    device->account = gh_sqlite_take_id(call);
    device->created_us = gh_sqlite_take_u64(call);
    device->last_used_us = gh_sqlite_take_u64(call);
    device->label = gh_sqlite_take_text(call);
}

enum gh_err gh_sqlite_device_put(struct gh_tx *tx, const struct gh_device_row *device)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_DEVICE_PUT);
    gh_sqlite_put_bytes(&call, device->hash, sizeof(device->hash));
    gh_sqlite_put_id(&call, &device->account);
    gh_sqlite_put_u64(&call, device->created_us);
    gh_sqlite_put_u64(&call, device->last_used_us);
    gh_sqlite_put_sealed(&call, device->label);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_device_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                                 struct gh_device_row *out)
{
    struct gh_device_row device;
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_DEVICE_GET);
    gh_sqlite_put_bytes(&call, hash, GH_SHA256_BYTES);
    bool found = gh_sqlite_next(&call);
    if (found)
        take_device(&call, &device);
    enum gh_err err = gh_sqlite_end_one(&call, found);
    if (err == GH_OK)
        *out = device;
    return err;
}

enum gh_err gh_sqlite_devices_of(struct gh_tx *tx, struct gh_str account,
                                 struct gh_device_row **out_rows, size_t *out_count)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_DEVICES_OF);
    gh_sqlite_put_text(&call, account);
    void *rows;
    enum gh_err err = gh_sqlite_take_all(&call, take_device, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

enum gh_err gh_sqlite_device_delete(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES])
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_DEVICE_DELETE);
    gh_sqlite_put_bytes(&call, hash, GH_SHA256_BYTES);
    return gh_sqlite_change_one(&call);
}

enum gh_err gh_sqlite_devices_delete_of(struct gh_tx *tx, struct gh_str account)
{
    struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_DEVICES_DELETE_OF);
    gh_sqlite_put_text(&call, account);
    return gh_sqlite_change_any(&call);
}
