/*
 * The SQL of the PostgreSQL adapter's audit log: X(name, READS or WRITES, SQL), as those of
 * postgres_statements.h, which includes this one.
 */
#ifndef GH_STORE_POSTGRES_AUDIT_STATEMENTS_H
#define GH_STORE_POSTGRES_AUDIT_STATEMENTS_H

#define GH_PG_FACTS                                                                                \
    "event_type, user_id, actor_id, ip_address, user_agent, session, request_id, outcome, "        \
    "metadata"
#define GH_PG_RECORD "chain, seq, position, time, " GH_PG_FACTS ", prev_hash, hash, sealed"

/* What the number of a chain can be: audit_chains has a CHECK for it, which somebody else may have
   taken away. */
#define GH_PG_IS_CHAIN "BETWEEN 1 AND 2147483647"
/* The lock of a chain: one number is this table's, so that two schemas in a database have locks of
   their own. */
#define GH_PG_CHAIN_LOCK(call, chain) call "('audit_chains'::regclass::oid::int4, " chain "::int4)"
#define GH_PG_CHAIN_IS_HELD                                                                        \
    "EXISTS (SELECT FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND "      \
    "l.classid = 'audit_chains'::regclass::oid AND l.objid = c.id::oid AND "                       \
    "l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))"

/*
 * $1 since, $2 until, $3 after, $4 before, $5 limit, $6 session, $7 outcome in all that read the
 * log; then the chain, whom or who, and the event, those of them that are asked for.
 *
 * `range` is what an index looks for; the rest is sifted. Of parameters the planner knows nothing:
 * it thinks that they let next to nothing through, and would read all of an event to sort it. Of a
 * CASE it thinks that half goes through, and walks an index in order until the limit.
 */
#define GH_PG_SIFT(also)                                                                           \
    "CASE WHEN " also "time >= $1 AND time <= $2 AND ($6::text IS NULL OR session = $6) AND "      \
    "($7::text IS NULL OR outcome = $7) THEN true ELSE false END"
#define GH_PG_IN_ORDER(by, order) " ORDER BY " by " " order " LIMIT $5"
#define GH_PG_RECORDS_ALL(range, sift, by, order)                                                  \
    "SELECT " GH_PG_RECORD " FROM security_audit_log WHERE " range GH_PG_SIFT(sift)                \
        GH_PG_IN_ORDER(by, order)
/* Each side walks its own index (the actors' has only those who are not whom the record speaks of)
   from its end and stops at the limit; then they are merged. */
#define GH_PG_RECORDS_OF_ONE(test, range, sift, order)                                             \
    "(SELECT position FROM security_audit_log WHERE " test " AND " range GH_PG_SIFT(sift)          \
        GH_PG_IN_ORDER("position", order) ")"
#define GH_PG_RECORDS_OF(whom, range, sift, order)                                                 \
    "SELECT " GH_PG_RECORD " FROM security_audit_log WHERE position IN (" GH_PG_RECORDS_OF_ONE(    \
        "user_id = " whom, range, sift,                                                            \
        order) " UNION " GH_PG_RECORDS_OF_ONE("actor_id = " whom                                   \
                                              " AND actor_id IS DISTINCT FROM user_id",            \
                                              range, sift,                                         \
                                              order) ")" GH_PG_IN_ORDER("position", order)
