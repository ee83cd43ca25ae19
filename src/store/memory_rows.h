/*
 * Inside the memory store: finding and changing rows, and the operations of the port, in files by
 * what they are of: people (accounts, sessions, devices, ...), the audit log, sealed columns, the
 * rest.
 */
#ifndef GH_STORE_MEMORY_ROWS_H
#define GH_STORE_MEMORY_ROWS_H

#include <pthread.h>

#include "store/memory.h"
#include "store/memory_tables.h"
#include "store/written.h"

struct gh_memory_store {
    struct gh_store store; /* first */
    pthread_mutex_t lock;
    struct gh_memory_table tables[GH_MEMORY_TABLE_COUNT];
    struct gh_memory_log log;
    struct gh_arena scratch; /* of one operation */
    uint64_t last_key;       /* given out; a unit that fails gives it back */
    uint64_t last_revocation;
    enum gh_audit_holder chains[GH_MEMORY_CHAINS_MAX]; /* chain 1 first */
    uint32_t chain_count, own_chain;
    struct gh_written written;
    unsigned failures;
    enum gh_err failure;
};

/* A unit under way; the lock is held. */
struct gh_memory_tx {
    struct gh_tx tx; /* first */
    struct gh_memory_store *store;
    bool read_only, is_bulk;
};

static inline struct gh_memory_store *gh_memory_store_of(struct gh_tx *tx)
{
    return ((struct gh_memory_tx *)tx)->store;
}

static inline struct gh_memory_table *gh_memory_table_of(struct gh_tx *tx,
                                                         enum gh_memory_table_id id)
{
    return &gh_memory_store_of(tx)->tables[id];
}

/* Is this row the one that is wanted? */
typedef bool gh_memory_row_test(const void *row, const void *wanted);

/* The index of the first row that passes (from `from` on), or the count. */
size_t gh_memory_find(const struct gh_memory_table *table, gh_memory_row_test *test,
                      const void *wanted);
size_t gh_memory_find_from(const struct gh_memory_table *table, size_t from,
                           gh_memory_row_test *test, const void *wanted);

/* GH_ERR_NOT_FOUND, GH_ERR_EXISTS, GH_ERR_MEMORY; GH_ERR_INVALID: a change while reading. */
enum gh_err gh_memory_get(struct gh_tx *tx, enum gh_memory_table_id id, gh_memory_row_test *test,
                          const void *wanted, void *out_row);
enum gh_err gh_memory_insert(struct gh_tx *tx, enum gh_memory_table_id id, gh_memory_row_test *same,
                             const void *key, const void *row);
enum gh_err gh_memory_update(struct gh_tx *tx, enum gh_memory_table_id id, gh_memory_row_test *same,
                             const void *key, const void *row);
/* Updates, or inserts what is not there. */
enum gh_err gh_memory_put(struct gh_tx *tx, enum gh_memory_table_id id, gh_memory_row_test *same,
                          const void *key, const void *row);
enum gh_err gh_memory_remove_all(struct gh_tx *tx, enum gh_memory_table_id id,
                                 gh_memory_row_test *test, const void *wanted, size_t limit,
                                 size_t *out_removed);
enum gh_err gh_memory_remove_one(struct gh_tx *tx, enum gh_memory_table_id id,
                                 gh_memory_row_test *test, const void *wanted);

/* `wanted` is a struct gh_str, or a hash. */
bool gh_memory_is_id(const struct gh_id *id, const void *wanted);
bool gh_memory_is_hash(const uint8_t *hash, const void *wanted);
bool gh_memory_has_form(const struct gh_id *id);
/* What hangs on an account: GH_ERR_NOT_FOUND when that is not there (an empty id: none). */
enum gh_err gh_memory_check_account(struct gh_tx *tx, const struct gh_id *account);

/* ---- The operations of the port ---- */

