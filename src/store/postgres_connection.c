#include "store/postgres_connection.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"

#define VERSION_MIN       130000
#define STATEMENT_MS      5000
#define CONNECT_S         5
#define SET_UP_MS         5000 /* like a connection's: whoever accepts need not answer */
#define LOOK_MS           250  /* whether there is haste */
#define CONNECT_HASTE_S   2    /* the least that libpq takes */
#define ANSWER_MARGIN_MS  3000 /* behind the server's own timeout: it hangs, or the network does */
#define SCRATCH_BYTES     (16u << 10)
#define SCRATCH_BYTES_MAX (64u << 20) /* arrays of records */
#define SQLSTATE_LEN      5

static const char *const SQL[GH_POSTGRES_STATEMENT_COUNT] = {
#define X(id, effect, sql) [GH_POSTGRES_##id] = sql,
    GH_POSTGRES_STATEMENTS(X)
#undef X
};

static const char *const NAMES[GH_POSTGRES_STATEMENT_COUNT] = {
#define X(id, effect, sql) [GH_POSTGRES_##id] = #id,
    GH_POSTGRES_STATEMENTS(X)
#undef X
};

/* What a round trip carries, in its order. */
enum step { BEGIN, PREPARE, EXECUTE, COMMIT, ROLLBACK };
struct round {
    enum step steps[4];
    int count;
    enum gh_postgres_statement statement; /* of PREPARE and EXECUTE */
    PGresult *result;                     /* of EXECUTE */
};

/* ---- What failures mean ---- */

static bool is_class(const char *sqlstate, const char *beginning)
{
    return strncmp(sqlstate, beginning, strlen(beginning)) == 0;
}

/* 25P03 and 57P*: the server ends the connection. 25006: it has become a standby. */
static enum gh_postgres_fault fault_of(const char *sqlstate)
{
    static const char *const LOST[] = {"08", "57P", "25P03", "25006", "XX"};
    /* 23503 and 23505: statements look first, so it came from a transaction beside this one. */
    static const char *const AGAIN[] = {"40", "23503", "23505", "55P03"};
    for (size_t i = 0; i < sizeof(LOST) / sizeof(LOST[0]); i++)
        if (is_class(sqlstate, LOST[i]))
            return GH_POSTGRES_LOST;
    for (size_t i = 0; i < sizeof(AGAIN) / sizeof(AGAIN[0]); i++)
        if (is_class(sqlstate, AGAIN[i]))
            return GH_POSTGRES_AGAIN;
    return GH_POSTGRES_REFUSED;
}

/* 22 and 23: a value that a column does not take. 53100: the disk is full. */
static enum gh_err err_of(const char *sqlstate)
{
    if (is_class(sqlstate, "23503") || is_class(sqlstate, "23505"))
        return GH_ERR_IO;
    if (is_class(sqlstate, "22") || is_class(sqlstate, "23"))
        return GH_ERR_INVALID;
    return is_class(sqlstate, "53100") ? GH_ERR_FULL : GH_ERR_IO;
}

static void note(struct gh_postgres_connection *connection, enum gh_postgres_fault fault,
                 enum gh_err err)
{
    if (fault <= connection->fault)
        return;
    connection->fault = fault;
    connection->err = err;
    if (fault == GH_POSTGRES_LOST)
        connection->is_open = false;
}

static void note_lost(struct gh_postgres_connection *connection)
{
    note(connection, GH_POSTGRES_LOST, GH_ERR_IO);
}

static void note_refusal(struct gh_postgres_connection *connection, const PGresult *result)
{
    const char *sqlstate = connection->lib->resultErrorField(result, PG_DIAG_SQLSTATE);
    if (!sqlstate || strlen(sqlstate) != SQLSTATE_LEN) {
        note_lost(connection); /* it was libpq that gave up */
        return;
    }
    memcpy(connection->sqlstate, sqlstate, sizeof(connection->sqlstate));
    note(connection, fault_of(sqlstate), err_of(sqlstate));
}

struct gh_str gh_postgres_explain(const struct gh_postgres_connection *connection,
                                  struct gh_arena *arena)
{
    const char *text = connection->pg ? connection->lib->errorMessage(connection->pg) : "";
    struct gh_str copy = gh_arena_dup(arena, gh_str_from_c(text));
    if (!copy.ptr)
        return GH_STR("out of memory");
    char *bytes = (char *)copy.ptr; /* of our arena */
    if (!copy.len && connection->fault == GH_POSTGRES_LOST)
        return GH_STR("the server does not answer");
    while (copy.len && bytes[copy.len - 1] == '\n')
        bytes[--copy.len] = '\0';
    for (size_t i = 0; i < copy.len; i++)
        if ((unsigned char)bytes[i] < ' ')
            bytes[i] = ' ';
    return copy;
}

