#include "store/stream_sink.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "store/postgres_connection.h"
#include "store/postgres_pool.h"

#define STATEMENT_MS      5000
#define ANSWER_MARGIN_MS  3000
#define MESSAGE_BYTES_MAX 512
/* "18446744073709551615," for each entry. */
#define NUMBERS_BYTES_MAX (GH_STREAM_BATCH_MAX * 22 + 2)
#define FORGOTTEN_MAX     "5000"
#define ARENA_BYTES_MAX   (64u * 1024)

/* The lock keeps processes that start together from making them twice. */
static const char TABLES[] =
    "BEGIN; SELECT pg_advisory_xact_lock(7241530115);"
    "CREATE TABLE IF NOT EXISTS gatehouse_consumed ("
    "stream text NOT NULL, consumer_group text NOT NULL, entry_ms bigint NOT NULL, "
    "entry_seq bigint NOT NULL, PRIMARY KEY (stream, consumer_group, entry_ms, entry_seq));"
    "CREATE TABLE IF NOT EXISTS gatehouse_parked ("
    "stream text NOT NULL, consumer_group text NOT NULL, entry_ms bigint NOT NULL, "
    "entry_seq bigint NOT NULL, fields text NOT NULL, reason text NOT NULL, tries bigint NOT NULL, "
    "parked_at timestamptz NOT NULL DEFAULT now(), "
    "PRIMARY KEY (stream, consumer_group, entry_ms, entry_seq)); COMMIT";

enum prepared { MARK, APPLY, PARK, FORGET, PREPARED_COUNT };
static const char *const NAMES[PREPARED_COUNT] = {"mark", "apply", "park", "forget"};
static const char *const STATEMENTS[PREPARED_COUNT] = {
    [MARK] = "INSERT INTO gatehouse_consumed (stream, consumer_group, entry_ms, entry_seq) "
             "SELECT $1, $2, ms, seq FROM unnest($3::bigint[], $4::bigint[]) AS entry (ms, seq) "
             "ORDER BY ms, seq ON CONFLICT DO NOTHING RETURNING entry_ms, entry_seq",
    [PARK] = "INSERT INTO gatehouse_parked (stream, consumer_group, entry_ms, entry_seq, fields, "
             "reason, tries) VALUES ($1, $2, $3::bigint, $4::bigint, $5, $6, $7::bigint) "
             "ON CONFLICT DO NOTHING",
    [FORGET] =
        "DELETE FROM gatehouse_consumed WHERE (stream, consumer_group, entry_ms, entry_seq) "
        "IN (SELECT stream, consumer_group, entry_ms, entry_seq FROM gatehouse_consumed "
        "WHERE stream = $1 AND consumer_group = $2 AND entry_ms < $3::bigint LIMIT " FORGOTTEN_MAX
        ")",
};

struct gh_stream_sink {
    struct gh_stream_sink_options options;
    char *stream, *group, *statement; /* with a NUL behind */
    struct gh_postgres_connection connection;
    bool connected;
    char message[MESSAGE_BYTES_MAX];
    char ms[NUMBERS_BYTES_MAX], seq[NUMBERS_BYTES_MAX]; /* of a batch: "{1,2}" */
};

/* What a round of answers came to. */
struct round {
    enum gh_err err;
    bool *is_new; /* of each entry: the mark was made */
    const struct gh_stream_entry *entries;
    size_t count, marked;
};

struct gh_str gh_stream_sink_message(const struct gh_stream_sink *sink)
{
    return gh_str_from_c(sink->message);
}

static void note(struct gh_stream_sink *sink, const char *text)
{
    snprintf(sink->message, sizeof(sink->message), "%s", text ? text : "");
    for (char *at = sink->message; *at; at++) /* it may be cut within a character */
        if (*at < ' ' || *at > '~')
            *at = *at > 0 ? ' ' : '?';
    for (size_t len = strlen(sink->message); len && sink->message[len - 1] == ' '; len--)
        sink->message[len - 1] = '\0';
}

static void disconnect(struct gh_stream_sink *sink)
{
    if (sink->connected)
        gh_postgres_disconnect(&sink->connection);
    sink->connected = false;
}

