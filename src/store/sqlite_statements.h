/*
 * All SQL of the SQLite adapter but its schema (migrations/), in one table. Columns stand in the
 * order in which the functions of the adapter put and take them.
 */
#ifndef GH_STORE_SQLITE_STATEMENTS_H
#define GH_STORE_SQLITE_STATEMENTS_H

#include "identity/store.h"

#define GH_SQL_ACCOUNT_REST                                                                        \
    "email_index, email, email_verified_us, password_hash, password_changed_us, name, "            \
    "locale, roles, status, created_us, last_login_us, totp_secret, totp_enabled, totp_last_step"
#define GH_SQL_ACCOUNT "id, " GH_SQL_ACCOUNT_REST
#define GH_SQL_SESSION_REST                                                                        \
    "session_id, account, secret, counter, token_hash, rotations, created_us, "                    \
    "last_used_us, expires_us, authenticated_us, idle_us, two_factor, remember, revoked_us, "      \
    "device, ip"
#define GH_SQL_SESSION     "family, " GH_SQL_SESSION_REST
#define GH_SQL_TICKET_REST "purpose, account, data, tries, created_us, expires_us"
#define GH_SQL_TICKET      "hash, " GH_SQL_TICKET_REST
#define GH_SQL_THROTTLE    "key, failures, first_us, last_us, blocked_until_us"
#define GH_SQL_DEVICE      "hash, account, created_us, last_used_us, label"
#define GH_SQL_MAIL_REST   "account, recipient, message, attempts, created_us, next_us"
#define GH_SQL_MAIL        "id, " GH_SQL_MAIL_REST
#define GH_SQL_KEY_REST    "purpose, alg, kid, wrapped, created_us, retired_us"
#define GH_SQL_KEY         "id, " GH_SQL_KEY_REST
#define GH_SQL_RECORD                                                                              \
    "seq, time, event_type, user_id, actor_id, ip_address, user_agent, session, request_id, "      \
    "outcome, metadata, prev_hash, hash, sealed"
#define GH_SQL_PENDING                                                                             \
    "place, event_type, user_id, actor_id, ip_address, user_agent, session, request_id, outcome, " \
    "metadata, sealed"
#define GH_SQL_PERSON_KEY "person, wrapped, created_us"

/* ?1 since, ?2 until, ?3 after, ?4 before, ?5 limit, ?6 session, ?7 outcome, ?8 whom or who, ?9
   event, in all that read the log. */
#define GH_SQL_RECORD_RANGE                                                                        \
    "time >= ?1 AND time <= ?2 AND seq > ?3 AND seq <= ?4 AND (?6 IS NULL OR session = ?6) AND "   \
    "(?7 IS NULL OR outcome = ?7)"
#define GH_SQL_IN_ORDER(order) " ORDER BY seq " order " LIMIT ?5"
#define GH_SQL_RECORDS_ALL(also, order)                                                            \
    "SELECT " GH_SQL_RECORD " FROM security_audit_log WHERE " also GH_SQL_RECORD_RANGE             \
    GH_SQL_IN_ORDER(order)
/* Each side walks its own index (the actors' has only those who are not whom the record speaks of)
   from its end and stops at the limit; then they are merged. The + keeps the index of events, which
   finds more, out of it. */
#define GH_SQL_RECORDS_OF_ONE(test, also, order)                                                   \
    "SELECT seq FROM (SELECT seq FROM security_audit_log WHERE " test                              \
    " AND " also GH_SQL_RECORD_RANGE                                                               \
    GH_SQL_IN_ORDER(order) ")"
#define GH_SQL_RECORDS_OF(also, order)                                                             \
    "SELECT " GH_SQL_RECORD " FROM security_audit_log WHERE seq IN (" GH_SQL_RECORDS_OF_ONE(       \
        "user_id = ?8", also,                                                                      \
        order) " UNION " GH_SQL_RECORDS_OF_ONE("actor_id = ?8 AND actor_id IS NOT user_id", also,  \
                                               order) ")" GH_SQL_IN_ORDER(order)
