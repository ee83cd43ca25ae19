/*
 * All SQL of the PostgreSQL adapter but its schema (migrations_postgresql/) and the audit log's, in
 * one table: X(name, READS or WRITES, SQL). Columns stand in the order in which the functions of
 * the adapter put and take them. Numbers are bigint; a parameter that stands alone has its type
 * beside it.
 *
 * What inserts or changes a row that may clash answers with one row of two booleans: whether it was
 * done, and whether it was not because something is taken.
 */
#ifndef GH_STORE_POSTGRES_STATEMENTS_H
#define GH_STORE_POSTGRES_STATEMENTS_H

#include "identity/store.h"
#include "store/postgres_audit_statements.h"

#define GH_PG_ACCOUNT_REST                                                                         \
    "email_index, email, email_verified_us, password_hash, password_changed_us, name, "            \
    "locale, roles, status, created_us, last_login_us, totp_secret, totp_enabled, totp_last_step"
#define GH_PG_ACCOUNT "id, " GH_PG_ACCOUNT_REST
#define GH_PG_SESSION_REST                                                                         \
    "session_id, account, secret, counter, token_hash, rotations, created_us, "                    \
    "last_used_us, expires_us, authenticated_us, idle_us, two_factor, remember, revoked_us, "      \
    "device, ip"
#define GH_PG_SESSION     "family, " GH_PG_SESSION_REST
#define GH_PG_TICKET_REST "purpose, account, data, tries, created_us, expires_us"
#define GH_PG_TICKET      "hash, " GH_PG_TICKET_REST
#define GH_PG_THROTTLE    "key, failures, first_us, last_us, blocked_until_us"
#define GH_PG_DEVICE      "hash, account, created_us, last_used_us, label"
#define GH_PG_MAIL_REST   "account, recipient, message, attempts, created_us, next_us"
#define GH_PG_MAIL        "id, " GH_PG_MAIL_REST
#define GH_PG_KEY_REST    "purpose, alg, kid, wrapped, created_us, retired_us"
#define GH_PG_KEY         "id, " GH_PG_KEY_REST
#define GH_PG_PERSON_KEY  "person, wrapped, created_us"

#define GH_PG_OF_5  "$1, $2, $3, $4, $5"
#define GH_PG_OF_7  GH_PG_OF_5 ", $6, $7"
#define GH_PG_OF_15 GH_PG_OF_7 ", $8, $9, $10, $11, $12, $13, $14, $15"
#define GH_PG_OF_17 GH_PG_OF_15 ", $16, $17"

/* `made` is the change. Without an account that it hangs on nothing can be taken. */
#define GH_PG_TELL(made, taken)                                                                    \
    "WITH made AS (" made " RETURNING 1) SELECT EXISTS (SELECT FROM made), " taken
#define GH_PG_ROLE                  "position(',' || $2::text || ',' in ',' || roles || ',') > 0"
#define GH_PG_ACCOUNT_IS(parameter) "EXISTS (SELECT FROM accounts WHERE id = " parameter ")"
#define GH_PG_PERSON_IS             "($1 LIKE 'day:%' OR " GH_PG_ACCOUNT_IS("$1") ")"
/* By another row than that of $1. */
#define GH_PG_TAKEN(table, column, key)                                                            \
    "EXISTS (SELECT FROM " table " WHERE " column " = $2 AND " key " <> $1)"

/* Hangs on the account of the parameter; or on none, where that is NULL. */
#define GH_PG_INSERT_BELOW(table, columns, values, account)                                        \
    GH_PG_TELL("INSERT INTO " table " (" columns ") SELECT " values                                \
               " WHERE " GH_PG_ACCOUNT_IS(account) " ON CONFLICT DO NOTHING",                      \
               GH_PG_ACCOUNT_IS(account))
#define GH_PG_INSERT_BELOW_ANY(table, columns, values, account)                                    \
    GH_PG_TELL("INSERT INTO " table " (" columns ") SELECT " values " WHERE " account              \
               "::text IS NULL OR " GH_PG_ACCOUNT_IS(account) " ON CONFLICT DO NOTHING",           \
               "(" account "::text IS NULL OR " GH_PG_ACCOUNT_IS(account) ")")

