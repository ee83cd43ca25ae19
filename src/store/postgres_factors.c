/* The PostgreSQL adapter: what guards a sign-in (tickets, recovery codes, throttles, devices). */
#include "store/postgres_ops.h"

/* ---- Tickets ---- */

static void put_ticket(struct gh_postgres_call *call, const struct gh_ticket *ticket)
{
    gh_postgres_put_bytes(call, ticket->hash, sizeof(ticket->hash));
    gh_postgres_put_u64(call, ticket->purpose);
    gh_postgres_put_optional_id(call, &ticket->account);
    gh_postgres_put_sealed(call, ticket->data);
    gh_postgres_put_u64(call, ticket->tries);
    gh_postgres_put_u64(call, ticket->created_us);
    gh_postgres_put_u64(call, ticket->expires_us);
}

static void take_ticket(struct gh_postgres_call *call, struct gh_ticket *ticket)
{
    gh_postgres_take_bytes(call, ticket->hash, sizeof(ticket->hash));
    ticket->purpose = (enum gh_ticket_purpose)gh_postgres_take_number(call, GH_TICKET_SETUP);
    ticket->account = gh_postgres_take_id(call);
    ticket->data = gh_postgres_take_text(call);
    ticket->tries = gh_postgres_take_number(call, UINT32_MAX);
    ticket->created_us = gh_postgres_take_u64(call);
    ticket->expires_us = gh_postgres_take_u64(call);
}

enum gh_err gh_postgres_ticket_insert(struct gh_tx *tx, const struct gh_ticket *ticket)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_TICKET_INSERT);
    put_ticket(&call, ticket);
    return gh_postgres_change_told(&call);
}

enum gh_err gh_postgres_ticket_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                                   struct gh_ticket *out)
{
    struct gh_ticket ticket;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_TICKET_GET);
    gh_postgres_put_bytes(&call, hash, GH_SHA256_BYTES);
    bool found = gh_postgres_next(&call);
    if (found)
        take_ticket(&call, &ticket);
    enum gh_err err = gh_postgres_end_one(&call, found);
    if (err == GH_OK)
        *out = ticket;
    return err;
}

enum gh_err gh_postgres_ticket_update(struct gh_tx *tx, const struct gh_ticket *ticket)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_TICKET_UPDATE);
    put_ticket(&call, ticket);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_ticket_delete(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES])
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_TICKET_DELETE);
    gh_postgres_put_bytes(&call, hash, GH_SHA256_BYTES);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_tickets_delete_of(struct gh_tx *tx, struct gh_str account,
                                          enum gh_ticket_purpose purpose)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_TICKETS_DELETE_OF);
    gh_postgres_put_text(&call, account); /* none: those that hang on none */
    gh_postgres_put_u64(&call, purpose);
    return gh_postgres_change_any(&call);
}

/* ---- Recovery codes ---- */

static enum gh_err delete_recovery(struct gh_tx *tx, struct gh_str account)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_RECOVERY_DELETE_OF);
    gh_postgres_put_key(&call, account);
    return gh_postgres_change_any(&call);
}

enum gh_err gh_postgres_recovery_set(struct gh_tx *tx, struct gh_str account,
                                     const uint8_t (*hashes)[GH_SHA256_BYTES], size_t count)
{
    uint64_t changed;
    enum gh_err err = delete_recovery(tx, account);
    if (err != GH_OK || !count)
        return err;
    struct gh_str *codes = gh_arena_zalloc(tx->arena, count, sizeof(*codes));
    if (!codes)
        return gh_postgres_fail((struct gh_postgres_tx *)tx, GH_ERR_MEMORY);
    for (size_t i = 0; i < count; i++)
        codes[i] = gh_str_of((const char *)hashes[i], GH_SHA256_BYTES);
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_RECOVERY_INSERT);
    gh_postgres_put_key(&call, account);
    gh_postgres_put_sealeds(&call, codes, count);
    err = gh_postgres_change(&call, &changed);
    if (err != GH_OK || changed == count)
        return err;
    return changed ? GH_ERR_EXISTS : GH_ERR_NOT_FOUND; /* one of them twice; no such account */
}

