#include "store/move.h"

#include <stdlib.h>
#include <unistd.h>

#include "store/postgres_connection.h"
#include "store/postgres_schema.h"
#include "store/sqlite_connection.h"
#include "store/sqlite_file.h"
#include "store/sqlite_schema.h"
#include "store/move_rows.h"

/* Far more than the longest record takes. */
#define ROW_BYTES_MAX (4u << 20)
#define SQL_BYTES_MAX 4096
/* A table is copied, or a lock waited for, so long at most. */
#define STATEMENT_MS (3600u * 1000)
/* So many rows between two words to who asks for progress. */
#define PROGRESS_ROWS 1024

struct transfer {
    const struct gh_move_options *options;
    struct gh_arena *arena;
    struct gh_str *out_message;
    struct gh_sqlite_connection source;
    struct gh_postgres_connection target;
    int lock_descriptor;
    struct gh_move_table tables[GH_MOVE_TABLES_MAX];
    size_t table_count;
    char *memory; /* of a row */
    uint64_t rows, rows_max;
};

/* ---- What went wrong ---- */

static enum gh_err fail(struct transfer *transfer, enum gh_err err, struct gh_str message)
{
    *transfer->out_message = message.ptr ? message : GH_STR("out of memory");
    return err;
}

static enum gh_err fail_source(struct transfer *transfer)
{
    enum gh_err err = gh_sqlite_err(&transfer->source, sqlite3_errcode(transfer->source.db));
    return gh_sqlite_explain(&transfer->source, err == GH_OK ? GH_ERR_IO : err, transfer->arena,
                             transfer->out_message);
}

static enum gh_err fail_target(struct transfer *transfer)
{
    return fail(transfer, GH_ERR_IO, gh_postgres_explain(&transfer->target, transfer->arena));
}

static enum gh_err fail_row(struct transfer *transfer, const struct gh_move_table *table,
                            enum gh_err err, const char *what)
{
    return fail(transfer, err,
                gh_arena_format(transfer->arena, "%.*s, row %llu: %s", GH_STR_ARG(table->name),
                                (unsigned long long)transfer->rows, what));
}

static void tell(struct transfer *transfer)
{
    transfer->rows++;
    if (transfer->options->progress && transfer->rows % PROGRESS_ROWS == 0)
        transfer->options->progress(transfer->options->context, transfer->rows, transfer->rows_max);
}

/* ---- The database ---- */

/* A statement without rows. */
static enum gh_err command(struct transfer *transfer, const char *sql)
{
    const struct gh_libpq *lib = transfer->target.lib;
    PGresult *result = lib->exec(transfer->target.pg, sql);
    bool is_fine = lib->resultStatus(result) == PGRES_COMMAND_OK;
    lib->clear(result);
    return is_fine ? GH_OK : fail_target(transfer);
}

/* A text of the first row; NULL (with GH_OK): no row. Copied to the arena. */
static enum gh_err ask(struct transfer *transfer, const char *sql, struct gh_str *out_text)
{
    const struct gh_libpq *lib = transfer->target.lib;
    PGresult *result = lib->exec(transfer->target.pg, sql);
    enum gh_err err = GH_OK;
    *out_text = (struct gh_str){NULL, 0};
    if (lib->resultStatus(result) != PGRES_TUPLES_OK)
        err = fail_target(transfer);
    else if (lib->ntuples(result))
        *out_text = gh_arena_dup(transfer->arena, gh_str_from_c(lib->getvalue(result, 0, 0)));
    lib->clear(result);
    return err;
}

static enum gh_err open_target(struct transfer *transfer)
{
    const struct gh_postgres_target target = {.url = transfer->options->postgres_url,
                                              .statement_ms = STATEMENT_MS,
                                              .application = "gatehouse store migrate"};
    enum gh_err err =
        gh_postgres_connect(&transfer->target, &target, transfer->arena, transfer->out_message);
    if (err == GH_OK)
        err = gh_postgres_schema_open(&transfer->target, true, transfer->arena,
                                      transfer->out_message);
    if (err == GH_OK && !transfer->target.lib->exitPipelineMode(transfer->target.pg))
        err = fail_target(transfer); /* COPY is not for pipelines */
    return err == GH_OK ? command(transfer, "BEGIN") : err;
}

static enum gh_err not_empty(struct transfer *transfer, struct gh_str name)
{
    return fail(
        transfer, GH_ERR_EXISTS,
        gh_arena_format(transfer->arena,
                        "the database is not empty (%.*s has rows): nothing was moved; take "
                        "an empty one",
                        GH_STR_ARG(name)));
}