static enum gh_err lose(struct gh_stream_sink *sink)
{
    note(sink, sink->connection.lib->errorMessage(sink->connection.pg));
    disconnect(sink);
    return GH_ERR_IO;
}

/* ---- Answers ---- */

/* The entry's own fault: a value that does not fit, a constraint, what a function raises. All else
   is the database's, and passes. */
static bool is_refusal(const char *sqlstate)
{
    static const char *const CLASSES[] = {"22", "23", "44", "P0"};
    for (size_t i = 0; sqlstate && i < sizeof(CLASSES) / sizeof(CLASSES[0]); i++)
        if (strncmp(sqlstate, CLASSES[i], 2) == 0)
            return true;
    return false;
}

/* Until the next result can be taken without waiting; false: the server is silent. */
static bool wait_for_result(struct gh_stream_sink *sink, int64_t until_ms)
{
    const struct gh_libpq *lib = sink->connection.lib;
    PGconn *pg = sink->connection.pg;
    while (lib->isBusy(pg)) {
        struct pollfd watched = {.fd = lib->socket(pg), .events = POLLIN};
        int64_t left_ms = until_ms - gh_postgres_now_ms();
        if (left_ms <= 0 || watched.fd < 0)
            return false;
        if (poll(&watched, 1, (int)left_ms) > 0 && !lib->consumeInput(pg))
            return false;
    }
    return true;
}

static void note_marks(struct gh_stream_sink *sink, struct round *round, PGresult *result)
{
    const struct gh_libpq *lib = sink->connection.lib;
    for (int row = 0; row < lib->ntuples(result); row++) {
        uint64_t ms = strtoull(lib->getvalue(result, row, 0), NULL, 10);
        uint64_t seq = strtoull(lib->getvalue(result, row, 1), NULL, 10);
        for (size_t i = 0; i < round->count; i++)
            if (round->entries[i].id.ms == ms && round->entries[i].id.seq == seq &&
                !round->is_new[i]) {
                round->is_new[i] = true;
                round->marked++;
                break;
            }
    }
}

