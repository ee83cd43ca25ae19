/* Inside the SQLite adapter: the operations of the port, as their table names them. */
#ifndef GH_STORE_SQLITE_OPS_H
#define GH_STORE_SQLITE_OPS_H

#include "store/sqlite_call.h"

/* sqlite_people.c */
enum gh_err gh_sqlite_account_insert(struct gh_tx *tx, const struct gh_account *account);
enum gh_err gh_sqlite_account_by_id(struct gh_tx *tx, struct gh_str id, struct gh_account *out);
enum gh_err gh_sqlite_account_by_email(struct gh_tx *tx, const uint8_t index[GH_SHA256_BYTES],
                                       struct gh_account *out);
enum gh_err gh_sqlite_account_update(struct gh_tx *tx, const struct gh_account *account);
enum gh_err gh_sqlite_account_delete(struct gh_tx *tx, struct gh_str id);
enum gh_err gh_sqlite_account_page(struct gh_tx *tx, const struct gh_account_query *query,
                                   struct gh_account **out_rows, size_t *out_count);
enum gh_err gh_sqlite_account_count(struct gh_tx *tx, struct gh_str role, uint64_t *out_count);
enum gh_err gh_sqlite_session_insert(struct gh_tx *tx, const struct gh_session_row *session);
enum gh_err gh_sqlite_session_by_family(struct gh_tx *tx, struct gh_str family,
                                        struct gh_session_row *out);
enum gh_err gh_sqlite_session_by_id(struct gh_tx *tx, struct gh_str session_id,
                                    struct gh_session_row *out);
enum gh_err gh_sqlite_session_update(struct gh_tx *tx, const struct gh_session_row *session);
enum gh_err gh_sqlite_sessions_of(struct gh_tx *tx, struct gh_str account,
                                  struct gh_session_row **out_rows, size_t *out_count);

/* sqlite_factors.c */
enum gh_err gh_sqlite_ticket_insert(struct gh_tx *tx, const struct gh_ticket *ticket);
enum gh_err gh_sqlite_ticket_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                                 struct gh_ticket *out);
enum gh_err gh_sqlite_ticket_update(struct gh_tx *tx, const struct gh_ticket *ticket);
enum gh_err gh_sqlite_ticket_delete(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES]);
enum gh_err gh_sqlite_tickets_delete_of(struct gh_tx *tx, struct gh_str account,
                                        enum gh_ticket_purpose purpose);
enum gh_err gh_sqlite_recovery_set(struct gh_tx *tx, struct gh_str account,
                                   const uint8_t (*hashes)[GH_SHA256_BYTES], size_t count);
enum gh_err gh_sqlite_recovery_take(struct gh_tx *tx, struct gh_str account,
                                    const uint8_t hash[GH_SHA256_BYTES]);
enum gh_err gh_sqlite_recovery_count(struct gh_tx *tx, struct gh_str account, uint64_t *out_count);
enum gh_err gh_sqlite_throttle_get(struct gh_tx *tx, const uint8_t key[16],
                                   struct gh_throttle_row *out);
enum gh_err gh_sqlite_throttle_put(struct gh_tx *tx, const struct gh_throttle_row *row);
enum gh_err gh_sqlite_throttle_delete(struct gh_tx *tx, const uint8_t key[16]);
enum gh_err gh_sqlite_device_put(struct gh_tx *tx, const struct gh_device_row *device);
enum gh_err gh_sqlite_device_get(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                                 struct gh_device_row *out);
enum gh_err gh_sqlite_device_delete(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES]);
enum gh_err gh_sqlite_devices_of(struct gh_tx *tx, struct gh_str account,
                                 struct gh_device_row **out_rows, size_t *out_count);
enum gh_err gh_sqlite_devices_delete_of(struct gh_tx *tx, struct gh_str account);

/* sqlite_rest.c */
enum gh_err gh_sqlite_mail_insert(struct gh_tx *tx, const struct gh_mail_row *mail);
enum gh_err gh_sqlite_mail_take(struct gh_tx *tx, uint64_t now_us, uint64_t lease_until_us,
                                struct gh_mail_row *out);