/* Locked, so that nobody begins to use it meanwhile, and empty. */
static enum gh_err claim(struct transfer *transfer, struct gh_str name)
{
    struct gh_str found;
    struct gh_str lock =
        gh_arena_format(transfer->arena, "LOCK TABLE \"%.*s\" IN EXCLUSIVE MODE", GH_STR_ARG(name));
    struct gh_str look =
        gh_arena_format(transfer->arena, "SELECT '1' FROM \"%.*s\" LIMIT 1", GH_STR_ARG(name));
    if (!lock.ptr || !look.ptr)
        return fail(transfer, GH_ERR_MEMORY, GH_STR("out of memory"));
    enum gh_err err = command(transfer, lock.ptr);
    if (err == GH_OK)
        err = ask(transfer, look.ptr, &found);
    return err == GH_OK && found.ptr ? not_empty(transfer, name) : err;
}

/* A process that has opened it has made a chain, which may still have no record; one that runs
   holds it. */
static enum gh_err claim_chains(struct transfer *transfer)
{
    struct gh_str found;
    enum gh_err err = command(transfer, "LOCK TABLE audit_chains IN EXCLUSIVE MODE");
    if (err == GH_OK)
        err = ask(transfer,
                  "SELECT '1' FROM audit_chains WHERE seq > 0 OR NOT pg_try_advisory_xact_lock("
                  "'audit_chains'::regclass::oid::int4, id::int4) LIMIT 1",
                  &found);
    return err == GH_OK && found.ptr ? not_empty(transfer, GH_STR("audit_chains")) : err;
}

/* ---- What is to be moved: what SQLite has, under the names that it has there ---- */

static bool type_of(struct gh_str name, enum gh_move_type *out_type)
{
    static const struct {
        struct gh_str name;
        enum gh_move_type type;
    } TYPES[] = {
        {GH_STR_INIT("bigint"), GH_MOVE_BIGINT},
        {GH_STR_INIT("text"), GH_MOVE_TEXT},
        {GH_STR_INIT("bytea"), GH_MOVE_BYTES},
        {GH_STR_INIT("boolean"), GH_MOVE_FLAG},
    };
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (gh_str_eq(name, TYPES[i].name)) {
            *out_type = TYPES[i].type;
            return true;
        }
    }
    return false;
}

/* The type of a column over there, as text; ptr NULL: there is none. */
static enum gh_err find_column(struct transfer *transfer, struct gh_str table, struct gh_str column,
                               struct gh_str *out_type)
{
    const char *sql =
        gh_arena_format(transfer->arena,
                        "SELECT data_type FROM information_schema.columns WHERE table_schema = "
                        "current_schema() AND table_name = '%.*s' AND column_name = '%.*s'",
                        GH_STR_ARG(table), GH_STR_ARG(column))
            .ptr;
    if (!sql)
        return fail(transfer, GH_ERR_MEMORY, GH_STR("out of memory"));
    return ask(transfer, sql, out_type);
}

static enum gh_err add_column(struct transfer *transfer, struct gh_move_table *table,
                              struct gh_str name, int key_place)
{
    struct gh_str type;
    enum gh_err err = find_column(transfer, table->name, name, &type);
    if (err != GH_OK)
        return err;
    if (!name.ptr || table->column_count == GH_MOVE_COLUMNS_MAX || !type.ptr ||
        !type_of(type, &table->types[table->column_count]))
        return fail(transfer, GH_ERR_INVALID,
                    gh_arena_format(transfer->arena, "no place for %.*s.%.*s in the database",
                                    GH_STR_ARG(table->name), GH_STR_ARG(name)));
    table->columns[table->column_count++] = name;
    if (key_place > 0) {
        table->keys[key_place - 1] = name;
        table->key_count++;
    }
    return GH_OK;
}

static sqlite3_stmt *prepare(struct transfer *transfer, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sql)
        sqlite3_prepare_v2(transfer->source.db, sql, -1, &statement, NULL);
    return statement;
}

static struct gh_str column_text(struct transfer *transfer, sqlite3_stmt *statement, int at)
{
    return gh_arena_dup(transfer->arena,
                        gh_str_from_c((const char *)sqlite3_column_text(statement, at)));
}