#define GH_PG_TYPE_TEXT "text"
#define GH_PG_TYPE_BLOB "bytea"
/* Two of each column: $1 after, $2 limit; $1 key, $2 what was read, $3 what comes. */
#define GH_PG_SEALED(X, id, table, column, key, type, row, field)                                  \
    X(SEALED_PAGE_##id, READS,                                                                     \
      "SELECT " #key ", " #row ", " #column " FROM " #table " WHERE " #key                         \
      " > coalesce($1::" GH_PG_TYPE_##type ", '') AND length(" #column ") > 0 ORDER BY " #key      \
                                           " LIMIT $2")                                            \
    X(SEALED_PUT_##id, WRITES,                                                                     \
      "UPDATE " #table " SET " #column " = $3 WHERE " #key " = $1 AND " #column " = $2")
/* What another node removes just now is left to it. */
#define GH_PG_PURGE(table, key, test)                                                              \
    "DELETE FROM " table " WHERE " key " IN (SELECT " key " FROM " table " WHERE " test            \
    " LIMIT $1 FOR UPDATE SKIP LOCKED)"

#define GH_POSTGRES_STATEMENTS(X)                                                                  \
    X(UNIT_KEEP, WRITES, "INSERT INTO units (id) VALUES ($1)")                                     \
    X(UNIT_SETTLE, WRITES,                                                                         \
      "INSERT INTO units AS kept (id, abandoned) VALUES ($1, true) ON CONFLICT (id) DO UPDATE "    \
      "SET abandoned = kept.abandoned RETURNING abandoned")                                        \
    X(UNITS_DROP, WRITES,                                                                          \
      "DELETE FROM units WHERE id IN (SELECT id FROM units WHERE id < $2 ORDER BY id LIMIT $1 "    \
      "FOR UPDATE SKIP LOCKED)")                                                                   \
    X(ACCOUNT_INSERT, WRITES,                                                                      \
      "INSERT INTO accounts (" GH_PG_ACCOUNT ") VALUES (" GH_PG_OF_15 ") ON CONFLICT DO NOTHING")  \
    X(ACCOUNT_BY_ID, READS, "SELECT " GH_PG_ACCOUNT " FROM accounts WHERE id = $1")                \
    X(ACCOUNT_BY_EMAIL, READS, "SELECT " GH_PG_ACCOUNT " FROM accounts WHERE email_index = $1")    \
    X(ACCOUNT_UPDATE, WRITES,                                                                      \
      GH_PG_TELL("UPDATE accounts SET (" GH_PG_ACCOUNT_REST                                        \
                 ") = ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) "             \
                 "WHERE id = $1 AND NOT " GH_PG_TAKEN("accounts", "email_index", "id"),            \
                 GH_PG_TAKEN("accounts", "email_index", "id") " AND " GH_PG_ACCOUNT_IS("$1")))     \
    X(ACCOUNT_DELETE, WRITES,                                                                      \
      "WITH gone AS (DELETE FROM accounts WHERE id = $1 RETURNING id), opened AS (DELETE FROM "    \
      "person_keys WHERE person IN (SELECT id FROM gone)) SELECT 1 FROM gone")                     \
    X(ACCOUNT_PAGE, READS,                                                                         \
      "SELECT " GH_PG_ACCOUNT " FROM accounts WHERE id > coalesce($1::text, '') AND "              \
      "($2::text IS NULL OR " GH_PG_ROLE ") ORDER BY id LIMIT $3")                                 \
    X(ACCOUNT_PAGE_BY_EMAIL, READS,                                                                \
      "SELECT " GH_PG_ACCOUNT " FROM accounts WHERE id > coalesce($1::text, '') AND "              \
      "($2::text IS NULL OR " GH_PG_ROLE ") AND email_index = $4 LIMIT $3")                        \
    X(ACCOUNT_COUNT, READS, "SELECT count(*) FROM accounts WHERE status = $1 AND " GH_PG_ROLE)     \
    X(SESSION_INSERT, WRITES, GH_PG_INSERT_BELOW("sessions", GH_PG_SESSION, GH_PG_OF_17, "$3"))    \
    X(SESSION_BY_FAMILY, READS, "SELECT " GH_PG_SESSION " FROM sessions WHERE family = $1")        \
    X(SESSION_BY_ID, READS, "SELECT " GH_PG_SESSION " FROM sessions WHERE session_id = $1")        \
    X(SESSION_UPDATE, WRITES,                                                                      \
      GH_PG_TELL("UPDATE sessions SET (" GH_PG_SESSION_REST                                        \
                 ") = ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) "   \
                 "WHERE family = $1 AND " GH_PG_ACCOUNT_IS("$3") " AND NOT " GH_PG_TAKEN(          \
                     "sessions", "session_id", "family"),                                          \
                 GH_PG_TAKEN("sessions", "session_id",                                             \
                             "family") " AND EXISTS (SELECT FROM sessions WHERE family = $1)"))    \
    X(SESSIONS_OF, READS,                                                                          \
      "SELECT " GH_PG_SESSION " FROM sessions WHERE account = $1 AND "                             \
      "revoked_us = 0 ORDER BY created_us DESC, family DESC")                                      \
    X(TICKET_INSERT, WRITES, GH_PG_INSERT_BELOW_ANY("tickets", GH_PG_TICKET, GH_PG_OF_7, "$3"))    \
    X(TICKET_GET, READS, "SELECT " GH_PG_TICKET " FROM tickets WHERE hash = $1")                   \
    X(TICKET_UPDATE, WRITES,                                                                       \
      "UPDATE tickets SET (" GH_PG_TICKET_REST ") = ($2, $3, $4, $5, $6, $7) "                     \
      "WHERE hash = $1 AND ($3::text IS NULL OR " GH_PG_ACCOUNT_IS("$3") ")")                      \
    X(TICKET_DELETE, WRITES, "DELETE FROM tickets WHERE hash = $1")                                \
    X(TICKETS_DELETE_OF, WRITES,                                                                   \
      "DELETE FROM tickets WHERE (account = $1 OR $1::text IS NULL AND account IS NULL) AND "      \
      "purpose = $2")                                                                              \
    X(RECOVERY_DELETE_OF, WRITES, "DELETE FROM recovery_codes WHERE account = $1")                 \
    X(RECOVERY_INSERT, WRITES,                                                                     \
      "INSERT INTO recovery_codes (account, hash) SELECT $1, code FROM unnest($2::bytea[]) AS "    \
      "code WHERE " GH_PG_ACCOUNT_IS("$1") " ON CONFLICT DO NOTHING")                              \
    X(RECOVERY_TAKE, WRITES, "DELETE FROM recovery_codes WHERE account = $1 AND hash = $2")        \
    X(RECOVERY_COUNT, READS, "SELECT count(*) FROM recovery_codes WHERE account = $1")             \
    X(THROTTLE_GET, READS, "SELECT " GH_PG_THROTTLE " FROM throttles WHERE key = $1")              \
    X(THROTTLE_PUT, WRITES,                                                                        \
      "INSERT INTO throttles (" GH_PG_THROTTLE ") VALUES (" GH_PG_OF_5 ") ON CONFLICT (key) DO "   \
      "UPDATE SET (failures, first_us, last_us, blocked_until_us) = ($2, $3, $4, $5)")             \
    X(THROTTLE_DELETE, WRITES, "DELETE FROM throttles WHERE key = $1")                             \
    X(DEVICE_PUT, WRITES,                                                                          \
      "INSERT INTO devices (" GH_PG_DEVICE ") SELECT " GH_PG_OF_5 " WHERE " GH_PG_ACCOUNT_IS(      \
          "$2") " ON CONFLICT (hash) DO UPDATE SET (account, created_us, last_used_us, label) = "  \
                "($2, $3, $4, $5)")                                                                \
    X(DEVICE_GET, READS, "SELECT " GH_PG_DEVICE " FROM devices WHERE hash = $1")                   \
    X(DEVICE_DELETE, WRITES, "DELETE FROM devices WHERE hash = $1")                                \
    X(DEVICES_OF, READS,                                                                           \
      "SELECT " GH_PG_DEVICE " FROM devices WHERE account = $1 "                                   \
      "ORDER BY created_us DESC, hash DESC")                                                       \
    X(DEVICES_DELETE_OF, WRITES, "DELETE FROM devices WHERE account = $1")                         \
    X(MAIL_INSERT, WRITES, GH_PG_INSERT_BELOW_ANY("mails", GH_PG_MAIL, GH_PG_OF_7, "$2"))          \
    X(MAIL_TAKE, WRITES,                                                                           \
      "UPDATE mails SET next_us = $2 WHERE id = (SELECT id FROM mails WHERE "                      \
      "next_us <= $1 ORDER BY next_us, created_us, id LIMIT 1 FOR UPDATE SKIP LOCKED) "            \
      "RETURNING " GH_PG_MAIL)                                                                     \
    X(MAIL_UPDATE, WRITES,                                                                         \
      "UPDATE mails SET (" GH_PG_MAIL_REST ") = ($2, $3, $4, $5, $6, $7) "                         \
      "WHERE id = $1 AND ($2::text IS NULL OR " GH_PG_ACCOUNT_IS("$2") ")")                        \
    X(MAIL_DELETE, WRITES, "DELETE FROM mails WHERE id = $1")                                      \
    X(MAIL_COUNT, READS, "SELECT count(*) FROM mails")                                             \
    X(KEY_INSERT, WRITES,                                                                          \
      "WITH number AS (UPDATE key_number SET last = greatest(last + ($1::bigint IS NULL)::int, "   \
      "$1) RETURNING last) INSERT INTO keys (" GH_PG_KEY ") SELECT coalesce($1, last), $2, $3, "   \
      "$4, $5, $6, $7 FROM number ON CONFLICT DO NOTHING RETURNING id")                            \
    X(KEY_UPDATE, WRITES,                                                                          \
      "UPDATE keys SET (" GH_PG_KEY_REST ") = ($2, $3, $4, $5, $6, $7) WHERE id = $1")             \
    X(KEY_DELETE, WRITES, "DELETE FROM keys WHERE id = $1")                                        \
    X(KEYS_ALL, READS, "SELECT " GH_PG_KEY " FROM keys ORDER BY id")                               \
    X(REVOCATION_PUT, WRITES,                                                                      \
      "INSERT INTO revocations AS kept (session_id, until_us, put_by) VALUES ($1, $2, "            \
      "pg_current_xact_id()::text::bigint) ON CONFLICT (session_id) DO UPDATE SET until_us = "     \
      "greatest(kept.until_us, $2), put_by = excluded.put_by")                                     \
    X(REVOCATIONS_SINCE, READS,                                                                    \
      "SELECT server + oldest, session_id, until_us FROM (SELECT "                                 \
      "pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest, (hashtextextended("        \
      "extract(epoch FROM pg_postmaster_start_time())::text, 0) & 32767) << 48 AS server) AS now " \
      "LEFT JOIN revocations ON put_by >= CASE WHEN $1 - server BETWEEN 0 AND oldest THEN $1 - "   \
      "server ELSE 0 END AND until_us > $2")                                                       \
    X(PERSON_KEY_GET, READS, "SELECT " GH_PG_PERSON_KEY " FROM person_keys WHERE person = $1")     \
    X(PERSON_KEY_INSERT, WRITES,                                                                   \
      GH_PG_TELL("INSERT INTO person_keys (" GH_PG_PERSON_KEY                                      \
                 ") SELECT $1, $2, $3 WHERE " GH_PG_PERSON_IS " ON CONFLICT DO NOTHING",           \
                 GH_PG_PERSON_IS))                                                                 \
    X(PERSON_KEY_DELETE, WRITES, "DELETE FROM person_keys WHERE person = $1")                      \
    X(PERSON_KEYS_DROP_DAYS, WRITES,                                                               \
      "DELETE FROM person_keys WHERE person >= 'day:' AND person < $1 AND $1 LIKE 'day:%'")        \
    GH_SEALED_COLUMNS(GH_PG_SEALED, X)                                                             \
    X(PURGE_TICKETS, WRITES, GH_PG_PURGE("tickets", "hash", "expires_us <= $2"))                   \
    X(PURGE_SESSIONS, WRITES, GH_PG_PURGE("sessions", "family", "expires_us <= $2"))               \
    X(PURGE_REVOCATIONS, WRITES, GH_PG_PURGE("revocations", "session_id", "until_us <= $2"))       \
    X(PURGE_THROTTLES, WRITES,                                                                     \
      GH_PG_PURGE("throttles", "key", "last_us <= $2 - $3::bigint AND blocked_until_us <= $2"))    \
    X(PURGE_DEVICES, WRITES, GH_PG_PURGE("devices", "hash", "last_used_us <= $2 - $3::bigint"))    \
    GH_POSTGRES_AUDIT_STATEMENTS(X)

enum gh_postgres_statement {
#define X(id, effect, sql) GH_POSTGRES_##id,
    GH_POSTGRES_STATEMENTS(X)
#undef X
        GH_POSTGRES_STATEMENT_COUNT
};

#endif
