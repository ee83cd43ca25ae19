#include "store/sqlite_connection.h"

#include <errno.h>

#define BUSY_MS  5000 /* somebody reads the file with another program */
#define SCRUB_MS 200  /* our readers end sooner; units wait meanwhile */

/* A record of the log as canonical JSON, and what is made on the way. */
#define SCRATCH_BLOCK_BYTES (16u << 10)
#define SCRATCH_BYTES_MAX   (1u << 20)

/* Journals over this size are cut when they begin anew. */
#define JOURNAL_BYTES_MAX "67108864"

static const char *const SQL[GH_SQLITE_STATEMENT_COUNT] = {
#define X(id, sql) [GH_SQLITE_##id] = sql,
    GH_SQLITE_STATEMENTS(X)
#undef X
};

/* ---- Results ---- */

static bool is_no_room(int number)
{
    return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

/* Over a quota or a limit SQLite speaks of a failed write; only the number of the system tells,
   which a COMMIT leaves with the journal alone. */
static bool is_disk_full(const struct gh_sqlite_connection *connection, int result)
{
    sqlite3_file *journal = NULL;
    int number = 0;
    if (result != SQLITE_IOERR_WRITE && result != SQLITE_IOERR_SHMSIZE)
        return false;
    if (is_no_room(sqlite3_system_errno(connection->db)))
        return true;
    if (sqlite3_file_control(connection->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal) !=
            SQLITE_OK ||
        !journal || !journal->pMethods)
        return false;
    journal->pMethods->xFileControl(journal, SQLITE_FCNTL_LAST_ERRNO, &number);
    return is_no_room(number);
}

static enum gh_err constraint_err(int result)
{
    switch (result) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_ROWID:
        return GH_ERR_EXISTS;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return GH_ERR_NOT_FOUND;
    default: /* of many numbers, not an enum */
        return GH_ERR_INVALID;
    }
}

enum gh_err gh_sqlite_err(const struct gh_sqlite_connection *connection, int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return GH_OK;
    case SQLITE_NOMEM:
        return GH_ERR_MEMORY;
    case SQLITE_FULL:
        return GH_ERR_FULL;
    case SQLITE_CONSTRAINT:
        return constraint_err(result);
    case SQLITE_TOOBIG:
        return GH_ERR_INVALID;
    case SQLITE_READONLY:
        return connection->read_only ? GH_ERR_INVALID : GH_ERR_IO;
    case SQLITE_IOERR:
        if (result == SQLITE_IOERR_NOMEM)
            return GH_ERR_MEMORY;
        return is_disk_full(connection, result) ? GH_ERR_FULL : GH_ERR_IO;
    default:
        return GH_ERR_IO;
    }
}

enum gh_err gh_sqlite_explain(const struct gh_sqlite_connection *connection, enum gh_err err,
                              struct gh_arena *arena, struct gh_str *out_message)
{
    switch (sqlite3_errcode(connection->db) & 0xff) {
    case SQLITE_CORRUPT:
        *out_message = GH_STR("the file is damaged: restore a backup");
        return GH_ERR_INVALID;
    case SQLITE_NOTADB:
        *out_message = GH_STR("it is not a database");
        return GH_ERR_INVALID;
    default:
        *out_message = gh_arena_format(arena, "%s", sqlite3_errmsg(connection->db));
        return err;
    }
}

/* ---- Opening ---- */

static int configure(struct gh_sqlite_connection *connection)
{
    static const struct {
        int option, value;
    } OPTIONS[] = {
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},    {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},    {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    };
    sqlite3 *db = connection->db;
    sqlite3_extended_result_codes(db, 1);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    for (size_t i = 0; i < sizeof(OPTIONS) / sizeof(OPTIONS[0]); i++) {
        int result = sqlite3_db_config(db, OPTIONS[i].option, OPTIONS[i].value, NULL);
        if (result != SQLITE_OK)
            return result;
    }
    return sqlite3_busy_timeout(db, BUSY_MS);
}

static int set_pragmas(struct gh_sqlite_connection *connection)
{
    /* temp_store: a process in a sandbox has no directory for temporary files. */
    static const char WRITER[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                                 "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA "
                                 "cache_size = -16384; PRAGMA wal_autocheckpoint = 8192; "
                                 "PRAGMA cell_size_check = ON; "
                                 "PRAGMA journal_size_limit = " JOURNAL_BYTES_MAX;
    static const char READER[] = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; "
                                 "PRAGMA cell_size_check = ON";
    return sqlite3_exec(connection->db, connection->read_only ? READER : WRITER, NULL, NULL, NULL);
}

enum gh_err gh_sqlite_connect(struct gh_sqlite_connection *connection, const char *path,
                              bool read_only)
{
    *connection = (struct gh_sqlite_connection){.read_only = read_only};
    gh_arena_init(&connection->scratch, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
    /* Readers open for writing too: whoever comes first makes the shared index of the journal. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int result = sqlite3_open_v2(path, &connection->db, flags, NULL);
    if (!connection->db)
        return GH_ERR_MEMORY;
    if (result == SQLITE_OK)
        result = configure(connection);
    if (result == SQLITE_OK)
        result = set_pragmas(connection);
    return gh_sqlite_err(connection, result);
}

void gh_sqlite_disconnect(struct gh_sqlite_connection *connection)
{
    for (size_t i = 0; i < GH_SQLITE_STATEMENT_COUNT; i++)
        sqlite3_finalize(connection->statements[i]);
    sqlite3_close(connection->db);
    gh_arena_done(&connection->scratch);
    *connection = (struct gh_sqlite_connection){.db = NULL};
}

/* ---- Statements ---- */

sqlite3_stmt *gh_sqlite_statement(struct gh_sqlite_connection *connection,
                                  enum gh_sqlite_statement id, enum gh_err *out_err)
{
    sqlite3_stmt **statement = &connection->statements[id];
    if (!*statement) {
        int result = sqlite3_prepare_v3(connection->db, SQL[id], -1, SQLITE_PREPARE_PERSISTENT,
                                        statement, NULL);
        if (result != SQLITE_OK)
            *out_err = gh_sqlite_err(connection, result);
    }
    return *statement;
}

enum gh_err gh_sqlite_exec(struct gh_sqlite_connection *connection, enum gh_sqlite_statement id)
{
    enum gh_err err = GH_OK;
    sqlite3_stmt *statement = gh_sqlite_statement(connection, id, &err);
    if (!statement)
        return err;
    err = gh_sqlite_err(connection, sqlite3_step(statement));
    sqlite3_reset(statement);
    return err;
}

enum gh_err gh_sqlite_scrub(struct gh_sqlite_connection *connection)
{
    sqlite3_busy_timeout(connection->db, SCRUB_MS);
    int result =
        sqlite3_wal_checkpoint_v2(connection->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    enum gh_err err = gh_sqlite_err(connection, result);
    sqlite3_busy_timeout(connection->db, BUSY_MS);
    return (result & 0xff) == SQLITE_BUSY ? GH_ERR_TIMEOUT : err;
}

bool gh_sqlite_number(struct gh_sqlite_connection *connection, const char *sql,
                      sqlite3_int64 *out_number)
{
    sqlite3_stmt *statement = NULL;
    bool found = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        *out_number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return found;
}