static enum gh_err read_columns(struct transfer *transfer, struct gh_move_table *table)
{
    sqlite3_stmt *statement =
        prepare(transfer, "SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid");
    if (!statement)
        return fail_source(transfer);
    sqlite3_bind_text(statement, 1, table->name.ptr, (int)table->name.len, SQLITE_STATIC);
    enum gh_err err = GH_OK;
    int result;
    while (err == GH_OK && (result = sqlite3_step(statement)) == SQLITE_ROW)
        err = add_column(transfer, table, column_text(transfer, statement, 0),
                         sqlite3_column_int(statement, 1));
    if (err == GH_OK && result != SQLITE_DONE)
        err = fail_source(transfer);
    sqlite3_finalize(statement);
    struct gh_str chain = {NULL, 0};
    if (err == GH_OK)
        err = find_column(transfer, table->name, GH_STR("chain"), &chain);
    table->has_chain = chain.ptr != NULL;
    return err;
}

static enum gh_err count_rows(struct transfer *transfer, struct gh_move_table *table)
{
    sqlite3_int64 rows = 0;
    const char *sql =
        gh_arena_format(transfer->arena, "SELECT count(*) FROM \"%.*s\"", GH_STR_ARG(table->name))
            .ptr;
    if (!sql || !gh_sqlite_number(&transfer->source, sql, &rows))
        return fail_source(transfer);
    table->rows = (uint64_t)rows;
    transfer->rows_max += 2 * table->rows; /* copied, and compared */
    return GH_OK;
}

/* What others refer to comes first. */
static enum gh_err read_tables(struct transfer *transfer)
{
    sqlite3_stmt *statement =
        prepare(transfer, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                          "'sqlite_%' AND name <> 'schema_version' "
                          "ORDER BY name <> 'accounts', name");
    enum gh_err err = GH_OK;
    int result = SQLITE_ERROR;
    while (err == GH_OK && statement && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct gh_move_table *table = &transfer->tables[transfer->table_count];
        if (transfer->table_count == GH_MOVE_TABLES_MAX)
            err = fail(transfer, GH_ERR_INVALID, GH_STR("more tables than gatehouse has"));
        else
            transfer->table_count++;
        if (err == GH_OK)
            table->name = column_text(transfer, statement, 0);
        if (err == GH_OK && !table->name.ptr)
            err = fail(transfer, GH_ERR_MEMORY, GH_STR("out of memory"));
        if (err == GH_OK)
            err = claim(transfer, table->name);
        if (err == GH_OK)
            err = read_columns(transfer, table);
        if (err == GH_OK)
            err = count_rows(transfer, table);
    }
    if (err == GH_OK && result != SQLITE_DONE)
        err = fail_source(transfer);
    sqlite3_finalize(statement);
    return err;
}

/* ---- There ---- */

static const char *copy_sql(struct transfer *transfer, const struct gh_move_table *table, bool out)
{
    char memory[SQL_BYTES_MAX];
    struct gh_buf sql = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&sql, out ? GH_STR("COPY (SELECT ") : GH_STR("COPY \""));
    if (!out) {
        gh_buf_put(&sql, table->name);
        gh_buf_put(&sql, GH_STR("\" ("));
    }
    gh_move_put_columns(&sql, table);
    if (out) {
        gh_buf_put(&sql, GH_STR(" FROM \""));
        gh_buf_put(&sql, table->name);
        gh_buf_put(&sql, GH_STR("\" ORDER BY "));
        gh_move_put_keys(&sql, table);
    }
    gh_buf_put(&sql, out ? GH_STR(") TO STDOUT (FORMAT binary)")
                         : GH_STR(") FROM STDIN (FORMAT binary)"));
    gh_buf_put_char(&sql, '\0');
    return sql.overflow ? NULL : gh_arena_dup(transfer->arena, gh_buf_str(&sql)).ptr;
}

static sqlite3_stmt *select_rows(struct transfer *transfer, const struct gh_move_table *table)
{
    char memory[SQL_BYTES_MAX];
    struct gh_buf sql = gh_buf_over(memory, sizeof(memory));
    gh_move_put_select(&sql, table);
    return sql.overflow ? NULL : prepare(transfer, memory);
}

static bool send(struct transfer *transfer, struct gh_str bytes)
{
    return transfer->target.lib->putCopyData(transfer->target.pg, bytes.ptr, (int)bytes.len) == 1;
}

/* What is done with each row of a table, in the order of its key; GH_ERR_INVALID and more come from
   the row itself. */
typedef enum gh_err row_user(struct transfer *transfer, const struct gh_move_table *table,
                             void *context, struct gh_str row);