/* ---- Waiting ---- */

int64_t gh_postgres_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool gh_postgres_wait(struct gh_postgres_connection *connection, int64_t until_ms)
{
    const struct gh_libpq *lib = connection->lib;
    bool hurries = false;
    while (lib->isBusy(connection->pg)) {
        struct pollfd watched = {.fd = lib->socket(connection->pg), .events = POLLIN};
        if (!hurries && gh_postgres_haste_is_on(connection->haste)) {
            hurries = true;
            until_ms = gh_postgres_haste_bound(connection->haste, until_ms);
        }
        int64_t left_ms = until_ms - gh_postgres_now_ms();
        if (left_ms <= 0 || watched.fd < 0)
            return false;
        /* Whatever it says: TLS may have read already what it has not given to libpq. */
        if (poll(&watched, 1, left_ms > LOOK_MS ? LOOK_MS : (int)left_ms) >= 0 &&
            !lib->consumeInput(connection->pg))
            return false;
    }
    return true;
}

/* ---- A round trip ---- */

static const char *begin_sql(enum gh_postgres_isolation isolation)
{
    switch (isolation) {
    case GH_POSTGRES_SERIALIZABLE:
        return "BEGIN ISOLATION LEVEL SERIALIZABLE";
    case GH_POSTGRES_SNAPSHOT:
        return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    case GH_POSTGRES_COMMITTED:
        return "BEGIN ISOLATION LEVEL READ COMMITTED";
    }
    return NULL;
}

static bool send_plain(struct gh_postgres_connection *connection, const char *sql)
{
    return connection->lib->sendQueryParams(connection->pg, sql, 0, NULL, NULL, NULL, NULL, 1);
}