enum gh_err gh_postgres_recovery_take(struct gh_tx *tx, struct gh_str account,
                                      const uint8_t hash[GH_SHA256_BYTES])
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_RECOVERY_TAKE);
    gh_postgres_put_key(&call, account);
    gh_postgres_put_bytes(&call, hash, GH_SHA256_BYTES);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_recovery_count(struct gh_tx *tx, struct gh_str account, uint64_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_RECOVERY_COUNT);
    gh_postgres_put_key(&call, account);
    return gh_postgres_count(&call, out_count);
}

/* ---- Throttles ---- */

enum gh_err gh_postgres_throttle_get(struct gh_tx *tx, const uint8_t key[16],
                                     struct gh_throttle_row *out)
{
    struct gh_throttle_row row;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_THROTTLE_GET);
    gh_postgres_put_bytes(&call, key, sizeof(row.key));
    bool found = gh_postgres_next(&call);
    if (found) {
        gh_postgres_take_bytes(&call, row.key, sizeof(row.key));
        row.failures = gh_postgres_take_u64(&call);
        row.first_us = gh_postgres_take_u64(&call);
        row.last_us = gh_postgres_take_u64(&call);
        row.blocked_until_us = gh_postgres_take_u64(&call);
    }
    enum gh_err err = gh_postgres_end_one(&call, found);
    if (err == GH_OK)
        *out = row;
    return err;
}

enum gh_err gh_postgres_throttle_put(struct gh_tx *tx, const struct gh_throttle_row *row)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_THROTTLE_PUT);
    gh_postgres_put_bytes(&call, row->key, sizeof(row->key));
    gh_postgres_put_u64(&call, row->failures);
    gh_postgres_put_u64(&call, row->first_us);
    gh_postgres_put_u64(&call, row->last_us);
    gh_postgres_put_u64(&call, row->blocked_until_us);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_throttle_delete(struct gh_tx *tx, const uint8_t key[16])
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_THROTTLE_DELETE);
    gh_postgres_put_bytes(&call, key, sizeof((struct gh_throttle_row){.failures = 0}.key));
    return gh_postgres_change_one(&call);
}

/* ---- Devices ---- */

static void take_device(struct gh_postgres_call *call, void *out_row)
{
    struct gh_device_row *device = out_row;
    gh_postgres_take_bytes(call, device->hash, sizeof(device->hash));
    device->account = gh_postgres_take_id(call);
    device->created_us = gh_postgres_take_u64(call);
    device->last_used_us = gh_postgres_take_u64(call);
    device->label = gh_postgres_take_text(call);
}

enum gh_err gh_postgres_device_put(struct gh_tx *tx, const struct gh_device_row *device)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_DEVICE_PUT);
    gh_postgres_put_bytes(&call, device->hash, sizeof(device->hash));
    gh_postgres_put_id(&call, &device->account);
    gh_postgres_put_u64(&call, device->created_us);
    gh_postgres_put_u64(&call, device->last_used_us);
    gh_postgres_put_sealed(&call, device->label);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_device_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                                   struct gh_device_row *out)
{
    struct gh_device_row device;
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_DEVICE_GET);
    gh_postgres_put_bytes(&call, hash, GH_SHA256_BYTES);
    bool found = gh_postgres_next(&call);
    if (found)
        take_device(&call, &device);
    enum gh_err err = gh_postgres_end_one(&call, found);
    if (err == GH_OK)
        *out = device;
    return err;
}

enum gh_err gh_postgres_devices_of(struct gh_tx *tx, struct gh_str account,
                                   struct gh_device_row **out_rows, size_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_DEVICES_OF);
    gh_postgres_put_key(&call, account);
    void *rows;
    enum gh_err err =
        gh_postgres_take_all(&call, take_device, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

enum gh_err gh_postgres_device_delete(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES])
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_DEVICE_DELETE);
    gh_postgres_put_bytes(&call, hash, GH_SHA256_BYTES);
    return gh_postgres_change_one(&call);
}

enum gh_err gh_postgres_devices_delete_of(struct gh_tx *tx, struct gh_str account)
{
    struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_DEVICES_DELETE_OF);
    gh_postgres_put_key(&call, account);
    return gh_postgres_change_any(&call);
}