static enum gh_err each_row(struct transfer *transfer, const struct gh_move_table *table,
                            row_user *use, void *context)
{
    sqlite3_stmt *statement = select_rows(transfer, table);
    enum gh_err err = GH_OK;
    int result = SQLITE_ERROR;
    while (err == GH_OK && statement && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct gh_buf row = gh_buf_over(transfer->memory, ROW_BYTES_MAX);
        tell(transfer);
        if (gh_move_put_row(&row, table, statement) != GH_OK)
            err = fail_row(transfer, table, GH_ERR_INVALID,
                           "is not as gatehouse writes it; look at the file before it is moved");
        else
            err = use(transfer, table, context, gh_buf_str(&row));
    }
    if (err == GH_OK && result != SQLITE_DONE)
        err = fail_source(transfer);
    sqlite3_finalize(statement);
    return err;
}

static enum gh_err send_row(struct transfer *transfer, const struct gh_move_table *table,
                            void *context, struct gh_str row)
{
    (void)context;
    return send(transfer, row) ? GH_OK
                               : fail_row(transfer, table, GH_ERR_IO, "the connection is lost");
}

/* How a COPY ended: a value that PostgreSQL can't hold is the row's fault. */
static enum gh_err end_copy(struct transfer *transfer)
{
    const struct gh_libpq *lib = transfer->target.lib;
    PGresult *result = lib->getResult(transfer->target.pg);
    bool is_fine = lib->resultStatus(result) == PGRES_COMMAND_OK;
    enum gh_err err = is_fine ? GH_OK : fail_target(transfer);
    const char *state = is_fine ? NULL : lib->resultErrorField(result, PG_DIAG_SQLSTATE);
    if (state && state[0] == '2' && (state[1] == '2' || state[1] == '3'))
        err = GH_ERR_INVALID;
    lib->clear(result);
    while ((result = lib->getResult(transfer->target.pg)))
        lib->clear(result);
    return err;
}

static enum gh_err copy_table(struct transfer *transfer, const struct gh_move_table *table)
{
    const struct gh_libpq *lib = transfer->target.lib;
    const char *sql = copy_sql(transfer, table, false);
    if (!sql)
        return fail(transfer, GH_ERR_MEMORY, GH_STR("out of memory"));
    PGresult *result = lib->exec(transfer->target.pg, sql);
    bool copying = lib->resultStatus(result) == PGRES_COPY_IN;
    lib->clear(result);
    if (!copying || !send(transfer, gh_move_header))
        return fail_target(transfer);
    enum gh_err err = each_row(transfer, table, send_row, NULL);
    if (err != GH_OK)
        return err; /* the connection is closed with the copy under way */
    if (!send(transfer, gh_move_trailer) || lib->putCopyEnd(transfer->target.pg, NULL) != 1)
        return fail_target(transfer);
    return end_copy(transfer);
}

/* ---- And back ---- */

/* What the server sends, whatever pieces it comes in. */
struct stream {
    char *message;
    size_t len, at;
};

static bool next_message(struct transfer *transfer, struct stream *stream)
{
    const struct gh_libpq *lib = transfer->target.lib;
    if (stream->message)
        lib->freemem(stream->message);
    stream->message = NULL;
    int len = lib->getCopyData(transfer->target.pg, &stream->message, 0);
    stream->len = len > 0 ? (size_t)len : 0;
    stream->at = 0;
    return len > 0;
}

static bool comes_next(struct transfer *transfer, struct stream *stream, struct gh_str bytes)
{
    while (bytes.len) {
        if (stream->at == stream->len && !next_message(transfer, stream))
            return false;
        size_t count = stream->len - stream->at < bytes.len ? stream->len - stream->at : bytes.len;
        if (memcmp(stream->message + stream->at, bytes.ptr, count) != 0)
            return false;
        stream->at += count;
        bytes = gh_str_skip(bytes, count);
    }
    return true;
}

static enum gh_err compare_row(struct transfer *transfer, const struct gh_move_table *table,
                               void *context, struct gh_str row)
{
    return comes_next(transfer, context, row)
               ? GH_OK
               : fail_row(transfer, table, GH_ERR_IO, "came back as another; nothing was moved");
}

static enum gh_err compare_table(struct transfer *transfer, const struct gh_move_table *table)
{
    const struct gh_libpq *lib = transfer->target.lib;
    const char *sql = copy_sql(transfer, table, true);
    struct stream stream = {.message = NULL};
    if (!sql)
        return fail(transfer, GH_ERR_MEMORY, GH_STR("out of memory"));
    PGresult *result = lib->exec(transfer->target.pg, sql);
    bool copying = lib->resultStatus(result) == PGRES_COPY_OUT;
    lib->clear(result);
    if (!copying || !comes_next(transfer, &stream, gh_move_header))
        return fail_target(transfer);
    enum gh_err err = each_row(transfer, table, compare_row, &stream);
    if (err == GH_OK &&
        (!comes_next(transfer, &stream, gh_move_trailer) || next_message(transfer, &stream)))
        err = fail(transfer, GH_ERR_IO,
                   gh_arena_format(transfer->arena, "%.*s came back with more rows than it has",
                                   GH_STR_ARG(table->name)));
    if (stream.message)
        lib->freemem(stream.message);
    return err == GH_OK ? end_copy(transfer) : err;
}