enum gh_err gh_sqlite_mail_update(struct gh_tx *tx, const struct gh_mail_row *mail);
enum gh_err gh_sqlite_mail_delete(struct gh_tx *tx, struct gh_str id);
enum gh_err gh_sqlite_mail_count(struct gh_tx *tx, uint64_t *out_count);
enum gh_err gh_sqlite_key_insert(struct gh_tx *tx, const struct gh_key_row *key, uint64_t *out_id);
enum gh_err gh_sqlite_key_update(struct gh_tx *tx, const struct gh_key_row *key);
enum gh_err gh_sqlite_key_delete(struct gh_tx *tx, uint64_t id);
enum gh_err gh_sqlite_keys_all(struct gh_tx *tx, struct gh_key_row **out_rows, size_t *out_count);
enum gh_err gh_sqlite_revocation_insert(struct gh_tx *tx, const struct gh_revocation_row *row);
enum gh_err gh_sqlite_revocations_since(struct gh_tx *tx, uint64_t cursor, uint64_t now_us,
                                        struct gh_revocation_row **out_rows, size_t *out_count,
                                        uint64_t *out_cursor);
enum gh_err gh_sqlite_purge(struct gh_tx *tx, uint64_t now_us, size_t limit, uint64_t *out_removed);

/* sqlite_audit.c */
enum gh_err gh_sqlite_audit_chains(struct gh_tx *tx, struct gh_audit_chain **out_rows,
                                   size_t *out_count);
enum gh_err gh_sqlite_audit_own(struct gh_tx *tx, struct gh_audit_own *out);
enum gh_err gh_sqlite_audit_written(struct gh_tx *tx, uint64_t number,
                                    struct gh_audit_written **out_rows, size_t *out_count);
enum gh_err gh_sqlite_audit_append(struct gh_tx *tx, const struct gh_audit_row *row);
enum gh_err gh_sqlite_audit_page(struct gh_tx *tx, const struct gh_audit_query *query,
                                 struct gh_audit_row **out_rows, size_t *out_count);
enum gh_err gh_sqlite_audit_head(struct gh_tx *tx, uint64_t *out_seq,
                                 uint8_t out_hash[GH_SHA256_BYTES]);
enum gh_err gh_sqlite_audit_first(struct gh_tx *tx, uint64_t *out_seq,
                                  uint8_t out_prev_hash[GH_SHA256_BYTES]);
enum gh_err gh_sqlite_audit_last_of(struct gh_tx *tx, enum gh_audit_event event, uint64_t before_us,
                                    struct gh_audit_row *out);
enum gh_err gh_sqlite_audit_drop(struct gh_tx *tx, uint64_t through_seq, size_t limit,
                                 uint64_t *out_removed);
enum gh_err gh_sqlite_audit_count(struct gh_tx *tx, uint64_t since_us,
                                  struct gh_audit_day_count **out_rows, size_t *out_count);
enum gh_err gh_sqlite_pending_put(struct gh_tx *tx, const struct gh_audit_pending *pending);
enum gh_err gh_sqlite_pending_set(struct gh_tx *tx, uint64_t place, struct gh_str metadata);
enum gh_err gh_sqlite_pending_delete(struct gh_tx *tx, uint64_t place);
enum gh_err gh_sqlite_pending_some(struct gh_tx *tx, size_t limit,
                                   struct gh_audit_pending **out_rows, size_t *out_count);
enum gh_err gh_sqlite_person_key_get(struct gh_tx *tx, struct gh_str person,
                                     struct gh_person_key_row *out);
enum gh_err gh_sqlite_person_key_insert(struct gh_tx *tx, const struct gh_person_key_row *row);
enum gh_err gh_sqlite_person_key_delete(struct gh_tx *tx, struct gh_str person);
enum gh_err gh_sqlite_person_keys_drop_days(struct gh_tx *tx, struct gh_str before,
                                            uint64_t *out_removed);

/* sqlite_sealed.c */
enum gh_err gh_sqlite_sealed_page(struct gh_tx *tx, enum gh_sealed_column column,
                                  struct gh_str after_key, size_t limit,
                                  struct gh_sealed_row **out_rows, size_t *out_count);
enum gh_err gh_sqlite_sealed_put(struct gh_tx *tx, enum gh_sealed_column column,
                                 const struct gh_sealed_row *read, struct gh_str sealed);

#endif
