#include "store/sqlite_schema.h"

#include "store/migrations.h"

#define MADE                                                                                       \
    "CREATE TABLE IF NOT EXISTS schema_version ("                                                  \
    "version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_us INTEGER NOT NULL"        \
    ") STRICT"
#define NOTE                                                                                       \
    "INSERT INTO schema_version (version, name, applied_us) "                                      \
    "VALUES (?1, ?2, CAST(unixepoch() AS INTEGER) * 1000000)"

/* How far the file is. */
struct state {
    sqlite3_int64 tables; /* of anybody */
    sqlite3_int64 version;
    bool is_ours;
};

static enum gh_err failure_of(const struct gh_sqlite_connection *connection)
{
    enum gh_err err = gh_sqlite_err(connection, sqlite3_errcode(connection->db));
    return err == GH_OK ? GH_ERR_IO : err; /* a query for one row gave none */
}

static enum gh_err look(struct gh_sqlite_connection *connection, struct state *out_state)
{
    struct state state = {.version = 0};
    sqlite3_int64 ours = 0;
    if (!gh_sqlite_number(connection, "SELECT count(*) FROM sqlite_schema", &state.tables) ||
        !gh_sqlite_number(connection,
                          "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND "
                          "name = 'schema_version'",
                          &ours))
        return failure_of(connection);
    state.is_ours = ours > 0;
    if (state.is_ours &&
        !gh_sqlite_number(connection, "SELECT ifnull(max(version), 0) FROM schema_version",
                          &state.version))
        return failure_of(connection);
    *out_state = state;
    return GH_OK;
}

static enum gh_err note(struct gh_sqlite_connection *connection,
                        const struct gh_migration *migration)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(connection->db, NOTE, -1, &statement, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_bind_int64(statement, 1, migration->number);
    if (result == SQLITE_OK)
        result = sqlite3_bind_text(statement, 2, migration->name, -1, SQLITE_STATIC);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    enum gh_err err = gh_sqlite_err(connection, result);
    sqlite3_finalize(statement);
    return err;
}

static enum gh_err exec(struct gh_sqlite_connection *connection, const char *sql)
{
    return gh_sqlite_err(connection, sqlite3_exec(connection->db, sql, NULL, NULL, NULL));
}

static enum gh_err apply(struct gh_sqlite_connection *connection, sqlite3_int64 version)
{
    enum gh_err err = exec(connection, MADE);
    for (unsigned i = 0; err == GH_OK && i < gh_migration_count; i++) {
        if (gh_migrations[i].number <= version)
            continue;
        err = exec(connection, gh_migrations[i].sql);
        if (err == GH_OK)
            err = note(connection, &gh_migrations[i]);
    }
    return err;
}

static enum gh_err refuse(struct gh_arena *arena, const struct state *state, bool migrate,
                          struct gh_str *out_message)
{
    if (state->version > gh_migration_count) {
        *out_message =
            gh_arena_format(arena,
                            "its schema has version %lld, this gatehouse knows %u: use the newer "
                            "gatehouse, or a backup made before",
                            (long long)state->version, gh_migration_count);
        return GH_ERR_INVALID;
    }
    if (state->tables && !state->is_ours) {
        *out_message = GH_STR("it is a database of another program");
        return GH_ERR_INVALID;
    }
    if (state->version < gh_migration_count && !migrate) {
        *out_message = GH_STR("its schema is older than this gatehouse: start the server once");
        return GH_ERR_INVALID;
    }
    return GH_OK;
}

/* Inside a transaction. */
static enum gh_err open_schema(struct gh_sqlite_connection *connection, bool migrate,
                               struct gh_arena *arena, struct gh_str *out_message)
{
    struct state state = {0};
    enum gh_err err = look(connection, &state);
    if (err == GH_OK) {
        err = refuse(arena, &state, migrate, out_message);
        if (err != GH_OK)
            return err;
        if (migrate && state.version < gh_migration_count)
            err = apply(connection, state.version);
    }
    if (err == GH_OK)
        err = gh_sqlite_exec(connection, GH_SQLITE_COMMIT);
    return err == GH_OK ? GH_OK : gh_sqlite_explain(connection, err, arena, out_message);
}

enum gh_err gh_sqlite_schema_open(struct gh_sqlite_connection *connection, bool migrate,
                                  struct gh_arena *arena, struct gh_str *out_message)
{
    enum gh_err err =
        gh_sqlite_exec(connection, migrate ? GH_SQLITE_BEGIN_WRITE : GH_SQLITE_BEGIN_READ);
    if (err != GH_OK)
        return gh_sqlite_explain(connection, err, arena, out_message);
    err = open_schema(connection, migrate, arena, out_message);
    if (!sqlite3_get_autocommit(connection->db)) {
        enum gh_err undone = gh_sqlite_exec(connection, GH_SQLITE_ROLLBACK);
        if (err == GH_OK)
            err = undone;
    }
    return err;
}