static void take_result(struct gh_stream_sink *sink, struct round *round, PGresult *result)
{
    const struct gh_libpq *lib = sink->connection.lib;
    ExecStatusType status = lib->resultStatus(result);
    if (status == PGRES_FATAL_ERROR && round->err == GH_OK) {
        const char *sqlstate = lib->resultErrorField(result, PG_DIAG_SQLSTATE);
        note(sink, lib->resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
        round->err = is_refusal(sqlstate) ? GH_ERR_REFUSED : GH_ERR_IO;
    }
    if (status == PGRES_TUPLES_OK && round->is_new)
        note_marks(sink, round, result);
}

/* All answers up to the synchronisation point. */
static enum gh_err end_round(struct gh_stream_sink *sink, struct round *round)
{
    const struct gh_libpq *lib = sink->connection.lib;
    unsigned statement_ms = sink->options.statement_ms ? sink->options.statement_ms : STATEMENT_MS;
    int64_t until_ms = (int64_t)gh_postgres_now_ms() + statement_ms + ANSWER_MARGIN_MS;
    if (!lib->pipelineSync(sink->connection.pg))
        return lose(sink);
    for (bool synced = false; !synced;) {
        if (!wait_for_result(sink, until_ms))
            return lose(sink);
        PGresult *result = lib->getResult(sink->connection.pg);
        if (!result) {
            if (lib->status(sink->connection.pg) != CONNECTION_OK)
                return lose(sink);
            continue; /* between two statements */
        }
        synced = lib->resultStatus(result) == PGRES_PIPELINE_SYNC;
        take_result(sink, round, result);
        lib->clear(result);
    }
    return round->err;
}

/* ---- Statements ---- */

static bool send_plain(struct gh_stream_sink *sink, const char *sql)
{
    return sink->connection.lib->sendQueryParams(sink->connection.pg, sql, 0, NULL, NULL, NULL,
                                                 NULL, 0);
}

static bool send_prepared(struct gh_stream_sink *sink, enum prepared statement, int count,
                          const char *const *values)
{
    return sink->connection.lib->sendQueryPrepared(sink->connection.pg, NAMES[statement], count,
                                                   values, NULL, NULL, 0);
}

static bool send_mark(struct gh_stream_sink *sink)
{
    const char *values[] = {sink->stream, sink->group, sink->ms, sink->seq};
    return send_prepared(sink, MARK, 4, values);
}

/* Errors only of the connection: what the server says comes with the answers. */
static enum gh_err prepare_all(struct gh_stream_sink *sink)
{
    struct round round = {.err = GH_OK};
    for (int i = 0; i < PREPARED_COUNT; i++) {
        const char *sql = i == APPLY ? sink->statement : STATEMENTS[i];
        if (!sink->connection.lib->sendPrepare(sink->connection.pg, NAMES[i], sql, 0, NULL))
            return lose(sink);
    }
    enum gh_err err = end_round(sink, &round);
    if (err != GH_OK)
        disconnect(sink);
    return err == GH_OK ? GH_OK : GH_ERR_IO;
}

static enum gh_err connect_now(struct gh_stream_sink *sink)
{
    const struct gh_postgres_target target = {.url = sink->options.url,
                                              .statement_ms = sink->options.statement_ms,
                                              .application = "gatehouse consume"};
    struct gh_arena arena;
    struct gh_str message = GH_STR("");
    gh_arena_init(&arena, 4096, ARENA_BYTES_MAX);
    enum gh_err err = gh_postgres_connect(&sink->connection, &target, &arena, &message);
    sink->connected = err == GH_OK;
    if (err == GH_OK && gh_postgres_script(&sink->connection, TABLES) != GH_OK) {
        message = gh_postgres_explain(&sink->connection, &arena);
        err = GH_ERR_IO;
    }
    if (err != GH_OK) {
        char text[MESSAGE_BYTES_MAX];
        snprintf(text, sizeof(text), "%.*s", GH_STR_ARG(message));
        note(sink, text);
        disconnect(sink);
    }
    gh_arena_done(&arena);
    return err == GH_OK ? prepare_all(sink) : GH_ERR_IO;
}

static enum gh_err be_connected(struct gh_stream_sink *sink)
{
    if (sink->connected && !gh_postgres_is_up(&sink->connection))
        disconnect(sink);
    return sink->connected ? GH_OK : connect_now(sink);
}

/* ---- Applying ---- */

static void write_ids(struct gh_stream_sink *sink, const struct gh_stream_entry *entries,
                      size_t count)
{
    struct gh_buf ms = gh_buf_over(sink->ms, sizeof(sink->ms)),
                  seq = gh_buf_over(sink->seq, sizeof(sink->seq));
    for (size_t i = 0; i < count; i++) {
        gh_buf_put_char(&ms, i ? ',' : '{');
        gh_buf_put_char(&seq, i ? ',' : '{');
        gh_buf_put_u64(&ms, entries[i].id.ms);
        gh_buf_put_u64(&seq, entries[i].id.seq);
    }
    gh_buf_put(&ms, gh_str_of("}", 2));
    gh_buf_put(&seq, gh_str_of("}", 2));
}

static enum gh_err rollback(struct gh_stream_sink *sink)
{
    struct round round = {.err = GH_OK};
    return send_plain(sink, "ROLLBACK") ? end_round(sink, &round) : lose(sink);
}

static enum gh_err mark(struct gh_stream_sink *sink, struct round *round)
{
    write_ids(sink, round->entries, round->count);
    if (!send_plain(sink, "BEGIN") || !send_mark(sink))
        return lose(sink);
    return end_round(sink, round);
}

static enum gh_err apply_marked(struct gh_stream_sink *sink, const struct round *marks)
{
    struct round round = {.err = GH_OK};
    for (size_t i = 0; i < marks->count; i++)
        if (marks->is_new[i] &&
            !send_prepared(sink, APPLY, (int)sink->options.field_count, marks->entries[i].values))
            return lose(sink);
    if (!send_plain(sink, "COMMIT"))
        return lose(sink);
    return end_round(sink, &round);
}

enum gh_err gh_stream_sink_apply(struct gh_stream_sink *sink, const struct gh_stream_entry *entries,
                                 size_t count, size_t *out_applied)
{
    bool is_new[GH_STREAM_BATCH_MAX] = {false};
    struct round round = {.err = GH_OK, .is_new = is_new, .entries = entries, .count = count};
    GH_ASSERT(count && count <= GH_STREAM_BATCH_MAX);
    enum gh_err err = be_connected(sink);
    if (err == GH_OK)
        err = mark(sink, &round);
    if (err == GH_OK)
        err = apply_marked(sink, &round);
    if (err == GH_OK)
        *out_applied = round.marked;
    else if (sink->connected && rollback(sink) != GH_OK)
        err = GH_ERR_IO;
    return err;
}

/* ---- What is put aside, and what is forgotten ---- */

static enum gh_err park(struct gh_stream_sink *sink, const char *const values[7])
{
    struct round round = {.err = GH_OK};
    if (!send_plain(sink, "BEGIN") || !send_mark(sink) || !send_prepared(sink, PARK, 7, values) ||
        !send_plain(sink, "COMMIT"))
        return lose(sink);
    return end_round(sink, &round);
}

enum gh_err gh_stream_sink_park(struct gh_stream_sink *sink, struct gh_stream_id id,
                                struct gh_str fields, struct gh_str reason, unsigned tries)
{
    char ms[24], seq[24], count[16];
    const struct gh_stream_entry entry = {.id = id};
    enum gh_err err = be_connected(sink);
    char *texts = malloc(fields.len + reason.len + 2);
    if (err != GH_OK || !texts) {
        free(texts);
        return err == GH_OK ? GH_ERR_MEMORY : err;
    }
    snprintf(texts, fields.len + 1, "%.*s", GH_STR_ARG(fields));
    snprintf(texts + fields.len + 1, reason.len + 1, "%.*s", GH_STR_ARG(reason));
    snprintf(ms, sizeof(ms), "%" PRIu64, id.ms);
    snprintf(seq, sizeof(seq), "%" PRIu64, id.seq);
    snprintf(count, sizeof(count), "%u", tries);
    const char *const values[7] = {sink->stream,           sink->group, ms, seq, texts,
                                   texts + fields.len + 1, count};
    write_ids(sink, &entry, 1);
    err = park(sink, values);
    free(texts);
    if (err != GH_OK && sink->connected && rollback(sink) != GH_OK)
        return GH_ERR_IO;
    return err == GH_ERR_REFUSED ? GH_ERR_IO : err;
}

enum gh_err gh_stream_sink_forget(struct gh_stream_sink *sink, uint64_t ms)
{
    char text[24];
    const char *values[] = {sink->stream, sink->group, text};
    struct round round = {.err = GH_OK};
    enum gh_err err = be_connected(sink);
    snprintf(text, sizeof(text), "%" PRIu64, ms);
    if (err != GH_OK)
        return err;
    return send_prepared(sink, FORGET, 3, values) ? end_round(sink, &round) : lose(sink);
}

/* ---- Life ---- */

static char *copy(struct gh_str text)
{
    char *bytes = malloc(text.len + 1);
    if (bytes)
        snprintf(bytes, text.len + 1, "%.*s", GH_STR_ARG(text));
    return bytes;
}

enum gh_err gh_stream_sink_new(const struct gh_stream_sink_options *options,
                               struct gh_stream_sink **out_sink)
{
    struct gh_stream_sink *sink = calloc(1, sizeof(*sink));
    if (!sink)
        return GH_ERR_MEMORY;
    sink->options = *options;
    sink->stream = copy(options->stream);
    sink->group = copy(options->group);
    sink->statement = copy(options->statement);
    if (!sink->stream || !sink->group || !sink->statement) {
        gh_stream_sink_free(sink);
        return GH_ERR_MEMORY;
    }
    *out_sink = sink;
    return GH_OK;
}

void gh_stream_sink_free(struct gh_stream_sink *sink)
{
    if (!sink)
        return;
    disconnect(sink);
    free(sink->stream);
    free(sink->group);
    free(sink->statement);
    free(sink);
}