/* By oldest_first, whether an event is asked for, whether somebody is. */
#define GH_PG_RECORDS(X, name, order, range, place, of_range, of_sift, whom, event)                \
    X(RECORDS_##name, READS, GH_PG_RECORDS_ALL(range, "", place, order))                           \
    X(RECORDS_##name##_OF, READS, GH_PG_RECORDS_OF(whom, of_range, of_sift, order))                \
    X(RECORDS_##name##_OF_NAMED, READS,                                                            \
      GH_PG_RECORDS_OF(whom, of_range, of_sift "event_type = " event " AND ", order))
/* In one chain positions are in the order of numbers, and indexes have positions. There an event is
   looked for along the chain; only checkpoints, which are looked for all the time, have an index.
 */
#define GH_PG_CHAIN_RANGE "chain = $8 AND seq > $3 AND seq <= $4 AND "
#define GH_PG_RECORDS_OF_CHAIN(X, name, order)                                                     \
    GH_PG_RECORDS(X, name, order, GH_PG_CHAIN_RANGE, "seq", "", GH_PG_CHAIN_RANGE, "$9", "$10")    \
    X(RECORDS_##name##_NAMED, READS,                                                               \
      GH_PG_RECORDS_ALL(GH_PG_CHAIN_RANGE, "event_type = $9 AND ", "seq", order))                  \
    X(CHECKPOINTS_##name, READS,                                                                   \
      GH_PG_RECORDS_ALL("event_type = 'audit_checkpoint' AND " GH_PG_CHAIN_RANGE, "", "seq",       \
                        order))
#define GH_PG_EVERY_RANGE "position > $3 AND position <= $4 AND "
#define GH_PG_RECORDS_OF_EVERY(X, name, order)                                                     \
    GH_PG_RECORDS(X, name, order, GH_PG_EVERY_RANGE, "position", GH_PG_EVERY_RANGE, "", "$8",      \
                  "$9")                                                                            \
    X(RECORDS_##name##_NAMED, READS,                                                               \
      GH_PG_RECORDS_ALL("event_type = $8 AND (event_type, position) > ($8, $3) AND "               \
                        "(event_type, position) <= ($8, $4) AND ",                                 \
                        "", "position", order))

/*
 * The head of a chain is the newest record, also where audit_chains is behind: tables were filled
 * or restored by hand.
 *
 * Somebody else can write records of a chain that audit_chains does not name. It is shown like the
 * others, found along the primary key, one step for each chain; nobody writes it, and what says
 * where it begins says that it can be no record. All whose number can be none are one chain.
 */
#define GH_POSTGRES_AUDIT_STATEMENTS(X)                                                            \
    X(CHAINS, READS,                                                                               \
      "WITH RECURSIVE logged (chain) AS ((SELECT chain FROM security_audit_log ORDER BY chain "    \
      "LIMIT 1) UNION ALL SELECT (SELECT chain FROM security_audit_log WHERE chain > l.chain "     \
      "ORDER BY chain LIMIT 1) FROM logged AS l WHERE l.chain IS NOT NULL), unnamed AS (SELECT "   \
      "chain FROM logged WHERE chain IS NOT NULL AND chain NOT IN (SELECT id FROM audit_chains) "  \
      "LIMIT 1000), numbers AS (SELECT CASE WHEN n " GH_PG_IS_CHAIN " THEN n ELSE 2147483648 "     \
      "END AS id FROM (SELECT id FROM audit_chains UNION ALL SELECT chain FROM unnamed) AS a "     \
      "(n)) SELECT c.id, " GH_PG_CHAIN_IS_HELD                                                     \
      ", h.id IS NULL, greatest(coalesce(h.seq, 0), 0), CASE WHEN octet_length(h.hash) = 32 THEN " \
      "h.hash ELSE decode(repeat('00', 32), 'hex') END FROM (SELECT DISTINCT id FROM numbers) AS " \
      "c LEFT JOIN audit_chains AS h ON h.id = c.id AND h.id " GH_PG_IS_CHAIN " ORDER BY c.id")    \
    X(CHAIN_IS_HELD, READS, "SELECT " GH_PG_CHAIN_IS_HELD " FROM audit_chains AS c WHERE id = $1") \
    X(CHAIN_HEAD, READS,                                                                           \
      "SELECT seq, hash FROM (SELECT seq, hash FROM audit_chains WHERE id = $1 UNION ALL (SELECT " \
      "seq, hash FROM security_audit_log WHERE chain = $1 ORDER BY seq DESC LIMIT 1)) AS h "       \
      "WHERE EXISTS (SELECT FROM audit_chains WHERE id = $1) ORDER BY seq DESC LIMIT 1")           \
    X(CHAIN_TAKE, WRITES,                                                                          \
      "SELECT id FROM (SELECT id FROM audit_chains WHERE id " GH_PG_IS_CHAIN                       \
      " ORDER BY id OFFSET 0) AS c WHERE " GH_PG_CHAIN_LOCK("pg_try_advisory_lock",                \
                                                            "id") " LIMIT 1")                      \
    X(CHAIN_TAKE_AGAIN, WRITES,                                                                    \
      "SELECT " GH_PG_CHAIN_LOCK("pg_try_advisory_lock", "id") " FROM audit_chains WHERE id = $1") \
    X(CHAIN_MAKE, WRITES,                                                                          \
      "WITH RECURSIVE next (id) AS (SELECT coalesce(max(id), 0) + 1 FROM audit_chains WHERE "      \
      "id " GH_PG_IS_CHAIN " UNION ALL SELECT id + 1 FROM next WHERE EXISTS (SELECT FROM "         \
      "security_audit_log WHERE chain = next.id)) INSERT INTO audit_chains (id, seq, hash) "       \
      "SELECT max(id), 0, decode(repeat('00', 32), 'hex') FROM next ON CONFLICT DO NOTHING")       \
    X(CHAIN_GIVE_UP, WRITES, "SELECT " GH_PG_CHAIN_LOCK("pg_advisory_unlock", "$1::bigint"))       \
    X(CHAIN_BORROW, WRITES,                                                                        \
      "SELECT " GH_PG_CHAIN_LOCK("pg_try_advisory_xact_lock",                                      \
                                 "id") " FROM audit_chains WHERE id = $1")                         \
    X(UNSEALED_INSERT, WRITES,                                                                     \
      "INSERT INTO audit_unsealed (chain, time, " GH_PG_FACTS ", sealed) VALUES "                  \
      "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id")                          \
    X(UNSEALED_IN, READS,                                                                          \
      "SELECT h.chain FROM unnest($1::bigint[], $2::bigint[]) AS h (chain, through) WHERE EXISTS " \
      "(SELECT FROM audit_unsealed AS u WHERE u.chain = h.chain AND u.id <= h.through AND NOT "    \
      "u.refused OFFSET 0)") /* for each its own look into the index */                            \
    X(UNSEALED_CHAINS, READS,                                                                      \
      "SELECT chain FROM audit_unsealed WHERE NOT refused AND chain <> $1 AND "                    \
      "chain " GH_PG_IS_CHAIN " GROUP BY chain ORDER BY chain LIMIT $2")                           \
    X(UNSEALED_TAKE, WRITES,                                                                       \
      "WITH next AS (SELECT id FROM audit_unsealed WHERE chain = $1 AND NOT refused ORDER BY id "  \
      "LIMIT $2), taken AS (DELETE FROM audit_unsealed AS u USING next WHERE u.id = next.id "      \
      "RETURNING u.*) SELECT id, time, " GH_PG_FACTS ", sealed FROM taken ORDER BY id")            \
    X(UNSEALED_REFUSE, WRITES, "UPDATE audit_unsealed SET refused = true WHERE id = $1")           \
    X(UNSEALED_RETRY, WRITES, "UPDATE audit_unsealed SET refused = false WHERE refused")           \
    X(RECORDS_INSERT, WRITES,                                                                      \
      "WITH head AS (UPDATE audit_chains SET seq = $3, hash = $4 WHERE id = $1 AND seq <= $2 "     \
      "RETURNING 1) INSERT INTO security_audit_log (chain, seq, time, " GH_PG_FACTS                \
      ", prev_hash, hash, sealed) SELECT $1, r.* FROM unnest($5::bigint[], $6::bigint[], "         \
      "$7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], "   \
      "$14::text[], $15::text[], $16::bytea[], $17::bytea[], $18::bytea[]) AS r (seq, "            \
      "time, " GH_PG_FACTS                                                                         \
      ", prev_hash, hash, sealed) WHERE EXISTS (SELECT FROM head) ORDER BY r.seq")                 \
    X(RECORD_HEAD, READS,                                                                          \
      "SELECT seq, hash, true FROM security_audit_log WHERE chain = $1 ORDER BY seq DESC LIMIT 1") \
    X(RECORD_FIRST, READS,                                                                         \
      "SELECT seq, prev_hash, EXISTS (SELECT FROM audit_chains WHERE id = $1) FROM "               \
      "security_audit_log WHERE chain = $1 ORDER BY seq LIMIT 1")                                  \
    X(RECORD_FIRST_OUTSIDE, READS,                                                                 \
      "(SELECT seq, prev_hash, false FROM security_audit_log WHERE chain < 1 ORDER BY chain, seq " \
      "LIMIT 1) UNION ALL (SELECT seq, prev_hash, false FROM security_audit_log WHERE chain >= "   \
      "$1 ORDER BY chain, seq LIMIT 1) LIMIT 1")                                                   \
    X(RECORDS_DROP, WRITES,                                                                        \
      "DELETE FROM security_audit_log WHERE chain = $1 AND seq IN (SELECT seq FROM "               \
      "security_audit_log WHERE chain = $1 AND seq <= $2 AND seq < (SELECT max(seq) FROM "         \
      "security_audit_log WHERE chain = $1) ORDER BY seq LIMIT $3)")                               \
    X(RECORDS_COUNT, READS,                                                                        \
      "SELECT time / 86400000000 * 86400000000 AS day, event_type, outcome, count(*) FROM "        \
      "security_audit_log WHERE chain = $1 AND time >= $2 GROUP BY 1, 2, 3 ORDER BY 1")            \
    GH_PG_RECORDS_OF_CHAIN(X, NEWEST, "DESC")                                                      \
    GH_PG_RECORDS_OF_CHAIN(X, OLDEST, "ASC")                                                       \
    GH_PG_RECORDS_OF_EVERY(X, EVERY_NEWEST, "DESC")                                                \
    GH_PG_RECORDS_OF_EVERY(X, EVERY_OLDEST, "ASC")                                                 \
    X(PENDING_PUT, WRITES,                                                                         \
      "INSERT INTO audit_pending (chain, place, " GH_PG_FACTS ", sealed) VALUES "                  \
      "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (chain, place) DO UPDATE "  \
      "SET (" GH_PG_FACTS ", sealed) = ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")               \
    X(PENDING_SET, WRITES,                                                                         \
      "UPDATE audit_pending SET metadata = $3 WHERE chain = $1 AND place = $2")                    \
    X(PENDING_DELETE, WRITES, "DELETE FROM audit_pending WHERE chain = $1 AND place = $2")         \
    X(PENDING_SOME, READS,                                                                         \
      "SELECT place, " GH_PG_FACTS ", sealed FROM audit_pending WHERE chain = $1 LIMIT $2")

#endif
