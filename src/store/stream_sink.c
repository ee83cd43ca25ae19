#include "store/stream_sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "store/postgres_connection.h"
#include "store/stream_sink_sql.h"

#define STATEMENT_MS      5000
#define ANSWER_MARGIN_MS  3000
#define MESSAGE_BYTES_MAX 512
/* "18446744073709551615," for each entry. */
#define NUMBERS_BYTES_MAX (GH_STREAM_BATCH_MAX * 22 + 2)
#define ARENA_BYTES_MAX   (64u * 1024)
/* A batch that another transaction came in the way of is run again so often, at once. */
#define RUNS_MAX 3

static const char LOST[] = "the connection was lost";
static const char THE_STATEMENT[] = "the statement";

/* The statement is the user's: it is planned as usual. Whoever hangs within a transaction, or is
   gone from it, does not hold up the group's other consumers for long (version 13 does not know the
   last one). */
static const char SET_UP[] =
    "RESET enable_seqscan; RESET plan_cache_mode; "
    "SET idle_in_transaction_session_timeout = 10000; "
    "SELECT set_config('client_connection_check_interval', '1000', false) "
    "WHERE current_setting('client_connection_check_interval', true) IS NOT NULL";

enum prepared { LOCK, MARK, APPLY, PARK, FORGET, FORGOTTEN, BEGIN_BEHIND, PREPARED_COUNT };
static const char *const NAMES[PREPARED_COUNT] = {"lock",   "mark",      "apply",       "park",
                                                  "forget", "forgotten", "begin_behind"};
static const char *const STATEMENTS[PREPARED_COUNT] = {
    [LOCK] = GH_STREAM_LOCK,
    [MARK] = GH_STREAM_MARK,
    [APPLY] = NULL, /* the user's */
    [PARK] = GH_STREAM_PARK,
    [FORGET] = GH_STREAM_FORGET,
    [FORGOTTEN] = GH_STREAM_FORGOTTEN,
    [BEGIN_BEHIND] = GH_STREAM_BEGIN_BEHIND,
};

struct gh_stream_sink {
    struct gh_stream_sink_options options;
    char *source, *stream, *group, *statement; /* with a NUL behind */
    struct gh_postgres_connection connection;
    bool connected;
    char message[MESSAGE_BYTES_MAX];
    char shown[MESSAGE_BYTES_MAX]; /* the same without values of entries */
    char sqlstate[6]; /* of the same failure; empty: it was not the server that said so */
    char ms[NUMBERS_BYTES_MAX], seq[NUMBERS_BYTES_MAX]; /* of a batch: "{1,2}" */
};

/* What a round of answers came to. */
struct round {
    /* What is run, where the server's message may quote an entry; NULL: it can't. */
    const char *what;
    bool of_entries; /* the user's statement is run */
    enum gh_err err;
    bool collides, committed;
    uint64_t numbers[2]; /* of the last row that is none of marks */
    bool *is_new;        /* of each entry: the mark was made; NULL: none are */
    const struct gh_stream_entry *entries;
    size_t count, marked;
};

struct gh_str gh_stream_sink_message(const struct gh_stream_sink *sink)
{
    return gh_str_from_c(sink->message);
}

struct gh_str gh_stream_sink_shown(const struct gh_stream_sink *sink)
{
    return gh_str_from_c(sink->shown);
}

const char *gh_stream_sink_sqlstate(const struct gh_stream_sink *sink)
{
    return sink->sqlstate;
}

static void note(struct gh_stream_sink *sink, const char *sqlstate, const char *text)
{
    snprintf(sink->sqlstate, sizeof(sink->sqlstate), "%s", sqlstate ? sqlstate : "");
    snprintf(sink->message, sizeof(sink->message), "%s", text ? text : "");
    for (char *at = sink->message; *at; at++) /* it may be cut within a character */
        if (*at < ' ' || *at > '~')
            *at = *at > 0 ? ' ' : '?';
    for (size_t len = strlen(sink->message); len && sink->message[len - 1] == ' '; len--)
        sink->message[len - 1] = '\0';
    snprintf(sink->shown, sizeof(sink->shown), "%s", sink->message);
}

static void hide_values(struct gh_stream_sink *sink, const char *what)
{
    snprintf(sink->shown, sizeof(sink->shown), "SQLSTATE %s of %s", sink->sqlstate, what);
}

