/*
 * All SQL of the SQLite adapter but its schema (migrations/), in one table. Columns stand in the
 * order in which the functions of sqlite_rows.h put and take them.
 */
#ifndef GH_STORE_SQLITE_STATEMENTS_H
#define GH_STORE_SQLITE_STATEMENTS_H

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
    "outcome, metadata"

/* ?1 since, ?2 until, ?3 before, ?4 limit, as in all that read the log. */
#define GH_SQL_RECORD_RANGE "time >= ?1 AND time < ?2 AND seq < ?3"
#define GH_SQL_NEWEST       " ORDER BY seq DESC LIMIT ?4"
/* Each side walks its own index from the newest and stops at the limit; then they are merged. */
#define GH_SQL_RECORDS_OF(also)                                                                    \
    "SELECT " GH_SQL_RECORD " FROM security_audit_log WHERE seq IN ("                              \
    "SELECT seq FROM (SELECT seq FROM security_audit_log WHERE user_id = ?5 AND "                  \
    "user_id IS NOT NULL AND " GH_SQL_RECORD_RANGE also GH_SQL_NEWEST ") UNION "                   \
    "SELECT seq FROM (SELECT seq FROM security_audit_log WHERE actor_id = ?5 AND "                 \
    "actor_id IS NOT NULL AND " GH_SQL_RECORD_RANGE also GH_SQL_NEWEST "))" GH_SQL_NEWEST
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
                     ") VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                              \
    X(RECORDS,                                                                                     \
      "SELECT " GH_SQL_RECORD " FROM security_audit_log WHERE " GH_SQL_RECORD_RANGE GH_SQL_NEWEST) \
    X(RECORDS_NAMED,                                                                               \
      "SELECT " GH_SQL_RECORD                                                                      \
      " FROM security_audit_log WHERE event_type = ?6 AND " GH_SQL_RECORD_RANGE GH_SQL_NEWEST)     \
    X(RECORDS_OF, GH_SQL_RECORDS_OF(""))                                                           \
    X(RECORDS_OF_NAMED, GH_SQL_RECORDS_OF(" AND event_type = ?6"))                                 \
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