enum gh_err gh_memory_account_insert(struct gh_tx *tx, const struct gh_account *account);
enum gh_err gh_memory_account_by_id(struct gh_tx *tx, struct gh_str id, struct gh_account *out);
enum gh_err gh_memory_account_by_email(struct gh_tx *tx, const uint8_t index[GH_SHA256_BYTES],
                                       struct gh_account *out);
enum gh_err gh_memory_account_update(struct gh_tx *tx, const struct gh_account *account);
enum gh_err gh_memory_account_delete(struct gh_tx *tx, struct gh_str id);
enum gh_err gh_memory_account_page(struct gh_tx *tx, const struct gh_account_query *query,
                                   struct gh_account **out_rows, size_t *out_count);
enum gh_err gh_memory_account_count(struct gh_tx *tx, struct gh_str role, uint64_t *out_count);
enum gh_err gh_memory_session_insert(struct gh_tx *tx, const struct gh_session_row *session);
enum gh_err gh_memory_session_by_family(struct gh_tx *tx, struct gh_str family,
                                        struct gh_session_row *out);
enum gh_err gh_memory_session_by_id(struct gh_tx *tx, struct gh_str session_id,
                                    struct gh_session_row *out);
enum gh_err gh_memory_session_update(struct gh_tx *tx, const struct gh_session_row *session);
enum gh_err gh_memory_sessions_of(struct gh_tx *tx, struct gh_str account,
                                  struct gh_session_row **out_rows, size_t *out_count);
enum gh_err gh_memory_ticket_insert(struct gh_tx *tx, const struct gh_ticket *ticket);
enum gh_err gh_memory_ticket_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                                 struct gh_ticket *out);
enum gh_err gh_memory_ticket_update(struct gh_tx *tx, const struct gh_ticket *ticket);
enum gh_err gh_memory_ticket_delete(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES]);
enum gh_err gh_memory_tickets_delete_of(struct gh_tx *tx, struct gh_str account,
                                        enum gh_ticket_purpose purpose);
enum gh_err gh_memory_recovery_set(struct gh_tx *tx, struct gh_str account,
                                   const uint8_t (*hashes)[GH_SHA256_BYTES], size_t count);
enum gh_err gh_memory_recovery_take(struct gh_tx *tx, struct gh_str account,
                                    const uint8_t hash[GH_SHA256_BYTES]);
enum gh_err gh_memory_recovery_count(struct gh_tx *tx, struct gh_str account, uint64_t *out_count);
enum gh_err gh_memory_throttle_get(struct gh_tx *tx, const uint8_t key[16],
                                   struct gh_throttle_row *out);
enum gh_err gh_memory_throttle_put(struct gh_tx *tx, const struct gh_throttle_row *row);
enum gh_err gh_memory_throttle_delete(struct gh_tx *tx, const uint8_t key[16]);
enum gh_err gh_memory_device_put(struct gh_tx *tx, const struct gh_device_row *device);
enum gh_err gh_memory_device_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                                 struct gh_device_row *out);
enum gh_err gh_memory_device_delete(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES]);
enum gh_err gh_memory_devices_of(struct gh_tx *tx, struct gh_str account,
                                 struct gh_device_row **out_rows, size_t *out_count);
enum gh_err gh_memory_devices_delete_of(struct gh_tx *tx, struct gh_str account);
enum gh_err gh_memory_mail_insert(struct gh_tx *tx, const struct gh_mail_row *mail);
enum gh_err gh_memory_mail_take(struct gh_tx *tx, uint64_t now_us, uint64_t lease_until_us,
                                struct gh_mail_row *out);