static char *copy(struct gh_str text)
{
    char *bytes = malloc(text.len + 1);
    if (bytes)
        snprintf(bytes, text.len + 1, "%.*s", GH_STR_ARG(text));
    return bytes;
}

static void disconnect(struct gh_stream_sink *sink)
{
    if (sink->connected)
        gh_postgres_disconnect(&sink->connection);
    sink->connected = false;
}

static enum gh_err lose(struct gh_stream_sink *sink)
{
    const char *why = sink->connection.lib->errorMessage(sink->connection.pg);
    note(sink, "", why && *why ? why : LOST);
    snprintf(sink->shown, sizeof(sink->shown), "%s", LOST); /* the other may still quote a value */
    disconnect(sink);
    return GH_ERR_IO;
}

static enum gh_err give_up_waiting(struct gh_stream_sink *sink)
{
    if (sink->connection.lib->status(sink->connection.pg) != CONNECTION_OK)
        return lose(sink);
    note(sink, "", "no answer in time");
    disconnect(sink);
    return GH_ERR_TIMEOUT;
}

/* ---- Answers ---- */

static bool is_one_of(const char *sqlstate, const char *const *classes, size_t count)
{
    for (size_t i = 0; sqlstate && i < count; i++)
        if (strncmp(sqlstate, classes[i], strlen(classes[i])) == 0)
            return true;
    return false;
}

/*
 * The entry's own fault: a value that does not fit (22), rows that the statement can't have (21,
 * 23, 44), what a function raises (38, P0), what is too large or too deep (54). The database's, and
 * it passes: no connection, no room, an operator, another transaction. All else may be either: a
 * table that is missing, or a value that is taken for the name of one.
 */
static enum gh_err err_of(const char *sqlstate, bool of_entries)
{
    static const char *const ENTRY[] = {"21", "22", "23", "38", "44", "54", "P0"};
    static const char *const DATABASE[] = {"08", "25", "28", "3D", "40",    "53",
                                           "55", "57", "58", "F0", "XX001", "XX002"};
    static const char *const LATE[] = {"57014"};
    if (is_one_of(sqlstate, LATE, 1))
        return GH_ERR_TIMEOUT;
    if (!of_entries || !sqlstate ||
        is_one_of(sqlstate, DATABASE, sizeof(DATABASE) / sizeof(DATABASE[0])))
        return GH_ERR_IO;
    bool is_entry = is_one_of(sqlstate, ENTRY, sizeof(ENTRY) / sizeof(ENTRY[0]));
    return is_entry ? GH_ERR_REFUSED : GH_ERR_INVALID;
}

/* Another transaction came in the way: serialization, deadlock, a lock. */
static bool is_collision(const char *sqlstate)
{
    static const char *const CLASSES[] = {"40", "55P03"};
    return is_one_of(sqlstate, CLASSES, sizeof(CLASSES) / sizeof(CLASSES[0]));
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
        note(sink, sqlstate, lib->resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
        if (round->what)
            hide_values(sink, round->what);
        round->err = err_of(sqlstate, round->of_entries);
        round->collides = is_collision(sqlstate);
    }
    if (status == PGRES_TUPLES_OK && round->is_new && lib->nfields(result) == 2)
        note_marks(sink, round, result);
    else if (status == PGRES_TUPLES_OK && !round->of_entries && lib->ntuples(result))
        for (int i = 0; i < 2 && i < lib->nfields(result); i++)
            round->numbers[i] = strtoull(lib->getvalue(result, 0, i), NULL, 10);
    if (status == PGRES_COMMAND_OK)
        round->committed = strcmp(lib->cmdStatus(result), "COMMIT") == 0;
}

/* All answers up to the synchronisation point. The time is that of one statement: a batch that
   needs more is made smaller by whoever asks. */