/* ---- All of it ---- */

/* What is no table of SQLite: the number of the last key of all, and the end of the chain. A number
   must never be given twice, whatever can't be read of it. */
static enum gh_err move_rest(struct transfer *transfer)
{
    sqlite3_int64 last_key = 0;
    if (!gh_sqlite_number(&transfer->source,
                          "SELECT max(coalesce((SELECT max(id) FROM keys), 0), coalesce((SELECT "
                          "max(seq) FROM sqlite_sequence WHERE name = 'keys'), 0))",
                          &last_key))
        return fail(transfer, GH_ERR_IO, GH_STR("the number of the last key can't be read"));
    const char *sql =
        gh_arena_format(transfer->arena, "UPDATE key_number SET last = %lld", (long long)last_key)
            .ptr;
    if (!sql)
        return fail(transfer, GH_ERR_MEMORY, GH_STR("out of memory"));
    enum gh_err err = command(transfer, sql);
    if (err == GH_OK)
        err = command(transfer, "INSERT INTO audit_chains (id, seq, hash) SELECT chain, seq, hash "
                                "FROM security_audit_log ORDER BY seq DESC LIMIT 1 "
                                "ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = "
                                "excluded.hash");
    return err;
}

static enum gh_err move(struct transfer *transfer)
{
    enum gh_err err = claim_chains(transfer);
    if (err == GH_OK)
        err = claim(transfer, GH_STR("audit_unsealed"));
    if (err == GH_OK)
        err = read_tables(transfer);
    for (size_t i = 0; err == GH_OK && i < transfer->table_count; i++)
        err = copy_table(transfer, &transfer->tables[i]);
    for (size_t i = 0; err == GH_OK && i < transfer->table_count; i++)
        err = compare_table(transfer, &transfer->tables[i]);
    if (err == GH_OK)
        err = move_rest(transfer);
    return err == GH_OK ? command(transfer, "COMMIT") : err;
}

static enum gh_err open_source(struct transfer *transfer)
{
    const char *path = gh_sqlite_file_path(transfer->arena, transfer->options->sqlite_path);
    if (!path || !gh_sqlite_file_is_there(path))
        return fail(transfer, GH_ERR_INVALID, GH_STR("there is no such file"));
    enum gh_err err = gh_sqlite_file_lock(path, transfer->arena, &transfer->lock_descriptor,
                                          transfer->out_message);
    if (err != GH_OK)
        return err;
    err = gh_sqlite_connect(&transfer->source, path, false);
    if (err != GH_OK)
        return gh_sqlite_explain(&transfer->source, err, transfer->arena, transfer->out_message);
    err = gh_sqlite_schema_open(&transfer->source, true, transfer->arena, transfer->out_message);
    if (err == GH_OK && gh_sqlite_exec(&transfer->source, GH_SQLITE_BEGIN_READ) != GH_OK)
        err = fail_source(transfer);
    return err;
}

static void close_all(struct transfer *transfer)
{
    gh_postgres_disconnect(&transfer->target);
    gh_sqlite_disconnect(&transfer->source);
    if (transfer->lock_descriptor >= 0)
        close(transfer->lock_descriptor);
    free(transfer->memory);
}

enum gh_err gh_move_run(const struct gh_move_options *options, struct gh_arena *arena,
                        struct gh_move_result *out_result, struct gh_str *out_message)
{
    struct transfer *transfer = gh_arena_zalloc(arena, 1, sizeof(*transfer));
    *out_message = GH_STR("out of memory");
    if (!transfer)
        return GH_ERR_MEMORY;
    *transfer = (struct transfer){
        .options = options, .arena = arena, .out_message = out_message, .lock_descriptor = -1};
    transfer->memory = malloc(ROW_BYTES_MAX);
    enum gh_err err = transfer->memory ? open_source(transfer) : GH_ERR_MEMORY;
    if (err == GH_OK)
        err = open_target(transfer);
    if (err == GH_OK)
        err = move(transfer);
    if (err == GH_OK) {
        out_result->table_count = transfer->table_count;
        for (size_t i = 0; i < transfer->table_count; i++) {
            out_result->tables[i].name = transfer->tables[i].name;
            out_result->tables[i].rows = transfer->tables[i].rows;
        }
    }
    close_all(transfer);
    return err;
}
