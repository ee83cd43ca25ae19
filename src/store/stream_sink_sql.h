/* The SQL of a sink (stream_sink.c): its tables, and what it prepares beside the user's statement.
 */
#ifndef GH_STORE_STREAM_SINK_SQL_H
#define GH_STORE_STREAM_SINK_SQL_H

/* Those of our tables that are as they should be: with a name for the server that entries are of.
 */
#define GH_STREAM_COUNT_TABLES                                                                     \
    "SELECT count(*) FROM (VALUES ('gatehouse_consumed'), ('gatehouse_parked'), "                  \
    "('gatehouse_groups')) AS ours (name) WHERE EXISTS (SELECT FROM pg_attribute WHERE "           \
    "attrelid = to_regclass(name) AND attname = 'source' AND NOT attisdropped)"
#define GH_STREAM_TABLE_COUNT 3

/* What the tables below are given for rows of a time when they had no source. */
#define GH_STREAM_SET_SOURCE "SELECT set_config('gatehouse.source', $1, false)"

#define GH_STREAM_KEY     "source text NOT NULL, stream text NOT NULL, consumer_group text NOT NULL, "
#define GH_STREAM_ENTRY   "entry_ms numeric(20) NOT NULL, entry_seq numeric(20) NOT NULL, "
#define GH_STREAM_PRIMARY "PRIMARY KEY (source, stream, consumer_group, entry_ms, entry_seq)"

/*
 * The lock keeps processes that start together from making them twice. Ids take all of 64 bits
 * without a sign, which bigint has not.
 *
 * Tables of a time when they had no source: what is there is of the server of whoever comes first.
 * Nobody knows what had been forgotten by then: what is below the lowest mark.
 */
#define GH_STREAM_TABLES                                                                           \
    "BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(7241530115);"            \
    "CREATE TABLE IF NOT EXISTS gatehouse_consumed (" GH_STREAM_KEY GH_STREAM_ENTRY                \
    "applied_at timestamptz NOT NULL DEFAULT now(), " GH_STREAM_PRIMARY ");"                       \
    "CREATE TABLE IF NOT EXISTS gatehouse_parked (" GH_STREAM_KEY GH_STREAM_ENTRY                  \
    "fields text NOT NULL, reason text NOT NULL, tries bigint NOT NULL, "                          \
    "parked_at timestamptz NOT NULL DEFAULT now(), " GH_STREAM_PRIMARY ");"                        \
    "CREATE TABLE IF NOT EXISTS gatehouse_groups (" GH_STREAM_KEY                                  \
    "forgotten_ms numeric(20) NOT NULL, forgotten_seq numeric(20) NOT NULL, "                      \
    "PRIMARY KEY (source, stream, consumer_group));"                                               \
    "DO $do$ DECLARE ours text; its_key text; BEGIN "                                              \
    "FOREACH ours IN ARRAY ARRAY['gatehouse_consumed', 'gatehouse_parked'] LOOP "                  \
    "CONTINUE WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(ours) AND "       \
    "attname = 'source' AND NOT attisdropped); "                                                   \
    "EXECUTE format('ALTER TABLE %I ADD COLUMN source text NOT NULL DEFAULT %L', ours, "           \
    "current_setting('gatehouse.source')); "                                                       \
    "SELECT conname INTO its_key FROM pg_constraint WHERE conrelid = to_regclass(ours) AND "       \
    "contype = 'p'; "                                                                              \
    "IF its_key IS NOT NULL THEN "                                                                 \
    "EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', ours, its_key); END IF; "                 \
    "EXECUTE format('ALTER TABLE %I ADD " GH_STREAM_PRIMARY "', ours); "                           \
    "CONTINUE WHEN ours <> 'gatehouse_consumed'; "                                                 \
    "INSERT INTO gatehouse_groups SELECT DISTINCT ON (source, stream, consumer_group) source, "    \
    "stream, consumer_group, entry_ms, entry_seq FROM gatehouse_consumed "                         \
    "ORDER BY source, stream, consumer_group, entry_ms, entry_seq ON CONFLICT DO NOTHING; "        \
    "END LOOP; END $do$; COMMIT"

/* ---- Prepared; $1 to $3: source, stream, group ---- */

/* A group's batches one after another: two that touch the same rows in another order would wait for
   each other. */
#define GH_STREAM_LOCK                                                                             \
    "SELECT pg_advisory_xact_lock(hashtextextended($1 || chr(31) || $2 || chr(31) || $3, "         \
    "7241530115))"

#define GH_STREAM_MARK                                                                             \
    "INSERT INTO gatehouse_consumed (source, stream, consumer_group, entry_ms, entry_seq) "        \
    "SELECT $1, $2, $3, ms, seq FROM unnest($4::numeric[], $5::numeric[]) AS entry (ms, seq) "     \
    "ORDER BY ms, seq ON CONFLICT DO NOTHING RETURNING entry_ms, entry_seq"

/* Nothing where somebody else was faster, and has applied it or parked it. */
#define GH_STREAM_PARK                                                                             \
    "WITH marked AS (" GH_STREAM_MARK ") INSERT INTO gatehouse_parked (source, stream, "           \
    "consumer_group, entry_ms, entry_seq, fields, reason, tries) SELECT $1, $2, $3, entry_ms, "    \
    "entry_seq, $6, $7, $8::bigint FROM marked ON CONFLICT DO NOTHING"

/* Ids grow, so the lowest are the oldest. How far it went is kept: whoever begins anew begins
   there. */
#define GH_STREAM_FORGET                                                                           \
    "WITH gone AS (DELETE FROM gatehouse_consumed WHERE (source, stream, consumer_group, "         \
    "entry_ms, entry_seq) IN (SELECT source, stream, consumer_group, entry_ms, entry_seq FROM "    \
    "(SELECT * FROM gatehouse_consumed WHERE source = $1 AND stream = $2 AND "                     \
    "consumer_group = $3 AND (entry_ms, entry_seq) < ($4::numeric, $5::numeric) "                  \
    "ORDER BY entry_ms, entry_seq LIMIT $6::bigint) AS oldest WHERE applied_at < now() - "         \
    "$7::bigint * interval '1 millisecond') "                                                      \
    "RETURNING source, stream, consumer_group, entry_ms, entry_seq), kept AS ("                    \
    "INSERT INTO gatehouse_groups AS g (source, stream, consumer_group, forgotten_ms, "            \
    "forgotten_seq) SELECT * FROM gone ORDER BY entry_ms DESC, entry_seq DESC LIMIT 1 "            \
    "ON CONFLICT (source, stream, consumer_group) DO UPDATE SET "                                  \
    "forgotten_ms = EXCLUDED.forgotten_ms, forgotten_seq = EXCLUDED.forgotten_seq "                \
    "WHERE (EXCLUDED.forgotten_ms, EXCLUDED.forgotten_seq) > (g.forgotten_ms, g.forgotten_seq)) "  \
    "SELECT count(*) FROM gone"

#define GH_STREAM_FORGOTTEN                                                                        \
    "SELECT forgotten_ms, forgotten_seq FROM gatehouse_groups WHERE source = $1 AND "              \
    "stream = $2 AND consumer_group = $3"

#define GH_STREAM_BEGIN_BEHIND                                                                     \
    "INSERT INTO gatehouse_groups (source, stream, consumer_group, forgotten_ms, forgotten_seq) "  \
    "VALUES ($1, $2, $3, $4::numeric, $5::numeric) ON CONFLICT DO NOTHING"

#endif