static bool send_execute(struct gh_postgres_connection *connection,
                         enum gh_postgres_statement statement,
                         const struct gh_postgres_values *values)
{
    static const int FORMATS[GH_POSTGRES_PARAMETERS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    return connection->lib->sendQueryPrepared(connection->pg, NAMES[statement], values->count,
                                              values->values, values->lengths, FORMATS, 1);
}

static bool send_step(struct gh_postgres_connection *connection, const struct round *round,
                      enum step step, const struct gh_postgres_values *values)
{
    switch (step) {
    case BEGIN:
        return send_plain(connection, begin_sql(connection->isolation));
    case PREPARE:
        return connection->lib->sendPrepare(connection->pg, NAMES[round->statement],
                                            SQL[round->statement], 0, NULL);
    case EXECUTE:
        return send_execute(connection, round->statement, values);
    case COMMIT:
        return send_plain(connection, "COMMIT");
    case ROLLBACK:
        return send_plain(connection, "ROLLBACK");
    }
    return false;
}

/* A COMMIT that the server refuses has ended the transaction too. */
static void note_step(struct gh_postgres_connection *connection, struct round *round,
                      enum step step, PGresult *result)
{
    const struct gh_libpq *lib = connection->lib;
    ExecStatusType status = lib->resultStatus(result);
    bool is_fine = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (status == PGRES_FATAL_ERROR)
        note_refusal(connection, result);
    if (step == BEGIN && is_fine)
        connection->is_open = true;
    if (step == PREPARE && is_fine)
        connection->prepared[round->statement] = true;
    if ((step == COMMIT && status != PGRES_PIPELINE_ABORTED) || (step == ROLLBACK && is_fine))
        connection->is_open = false;
    if (step == COMMIT && is_fine && strcmp(lib->cmdStatus(result), "COMMIT") != 0)
        note(connection, GH_POSTGRES_REFUSED, GH_ERR_IO);
    if (step == EXECUTE && is_fine && !round->result)
        round->result = result;
    else
        lib->clear(result);
}

/* The answers of one step end with a NULL; those of all with the answer of the sync. */
static bool receive(struct gh_postgres_connection *connection, struct round *round,
                    int64_t until_ms)
{
    const struct gh_libpq *lib = connection->lib;
    for (int at = 0; at < round->count;) {
        if (!gh_postgres_wait(connection, until_ms))
            return false;
        PGresult *result = lib->getResult(connection->pg);
        if (result)
            note_step(connection, round, round->steps[at], result);
        else
            at++;
        if (lib->status(connection->pg) != CONNECTION_OK)
            return false;
    }
    if (!gh_postgres_wait(connection, until_ms))
        return false;
    PGresult *sync = lib->getResult(connection->pg);
    bool is_sync = lib->resultStatus(sync) == PGRES_PIPELINE_SYNC;
    lib->clear(sync);
    return is_sync;
}

static void add(struct round *round, enum step step)
{
    round->steps[round->count++] = step;
}

static bool send_round(struct gh_postgres_connection *connection, const struct round *round,
                       const struct gh_postgres_values *values)
{
    for (int i = 0; i < round->count; i++)
        if (!send_step(connection, round, round->steps[i], values))
            return false;
    return connection->lib->pipelineSync(connection->pg) == 1;
}

static int64_t until_ms(const struct gh_postgres_connection *connection)
{
    return gh_postgres_now_ms() + connection->statement_ms + ANSWER_MARGIN_MS;
}

/* Reads the answer of a ROLLBACK that was not waited for. */
static bool finish_ending(struct gh_postgres_connection *connection)
{
    struct round round = {.steps = {ROLLBACK}, .count = 1};
    if (!connection->is_ending)
        return true;
    connection->is_ending = false;
    return receive(connection, &round, until_ms(connection));
}

static void go(struct gh_postgres_connection *connection, struct round *round,
               const struct gh_postgres_values *values)
{
    bool is_fine = connection->fault != GH_POSTGRES_LOST && send_round(connection, round, values) &&
                   finish_ending(connection) && receive(connection, round, until_ms(connection));
    if (!is_fine)
        note_lost(connection);
    if (connection->fault != GH_POSTGRES_FINE) {
        connection->lib->clear(round->result); /* NULL is fine */
        round->result = NULL;
    }
}

static void add_statement(const struct gh_postgres_connection *connection, struct round *round,
                          enum gh_postgres_statement statement)
{
    round->statement = statement;
    if (!connection->prepared[statement])
        add(round, PREPARE);
    add(round, EXECUTE);
}

void gh_postgres_begin_later(struct gh_postgres_connection *connection,
                             enum gh_postgres_isolation isolation)
{
    GH_ASSERT(!connection->is_open);
    connection->isolation = isolation;
    connection->begin_due = true;
    if (connection->fault == GH_POSTGRES_LOST)
        return;
    connection->fault = GH_POSTGRES_FINE;
    connection->err = GH_OK;
    connection->sqlstate[0] = '\0';
}

PGresult *gh_postgres_execute(struct gh_postgres_connection *connection,
                              enum gh_postgres_statement statement,
                              const struct gh_postgres_values *values, enum gh_err *out_err)
{
    struct round round = {.count = 0};
    if (!connection->is_open && !connection->begin_due &&
        connection->fault != GH_POSTGRES_LOST) /* on its own */
        connection->fault = GH_POSTGRES_FINE;
    if (connection->fault != GH_POSTGRES_FINE) {
        *out_err = connection->err;
        return NULL;
    }
    if (connection->begin_due)
        add(&round, BEGIN);
    connection->begin_due = false;
    add_statement(connection, &round, statement);
    go(connection, &round, values);
    *out_err = connection->fault == GH_POSTGRES_FINE ? GH_OK : connection->err;
    return round.result;
}

enum gh_err gh_postgres_do(struct gh_postgres_connection *connection,
                           enum gh_postgres_statement statement)
{
    const struct gh_postgres_values none = {.count = 0};
    enum gh_err err;
    connection->lib->clear(gh_postgres_execute(connection, statement, &none, &err));
    return err;
}

enum gh_err gh_postgres_commit(struct gh_postgres_connection *connection, const uint8_t unit_id[16])
{
    struct gh_postgres_values id = {.count = 1, .values = {(const char *)unit_id}, .lengths = {16}};
    struct round round = {.count = 0};
    connection->begin_due = false;
    if (connection->fault != GH_POSTGRES_FINE)
        return connection->err;
    if (!connection->is_open)
        return GH_OK;
    if (unit_id)
        add_statement(connection, &round, GH_POSTGRES_UNIT_KEEP);
    add(&round, COMMIT);
    go(connection, &round, &id);
    connection->lib->clear(round.result);
    return connection->fault == GH_POSTGRES_FINE ? GH_OK : connection->err;
}

void gh_postgres_rollback(struct gh_postgres_connection *connection)
{
    const struct round round = {.steps = {ROLLBACK}, .count = 1};
    connection->begin_due = false;
    if (!connection->is_open || connection->fault == GH_POSTGRES_LOST)
        return;
    connection->is_open = false;
    connection->is_ending = send_round(connection, &round, NULL);
    if (!connection->is_ending)
        note_lost(connection);
}

/* ---- The simple protocol ---- */

/* The last answer, which is the refusal where there is one. NULL: none. */
static PGresult *ask_until(struct gh_postgres_connection *connection, const char *sql,
                           int64_t until_ms)
{
    const struct gh_libpq *lib = connection->lib;
    PGresult *last = NULL;
    if (!lib->sendQuery(connection->pg, sql))
        return NULL;
    while (gh_postgres_wait(connection, until_ms)) {
        PGresult *result = lib->getResult(connection->pg);
        if (!result)
            return last;
        lib->clear(last);
        last = result;
    }
    lib->clear(last);
    return NULL;
}

/* until_ms 0: it takes as long as it takes. */
static PGresult *ask(struct gh_postgres_connection *connection, const char *sql, int64_t until_ms)
{
    const struct gh_libpq *lib = connection->lib;
    GH_ASSERT(!connection->is_open && !connection->begin_due);
    if (connection->fault != GH_POSTGRES_LOST && !finish_ending(connection))
        note_lost(connection);
    if (connection->fault == GH_POSTGRES_LOST || !lib->exitPipelineMode(connection->pg))
        return NULL;
    connection->fault = GH_POSTGRES_FINE;
    PGresult *result =
        until_ms ? ask_until(connection, sql, until_ms) : lib->exec(connection->pg, sql);
    ExecStatusType status = result ? lib->resultStatus(result) : PGRES_FATAL_ERROR;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        note_refusal(connection, result);
    if (connection->fault != GH_POSTGRES_LOST &&
        (lib->status(connection->pg) != CONNECTION_OK || !lib->enterPipelineMode(connection->pg)))
        note_lost(connection);
    return result;
}

static enum gh_err run_script(struct gh_postgres_connection *connection, const char *sql,
                              int64_t until_ms)
{
    PGresult *result = ask(connection, sql, until_ms);
    connection->lib->clear(result);
    return connection->fault == GH_POSTGRES_FINE ? GH_OK : connection->err;
}

enum gh_err gh_postgres_script(struct gh_postgres_connection *connection, const char *sql)
{
    return run_script(connection, sql, until_ms(connection));
}

enum gh_err gh_postgres_long_script(struct gh_postgres_connection *connection, const char *sql)
{
    return run_script(connection, sql, 0);
}

enum gh_err gh_postgres_number(struct gh_postgres_connection *connection, const char *sql,
                               uint64_t *out_number)
{
    PGresult *result = ask(connection, sql, until_ms(connection));
    const struct gh_libpq *lib = connection->lib;
    bool is_fine = connection->fault == GH_POSTGRES_FINE;
    if (is_fine)
        *out_number = lib->ntuples(result) ? strtoull(lib->getvalue(result, 0, 0), NULL, 10) : 0;
    lib->clear(result);
    return is_fine ? GH_OK : connection->err;
}

/* ---- Connecting ---- */

static void ignore_notice(void *context, const char *message)
{
    (void)context, (void)message;
}

/* What stands before the URL it may change, what stands behind it not. The server's own silence is
   found out by keepalives where nothing is sent, by the timeout of TCP where something is. */
static PGconn *open_socket(const struct gh_libpq *lib, const struct gh_postgres_target *target)
{
    char connect_s[16];
    unsigned seconds = target->connect_s ? target->connect_s : CONNECT_S;
    if (gh_postgres_haste_is_on(target->haste) && seconds > CONNECT_HASTE_S)
        seconds = CONNECT_HASTE_S;
    snprintf(connect_s, sizeof(connect_s), "%u", seconds);
    const char *const options[][2] = {
        {"connect_timeout", connect_s},
        {"application_name", target->application ? target->application : "gatehouse"},
        {"target_session_attrs", "read-write"},
        {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "10000"},
        {"dbname", target->url},
        {"client_encoding", "UTF8"},
        {"gssencmode", "disable"},
    };
    enum { COUNT = sizeof(options) / sizeof(options[0]) };
    const char *keywords[COUNT + 1] = {NULL}, *values[COUNT + 1] = {NULL};
    for (size_t i = 0; i < COUNT; i++) {
        keywords[i] = options[i][0];
        values[i] = options[i][1];
    }
    return lib->connectdbParams(keywords, values, 1);
}

/* Small tables are read through their indexes too: a scan would make the transaction depend on all
   their rows. The plans do not depend on the values. The server has to notice too that we are gone,
   so that locks of a machine that died are free soon; it ignores that on Unix sockets. */
static enum gh_err set_up(struct gh_postgres_connection *connection)
{
    char sql[768];
    snprintf(sql, sizeof(sql),
             "SET statement_timeout = %u; SET idle_in_transaction_session_timeout = 30000; "
             "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; "
             "SET tcp_keepalives_count = 3; SET tcp_user_timeout = 10000; "
             "SET default_transaction_isolation = 'read committed'; SET enable_seqscan = off; SET "
             "plan_cache_mode = force_generic_plan; "
             "SELECT set_config('synchronous_commit', 'on', false) "
             "WHERE current_setting('synchronous_commit') = 'off'",
             connection->statement_ms);
    return run_script(connection, sql, gh_postgres_now_ms() + SET_UP_MS);
}

static enum gh_err check_server(const struct gh_postgres_connection *connection,
                                struct gh_arena *arena, struct gh_str *out_message)
{
    const char *encoding = connection->lib->parameterStatus(connection->pg, "server_encoding");
    int version = connection->lib->serverVersion(connection->pg);
    if (version < VERSION_MIN) {
        *out_message = gh_arena_format(arena, "the server has version %d, 13 or later is needed",
                                       version / 10000);
        return GH_ERR_INVALID;
    }
    if (encoding && strcmp(encoding, "UTF8") == 0)
        return GH_OK;
    *out_message = gh_arena_format(arena, "the database has the encoding %s, UTF8 is needed",
                                   encoding ? encoding : "(unknown)");
    return GH_ERR_INVALID;
}

/* What libpq says of a URL that it can't read has the URL in it, with the password. */
static bool can_be_read(const struct gh_libpq *lib, const char *url)
{
    char *message = NULL;
    PQconninfoOption *options = lib->conninfoParse(url, &message);
    bool is_fine = options != NULL;
    lib->conninfoFree(options);
    lib->freemem(message);
    return is_fine;
}

static enum gh_err connect_and_set_up(struct gh_postgres_connection *connection,
                                      const struct gh_postgres_target *target,
                                      struct gh_arena *arena, struct gh_str *out_message)
{
    const struct gh_libpq *lib = connection->lib;
    if (!can_be_read(lib, target->url)) {
        *out_message = GH_STR("libpq can't read its URL");
        return GH_ERR_INVALID;
    }
    connection->pg = open_socket(lib, target);
    if (!connection->pg) {
        *out_message = GH_STR("out of memory");
        return GH_ERR_MEMORY;
    }
    if (lib->status(connection->pg) != CONNECTION_OK) {
        *out_message = gh_postgres_explain(connection, arena);
        return GH_ERR_IO;
    }
    lib->setNoticeProcessor(connection->pg, ignore_notice, NULL);
    enum gh_err err = check_server(connection, arena, out_message);
    if (err != GH_OK)
        return err;
    err = lib->enterPipelineMode(connection->pg) ? set_up(connection) : GH_ERR_IO;
    if (err != GH_OK)
        *out_message = gh_postgres_explain(connection, arena);
    return err;
}

enum gh_err gh_postgres_connect(struct gh_postgres_connection *connection,
                                const struct gh_postgres_target *target, struct gh_arena *arena,
                                struct gh_str *out_message)
{
    *connection = (struct gh_postgres_connection){
        .lib = gh_libpq_get(),
        .statement_ms = target->statement_ms ? target->statement_ms : STATEMENT_MS,
        .haste = target->haste,
    };
    if (!connection->lib) {
        *out_message = GH_STR("libpq is not installed (libpq5, version 14 or later)");
        return GH_ERR_INVALID;
    }
    gh_arena_init(&connection->scratch, SCRATCH_BYTES, SCRATCH_BYTES_MAX);
    enum gh_err err = connect_and_set_up(connection, target, arena, out_message);
    if (err != GH_OK)
        gh_postgres_disconnect(connection);
    return err;
}

void gh_postgres_disconnect(struct gh_postgres_connection *connection)
{
    if (connection->pg)
        connection->lib->finish(connection->pg);
    if (connection->lib)
        gh_arena_done(&connection->scratch);
    *connection = (struct gh_postgres_connection){.pg = NULL};
}

bool gh_postgres_is_up(struct gh_postgres_connection *connection)
{
    const struct gh_libpq *lib = connection->lib;
    if (!connection->pg || connection->fault == GH_POSTGRES_LOST || !finish_ending(connection))
        return false;
    struct pollfd watched = {.fd = lib->socket(connection->pg), .events = POLLIN};
    if (poll(&watched, 1, 0) == 0) /* nobody said anything, as it should be */
        return true;
    return lib->consumeInput(connection->pg) && lib->status(connection->pg) == CONNECTION_OK;
}