enum gh_err gh_memory_mail_update(struct gh_tx *tx, const struct gh_mail_row *mail);
enum gh_err gh_memory_mail_delete(struct gh_tx *tx, struct gh_str id);
enum gh_err gh_memory_mail_count(struct gh_tx *tx, uint64_t *out_count);
enum gh_err gh_memory_key_insert(struct gh_tx *tx, const struct gh_key_row *key, uint64_t *out_id);
enum gh_err gh_memory_key_update(struct gh_tx *tx, const struct gh_key_row *key);
enum gh_err gh_memory_key_delete(struct gh_tx *tx, uint64_t id);
enum gh_err gh_memory_keys_all(struct gh_tx *tx, struct gh_key_row **out_rows, size_t *out_count);
enum gh_err gh_memory_revocation_insert(struct gh_tx *tx, const struct gh_revocation_row *row);
enum gh_err gh_memory_revocations_since(struct gh_tx *tx, uint64_t cursor, uint64_t now_us,
                                        struct gh_revocation_row **out_rows, size_t *out_count,
                                        uint64_t *out_cursor);
enum gh_err gh_memory_purge(struct gh_tx *tx, uint64_t now_us, size_t limit, uint64_t *out_removed);

/* memory_audit.c */
enum gh_err gh_memory_audit_chains(struct gh_tx *tx, struct gh_audit_chain **out_rows,
                                   size_t *out_count);
enum gh_err gh_memory_audit_own(struct gh_tx *tx, struct gh_audit_own *out);
enum gh_err gh_memory_audit_written(struct gh_tx *tx, uint64_t number,
                                    struct gh_audit_written **out_rows, size_t *out_count);
/* The number of the chain's last record; 0: none. */
uint64_t gh_memory_last_seq(const struct gh_memory_store *store, uint32_t chain);
enum gh_err gh_memory_audit_append(struct gh_tx *tx, const struct gh_audit_row *row);
enum gh_err gh_memory_audit_page(struct gh_tx *tx, const struct gh_audit_query *query,
                                 struct gh_audit_row **out_rows, size_t *out_count);
enum gh_err gh_memory_audit_head(struct gh_tx *tx, uint64_t *out_seq,
                                 uint8_t out_hash[GH_SHA256_BYTES]);
enum gh_err gh_memory_audit_first(struct gh_tx *tx, uint64_t *out_seq,
                                  uint8_t out_prev_hash[GH_SHA256_BYTES]);
enum gh_err gh_memory_audit_last_of(struct gh_tx *tx, enum gh_audit_event event, uint64_t before_us,
                                    struct gh_audit_row *out);
enum gh_err gh_memory_audit_drop(struct gh_tx *tx, uint64_t through_seq, size_t limit,
                                 uint64_t *out_removed);
enum gh_err gh_memory_audit_count(struct gh_tx *tx, uint64_t since_us,
                                  struct gh_audit_day_count **out_rows, size_t *out_count);
enum gh_err gh_memory_pending_put(struct gh_tx *tx, const struct gh_audit_pending *pending);
enum gh_err gh_memory_pending_set(struct gh_tx *tx, uint64_t place, struct gh_str metadata);
enum gh_err gh_memory_pending_delete(struct gh_tx *tx, uint64_t place);
enum gh_err gh_memory_pending_some(struct gh_tx *tx, size_t limit,
                                   struct gh_audit_pending **out_rows, size_t *out_count);
enum gh_err gh_memory_person_key_get(struct gh_tx *tx, struct gh_str person,
                                     struct gh_person_key_row *out);
enum gh_err gh_memory_person_key_insert(struct gh_tx *tx, const struct gh_person_key_row *row);
enum gh_err gh_memory_person_key_delete(struct gh_tx *tx, struct gh_str person);
enum gh_err gh_memory_person_keys_drop_days(struct gh_tx *tx, struct gh_str before,
                                            uint64_t *out_removed);

/* memory_sealed.c */
enum gh_err gh_memory_sealed_page(struct gh_tx *tx, enum gh_sealed_column column,
                                  struct gh_str after_key, size_t limit,
                                  struct gh_sealed_row **out_rows, size_t *out_count);
enum gh_err gh_memory_sealed_put(struct gh_tx *tx, enum gh_sealed_column column,
                                 const struct gh_sealed_row *read, struct gh_str sealed);

#endif