static enum gh_err end_round(struct gh_stream_sink *sink, struct round *round)
{
    const struct gh_libpq *lib = sink->connection.lib;
    unsigned statement_ms = sink->options.statement_ms ? sink->options.statement_ms : STATEMENT_MS;
    int64_t until_ms = gh_postgres_now_ms() + statement_ms + ANSWER_MARGIN_MS;
    if (!lib->pipelineSync(sink->connection.pg))
        return lose(sink);
    for (bool synced = false; !synced;) {
        if (!gh_postgres_wait(&sink->connection, until_ms))
            return give_up_waiting(sink);
        PGresult *result = lib->getResult(sink->connection.pg);
        if (!result) {
            if (lib->status(sink->connection.pg) != CONNECTION_OK ||
                gh_postgres_now_ms() > until_ms)
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

/* BEGIN, the lock, the marks. */
static bool send_marks(struct gh_stream_sink *sink)
{
    const char *values[] = {sink->source, sink->stream, sink->group, sink->ms, sink->seq};
    return send_plain(sink, "BEGIN") && send_prepared(sink, LOCK, 3, values) &&
           send_prepared(sink, MARK, 5, values);
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

static enum gh_err make_tables(struct gh_stream_sink *sink)
{
    const char *const values[] = {sink->source};
    struct round round = {.err = GH_OK};
    if (!sink->connection.lib->sendQueryParams(sink->connection.pg, GH_STREAM_SET_SOURCE, 1, NULL,
                                               values, NULL, NULL, 0))
        return lose(sink);
    enum gh_err err = end_round(sink, &round);
    return err == GH_OK ? gh_postgres_long_script(&sink->connection, GH_STREAM_TABLES) : err;
}

/* Whoever may not make tables can still use those that are there. */
static enum gh_err have_tables(struct gh_stream_sink *sink)
{
    uint64_t count = 0;
    enum gh_err err = gh_postgres_script(&sink->connection, SET_UP);
    if (err == GH_OK)
        err = gh_postgres_number(&sink->connection, GH_STREAM_COUNT_TABLES, &count);
    if (err == GH_OK && count < GH_STREAM_TABLE_COUNT)
        err = make_tables(sink);
    return err;
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
    if (err == GH_OK && have_tables(sink) != GH_OK) {
        message = gh_postgres_explain(&sink->connection, &arena);
        err = GH_ERR_IO;
    }
    if (err != GH_OK) {
        char text[MESSAGE_BYTES_MAX];
        snprintf(text, sizeof(text), "%.*s", GH_STR_ARG(message));
        note(sink, "", text);
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
    round->what = "the marks of entries";
    return send_marks(sink) ? end_round(sink, round) : lose(sink);
}

static enum gh_err apply_marked(struct gh_stream_sink *sink, const struct round *marks,
                                bool *out_collides)
{
    struct round round = {.what = THE_STATEMENT, .of_entries = true};
    for (size_t i = 0; i < marks->count; i++)
        if (marks->is_new[i] &&
            !send_prepared(sink, APPLY, (int)sink->options.field_count, marks->entries[i].values))
            return lose(sink);
    if (!send_plain(sink, "COMMIT"))
        return lose(sink);
    enum gh_err err = end_round(sink, &round);
    *out_collides = round.collides;
    if (err == GH_OK && !round.committed) {
        note(sink, "", "the statement has ended the transaction");
        err = GH_ERR_IO;
    }
    return err;
}

static enum gh_err apply_once(struct gh_stream_sink *sink, const struct gh_stream_entry *entries,
                              size_t count, size_t *out_applied, bool *out_collides)
{
    bool is_new[GH_STREAM_BATCH_MAX] = {false};
    struct round round = {.err = GH_OK, .is_new = is_new, .entries = entries, .count = count};
    enum gh_err err = be_connected(sink);
    if (err == GH_OK)
        err = mark(sink, &round);
    *out_collides = round.collides;
    if (err == GH_OK)
        err = apply_marked(sink, &round, out_collides);
    if (err == GH_OK)
        *out_applied = round.marked;
    else if (sink->connected && rollback(sink) != GH_OK)
        err = GH_ERR_IO;
    return err;
}

enum gh_err gh_stream_sink_apply(struct gh_stream_sink *sink, const struct gh_stream_entry *entries,
                                 size_t count, size_t *out_applied)
{
    bool collides = true;
    enum gh_err err = GH_OK;
    GH_ASSERT(count && count <= GH_STREAM_BATCH_MAX);
    for (int run = 0; run < RUNS_MAX && collides; run++)
        err = apply_once(sink, entries, count, out_applied, &collides);
    return err;
}

enum gh_err gh_stream_sink_try(struct gh_stream_sink *sink, const struct gh_stream_entry *entry)
{
    struct round round = {.what = THE_STATEMENT, .of_entries = true};
    enum gh_err err = be_connected(sink);
    if (err != GH_OK)
        return err;
    err = send_plain(sink, "BEGIN") &&
                  send_prepared(sink, APPLY, (int)sink->options.field_count, entry->values)
              ? end_round(sink, &round)
              : lose(sink);
    if (sink->connected && rollback(sink) != GH_OK)
        err = GH_ERR_IO;
    return err;
}

void gh_stream_sink_begin_anew(struct gh_stream_sink *sink)
{
    disconnect(sink);
}

/* ---- What is put aside, and what is forgotten ---- */

enum gh_err gh_stream_sink_park(struct gh_stream_sink *sink, struct gh_stream_id id,
                                struct gh_str fields, struct gh_str reason, unsigned tries)
{
    char count[16];
    const struct gh_stream_entry entry = {.id = id};
    struct round round = {.what = "parking"};
    char *texts[] = {copy(fields), copy(reason)};
    enum gh_err err = texts[0] && texts[1] ? be_connected(sink) : GH_ERR_MEMORY;
    if (err == GH_OK) {
        snprintf(count, sizeof(count), "%u", tries);
        const char *const values[] = {sink->source, sink->stream, sink->group, sink->ms,
                                      sink->seq,    texts[0],     texts[1],    count};
        write_ids(sink, &entry, 1);
        err = send_prepared(sink, PARK, 8, values) ? end_round(sink, &round) : lose(sink);
    }
    free(texts[0]);
    free(texts[1]);
    return err == GH_OK || err == GH_ERR_MEMORY ? err : GH_ERR_IO;
}

enum gh_err gh_stream_sink_forget(struct gh_stream_sink *sink, struct gh_stream_id below,
                                  uint64_t keep_ms, bool *out_more)
{
    char ms[24], seq[24], keep[24], limit[24];
    const char *values[] = {sink->source, sink->stream, sink->group, ms, seq, limit, keep};
    struct round round = {.what = "forgetting marks"};
    enum gh_err err = be_connected(sink);
    snprintf(ms, sizeof(ms), "%" PRIu64, below.ms);
    snprintf(seq, sizeof(seq), "%" PRIu64, below.seq);
    snprintf(limit, sizeof(limit), "%d", GH_STREAM_FORGET_MAX);
    snprintf(keep, sizeof(keep), "%" PRIu64, keep_ms);
    if (err == GH_OK)
        err = send_prepared(sink, FORGET, 7, values) ? end_round(sink, &round) : lose(sink);
    *out_more = err == GH_OK && round.numbers[0] >= GH_STREAM_FORGET_MAX;
    return err == GH_OK ? GH_OK : GH_ERR_IO;
}

enum gh_err gh_stream_sink_forgotten(struct gh_stream_sink *sink, struct gh_stream_id *out_through)
{
    const char *values[] = {sink->source, sink->stream, sink->group};
    struct round round = {.what = "asking what was forgotten"};
    enum gh_err err = be_connected(sink);
    if (err == GH_OK)
        err = send_prepared(sink, FORGOTTEN, 3, values) ? end_round(sink, &round) : lose(sink);
    if (err != GH_OK)
        return GH_ERR_IO;
    *out_through = (struct gh_stream_id){round.numbers[0], round.numbers[1]};
    return GH_OK;
}

enum gh_err gh_stream_sink_begin_behind(struct gh_stream_sink *sink, struct gh_stream_id through)
{
    char ms[24], seq[24];
    const char *values[] = {sink->source, sink->stream, sink->group, ms, seq};
    struct round round = {.what = "noting where the group begins"};
    enum gh_err err = be_connected(sink);
    snprintf(ms, sizeof(ms), "%" PRIu64, through.ms);
    snprintf(seq, sizeof(seq), "%" PRIu64, through.seq);
    if (err == GH_OK)
        err = send_prepared(sink, BEGIN_BEHIND, 5, values) ? end_round(sink, &round) : lose(sink);
    return err == GH_OK ? GH_OK : GH_ERR_IO;
}

/* ---- Life ---- */

enum gh_err gh_stream_sink_new(const struct gh_stream_sink_options *options,
                               struct gh_stream_sink **out_sink)
{
    struct gh_stream_sink *sink = calloc(1, sizeof(*sink));
    if (!sink)
        return GH_ERR_MEMORY;
    sink->options = *options;
    sink->source = copy(options->source);
    sink->stream = copy(options->stream);
    sink->group = copy(options->group);
    sink->statement = copy(options->statement);
    if (!sink->source || !sink->stream || !sink->group || !sink->statement) {
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
    free(sink->source);
    free(sink->stream);
    free(sink->group);
    free(sink->statement);
    free(sink);
}