/* By oldest_first, whether an event is asked for, whether somebody is. */
#define GH_SQL_RECORDS(X, name, order)                                                             \
    X(RECORDS_##name, GH_SQL_RECORDS_ALL("", order))                                               \
    X(RECORDS_##name##_NAMED, GH_SQL_RECORDS_ALL("event_type = ?9 AND ", order))                   \
    X(RECORDS_##name##_OF, GH_SQL_RECORDS_OF("", order))                                           \
    X(RECORDS_##name##_OF_NAMED, GH_SQL_RECORDS_OF("+event_type = ?9 AND ", order))

/* Two of each column: ?1 after, ?2 limit; ?1 key, ?2 what was read, ?3 what comes. An empty text
   is less than every key. */
#define GH_SQL_SEALED(X, id, table, column, key, type, row, field)                                 \
    X(SEALED_PAGE_##id, "SELECT " #key ", " #row ", " #column " FROM " #table " WHERE " #key       \
                        " > ifnull(CAST(?1 AS " #type "), '') AND length(" #column                 \
                        ") > 0 ORDER BY " #key " LIMIT ?2")                                        \
    X(SEALED_PUT_##id, "UPDATE " #table " SET " #column " = ?3 WHERE " #key " = CAST(?1 AS " #type \
                       ") AND " #column " = ?2")
#define GH_SQL_PURGE(table, key, test)                                                             \
    "DELETE FROM " table " WHERE " key " IN (SELECT " key " FROM " table " WHERE " test " LIMIT "  \
    "?1)"

#define GH_SQLITE_STATEMENTS(X)                                                                    \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                              \
    X(BEGIN_READ, "BEGIN")                                                                         \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(SAVEPOINT, "SAVEPOINT unit")                                                                 \
    X(RELEASE, "RELEASE unit")                                                                     \
    X(ROLLBACK_TO, "ROLLBACK TO unit")                                                             \
    X(ACCOUNT_INSERT, "INSERT INTO accounts (" GH_SQL_ACCOUNT                                      \
                      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                    \
    X(ACCOUNT_BY_ID, "SELECT " GH_SQL_ACCOUNT " FROM accounts WHERE id = ?1")                      \
    X(ACCOUNT_BY_EMAIL, "SELECT " GH_SQL_ACCOUNT " FROM accounts WHERE email_index = ?1")          \
    X(ACCOUNT_UPDATE, "UPDATE accounts SET (" GH_SQL_ACCOUNT_REST                                  \
                      ") = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) "        \
                      "WHERE id = ?1")                                                             \
    X(ACCOUNT_DELETE, "DELETE FROM accounts WHERE id = ?1")                                        \
    X(ACCOUNT_PAGE,                                                                                \
      "SELECT " GH_SQL_ACCOUNT " FROM accounts WHERE id > ifnull(?1, '') AND (?2 IS NULL OR "      \
      "instr(',' || roles || ',', ',' || ?2 || ',')) ORDER BY id LIMIT ?3")                        \
    X(ACCOUNT_PAGE_BY_EMAIL,                                                                       \
      "SELECT " GH_SQL_ACCOUNT " FROM accounts WHERE id > ifnull(?1, '') AND (?2 IS NULL OR "      \
      "instr(',' || roles || ',', ',' || ?2 || ',')) AND email_index = ?4 LIMIT ?3")               \
    X(ACCOUNT_COUNT, "SELECT count(*) FROM accounts WHERE status = ?1 AND "                        \
                     "instr(',' || roles || ',', ',' || ?2 || ',')")                               \
    X(SESSION_INSERT, "INSERT INTO sessions (" GH_SQL_SESSION                                      \
                      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")              \
    X(SESSION_BY_FAMILY, "SELECT " GH_SQL_SESSION " FROM sessions WHERE family = ?1")              \
    X(SESSION_BY_ID, "SELECT " GH_SQL_SESSION " FROM sessions WHERE session_id = ?1")              \
    X(SESSION_UPDATE,                                                                              \
      "UPDATE sessions SET (" GH_SQL_SESSION_REST                                                  \
      ") = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) "              \
      "WHERE family = ?1")                                                                         \
    X(SESSIONS_OF, "SELECT " GH_SQL_SESSION " FROM sessions WHERE account = ?1 AND "               \
                   "revoked_us = 0 ORDER BY created_us DESC, family DESC")                         \
    X(TICKET_INSERT, "INSERT INTO tickets (" GH_SQL_TICKET ") VALUES (?, ?, ?, ?, ?, ?, ?)")       \
    X(TICKET_GET, "SELECT " GH_SQL_TICKET " FROM tickets WHERE hash = ?1")                         \
    X(TICKET_UPDATE,                                                                               \
      "UPDATE tickets SET (" GH_SQL_TICKET_REST ") = (?2, ?3, ?4, ?5, ?6, ?7) WHERE hash = ?1")    \
    X(TICKET_DELETE, "DELETE FROM tickets WHERE hash = ?1")                                        \
    X(TICKETS_DELETE_OF, "DELETE FROM tickets WHERE account IS ?1 AND purpose = ?2")               \
    X(RECOVERY_DELETE_OF, "DELETE FROM recovery_codes WHERE account = ?1")                         \
    X(RECOVERY_INSERT, "INSERT INTO recovery_codes (account, hash) VALUES (?, ?)")                 \
    X(RECOVERY_TAKE, "DELETE FROM recovery_codes WHERE account = ?1 AND hash = ?2")                \
    X(RECOVERY_COUNT, "SELECT count(*) FROM recovery_codes WHERE account = ?1")                    \
    X(THROTTLE_GET, "SELECT " GH_SQL_THROTTLE " FROM throttles WHERE key = ?1")                    \
    X(THROTTLE_PUT,                                                                                \
      "INSERT OR REPLACE INTO throttles (" GH_SQL_THROTTLE ") VALUES (?, ?, ?, ?, ?)")             \
    X(THROTTLE_DELETE, "DELETE FROM throttles WHERE key = ?1")                                     \
    X(DEVICE_PUT, "INSERT OR REPLACE INTO devices (" GH_SQL_DEVICE ") VALUES (?, ?, ?, ?, ?)")     \
    X(DEVICE_GET, "SELECT " GH_SQL_DEVICE " FROM devices WHERE hash = ?1")                         \
    X(DEVICE_DELETE, "DELETE FROM devices WHERE hash = ?1")                                        \
    X(DEVICES_OF, "SELECT " GH_SQL_DEVICE " FROM devices WHERE account = ?1 "                      \
                  "ORDER BY created_us DESC, hash DESC")                                           \
    X(DEVICES_DELETE_OF, "DELETE FROM devices WHERE account = ?1")                                 \
    X(MAIL_INSERT, "INSERT INTO mails (" GH_SQL_MAIL ") VALUES (?, ?, ?, ?, ?, ?, ?)")             \
    X(MAIL_TAKE, "UPDATE mails SET next_us = ?2 WHERE id = (SELECT id FROM mails WHERE "           \
                 "next_us <= ?1 ORDER BY next_us, created_us, id LIMIT 1) RETURNING " GH_SQL_MAIL) \
    X(MAIL_UPDATE, "UPDATE mails SET (" GH_SQL_MAIL_REST ") = (?2, ?3, ?4, ?5, ?6, ?7) "           \
                   "WHERE id = ?1")                                                                \
    X(MAIL_DELETE, "DELETE FROM mails WHERE id = ?1")                                              \
    X(MAIL_COUNT, "SELECT count(*) FROM mails")                                                    \
    X(KEY_INSERT, "INSERT INTO keys (" GH_SQL_KEY ") VALUES (?, ?, ?, ?, ?, ?, ?)")                \
    X(KEY_UPDATE,                                                                                  \
      "UPDATE keys SET (" GH_SQL_KEY_REST ") = (?2, ?3, ?4, ?5, ?6, ?7) WHERE id = ?1")            \
    X(KEY_DELETE, "DELETE FROM keys WHERE id = ?1")                                                \
    X(KEYS_ALL, "SELECT " GH_SQL_KEY " FROM keys ORDER BY id")                                     \
    X(REVOCATION_PUT, "INSERT INTO revocations (session_id, until_us) VALUES (?1, ?2) "            \
                      "ON CONFLICT DO UPDATE SET until_us = max(until_us, ?2)")                    \
    X(REVOCATIONS_SINCE, "SELECT session_id, until_us FROM revocations WHERE until_us > ?1")       \
    X(RECORD_INSERT, "INSERT INTO security_audit_log (" GH_SQL_RECORD                              \
                     ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                        \
    X(RECORD_HEAD, "SELECT seq, hash FROM security_audit_log WHERE seq = "                         \
                   "(SELECT max(seq) FROM security_audit_log)")                                    \
    X(RECORD_FIRST, "SELECT seq, prev_hash FROM security_audit_log WHERE seq = "                   \
                    "(SELECT min(seq) FROM security_audit_log)")                                   \
    X(RECORDS_DROP, "DELETE FROM security_audit_log WHERE seq IN (SELECT seq FROM "                \
                    "security_audit_log WHERE seq <= ?1 AND seq < (SELECT max(seq) FROM "          \
                    "security_audit_log) ORDER BY seq LIMIT ?2)")                                  \
    X(RECORDS_COUNT,                                                                               \
      "SELECT time / 86400000000 * 86400000000 AS day, event_type, outcome, "                      \
      "count(*) FROM security_audit_log WHERE time >= ?1 GROUP BY 1, 2, 3 ORDER BY 1")             \
    GH_SQL_RECORDS(X, NEWEST, "DESC")                                                              \
    GH_SQL_RECORDS(X, OLDEST, "ASC")                                                               \
    X(PENDING_PUT, "INSERT OR REPLACE INTO audit_pending (" GH_SQL_PENDING                         \
                   ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                                   \
    X(PENDING_SET, "UPDATE audit_pending SET metadata = ?2 WHERE place = ?1")                      \
    X(PENDING_DELETE, "DELETE FROM audit_pending WHERE place = ?1")                                \
    X(PENDING_SOME, "SELECT " GH_SQL_PENDING " FROM audit_pending WHERE place >= 0 LIMIT ?1")      \
    X(PERSON_KEY_GET, "SELECT " GH_SQL_PERSON_KEY " FROM person_keys WHERE person = ?1")           \
    X(PERSON_KEY_INSERT, "INSERT INTO person_keys (" GH_SQL_PERSON_KEY ") SELECT ?1, ?2, ?3 "      \
                         "WHERE ?1 GLOB 'day:*' OR ?1 IN (SELECT id FROM accounts)")               \
    X(PERSON_KEY_DELETE, "DELETE FROM person_keys WHERE person = ?1")                              \
    X(PERSON_KEYS_DROP_DAYS,                                                                       \
      "DELETE FROM person_keys WHERE person >= 'day:' AND person < ?1 AND ?1 GLOB 'day:*'")        \
    GH_SEALED_COLUMNS(GH_SQL_SEALED, X)                                                            \
    X(PURGE_TICKETS, GH_SQL_PURGE("tickets", "hash", "expires_us <= ?2"))                          \
    X(PURGE_SESSIONS, GH_SQL_PURGE("sessions", "family", "expires_us <= ?2"))                      \
    X(PURGE_REVOCATIONS, GH_SQL_PURGE("revocations", "session_id", "until_us <= ?2"))              \
    X(PURGE_THROTTLES,                                                                             \
      GH_SQL_PURGE("throttles", "key", "last_us <= ?2 - ?3 AND blocked_until_us <= ?2"))           \
    X(PURGE_DEVICES, GH_SQL_PURGE("devices", "hash", "last_used_us <= ?2 - ?3"))

enum gh_sqlite_statement {
#define X(id, sql) GH_SQLITE_##id,
    GH_SQLITE_STATEMENTS(X)
#undef X
        GH_SQLITE_STATEMENT_COUNT
};

#endif
